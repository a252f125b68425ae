//! The taskflow guide.

use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::like::{assert_like, tested};
use crate::scene::{Scene, at_once, delays, retries_after};
use crate::support::{Answer, Client, Receiver};

/// What the guide's Flask receiver has in its code.
const SECRET: &str = "your_webhook_secret";
const PATH: &str = "/webhooks/taskflow";

/// Creates a webhook for all events with these settings too; its id.
fn create(scene: &mut Scene, url: &str, settings: Value) -> String {
    let mut body = json!({"url": url, "events": ["*"], "secret": SECRET});
    body.as_object_mut().expect("an object").extend(settings.as_object().expect("an object").clone());
    scene.post("/v2/webhooks", body, 201)["id"].as_str().expect("an id").to_owned()
}

#[test]
fn the_calls_are_as_the_guide_shows_them() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("taskflow.py", SECRET);
    let body = r#"{
      "url": "https://yourapp.com/webhooks/taskflow",
      "events": ["task.created", "task.updated", "task.completed"],
      "secret": "your_generated_secret_key",
      "enabled": true
    }"#;
    let body = body.replace("https://yourapp.com/webhooks/taskflow", &endpoint.url(PATH));
    let made = scene.client.request("POST", "/v2/webhooks", body.as_bytes());
    assert_eq!(made.status, 201);
    let mut shown = json!({
        "id": "<wh_>", "url": endpoint.url(PATH), "events": ["task.created", "task.updated", "task.completed"],
        "enabled": true, "created_at": "<time>", "last_triggered": null, "delivery_success_rate": 0.0,
    });
    assert_like(&made.json(), &shown);
    assert!(made.message.body.ends_with(br#""delivery_success_rate":0.0}"#), "0.0 as the guide has it");
    let path = format!("/v2/webhooks/{}", made.json()["id"].as_str().expect("an id"));
    assert_like(&scene.get("/v2/webhooks"), &json!({ "data": [shown] }));
    assert_like(&scene.get(&path), &shown);

    assert_eq!(scene.ask("PUT", &path, json!({"enabled": false}), 200)["enabled"], false);
    let changed = scene.ask("PATCH", &path, json!({"enabled": true, "secret": SECRET}), 200);
    assert_like(&changed, &shown);

    let test = scene.post(&format!("{path}/test"), json!({"event_type": "task.created"}), 202);
    let id = test["delivery_id"].as_str().expect("an id").to_owned();
    let ids = json!({"event_id": "<evt_>", "event_type": "task.created", "delivery_id": id});
    assert_like(&test, &tested(ids, "OK"));
    let got = endpoint.next().verified();
    assert_eq!(got.header("x-taskflow-delivery-id"), id);
    assert_eq!(got.header("x-taskflow-event"), "task.created");
    let body = got.json();
    let data = &body["data"];
    let envelope = json!({
        "id": test["event_id"], "type": "task.created", "timestamp": "<time>", "data": data,
        "metadata": {"account_id": "default", "triggered_by": "user_456"},
    });
    assert_like(&body, &envelope);
    for (field, value) in
        [("id", "task_abc123"), ("title", "Deploy to production"), ("status", "open"), ("priority", "high")]
    {
        assert_eq!(data[field], value);
    }
    assert_eq!(got.said, ["New task: Deploy to production"]);

    let tried = scene.until(&path, |webhook| !webhook["last_triggered"].is_null());
    shown["last_triggered"] = json!("<time>");
    shown["delivery_success_rate"] = json!(1.0);
    assert_like(&tried, &shown);
    assert_eq!(scene.client.request("DELETE", &path, b"").status, 204);
    assert_eq!(scene.client.get(&path).status, 404);
    let stranger = Client::new(scene.server.address, "nobody's").get("/v2/webhooks");
    assert_eq!((stranger.status, &stranger.json()["error"]["code"]), (401, &json!("unauthorized")));
}

#[test]
fn an_event_arrives_byte_for_byte_and_each_attempt_is_listed() {
    let Some(mut scene) = Scene::start() else { return };
    let (python, node) = (scene.endpoint("taskflow.py", SECRET), scene.endpoint("taskflow.mjs", SECRET));
    let retry = json!({"delays": [0], "jitter_percent": 0});
    let wrong = create(&mut scene, &python.url(PATH), json!({"secret": "wrong", "retry": retry}));
    let right = create(&mut scene, &node.url(PATH), json!({"events": ["task.*"]}));
    let data = r#"{"title":"x \u00fc","2":1.0,"1":9007199254740993,"huge":1e400,"list":[1.50,-0]}"#;
    let event = format!(
        r#"{{"type":"task.updated","created_at":"2024-02-10T16:45:22Z","data":{data},
            "actor":{{"user_id":"user_9"}},"metadata":{{"account_id":"mine","source":"import"}}}}"#
    );
    let reply = scene.publish_text(&event);
    assert_eq!(reply.get("warnings"), None, "its receivers take raw bytes, so every number goes out exactly");
    let id = reply["data"]["id"].as_str().expect("an id").replace('-', "");
    let sent = format!(
        r#"{{"id":"evt_{id}","type":"task.updated","timestamp":"2024-02-10T16:45:22Z","data":{{"1":9007199254740993,"2":1,"title":"x ü","huge":1e400,"list":[1.5,0]}},"metadata":{{"account_id":"default","source":"import","triggered_by":"user_9"}}}}"#
    );
    let got = node.next().verified();
    assert_eq!(got.body, sent);
    assert_eq!((got.header("content-type"), got.method.as_str()), ("application/json", "POST"));
    let (first, second) = (python.next(), python.next());
    assert_eq!((first.status, second.status), (401, 401));
    // "Unique delivery attempt ID": the delivery's, and the attempt's number.
    let [one, two] = [&first, &second].map(|got| got.header("x-taskflow-delivery-id").to_owned());
    let delivery = one.strip_suffix("_1").expect("the first attempt").to_owned();
    assert_like(&json!(delivery), &json!("<del_>"));
    assert_eq!(two, format!("{delivery}_2"));
    assert_eq!(first.body, second.body, "the event's id tells duplicates apart");
    for id in [&one, &two, &delivery] {
        let shown = scene.get(&format!("/api/v1/deliveries/{id}"));
        assert_eq!(shown["data"]["id"].as_str().expect("an id").replace('-', ""), delivery["del_".len()..]);
    }

    let deliveries = format!("/v2/webhooks/{wrong}/deliveries");
    let rows = scene.until(&deliveries, |reply| reply["data"].as_array().is_some_and(|rows| rows.len() == 2));
    let row = |attempt: u8| {
        json!({
            "id": format!("{delivery}_{attempt}"), "event_id": format!("evt_{id}"),
            "event_type": "task.updated", "timestamp": "<time>", "attempt": attempt, "status_code": 401,
            "response_time_ms": "<count>", "success": false, "error": "the endpoint answered 401",
        })
    };
    assert_like(&rows, &json!({ "data": [row(2), row(1)] }));
    let page = scene.get(&format!("{deliveries}?limit=1"));
    assert_like(&page, &json!({"data": [row(2)], "cursor": "<text>"}));
    let rest = scene.get(&format!("{deliveries}?limit=1&cursor={}", page["cursor"].as_str().expect("a cursor")));
    assert_like(&rest, &json!({ "data": [row(1)] }));
    let path = format!("/v2/webhooks/{right}/deliveries");
    let rows = scene.until(&path, |reply| reply["data"].as_array().is_some_and(|rows| rows.len() == 1));
    assert_eq!((&rows["data"][0]["success"], rows["data"][0].get("error")), (&json!(true), None));
}

#[test]
fn what_fails_is_tried_again_on_the_guides_schedule_and_then_deliveries_stop() {
    assert_eq!(delays("taskflow"), [5, 30, 5 * 60, 60 * 60, 6 * 60 * 60]);
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("taskflow.py", SECRET);
    let id = create(&mut scene, &endpoint.url(PATH), json!({"secret": "wrong"}));
    let path = format!("/v2/webhooks/{id}");
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 1}}));
    let waiting = scene.delivery_of(&event, &id);
    for (attempts, seconds) in [(1, 5), (2, 30)] {
        assert_eq!(endpoint.next().status, 401);
        retries_after(&scene.delivery_after(&waiting, attempts), seconds);
    }

    scene.ask("PATCH", &path, json!({"retry": at_once(5)}), 200);
    // "After 5 failed attempts, the webhook is marked as failed and deliveries stop."
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 2}}));
    let delivery = scene.delivery_of(&event, &id);
    assert_eq!(scene.delivery_held_after(&delivery, 5)["attempts"].as_array().expect("attempts").len(), 5);
    for _ in 0..5 {
        assert_eq!(endpoint.next().status, 401);
    }
    let shown = scene.get(&path);
    assert_eq!((&shown["enabled"], &shown["delivery_success_rate"]), (&json!(false), &json!(0.0)));
    assert!(shown["disabled_reason"].as_str().is_some_and(|why| why.contains("failed 5 times")), "{shown}");
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 3}}));
    let held = scene.delivery_of(&event, &id);
    assert_eq!(scene.get(&format!("/api/v1/deliveries/{held}"))["data"]["state"], "held");
    endpoint.has_no_more();
    // Nothing is lost: the retry that was left is made, and what came meanwhile goes out.
    scene.ask("PATCH", &path, json!({"enabled": true, "secret": SECRET}), 200);
    for delivery in [&delivery, &held] {
        scene.delivery_in(delivery, "succeeded");
    }
    scene.ask("PATCH", &path, json!({"enabled": false}), 200);

    // The other reading is a setting: five retries, and the delivery is dead.
    let settings = json!({"secret": "wrong", "retry": at_once(5)});
    let id = create(&mut scene, &endpoint.url(PATH), settings);
    let rule = json!({"disable": {"after": "deliveries"}});
    let path = format!("/api/v1/webhooks/{id}");
    let shown = scene.ask("PATCH", &path, rule, 200);
    assert_eq!(shown["data"]["disable"]["after"], "deliveries");
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 4}}));
    let delivery = scene.delivery_of(&event, &id);
    assert_eq!(scene.delivery_in(&delivery, "dead")["attempts"].as_array().expect("attempts").len(), 6);
    let why = scene.get(&path)["data"]["status_reason"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("used up its retries"), "{why}");
    let wrong = scene.ask("PATCH", &path, json!({"disable": {"after": "attempts"}}), 400);
    assert_eq!(wrong["error"]["field"], "disable.failures");
}

#[test]
fn the_guides_limits_hold() {
    let Some(mut scene) = Scene::start() else { return };
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let big = create(&mut scene, &receiver.url("/big"), json!({"events": ["big"]}));
    let many = create(&mut scene, &receiver.url("/many"), json!({"events": ["many"]}));
    for _ in 0..8 {
        create(&mut scene, "https://example.com/", json!({}));
    }
    let eleventh = scene.post("/v2/webhooks", json!({"url": "https://example.com/", "events": ["*"]}), 409);
    let error = json!({"code": "webhook_limit", "message": "<text>"});
    assert_like(&eleventh, &json!({ "error": error }));

    // The body that is sent: an envelope around the data.
    let data = |bytes: usize| Value::String("x".repeat(bytes));
    let fits = scene.publish(json!({"type": "big", "data": data(9_999_000)}));
    let delivery = scene.delivery_of(&fits, &big);
    scene.delivery_in(&delivery, "succeeded");
    assert_eq!(receiver.next().path, "/big");
    let over = scene.publish_text(&json!({"type": "big", "data": data(10_000_000)}).to_string());
    let warnings = over["warnings"].to_string();
    let uuid = uuid::Uuid::try_parse(big.trim_start_matches("wh_")).expect("an id").to_string();
    assert!(warnings.contains(&uuid) && warnings.contains("taskflow allows 10000000"), "{warnings}");
    let delivery = scene.delivery_of(over["data"]["id"].as_str().expect("an id"), &big);
    let ended = scene.delivery_in(&delivery, "cancelled");
    assert_eq!(ended["attempts"][0]["outcome"], "too_large", "{ended}");
    assert!(ended["reason"].to_string().contains("10000000"), "it says which limit: {ended}");
    assert_eq!(scene.get(&format!("/v2/webhooks/{big}"))["delivery_success_rate"], 1.0, "it does not count");

    // 1,000 first attempts on a day; what is over waits.
    let batch: Vec<Value> = (0..1000).map(|n| json!({"type": "many", "id": format!("m-{n}"), "data": n})).collect();
    scene.publish_text(&Value::Array(batch).to_string());
    for _ in 0..1000 {
        assert_eq!(receiver.next().path, "/many");
    }
    let path = format!("/api/v1/webhooks/{many}");
    scene.until(&path, |reply| reply["data"]["succeeded"] == 1000);
    let over = scene.publish(json!({"type": "many", "data": "over"}));
    let waiting = scene.delivery_of(&over, &many);
    let shown = scene.get(&path);
    assert_eq!((&shown["data"]["open"], &shown["data"]["status"]), (&json!(1), &json!("active")), "visible: {shown}");
    let delivery = scene.get(&format!("/api/v1/deliveries/{waiting}"));
    assert_eq!((&delivery["data"]["state"], &delivery["data"]["attempts"]), (&json!("pending"), &json!([])));
    let next = delivery["data"]["next_attempt_at"].as_str().unwrap_or_default();
    assert!(next.ends_with("T00:00:00.000Z"), "it waits for midnight, UTC: {delivery}");
    // What a person asks for does not wait.
    let test = scene.post(&format!("/v2/webhooks/{many}/test"), json!({"event_type": "many"}), 202);
    assert_eq!((&test["success"], &test["status_code"]), (&json!(true), &json!(200)));
    assert_eq!(receiver.next().path, "/many");
}

#[test]
fn more_can_be_set_than_the_guide_shows() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoint: Endpoint = scene.endpoint("taskflow.py", SECRET);
    let extras = json!({
        "name": "Main", "description": "What it is for", "headers": {"X-Key": "v"},
        "retry": {"delays": [1, 2], "jitter_percent": 0}, "rate_limit": {"per_second": 5, "per_minute": null, "burst": 5}, "timeout": 3,
        "max_in_flight": 2,
    });
    let id = create(&mut scene, &endpoint.url(PATH), extras.clone());
    let shown = scene.get(&format!("/v2/webhooks/{id}"));
    for (name, value) in extras.as_object().expect("an object") {
        assert_eq!(&shown[name], value, "{name}");
    }
    scene.publish(json!({"type": "comment.created", "data": {}}));
    assert_eq!(endpoint.next().verified().header("x-key"), "v");
    let reply = scene.ask("PATCH", &format!("/v2/webhooks/{id}"), json!({"name": null, "headers": null}), 200);
    assert_eq!((reply.get("name"), reply.get("headers")), (None, None));
}
