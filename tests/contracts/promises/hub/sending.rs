//! What is sent, when, and how often.

use serde_json::{Value, json};

use super::super::acts::{self, text};
use super::super::line::Line;
use super::stage::{DELIVERY, Stage};
use crate::like::is_uuid;
use crate::scene::catalogue;
use crate::support::{Answer, Arrived};

pub fn arrives_at_the_url(s: &mut Stage) -> String {
    let got = s.express(json!({"row": 21}));
    assert!(text(&s.made()["url"]).ends_with("/webhook"));
    assert_eq!(got.path, "/webhook");
    got.path
}

pub fn posts(s: &mut Stage) -> String {
    let first = s.sent().1.message.start.clone();
    assert!(first.starts_with("POST "), "{first}");
    first
}

pub fn webhook_header(s: &mut Stage) -> String {
    let (value, id) = (s.header("x-webhook-id"), s.sent().0.id.clone());
    assert_eq!(value, id);
    format!("{value}, the webhook's id")
}

pub fn same_id_in_each_attempt(s: &mut Stage) -> String {
    let value = s.header(DELIVERY);
    assert!(is_uuid(&value), "{value}");
    let both = acts::twice(&mut s.scene, "hub");
    assert_eq!(both[0].header(DELIVERY), both[1].header(DELIVERY));
    assert_ne!(both[0].header(DELIVERY), Some(value.as_str()));
    "the same in both attempts, another in another delivery".into()
}

pub fn type_header(s: &mut Stage) -> String {
    let (value, kind) = (s.header("x-event-type"), s.sent().0.kind.clone());
    assert_eq!(value, kind);
    value
}

pub fn content_type(s: &mut Stage) -> String {
    let mut all: Vec<Arrived> = catalogue("hub").iter().map(|(kind, _)| s.sample(kind)).collect();
    let line = Line::open(&mut s.scene, "hub", json!({}), |_| Answer::Status(200));
    for data in [json!("text"), json!([1]), Value::Null] {
        line.send(&mut s.scene, data);
        all.push(line.receiver.next());
    }
    all.iter().for_each(|got| assert_eq!(got.header("content-type"), Some("application/json")));
    format!("all of {}", all.len())
}

pub fn tells_duplicates(s: &mut Stage) -> String {
    let (both, other) = (acts::twice(&mut s.scene, "hub"), s.header(DELIVERY));
    let [one, two] = both.each_ref().map(|got| got.header(DELIVERY).unwrap_or_default().to_owned());
    assert_eq!(one, two);
    assert_ne!(one, other);
    format!("twice {one}")
}
