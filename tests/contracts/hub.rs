//! The hub guide.

use serde_json::{Value, json};

use crate::like::assert_like;
use crate::scene::{Scene, at_once, delays, retries_after};
use crate::support::{Answer, Client, Receiver};

const SECRET: &str = "your-secret-key";

/// Creates a webhook for all events with these settings too; its id.
fn create(scene: &mut Scene, url: &str, settings: Value) -> String {
    let mut body = json!({"name": "Mine", "url": url, "events": ["*"], "secret": SECRET});
    body.as_object_mut().expect("an object").extend(settings.as_object().expect("an object").clone());
    scene.post("/api/webhooks", body, 201)["id"].as_str().expect("an id").to_owned()
}

fn shown(name: &str, url: &str, events: Value, test_mode: bool) -> Value {
    json!({
        "id": "<uuid>", "name": name, "url": url, "events": events, "testMode": test_mode, "enabled": true,
        "status": "active", "createdAt": "<time>", "updatedAt": "<time>", "lastDeliveryAt": null, "successRate": 0.0,
    })
}

#[test]
fn the_calls_are_as_the_guide_prints_them() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("hub.mjs", SECRET);
    let (host, url) = (scene.server.url(""), endpoint.url("/webhook"));
    let replaced = [
        ("https://api.example.com", host.as_str()),
        ("your-token", scene.server.key),
        ("https://your-domain.com/webhook", url.as_str()),
    ];
    let register = r#"curl -X POST https://api.example.com/api/webhooks \
  -H "Authorization: Bearer your-token" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "My Webhook",
    "url": "https://your-domain.com/webhook",
    "events": ["task.completed", "task.updated"],
    "secret": "your-secret-key"
  }'"#;
    let (status, made) = scene.shell(register, &replaced);
    assert_eq!(status, 201, "{made}");
    let expected = shown("My Webhook", &url, json!(["task.completed", "task.updated"]), false);
    assert_like(&made, &expected);
    let id = made["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/webhooks/{id}");
    assert_like(&scene.get("/api/webhooks"), &json!({ "data": [expected] }));
    assert_like(&scene.get(&path), &expected);

    let send = r#"curl -X POST https://api.example.com/api/webhooks/{webhook-id}/test \
  -H "Authorization: Bearer your-token" \
  -H "Content-Type: application/json" \
  -d '{
    "taskId": "123",
    "status": "completed"
  }'"#;
    let replaced = [replaced[0], replaced[1], ("{webhook-id}", id.as_str())];
    let (status, test) = scene.shell(send, &replaced);
    assert_eq!(status, 202, "{test}");
    assert_eq!(test["eventType"], "task.completed", "the webhook's first exact type");
    let got = endpoint.next().verified();
    assert_eq!(got.body, r#"{"taskId":"123","status":"completed"}"#);
    assert_eq!(got.header("x-event-type"), "task.completed");
    assert_eq!(got.header("x-webhook-id"), id);
    assert_eq!(got.header("x-delivery-id"), test["deliveryId"].as_str().expect("an id"));
    scene.ask("POST", &format!("{path}/test"), Value::Null, 202);
    assert_like(&endpoint.next().verified().json(), &json!({"taskId": "123", "completedAt": "<time>"}));

    let changed = scene.ask("PUT", &path, json!({"name": "Other", "events": ["system.*"]}), 200);
    assert_eq!((&changed["name"], &changed["events"]), (&json!("Other"), &json!(["system.*"])));
    assert_eq!(scene.ask("PATCH", &path, json!({"enabled": false}), 200)["enabled"], false);
    assert_eq!(scene.client.request("DELETE", &path, b"").status, 204);
    assert_eq!(scene.client.get(&path).status, 404);
    let stranger = Client::new(scene.server.address, "nobody's").get("/api/webhooks");
    assert_eq!((stranger.status, &stranger.json()["error"]["code"]), (401, &json!("unauthorized")));
}

#[test]
fn a_webhook_in_test_mode_gets_test_events_only() {
    let Some(mut scene) = Scene::start() else { return };
    let testing = scene.endpoint("hub.mjs", "test-secret");
    let (host, url) = (scene.server.url(""), testing.url("/webhook"));
    let register = r#"curl -X POST https://api.example.com/api/webhooks \
  -H "Authorization: Bearer your-token" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "Test Webhook",
    "url": "https://your-domain.com/webhook",
    "events": ["task.completed"],
    "secret": "test-secret",
    "testMode": true
  }'"#;
    let replaced = [
        ("https://api.example.com", host.as_str()),
        ("your-token", scene.server.key),
        ("https://your-domain.com/webhook", url.as_str()),
    ];
    let (status, made) = scene.shell(register, &replaced);
    assert_eq!(status, 201, "{made}");
    assert_like(&made, &shown("Test Webhook", &url, json!(["task.completed"]), true));
    let live = scene.endpoint("hub.mjs", SECRET);
    create(&mut scene, &live.url("/webhook"), json!({}));

    let event = |n: u8| json!({"type": "task.completed", "data": {"n": n}});
    scene.publish(event(1));
    assert_eq!(live.next().verified().body, r#"{"n":1}"#);
    let mut test = event(2);
    test["test"] = json!(true);
    scene.publish(test);
    assert_eq!(testing.next().verified().body, r#"{"n":2}"#);
    let path = format!("/api/webhooks/{}", made["id"].as_str().expect("an id"));
    scene.post(&format!("{path}/test"), json!({"n": 3}), 202);
    assert_eq!(testing.next().verified().body, r#"{"n":3}"#);
    assert_eq!(scene.ask("PATCH", &path, json!({"testMode": false}), 200)["testMode"], false);
    scene.publish(event(4));
    assert_eq!(testing.next().verified().body, r#"{"n":4}"#);
    assert_eq!(live.next().verified().body, r#"{"n":4}"#);
    live.has_no_more();
}

#[test]
fn the_body_is_the_data_and_the_history_tells_all_of_it() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("hub.mjs", SECRET);
    let id = create(&mut scene, &endpoint.url("/webhook"), json!({}));
    let path = format!("/api/webhooks/{id}");
    let data = r#"{"taskId":"123","2":1.0,"1":[1e16,"\u00e9"],"big":12345678901234567890,"huge":1e400}"#;
    let reply = scene.publish_text(&format!(r#"{{"type":"task.updated","data":{data}}}"#));
    let warnings = json!([
        "data.big is a number that JavaScript cannot hold; hub webhooks get 12345678901234567000",
        "data.huge is a number that JavaScript cannot hold; hub webhooks get null",
    ]);
    assert_eq!(reply["warnings"], warnings, "each is told as what it becomes");
    let got = endpoint.next().verified();
    assert_eq!(
        got.body,
        r#"{"1":[10000000000000000,"é"],"2":1,"taskId":"123","big":12345678901234567000,"huge":null}"#
    );
    assert_eq!((got.header("content-type"), got.method.as_str()), ("application/json", "POST"));
    let event = reply["data"]["id"].as_str().expect("an id").to_owned();
    let delivery = got.header("x-delivery-id").to_owned();
    scene.delivery_in(&delivery, "succeeded");
    let entry = |attempt: u8, status: u16, error: Value| {
        json!({
            "attempt": attempt, "timestamp": "<time>", "statusCode": status, "responseTimeMs": "<count>",
            "success": status == 200, "error": error,
        })
    };
    let row = json!({
        "id": delivery, "eventId": event, "eventType": "task.updated", "status": "succeeded", "statusCode": 200,
        "responseTimeMs": "<count>", "attempts": 1, "error": null, "payload": "seen",
        "attemptLog": [entry(1, 200, Value::Null)], "createdAt": "<time>", "nextAttemptAt": null,
    });
    let mut rows = scene.get(&format!("{path}/deliveries"));
    let payload = std::mem::replace(&mut rows["data"][0]["payload"], json!("seen"));
    assert_eq!((&payload["taskId"], &payload["huge"]), (&json!("123"), &Value::Null));
    assert_like(&rows, &json!({ "data": [row] }));

    // A failing one: the errors, the attempts so far, and when the next is due.
    scene.ask(
        "PATCH",
        &path,
        json!({"secret": "another-secret", "retry": {"delays": [0, 900], "jitter_percent": 0}}),
        200,
    );
    let event = scene.publish(json!({"type": "task.deleted", "data": {"taskId": "123"}}));
    let delivery = scene.delivery_of(&event, &id);
    scene.delivery_after(&delivery, 2);
    let why = json!("the endpoint answered 401");
    let failing = json!({
        "id": delivery, "eventId": event, "eventType": "task.deleted", "status": "scheduled", "statusCode": 401,
        "responseTimeMs": "<count>", "attempts": 2, "error": why, "payload": {"taskId": "123"},
        "attemptLog": [entry(1, 401, why.clone()), entry(2, 401, why)], "createdAt": "<time>",
        "nextAttemptAt": "<time>",
    });
    let page = scene.get(&format!("{path}/deliveries?limit=1"));
    assert_like(&page, &json!({"data": [failing], "cursor": "<text>"}));
}

#[test]
fn what_fails_is_tried_again_on_the_guides_schedule_as_often_as_is_set() {
    assert_eq!(delays("hub"), [5, 25, 125]);
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("hub.mjs", SECRET);
    let id = create(&mut scene, &endpoint.url("/webhook"), json!({"secret": "another-secret"}));
    let path = format!("/api/webhooks/{id}");
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 1}}));
    let delivery = scene.delivery_of(&event, &id);
    for (attempts, seconds) in [(1, 5), (2, 25)] {
        let got = endpoint.next();
        assert_eq!((got.status, got.header("x-delivery-id")), (401, delivery.as_str()), "stable over retries");
        retries_after(&scene.delivery_after(&delivery, attempts), seconds);
    }

    assert_eq!(scene.get(&path).get("maxRetries"), None, "the contract's own");
    let ten = scene.ask("PATCH", &path, json!({"maxRetries": 10}), 200);
    assert_eq!(ten["maxRetries"], 10);
    assert_eq!(ten["retry"]["delays"], json!([5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 2592000]));
    let reply = scene.ask("PATCH", &path, json!({"maxRetries": 11}), 400);
    assert_eq!(reply["error"]["field"], "maxRetries");
    scene.ask("PATCH", &path, json!({"maxRetries": 0}), 200);
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 2}}));
    let delivery = scene.delivery_of(&event, &id);
    assert_eq!(scene.delivery_in(&delivery, "dead")["attempts"].as_array().expect("attempts").len(), 1);
    scene.ask("PATCH", &path, json!({"retry": at_once(3)}), 200);
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 3}}));
    let delivery = scene.delivery_of(&event, &id);
    assert_eq!(scene.delivery_in(&delivery, "dead")["attempts"].as_array().expect("attempts").len(), 4);
    assert_eq!(scene.get(&path)["enabled"], true, "dead letters are kept; nothing is disabled");
    let replay = scene.ask("POST", &format!("/api/v1/webhooks/{id}/replay/{delivery}"), Value::Null, 202);
    assert_eq!(replay["data"]["replay_of"], delivery.as_str());
}

#[test]
fn an_endpoint_gets_sixty_requests_a_minute_and_the_rest_waits() {
    let Some(mut scene) = Scene::start() else { return };
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let id = create(&mut scene, &receiver.url("/"), json!({}));
    let path = format!("/api/webhooks/{id}");
    let limits = |reply: &crate::support::http::Reply| {
        let number = |name: &str| reply.message.header(name).and_then(|text| text.parse::<u64>().ok());
        ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"].map(|name| number(name).expect(name))
    };
    let of_key = limits(&scene.client.get("/api/webhooks"));
    assert_ne!(of_key[0], 60, "what is about no webhook shows the key's own limit");
    let now = || hookwheel::clock::Clock::real().now() / 1000;
    let none = "/api/webhooks/00000000-0000-7000-8000-000000000000";
    for path in [path.as_str(), none] {
        let [limit, remaining, reset] = limits(&scene.client.get(path));
        assert_eq!((limit, remaining), (60, 60), "an idle one has all of them, and none has no other limit");
        assert!((now().saturating_sub(1)..=now() + 1).contains(&reset), "in Unix seconds: {reset}, now {}", now());
    }

    let started = now();
    for n in 0..61 {
        scene.publish(json!({"type": "task.created", "data": {"n": n}}));
    }
    for _ in 0..60 {
        receiver.next();
    }
    let [_, remaining, reset] = limits(&scene.client.get(&path));
    assert_eq!(remaining, 0);
    assert!((started + 60..=now() + 61).contains(&reset), "a minute after the last: {reset}, now {}", now());
    let events = |scene: &mut Scene| scene.get("/api/v1/events?limit=250")["data"].as_array().expect("a list").len();
    let (before, of_webhook) = (events(&mut scene), format!("/api/v1/webhooks/{id}"));
    for test in [format!("{path}/test"), format!("{of_webhook}/test")] {
        let over = scene.client.request("POST", &test, b"{}");
        assert_eq!((over.status, &over.json()["error"]["code"]), (429, &json!("rate_limited")), "{}", over.json());
        let seconds: u64 = over.message.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
        assert!((1..=60).contains(&seconds), "{seconds}");
    }
    let over = scene.client.request("POST", &format!("{path}/test"), b"{}");
    assert_eq!(limits(&over)[..2], [60, 0]);
    assert_eq!(events(&mut scene), before, "what is refused is not stored");
    // Those over it wait; they are not failed.
    let shown = scene.until(&of_webhook, |reply| {
        reply["data"]["succeeded"] == 60 && reply["data"]["lane"]["waits_for"] == "rate_limited"
    });
    let lane = &shown["data"]["lane"];
    assert_eq!(shown["data"]["open"], 1, "{shown}");
    let until = hookwheel::domain::time::parse(lane["until"].as_str().expect("a time")).expect("a time") / 1000;
    assert!((started + 60..=now() + 60).contains(&until), "no minute sees more: {until}, started {started}");
    assert_eq!((&shown["data"]["attempts"], &shown["data"]["failed_attempts"]), (&json!(60), &json!(0)));
    assert!(receiver.arrived.try_recv().is_err(), "the 61st waits");
}

#[test]
fn a_test_counts_of_the_sixty() {
    let Some(mut scene) = Scene::start() else { return };
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let id = create(&mut scene, &receiver.url("/"), json!({"rateLimit": {"perMinute": 2, "burst": 2}}));
    let path = format!("/api/webhooks/{id}");
    scene.publish(json!({"type": "task.created", "data": {"n": 1}}));
    receiver.next();
    let test = scene.post(&format!("{path}/test"), json!({"n": 2}), 202);
    assert_eq!((&test["success"], &test["statusCode"]), (&json!(true), &json!(200)), "{test}");
    assert_eq!(receiver.next().message.body, br#"{"n":2}"#);
    scene.publish(json!({"type": "task.created", "data": {"n": 3}}));
    let waits = |reply: &Value| reply["data"]["lane"]["waits_for"] == "rate_limited";
    scene.until(&format!("/api/v1/webhooks/{id}"), waits);
    assert!(receiver.arrived.try_recv().is_err(), "the lane knows of the test");
}

#[test]
fn more_can_be_set_than_the_guide_shows_and_what_is_shown_can_be_sent_back() {
    let Some(mut scene) = Scene::start() else { return };
    let extras = json!({
        "description": "What it is for", "headers": {"X-Key_id": "v"}, "timeout": 3, "maxInFlight": 2,
        "retry": {"delays": [1, 2], "jitterPercent": 7}, "rateLimit": {"perMinute": 30, "burst": 5},
    });
    let id = create(&mut scene, "https://your-domain.com/webhook", extras.clone());
    let path = format!("/api/webhooks/{id}");
    let shown = scene.get(&path);
    for (name, value) in extras.as_object().expect("an object").iter().filter(|(name, _)| *name != "rateLimit") {
        assert_eq!(&shown[name], value, "{name}");
    }
    assert_eq!((&shown["rateLimit"]["perMinute"], &shown["rateLimit"]["burst"]), (&json!(30), &json!(5)));
    assert_eq!(shown["maxRetries"], 2);
    let mut again = scene.ask("PUT", &path, shown.clone(), 200);
    again["updatedAt"] = shown["updatedAt"].clone();
    assert_eq!(again, shown);
    let wrong = json!({"retry": {"delays": [1], "jitterPercent": 101}});
    let reply = scene.ask("PATCH", &path, wrong, 400);
    assert_eq!(reply["error"]["field"], "retry.jitterPercent");
    let reply = scene.ask("PATCH", &path, json!({"max_retries": 1}), 400);
    assert_eq!(reply["error"]["field"], "max_retries", "the guide's words only");
}
