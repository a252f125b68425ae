//! Health, counters, the OpenAPI document, and paths where nothing is.

use crate::server::{BODY_BYTES_MAX, Server, id};
use hookwheel::store::{Load, Refusal};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[actix_web::test]
async fn health_and_counters_need_no_key() {
    let server = Server::start().await;
    server.post("/api/v1/events").json(json!({"type": "a", "data": 1, "id": "x"})).send().await.data(202);
    server.post("/api/v1/events").json(json!({"type": "a", "data": 1, "id": "x"})).send().await.data(202);
    server.get("/api/v1/events/none").send().await.error(404, "not_found");
    server.get("/health/live").keyless().send().await.data(200);
    server.get("/health/ready").keyless().send().await.data(200);
    let metrics = server.get("/metrics").keyless().send().await;
    assert!(metrics.header("Content-Type").unwrap().starts_with("text/plain; version=0.0.4"));
    for line in [
        "hookwheel_events_accepted_total 1",
        "hookwheel_events_duplicate_total 1",
        "hookwheel_http_refused_total{code=\"not_found\"} 1",
        "hookwheel_http_replies_total{class=\"4xx\"} 1",
        "hookwheel_store_open 1",
        "hookwheel_retention_clock_behind_seconds 0",
        "hookwheel_webhooks{status=\"active\"} 0",
        "hookwheel_deliveries_total 0",
        "extra 1",
    ] {
        assert!(metrics.text.lines().any(|found| found == line), "{line} in\n{}", metrics.text);
    }
    server.store.close();
    server.stop().await;
}

#[actix_web::test]
async fn a_full_queue_says_when_to_come_back_and_takes_events_again() {
    let server = Server::start().await;
    let (busy, is_busy) = tokio::sync::oneshot::channel();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let held = server.store.submit(move |_| {
        busy.send(()).unwrap();
        // Ends when the other side is dropped.
        Ok(gate.recv().is_err())
    });
    is_busy.await.unwrap();
    let mut waiting = Vec::new();
    let refusal = loop {
        match server.store.submit_for(Load::of(1), |_| Ok(())) {
            Ok(answer) => waiting.push(answer),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal, Refusal::QueueFull);
    let event = json!({"type": "a", "data": 1, "id": "once"});
    let reply = server.post("/api/v1/events").json(event.clone()).send().await;
    assert_eq!(reply.header("Retry-After"), Some("1"));
    reply.error(503, "queue_full");
    drop(open);
    assert_eq!(held.unwrap().await.unwrap(), Ok(true));
    for answer in waiting {
        answer.await.unwrap().unwrap();
    }
    let data = server.post("/api/v1/events").json(event).send().await.data(202);
    assert_eq!(data["duplicate"], Value::Null, "what was refused was not stored");
    server.stop().await;
}

#[actix_web::test]
async fn a_server_that_stops_says_when_to_come_back() {
    let server = Server::start().await;
    server.store.close();
    let reply = server.post("/api/v1/events").json(json!({"type": "a", "data": 1})).send().await;
    assert_eq!(reply.header("Retry-After"), Some("10"));
    reply.error(503, "stopping");
    server.stop().await;
}

#[actix_web::test]
async fn what_is_not_there_is_answered_in_json() {
    let server = Server::start().await;
    server.get("/api/v1").send().await.error(404, "not_found");
    server.get("/api/v1/webhooks/x/y/z").send().await.error(404, "not_found");
    let reply = server.ask("DELETE", "/api/v1/webhooks").send().await;
    assert_eq!(reply.header("Allow"), Some("GET, POST"));
    reply.error(405, "method_not_allowed");
    server.post("/health/live").send().await.error(405, "method_not_allowed");
    let long = "x".repeat(BODY_BYTES_MAX + 1);
    for path in ["/api/v1/webhooks", "/api/v1/accounts", "/v2/webhooks"] {
        server.post(path).bytes(long.clone()).send().await.error(413, "body_too_large");
    }
    server.stop().await;
}

#[actix_web::test]
async fn every_route_is_in_the_document_with_its_errors() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").keyless().send().await.json;
    let mut routes = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            routes.insert(format!("{} {path}", method.to_uppercase()));
            assert!(operation["summary"].is_string(), "{method} {path} has a summary");
            assert!(ids.insert(operation["operationId"].to_string()), "{method} {path}: its id is there twice");
            let open = operation["security"] == json!([{}]);
            assert_eq!(open, operation["responses"].get("401").is_none(), "{method} {path}");
            let asked = path.replace("{id}", "x").replace("{delivery_id}", "x").replace("{key_id}", "x");
            let asked = asked.replace("{name}", "x").replace("{number}", "1");
            let reply = server.ask(&method.to_uppercase(), &asked).keyless().send().await;
            assert_eq!(reply.status == 401, !open, "{method} {path} is served: {}", reply.text);
        }
    }
    let expected: BTreeSet<String> = ROUTES.trim().lines().map(|line| line.trim().to_string()).collect();
    assert_eq!(routes, expected);
    refs_resolve(&document, &document);
    server.stop().await;
}

const ROUTES: &str = "
    DELETE /api/v1/accounts/{id}
    DELETE /api/v1/accounts/{id}/keys/{key_id}
    DELETE /api/v1/accounts/{id}/portal
    DELETE /api/v1/event-types/{name}
    DELETE /api/v1/events/{id}
    DELETE /api/v1/users/{id}
    DELETE /api/v1/users/{id}/sessions
    DELETE /api/v1/users/{id}/sessions/{session_id}
    DELETE /api/v1/webhooks/{id}
    GET /api/v1/accounts
    GET /api/v1/accounts/{id}
    GET /api/v1/accounts/{id}/export
    GET /api/v1/accounts/{id}/keys
    GET /api/v1/accounts/{id}/usage
    GET /api/v1/audit
    GET /api/v1/backup
    GET /api/v1/dead-letters
    GET /api/v1/deliveries
    GET /api/v1/deliveries/{id}
    GET /api/v1/deliveries/{id}/attempts/{number}
    GET /api/v1/dialects
    GET /api/v1/dialects/{name}
    GET /api/v1/event-types
    GET /api/v1/event-types/{name}
    GET /api/v1/events
    GET /api/v1/events/{id}
    GET /api/v1/events/{id}/audience
    GET /api/v1/events/{id}/deliveries
    GET /api/v1/jobs
    GET /api/v1/jobs/{id}
    GET /api/v1/master-keys
    GET /api/v1/nodes
    GET /api/v1/settings
    GET /api/v1/stats
    GET /api/v1/stream
    GET /api/v1/users
    GET /api/v1/users/{id}
    GET /api/v1/users/{id}/sessions
    GET /api/v1/webhooks
    GET /api/v1/webhooks/{id}
    GET /api/v1/webhooks/{id}/deliveries
    GET /api/v1/webhooks/{id}/logs
    GET /api/v1/webhooks/{id}/pull
    GET /api/v1/webhooks/{id}/secret
    GET /api/v1/webhooks/{id}/stats
    GET /api/v1/whoami
    GET /docs
    GET /docs/dialects
    GET /docs/dialects/schema.json
    GET /docs/dialects/tutorial
    GET /docs/peers
    GET /docs/webhooks/{name}
    GET /health/live
    GET /health/ready
    GET /metrics
    GET /openapi.json
    PATCH /api/v1/accounts/{id}
    PATCH /api/v1/event-types
    PATCH /api/v1/event-types/{name}
    PATCH /api/v1/users/{id}
    PATCH /api/v1/webhooks/{id}
    POST /api/v1/accounts
    POST /api/v1/accounts/{id}/keys
    POST /api/v1/accounts/{id}/portal
    POST /api/v1/dead-letters/discard
    POST /api/v1/dead-letters/replay
    POST /api/v1/event-types
    POST /api/v1/event-types/import
    POST /api/v1/events
    POST /api/v1/events/broadcast
    POST /api/v1/events/delete
    POST /api/v1/events/purge
    POST /api/v1/events/{id}/purge
    POST /api/v1/events/{id}/replay
    POST /api/v1/filter/try
    POST /api/v1/guard/explain
    POST /api/v1/jobs/{id}/cancel
    POST /api/v1/master-keys/reload
    POST /api/v1/nodes/{name}/drain
    POST /api/v1/retention-clock/trust
    POST /api/v1/shape/try
    POST /api/v1/users
    POST /api/v1/users/{id}/reset
    POST /api/v1/webhooks
    POST /api/v1/webhooks/batch
    POST /api/v1/webhooks/delete
    POST /api/v1/webhooks/{id}/check
    POST /api/v1/webhooks/{id}/disable
    POST /api/v1/webhooks/{id}/discard
    POST /api/v1/webhooks/{id}/enable
    POST /api/v1/webhooks/{id}/pause
    POST /api/v1/webhooks/{id}/pull/ack
    POST /api/v1/webhooks/{id}/pull/extend
    POST /api/v1/webhooks/{id}/pull/nack
    POST /api/v1/webhooks/{id}/replay
    POST /api/v1/webhooks/{id}/replay/{delivery_id}
    POST /api/v1/webhooks/{id}/resume
    POST /api/v1/webhooks/{id}/secret/rotate
    POST /api/v1/webhooks/{id}/test
    POST /api/v1/webhooks/{id}/verify
    PUT /api/v1/webhooks/{id}
";

/// Asserts that every `$ref` in `value` leads somewhere.
fn refs_resolve(document: &Value, value: &Value) {
    match value {
        Value::Object(object) => {
            if let Some(pointer) = object.get("$ref").and_then(Value::as_str) {
                assert!(document.pointer(pointer.trim_start_matches('#')).is_some(), "{pointer} leads nowhere");
            }
            object.values().for_each(|value| refs_resolve(document, value));
        }
        Value::Array(values) => values.iter().for_each(|value| refs_resolve(document, value)),
        _ => {}
    }
}

#[actix_web::test]
async fn nobody_keeps_a_reply_or_takes_it_for_something_else() {
    let server = Server::start().await;
    let made =
        server.post("/api/v1/webhooks").json(json!({"url": "https://example.com/", "events": ["*"]})).send().await;
    assert!(made.json["data"]["secret"].is_string(), "{}", made.text);
    let secret = format!("/api/v1/webhooks/{}/secret", id(&made.json["data"]));
    let replies = [
        made,
        server.get(&secret).send().await,
        server.get(&secret).keyless().send().await,
        server.get("/v2/webhooks").send().await,
        server.get("/nowhere").send().await,
        server.get("/health/live").send().await,
    ];
    for reply in replies {
        assert_eq!(reply.header("Cache-Control"), Some("no-store"), "{}", reply.text);
        assert_eq!(reply.header("X-Content-Type-Options"), Some("nosniff"), "{}", reply.text);
        assert_eq!(reply.header("Strict-Transport-Security"), None, "it is not over TLS: {}", reply.text);
    }
    server.stop().await;
}
