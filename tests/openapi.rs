//! What `/openapi.json` promises, held against the running server by programs that are not ours. Linters and a validator read
//! the document and find no fault; schemathesis makes requests of it, right and wrong ones, and checks each reply against
//! it. `HOOKWHEEL_SEED=n` makes the same requests again.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hookwheel::api;
use serde_json::{Value, json};
use support::{Answer, Client, DEADLINE, Receiver, Server, say, test_env};

/// For all requests together.
const SECONDS: u64 = 45;
/// Left out: what the document cannot say of a valid value (that a dialect is known, that a condition parses) makes
/// some be refused that it allows; that every route needs its key is asked in `tests/api`, where a wrong one is
/// not answered later and later; and what was just made is not what is asked of next, as paths are filled from here.
const WITHOUT: &str = "positive_data_acceptance,ignored_auth,ensure_resource_availability";

/// An account that there is: of those that are made up nothing can be asked.
const ACCOUNT: &str = "\"header.Hookwheel-Account\" = \"default\"";

/// The ids that paths are filled with.
struct Seeded {
    webhook: String,
    event: String,
    delivery: String,
    job: String,
}

/// One of each thing, with a delivery that has failed for good.
fn seeded(client: &mut Client, endpoint: &str) -> Seeded {
    let text = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    client.post("/api/v1/accounts", &json!({"id": LIMITED, "name": "Limited"})).data(201);
    let webhook = json!({"url": endpoint, "events": ["*"], "max_retries": 0});
    let webhook = text(&client.post("/api/v1/webhooks", &webhook).data(201));
    let event = text(&client.post("/api/v1/events", &json!({"type": "a.b", "data": {"n": 1}})).data(202));
    let begun = Instant::now();
    let delivery = loop {
        let shown = client.get(&format!("/api/v1/events/{event}")).data(200);
        let delivery = &shown["deliveries"][0];
        if delivery["state"] == "dead" {
            break text(delivery);
        }
        assert!(begun.elapsed() < DEADLINE, "{shown}");
    };
    let job = text(&client.post(&format!("/api/v1/webhooks/{webhook}/discard"), &json!({})).data(202));
    Seeded { webhook, event, delivery, job }
}

/// The account whose limits are changed: what may be kept of it decides which events it has.
const LIMITED: &str = "limited";

/// How schemathesis fills paths. What would remove a thing that others need gets ids of its own making.
fn settings(ids: &Seeded) -> String {
    let Seeded { webhook, event, delivery, job } = ids;
    let rows = [
        ("webhooks", format!("\"path.id\" = \"{webhook}\", \"path.delivery_id\" = \"{delivery}\"")),
        ("events", format!("\"path.id\" = \"{event}\"")),
        ("deliveries", format!("\"path.id\" = \"{delivery}\"")),
        ("jobs", format!("\"path.id\" = \"{job}\"")),
        ("accounts", format!("\"path.id\" = \"{LIMITED}\"")),
        ("dialects", "\"path.name\" = \"standard\"".to_owned()),
    ];
    let row = |(kind, parameters): (&str, String)| {
        format!(
            "[[operations]]\ninclude-path-regex = \"^/api/v1/{kind}/\"\nexclude-method = \"DELETE\"\n\
             parameters = {{ {parameters}, {ACCOUNT} }}\n"
        )
    };
    // What removes events by the thousand does it elsewhere: the others ask of those that there are.
    let bulk = format!(
        "[[operations]]\ninclude-path-regex = \"^/api/v1/events/(delete|purge)$\"\n\
         parameters = {{ \"header.Hookwheel-Account\" = \"{LIMITED}\" }}\n"
    );
    let docs = "[[operations]]\ninclude-path-regex = \"^/docs/webhooks/\"\n\
                parameters = { \"path.name\" = \"standard\" }\n";
    // One that follows never ends; and its body is a text, as OpenAPI 3.1 says it, not one thing an event.
    let stream = format!(
        "[[operations]]\ninclude-path = \"/api/v1/stream\"\nparameters = {{ \"query.follow\" = \"false\", {ACCOUNT} }}\n\
         checks.response_schema_conformance.enabled = false\n"
    );
    // With `mode=each` a webhook that cannot be taken is told of in its row of a reply that is a 200.
    let each = "[[operations]]\ninclude-path = \"/api/v1/webhooks/batch\"\n\
                checks.negative_data_rejection.enabled = false\n";
    format!("parameters = {{ {ACCOUNT} }}\n{bulk}{docs}{each}{stream}{}", rows.map(row).concat())
}

#[test]
fn every_reply_is_as_the_document_says() {
    let Some(env) = test_env("the replies against the OpenAPI document") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let receiver = Receiver::start(|_, _| Answer::Status(500));
    let ids = seeded(&mut server.client(), &receiver.url("/"));
    fs::write(dir.path().join("schemathesis.toml"), settings(&ids)).expect("it can be written");
    let mut command = Command::new(env.join("python/bin/python"));
    command.args(["-m", "schemathesis.cli"]);
    command.current_dir(dir.path()).env("NO_PROXY", "*").args(["run", &server.url("/openapi.json"), "--no-color"]);
    command.args(["-H", &format!("Authorization: Bearer {}", server.key), "--exclude-checks", WITHOUT]);
    command.args(["--max-time", &SECONDS.to_string(), "--max-examples", "25", "--request-timeout", "30"]);
    if let Ok(seed) = std::env::var("HOOKWHEEL_SEED") {
        command.args(["--seed", &seed]);
    }
    let begun = Instant::now();
    let ended = command.output().expect("schemathesis runs");
    let output = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{output}\n{}", String::from_utf8_lossy(&ended.stderr));
    let line = |part: &str| output.lines().find(|line| line.contains(part)).unwrap_or_default().trim().to_owned();
    say(&format!("{}; {} in {:?}", line("Tested:"), line(" generated, "), begun.elapsed()));
    assert!(begun.elapsed() < Duration::from_secs(3 * SECONDS));
    // Every operation was asked, and often enough to mean something.
    let count = |text: &str| text.split(|c: char| !c.is_ascii_digit()).find_map(|word| word.parse::<u32>().ok());
    assert_eq!(count(&line("Tested:")), count(&line("Selected:")), "{output}");
    assert!(count(&line(" generated, ")).is_some_and(|cases| cases > 500), "{output}");
    server.client().get("/health/ready").data(200);
    assert!(server.terminate().success());
}

/// The document, as a file in `dir`.
fn document_in(dir: &Path) -> PathBuf {
    let path = dir.join("openapi.json");
    fs::write(&path, api::document().to_string()).expect("it can be written");
    path
}

/// Asserts that a program ends well, and gives what it wrote.
#[track_caller]
fn content(command: &mut Command) -> String {
    let ended = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let output = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{output}\n{}", String::from_utf8_lossy(&ended.stderr));
    output
}

#[test]
fn redocly_and_spectral_find_neither_error_nor_warning() {
    let Some(env) = test_env("the document against Redocly's and Spectral's rules") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let document = document_in(dir.path());
    let modules = env.join("node/node_modules");
    let node = |program: &str| {
        let mut command = Command::new("node");
        command.arg(modules.join(program)).current_dir(dir.path());
        command.env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
        command
    };
    let mut redocly = node("@redocly/cli/bin/cli.js");
    let found = content(redocly.args(["lint", "--extends=recommended", "--format=json"]).arg(&document));
    let found: Value = serde_json::from_str(&found).expect("JSON");
    assert_eq!(found["problems"], json!([]), "Redocly");
    let rules = dir.path().join("rules.json");
    fs::write(&rules, r#"{"extends": ["spectral:oas"]}"#).expect("it can be written");
    let mut spectral = node("@stoplight/spectral-cli/dist/index.js");
    spectral.args(["lint", "--fail-severity=hint", "--quiet", "--format=json", "--ruleset"]).arg(&rules).arg(&document);
    let found: Value = serde_json::from_str(&content(&mut spectral)).expect("JSON");
    assert_eq!(found, json!([]), "Spectral");
}

#[test]
fn it_is_an_openapi_document() {
    let Some(env) = test_env("the document against the schema of OpenAPI") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let mut python = Command::new(env.join("python/bin/python"));
    content(python.args(["-m", "openapi_spec_validator"]).arg(document_in(dir.path())));
}

#[test]
fn the_command_prints_what_the_server_shows() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let mut printed = Command::new(env!("CARGO_BIN_EXE_hookwheel"));
    let printed: Value = serde_json::from_str(&content(printed.arg("openapi"))).expect("JSON");
    assert_eq!(server.client().get("/openapi.json").json(), printed);
    let mut elsewhere = Command::new(env!("CARGO_BIN_EXE_hookwheel"));
    let elsewhere = content(elsewhere.args(["openapi", "--base-url", "https://hooks.example.com/"]));
    let elsewhere: Value = serde_json::from_str(&elsewhere).expect("JSON");
    assert_eq!(elsewhere["servers"], json!([{"url": "https://hooks.example.com"}]));
    assert!(server.terminate().success());
}
