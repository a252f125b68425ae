//! What the guide offers to those who try their endpoint.

use serde_json::{Value, json};

use super::super::acts::{body, digits, text};
use super::super::line::{Line, Registered, SECRET};
use super::stage::{DELIVERY, SIGNATURE, Stage};
use crate::support::{Answer, Receiver};

pub fn instead_of_a_dashboard(s: &mut Stage) -> String {
    let path = s.path();
    let test = s.scene.post(&format!("{path}/test"), json!({"event": "thought.created"}), 202);
    for field in ["success", "status_code", "response_time_ms", "error", "response_body"] {
        assert!(test.get(field).is_some(), "no {field} in {test}");
    }
    format!("success {}, {}, {} ms", test["success"], test["status_code"], test["response_time_ms"])
}

pub fn call(s: &mut Stage) -> String {
    let got = s.sample("thought.created");
    format!("202, and {} arrived", text(&body(&got)["event"]))
}

pub fn of_a_type(s: &mut Stage) -> String {
    let path = s.path();
    assert_eq!(body(&s.sample("user.preferences_updated"))["event"], "user.preferences_updated");
    let none = s.scene.ask("POST", &format!("{path}/test"), Value::Null, 202)["event_type"].take();
    assert_eq!(none, "thought.created");
    "that one; without one the webhook's first".into()
}

pub fn tasks_example(s: &mut Stage) -> String {
    let found = "/results/reminder_extraction/reminders_found";
    let [content, due] = ["content", "due_date"].map(|field| format!("{found}/0/{field}"));
    s.body_has("ai.processing_completed", &[&content, &due, "/thought_id"])
}

pub fn analytics_of_thoughts(s: &mut Stage) -> String {
    let got = s.taken_by("cathcr.mjs", SECRET, "thought.created").verified();
    assert_eq!(got.said, ["Thought Created user_123 Work true"]);
    got.said.concat()
}

pub fn analytics_of_reminders(s: &mut Stage) -> String {
    let got = s.taken_by("cathcr.mjs", SECRET, "reminder.completed").verified();
    assert!(got.said.concat().starts_with("Reminder Completed user_123 2"), "{:?}", got.said);
    got.said.concat()
}

pub fn reachable(s: &mut Stage) -> String {
    let gone = Receiver::start(|_, _| Answer::Status(200));
    let url = gone.url("/");
    drop(gone);
    let gone = Registered::at(&mut s.scene, "/webhooks", json!({"url": url, "events": ["row.gone"]}));
    let path = s.path();
    let there = s.scene.ask("POST", &format!("{path}/check"), Value::Null, 200);
    let gone = s.scene.ask("POST", &format!("{}/check", gone.path), Value::Null, 200);
    assert_eq!((&there["reachable"], &gone["reachable"]), (&json!(true), &json!(false)), "{gone}");
    format!("true; false: {}", text(&gone["error"]))
}

pub fn certificate(s: &mut Stage) -> String {
    let url = s.receiver.url("/").replace("http://", "https://");
    let made = Registered::at(&mut s.scene, "/webhooks", json!({"url": url, "events": ["row.tls"]}));
    let event = s.scene.publish(json!({"type": "row.tls", "data": {}}));
    let delivery = s.scene.delivery_of(&event, &made.id);
    let attempt = s.scene.delivery_after(&delivery, 1)["attempts"][0].take();
    assert_eq!((&attempt["outcome"], &attempt["success"]), (&json!("tls"), &json!(false)), "{attempt}");
    format!("the attempt says: {}", text(&attempt["error"]))
}

pub fn wrong_secret(s: &mut Stage) -> String {
    let got = s.taken_by("cathcr.py", "another secret", "thought.created");
    assert_eq!(got.status, 401);
    "401".into()
}

pub fn replay(s: &mut Stage) -> String {
    let line = Line::open(&mut s.scene, "cathcr", json!({}), |_| Answer::Status(200));
    let delivery = line.send(&mut s.scene, json!({"n": 1}));
    let first = line.receiver.next();
    s.scene.delivery_in(&delivery, "succeeded");
    let row = s.scene.get(&format!("/webhooks/{}/deliveries", line.id))["deliveries"][0].take();
    let path = format!("/webhooks/{}/replay/{}", line.id, text(&row["id"]));
    let replay = s.scene.ask("POST", &path, Value::Null, 202);
    let again = line.receiver.next();
    assert_eq!(first.message.body, again.message.body);
    assert_eq!(digits(&text(&replay["delivery_id"])), digits(again.header(DELIVERY).unwrap_or_default()));
    format!("202, {} arrived with the same body", text(&replay["delivery_id"]))
}

pub fn health(s: &mut Stage) -> String {
    let line = Line::open(&mut s.scene, "cathcr", json!({}), |_| Answer::Status(200));
    let report = s.scene.ask("POST", &format!("/webhooks/{}/check", line.id), Value::Null, 200);
    let got = line.receiver.next();
    let sent = String::from_utf8(got.message.body.clone()).expect("UTF-8");
    assert_eq!((sent.as_str(), got.header(SIGNATURE)), (r#"{"test": true}"#, Some("sha256=test")));
    assert_eq!((&report["reachable"], &report["status_code"]), (&json!(true), &json!(200)));
    format!("{sent}, sha256=test; reachable, 200")
}
