//! A broken file is refused with its line, its key and what would be right.

use super::*;
use crate::dialect::DialectError;
use std::fs;

const FILE: &str = include_str!("../taskflow.toml");

/// The error after `from` in the file has been replaced by `to`, and the text of the line it names.
fn mistake(from: &str, to: &str) -> (DialectError, String) {
    assert!(FILE.contains(from), "{from} is not in the file");
    let text = FILE.replacen(from, to, 1);
    let error = Dialect::parse("broken.toml", &text).expect_err(&format!("{to} was taken"));
    let line = text.lines().nth(error.line - 1).unwrap_or_default().to_string();
    (error, line)
}

#[test]
fn every_mistake_is_named_with_its_line_and_key() {
    for (from, to, line, key, says) in [
        (
            "timeout_seconds = 5",
            "timeout_secs = 5",
            "timeout_secs = 5",
            "timeout_secs",
            "the nearest is `timeout_seconds`",
        ),
        (
            "timeout_seconds = 5",
            "timeout_seconds = \"5\"",
            "timeout_seconds = \"5\"",
            "timeout_seconds",
            "must be a whole number",
        ),
        (
            "timeout_seconds = 5",
            "timeout_seconds = 500",
            "timeout_seconds = 500",
            "timeout_seconds",
            "between 1 and 120",
        ),
        ("3600, 21600]", "3600, 99999999]", "delays", "retry.delays[4]", "30 days"),
        (
            "jitter_percent = 10",
            "jitter_percent = 101",
            "jitter_percent = 101",
            "retry.jitter_percent",
            "between 0 and 100",
        ),
        ("key = \"utf8\"", "key = \"hex\"", "key = \"hex\"", "secrets.key", "expected one of `utf8`, `base64`"),
        ("bytes_max = 256", "bytes_max = 20", "bytes_max = 20", "secrets.bytes_max", "64 bytes"),
        ("webhook = \"wh_\"", "webhook = \"wh-\"", "webhook = \"wh-\"", "ids.webhook", "end in _"),
        (
            "numbers = \"exact\"",
            "numbers = \"loose\"",
            "numbers = \"loose\"",
            "body.numbers",
            "unknown variant `loose`",
        ),
        (
            "json = \"canonical\"\nnumbers = \"exact\"",
            "numbers = \"js\"",
            "numbers",
            "body.numbers",
            "needs json = \"canonical\"",
        ),
        ("\"{event.time}\"", "\"{event.tiem}\"", "timestamp", "envelope.timestamp", "the nearest is {event.time}"),
        ("data = \"{event.data}\"", "data = \"{body}\"", "data", "envelope.data", "cannot stand here"),
        ("\"{event.metadata}\"", "\"{event.data}\"", "metadata", "envelope.metadata.\"...\"", "spreads an object"),
        ("X-TaskFlow-Event = ", "\"X TaskFlow\" = ", "\"X TaskFlow\"", "headers.\"X TaskFlow\"", "no header name"),
        ("X-TaskFlow-Event = ", "Content-Type = ", "Content-Type", "headers.Content-Type", "set by Hookwheel"),
        (
            "signed = \"{body}\"",
            "signed = \"{attempt.unix}.{body}\"",
            "signed",
            "signature[0].signed",
            "no header tells",
        ),
        (
            "value = \"sha256={signature}\"",
            "value = \"sha256\"",
            "value",
            "signature[0].value",
            "must hold {signature}",
        ),
        ("value = \"sha256={signature}\"", "value = \"é{signature}\"", "value", "signature[0].value", "visible ASCII"),
        (
            "value = \"sha256={signature}\"",
            "value = \"v1,{signature}\"\nseveral = \",\"",
            "several",
            "signature[0].several",
            "such as a space",
        ),
        ("algorithm = \"sha256\"\n", "", "[[signature]]", "signature[0].algorithm", "missing field"),
        ("base = \"/v2/webhooks\"", "base = \"/api/v1/hooks\"", "base", "face.base", "/api/v1 is Hookwheel's own"),
        ("base = \"/v2/webhooks\"", "base = \"v2/\"", "base", "face.base", "must be a path"),
        ("test = \"POST /{id}/test\"", "test = \"POST /test\"", "test", "face.operations.test", "{id}"),
        ("list = \"GET /\"", "list = \"GET\"", "list", "face.operations.list", "write \"POST"),
        (
            "enabled = \"enabled\"",
            "enabled = \"enable\"",
            "enabled",
            "face.request.enabled",
            "the nearest is \"enabled\"",
        ),
        (
            "= \"last_attempt_at\"",
            "= \"last_attempt\"",
            "last_triggered",
            "face.webhook.last_triggered",
            "\"last_attempt_at\"",
        ),
        ("type = \"task.updated\"", "type = \"task.created\"", "type", "event[1].type", "there twice"),
        ("type = \"task.updated\"", "type = \"task..updated\"", "type", "event[1].type", "two in a row"),
        ("\"id\": \"task_abc123\",", "\"id\": ,", "sample", "event[0].sample", "is not JSON"),
        ("title = \"TaskFlow\"\n", "", "#", "title", "missing field"),
        ("title = \"TaskFlow\"", "title = ", "title = ", "title", "is not TOML"),
    ] {
        let (error, found) = mistake(from, to);
        assert_eq!(error.key, key, "{error}");
        assert!(found.starts_with(line), "{error}\nnames the line {found:?}, not {line:?}");
        assert!(error.message.contains(says), "{error}\ndoes not say {says:?}");
    }
}

#[test]
fn a_file_is_named_after_its_dialect() {
    for bad in ["", "Big.toml", "a b.toml", "dir/.toml"] {
        assert!(Dialect::parse(bad, FILE).is_err(), "{bad}");
    }
    assert_eq!(Dialect::parse("some/dir/my-own.toml", FILE).unwrap().name, "my-own");
}

#[test]
fn faces_may_not_be_in_each_others_way() {
    for base in ["/v2/webhooks", "/v2", "/v2/webhooks/mine"] {
        let text = FILE.replacen("/v2/webhooks", base, 1);
        let error = Dialects::shipped().add("mine.toml", &text).unwrap_err();
        assert_eq!(error.key, "face.base");
        assert!(error.message.contains("of the dialect taskflow"), "{error}");
    }
    assert!(Dialects::shipped().add("mine.toml", &FILE.replacen("/v2/webhooks", "/v2/webhooks2", 1)).is_ok());
}

#[test]
fn a_directory_is_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    let names = |dialects: &Dialects| dialects.names().map(String::from).collect::<Vec<_>>();
    let missing = Dialects::load(Some(&dir.path().join("missing"))).unwrap();
    assert_eq!(names(&missing), names(&Dialects::load(None).unwrap()));

    fs::write(dir.path().join("mine.toml"), FILE.replacen("/v2/webhooks", "/mine", 1)).unwrap();
    fs::write(dir.path().join("taskflow.toml"), FILE.replacen("timeout_seconds = 5", "timeout_seconds = 9", 1))
        .unwrap();
    fs::write(dir.path().join("notes.txt"), "not a dialect").unwrap();
    let dialects = Dialects::load(Some(dir.path())).unwrap();
    assert_eq!(names(&dialects).len(), names(&missing).len() + 1);
    assert!(dialects.get("mine").is_some());
    assert_eq!(dialects.get("taskflow").unwrap().timeout_seconds, 9, "the user's file takes its place");

    fs::write(dir.path().join("a.toml"), "title = 1").unwrap();
    fs::write(dir.path().join("b.toml"), "").unwrap();
    let errors = Dialects::load(Some(dir.path())).unwrap_err();
    assert_eq!(errors.len(), 2, "all mistakes are reported together: {errors:?}");
    assert!(errors[0].to_string().contains("a.toml:1: title: "), "{}", errors[0]);
}
