//! The log: lines that can be searched by their fields, with nothing in them that is nobody's business.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::{Answer, Receiver, Stage};

const SECRET: &str = "hush-0123456789-hush";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What a server says that does all sorts of things with secrets, in lines.
fn said(env: &[(&str, &str)]) -> String {
    let failed = AtomicBool::new(false);
    let receiver =
        Receiver::start(move |_, _| Answer::Status(if failed.swap(true, Ordering::SeqCst) { 200 } else { 500 }));
    let mut stage = Stage::start(env);
    let url = receiver.url(&format!("/hook?token={SECRET}"));
    let settings = json!({
        "retry": {"delays": [0], "jitter_percent": 0}, "headers": {"X-Secret": SECRET, "Authorization": SECRET},
    });
    let webhook = stage.webhook(&url, settings);
    let mut producer = stage.server.client().with_header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"));
    producer.post("/api/v1/events", &json!({"type": "task.created", "id": "e", "data": {"payload": SECRET}})).data(202);
    stage.ended(&webhook, "e");
    assert_eq!(stage.client.get(&format!("/api/v1/webhooks/none?token={SECRET}")).status, 404);
    assert_eq!(stage.client.get("/health/live").status, 200);
    let ended = stage.server.process.terminate();
    assert!(ended.status.success(), "{}", ended.output);
    ended.output
}

/// The lines of the log among all that a server says.
fn lines(output: &str) -> Vec<Value> {
    output.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object).collect()
}

fn of<'a>(lines: &'a [Value], message: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["message"] == message).collect()
}

#[test]
fn where_nobody_looks_lines_are_json_one_an_event_an_attempt_and_a_call() {
    let output = said(&[("HOOKWHEEL__LOG__FORMAT", "auto"), ("HOOKWHEEL__LOG__LEVEL", "info")]);
    let lines = lines(&output);
    let accepted = of(&lines, "accepted");
    assert_eq!(accepted.len(), 1, "{output}");
    let fields = [("account", "default"), ("type", "task.created"), ("name", "e"), ("trace_id", TRACE)];
    fields.iter().for_each(|(name, value)| assert_eq!(accepted[0][*name], *value, "{}", accepted[0]));
    assert!(accepted[0]["took_ms"].is_number() && accepted[0]["deliveries"] == 1, "{}", accepted[0]);

    let attempts = of(&lines, "attempt");
    assert_eq!(attempts.len(), 2, "{output}");
    for (attempt, (number, status, next, error)) in
        attempts.iter().zip([(1, 500, "retry", json!("status")), (2, 200, "succeeded", Value::Null)])
    {
        assert_eq!((&attempt["attempt"], &attempt["status"]), (&json!(number), &json!(status)), "{attempt}");
        assert_eq!((&attempt["next"], &attempt["error"]), (&json!(next), &error), "{attempt}");
        assert_eq!((&attempt["account"], &attempt["trace_id"]), (&json!("default"), &json!(TRACE)), "{attempt}");
        assert_eq!(attempt["event"], accepted[0]["event"], "{attempt}");
        for name in ["took_ms", "wait_ms"] {
            assert!(attempt[name].is_number(), "{name} in {attempt}");
        }
        assert!(["webhook", "delivery", "place"].iter().all(|name| attempt[*name].is_string()), "{attempt}");
        assert_eq!(attempt["next_at"].is_string(), next == "retry", "{attempt}");
    }

    let calls = of(&lines, "call");
    let publish = calls.iter().find(|call| call["path"] == "/api/v1/events").expect("a publish");
    assert_eq!(
        (&publish["method"], &publish["status"], &publish["account"]),
        (&json!("POST"), &json!(202), &json!("default"))
    );
    assert!(publish["took_ms"].is_number() && publish["key"].is_string() && publish["bytes"].is_number(), "{publish}");
    let refused = calls.iter().find(|call| call["status"] == 404).expect("a call that found nothing");
    assert_eq!((&refused["path"], &refused["code"]), (&json!("/api/v1/webhooks/none"), &json!("not_found")));
    assert!(!calls.iter().any(|call| call["path"] == "/health/live"), "machines ask that all the time: {output}");
    let targets: BTreeSet<&str> = lines.iter().filter_map(|line| line["target"].as_str()).collect();
    assert!(targets.iter().all(|target| target.starts_with("hookwheel")), "no library speaks: {targets:?}");
    nothing_of_that_kind(&output);
}

#[test]
fn as_text_only_what_fails_is_told_unless_somebody_wants_to_see_all() {
    let failures = said(&[("HOOKWHEEL__LOG__LEVEL", "info")]);
    let attempts = |output: &str| output.lines().filter(|line| line.contains(" attempt ")).count();
    assert_eq!(attempts(&failures), 1, "{failures}");
    assert!(!failures.contains(" accepted ") && !failures.contains(" call "), "{failures}");
    assert!(failures.contains("next=\"retry\"") && failures.contains("status=500"), "{failures}");
    let all = said(&[("HOOKWHEEL__LOG__LEVEL", "info"), ("HOOKWHEEL__LOG__ACCESS", "on")]);
    assert_eq!(attempts(&all), 2, "{all}");
    assert!(all.contains(" accepted ") && all.contains(" call "), "{all}");
    let json = said(&[
        ("HOOKWHEEL__LOG__FORMAT", "json"),
        ("HOOKWHEEL__LOG__LEVEL", "info"),
        ("HOOKWHEEL__LOG__ACCESS", "off"),
    ]);
    let lines = lines(&json);
    assert_eq!((of(&lines, "attempt").len(), of(&lines, "call").len()), (1, 0), "{json}");
    [&failures, &all, &json].into_iter().for_each(|output| nothing_of_that_kind(output));
}

/// No secret, nothing of a payload, and no word of Rust's.
fn nothing_of_that_kind(output: &str) {
    for strange in [SECRET, "Some(", "None", "RetryAt", "Status("] {
        let line = output.lines().find(|line| line.contains(strange));
        assert_eq!(line, None, "{strange}");
    }
}
