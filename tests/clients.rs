//! The clients as people install them: `scripts/clients` makes each from the document of this very server and puts the
//! package that comes of it through a day of use.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use hookwheel::api;
use support::{Server, prepared, say};

/// Less would be no day of use.
const TESTS_MIN: u32 = 15;

#[test]
fn the_client_for_python_lives_through_a_day() {
    live_through_a_day("python", "Ran ");
}

#[test]
fn the_client_for_typescript_lives_through_a_day() {
    live_through_a_day("typescript", "# pass ");
}

/// Makes a client and runs its tests. How many ran stands in the line that starts with `counted`.
fn live_through_a_day(language: &str, counted: &str) {
    let parts = ["clients-python/bin/python", "clients-node/node_modules"];
    let Some(env) = prepared(&format!("the client for {language}"), &parts) else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let document = dir.path().join("openapi.json");
    fs::write(&document, api::document().to_string()).expect("it can be written");
    let server = Server::start(dir.path(), &[]);
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/clients"));
    command.args(["--test", language, "--document"]).arg(&document).arg("--to").arg(dir.path().join("made"));
    command.env("HOOKWHEEL_TEST_ENV", env).env("HOOKWHEEL_URL", server.url("")).env("HOOKWHEEL_KEY", server.key);
    let ended = command.output().expect("it can be started");
    let output = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{output}\n{}", String::from_utf8_lossy(&ended.stderr));
    let ran = output.lines().find_map(|line| line.strip_prefix(counted)?.split(' ').next()?.parse::<u32>().ok());
    say(&format!("{language}: {ran:?} tests"));
    assert!(ran.is_some_and(|ran| ran >= TESTS_MIN), "{output}");
    assert!(server.terminate().success());
}
