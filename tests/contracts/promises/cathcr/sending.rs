//! What is sent, when, and how often.

use serde_json::json;

use super::super::acts::{self, body, text};
use super::super::line::Line;
use super::stage::{DELIVERY, EGRESS, Stage};
use crate::like::is_uuid;
use crate::scene::catalogue;
use crate::support::Answer;
use hookwheel::domain::time;

pub fn arrives_at_the_url(s: &mut Stage) -> String {
    let path = s.sample("thought.created").path;
    assert_eq!(path, "/webhooks/cathcr");
    path
}

pub fn delivery_header(s: &mut Stage) -> String {
    let value = s.header(DELIVERY);
    assert!(is_uuid(&value), "{value}");
    assert_eq!(value, s.sent().1);
    value
}

pub fn type_header(s: &mut Stage) -> String {
    let kinds = catalogue("cathcr");
    kinds.iter().for_each(|(kind, _)| assert_eq!(body(&s.sample(kind))["event"], kind.as_str()));
    format!("the {} types, as in the body", kinds.len())
}

pub fn addresses(s: &mut Stage) -> String {
    let peer = s.sent().2.peer.to_string();
    assert_eq!(peer, "127.0.0.9");
    let shown = s.scene.get("/api/v1/dialects/cathcr");
    let document = acts::document(&mut s.scene, "cathcr");
    assert_eq!(shown["data"]["egress"], json!(EGRESS));
    EGRESS.iter().for_each(|range| assert!(document.contains(range.trim_end_matches("/32")), "no {range}"));
    format!("the guide's four and this machine's are in /docs; the request came from {peer}")
}

pub fn user_agent(s: &mut Stage) -> String {
    let value = s.header("user-agent");
    assert_eq!(value, "Cathcr-Webhooks/1.0");
    value
}

pub fn content_type(s: &mut Stage) -> String {
    let value = s.header("content-type");
    assert_eq!(value, "application/json");
    value
}

pub fn growing_delays(s: &mut Stage) -> String {
    let millis: Vec<u64> = (2..=6).map(|n| s.after(n).millis.expect("a retry follows")).collect();
    assert!(millis.is_sorted(), "{millis:?}");
    let seconds: Vec<String> = millis.iter().map(|millis| (millis / 1000).to_string()).collect();
    format!("at once, then {} s", seconds.join(", "))
}

/// The first retry follows too soon to be seen waiting.
pub fn immediate_retry(s: &mut Stage) -> String {
    let line = Line::open(&mut s.scene, "cathcr", json!({"retry": null}), |_| Answer::Status(500));
    let delivery = line.send(&mut s.scene, json!({}));
    let attempts = s.scene.delivery_after(&delivery, 2)["attempts"].take();
    let started = |n: usize| time::parse(&text(&attempts[n]["started_at"])).expect("a time");
    let ended = started(0) + attempts[0]["response_time_ms"].as_u64().expect("a duration");
    let gap = started(1).saturating_sub(ended);
    assert!(gap < 30_000, "{gap} ms: hardly at once, where the next is 5 minutes");
    format!("{gap} ms after the end of the first attempt")
}

pub fn disabled_after_five(s: &mut Stage) -> String {
    let (id, attempts, later) =
        (s.stopped().line.id.clone(), s.stopped().delivery["attempts"].clone(), s.stopped().later.clone());
    let shown = s.scene.get(&format!("/webhooks/{id}"));
    assert_eq!((attempts.as_array().map(Vec::len), &shown["active"]), (Some(5), &json!(false)), "{shown}");
    assert_eq!((&later["state"], s.stopped().requests), (&json!("held"), 5));
    format!("5 attempts, active false ({}); what comes is held", text(&shown["disabled_reason"]))
}

pub fn tells_duplicates(s: &mut Stage) -> String {
    let both = acts::twice(&mut s.scene, "cathcr");
    let [one, two] = both.each_ref().map(|got| got.header(DELIVERY).unwrap_or_default().to_owned());
    assert_eq!(one, two);
    assert_ne!(one, s.header(DELIVERY));
    format!("twice {one}")
}
