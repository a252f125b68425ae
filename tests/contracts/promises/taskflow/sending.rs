//! What is sent, when, and how often.

use serde_json::{Value, json};

use super::super::acts::{self, body, digits, has_fields, text};
use super::super::line::{Line, Stopped};
use super::super::waits;
use super::stage::{DELIVERY, Stage};
use crate::like::assert_like;
use crate::support::{Answer, Receiver};

pub fn posts(s: &mut Stage) -> String {
    let first = s.sent().1.message.start;
    assert_eq!(first, "POST /webhooks/taskflow HTTP/1.1");
    first
}

pub fn arrives_at_the_url(s: &mut Stage) -> String {
    let path = s.sent().1.path;
    assert_eq!(path, "/webhooks/taskflow");
    path
}

pub fn one_structure(s: &mut Stage) -> String {
    let kinds = crate::scene::catalogue("taskflow");
    for (kind, _) in &kinds {
        has_fields(&s.sample(kind), &["id", "type", "timestamp", "data", "metadata"]);
    }
    format!("{} types: id, type, timestamp, data, metadata", kinds.len())
}

pub fn event_id(s: &mut Stage) -> String {
    let (reply, got) = s.sent();
    let id = body(&got)["id"].take();
    assert_like(&id, &json!("<evt_>"));
    assert_eq!(digits(&text(&id)), digits(&text(&reply["data"]["id"])));
    text(&id)
}

pub fn event_type(s: &mut Stage) -> String {
    let kind = body(&s.sent().1)["type"].take();
    assert_eq!(kind, "task.created");
    text(&kind)
}

pub fn event_time(s: &mut Stage) -> String {
    let at = body(&s.sent().1)["timestamp"].take();
    assert_eq!(at, "2024-02-10T16:45:22Z");
    text(&at)
}

pub fn data(s: &mut Stage) -> String {
    let sent = String::from_utf8(s.sent().1.message.body.clone()).expect("UTF-8");
    let data = r#""data":{"id":"task_abc123","title":"Deploy to production","status":"open","priority":"high"}"#;
    assert!(sent.contains(data), "{sent}");
    data.into()
}

pub fn account(s: &mut Stage) -> String {
    let metadata = body(&s.sent().1)["metadata"].take();
    assert_eq!(metadata["account_id"], "default");
    metadata.to_string()
}

pub fn triggered_by(s: &mut Stage) -> String {
    assert_eq!(body(&s.sent().1)["metadata"]["triggered_by"], "user_456");
    let line = Line::open(&mut s.scene, "taskflow", json!({}), |_| Answer::Status(200));
    line.send(&mut s.scene, json!({}));
    let nobody = body(&line.receiver.next())["metadata"]["triggered_by"].take();
    assert_eq!(nobody, Value::Null);
    "user_456; null where nobody is named".into()
}

pub fn content_type(s: &mut Stage) -> String {
    let value = s.header("content-type");
    assert_eq!(value, "application/json");
    value
}

pub fn type_header(s: &mut Stage) -> String {
    let value = s.header("x-taskflow-event");
    assert_eq!(value, "task.created");
    value
}

pub fn delivery_header(s: &mut Stage) -> String {
    let value = s.header(DELIVERY);
    assert_like(&json!(value.strip_suffix("_1").expect("the attempt's number")), &json!("<del_>"));
    value
}

pub fn type_header_of_all(s: &mut Stage) -> String {
    let kinds = crate::scene::catalogue("taskflow");
    kinds.iter().for_each(|(kind, _)| assert_eq!(s.sample(kind)["type"], kind.as_str()));
    format!("the {} types, as in the body", kinds.len())
}

pub fn id_of_each_attempt(s: &mut Stage) -> String {
    let both = acts::twice(&mut s.scene, "taskflow");
    let [one, two] = both.each_ref().map(|got| got.header(DELIVERY).unwrap_or_default().to_owned());
    assert_eq!((one.strip_suffix("_1"), one != two), (two.strip_suffix("_2"), true), "{one}, {two}");
    let document = acts::document(&mut s.scene, "taskflow");
    assert!(
        document.contains("`X-TaskFlow-Delivery-ID` alone is another in each attempt"),
        "the document has it otherwise"
    );
    format!("{one}, then the same with _2; the document says so")
}

pub fn tried_again(s: &mut Stage) -> String {
    let both = acts::twice(&mut s.scene, "taskflow");
    assert_eq!(both.each_ref().map(|got| got.answer), [Answer::Status(500), Answer::Status(200)]);
    "500, then 200, nobody asked".into()
}

pub fn fifth_retry(s: &mut Stage) -> String {
    let settings = json!({"disable": {"after": "deliveries"}});
    waits(&mut s.scene, "taskflow", 5, &settings)[4].is(6 * 60 * 60)
}

pub fn marked_as_failed(s: &mut Stage) -> String {
    let (id, attempts) = (s.stopped().line.id.clone(), s.stopped().delivery["attempts"].clone());
    let shown = s.scene.get(&format!("/v2/webhooks/{id}"));
    assert_eq!((attempts.as_array().map(Vec::len), &shown["enabled"]), (Some(5), &json!(false)), "{shown}");
    format!("5 attempts, enabled false: {}", text(&shown["disabled_reason"]))
}

pub fn deliveries_stop(s: &mut Stage) -> String {
    let stopped = s.stopped();
    assert_eq!((&stopped.later["state"], stopped.requests), (&json!("held"), 5));
    "held; no sixth request".into()
}

pub fn more_than_once(s: &mut Stage) -> String {
    let line = Line::open(&mut s.scene, "taskflow", json!({}), |_| Answer::Status(200));
    let delivery = line.send(&mut s.scene, json!({}));
    let first = line.receiver.next();
    s.scene.delivery_in(&delivery, "succeeded");
    s.scene.ask("POST", &format!("{}/replay/{delivery}", line.webhook.path), Value::Null, 202);
    let again = line.receiver.next();
    assert_eq!(first.message.body, again.message.body);
    assert_ne!(first.header(DELIVERY), again.header(DELIVERY));
    "the same body under another delivery id".into()
}

pub fn event_tells_duplicates(s: &mut Stage) -> String {
    let both = acts::twice(&mut s.scene, "taskflow");
    let [one, two] = both.each_ref().map(|got| text(&body(got)["id"]));
    assert_eq!(one, two);
    format!("twice {one}")
}

pub fn operator_is_told(s: &mut Stage) -> String {
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let mut operator = s.scene.server.client().acting_for("operator");
    let webhook = json!({"url": receiver.url("/"), "events": ["webhook.disabled"]});
    operator.post("/api/v1/webhooks", &webhook).data(201);
    let stopped = Stopped::after_five(&mut s.scene, "taskflow", 5);
    let told = String::from_utf8(receiver.next().message.body).expect("UTF-8");
    assert!(told.contains(&stopped.line.id), "{told}");
    "webhook.disabled, which names the webhook".into()
}
