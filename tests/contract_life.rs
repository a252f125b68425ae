//! A contract's life at the command line: what a change means and what its exit code is, documents that leave and come back,
//! and whether programs that are not ours read them.

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hookwheel::dialect::Dialects;
use hookwheel::exchange::{Format, export};
use serde_json::{Value, json};
use support::{Program, test_env};

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

#[test]
fn a_contract_goes_out_as_a_document_and_comes_in_again() {
    let dir = tempfile::tempdir().expect("a folder");
    for way in ["--openapi", "--asyncapi"] {
        let (document, err) = told(dir.path(), &["export", way, "taskflow"], "", 0);
        assert!(serde_json::from_str::<Value>(&document).is_ok());
        let left: Vec<&str> = err.lines().collect();
        assert_eq!(left[0], "not in the document:");
        for key in ["disable", "limits", "face"] {
            assert!(left.iter().any(|line| line.starts_with(&format!("  {key} "))), "{err}");
        }
        assert_eq!(left.len(), 4, "{err}");
        let (file, err) = told(dir.path(), &["import", "-"], &document, 0);
        assert_eq!(err, "");
        fs::write(dir.path().join("back.toml"), file).expect("written");
        assert!(told(dir.path(), &["check", "back.toml"], "", 0).0.starts_with("ok: back (TaskFlow): 7 events"));
        let (out, _) = told(dir.path(), &["diff", "taskflow", "back.toml", "--json"], "", 1);
        for line in out.lines() {
            let change: Value = serde_json::from_str(line).expect("JSON");
            let key = change["key"].as_str().expect("a key");
            assert!(["disable", "limits", "face"].iter().any(|left| key.starts_with(left)), "{line}");
        }
    }
    assert!(told(dir.path(), &["export", "taskflow"], "", 2).1.contains("--openapi"));
    assert!(told(dir.path(), &["import", "-"], "{}", 1).1.contains("neither openapi nor asyncapi"));
    assert!(told(dir.path(), &["import", "none.json"], "", 1).1.contains("none.json"));
}

/// Where the bodies and headers of a document are.
fn bodies(format: Format, document: &Value) -> Vec<Value> {
    let escaped = |step: &str| step.replace('~', "~0").replace('/', "~1");
    let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let body = |schema: String, example: String| json!({"schema": schema, "example": example});
    match format {
        Format::OpenApi => {
            let places = names(&document["webhooks"]).into_iter().map(|name| {
                let media = names(&document["webhooks"][&name]["post"]["requestBody"]["content"]).remove(0);
                let place = format!("/webhooks/{}/post/requestBody/content/{}", escaped(&name), escaped(&media));
                body(format!("{place}/schema"), format!("{place}/example"))
            });
            places.collect()
        }
        Format::AsyncApi => {
            let places = names(&document["components"]["messages"]).into_iter().flat_map(|key| {
                let place = format!("/components/messages/{key}");
                ["payload", "headers"].map(|part| body(format!("{place}/{part}"), format!("{place}/examples/0/{part}")))
            });
            places.collect()
        }
    }
}

#[test]
fn documents_are_valid_to_programs_that_are_not_ours() {
    let Some(env) = test_env("exported documents, read by others") else { return };
    let mut reader = Program::node("documents.mjs", &env);
    let shipped = Dialects::shipped();
    for (format, name, each) in [(Format::OpenApi, "openapi", 1), (Format::AsyncApi, "asyncapi", 2)] {
        let mut ask = |document: &Value, bodies: &[Value]| {
            reader.ask(&json!({"format": name, "document": document, "bodies": bodies}).to_string())
        };
        for dialect in shipped.iter() {
            let document = export(dialect, format).expect("it has events");
            let bodies = bodies(format, &document);
            assert_eq!(bodies.len(), dialect.catalogue.len() * each, "{name} {}", dialect.name);
            assert_eq!(ask(&document, &bodies), "valid", "{name} {}", dialect.name);
        }
        // They do refuse: a member that there is none of, and a body of another form.
        let mut document = export(shipped.get("taskflow").expect("it is shipped"), format).expect("it has events");
        let bodies = bodies(format, &document);
        let example = bodies[0]["example"].as_str().expect("a place").to_owned();
        document.pointer_mut(&example).expect("an example")["id"] = json!(7);
        assert!(ask(&document, &bodies).starts_with("wrong: /id"), "{name}");
        document["hooks"] = json!({});
        assert!(ask(&document, &[]).starts_with("wrong: "), "{name}");
    }
}
