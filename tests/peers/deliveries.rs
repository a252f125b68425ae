//! Rows about deliveries, one or many.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use serde_json::{Value, json};

use super::kit::{column, count, endpoint, id, job, list, next_data, publish, until};
use super::support::{Answer, Receiver, Stage};

/// An endpoint whose answer can be changed.
struct Changeable {
    receiver: Receiver,
    status: Arc<AtomicU16>,
}

impl Changeable {
    fn answering(status: u16) -> Self {
        let status = Arc::new(AtomicU16::new(status));
        let told = status.clone();
        Self { receiver: Receiver::start(move |_, _| Answer::Status(told.load(Ordering::SeqCst))), status }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

/// Publishes these, one after the other, and waits until the webhook's deliveries have ended: the rows of them.
fn ended(stage: &mut Stage, webhook: &str, types: &[&str]) -> Vec<Value> {
    let one = |event_type: &&str| {
        let event = publish(&mut stage.client, json!({"type": event_type, "data": event_type}));
        stage.ended(webhook, &event)
    };
    types.iter().map(one).collect()
}

/// What has arrived, as far as it is known that nothing more comes.
fn arrived(receiver: &Receiver) -> Vec<String> {
    let data = |arrived: super::support::Arrived| -> String {
        let body: Value = serde_json::from_slice(&arrived.message.body).expect("JSON");
        body["data"].as_str().expect("text").to_owned()
    };
    let mut all: Vec<String> = receiver.arrived.try_iter().map(data).collect();
    all.sort();
    all
}

/// Delivers again by a bulk call of a webhook: what arrives once all of it has ended.
fn replayed(stage: &mut Stage, receiver: &Receiver, webhook: &str, which: Value) -> Vec<String> {
    arrived(receiver);
    let path = format!("/api/v1/webhooks/{webhook}");
    job(&mut stage.client, &format!("{path}/replay"), which);
    until(&mut stage.client, &path, |webhook| webhook["open"] == 0);
    arrived(receiver)
}

pub fn list_deliveries(stage: &mut Stage) {
    let (good, bad) = (endpoint(200), endpoint(503));
    let (one, two) = (stage.webhook(&good.url("/"), json!({})), stage.webhook(&bad.url("/"), json!({})));
    stage.publish("e");
    [&one, &two].into_iter().for_each(|webhook| drop(stage.ended(webhook, "e")));
    assert_eq!(list(&mut stage.client, "/api/v1/deliveries").len(), 2);
    for query in ["state=dead", "status_code=5xx", "outcome=status&state=dead"] {
        let found = column(&mut stage.client, &format!("/api/v1/deliveries?{query}"), "webhook_id");
        assert_eq!(found, [two.as_str()], "{query}");
    }
}

pub fn list_the_deliveries_of_a_webhook(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    stage.webhook(&receiver.url("/other"), json!({}));
    ended(stage, &webhook, &["task.created", "order.paid"]);
    let path = format!("/api/v1/webhooks/{webhook}");
    let types = column(&mut stage.client, &format!("{path}/deliveries"), "event_type");
    assert_eq!(types, ["order.paid", "task.created"]);
    let tried = list(&mut stage.client, &format!("{path}/logs?event_type=task.created"));
    assert_eq!((tried.len(), &tried[0]["status_code"]), (1, &json!(200)));
}

pub fn count_the_deliveries_of_a_webhook(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    let rows = ended(stage, &webhook, &["a", "b", "c"]);
    let path = format!("/api/v1/webhooks/{webhook}/deliveries?count=true&limit=1&state=");
    assert_eq!(["succeeded", "dead"].map(|state| count(&mut stage.client, &format!("{path}{state}"))), [3, 0]);
    let since = rows[1]["created_at"].as_str().expect("a time");
    assert_eq!(count(&mut stage.client, &format!("{path}succeeded&from={since}")), 2);
}

pub fn look_at_a_delivery(stage: &mut Stage) {
    let is_first = AtomicBool::new(true);
    let answer = move || Answer::Status(if is_first.swap(false, Ordering::SeqCst) { 500 } else { 200 });
    let receiver = Receiver::start(move |_, _| answer());
    let retry = json!({"retry": {"delays": [0], "jitter_percent": 0}});
    let webhook = stage.webhook(&receiver.url("/"), retry);
    stage.publish("e");
    let shown = stage.ended(&webhook, "e");
    let attempts = shown["attempts"].as_array().expect("a list");
    let statuses: Vec<&Value> = attempts.iter().map(|attempt| &attempt["status_code"]).collect();
    assert_eq!((&shown["state"], statuses), (&json!("succeeded"), vec![&json!(500), &json!(200)]));
}

pub fn look_at_an_attempt(stage: &mut Stage) {
    let receiver = Receiver::start(|_, _| {
        Answer::Bytes(b"HTTP/1.1 200 OK\r\nX-Seen-By: us\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    });
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    stage.publish("e");
    let delivery = id(&stage.ended(&webhook, "e"));
    let shown = stage.client.get(&format!("/api/v1/deliveries/{delivery}/attempts/1")).data(200);
    let sent = receiver.next().message;
    assert_eq!(shown["request_headers"]["webhook-id"], "e");
    let body = json!({"content": String::from_utf8_lossy(&sent.body), "exact": true});
    assert_eq!(shown["request_body"], body);
    assert_eq!((&shown["status_code"], &shown["response_body"]), (&json!(200), &json!("hello")));
    let headers = shown["response_headers"].as_object().expect("headers");
    assert!(headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("x-seen-by") && value == "us"), "{headers:?}");
    assert!(shown["timings"]["first_byte_ms"].is_number(), "{}", shown["timings"]);
}

pub fn deliver_again(stage: &mut Stage) {
    let changeable = Changeable::answering(500);
    let webhook = stage.webhook(&changeable.receiver.url("/"), json!({}));
    stage.publish("e");
    let dead = stage.ended(&webhook, "e");
    changeable.answer(200);
    let path = format!("/api/v1/webhooks/{webhook}/replay/{}", id(&dead));
    let again = stage.client.post(&path, &json!({})).data(202);
    assert_eq!(again["replay_of"], dead["id"]);
    let new = format!("/api/v1/deliveries/{}", again["delivery_id"].as_str().expect("an id"));
    until(&mut stage.client, &new, |delivery| delivery["state"] == "succeeded");
    let ids =
        [changeable.receiver.next(), changeable.receiver.next()].map(|one| one.header("webhook-id").map(str::to_owned));
    assert_eq!(ids, [Some("e".to_owned()), Some("e".to_owned())]);
}

pub fn deliver_again_what_failed_for_good(stage: &mut Stage) {
    let changeable = Changeable::answering(500);
    let webhook = stage.webhook(&changeable.receiver.url("/"), json!({}));
    ended(stage, &webhook, &["task.created", "order.paid"]);
    assert_eq!(list(&mut stage.client, "/api/v1/dead-letters").len(), 2);
    arrived(&changeable.receiver);
    changeable.answer(200);
    let done = job(&mut stage.client, "/api/v1/dead-letters/replay", json!({"event_type": "task.*"}));
    assert_eq!(done["done"], 1);
    assert_eq!(next_data(&changeable.receiver), "task.created");
    assert_eq!(column(&mut stage.client, "/api/v1/dead-letters", "event_type"), ["order.paid"]);
}

pub fn deliver_again_what_has_succeeded(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    ended(stage, &webhook, &["a", "b"]);
    assert_eq!(replayed(stage, &receiver, &webhook, json!({"state": "succeeded"})), ["a", "b"]);
    assert_eq!(replayed(stage, &receiver, &webhook, json!({"state": "dead"})), [""; 0]);
}

pub fn deliver_again_to_one_webhook_by_type_and_time(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    stage.webhook(&receiver.url("/other"), json!({"events": ["nothing"]}));
    let rows = ended(stage, &webhook, &["task.created", "order.paid", "task.done", "task.gone"]);
    let (from, to) = (&rows[1]["created_at"], &rows[3]["created_at"]);
    let which = json!({"state": "succeeded", "event_type": "task.*", "from": from, "to": to});
    assert_eq!(replayed(stage, &receiver, &webhook, which), ["task.done"]);
}

pub fn recover_what_failed_since_a_time(stage: &mut Stage) {
    let changeable = Changeable::answering(500);
    let webhook = stage.webhook(&changeable.receiver.url("/"), json!({}));
    let rows = ended(stage, &webhook, &["before", "since", "later"]);
    changeable.answer(200);
    let which = json!({"state": "dead", "from": rows[1]["created_at"]});
    assert_eq!(replayed(stage, &changeable.receiver, &webhook, which), ["later", "since"]);
}

pub fn deliver_what_a_webhook_has_missed(stage: &mut Stage) {
    let receiver = endpoint(200);
    for event_type in ["task.created", "order.paid"] {
        publish(&mut stage.client, json!({"type": event_type, "data": event_type}));
    }
    let webhook = stage.webhook(&receiver.url("/"), json!({"events": ["task.*"]}));
    assert_eq!(replayed(stage, &receiver, &webhook, json!({"state": "missing"})), ["task.created"]);
    assert_eq!(replayed(stage, &receiver, &webhook, json!({"state": "missing"})), [""; 0], "once");
}

pub fn cancel_what_waits(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    let path = format!("/api/v1/webhooks/{webhook}");
    stage.client.post(&format!("{path}/pause"), &json!({})).data(200);
    ["one", "two"].into_iter().for_each(|event| stage.publish(event));
    assert_eq!(job(&mut stage.client, &format!("{path}/discard"), json!({}))["done"], 2);
    stage.client.post(&format!("{path}/resume"), &json!({})).data(200);
    publish(&mut stage.client, json!({"type": "task.created", "data": "afterwards"}));
    assert_eq!(next_data(&receiver), "afterwards", "and nothing before it");
    assert_eq!(list(&mut stage.client, &format!("{path}/deliveries?state=cancelled")).len(), 2);
}

pub fn follow_a_bulk_call(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    ended(stage, &webhook, &["a", "b"]);
    let done = job(&mut stage.client, &format!("/api/v1/webhooks/{webhook}/replay"), json!({"state": "succeeded"}));
    assert_eq!((&done["state"], &done["kind"], &done["done"]), (&json!("done"), &json!("replay"), &json!(2)));
    assert_eq!(list(&mut stage.client, "/api/v1/jobs"), [done]);
}
