//! The calls of the guide, and what they show.

use serde_json::{Value, json};

use super::super::acts::{self, has_fields, text};
use super::super::line::{Line, Registered};
use super::stage::{DELIVERY, Stage};
use crate::like::assert_like;
use crate::support::{Answer, Receiver};

pub fn created(s: &mut Stage) -> String {
    let id = text(&s.field("id"));
    format!("201, {id}")
}

pub fn events(s: &mut Stage) -> String {
    s.made();
    let kinds = ["task.updated", "task.completed", "task.deleted", "comment.created"];
    let seen = kinds.map(|kind| s.scene.publish_text(&json!({"type": kind, "data": {}}).to_string()));
    let seen = seen.map(|reply| reply["data"]["deliveries"].as_u64().unwrap_or_default());
    assert_eq!(seen, [1, 1, 0, 0], "{kinds:?}");
    "task.updated 1, task.completed 1, task.deleted 0, comment.created 0".into()
}

pub fn enabled(s: &mut Stage) -> String {
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let made = json!({"url": receiver.url("/"), "events": ["row.enabled"], "enabled": false});
    let made = Registered::at(&mut s.scene, "/v2/webhooks", made);
    assert_eq!(made.reply["enabled"], false);
    let event = s.scene.publish(json!({"type": "row.enabled", "data": {}}));
    let delivery = s.scene.delivery_of(&event, &made.id);
    s.scene.delivery_in(&delivery, "held");
    assert!(receiver.arrived.try_recv().is_err(), "it was sent");
    assert_eq!(s.scene.ask("PATCH", &made.path, json!({"enabled": true}), 200)["enabled"], true);
    receiver.next();
    "false: held; true: sent".into()
}

pub fn seven_fields(s: &mut Stage) -> String {
    let fields = ["id", "url", "events", "enabled", "created_at", "last_triggered", "delivery_success_rate"].as_slice();
    has_fields(&s.made().1, fields)
}

pub fn id(s: &mut Stage) -> String {
    let id = s.field("id");
    assert_like(&id, &json!("<wh_>"));
    let path = s.path();
    assert_eq!(s.scene.get(&path)["id"], id);
    text(&id)
}

pub fn url(s: &mut Stage) -> String {
    let (path, url) = (s.path(), s.receiver.url("/webhooks/taskflow"));
    assert_eq!((s.field("url"), s.scene.get(&path)["url"].take()), (json!(url), json!(url)));
    url
}

pub fn events_shown(s: &mut Stage) -> String {
    let (path, events) = (s.path(), json!(["task.created", "task.updated", "task.completed"]));
    assert_eq!((s.field("events"), s.scene.get(&path)["events"].take()), (events.clone(), events.clone()));
    events.to_string()
}

pub fn enabled_shown(s: &mut Stage) -> String {
    let path = s.path();
    assert_eq!((s.field("enabled"), s.scene.get(&path)["enabled"].take()), (json!(true), json!(true)));
    "true".into()
}

pub fn created_at(s: &mut Stage) -> String {
    let at = s.field("created_at");
    assert_like(&at, &json!("<time>"));
    text(&at)
}

pub fn last_triggered(s: &mut Stage) -> String {
    assert_eq!(s.field("last_triggered"), Value::Null);
    s.sent();
    let path = s.path();
    let after = s.scene.until(&path, |shown| !shown["last_triggered"].is_null())["last_triggered"].take();
    assert_like(&after, &json!("<time>"));
    format!("null, then {}", text(&after))
}

pub fn success_rate(s: &mut Stage) -> String {
    let made = s.made().0;
    assert!(made.ends_with(r#""delivery_success_rate":0.0}"#), "{made}");
    s.sent();
    let path = s.path();
    s.scene.until(&path, |shown| shown["delivery_success_rate"] == 1.0);
    "0.0, then 1.0".into()
}

pub fn without_an_sdk(s: &mut Stage) -> String {
    let call = json!({
        "url": "https://yourapp.com/webhooks/taskflow", "events": ["row.sdk"], "secret": "your_secret_key",
    });
    let made = Registered::at(&mut s.scene, "/v2/webhooks", call).reply.clone();
    assert_eq!((&made["enabled"], made.get("secret")), (&json!(true), None));
    "201, enabled where nothing says so".into()
}

pub fn custom_headers(s: &mut Stage) -> String {
    let line = Line::open(&mut s.scene, "taskflow", json!({"headers": {"X-Of-Mine": "7"}}), |_| Answer::Status(200));
    line.send(&mut s.scene, json!({}));
    let got = line.receiver.next();
    assert_eq!(got.header("x-of-mine"), Some("7"));
    "X-Of-Mine: 7 arrived".into()
}

pub fn custom_retries(s: &mut Stage) -> String {
    let made =
        json!({"url": "https://yourapp.com/", "events": ["row.retry"], "retry": {"delays": [7], "jitter_percent": 0}});
    let made = Registered::at(&mut s.scene, "/v2/webhooks", made);
    assert_eq!(made.reply["retry"], json!({"delays": [7], "jitter_percent": 0}));
    made.reply["retry"].to_string()
}

pub fn instead_of_a_dashboard(s: &mut Stage) -> String {
    let failed = s.stopped().line.id.clone();
    let shown = s.scene.get(&format!("/v2/webhooks/{failed}"));
    let rows = s.scene.get(&format!("/v2/webhooks/{failed}/deliveries"))["data"].as_array().map(Vec::len);
    assert_eq!((&shown["delivery_success_rate"], rows), (&json!(0.0), Some(5)));
    format!("success rate {}, {} attempts", shown["delivery_success_rate"], rows.unwrap_or_default())
}

pub fn delivery_rows(s: &mut Stage) -> String {
    let row = s.listed()[0].clone();
    let fields = ["id", "event_id", "event_type", "timestamp", "attempt", "status_code", "response_time_ms"];
    has_fields(&row, &[fields.as_slice(), &["success", "error"]].concat())
}

pub fn attempts(s: &mut Stage) -> String {
    let rows = s.listed();
    let attempts: Vec<&Value> = rows.iter().map(|row| &row["attempt"]).collect();
    assert_eq!(attempts, [&json!(2), &json!(1)]);
    "a row an attempt, the newest first".into()
}

pub fn status_codes(s: &mut Stage) -> String {
    let rows = s.listed();
    rows.iter().for_each(|row| assert_eq!((&row["status_code"], &row["success"]), (&json!(500), &json!(false))));
    format!("500: {}", text(&rows[0]["error"]))
}

pub fn response_times(s: &mut Stage) -> String {
    let rows = s.listed();
    let times: Vec<u64> = rows.iter().map(|row| row["response_time_ms"].as_u64().expect("a count")).collect();
    format!("{} and {} ms", times[1], times[0])
}

pub fn test(s: &mut Stage) -> String {
    let path = s.path();
    let test = s.scene.post(&format!("{path}/test"), json!({"event_type": "task.created"}), 202);
    acts::arrival(&s.receiver, DELIVERY, &test["delivery_id"]);
    format!("202, and the endpoint answered {}", test["status_code"])
}

pub fn test_of_a_type(s: &mut Stage) -> String {
    let path = s.path();
    assert_eq!(s.sample("workflow.triggered")["type"], "workflow.triggered");
    let none = s.scene.post(&format!("{path}/test"), json!({}), 202)["event_type"].take();
    assert_eq!(none, "task.created");
    "that one; without one the webhook's first".into()
}

pub fn test_data(s: &mut Stage) -> String {
    let data = s.sample("task.created")["data"].take();
    assert_eq!(data["title"], "Deploy to production");
    "the data that line 166 shows".into()
}
