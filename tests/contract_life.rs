//! A contract's life at the command line: what a change means, and what its exit code is.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hookwheel::dialect::Dialects;
use serde_json::{Value, json};

/// Runs `hookwheel dialect …` in `dir` with this on its standard input.
fn dialect(dir: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwheel"));
    command.arg("dialect").args(arguments).current_dir(dir);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary can be started");
    // It may have ended before it has read anything.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What it prints, and on standard error; `code` is its exit code.
#[track_caller]
fn told(dir: &Path, arguments: &[&str], input: &str, code: i32) -> (String, String) {
    let output = dialect(dir, arguments, input);
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {out}{err}");
    (out, err)
}

fn source(name: &str) -> String {
    Dialects::shipped().get(name).expect("it is shipped").source.clone()
}

#[test]
fn a_change_is_told_in_words_in_json_and_by_the_exit_code() {
    let dir = tempfile::tempdir().expect("a folder");
    let new = source("taskflow")
        .replace("timestamp = \"{event.time}\"\n", "")
        .replace("timeout_seconds = 5", "timeout_seconds = 9")
        .replace("name = \"name\"\ndescription", "description");
    fs::write(dir.path().join("new.toml"), &new).expect("written");
    let (out, err) = told(dir.path(), &["diff", "taskflow", "new.toml"], "", 1);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "For receivers");
    assert_eq!(lines[1], "  ■ breaking    envelope.timestamp removed");
    assert!(lines.contains(&"  ● compatible  timeout_seconds changed"), "{out}");
    assert!(lines.contains(&"For callers of the API"), "{out}");
    assert!(lines.contains(&"  ■ breaking    face.request.name removed"), "{out}");
    assert_eq!(lines.last(), Some(&"2 breaking, 1 compatible."));
    assert_eq!(err.trim(), "hookwheel: 2 of 3 changes are breaking");

    // The other way round, and from standard input.
    let (out, _) = told(dir.path(), &["diff", "-", "new.toml", "--json"], &source("taskflow"), 1);
    let changes: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    assert_eq!(changes.len(), 3);
    let timestamp = changes.iter().find(|change| change["key"] == "envelope.timestamp").expect("it is there");
    assert_eq!(timestamp["for"], "receivers");
    assert_eq!((&timestamp["kind"], &timestamp["compatible"]), (&json!("removed"), &json!(false)));
    assert!(timestamp["what"].as_str().is_some_and(|what| what.contains("{event.time:seconds}")), "{timestamp}");

    let slower = source("taskflow").replace("timeout_seconds = 5", "timeout_seconds = 9");
    let (out, err) = told(dir.path(), &["diff", "taskflow", "-"], &slower, 0);
    assert!(out.ends_with("0 breaking, 1 compatible.\n") && err.is_empty(), "{out}{err}");
    assert_eq!(told(dir.path(), &["diff", "taskflow", "taskflow"], "", 0).0, "Both say the same.\n");
}

#[test]
fn a_contract_that_cannot_be_read_has_an_exit_code_of_its_own() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("Old Contract.toml"), source("hub")).expect("written");
    fs::write(dir.path().join("bad.toml"), "title = 1").expect("written");
    // What it is called says nothing.
    told(dir.path(), &["diff", "./Old Contract.toml", "hub"], "", 0);
    for (old, why) in
        [("bad.toml", "bad.toml:1: title:"), ("nowhere.toml", "nowhere.toml: "), ("nobody", "no dialect \"nobody\"")]
    {
        let (_, err) = told(dir.path(), &["diff", old, "hub"], "", 2);
        assert!(err.contains(why), "{err}");
        assert!(told(dir.path(), &["diff", "hub", old], "", 2).1.contains(why));
    }
    fs::write(dir.path().join("config.toml"), "[server]\nlistn = 1\n").expect("written");
    assert!(told(dir.path(), &["diff", "hub", "hub"], "", 2).1.contains("listn"));
    let help = told(dir.path(), &["diff", "--help"], "", 0).0;
    assert!(help.contains("Exit code: 0 nothing breaks, 1 something does, 2 one of them cannot be read"), "{help}");
}
