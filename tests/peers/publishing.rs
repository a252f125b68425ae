//! Rows about publishing.

use serde_json::{Value, json};

use super::kit::{account, count, endpoint, job, next_data, publish};
use super::support::Stage;

pub fn publish_an_event(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    let event = publish(&mut stage.client, json!({"type": "task.created", "data": {"n": 1}}));
    let arrived = receiver.next();
    assert_eq!(arrived.header("webhook-id"), Some(event.as_str()));
    let body: Value = serde_json::from_slice(&arrived.message.body).expect("JSON");
    assert_eq!((&body["type"], &body["data"]), (&json!("task.created"), &json!({"n": 1})));
    assert_eq!(stage.ended(&webhook, &event)["state"], "succeeded");
}

pub fn publish_to_all_endpoints_of_one_owner(stage: &mut Stage) {
    let (theirs, others) = (endpoint(200), endpoint(200));
    let mut owner = account(stage, "owner");
    for path in ["/a", "/b"] {
        owner.post("/api/v1/webhooks", &json!({"url": theirs.url(path), "events": ["*"]})).data(201);
    }
    stage.webhook(&others.url("/"), json!({}));
    let event = json!({"type": "task.created", "data": 1, "account": "owner"});
    assert_eq!(stage.client.post("/api/v1/events", &event).data(202)["deliveries"], 2);
    let mut paths = [theirs.next().path, theirs.next().path];
    paths.sort();
    assert_eq!(paths, ["/a", "/b"]);
    publish(&mut stage.client, json!({"type": "task.created", "data": "for all others"}));
    assert_eq!(next_data(&others), "for all others", "and nothing before it");
}

pub fn publish_to_all_accounts(stage: &mut Stage) {
    let receiver = endpoint(200);
    for name in ["one", "two"] {
        let mut client = account(stage, name);
        client.post("/api/v1/webhooks", &json!({"url": receiver.url(&format!("/{name}")), "events": ["*"]})).data(201);
    }
    let event = json!({"type": "news", "data": "for everybody"});
    let done = job(&mut stage.client, "/api/v1/events/broadcast", event);
    assert_eq!(done["state"], "done");
    let mut paths = [receiver.next().path, receiver.next().path];
    paths.sort();
    assert_eq!(paths, ["/one", "/two"]);
}

pub fn ask_whether_anybody_wants_an_event(stage: &mut Stage) {
    let receiver = endpoint(200);
    let wanted = |stage: &mut Stage, event_type: &str| {
        let query = format!("event_type={event_type}&status=active&count=true&limit=1");
        count(&mut stage.client, &format!("/api/v1/webhooks?{query}"))
    };
    assert_eq!(wanted(stage, "task.created"), 0);
    let webhook = stage.webhook(&receiver.url("/"), json!({"events": ["task.*"]}));
    assert_eq!((wanted(stage, "task.created"), wanted(stage, "order.created")), (1, 0));
    stage.client.post(&format!("/api/v1/webhooks/{webhook}/disable"), &json!({})).data(200);
    assert_eq!(wanted(stage, "task.created"), 0);
}
