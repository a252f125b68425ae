//! Rows about webhooks and how they stand.

use serde_json::{Value, json};

use super::kit::{column, count, endpoint, id, list, next_data, publish, until};
use super::support::Stage;

fn path(webhook: &str) -> String {
    format!("/api/v1/webhooks/{webhook}")
}

pub fn register_a_webhook(stage: &mut Stage) {
    let receiver = endpoint(200);
    let body = json!({"url": receiver.url("/"), "events": ["task.*"]});
    let made = stage.client.post("/api/v1/webhooks", &body).data(201);
    assert_eq!(made["status"], "active");
    assert!(made["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{made}");
    publish(&mut stage.client, json!({"type": "order.paid", "data": "not wanted"}));
    publish(&mut stage.client, json!({"type": "task.created", "data": "wanted"}));
    assert_eq!(next_data(&receiver), "wanted");
}

pub fn register_many_webhooks(stage: &mut Stage) {
    let receiver = endpoint(200);
    let one = |name: &str| json!({"url": receiver.url(name), "events": ["*"], "uid": &name[1..]});
    let all = json!(["/a", "/b", "/c"].map(one)).to_string();
    let put = |stage: &mut Stage| stage.client.request("POST", "/api/v1/webhooks/batch", all.as_bytes()).data(200);
    let statuses = |told: Value| -> Vec<Value> {
        told.as_array().expect("a list").iter().map(|one| one["status"].clone()).collect()
    };
    assert_eq!(statuses(put(stage)), [201, 201, 201]);
    assert_eq!(statuses(put(stage)), [200, 200, 200], "a second time they are there");
    assert_eq!(column(&mut stage.client, "/api/v1/webhooks?order=oldest", "uid"), ["a", "b", "c"]);
    stage.publish("e");
    let mut paths = [receiver.next().path, receiver.next().path, receiver.next().path];
    paths.sort();
    assert_eq!(paths, ["/a", "/b", "/c"]);
}

pub fn list_webhooks(stage: &mut Stage) {
    let receiver = endpoint(200);
    let one = stage.webhook(&receiver.url("/one"), json!({"name": "one"}));
    let two = stage.webhook(&receiver.url("/two"), json!({"name": "two"}));
    assert_eq!(column(&mut stage.client, "/api/v1/webhooks", "id"), [two.as_str(), one.as_str()]);
    assert_eq!(column(&mut stage.client, "/api/v1/webhooks?name=one", "id"), [one.as_str()]);
}

pub fn count_webhooks(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhooks = ["/a", "/b", "/c"].map(|path| stage.webhook(&receiver.url(path), json!({})));
    stage.client.post(&(path(&webhooks[0]) + "/disable"), &json!({})).data(200);
    for (status, expected) in [("active", 2), ("disabled", 1)] {
        let counted = count(&mut stage.client, &format!("/api/v1/webhooks?status={status}&count=true&limit=1"));
        assert_eq!(counted, expected, "{status}");
    }
}

pub fn look_at_a_webhook(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({"name": "mine"}));
    stage.publish("e");
    stage.ended(&webhook, "e");
    let shown = stage.client.get(&path(&webhook)).data(200);
    assert_eq!((&shown["name"], &shown["url"]), (&json!("mine"), &json!(receiver.url("/"))));
    assert_eq!([&shown["deliveries"], &shown["succeeded"], &shown["open"]], [&json!(1), &json!(1), &json!(0)]);
}

pub fn change_a_webhook(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/old"), json!({"name": "mine"}));
    for (method, new) in [("PATCH", "/patched"), ("PUT", "/put")] {
        let change = json!({"url": receiver.url(new)}).to_string();
        let shown = stage.client.request(method, &path(&webhook), change.as_bytes()).data(200);
        assert_eq!(shown["name"], "mine", "what is left out stays");
        stage.publish(&new[1..]);
        assert_eq!(receiver.next().path, new);
    }
}

pub fn delete_a_webhook(stage: &mut Stage) {
    let receiver = endpoint(200);
    let gone = stage.webhook(&receiver.url("/gone"), json!({}));
    stage.webhook(&receiver.url("/stays"), json!({}));
    assert_eq!(stage.client.request("DELETE", &path(&gone), b"").status, 204);
    assert_eq!(stage.client.get(&path(&gone)).status, 404);
    assert_eq!(list(&mut stage.client, "/api/v1/webhooks").len(), 1);
    stage.publish("e");
    assert_eq!(receiver.next().path, "/stays");
    let shown = stage.client.get("/api/v1/events/e").data(200);
    assert_eq!(shown["deliveries"].as_array().map(Vec::len), Some(1), "it is none of its");
}

/// Holds what is published between two calls, and sees that it goes out after the second.
fn held_between(stage: &mut Stage, holds: &str, status: &str, lets_out: &str) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    assert_eq!(stage.client.post(&(path(&webhook) + holds), &json!({})).data(200)["status"], status);
    stage.publish("e");
    assert_eq!(column(&mut stage.client, &(path(&webhook) + "/deliveries"), "state"), ["held"]);
    assert_eq!(stage.client.post(&(path(&webhook) + lets_out), &json!({})).data(200)["status"], "active");
    assert_eq!(stage.ended(&webhook, "e")["state"], "succeeded");
    assert_eq!(receiver.next().header("webhook-id"), Some("e"));
}

pub fn turn_a_webhook_off_and_on(stage: &mut Stage) {
    held_between(stage, "/disable", "disabled", "/enable");
}

pub fn pause_a_webhook(stage: &mut Stage) {
    held_between(stage, "/pause", "paused", "/resume");
}

pub fn show_a_secret(stage: &mut Stage) {
    let receiver = endpoint(200);
    let body = json!({"url": receiver.url("/"), "events": ["*"]});
    let made = stage.client.post("/api/v1/webhooks", &body).data(201);
    let shown = stage.client.get(&(path(&id(&made)) + "/secret")).data(200);
    assert_eq!(shown["secret"], made["secret"]);
    assert!(shown["secret"].is_string());
}

pub fn rotate_a_secret(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    let secret = path(&webhook) + "/secret";
    let old = stage.client.get(&secret).data(200);
    let new = stage.client.post(&(secret.clone() + "/rotate"), &json!({})).data(200);
    assert_ne!(new["secret"], old["secret"]);
    assert_eq!(new["previous"][0]["secret"], old["secret"]);
    stage.publish("e");
    let arrived = receiver.next();
    let signatures: Vec<&str> = arrived.header("webhook-signature").expect("it is signed").split(' ').collect();
    assert!(signatures.len() == 2 && signatures[0] != signatures[1], "both sign: {signatures:?}");
}

pub fn see_how_a_webhook_does(stage: &mut Stage) {
    let (good, bad) = (endpoint(200), endpoint(500));
    for (receiver, field, other) in [(&good, "succeeded", "failed"), (&bad, "failed", "succeeded")] {
        let webhook = stage.webhook(&receiver.url("/"), json!({}));
        stage.publish(field);
        stage.ended(&webhook, field);
        let stats = until(&mut stage.client, &(path(&webhook) + "/stats"), |stats| stats["total"][field] == 1);
        assert_eq!((&stats["total"][other], &stats["total"]["attempts"]), (&json!(0), &json!(1)));
    }
}

pub fn see_what_holds_a_webhook_back(stage: &mut Stage) {
    let receiver = endpoint(200);
    let slow = json!({"rate_limit": {"per_minute": 1, "burst": 1}});
    let webhook = stage.webhook(&receiver.url("/"), slow);
    for event in ["one", "two", "three"] {
        stage.publish(event);
    }
    receiver.next();
    let shown = until(&mut stage.client, &path(&webhook), |webhook| webhook["lane"]["waits_for"] == "rate_limited");
    assert!(shown["lane"]["until"].is_string(), "{}", shown["lane"]);
}

pub fn send_a_test_event(stage: &mut Stage) {
    let receiver = endpoint(202);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    let sent = json!({"event_type": "task.created", "data": {"title": "a test"}});
    let told = stage.client.post(&(path(&webhook) + "/test"), &sent).data(202);
    assert_eq!((&told["success"], &told["status_code"]), (&json!(true), &json!(202)));
    assert_eq!(next_data(&receiver), sent["data"]);
    assert_eq!(list(&mut stage.client, "/api/v1/dead-letters"), [Value::Null; 0]);
}
