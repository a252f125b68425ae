//! What the guide promises of the calls that its readers make: registering, testing, reading deliveries, enabling again.

use hookwheel::domain::time;
use serde_json::{Value, json};

use super::stage::Stage;
use crate::support::{Answer, Client, Receiver};

pub fn registers(s: &mut Stage) -> String {
    let (made, _) = s.registered();
    assert!(made["id"].is_string(), "{made}");
    "201 to the guide's body, with a URL of this machine, and the webhook in `data`".into()
}

pub fn to_the_url(s: &mut Stage) -> String {
    let (made, receiver) = s.registered();
    assert_eq!(made["url"], receiver.url("/webhooks"));
    let id = made["id"].as_str().expect("an id").to_owned();
    let event = s.scene.publish(json!({"type": "task.completed", "data": {"row": "url"}}));
    let delivery = s.scene.delivery_of(&event, &id);
    s.scene.delivery_in(&delivery, "succeeded");
    assert_eq!(s.registered().1.next().path, "/webhooks");
    "a task.completed was posted there".into()
}

pub fn only_those_events(s: &mut Stage) -> String {
    let id = s.registered().0["id"].as_str().expect("an id").to_owned();
    let uuid = uuid::Uuid::try_parse(id.trim_start_matches("webhook_")).expect("an id").to_string();
    let mut wanted = Vec::new();
    for event_type in ["task.created", "task.updated", "task.completed", "task.deleted", "user.added"] {
        let event = s.scene.publish(json!({"type": event_type, "data": {"row": "events"}}));
        let shown = s.scene.get(&format!("/api/v1/events/{event}"));
        let rows = shown["data"]["deliveries"].as_array().expect("deliveries");
        if rows.iter().any(|row| row["webhook_id"] == uuid.as_str()) {
            wanted.push(event_type);
        }
    }
    assert_eq!(wanted, ["task.created", "task.updated", "task.completed"]);
    format!("of five types published, deliveries for {}", wanted.join(", "))
}

pub fn the_secret_signs(s: &mut Stage) -> String {
    assert_eq!(s.registered().0.get("secret"), None, "what the caller knows is not repeated");
    let wrong = s.scene.endpoint("workspace.mjs", "another_secret");
    let body = json!({"url": wrong.url("/webhooks"), "events": ["row.secret"], "secret": "your_webhook_secret"});
    let made = s.scene.post("/v1/webhooks", body, 201);
    let path = format!("/v1/webhooks/{}", made["data"]["id"].as_str().expect("an id"));
    let mut statuses = Vec::new();
    for secret in ["your_webhook_secret", "another_secret"] {
        s.scene.ask("PATCH", &path, json!({"secret": secret}), 200);
        statuses.push(
            s.scene.post(&format!("{path}/test"), json!({"event": "task.created"}), 202)["data"]["status_code"].clone(),
        );
    }
    assert_eq!(statuses, [401, 200]);
    "a receiver with another secret answered 401, and 200 once the webhook had that; the reply does not repeat it"
        .into()
}

pub fn a_secret_is_generated(s: &mut Stage) -> String {
    let body = json!({"url": "http://127.0.0.1:9/", "events": ["row.none"]});
    let made = s.scene.post("/v1/webhooks", body, 201)["data"].take();
    let secret = made["secret"].as_str().expect("it is shown");
    let path = format!("/v1/webhooks/{}", made["id"].as_str().expect("an id"));
    assert_eq!(s.scene.get(&path)["data"].get("secret"), None);
    let endpoint = s.scene.endpoint("workspace.mjs", secret);
    s.scene.ask("PATCH", &path, json!({"url": endpoint.url("/webhooks")}), 200);
    s.scene.post(&format!("{path}/test"), json!({"event": "task.created"}), 202);
    endpoint.next().verified();
    format!(
        "{} characters in the reply to the create, never again, and the guide's receiver verified with it",
        secret.len()
    )
}

pub fn active_from_the_start(s: &mut Stage) -> String {
    assert_eq!(s.registered().0["active"], true);
    let body = json!({"url": "http://127.0.0.1:9/", "events": ["row.none"], "active": false});
    assert_eq!(s.scene.post("/v1/webhooks", body, 201)["data"]["active"], false);
    "`active` is true where the call does not say, and false where it says so".into()
}

pub fn tests(s: &mut Stage) -> String {
    let id = s.id.clone();
    let test = s.scene.ask("POST", &format!("/v1/webhooks/{id}/test"), Value::Null, 202)["data"].take();
    let (success, status) = (&test["success"], &test["status_code"]);
    assert_eq!((success, status), (&json!(true), &json!(200)), "{test}");
    let event_type = test["event_type"].as_str().expect("a type").to_owned();
    s.tested(&event_type);
    format!("202 without a body; a {event_type} arrived, and the reply says that the endpoint answered 200")
}

/// The row of a delivery that was taken, and of one that failed and is tried again later: newest first.
fn rows(s: &mut Stage) -> Vec<Value> {
    let (own, path) = s.own("row.listed", 0, |n| Answer::Status(if n == 0 { 200 } else { 500 }));
    s.scene.ask("PATCH", &path, json!({"retry": null}), 200);
    let (_, first) = own.publish(&mut s.scene, json!({"n": 1}));
    s.scene.delivery_in(&first, "succeeded");
    let (_, second) = own.publish(&mut s.scene, json!({"n": 2}));
    s.scene.delivery_after(&second, 1);
    let rows = s.scene.get(&format!("{path}/deliveries"))["data"].as_array().expect("rows").clone();
    assert_eq!(s.scene.client.request("DELETE", &path, b"").status, 204);
    assert_eq!(rows.len(), 2, "{rows:?}");
    rows
}

pub fn lists_deliveries(s: &mut Stage) -> String {
    let rows = rows(s);
    let names: Vec<&str> = rows[1].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names[..6], ["id", "event", "timestamp", "status", "response_code", "response_time_ms"]);
    format!("two rows, the newest first, of {}", names.join(", "))
}

/// A field of the two rows: of the one that was taken, and of the one that failed.
pub fn row(s: &mut Stage, name: &str, fits: fn(&Value, &Value) -> bool) -> String {
    let rows = rows(s);
    let (good, bad) = (rows[1][name].clone(), rows[0][name].clone());
    let told = format!("{good} of the one that was taken, {bad} of the one that failed");
    assert!(fits(&good, &bad), "{told}");
    told
}

pub fn is_an_id(value: &Value) -> bool {
    let digits = value.as_str().and_then(|text| text.strip_prefix("delivery_")).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

pub fn is_a_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 20 && time::parse(text).is_some())
}

pub fn what_fails_is_listed_at_once(s: &mut Stage) -> String {
    let failed = rows(s).swap_remove(0);
    assert_eq!((&failed["status"], &failed["attempts"]), (&json!("failed"), &json!(1)), "{failed}");
    assert!(is_a_time(&failed["next_attempt_at"]), "{failed}");
    format!("failed after its first attempt, {}, and when the next is due", failed["error"])
}

pub fn an_address_that_cannot_be_reached(s: &mut Stage) -> String {
    // Nobody listens there any more.
    let url = Receiver::start(|_, _| Answer::Close).url("/");
    let body = json!({"url": url, "events": ["row.none"]});
    let id = s.scene.post("/v1/webhooks", body, 201)["data"]["id"].as_str().expect("an id").to_owned();
    let test = s.scene.post(&format!("/v1/webhooks/{id}/test"), json!({"event": "task.created"}), 202)["data"].take();
    assert_eq!((&test["success"], &test["status_code"]), (&json!(false), &Value::Null), "{test}");
    format!("a test call says {}", test["error"])
}

pub fn a_status_that_is_not_200(s: &mut Stage) -> String {
    let failed = rows(s).swap_remove(0);
    assert_eq!((&failed["status"], &failed["response_code"]), (&json!("failed"), &json!(500)));
    format!("its deliveries say {} and {}", failed["response_code"], failed["error"])
}

pub fn inactive_gets_nothing(s: &mut Stage) -> String {
    let (own, path) = s.own("row.inactive", 0, |_| Answer::Status(200));
    s.scene.ask("PATCH", &path, json!({"active": false}), 200);
    let (_, delivery) = own.publish(&mut s.scene, json!({}));
    assert_eq!(s.scene.get(&format!("/api/v1/deliveries/{delivery}"))["data"]["state"], "held");
    own.has_no_more();
    s.scene.ask("PATCH", &path, json!({"active": true}), 200);
    s.scene.delivery_in(&delivery, "succeeded");
    "its events are held while it is not active, and went out once it was".into()
}

pub fn a_disabled_one_is_tested_and_enabled(s: &mut Stage) -> String {
    let (own, path) = s.own("row.again", 2, |n| Answer::Status(if n < 3 { 500 } else { 200 }));
    let (_, delivery) = own.publish(&mut s.scene, json!({}));
    s.scene.until(&path, |reply| reply["data"]["status"] == "disabled");
    let held = s.scene.publish(json!({"type": "row.again", "data": {}}));
    let held = s.scene.delivery_of(&held, &own.id);
    // "1. Fix your endpoint": it answers 200 from now on. "2. Test webhook"
    let test = s.scene.post(&format!("{path}/test"), json!({"event": "row.again"}), 202)["data"].take();
    assert_eq!((&test["success"], &test["status_code"]), (&json!(true), &json!(200)), "{test}");
    assert_eq!(s.scene.get(&path)["data"]["status"], "disabled", "a test enables nothing");
    // "3. Re-enable"
    let enabled = s.scene.ask("PATCH", &path, json!({"active": true}), 200)["data"].take();
    assert_eq!((&enabled["status"], enabled.get("disabled_reason")), (&json!("active"), None), "{enabled}");
    s.scene.delivery_in(&held, "succeeded");
    let first = s.scene.get(&format!("/api/v1/deliveries/{delivery}"))["data"]["state"].clone();
    assert_eq!(first, "dead", "it had used up its retries");
    "disabled, a test went out and said 200; PATCH {\"active\": true} made it active, and what was held went out".into()
}

pub fn failures_can_be_watched(s: &mut Stage) -> String {
    let (own, path) = s.own("row.watched", 2, |_| Answer::Status(500));
    own.publish(&mut s.scene, json!({}));
    let shown = s.scene.until(&path, |reply| reply["data"]["status"] == "disabled");
    let dead = s.scene.get("/api/v1/dead-letters")["data"].to_string();
    assert!(dead.contains(&own.id), "{dead}");
    let metrics = String::from_utf8(s.scene.client.get("/metrics").message.body).expect("UTF-8");
    let counter =
        metrics.lines().find(|line| line.starts_with("hookwheel_") && line.contains("dead")).expect("a counter");
    let why = &shown["data"]["disabled_reason"];
    format!(
        "the webhook says {why}; the dead letter is listed; /metrics has {}",
        counter.split(['{', ' ']).next().unwrap_or_default()
    )
}

pub fn a_wrong_key_is_refused(s: &mut Stage) -> String {
    let stranger = Client::new(s.scene.server.address, "nobody's").get("/v1/webhooks");
    assert_eq!((stranger.status, &stranger.json()["error"]["code"]), (401, &json!("unauthorized")));
    "401 in the usual shape to a key that is none".into()
}
