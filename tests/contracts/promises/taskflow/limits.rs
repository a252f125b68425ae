//! How much there may be of what.

use serde_json::{Value, json};

use super::super::acts::text;
use super::super::line::{Line, SECRET};
use super::stage::Stage;
use crate::support::Answer;

pub fn webhooks(s: &mut Stage) -> String {
    s.scene.post("/api/v1/accounts", json!({"id": "eleven", "name": "Eleven", "dialect": "taskflow"}), 201);
    let mut client = s.scene.server.client().acting_for("eleven");
    let create = json!({"url": "https://yourapp.com/", "events": ["*"], "secret": SECRET});
    let statuses: Vec<u16> = (0..12).map(|_| client.post("/v2/webhooks", &create).status).collect();
    assert_eq!(statuses, [[201; 10].as_slice(), &[409, 409]].concat());
    text(&client.post("/v2/webhooks", &create).json()["error"]["message"])
}

pub fn deliveries_a_day(s: &mut Stage) -> String {
    let line = Line::open(&mut s.scene, "taskflow", json!({}), |_| Answer::Status(200));
    let batch: Vec<Value> = (0..1000).map(|n| json!({"type": line.kind, "data": n})).collect();
    s.scene.publish_text(&Value::Array(batch).to_string());
    s.scene.until(&format!("/api/v1/webhooks/{}", line.id), |reply| reply["data"]["succeeded"] == 1000);
    let over = line.send(&mut s.scene, json!("over"));
    let shown = s.scene.get(&format!("/api/v1/deliveries/{over}"))["data"].take();
    let next = text(&shown["next_attempt_at"]);
    assert_eq!((&shown["state"], shown["attempts"].as_array().map(Vec::len)), (&json!("pending"), Some(0)));
    assert!(next.ends_with("T00:00:00.000Z"), "{next}");
    assert_eq!(line.receiver.arrived.try_iter().count(), 1000);
    format!("1000 requests; the next waits until {next}")
}

pub fn body(s: &mut Stage) -> String {
    let line = Line::open(&mut s.scene, "taskflow", json!({}), |_| Answer::Status(200));
    let fits = line.send(&mut s.scene, json!("x".repeat(9_999_000)));
    s.scene.delivery_in(&fits, "succeeded");
    let over = json!({"type": line.kind, "data": "x".repeat(10_000_000)}).to_string();
    let reply = s.scene.publish_text(&over);
    let delivery = s.scene.delivery_of(&text(&reply["data"]["id"]), &line.id);
    let ended = s.scene.delivery_in(&delivery, "cancelled");
    assert_eq!(ended["attempts"][0]["outcome"], "too_large", "{ended}");
    assert_eq!(
        (line.receiver.arrived.try_iter().count(), line.shown(&mut s.scene)["failed_attempts"].take()),
        (1, json!(0))
    );
    let warnings = reply["warnings"].as_array().expect("warnings");
    let told = warnings.iter().map(text).find(|warning| warning.contains("10000000"));
    format!("9.999 MB sent; over it too_large, and \"{}\"", told.unwrap_or_else(|| panic!("{warnings:?}")))
}
