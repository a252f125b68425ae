//! Rows about polling.

use serde_json::{Value, json};

use super::kit::{id, job, key, list, publish};
use super::support::{Client, Stage};

/// A webhook whose deliveries are pulled: its path.
fn pulled(stage: &mut Stage) -> String {
    let retry = json!({"delays": [0], "jitter_percent": 0});
    let body = json!({"events": ["*"], "mode": "pull", "retry": retry});
    format!("/api/v1/webhooks/{}", id(&stage.client.post("/api/v1/webhooks", &body).data(201)))
}

/// Pulls what there is, within a moment.
fn pull(client: &mut Client, webhook: &str) -> Vec<Value> {
    list(client, &format!("{webhook}/pull?wait=30"))
}

/// Says what became of these.
fn say(client: &mut Client, webhook: &str, word: &str, leases: &[Value]) -> Vec<Value> {
    let leases: Vec<&Value> = leases.iter().map(|one| &one["lease"]).collect();
    let told = client.post(&format!("{webhook}/pull/{word}"), &json!({"leases": leases})).data(200);
    told.as_array().expect("a list").iter().map(|one| one["state"].clone()).collect()
}

/// The data of a delivery that was pulled.
fn data(pulled: &Value) -> Value {
    let body: Value = serde_json::from_str(pulled["body"].as_str().expect("text")).expect("JSON");
    body["data"].clone()
}

pub fn take_deliveries_by_polling(stage: &mut Stage) {
    let webhook = pulled(stage);
    let event = publish(&mut stage.client, json!({"type": "task.created", "data": {"n": 1}}));
    let got = pull(&mut stage.client, &webhook);
    assert_eq!((got.len(), &got[0]["event_id"], data(&got[0])), (1, &json!(event), json!({"n": 1})));
    let signature = got[0]["headers"]["webhook-signature"].as_str().expect("it is signed");
    assert!(signature.starts_with("v1,"), "{signature}");
}

pub fn say_what_was_handled(stage: &mut Stage) {
    let webhook = pulled(stage);
    stage.publish("e");
    let first = pull(&mut stage.client, &webhook);
    assert_eq!(say(&mut stage.client, &webhook, "nack", &first), ["nacked"]);
    let again = pull(&mut stage.client, &webhook);
    assert_eq!((&again[0]["event_id"], &again[0]["attempt"]), (&json!("e"), &json!(2)));
    assert_eq!(say(&mut stage.client, &webhook, "ack", &again), ["acked"]);
    let number = webhook.rsplit('/').next().expect("an id");
    assert_eq!(stage.ended(number, "e")["state"], "succeeded");
}

pub fn poll_again_from_an_earlier_time(stage: &mut Stage) {
    let webhook = pulled(stage);
    for n in 0..3 {
        publish(&mut stage.client, json!({"type": "task.created", "data": n}));
        let got = pull(&mut stage.client, &webhook);
        assert_eq!((got.len(), data(&got[0])), (1, json!(n)));
        say(&mut stage.client, &webhook, "ack", &got);
    }
    let rows = list(&mut stage.client, &format!("{webhook}/deliveries?order=oldest"));
    let from = json!({"state": "succeeded", "from": rows[1]["created_at"]});
    assert_eq!(job(&mut stage.client, &format!("{webhook}/replay"), from)["done"], 2);
    let mut came = Vec::new();
    while came.len() < 2 {
        came.extend(pull(&mut stage.client, &webhook).iter().map(data));
    }
    assert_eq!(came, [1, 2]);
}

pub fn give_a_poller_a_key(stage: &mut Stage) {
    let webhook = pulled(stage);
    let mut poller = key(stage, "default", &["consume"]);
    stage.publish("e");
    let got = pull(&mut poller, &webhook);
    assert_eq!(say(&mut poller, &webhook, "ack", &got), ["acked"]);
    assert_eq!(poller.get(&webhook).status, 403, "it may do nothing else");
}
