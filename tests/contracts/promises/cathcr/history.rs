//! What is told of deliveries afterwards.

use serde_json::{Value, json};

use super::super::acts::{digits, text};
use super::super::line::Line;
use super::stage::{DELIVERY, Stage};
use crate::like::assert_like;
use crate::support::Answer;

pub fn id(s: &mut Stage) -> String {
    let id = s.listed()["deliveries"][0]["id"].take();
    assert_like(&id, &json!("<delivery_>"));
    assert_eq!(digits(&text(&id)), digits(&s.header(DELIVERY)));
    format!("{}, the digits of X-Cathcr-Delivery", text(&id))
}

pub fn time(s: &mut Stage) -> String {
    let at = s.listed()["deliveries"][0]["timestamp"].take();
    assert_like(&at, &json!("<time>"));
    text(&at)
}

pub fn event(s: &mut Stage) -> String {
    let (event, kind) = (s.listed()["deliveries"][0]["event"].take(), s.sent().0.kind.clone());
    assert_eq!(event, kind);
    kind
}

pub fn status(s: &mut Stage) -> String {
    assert_eq!(s.listed()["deliveries"][0]["status_code"], 200);
    "200".into()
}

pub fn response_time(s: &mut Stage) -> String {
    let took = s.listed()["deliveries"][0]["response_time"].as_u64().expect("whole milliseconds");
    format!("{took} ms")
}

pub fn attempt(s: &mut Stage) -> String {
    assert_eq!((&s.listed()["deliveries"][0]["attempt"], &s.failing()["attempt"]), (&json!(1), &json!(2)));
    "1; of one that failed twice 2".into()
}

pub fn success(s: &mut Stage) -> String {
    assert_eq!(s.listed()["deliveries"][0]["success"], true);
    assert_eq!(s.failing()["success"], false);
    "true; of one that failed false".into()
}

pub fn no_status(s: &mut Stage) -> String {
    let row = s.failing();
    assert_eq!(row.get("status_code"), Some(&Value::Null), "{row}");
    format!("null, \"{}\"", text(&row["error"]))
}

pub fn error(s: &mut Stage) -> String {
    let error = text(&s.failing()["error"]);
    assert!(!error.is_empty());
    assert_eq!(s.listed()["deliveries"][0].get("error"), None);
    format!("\"{error}\"; left out where nothing went wrong")
}

pub fn total(s: &mut Stage) -> String {
    assert_eq!(s.listed()["pagination"]["total"], 1);
    "1, as many as there are".into()
}

pub fn limit(s: &mut Stage) -> String {
    let path = format!("/webhooks/{}/deliveries?limit=1", s.sent().0.id);
    let limits = (s.listed()["pagination"]["limit"].take(), s.scene.get(&path)["pagination"]["limit"].take());
    assert_eq!(limits, (json!(20), json!(1)));
    "20; 1 where it is asked for".into()
}

pub fn offset(s: &mut Stage) -> String {
    let path = format!("/webhooks/{}/deliveries?offset=1", s.sent().0.id);
    let after = s.scene.get(&path);
    assert_eq!((s.listed()["pagination"]["offset"].take(), &after["pagination"]["offset"]), (json!(0), &json!(1)));
    assert_eq!(after["deliveries"], json!([]));
    "0; past the one row none".into()
}

pub fn rates_and_times(s: &mut Stage) -> String {
    let path = format!("{}/stats", s.sent().0.webhook.path);
    let total = s.scene.until(&path, |reply| reply["data"]["total"]["attempts"] == 1)["data"]["total"].take();
    let average = total["response_time_ms"]["average"].as_f64().expect("a number");
    assert_eq!(total["succeeded"], 1);
    format!("1 of 1 succeeded, {average:.1} ms on average")
}

pub fn not_2xx(s: &mut Stage) -> String {
    let line = Line::open(&mut s.scene, "cathcr", json!({}), |_| Answer::Status(404));
    line.first(&mut s.scene);
    let row = s.scene.get(&format!("/webhooks/{}/deliveries", line.id))["deliveries"][0].take();
    assert_eq!((&row["status_code"], &row["success"]), (&json!(404), &json!(false)));
    text(&row["error"])
}

pub fn logs(s: &mut Stage) -> String {
    let path = format!("/webhooks/{}/logs?limit=50", s.sent().0.id);
    let logs = s.scene.get(&path);
    assert_eq!((&logs["deliveries"], &logs["pagination"]["limit"]), (&s.listed()["deliveries"], &json!(50)));
    "the same row, limit 50".into()
}
