//! Statistics as a client asks for them.

use crate::server::{START_MS, Server, id};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::id::DeliveryId;
use hookwheel::domain::retry::Next;
use hookwheel::store::Settlement;
use serde_json::{Value, json};

async fn webhook(server: &Server) -> String {
    let body = json!({"url": "https://example.com/hook", "events": ["task.*"]});
    id(&server.post("/api/v1/webhooks").json(body).send().await.data(201))
}

/// Publishes an event, and records what came of its first delivery's first attempts.
async fn deliver(server: &Server, outcomes: &[(Outcome, Next)]) {
    let event = json!({"type": "task.done", "data": 1});
    let event = id(&server.post("/api/v1/events").json(event).send().await.data(202));
    let shown = server.get(&format!("/api/v1/events/{event}")).send().await.data(200);
    let delivery = DeliveryId::parse(shown["deliveries"][0]["id"].as_str().unwrap()).unwrap();
    for (number, (outcome, next)) in (1..).zip(outcomes.iter().cloned()) {
        let summary =
            AttemptSummary { number, started_at: server.clock.now(), duration_ms: 20 * u32::from(number), outcome };
        let attempt = Attempt {
            summary,
            url: "u".into(),
            request_headers: Default::default(),
            response_body: vec![],
            resent: false,
            trace: Default::default(),
        };
        server.store.settle(Settlement {
            delivery,
            attempt,
            next,
            disable: DisableRule::default(),
            strain: Strain::Neutral,
            dice: 0.0,
            rate_limited: number == 1,
        });
    }
    server.store.change(0, |_| Ok(())).await.unwrap();
}

#[actix_web::test]
async fn an_account_and_a_webhook_have_one_point_a_step() {
    let server = Server::start().await;
    let webhook = webhook(&server).await;
    let retry = Next::RetryAt(START_MS);
    let outcomes = [(Outcome::TimedOut, retry), (Outcome::Status(500), retry), (Outcome::Status(200), Next::Succeeded)];
    deliver(&server, &outcomes).await;
    server.clock.turn_to(START_MS + 120_000);
    deliver(&server, &[]).await;
    server.clock.turn_to(START_MS + 125_000);
    let paths = ["/api/v1/stats".to_string(), format!("/api/v1/webhooks/{webhook}/stats")];
    for path in &paths {
        let stats = server.get(path).send().await.data(200);
        assert_eq!((&stats["step"], &stats["from"]), (&json!("minute"), &json!("2023-11-14T21:16:00.000Z")), "{path}");
        assert_eq!(stats["to"], "2023-11-14T22:16:00.000Z");
        assert_eq!(stats["queue"], json!({"oldest_open_at": "2023-11-14T22:15:20.000Z", "age_ms": 5_000}));
        let points = stats["points"].as_array().unwrap();
        assert_eq!(points.len(), 60);
        let first = json!({
            "at": "2023-11-14T22:13:00.000Z", "accepted": 1, "deliveries": 1, "attempts": 3, "succeeded": 1,
            "failed": 2, "failed_by_kind": {"status": 1, "timeout": 1}, "retried": 2, "rate_limited": 1,
            "response_time_ms": {"average": 50.0, "p50": 41, "p90": 60, "p95": 60, "p99": 60, "max": 60},
            "queue_age_ms": null,
        });
        assert_eq!(points[57], first);
        let empty = json!({
            "at": "2023-11-14T22:14:00.000Z", "accepted": 0, "deliveries": 0, "attempts": 0, "succeeded": 0,
            "failed": 0, "failed_by_kind": {}, "retried": 0, "rate_limited": 0, "response_time_ms": null,
            "queue_age_ms": null,
        });
        assert_eq!(points[58], empty);
        assert_eq!((&points[59]["accepted"], &points[59]["queue_age_ms"]), (&json!(1), &json!(5_000)));
        assert_eq!((&stats["total"]["accepted"], &stats["total"]["attempts"]), (&json!(2), &json!(3)));
        let day = server.get(&format!("{path}?step=day&from=2023-11-14T12:00:00%2B01:00")).send().await.data(200);
        assert_eq!((&day["from"], &day["points"][0]["accepted"]), (&json!("2023-11-14T00:00:00.000Z"), &json!(2)));
        assert_eq!((day["points"].as_array().unwrap().len(), &day["total"]), (1, &stats["total"]));
        let hours = server.get(&format!("{path}?step=hour")).send().await.data(200);
        assert_eq!(hours["points"].as_array().unwrap().len(), 24);
        let before = server.get(&format!("{path}?to=2023-11-14T22:13:00Z")).send().await.data(200);
        assert_eq!(before["total"]["accepted"], 0);
    }
    server.stop().await;
}

#[actix_web::test]
async fn what_cannot_be_shown_is_named() {
    let server = Server::start().await;
    let webhook = webhook(&server).await;
    for path in ["/api/v1/stats".to_string(), format!("/api/v1/webhooks/{webhook}/stats")] {
        for (query, field) in [
            ("step=week", "step"),
            ("from=yesterday", "from"),
            ("to=1", "to"),
            ("from=2023-11-15T00:00:00Z", "from"),
            ("from=2023-11-14T22:13:00Z&to=2023-11-14T22:13:00Z", "to"),
            ("from=2023-11-01T00:00:00Z&step=minute", "from"),
            ("from=1970-01-01T00:00:00Z&to=9999-01-01T00:00:00Z", "from"),
            ("by=hour", "by"),
        ] {
            let reply = server.get(&format!("{path}?{query}")).send().await;
            assert_eq!(reply.error(400, "invalid_field"), field, "{query}");
        }
    }
    server.stop().await;
}

#[actix_web::test]
async fn an_account_sees_its_own_statistics() {
    let server = Server::start().await;
    let webhook = webhook(&server).await;
    deliver(&server, &[(Outcome::Status(200), Next::Succeeded)]).await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let key = server.post("/api/v1/accounts/acme/keys").json(json!({"scopes": ["read"]})).send().await.data(201);
    let key = key["key"].as_str().unwrap();
    let path = format!("/api/v1/webhooks/{webhook}/stats");
    server.get(&path).key(key).send().await.error(404, "not_found");
    server.get(&path).header("Hookwheel-Account", "acme").send().await.error(404, "not_found");
    server.get("/api/v1/webhooks/x/stats").send().await.error(404, "not_found");
    let accepted =
        async |ask: crate::server::Ask<'_>| -> Value { ask.send().await.data(200)["total"]["accepted"].clone() };
    assert_eq!(accepted(server.get("/api/v1/stats").key(key)).await, 0);
    assert_eq!(accepted(server.get("/api/v1/stats").header("Hookwheel-Account", "acme")).await, 0);
    assert_eq!(accepted(server.get("/api/v1/stats")).await, 1);
    server.stop().await;
}
