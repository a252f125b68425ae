//! The faces of dialects: the same operations behind another product's API.

use crate::history::attempt;
use crate::server::{START_MS, Server, id};
use hookwheel::domain::delivery::Outcome;
use hookwheel::domain::retry::Next;
use serde_json::json;

#[actix_web::test]
async fn the_taskflow_guide_works_as_written() {
    let server = Server::start().await;
    let body = r#"{
      "url": "https://yourapp.com/webhooks/taskflow",
      "events": ["task.created", "task.updated", "task.completed"],
      "secret": "your_generated_secret_key",
      "enabled": true
    }"#;
    let form = server.post("/v2/webhooks").header("Content-Type", "application/x-www-form-urlencoded").bytes(body);
    let reply = form.send().await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let webhook = id(&reply.json);
    let expected = json!({
        "id": webhook, "url": "https://yourapp.com/webhooks/taskflow",
        "events": ["task.created", "task.updated", "task.completed"], "enabled": true,
        "created_at": "2023-11-14T22:13:20Z", "last_triggered": null, "delivery_success_rate": 0.0,
    });
    assert_eq!(reply.json, expected);
    assert!(webhook.starts_with("wh_"));
    let path = format!("/v2/webhooks/{webhook}");
    assert_eq!(server.get(&path).send().await.json, expected);
    assert_eq!(server.get("/v2/webhooks").send().await.json, json!({"data": [expected]}));
    for method in ["PUT", "PATCH"] {
        let reply = server.ask(method, &path).json(json!({"enabled": false})).send().await;
        assert_eq!((reply.status.as_u16(), &reply.json["enabled"]), (200, &json!(false)));
    }
    let reply = server.ask("PUT", &path).json(json!({"enabled": true})).send().await;
    assert_eq!(reply.json["enabled"], true);

    let test = server.post(&format!("{path}/test")).json(json!({"event_type": "task.created"})).send().await;
    assert_eq!(test.status, 202, "{}", test.text);
    let [tested, event] = ["delivery_id", "event_id"].map(|name| test.json[name].as_str().unwrap());
    assert!(tested.starts_with("del_") && event.starts_with("evt_"));
    // What follows is about an event that was published.
    server.ask("DELETE", &path).send().await;
    let path = format!("/v2/webhooks/{}", id(&server.post("/v2/webhooks").bytes(body).send().await.json));
    let published =
        server.post("/api/v1/events").json(json!({"type": "task.created", "data": 1})).send().await.data(202);
    let event = format!("evt_{}", id(&published).replace('-', ""));
    let delivery = id(&server.get(&format!("/api/v1/events/{event}")).send().await.data(200)["deliveries"][0]);
    attempt(&server, &delivery, 1, Outcome::Status(503), Next::RetryAt(START_MS + 9_000)).await;
    attempt(&server, &delivery, 2, Outcome::Status(200), Next::Succeeded).await;
    let list = server.get(&format!("{path}/deliveries")).send().await;
    let row = |attempt: u8, second: u8, status: u16| {
        json!({
            "id": format!("del_{}_{attempt}", delivery.replace('-', "")), "event_id": event, "event_type": "task.created",
            "timestamp": format!("2023-11-14T22:13:{second}Z"), "attempt": attempt, "status_code": status,
            "response_time_ms": 40, "success": status == 200,
        })
    };
    let mut failed = row(1, 21, 503);
    failed["error"] = json!("the endpoint answered 503");
    assert_eq!(list.json, json!({"data": [row(2, 22, 200), failed]}), "a row an attempt, the newest first");
    let first = server.get(&format!("{path}/deliveries?limit=1")).send().await;
    assert_eq!(first.json["data"], json!([row(2, 22, 200)]));
    let cursor = first.json["cursor"].as_str().unwrap();
    let second = server.get(&format!("{path}/deliveries?limit=1&cursor={cursor}")).send().await;
    assert_eq!((&second.json["data"], second.json.get("cursor")), (&json!([failed]), None));

    assert_eq!(server.ask("DELETE", &path).send().await.status, 204);
    server.get(&path).send().await.error(404, "not_found");
    server.stop().await;
}

#[actix_web::test]
async fn a_face_shows_webhooks_of_its_dialect_only() {
    let server = Server::start().await;
    let body = json!({"url": "https://example.com/", "events": ["*"]});
    let standard = id(&server.post("/api/v1/webhooks").json(body.clone()).send().await.data(201));
    let generated = server.post("/v2/webhooks").json(body).send().await;
    assert!(generated.json["secret"].is_string(), "a generated secret is shown: {}", generated.text);
    let taskflow = id(&generated.json);
    for method in ["GET", "PUT", "DELETE"] {
        let reply = server.ask(method, &format!("/v2/webhooks/{standard}")).bytes("{}").send().await;
        reply.error(404, "not_found");
    }
    assert_eq!(server.get("/v2/webhooks").send().await.json["data"].as_array().unwrap().len(), 1);
    let native = server.get(&format!("/api/v1/webhooks/{taskflow}")).send().await.data(200);
    assert_eq!(native["dialect"], "taskflow", "the native API shows all, by any spelling of the id");
    assert_eq!(server.get("/api/v1/webhooks").send().await.data(200).as_array().unwrap().len(), 2);
    server.stop().await;
}

#[actix_web::test]
async fn a_face_names_errors_in_its_own_words() {
    let server = Server::start().await;
    let table = [
        (json!({"events": ["*"]}), "url"),
        (json!({"url": "http://example.com/", "events": ["*"]}), "url"),
        (json!({"url": "https://example.com/", "events": ["a b"]}), "events[0]"),
        (json!({"url": "https://example.com/", "events": ["*"], "enabled": 1}), "enabled"),
        (json!({"url": "https://example.com/", "events": ["*"], "timeout": 0}), "timeout"),
        (json!({"url": "https://example.com/", "events": ["*"], "timeouts": 1}), "timeouts"),
    ];
    for (body, field) in table {
        let reply = server.post("/v2/webhooks").json(body.clone()).send().await;
        assert_eq!(reply.error(400, "invalid_field"), field, "{body}");
    }
    server.post("/v2/webhooks").bytes("[]").send().await.error(400, "invalid_json");
    let reply = server.ask("PATCH", "/v2/webhooks").send().await;
    assert_eq!(reply.header("Allow").map(|allow| allow.contains("POST")), Some(true));
    reply.error(405, "method_not_allowed");
    server.get("/v2/webhooks/x/nothing").send().await.error(404, "not_found");
    assert_eq!(server.get("/v2/webhooks?limit=0").send().await.error(400, "invalid_field"), "limit");
    assert_eq!(server.get("/v2/webhooks?offset=1").send().await.error(400, "invalid_field"), "offset");
    server.stop().await;
}
