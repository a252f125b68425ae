//! The daycopilot guide: an account of this dialect is served by the native API, which holds every field of the guide.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};

use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::like::{assert_like, is_uuid, tested};
use crate::scene::{Scene, at_once, delays, retries_after};
use crate::support::{Answer, Client, DEADLINE, Receiver};

const SECRET: &str = "your-webhook-secret";
const PATH: &str = "/webhooks/daycopilot";

/// A server with an account of this dialect, whose key the client shows.
fn start() -> Option<Scene> {
    let mut scene = Scene::start()?;
    let account = scene.post("/api/v1/accounts", json!({"name": "Day Copilot", "dialect": "daycopilot"}), 201);
    let path = format!("/api/v1/accounts/{}/keys", account["data"]["id"].as_str().expect("an id"));
    let key = scene.post(&path, json!({"scopes": ["publish", "manage", "read"]}), 201);
    scene.client = Client::new(scene.server.address, key["data"]["key"].as_str().expect("a key"));
    Some(scene)
}

/// Registers a webhook as the guide does; its path.
fn register(scene: &mut Scene, endpoint: &Endpoint) -> String {
    let body = json!({"url": endpoint.url(PATH), "events": ["task.*"], "secret": SECRET});
    let made = scene.post("/api/v1/webhooks", body, 201);
    assert_eq!(made["data"]["status"], "active");
    challenged(endpoint);
    format!("/api/v1/webhooks/{}", made["data"]["id"].as_str().expect("an id"))
}

/// Takes in a verification request, which must be as the guide shows it.
#[track_caller]
fn challenged(endpoint: &Endpoint) -> String {
    let got = endpoint.next();
    let challenge = got.json()["challenge"].as_str().expect("a challenge").to_owned();
    assert!(challenge.len() >= 16, "a random text: {challenge}");
    assert_eq!(got.body, format!(r#"{{"type":"webhook.verification","challenge":"{challenge}"}}"#));
    assert!(got.header("x-daycopilot-signature").starts_with("sha256="));
    assert_eq!(got.header("content-type"), "application/json");
    challenge
}

/// What the guide shows of a webhook.
fn guide(webhook: &Value) -> Value {
    let names = ["id", "url", "events", "created_at", "status"];
    Value::Object(names.iter().map(|name| (name.to_string(), webhook[name].clone())).collect())
}

#[test]
fn the_calls_are_as_the_guide_shows_them() {
    let Some(mut scene) = start() else { return };
    let endpoint = scene.endpoint("daycopilot.mjs", SECRET);
    let body = r#"{
      "url": "https://your-app.com/webhooks/daycopilot",
      "events": [
        "task.created",
        "task.updated",
        "task.completed"
      ],
      "secret": "your-webhook-secret"
    }"#;
    let body = body.replace("https://your-app.com/webhooks/daycopilot", &endpoint.url(PATH));
    let made = scene.client.request("POST", "/api/v1/webhooks", body.as_bytes());
    assert_eq!(made.status, 201);
    let shown = json!({
        "id": "<uuid>", "url": endpoint.url(PATH), "events": ["task.created", "task.updated", "task.completed"],
        "created_at": "<millis>", "status": "active",
    });
    assert_like(&guide(&made.json()["data"]), &shown);
    assert_eq!(made.json().get("warnings"), None, "it is verified, and its secret is long enough");
    assert_eq!(made.json()["data"].get("secret"), None, "it was not generated here");
    let first = challenged(&endpoint);

    let path = format!("/api/v1/webhooks/{}", made.json()["data"]["id"].as_str().expect("an id"));
    assert_like(&guide(&scene.get("/api/v1/webhooks")["data"][0]), &shown);
    assert_like(&guide(&scene.get(&path)["data"]), &shown);

    let new = scene.endpoint("daycopilot.mjs", SECRET);
    let change = json!({"events": ["task.created", "task.deleted"], "url": new.url(PATH)});
    let changed = scene.ask("PUT", &path, change, 200);
    assert_eq!(changed["data"]["status"], "active");
    assert_eq!(changed["data"]["events"], json!(["task.created", "task.deleted"]));
    assert_ne!(challenged(&new), first, "a new URL is asked with a challenge of its own");
    endpoint.has_no_more();

    let test = scene.post(&format!("{path}/test"), json!({"event_type": "task.created"}), 202);
    let ids = json!({"event_id": "<uuid>", "event_type": "task.created", "delivery_id": "<uuid>"});
    assert_like(&test["data"], &tested(ids, "OK"));
    let got = new.next().verified();
    let sample = json!({
        "task_id": "task-uuid", "title": "Complete documentation", "description": "Write API docs",
        "status": "pending", "priority": "high", "context_id": "project-uuid",
    });
    let actor = json!({"user_id": "user-uuid", "email": "alice@example.com"});
    let envelope = json!({
        "id": test["data"]["event_id"], "type": "task.created", "created_at": "<time>", "data": sample, "actor": actor,
    });
    assert_like(&got.json(), &envelope);
    assert_eq!(got.said, ["Received event: task.created", "New task: Complete documentation"]);

    // No type: the webhook's first exact one.
    let test = scene.ask("POST", &format!("{path}/test"), Value::Null, 202);
    assert_eq!(test["data"]["event_type"], "task.created");
    new.next().verified();

    assert_eq!(scene.client.request("DELETE", &path, b"").status, 204);
    assert_eq!(scene.client.get(&path).status, 404);
    assert_eq!(scene.get("/api/v1/webhooks")["data"], json!([]));
    let stranger = Client::new(scene.server.address, "nobody's").get("/api/v1/webhooks");
    assert_eq!((stranger.status, &stranger.json()["error"]["code"]), (401, &json!("unauthorized")));
}

#[test]
fn an_event_arrives_in_the_guides_envelope_and_is_logged() {
    let Some(mut scene) = start() else { return };
    let endpoint = scene.endpoint("daycopilot.mjs", SECRET);
    let path = register(&mut scene, &endpoint);
    let event = scene.publish(json!({
        "type": "task.created", "created_at": "2025-11-02T12:00:00Z",
        "data": {
            "task_id": "550e8400-e29b-41d4-a716-446655440000", "title": "New task from webhook", "status": "pending",
            "priority": "high", "user_id": "user-uuid",
        },
        "actor": {"user_id": "user-uuid", "email": "user@example.com"},
    }));
    let got = endpoint.next().verified();
    let body = format!(
        r#"{{"id":"{event}","type":"task.created","created_at":"2025-11-02T12:00:00Z","data":{{"task_id":"550e8400-e29b-41d4-a716-446655440000","title":"New task from webhook","status":"pending","priority":"high","user_id":"user-uuid"}},"actor":{{"user_id":"user-uuid","email":"user@example.com"}}}}"#
    );
    assert_eq!(got.body, body);
    assert!(is_uuid(&event));
    scene.publish(json!({"type": "task.deleted", "id": "event-124", "data": {}}));
    let got = endpoint.next().verified();
    let anonymous =
        json!({"id": "event-124", "type": "task.deleted", "created_at": "<time>", "data": {}, "actor": null});
    assert_like(&got.json(), &anonymous);

    let rows = |reply: &Value| {
        reply["data"].as_array().map_or(0, |rows| rows.iter().filter(|row| row["status_code"] == 200).count())
    };
    let logs = scene.until(&format!("{path}/logs?limit=50"), |reply| rows(reply) == 2);
    let row = |event_id: &str, event_type: &str| {
        json!({
            "id": "<uuid>", "event_id": event_id, "event_type": event_type, "delivered_at": "<millis>",
            "status_code": 200, "response_time_ms": "<count>", "attempts": 1,
        })
    };
    assert_like(&logs["data"], &json!([row("event-124", "task.deleted"), row(&event, "task.created")]));
}

#[test]
fn bodies_survive_the_receivers_own_stringify() {
    let Some(mut scene) = start() else { return };
    let endpoint = scene.endpoint("daycopilot.mjs", SECRET);
    register(&mut scene, &endpoint);
    let data =
        r#"{"z":1.0,"b":{"2":-0.0,"1":[1e16,1E400,0.1]},"ä":"\u00e9\u2028\ud83d\ude00\/<&>","7":9007199254740993}"#;
    let reply = scene.publish_text(&format!(r#"{{"type":"task.updated","data":{data}}}"#));
    assert!(reply["warnings"].to_string().contains("data."), "a number that is rounded is named by its path: {reply}");
    let sent = r#""data":{"7":9007199254740992,"z":1,"b":{"1":[10000000000000000,null,0.1],"2":0},"ä":"é"#;
    let got = endpoint.next().verified();
    assert!(got.body.contains(sent), "{}", got.body);
    assert!(got.body.contains("\u{2028}😀/<&>\"}"), "{}", got.body);
}

#[test]
fn what_fails_is_tried_again_on_the_guides_schedule_and_then_kept() {
    assert_eq!(delays("daycopilot"), [60, 5 * 60, 15 * 60, 60 * 60, 6 * 60 * 60]);
    let Some(mut scene) = start() else { return };
    let endpoint = scene.endpoint("daycopilot.mjs", SECRET);
    let path = register(&mut scene, &endpoint);
    let id = path.rsplit('/').next().expect("an id").to_owned();
    scene.ask("PUT", &path, json!({"secret": "another-secret"}), 200);
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 1}}));
    assert_eq!(endpoint.next().status, 401);
    let delivery = scene.delivery_of(&event, &id);
    retries_after(&scene.delivery_after(&delivery, 1), 60);
    let row = scene.get(&format!("{path}/logs"))["data"][0].take();
    let failed = json!({
        "id": "<uuid>", "event_id": event, "event_type": "task.created", "delivered_at": "<millis>",
        "status_code": 401, "response_time_ms": "<count>", "attempts": 1, "last_error": "the endpoint answered 401",
    });
    assert_like(&row, &failed);

    scene.ask("PUT", &path, json!({"retry": at_once(2)}), 200);
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 2}}));
    let delivery = scene.delivery_of(&event, &id);
    assert_eq!(scene.delivery_in(&delivery, "dead")["attempts"].as_array().expect("attempts").len(), 3);
    assert_eq!(scene.get(&path)["data"]["status"], "active", "nothing is disabled");
    for _ in 0..3 {
        assert_eq!(endpoint.next().status, 401);
    }

    // The dead letter is delivered by hand: a delivery of its own, with the event's id.
    scene.ask("PUT", &path, json!({"secret": SECRET}), 200);
    let replay = scene.ask("POST", &format!("{path}/replay/{delivery}"), Value::Null, 202);
    assert_eq!(replay["data"]["replay_of"], delivery.as_str());
    assert_eq!(endpoint.next().verified().json()["id"], event.as_str());
}

#[test]
fn an_endpoint_that_fails_the_challenge_gets_nothing_until_it_passes() {
    let Some(mut scene) = start() else { return };
    let endpoint = scene.endpoint("daycopilot.mjs", SECRET);
    let body = json!({"url": endpoint.url(PATH), "events": ["*"], "secret": "another-secret"});
    let made = scene.post("/api/v1/webhooks", body, 201);
    assert_eq!(made["data"]["status"], "unverified");
    let why = made["data"]["status_reason"].as_str().unwrap_or_default();
    assert!(why.contains("401"), "the reply says why: {made}");
    challenged(&endpoint);
    let path = format!("/api/v1/webhooks/{}", made["data"]["id"].as_str().expect("an id"));
    let reply = scene.publish_text(r#"{"type":"task.created","data":{"n":1}}"#);
    assert_eq!(reply["data"]["deliveries"], 0, "none is made for a webhook that was never verified");

    assert_eq!(scene.ask("POST", &format!("{path}/verify"), Value::Null, 200)["data"]["status"], "unverified");
    challenged(&endpoint);
    scene.ask("PUT", &path, json!({"secret": SECRET}), 200);
    let verified = scene.ask("POST", &format!("{path}/verify"), Value::Null, 200);
    assert_eq!((&verified["data"]["status"], &verified["data"]["status_reason"]), (&json!("active"), &Value::Null));
    challenged(&endpoint);
    scene.publish(json!({"type": "task.created", "data": {"n": 2}}));
    assert_eq!(endpoint.next().verified().json()["data"], json!({"n": 2}));

    // A new URL that does not pass: what comes is held, and goes to the URL that passes.
    let other = scene.endpoint("daycopilot.mjs", "a-secret-of-its-own");
    let changed = scene.ask("PUT", &path, json!({"url": other.url(PATH)}), 200);
    assert_eq!(changed["data"]["status"], "unverified");
    challenged(&other);
    let event = scene.publish(json!({"type": "task.created", "data": {"n": 3}}));
    let id = path.rsplit('/').next().expect("an id").to_owned();
    let delivery = scene.delivery_of(&event, &id);
    assert_eq!(scene.get(&format!("/api/v1/deliveries/{delivery}"))["data"]["state"], "held");
    let passing = scene.endpoint("daycopilot.mjs", SECRET);
    assert_eq!(scene.ask("PUT", &path, json!({"url": passing.url(PATH)}), 200)["data"]["status"], "active");
    challenged(&passing);
    assert_eq!(passing.next().verified().json()["data"], json!({"n": 3}));
    endpoint.has_no_more();
    other.has_no_more();
}

#[test]
fn the_guides_curl_works_as_printed() {
    let Some(mut scene) = start() else { return };
    let endpoint = scene.endpoint("daycopilot.mjs", SECRET);
    let curl = r#"curl -X POST "https://app.daycopilot.ai/api/v1/webhooks" \
  -H "Authorization: Bearer $TOKEN" \
  -d '{
    "url": "https://abc123.ngrok.io/webhooks/daycopilot",
    "events": ["task.created"]
  }'"#;
    let replaced = [
        ("https://app.daycopilot.ai", scene.server.url("")),
        ("https://abc123.ngrok.io/webhooks/daycopilot", endpoint.url(PATH)),
        ("$TOKEN", scene.client.key().to_owned()),
    ];
    let replaced = replaced.each_ref().map(|(from, to)| (*from, to.as_str()));
    let (status, reply) = scene.shell(curl, &replaced);
    assert_eq!(status, 201, "{reply}");
    // It names no secret, so one was made, which the endpoint does not know yet.
    let secret = reply["data"]["secret"].as_str().expect("a generated secret is shown").to_owned();
    assert_eq!(reply["data"]["status"], "unverified");
    challenged(&endpoint);
    assert_eq!(
        reply["data"]["status_reason"],
        "its endpoint is asked in a second, once it can have been told the secret"
    );
    let knowing = scene.endpoint("daycopilot.mjs", &secret);
    let path = format!("/api/v1/webhooks/{}", reply["data"]["id"].as_str().expect("an id"));
    let changed = scene.ask("PUT", &path, json!({"url": knowing.url(PATH)}), 200);
    assert_eq!((&changed["data"]["status"], changed["data"].get("secret")), (&json!("active"), None));
    challenged(&knowing);
}

#[test]
fn the_guide_holds_as_printed_on_a_fresh_server_of_this_dialect() {
    let dialect = ("HOOKWHEEL__DELIVER__DEFAULT_DIALECT", "daycopilot");
    let Some(mut scene) = Scene::start_with(&[dialect]) else { return };
    assert_eq!(scene.get("/api/v1/accounts/default")["data"]["dialect"], "daycopilot");
    let endpoint = scene.endpoint("daycopilot.mjs", SECRET);
    register(&mut scene, &endpoint);
}

#[test]
fn a_body_of_the_guide_is_told_which_contract_it_is_for_and_the_account_can_be_given_it() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoint = scene.endpoint("daycopilot.mjs", SECRET);
    let body = json!({"url": endpoint.url(PATH), "events": ["task.created"], "secret": SECRET});
    let refused = scene.post("/api/v1/webhooks", body.clone(), 400);
    assert_eq!(refused["error"]["field"], "secret");
    let message = refused["error"]["message"].as_str().expect("a message");
    for part in
        ["this is standard", "daycopilot", "--dialect", "PATCH /api/v1/accounts/{id}", "POST /v2/webhooks (taskflow)"]
    {
        assert!(message.contains(part), "no {part} in {message}");
    }
    // What no contract would take is no matter of contracts.
    let wrong = json!({"url": "nonsense", "events": ["task.created"], "secret": SECRET});
    assert!(!scene.post("/api/v1/webhooks", wrong, 400).to_string().contains("other contracts"));
    // A face is told as well.
    let cathcr =
        json!({"url": "https://example.com/", "events": ["*"], "secret": SECRET, "active": true, "description": "x"});
    let refused = scene.post("/api/webhooks", cathcr, 400);
    assert!(refused["error"]["message"].to_string().contains("POST /webhooks (cathcr)"), "{refused}");

    let unknown = scene.ask("PATCH", "/api/v1/accounts/default", json!({"dialect": "klingon"}), 400);
    assert_eq!(unknown["error"]["field"], "dialect");
    let changed = scene.ask("PATCH", "/api/v1/accounts/default", json!({"dialect": "daycopilot"}), 200);
    assert_eq!(changed["data"]["dialect"], "daycopilot");
    assert_eq!(scene.post("/api/v1/webhooks", body, 201)["data"]["status"], "active");
    challenged(&endpoint);
    let audit = scene.get("/api/v1/audit")["data"].as_array().expect("entries").clone();
    let entry = audit.iter().find(|entry| entry["action"] == "account.changed").expect("an entry");
    assert_eq!(entry["fields"], json!(["dialect"]), "{entry}");
}

#[test]
fn an_endpoint_is_asked_once_it_can_know_the_secret_that_was_made_for_it() {
    let Some(mut scene) = start() else { return };
    // It fails the first time, as one that was told too late.
    let (tell, told) = mpsc::channel::<()>();
    let (told, seen) = (Mutex::new(told), AtomicUsize::new(0));
    let receiver = Receiver::start(move |_, _| {
        if seen.fetch_add(1, Ordering::SeqCst) > 0 {
            return Answer::Challenge;
        }
        told.lock().expect("not poisoned").recv_timeout(DEADLINE).expect("the caller has its reply");
        Answer::Status(401)
    });
    let made = scene.post("/api/v1/webhooks", json!({"url": receiver.url("/"), "events": ["*"]}), 201);
    assert_eq!((&made["data"]["status"], made["data"]["secret"].is_string()), (&json!("unverified"), true));
    tell.send(()).expect("the first question waits for it");
    let path = format!("/api/v1/webhooks/{}", made["data"]["id"].as_str().expect("an id"));
    scene.until(&path, |reply| reply["data"]["status_reason"].to_string().contains("401"));
    scene.until(&path, |reply| reply["data"]["status"] == "active");
    assert_eq!(
        [receiver.next(), receiver.next()].map(|arrived| arrived.answer),
        [Answer::Status(401), Answer::Challenge]
    );
}
