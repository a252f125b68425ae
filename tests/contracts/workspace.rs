//! The workspace guide.

use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::like::{assert_like, tested};
use crate::scene::{Scene, at_once, delays, retries_after};
use crate::support::Client;

const SECRET: &str = "your_webhook_secret";

/// Creates a webhook for all events with these settings too; its id.
fn create(scene: &mut Scene, endpoint: &Endpoint, settings: Value) -> String {
    let mut body = json!({"url": endpoint.url("/webhooks"), "events": ["*"], "secret": SECRET});
    body.as_object_mut().expect("an object").extend(settings.as_object().expect("an object").clone());
    scene.post("/v1/webhooks", body, 201)["data"]["id"].as_str().expect("an id").to_owned()
}

#[test]
fn the_calls_are_as_the_guide_shows_them() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("workspace.mjs", SECRET);
    let body = r#"{
      "url": "https://your-server.com/webhooks",
      "events": ["task.created", "task.updated", "task.completed"],
      "secret": "your_webhook_secret"
    }"#;
    let body = body.replace("https://your-server.com/webhooks", &endpoint.url("/webhooks"));
    let made = scene.client.request("POST", "/v1/webhooks", body.as_bytes());
    assert_eq!(made.status, 201);
    let shown = json!({
        "id": "<webhook_>", "url": endpoint.url("/webhooks"),
        "events": ["task.created", "task.updated", "task.completed"], "created_at": "<time>", "status": "active",
        "active": true,
    });
    assert_like(&made.json(), &json!({ "data": shown }));
    let id = made.json()["data"]["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/webhooks/{id}");
    assert_like(&scene.get("/v1/webhooks"), &json!({ "data": [shown] }));
    assert_like(&scene.get(&path), &json!({ "data": shown }));

    for (method, active) in [("PUT", false), ("PATCH", true)] {
        let changed = scene.ask(method, &path, json!({ "active": active }), 200);
        assert_eq!(changed["data"]["active"], active);
        assert_eq!(changed["data"]["events"], shown["events"], "what is absent stays");
        assert_eq!(changed["data"].get("disabled_reason").is_some(), !active);
    }

    let test = scene.ask("POST", &format!("{path}/test"), Value::Null, 202);
    let about = json!({"event_id": "<uuid>", "event_type": "task.created", "delivery_id": "<delivery_>"});
    assert_like(&test, &json!({ "data": tested(about, "OK") }));
    let got = endpoint.next().verified();
    let sample = json!({
        "id": "task_789", "name": "Design homepage", "status": "todo", "priority": "high", "project_id": "proj_123",
        "assignee_id": "user_456", "created_by": "user_789", "due_date": "2025-10-30",
    });
    let envelope = json!({"event": "task.created", "timestamp": "<time>", "webhook_id": id, "data": sample});
    assert_like(&got.json(), &envelope);
    assert_eq!(got.said, ["New task: Design homepage"]);
    let test = scene.post(&format!("{path}/test"), json!({"event": "user.added"}), 202);
    assert_eq!(test["data"]["event_type"], "user.added");
    assert_eq!(endpoint.next().verified().json()["event"], "user.added");

    assert_eq!(scene.client.request("DELETE", &path, b"").status, 204);
    assert_eq!(scene.client.get(&path).status, 404);
    assert_eq!(scene.get("/v1/webhooks"), json!({"data": []}));
    let stranger = Client::new(scene.server.address, "nobody's").get("/v1/webhooks");
    assert_eq!((stranger.status, &stranger.json()["error"]["code"]), (401, &json!("unauthorized")));
}

#[test]
fn a_secret_is_generated_where_none_is_given_and_shown_once() {
    let Some(mut scene) = Scene::start() else { return };
    let body = json!({"url": "http://127.0.0.1:9/", "events": ["task.created"], "active": false});
    let made = scene.post("/v1/webhooks", body, 201);
    assert_eq!(made["data"]["active"], false);
    let secret = made["data"]["secret"].as_str().expect("it is shown").to_owned();
    let path = format!("/v1/webhooks/{}", made["data"]["id"].as_str().expect("an id"));
    assert_eq!(scene.get(&path)["data"].get("secret"), None);

    let endpoint = scene.endpoint("workspace.mjs", &secret);
    let change =
        json!({"url": endpoint.url("/webhooks"), "active": true, "name": "Mine", "headers": {"X-Tenant": "7"}});
    let changed = scene.ask("PATCH", &path, change, 200);
    assert_eq!((&changed["data"]["name"], &changed["data"]["headers"]), (&json!("Mine"), &json!({"X-Tenant": "7"})));
    scene.publish(json!({"type": "task.created", "data": {"name": "x"}}));
    assert_eq!(endpoint.next().verified().header("x-tenant"), "7");
}

#[test]
fn an_event_arrives_with_the_guides_headers_and_is_listed() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("workspace.mjs", SECRET);
    let id = create(&mut scene, &endpoint, json!({}));
    let data = r#"{"2":1.0,"1":1e16,"name":"\u00fc 1.50","n":9007199254740993,"at":"2025-10-30"}"#;
    let event = format!(r#"{{"type":"task.created","created_at":"2025-10-14T10:30:00.999Z","data":{data}}}"#);
    let reply = scene.publish_text(&event);
    assert!(reply["warnings"].to_string().contains("data.n"), "{reply}");
    let got = endpoint.next().verified();
    let body = format!(
        r#"{{"event":"task.created","timestamp":"2025-10-14T10:30:00Z","webhook_id":"{id}","data":{{"1":10000000000000000,"2":1,"name":"ü 1.50","n":9007199254740992,"at":"2025-10-30"}}}}"#
    );
    assert_eq!(got.body, body);
    assert_eq!((got.method.as_str(), got.path.as_str()), ("POST", "/webhooks"));
    assert_eq!(got.header("x-webhook-id"), id);
    assert_eq!(got.header("content-type"), "application/json");
    assert!(got.header("user-agent").starts_with("Hookwheel/"));
    let signature = got.header("x-webhook-signature").strip_prefix("sha256=").expect("the prefix");
    assert_eq!(signature.len(), 64);
    let unix: u64 = got.header("x-webhook-timestamp").parse().expect("a number");
    let delivery = scene.delivery_of(reply["data"]["id"].as_str().expect("an id"), &id);
    let shown = scene.delivery_in(&delivery, "succeeded");
    let started = hookwheel::domain::time::parse(shown["attempts"][0]["started_at"].as_str().expect("a time"));
    let started = started.expect("a time") / 1000;
    assert!((started..=started + 1).contains(&unix), "the attempt's time, not the event's: {unix} {started}");

    let rows = scene.get(&format!("/v1/webhooks/{id}/deliveries"));
    let row = json!({
        "id": "<delivery_>", "event": "task.created", "timestamp": "<time>", "status": "success",
        "response_code": 200, "response_time_ms": "<count>", "attempts": 1,
    });
    assert_like(&rows, &json!({ "data": [row] }));
    let spelled = rows["data"][0]["id"].as_str().expect("an id");
    assert_eq!(spelled.strip_prefix("delivery_").expect("the prefix"), delivery.replace('-', ""));
    assert_eq!(scene.get(&format!("/api/v1/deliveries/{spelled}"))["data"]["id"], delivery.as_str());
}

#[test]
fn what_fails_is_tried_again_on_the_guides_schedule_and_then_the_webhook_is_disabled() {
    assert_eq!(delays("workspace"), [60, 5 * 60, 30 * 60]);
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("workspace.mjs", SECRET);
    let id = create(&mut scene, &endpoint, json!({"secret": "another secret"}));
    let path = format!("/v1/webhooks/{id}");
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 1}}));
    assert_eq!(endpoint.next().status, 401);
    let waiting = scene.delivery_of(&event, &id);
    retries_after(&scene.delivery_after(&waiting, 1), 60);
    let failing = |attempts: u8, status: u16, error: &str| {
        json!({
            "id": "<delivery_>", "event": "task.created", "timestamp": "<time>", "status": "failed",
            "response_code": status, "response_time_ms": "<count>", "attempts": attempts, "error": error,
            "next_attempt_at": "<time>",
        })
    };
    let rows = scene.get(&format!("{path}/deliveries"));
    assert_like(&rows, &json!({ "data": [failing(1, 401, "the endpoint answered 401")] }));
    let shown = scene.get(&format!("/api/v1/deliveries/{waiting}"));
    let seconds = |time: &Value| time.as_str().and_then(hookwheel::domain::time::parse).expect("a time") / 1000;
    assert_eq!(seconds(&rows["data"][0]["next_attempt_at"]), seconds(&shown["data"]["next_attempt_at"]));

    scene.ask("PATCH", &path, json!({"retry": at_once(3)}), 200);
    let event = scene.publish(json!({"type": "task.updated", "data": {"n": 2}}));
    let delivery = scene.delivery_of(&event, &id);
    // "After 3 failures, webhook is disabled."
    assert_eq!(scene.delivery_held_after(&delivery, 3)["attempts"].as_array().expect("attempts").len(), 3);
    for _ in 0..3 {
        assert_eq!(endpoint.next().status, 401);
    }
    let shown = scene.get(&path);
    assert_eq!((&shown["data"]["active"], &shown["data"]["status"]), (&json!(false), &json!("disabled")));
    assert!(shown["data"]["disabled_reason"].as_str().is_some_and(|why| why.contains("failed 3 times")), "{shown}");

    // What was open and what comes meanwhile is held, and goes out when it is re-enabled by hand.
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 3}}));
    let held = scene.delivery_of(&event, &id);
    assert_eq!(scene.get(&format!("/api/v1/deliveries/{held}"))["data"]["state"], "held");
    assert_eq!(scene.get(&format!("/api/v1/deliveries/{waiting}"))["data"]["state"], "held");
    endpoint.has_no_more();
    let enabled = scene.ask("PUT", &path, json!({"active": true, "secret": SECRET}), 200);
    assert_eq!(enabled["data"]["status"], "active");
    for delivery in [&delivery, &held] {
        scene.delivery_in(delivery, "succeeded");
    }
}

#[test]
fn what_used_up_its_retries_is_listed_as_failed() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("workspace.mjs", SECRET);
    let id = create(&mut scene, &endpoint, json!({"secret": "another secret", "retry": at_once(1)}));
    let event = scene.publish(json!({"type": "task.updated", "data": {"n": 2}}));
    let delivery = scene.delivery_of(&event, &id);
    scene.delivery_in(&delivery, "dead");
    let shown = scene.get(&format!("/v1/webhooks/{id}"));
    let why = shown["data"]["disabled_reason"].as_str().unwrap_or_default();
    assert!(why.contains("used up its retries"), "it has fewer than there may be failures: {shown}");
    let row = scene.get(&format!("/v1/webhooks/{id}/deliveries"))["data"][0].take();
    for (field, value) in [("event", json!("task.updated")), ("status", json!("failed")), ("response_code", json!(401))]
    {
        assert_eq!(row[field], value, "{row}");
    }
}

#[test]
fn a_success_since_the_first_attempt_keeps_the_webhook_active() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("workspace.mjs", SECRET);
    let retry = json!({"delays": [4], "jitter_percent": 0});
    let id = create(&mut scene, &endpoint, json!({"secret": "another secret", "retry": retry}));
    let path = format!("/v1/webhooks/{id}");
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 1}}));
    let failing = scene.delivery_of(&event, &id);
    assert_eq!(endpoint.next().status, 401);
    scene.delivery_after(&failing, 1);
    scene.ask("PATCH", &path, json!({"secret": SECRET}), 200);
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 2}}));
    endpoint.next().verified();
    let fine = scene.delivery_of(&event, &id);
    scene.delivery_in(&fine, "succeeded");
    scene.ask("PATCH", &path, json!({"secret": "another secret"}), 200);
    assert_eq!(endpoint.next().status, 401);
    assert_eq!(scene.delivery_in(&failing, "dead")["attempts"].as_array().expect("attempts").len(), 2);
    assert_eq!(scene.get(&path)["data"]["active"], true);
}

#[test]
fn what_cannot_be_taken_is_named_in_the_guides_words() {
    let Some(mut scene) = Scene::start() else { return };
    let url = "https://your-server.com/webhooks";
    for (body, field) in [
        (json!({"events": ["*"]}), "url"),
        (json!({"url": "ftp://x", "events": ["*"]}), "url"),
        (json!({"url": url}), "events"),
        (json!({"url": url, "events": ["*"], "active": "yes"}), "active"),
        (json!({"url": url, "events": ["*"], "secret": ""}), "secret"),
        (json!({"url": url, "events": ["*"], "enabled": true}), "enabled"),
    ] {
        let reply = scene.post("/v1/webhooks", body.clone(), 400);
        let error = json!({"code": "invalid_field", "message": "<text>", "field": field});
        assert_like(&reply, &json!({ "error": error }));
    }
    let none = "webhook_00000000000000000000000000000000";
    for (method, path) in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")] {
        let body = if method == "PATCH" { json!({}) } else { Value::Null };
        let reply = scene.ask(method, &format!("/v1/webhooks/{none}{path}"), body, 404);
        assert_eq!(reply["error"]["code"], "not_found");
    }
}
