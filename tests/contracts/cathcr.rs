//! The cathcr guide.

use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::like::{assert_like, is_uuid, tested};
use crate::scene::{Scene, at_once, delays, retries_after};
use crate::support::Client;

const SECRET: &str = "your_webhook_secret";
const PATH: &str = "/webhooks/cathcr";

/// Creates a webhook for all events with these settings too; its id.
fn create(scene: &mut Scene, endpoint: &Endpoint, settings: Value) -> String {
    let mut body = json!({"url": endpoint.url(PATH), "events": ["*"], "secret": SECRET});
    body.as_object_mut().expect("an object").extend(settings.as_object().expect("an object").clone());
    scene.post("/webhooks", body, 201)["id"].as_str().expect("an id").to_owned()
}

/// A webhook as the guide shows it; the secret stands in the reply to create only.
fn shown(url: &str, events: &[&str], secret: Option<&str>) -> Value {
    let mut shown = json!({"id": "<webhook_>", "url": url, "events": events, "active": true});
    let fields = shown.as_object_mut().expect("an object");
    fields.extend(secret.map(|secret| ("secret".to_owned(), json!(secret))));
    let rest = json!({"created_at": "<time>", "last_delivery": null, "delivery_count": 0, "failure_count": 0});
    fields.extend(rest.as_object().expect("an object").clone());
    shown
}

fn page(total: u64, limit: u64, offset: u64) -> Value {
    json!({"total": total, "limit": limit, "offset": offset})
}

#[test]
fn the_calls_are_as_the_guide_shows_them() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("cathcr.mjs", SECRET);
    let body = r#"{
      "url": "https://your-app.com/webhooks/cathcr",
      "events": [
        "thought.created",
        "thought.updated",
        "reminder.due"
      ],
      "secret": "your_webhook_secret",
      "active": true,
      "description": "Main application webhook"
    }"#;
    let body = body.replace("https://your-app.com/webhooks/cathcr", &endpoint.url(PATH));
    let made = scene.client.request("POST", "/webhooks", body.as_bytes());
    assert_eq!(made.status, 201);
    let events = ["thought.created", "thought.updated", "reminder.due"];
    let described = |mut shown: Value| {
        shown["description"] = json!("Main application webhook");
        shown
    };
    assert_like(&made.json(), &described(shown(&endpoint.url(PATH), &events, Some(SECRET))));
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/webhooks/{id}");
    let without = described(shown(&endpoint.url(PATH), &events, None));
    assert_like(&scene.get("/webhooks"), &json!({"webhooks": [without], "pagination": page(1, 20, 0)}));
    assert_like(&scene.get(&path), &without);

    let changed =
        scene.ask("PATCH", &path, json!({"events": ["thought.created", "reminder.due"], "active": false}), 200);
    assert_eq!((&changed["events"], &changed["active"]), (&json!(["thought.created", "reminder.due"]), &json!(false)));
    assert_eq!(changed.get("secret"), None);
    assert_eq!(scene.ask("PATCH", &path, json!({"active": true}), 200)["active"], true);

    let test = scene.post(&format!("{path}/test"), json!({"event": "thought.created"}), 202);
    let ids = json!({"event_id": "<uuid>", "event_type": "thought.created", "delivery_id": "<delivery_>"});
    assert_like(&test, &tested(ids, "OK"));
    let got = endpoint.next().verified();
    let thought = json!({
        "id": "thought_456", "content": "This is a new thought", "category_id": "cat_123",
        "category": {"id": "cat_123", "name": "Work", "color": "#3B82F6"}, "tags": ["important"],
        "created_at": "2024-01-15T10:30:00Z", "processing_status": "pending",
    });
    let envelope = json!({
        "event": "thought.created", "timestamp": "<time>", "data": {"thought": thought, "user_id": "user_123"},
        "webhook_id": id,
    });
    assert_like(&got.json(), &envelope);
    assert_eq!(got.said, ["Thought Created user_123 Work true"]);
    let uuid = got.header("x-cathcr-delivery");
    assert!(is_uuid(uuid));
    assert_eq!(test["delivery_id"].as_str().expect("an id"), format!("delivery_{}", uuid.replace('-', "")));

    // No type, and no exact one in the filter: the catalogue's first that the webhook wants.
    scene.ask("PATCH", &path, json!({"events": ["reminder.*"]}), 200);
    assert_eq!(scene.ask("POST", &format!("{path}/test"), Value::Null, 202)["event_type"], "reminder.created");
    assert_eq!(endpoint.next().verified().header("x-cathcr-event"), "reminder.created");

    assert_eq!(scene.client.request("DELETE", &path, b"").status, 204);
    assert_eq!(scene.client.get(&path).status, 404);
    assert_eq!(scene.get("/webhooks"), json!({"webhooks": [], "pagination": page(0, 20, 0)}));
    let generated = scene.post("/webhooks", json!({"url": "https://your-app.com/", "events": ["*"]}), 201);
    assert!(generated["secret"].as_str().is_some_and(|secret| secret.len() >= 32), "{generated}");
    let stranger = Client::new(scene.server.address, "nobody's").get("/webhooks");
    assert_eq!((stranger.status, &stranger.json()["error"]["code"]), (401, &json!("unauthorized")));
}

#[test]
fn lists_come_in_pages_by_offset() {
    let Some(mut scene) = Scene::start() else { return };
    for n in 0..23 {
        scene.post("/webhooks", json!({"url": format!("https://your-app.com/{n}"), "events": ["*"]}), 201);
    }
    let urls = |reply: &Value| -> Vec<String> {
        let all = reply["webhooks"].as_array().expect("a list");
        all.iter().map(|webhook| webhook["url"].as_str().expect("a URL").to_owned()).collect()
    };
    let first = scene.get("/webhooks");
    assert_eq!((urls(&first).len(), &first["pagination"]), (20, &page(23, 20, 0)));
    let rest = scene.get("/webhooks?offset=20");
    assert_eq!(urls(&rest), ["https://your-app.com/2", "https://your-app.com/1", "https://your-app.com/0"]);
    assert_eq!(rest["pagination"], page(23, 20, 20));
    let two = scene.get("/webhooks?limit=2&offset=1");
    assert_eq!((urls(&two), &two["pagination"]), (urls(&first)[1..3].to_vec(), &page(23, 2, 1)));
    assert_eq!(scene.get("/webhooks?offset=10000")["webhooks"], json!([]));
    for beyond in [10_001, u64::MAX] {
        let empty = scene.get(&format!("/webhooks?offset={beyond}"));
        assert_like(&empty, &json!({"webhooks": [], "pagination": page(23, 20, beyond)}));
    }
    for (query, field) in
        [("offset=-1", "offset"), ("offset=1e3", "offset"), ("limit=0", "limit"), ("cursor=x", "cursor")]
    {
        let reply = scene.ask("GET", &format!("/webhooks?{query}"), Value::Null, 400);
        let error = json!({"code": "invalid_field", "message": "<text>", "field": field});
        assert_like(&reply, &json!({ "error": error }));
    }
}

#[test]
fn an_event_arrives_with_the_guides_headers_and_is_listed() {
    let Some(mut scene) = Scene::start() else { return };
    let (python, node) = (scene.endpoint("cathcr.py", SECRET), scene.endpoint("cathcr.mjs", SECRET));
    let id = create(&mut scene, &python, json!({}));
    let other = create(&mut scene, &node, json!({}));
    let data = r#"{"n":9007199254740993,"2":1.0,"1":"\u00fc"}"#;
    let event = format!(r#"{{"type":"reminder.due","created_at":"2024-01-20T14:00:00Z","data":{data}}}"#);
    let reply = scene.publish_text(&event);
    assert_eq!(reply.get("warnings"), None, "its receivers take raw bytes, so every number goes out exactly");
    for (endpoint, id) in [(&python, &id), (&node, &other)] {
        let got = endpoint.next().verified();
        let body = format!(
            r#"{{"event":"reminder.due","timestamp":"2024-01-20T14:00:00Z","data":{{"1":"ü","2":1,"n":9007199254740993}},"webhook_id":"{id}"}}"#
        );
        assert_eq!(got.body, body);
        assert_eq!(got.header("user-agent"), "Cathcr-Webhooks/1.0");
        assert_eq!(got.header("content-type"), "application/json");
        assert_eq!(got.header("x-cathcr-event"), "reminder.due");
        let delivery = scene.delivery_of(reply["data"]["id"].as_str().expect("an id"), id);
        assert_eq!(got.header("x-cathcr-delivery"), delivery);
        scene.delivery_in(&delivery, "succeeded");
    }

    let row = |event: &str| {
        json!({
            "id": "<delivery_>", "timestamp": "<time>", "event": event, "status_code": 200,
            "response_time": "<count>", "attempt": 1, "success": true,
        })
    };
    let rows = scene.get(&format!("/webhooks/{id}/deliveries"));
    assert_like(&rows, &json!({"deliveries": [row("reminder.due")], "pagination": page(1, 20, 0)}));
    let logs = scene.get(&format!("/webhooks/{id}/logs?limit=50"));
    assert_eq!(logs["deliveries"], rows["deliveries"]);
    assert_eq!(logs["pagination"], page(1, 50, 0));

    let delivery = rows["deliveries"][0]["id"].as_str().expect("an id").to_owned();
    let replay = scene.ask("POST", &format!("/webhooks/{id}/replay/{delivery}"), Value::Null, 202);
    assert_like(&replay, &json!({"delivery_id": "<delivery_>", "replay_of": delivery}));
    let got = python.next().verified();
    assert_eq!(got.json()["data"]["1"], "ü");
    assert_eq!(replay["delivery_id"], format!("delivery_{}", got.header("x-cathcr-delivery").replace('-', "")));
    assert_ne!(replay["delivery_id"], delivery.as_str(), "a delivery of its own");
    let none = format!("/webhooks/{id}/replay/delivery_00000000000000000000000000000000");
    assert_eq!(scene.ask("POST", &none, Value::Null, 404)["error"]["code"], "not_found");
    let second =
        scene.until(&format!("/webhooks/{id}/deliveries?limit=1&offset=1"), |reply| reply["pagination"]["total"] == 2);
    assert_eq!(second["deliveries"][0]["id"], delivery.as_str(), "newest first");
    let counted = scene.until(&format!("/webhooks/{id}"), |webhook| webhook["delivery_count"] == 2);
    assert_eq!((&counted["failure_count"], counted["last_delivery"].is_string()), (&json!(0), true));
}

#[test]
fn what_fails_is_tried_again_on_the_guides_schedule_and_then_the_webhook_is_disabled() {
    assert_eq!(delays("cathcr"), [0, 5 * 60, 15 * 60, 60 * 60, 6 * 60 * 60, 24 * 60 * 60]);
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("cathcr.py", SECRET);
    let id = create(&mut scene, &endpoint, json!({"secret": "another secret"}));
    let path = format!("/webhooks/{id}");
    let event = scene.publish(json!({"type": "thought.deleted", "data": {"n": 1}}));
    let waiting = scene.delivery_of(&event, &id);
    let (first, second) = (endpoint.next(), endpoint.next());
    assert_eq!((first.status, second.status), (401, 401), "the first retry follows at once");
    assert_eq!(first.header("x-cathcr-delivery"), second.header("x-cathcr-delivery"), "stable over retries");
    retries_after(&scene.delivery_after(&waiting, 2), 300);
    let failed = json!({
        "id": "<delivery_>", "timestamp": "<time>", "event": "thought.deleted", "status_code": 401,
        "response_time": "<count>", "attempt": 2, "success": false, "error": "the endpoint answered 401",
    });
    assert_like(&scene.get(&format!("{path}/deliveries"))["deliveries"], &json!([failed]));
    assert_eq!(scene.get(&path)["failure_count"], 2, "failed attempts");

    // "After 5 failed attempts, the webhook is automatically disabled."
    scene.ask("PATCH", &path, json!({"retry": at_once(6)}), 200);
    let event = scene.publish(json!({"type": "thought.deleted", "data": {"n": 2}}));
    let delivery = scene.delivery_of(&event, &id);
    assert_eq!(scene.delivery_held_after(&delivery, 5)["attempts"].as_array().expect("attempts").len(), 5);
    for _ in 0..5 {
        assert_eq!(endpoint.next().status, 401);
    }
    let disabled = scene.get(&path);
    assert_eq!(disabled["active"], false);
    assert!(disabled["disabled_reason"].as_str().is_some_and(|why| why.contains("failed 5 times")), "{disabled}");
    let event = scene.publish(json!({"type": "thought.deleted", "data": {"n": 3}}));
    let held = scene.delivery_of(&event, &id);
    assert_eq!(scene.get(&format!("/api/v1/deliveries/{held}"))["data"]["state"], "held");
    endpoint.has_no_more();
    scene.ask("PATCH", &path, json!({"active": true, "secret": SECRET}), 200);
    for delivery in [&delivery, &held] {
        scene.delivery_in(delivery, "succeeded");
    }
}

#[test]
fn the_health_check_calls_the_endpoint_as_the_guide_does() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("cathcr.py", SECRET);
    let curl = r#"curl -X POST https://your-app.com/webhooks/cathcr \
  -H "Content-Type: application/json" \
  -H "X-Cathcr-Signature-256: sha256=test" \
  -d '{"test": true}'"#;
    let (status, _) = scene.shell(curl, &[("https://your-app.com/webhooks/cathcr", &endpoint.url(PATH))]);
    let by_hand = endpoint.next();
    assert_eq!((status, by_hand.status), (401, 401));

    let id = create(&mut scene, &endpoint, json!({}));
    let report = scene.ask("POST", &format!("/webhooks/{id}/check"), Value::Null, 200);
    let got = endpoint.next();
    assert_eq!(got.body, by_hand.body);
    for name in ["content-type", "x-cathcr-signature-256"] {
        assert_eq!(got.header(name), by_hand.header(name));
    }
    let found = json!({
        "reachable": true, "tls": "none", "status_code": 401, "response_time_ms": "<count>", "error": null,
    });
    assert_like(&report, &found);
    assert_eq!(scene.get(&format!("/webhooks/{id}/deliveries"))["pagination"]["total"], 0, "it is no delivery");
    drop(endpoint);
    let report = scene.ask("POST", &format!("/webhooks/{id}/check"), Value::Null, 200);
    let found = json!({
        "reachable": false, "tls": null, "status_code": null, "response_time_ms": "<count>", "error": "<text>",
    });
    assert_like(&report, &found);
}
