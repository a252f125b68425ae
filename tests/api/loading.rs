//! Event types out of documents, what they leave as it was, and what is asked of types meanwhile: how much of it one request may ask.

use serde_json::{Value, json};

use crate::server::{EVENT_TYPES_MAX, Reply, Server};

const TYPES: &str = "/api/v1/event-types";

async fn create(server: &Server, body: Value) {
    server.post(TYPES).json(body).send().await.data(201);
}

async fn import(server: &Server, document: &Value, dry_run: bool) -> Reply {
    server.post(&format!("{TYPES}/import")).json(json!({"document": document, "dry_run": dry_run})).send().await
}

/// A document that says of a body what there is to say.
fn document(body: Value) -> Value {
    let call = json!({"post": {"requestBody": {"content": {"application/json": body}}}});
    json!({"openapi": "3.1.0", "webhooks": {"order.paid": call}})
}

#[actix_web::test]
async fn what_a_document_does_not_say_of_a_type_stays() {
    let server = Server::start().await;
    let schema = json!({"type": "object", "required": ["amount"]});
    let body = json!({"type": "order.paid", "description": "Ours.", "sample": {"amount": 1}, "schema": schema});
    create(&server, body).await;
    let before = server.get(&format!("{TYPES}/order.paid")).send().await.data(200);
    let bare = json!({"openapi": "3.1.0", "webhooks": {"order.paid": {"post": {}}}});
    for dry_run in [true, false] {
        let came = import(&server, &bare, dry_run).await.data(200);
        assert_eq!((&came["unchanged"], &came["changed"]), (&json!(["order.paid"]), &json!([])));
    }
    assert_eq!(server.get(&format!("{TYPES}/order.paid")).send().await.data(200), before);

    let other = json!({"type": "object", "required": ["id"]});
    for dry_run in [true, false] {
        let refused = import(&server, &document(json!({"schema": other})), dry_run).await;
        assert!(refused.text.contains("the sample is the one that is stored"), "{}", refused.text);
        assert_eq!(refused.error(400, "invalid_field"), "document: order.paid: sample");
        let refused = import(&server, &document(json!({"example": {"id": 1}})), dry_run).await;
        assert!(refused.text.contains("the schema is the one that is stored"), "{}", refused.text);
        assert_eq!(refused.error(400, "invalid_field"), "document: order.paid: sample");
    }
    let both = document(json!({"schema": other, "example": {"id": 1}}));
    assert_eq!(import(&server, &both, false).await.data(200)["changed"], json!(["order.paid"]));
    let after = server.get(&format!("{TYPES}/order.paid")).send().await.data(200);
    assert_eq!(
        (&after["schema"], &after["sample"], &after["description"]),
        (&other, &json!({"id": 1}), &json!("Ours."))
    );
    server.stop().await;
}

#[actix_web::test]
async fn a_dry_run_promises_nothing_that_is_refused_then() {
    let server = Server::start().await;
    let of = |from: usize, to: usize, chars: usize| {
        let all = (from..to).map(|n| (format!("a.{n}"), json!({"$ref": "#/one"})));
        json!({"$defs": all.collect::<serde_json::Map<_, _>>(), "one": {"title": "a".repeat(chars)}})
    };
    for dry_run in [true, false] {
        let refused = import(&server, &of(0, EVENT_TYPES_MAX + 1, 1), dry_run).await;
        assert!(refused.text.contains("limits.event_types_max"), "{}", refused.text);
        refused.error(409, "quota");
    }
    // What one account may have goes before what all may.
    let limits = json!({"limits": {"event_types_max": 0}});
    server.ask("PATCH", "/api/v1/accounts/default").json(limits).send().await.data(200);
    import(&server, &of(0, EVENT_TYPES_MAX + 1, 1), true).await.data(200);
    for from in [0, 15, 30, 45] {
        import(&server, &of(from, from + 15, 30_000), false).await.data(200);
    }
    for dry_run in [true, false] {
        let refused = import(&server, &of(60, 75, 30_000), dry_run).await;
        assert!(refused.text.contains("longer than 2097152 bytes together"), "{}", refused.text);
        refused.error(400, "invalid_field");
        // In the place of what is there it fits.
        import(&server, &of(0, 15, 30_001), dry_run).await.data(200);
    }
    server.stop().await;
}

#[actix_web::test]
async fn what_was_accepted_is_accepted_again_with_its_key_when_more_is_asked_of_events() {
    let server = Server::start().await;
    create(&server, json!({"type": "order.paid", "schema": {"type": "object", "required": ["amount"]}})).await;
    let publish = async |key: &str, event_type: &str, data: Value| {
        let event = json!({"type": event_type, "data": data});
        server.post("/api/v1/events").header("Idempotency-Key", key).json(event).send().await
    };
    let first = publish("paid", "order.paid", json!({})).await.data(202);
    publish("other", "order.other", json!({})).await.data(202);
    server.ask("PATCH", TYPES).json(json!({"validation": "refuse"})).send().await.data(200);
    let again = publish("paid", "order.paid", json!({})).await.data(202);
    assert_eq!((&again["id"], &again["duplicate"]), (&first["id"], &json!(true)));
    assert_eq!(publish("other", "order.other", json!({})).await.data(202)["duplicate"], true);
    assert_eq!(publish("new", "order.paid", json!({})).await.status, 422);
    assert_eq!(publish("new", "order.other", json!({})).await.status, 400);
    assert_eq!(publish("paid", "order.paid", json!({"id": 1})).await.status, 422, "it is another request");
    server.clock.turn_to(server.clock.now() + 24 * 60 * 60 * 1_000);
    assert_eq!(publish("paid", "order.paid", json!({})).await.status, 422, "the key is free again");
    server.stop().await;
}

#[actix_web::test]
async fn one_request_searches_only_so_long_for_what_was_meant() {
    let server = Server::start().await;
    let long = |n: usize, end: &str| format!("{}.{n}{end}", "a".repeat(190));
    for n in 10..60 {
        create(&server, json!({"type": long(n, "")})).await;
    }
    server.ask("PATCH", TYPES).json(json!({"validation": "warn"})).send().await.data(200);
    // Each search compares some two million characters.
    let hints = |told: &Value| {
        let told = told.as_array().cloned().unwrap_or_default();
        let of_type =
            told.iter().filter_map(Value::as_str).filter(|text| text.contains("is not among the event types"));
        of_type.map(|text| text.contains("did you mean")).collect::<Vec<_>>()
    };
    let expected = [true, true, false, false, false];
    let unknown: Vec<String> = (10..15).map(|n| long(n, "x")).collect();
    let webhook = |events: &[String]| json!({"url": "https://example.com/hook", "events": events});
    let made = server.post("/api/v1/webhooks").json(webhook(&unknown)).send().await;
    assert_eq!(hints(&made.json["warnings"]), expected, "{}", made.text);
    let events: Vec<Value> = unknown.iter().map(|one| json!({"type": one, "data": 1})).collect();
    let published = server.post("/api/v1/events").json(json!(events)).send().await;
    assert_eq!(hints(&published.json["warnings"]), expected, "{}", published.text);
    let batch: Vec<Value> = unknown.chunks(1).map(webhook).collect();
    let made = server.post("/api/v1/webhooks/batch?mode=each").json(json!(batch)).send().await.data(200);
    let of_all: Vec<bool> = made.as_array().unwrap().iter().flat_map(|row| hints(&row["warnings"])).collect();
    assert_eq!(of_all, expected, "{made}");
    server.stop().await;
}
