//! Programs that are not ours, with packages that are not ours: what they say of a request or of JSON is evidence.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Prints a line that the test harness does not keep to itself.
pub fn say(line: &str) {
    writeln!(std::io::stderr(), "{}: {line}", env!("CARGO_CRATE_NAME")).expect("standard error is open");
}

/// Where `scripts/test` has put the packages; without them a test is skipped, but never in CI.
pub fn test_env(what_for: &str) -> Option<PathBuf> {
    prepared(what_for, &["python/bin/python", "node/node_modules"])
}

/// The same where a test needs these parts of it.
pub fn prepared(what_for: &str, parts: &[&str]) -> Option<PathBuf> {
    let dir = std::env::var_os("HOOKWHEEL_TEST_ENV").map(PathBuf::from);
    let whole = dir.filter(|dir| parts.iter().all(|part| dir.join(part).exists()));
    if whole.is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "HOOKWHEEL_TEST_ENV is not prepared: run scripts/test");
        say(&format!("SKIPPED: {what_for}; scripts/test installs what it needs"));
    }
    whole
}

/// A program that answers each line with a line. It is killed when dropped.
pub struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, input, output }
    }

    /// A script of `tests/env` in Node, with the packages of `env`.
    pub fn node(script: &str, env: &Path) -> Self {
        Self::start(Command::new("node").arg(in_tests_env(script)).arg(env.join("node/node_modules")))
    }

    /// A script of `tests/env` in Python, with the packages of `env`.
    pub fn python(script: &str, env: &Path) -> Self {
        Self::start(Command::new(env.join("python/bin/python")).arg(in_tests_env(script)))
    }

    /// What it answers to `line`.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> String {
        assert!(!line.contains('\n'), "a question is one line");
        let mut answer = String::new();
        self.input.write_all(format!("{line}\n").as_bytes()).expect("it reads");
        self.output.read_line(&mut answer).expect("it answers in UTF-8");
        let answer = answer.strip_suffix('\n').unwrap_or_else(|| panic!("it ended at {line}"));
        answer.to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn in_tests_env(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/env").join(script)
}
