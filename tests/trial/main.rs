//! `hookwheel dialect test` against receivers in Express, Flask and axum: it passes the right ones, and of those with a
//! planted mistake it finds exactly what that mistake lets through or keeps out. Its table, its JSON, its JUnit XML and its
//! exit codes are what scripts and people rely on.

mod axum_app;
mod report;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use axum_app::Secrets;
use hookwheel::dialect::Dialects;
use hookwheel::domain::secret::Secret;
use serde_json::{Value, json};
use support::{Running, test_env};

/// What must be refused by every contract that signs its time and its id.
const REFUSED: [&str; 10] = [
    "no_signature",
    "empty_signature",
    "wrong_signature",
    "cut_signature",
    "changed_body",
    "other_body",
    "respaced_body",
    "old_time",
    "moved_time",
    "changed_id",
];
/// What a receiver of `standard` must take.
const TAKEN: [&str; 10] = [
    "event",
    "repeated",
    "unknown_field",
    "unknown_data_field",
    "exact_bytes",
    "unknown_type",
    "upper_case",
    "first_signature",
    "second_signature",
    "old_secret",
];
/// The mistakes that receivers of `standard` are made with, and what each lets through or keeps out.
const MISTAKES: [(&str, &[&str]); 9] = [
    ("none", &[]),
    ("no_verification", &REFUSED),
    ("without_time", &TAKEN),
    ("any_age", &["old_time"]),
    ("parsed_body", &["exact_bytes", "respaced_body"]),
    ("first_signature_only", &["second_signature"]),
    ("new_secret_only", &["old_secret"]),
    ("unsigned_too", &["no_signature"]),
    ("refuses_repeated", &["repeated"]),
];

/// The secrets of a contract, as its sender has them: the new one, then the old one.
fn secrets(dialect: &str) -> [Secret; 2] {
    let dialect = Dialects::shipped().get(dialect).expect("it is shipped").clone();
    [1, 2].map(|byte| dialect.generate_secret(&[byte; 32]).expect("it can be generated"))
}

/// The same as receivers have them.
fn known() -> Secrets {
    let of = |name: &str| {
        let dialect = Dialects::shipped().get(name).expect("it is shipped").clone();
        secrets(name).map(|secret| dialect.public_key(&secret).unwrap_or_else(|| secret.reveal().to_owned())).to_vec()
    };
    ["standard", "taskflow", "daycopilot", "discord", "stripe"].map(|name| (name.to_owned(), of(name))).into()
}

/// Receivers in another language: a process that has printed its port. It is killed when dropped.
struct Program {
    child: Child,
    port: u16,
}

impl Program {
    fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it prints its port");
        Self { child, port: line.trim().parse().expect("a port") }
    }

    fn express(env: &Path) -> Self {
        let mut command = Command::new("node");
        let known = json!(known()).to_string();
        Self::start(command.arg(receiver("express.mjs")).arg(env.join("node/node_modules")).arg(known))
    }

    fn flask(env: &Path) -> Self {
        let mut command = Command::new(env.join("python/bin/python"));
        let known = json!(known()).to_string();
        Self::start(command.env("PYTHONDONTWRITEBYTECODE", "1").arg(receiver("flask_app.py")).arg(known))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn receiver(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trial/receivers").join(file)
}

/// What `dialect test` found.
struct Found {
    code: Option<i32>,
    cases: Vec<Value>,
    output: String,
}

impl Found {
    /// By receivers at `port`, of this contract and with this mistake.
    fn of(port: u16, contract: &str, mistake: &str) -> Self {
        let url = format!("http://localhost:{port}/{contract}/{mistake}");
        let [new, old] = secrets(contract);
        let arguments = ["dialect", "test", contract, "--endpoint", &url, "--json"];
        let env = [("HOOKWHEEL_SECRET", new.reveal()), ("HOOKWHEEL_OLD_SECRET", old.reveal())];
        let dir = tempfile::tempdir().expect("a folder");
        let ended = Running::start(dir.path(), &arguments, &env).end();
        let cases = ended.output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Self { code: ended.status.code(), cases, output: ended.output }
    }

    /// The names of the cases with this result; all events are one.
    fn with(&self, result: &str) -> BTreeSet<&str> {
        let own = self.cases.iter().filter(|case| case["result"] == result);
        own.filter_map(|case| case["case"].as_str()?.split(':').next()).collect()
    }

    #[track_caller]
    fn fails(&self, what: &str, expected: &[&str]) {
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        assert_eq!(self.with("failed"), expected, "{what}: {}", self.output);
        assert_eq!(self.code, Some(i32::from(!expected.is_empty())), "{what}: {}", self.output);
        // None of them is silent: each case of the kind is told, and says what it means.
        for case in self.cases.iter().filter(|case| case["result"] == "failed") {
            let told = |field: &str| case[field].as_str().is_some_and(|text| text.ends_with('.'));
            assert!(told("meaning") && told("remedy"), "{what}: {case}");
        }
    }
}

#[track_caller]
fn find_each(port: u16, framework: &str, contract: &str, mistakes: &[(&str, &[&str])]) {
    for (mistake, expected) in mistakes {
        let found = Found::of(port, contract, mistake);
        found.fails(&format!("{framework}, {contract}, {mistake}"), expected);
        assert_eq!(found.with("warned"), BTreeSet::new(), "{}", found.output);
    }
}

#[test]
fn each_mistake_of_a_receiver_in_express_is_found_and_nothing_else() {
    let Some(env) = test_env("receivers in Express with planted mistakes") else { return };
    let program = Program::express(&env);
    let find = |contract: &str, mistakes: &[(&str, &[&str])]| find_each(program.port, "Express", contract, mistakes);
    find("standard", &MISTAKES);
    find(
        "standard",
        &[
            ("answers_first", &REFUSED),
            ("all_signatures", &["first_signature", "second_signature"]),
            ("as_much_as_sent", &["empty_signature", "cut_signature"]),
            ("closed_schema", &["unknown_field"]),
            ("known_types", &["unknown_type"]),
            ("one_case", &["upper_case"]),
        ],
    );
    find("taskflow", &[("none", &[]), ("parsed_body", &["respaced_body"]), ("small_limit", &["big"])]);
    // What JSON.stringify gives is what this contract sends.
    find("daycopilot", &[("none", &[]), ("parsed_body", &[]), ("wrong_answer", &["challenge"])]);
    find("discord", &[("none", &[]), ("any_age", &["old_time"]), ("believes_questions", &["forged_challenge"])]);

    let found = Found::of(program.port, "standard", "throws");
    found.fails("a receiver that breaks over what it refuses", &[]);
    assert_eq!(found.with("warned"), BTreeSet::from(["empty_signature", "cut_signature"]), "{}", found.output);
    assert!(found.output.contains("Nobody gets in"), "what it means is another thing: {}", found.output);
}

#[test]
fn each_mistake_of_a_receiver_in_flask_is_found_and_nothing_else() {
    let Some(env) = test_env("receivers in Flask with planted mistakes") else { return };
    let program = Program::flask(&env);
    let find = |contract: &str, mistakes: &[(&str, &[&str])]| find_each(program.port, "Flask", contract, mistakes);
    find("standard", &MISTAKES);
    find("standard", &[("closed_data", &["unknown_data_field"])]);
    find("taskflow", &[("none", &[]), ("as_much_as_sent", &["empty_signature", "cut_signature"])]);
    find("stripe", &[("none", &[]), ("any_age", &["old_time"]), ("first_signature_only", &["second_signature"])]);
}

#[test]
fn each_mistake_of_a_receiver_in_axum_is_found_and_nothing_else() {
    let port = axum_app::start(known()).port();
    let find = |contract: &str, mistakes: &[(&str, &[&str])]| find_each(port, "axum", contract, mistakes);
    find("standard", &MISTAKES);
    find("standard", &[("closed_schema", &["unknown_field"])]);
    find(
        "discord",
        &[
            ("none", &[]),
            ("any_age", &["old_time"]),
            ("believes_questions", &["forged_challenge"]),
            ("new_secret_only", &["old_secret"]),
        ],
    );
}
