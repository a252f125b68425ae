//! Rows about events.

use serde_json::{Value, json};

use super::kit::{column, count, endpoint, job, list, next_data, publish};
use super::support::Stage;

/// Publishes `n` events of a type; gives their ids, the first one first.
fn some(stage: &mut Stage, event_type: &str, n: u32) -> Vec<String> {
    (0..n).map(|n| publish(&mut stage.client, json!({"type": event_type, "data": {"n": n}}))).collect()
}

pub fn list_events(stage: &mut Stage) {
    let all = [some(stage, "task.created", 2), some(stage, "order.paid", 1)].concat();
    let newest: Vec<&String> = all.iter().rev().collect();
    assert_eq!(json!(column(&mut stage.client, "/api/v1/events", "id")), json!(newest));
    assert_eq!(json!(column(&mut stage.client, "/api/v1/events?type=task.*&order=oldest", "id")), json!(all[..2]));
}

pub fn find_events_by_what_they_say(stage: &mut Stage) {
    let all = some(stage, "task.created", 3);
    let filter: String = url::form_urlencoded::byte_serialize(b"@.data.n >= 1 && @.data.n < 2").collect();
    let path = format!("/api/v1/events?filter={filter}");
    assert_eq!(json!(column(&mut stage.client, &path, "id")), json!([all[1]]));
}

pub fn count_the_events_of_a_type(stage: &mut Stage) {
    some(stage, "task.created", 3);
    some(stage, "order.paid", 1);
    assert_eq!(count(&mut stage.client, "/api/v1/events?type=task.created&count=true&limit=1"), 3);
}

pub fn look_at_an_event(stage: &mut Stage) {
    let event = json!({"type": "task.created", "id": "mine", "data": {"n": [1, "two"]}, "metadata": {"of": "us"}});
    publish(&mut stage.client, event.clone());
    let shown = stage.client.get("/api/v1/events/mine").data(200);
    for field in ["id", "type", "data", "metadata"] {
        assert_eq!(shown[field], event[field], "{field}");
    }
}

pub fn see_where_an_event_went(stage: &mut Stage) {
    let (good, bad) = (endpoint(200), endpoint(500));
    let webhooks = [stage.webhook(&good.url("/"), json!({})), stage.webhook(&bad.url("/"), json!({}))];
    stage.publish("e");
    webhooks.iter().for_each(|webhook| drop(stage.ended(webhook, "e")));
    let rows = list(&mut stage.client, "/api/v1/events/e/deliveries");
    let state =
        |webhook: &String| rows.iter().find(|row| row["webhook_id"] == **webhook).expect("it has one")["state"].clone();
    assert_eq!(webhooks.each_ref().map(state), ["succeeded", "dead"]);
}

pub fn replay_an_event(stage: &mut Stage) {
    let receiver = endpoint(200);
    let before = stage.webhook(&receiver.url("/before"), json!({}));
    stage.publish("e");
    assert_eq!(receiver.next().path, "/before");
    stage.ended(&before, "e");
    // Who has come since gets it too.
    stage.webhook(&receiver.url("/since"), json!({}));
    assert_eq!(job(&mut stage.client, "/api/v1/events/e/replay", json!({}))["done"], 2);
    let again = [receiver.next(), receiver.next()];
    let mut paths = again.each_ref().map(|one| one.path.as_str());
    paths.sort_unstable();
    assert_eq!(paths, ["/before", "/since"]);
    assert!(again.iter().all(|one| one.header("webhook-id") == Some("e")));
}

pub fn replay_many_events(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    let all = [some(stage, "task.created", 2), some(stage, "order.paid", 1)].concat();
    for event in &all {
        stage.ended(&webhook, event);
        receiver.next();
    }
    let again = json!({"state": "succeeded", "event_type": "task.*"});
    let ended = job(&mut stage.client, &format!("/api/v1/webhooks/{webhook}/replay"), again);
    assert_eq!((&ended["state"], &ended["done"]), (&json!("done"), &json!(2)));
    let mut came = [next_data(&receiver)["n"].clone(), next_data(&receiver)["n"].clone()];
    came.sort_by_key(Value::as_u64);
    assert_eq!(came, [0, 1]);
}

pub fn count_what_a_bulk_call_would_do(stage: &mut Stage) {
    let receiver = endpoint(500);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    for event in some(stage, "task.created", 2) {
        assert_eq!(stage.ended(&webhook, &event)["state"], "dead");
    }
    let of_webhook = format!("/api/v1/webhooks/{webhook}/replay");
    for (path, body) in [
        (of_webhook.as_str(), json!({"state": "dead", "dry_run": true})),
        ("/api/v1/dead-letters/replay", json!({"webhook": webhook, "dry_run": true})),
    ] {
        let counted = stage.client.post(path, &body).data(200);
        assert_eq!((&counted["count"], &counted["complete"]), (&json!(2), &json!(true)), "{path}");
    }
    assert_eq!(list(&mut stage.client, "/api/v1/dead-letters").len(), 2, "nothing was done");
    assert_eq!(list(&mut stage.client, "/api/v1/jobs"), [Value::Null; 0]);
}

pub fn remove_what_an_event_says(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    stage.publish("e");
    stage.ended(&webhook, "e");
    stage.client.post("/api/v1/events/e/purge", &json!({})).data(200);
    let shown = stage.client.get("/api/v1/events/e").data(200);
    assert_eq!((&shown["data"], &shown["type"]), (&Value::Null, &json!("task.created")));
    assert_eq!(shown["deliveries"][0]["state"], "succeeded", "its history stays");
}

pub fn remove_what_many_events_say(stage: &mut Stage) {
    let all = [some(stage, "task.created", 2), some(stage, "order.paid", 1)].concat();
    let ended = job(&mut stage.client, "/api/v1/events/purge", json!({"type": "task.*"}));
    assert_eq!((&ended["state"], &ended["done"]), (&json!("done"), &json!(2)));
    let mut data = |event: &String| stage.client.get(&format!("/api/v1/events/{event}")).data(200)["data"].clone();
    assert_eq!(all.iter().map(&mut data).collect::<Vec<_>>(), [Value::Null, Value::Null, json!({"n": 0})]);
}
