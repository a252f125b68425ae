//! `hookwheel dialect` as a person meets it: its subcommands as processes, their output and their exit codes.

mod support;

use std::fs;
use std::path::Path;

use support::{Running, Server};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Runs `hookwheel dialect …` in `dir` and gives what it says; `code` is its exit code.
#[track_caller]
fn dialect(dir: &Path, arguments: &[&str], code: i32) -> String {
    let ended = Running::start(dir, &[&["dialect"], arguments].concat(), &[]).end();
    assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", ended.output);
    ended.output
}

/// A whole dialect in a few lines.
const SMALL: &str = r#"
title = "Small"
description = "A small one."
timeout_seconds = 5
envelope = "{event.data}"
retry = { delays = [5] }
secrets = { key = "utf8", bytes_min = 1, bytes_max = 256 }
"#;

#[test]
fn all_dialects_are_listed_and_shown_as_their_files_are() {
    let dir = folder();
    let own = dir.path().join("dialects");
    fs::create_dir(&own).expect("made");
    fs::write(own.join("small.toml"), SMALL).expect("written");
    let list = dialect(dir.path(), &["list"], 0);
    let line = |name: &str| {
        let found = list.lines().find(|line| line.split_whitespace().next() == Some(name));
        found.unwrap_or_else(|| panic!("no {name} in\n{list}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("name"), "name title base events");
    assert_eq!(line("small"), "small Small - 0");
    assert_eq!(line("taskflow"), "taskflow TaskFlow /v2/webhooks 7");
    assert!(line("standard").starts_with("standard Standard Webhooks - "));

    assert_eq!(dialect(dir.path(), &["show", "small"], 0).trim(), SMALL.trim());
    let shipped = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dialect/taskflow.toml"));
    assert_eq!(dialect(dir.path(), &["show", "taskflow"], 0).trim(), shipped.expect("it is there").trim());
    let wrong = dialect(dir.path(), &["show", "smal"], 1);
    assert!(wrong.contains("there is no dialect \"smal\"; there are ") && wrong.contains("small"), "{wrong}");
}

#[test]
fn a_file_is_checked_and_a_mistake_named_with_its_line_and_key() {
    let dir = folder();
    let file = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    file("good.toml", SMALL);
    let asks = "[challenge]\nsend = { challenge = \"{challenge}\" }\nexpect = { answer = \"{chalenge}\" }\n";
    file("asks.toml", &format!("{SMALL}\n{asks}"));
    let said = dialect(dir.path(), &["check", "asks.toml"], 1);
    assert!(said.contains("asks.toml:11: challenge.expect.answer: {chalenge} is not known"), "{said}");
    assert!(said.contains("the nearest is {challenge}"), "{said}");
    let said = dialect(dir.path(), &["check", "good.toml"], 0);
    assert_eq!(said, "ok: good (Small): 0 events, 0 signature headers, 1 retries, no API of its own");

    file("slow.toml", &SMALL.replace("timeout_seconds = 5", "timeout_seconds = 500"));
    let said = dialect(dir.path(), &["check", "slow.toml"], 1);
    assert_eq!(said, "hookwheel: slow.toml:4: timeout_seconds: must be between 1 and 120");

    file("broken.toml", "title = ");
    assert!(dialect(dir.path(), &["check", "broken.toml"], 1).starts_with("hookwheel: broken.toml:1: "));
    let said = dialect(dir.path(), &["check", "nowhere.toml"], 1);
    assert!(said.contains("nowhere.toml: ") && said.contains("No such file"), "{said}");
}

#[test]
fn the_reference_and_the_schema_are_printed() {
    let dir = folder();
    let reference = dialect(dir.path(), &["reference"], 0);
    assert!(reference.starts_with("# Dialect files") && reference.contains("`timeout_seconds = 10`"), "{reference}");
    assert!(dialect(dir.path(), &["reference", "--format", "html"], 0).starts_with("<!DOCTYPE html>"));
    let schema: serde_json::Value = serde_json::from_str(&dialect(dir.path(), &["schema"], 0)).expect("JSON");
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(schema["properties"]["timeout_seconds"]["maximum"], 120);
}

#[test]
fn a_face_in_the_way_of_another_is_a_mistake() {
    let dir = folder();
    let taskflow = dialect(dir.path(), &["show", "taskflow"], 0);
    fs::write(dir.path().join("copy.toml"), &taskflow).expect("written");
    let said = dialect(dir.path(), &["check", "copy.toml"], 1);
    let line = 1 + taskflow.lines().position(|line| line.starts_with("base = ")).expect("its base");
    let start = format!("hookwheel: copy.toml:{line}: face.base: ");
    assert!(said.starts_with(&start) && said.contains("/v2/webhooks of the dialect taskflow"), "{said}");

    // A file of the same name takes the other's place, so it is in nobody's way.
    fs::write(dir.path().join("taskflow.toml"), &taskflow).expect("written");
    assert!(dialect(dir.path(), &["check", "taskflow.toml"], 0).starts_with("ok: taskflow (TaskFlow): 7 events"));
}

#[test]
fn another_broken_file_does_not_keep_a_good_one_from_being_checked() {
    let dir = folder();
    fs::create_dir(dir.path().join("dialects")).expect("made");
    fs::write(dir.path().join("dialects/bad.toml"), "title = 1").expect("written");
    fs::write(dir.path().join("good.toml"), SMALL).expect("written");
    let said = dialect(dir.path(), &["check", "good.toml"], 0);
    assert!(said.contains("ok: good (Small)") && said.contains("bad.toml:1: title:"), "{said}");
}

#[test]
fn a_new_dialect_starts_from_another_and_works_as_it_is() {
    let dir = folder();
    let said = dialect(dir.path(), &["new", "my-app", "--from", "taskflow"], 0);
    assert!(said.contains("dialects/my-app.toml is made from taskflow") && said.contains("dialect check"), "{said}");
    let path = dir.path().join("dialects/my-app.toml");
    let text = fs::read_to_string(&path).expect("it is there");
    assert!(text.contains("title = \"My app\"\n") && text.contains("base = \"/my-app/webhooks\"\n"), "{text}");
    assert!(dialect(dir.path(), &["list"], 0).contains("/my-app/webhooks"));
    assert!(dialect(dir.path(), &["check", "dialects/my-app.toml"], 0).starts_with("ok: my-app (My app)"));
    assert!(dialect(dir.path(), &["docs", "my-app"], 0).starts_with("# My app webhooks"));

    // A server takes it without a change.
    let server = Server::start(dir.path(), &[]);
    let webhook = serde_json::json!({"url": "https://example.com/", "events": ["task.created"]});
    let reply = server.client().post("/my-app/webhooks", &webhook);
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.message.body));
    assert!(reply.json()["id"].as_str().expect("an id").starts_with("wh_"));
}

#[test]
fn nothing_that_exists_is_overwritten() {
    let dir = folder();
    dialect(dir.path(), &["new", "mine"], 0);
    let path = dir.path().join("dialects/mine.toml");
    fs::write(&path, SMALL).expect("written");
    let said = dialect(dir.path(), &["new", "mine", "--from", "taskflow"], 1);
    assert!(said.contains("dialects/mine.toml is there already; it stays as it is"), "{said}");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), SMALL);

    let said = dialect(dir.path(), &["new", "taskflow"], 1);
    assert!(said.contains("taskflow is the name of a dialect that there is"), "{said}");
    for wrong in ["Mine", "../x", "a b", ""] {
        let said = dialect(dir.path(), &["new", wrong], 1);
        assert!(said.contains("a-z 0-9 _ -"), "{said}");
    }
    let said = dialect(dir.path(), &["new", "other", "--from", "nothing"], 1);
    assert!(said.contains("there is no dialect \"nothing\""), "{said}");
    assert_eq!(fs::read_dir(dir.path().join("dialects")).expect("it is there").count(), 1);
    assert!(!dir.path().join("x.toml").exists());
}

#[test]
fn documentation_is_printed_for_the_server_that_is_named() {
    let dir = folder();
    let url = ["--url", "https://hooks.example.com/"];
    let markdown = dialect(dir.path(), &[&["docs", "taskflow"], &url[..]].concat(), 0);
    assert!(markdown.starts_with("# TaskFlow webhooks\n"), "{markdown}");
    assert!(markdown.contains("curl -X POST \"https://hooks.example.com/v2/webhooks\""), "{markdown}");
    let html = dialect(dir.path(), &[&["docs", "taskflow", "--format", "html"], &url[..]].concat(), 0);
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>"), "{html}");
    assert!(html.contains("https://hooks.example.com/v2/webhooks"));
    fs::write(dir.path().join("config.toml"), "[deliver]\negress = [\"203.0.113.0/24\"]\n").expect("written");
    assert!(dialect(dir.path(), &["docs", "standard"], 0).contains("- `203.0.113.0/24`"));
}
