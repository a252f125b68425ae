//! What became of deliveries: tests, replays, rows, attempts.

use crate::server::{START_MS, Server, id};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::id::DeliveryId;
use hookwheel::domain::retry::Next;
use hookwheel::store::Settlement;
use serde_json::{Value, json};

/// Records an attempt as `deliver` does, and waits until it is written.
pub async fn attempt(server: &Server, delivery: &str, number: u16, outcome: Outcome, next: Next) {
    attempt_with(server, delivery, (number, outcome, next), &[("webhook-id", "x")]).await;
}

/// The same with these headers of its request.
pub async fn attempt_with(
    server: &Server,
    delivery: &str,
    (number, outcome, next): (u16, Outcome, Next),
    headers: &[(&str, &str)],
) {
    let started_at = START_MS + 1_000 * u64::from(number);
    let summary = AttemptSummary { number, started_at, duration_ms: 40, outcome };
    let attempt = Attempt {
        summary,
        url: "https://example.com/hook".into(),
        request_headers: headers.iter().copied().collect(),
        response_body: b"no\xff".to_vec(),
        resent: false,
        trace: Default::default(),
    };
    let delivery = DeliveryId::parse(delivery).unwrap();
    server.store.settle(Settlement {
        delivery,
        attempt,
        next,
        disable: DisableRule::default(),
        strain: Strain::Neutral,
        dice: 0.0,
        rate_limited: false,
    });
    server.store.change(0, |_| Ok(())).await.unwrap();
}

async fn webhook(server: &Server) -> String {
    let body = json!({"url": "https://example.com/hook", "events": ["task.done", "note.*"]});
    id(&server.post("/api/v1/webhooks").json(body).send().await.data(201))
}

async fn rows(server: &Server, path: &str) -> Vec<Value> {
    server.get(path).send().await.data(200).as_array().unwrap().clone()
}

#[actix_web::test]
async fn a_test_sends_a_sample_of_the_right_type() {
    let server = Server::start().await;
    let path = format!("/api/v1/webhooks/{}", webhook(&server).await);
    let usual = server.post(&format!("{path}/test")).send().await.data(202);
    assert_eq!(usual["event_type"], "task.done");
    let body = json!({"event_type": "note.added", "data": {"n": 1}});
    let asked = server.post(&format!("{path}/test")).json(body).send().await.data(202);
    let event = server.get(&format!("/api/v1/events/{}", asked["event_id"].as_str().unwrap())).send().await.data(200);
    assert_eq!(
        (&event["type"], &event["data"], &event["test"]),
        (&json!("note.added"), &json!({"n": 1}), &json!(true))
    );
    assert_eq!(event["deliveries"][0]["id"], asked["delivery_id"]);
    let told = [&asked["success"], &asked["status_code"], &asked["error"]];
    assert_eq!(told, [&json!(false), &json!(null), &json!("no connection: there is no network")]);
    let path_of = format!("/api/v1/deliveries/{}", asked["delivery_id"].as_str().unwrap());
    let shown = server.get(&path_of).send().await.data(200);
    assert_eq!(
        (&shown["cause"], &shown["state"], &shown["attempts"][0]["number"]),
        (&json!("test"), &json!("dead"), &json!(1))
    );
    assert_eq!(server.get("/api/v1/dead-letters").send().await.data(200), json!([]), "who tested it knows");
    let wrong = server.post(&format!("{path}/test")).json(json!({"event_type": "a b"})).send().await;
    assert_eq!(wrong.error(400, "invalid_field"), "event_type");

    let body = json!({"url": "https://example.com/", "events": ["comment.*"], "dialect": "taskflow"});
    let taskflow = id(&server.post("/api/v1/webhooks").json(body).send().await.data(201));
    let usual = server.post(&format!("/api/v1/webhooks/{taskflow}/test")).send().await.data(202);
    assert_eq!(usual["event_type"], "comment.created", "the first documented type that it wants");
    let event = server.get(&format!("/api/v1/events/{}", usual["event_id"].as_str().unwrap())).send().await.data(200);
    assert!(event["data"]["id"].is_string(), "the dialect's sample: {event}");
    server.stop().await;
}

#[actix_web::test]
async fn a_delivery_shows_all_of_its_attempts() {
    let server = Server::start().await;
    let webhook = webhook(&server).await;
    let event = json!({"type": "task.done", "data": 1, "id": "order-1"});
    server.post("/api/v1/events").json(event).send().await.data(202);
    let list = format!("/api/v1/webhooks/{webhook}/deliveries");
    let row = rows(&server, &list).await.remove(0);
    assert_eq!((&row["state"], &row["attempt_count"], &row["success"]), (&json!("pending"), &json!(0), &json!(null)));
    assert_eq!(rows(&server, &format!("/api/v1/webhooks/{webhook}/logs")).await, [json!(null); 0]);

    let delivery = id(&row);
    attempt(&server, &delivery, 1, Outcome::Status(500), Next::RetryAt(START_MS + 9_000)).await;
    let row = rows(&server, &list).await.remove(0);
    let expected = json!({
        "id": delivery, "event_id": "order-1", "event_type": "task.done", "webhook_id": webhook,
        "state": "scheduled", "created_at": "2023-11-14T22:13:20.000Z", "attempted_at": "2023-11-14T22:13:21.000Z",
        "attempt_count": 1, "status_code": 500, "response_time_ms": 40, "success": false,
        "error": "the endpoint answered 500", "next_attempt_at": "2023-11-14T22:13:29.000Z",
        "cause": "accept", "outcome": "status", "replay_of": null, "ended_at": null, "reason": null,
    });
    assert_eq!(row, expected);
    attempt(&server, &delivery, 2, Outcome::TimedOut, Next::RetryAt(START_MS + 20_000)).await;
    attempt(&server, &delivery, 3, Outcome::Status(204), Next::Succeeded).await;

    let shown = server.get(&format!("/api/v1/deliveries/del_{delivery}")).send().await.data(200);
    assert_eq!((&shown["state"], &shown["cause"]), (&json!("succeeded"), &json!("accept")));
    assert_eq!(shown["ended_at"], "2023-11-14T22:13:23.040Z");
    let mut row = rows(&server, &list).await.remove(0);
    row["attempts"] = shown["attempts"].clone();
    assert_eq!(shown, row, "one shape: alone it has its attempts besides");
    let event = server.get("/api/v1/events/order-1").send().await.data(200);
    row.as_object_mut().unwrap().remove("attempts");
    assert_eq!(event["deliveries"], json!([row]), "the same in its event");
    let attempts = shown["attempts"].as_array().unwrap();
    assert_eq!(attempts.iter().map(|one| &one["success"]).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(attempts[1]["status_code"], json!(null));
    assert_eq!((&attempts[1]["outcome"], &attempts[2]["error"]), (&json!("timeout"), &json!(null)));
    assert_eq!(attempts[0]["request_headers"], json!({"webhook-id": "x"}));
    assert_eq!(attempts[0]["response_body"], "no\u{fffd}");

    let path = format!("/api/v1/deliveries/{delivery}/attempts");
    let whole = server.get(&format!("{path}/2")).send().await.data(200);
    assert_eq!((&whole["number"], &whole["outcome"]), (&json!(2), &json!("timeout")));
    assert_eq!((&whole["timings"]["connect_ms"], &whole["timings"]["total_ms"]), (&json!(null), &json!(40)));
    // Nobody knows what was sent: it says so, and what would be sent now.
    let body = &whole["request_body"];
    assert_eq!(body["exact"], false);
    let content: Value = serde_json::from_str(body["content"].as_str().unwrap()).unwrap();
    assert_eq!((&content["type"], &content["data"]), (&json!("task.done"), &json!(1)));
    for number in ["0", "4", "x"] {
        server.get(&format!("{path}/{number}")).send().await.error(404, "not_found");
    }

    let log = rows(&server, &format!("/api/v1/webhooks/{webhook}/logs?limit=50")).await.remove(0);
    let expected = json!({
        "id": delivery, "event_id": "order-1", "event_type": "task.done", "delivered_at": "2023-11-14T22:13:23.000Z",
        "status_code": 204, "response_time_ms": 40, "attempts": 3,
    });
    assert_eq!(log, expected);
    let view = server.get(&format!("/api/v1/webhooks/{webhook}")).send().await.data(200);
    assert_eq!(
        (&view["succeeded"], &view["failed_attempts"], &view["success_rate"]),
        (&json!(1), &json!(2), &json!(1.0))
    );
    server.stop().await;
}

#[actix_web::test]
async fn a_replay_is_a_new_delivery_of_the_same_event() {
    let server = Server::start().await;
    let webhook = webhook(&server).await;
    server.post("/api/v1/events").json(json!({"type": "task.done", "data": 1, "id": "e"})).send().await.data(202);
    let old = id(&rows(&server, &format!("/api/v1/webhooks/{webhook}/deliveries")).await[0]);
    attempt(&server, &old, 1, Outcome::Status(500), Next::Dead).await;
    let path = format!("/api/v1/webhooks/{webhook}/replay/{old}");
    let replay = server.post(&path).send().await.data(202);
    assert_eq!(replay["replay_of"], json!(old));
    let event = server.get("/api/v1/events/e").send().await.data(200);
    let deliveries = event["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 2);
    assert_eq!((&deliveries[0]["state"], &deliveries[1]["state"]), (&json!("pending"), &json!("dead")));
    assert_eq!((&deliveries[0]["replay_of"], &event["webhooks"]), (&json!(old), &json!(1)));
    let other = self::webhook(&server).await;
    server.post(&format!("/api/v1/webhooks/{other}/replay/{old}")).send().await.error(404, "not_found");
    server.post(&format!("/api/v1/webhooks/{webhook}/replay/x")).send().await.error(404, "not_found");
    server.stop().await;
}

#[actix_web::test]
async fn deliveries_are_held_while_a_webhook_is_not_active() {
    let server = Server::start().await;
    let webhook = webhook(&server).await;
    let path = format!("/api/v1/webhooks/{webhook}");
    for _ in 0..3 {
        server.post("/api/v1/events").json(json!({"type": "task.done", "data": 1})).send().await.data(202);
    }
    let list = format!("{path}/deliveries");
    let first = id(rows(&server, &list).await.last().unwrap());
    attempt(&server, &first, 1, Outcome::Status(200), Next::Succeeded).await;
    let count = async |state: &str| rows(&server, &format!("{list}?state={state}")).await.len();
    assert_eq!((count("pending").await, count("held").await, count("succeeded").await), (2, 0, 1));
    server.post(&format!("{path}/pause")).send().await.data(200);
    assert_eq!((count("pending").await, count("held").await, count("succeeded").await), (0, 2, 1));
    server.post(&format!("{path}/resume")).send().await.data(200);
    assert_eq!(count("held").await, 0);
    assert_eq!(server.get(&format!("{list}?state=x")).send().await.error(400, "invalid_field"), "state");

    let page = server.get(&format!("{list}?limit=2")).send().await;
    let cursor = page.json["next_cursor"].as_str().unwrap();
    let rest = rows(&server, &format!("{list}?limit=2&cursor={cursor}")).await;
    assert_eq!((rest.len(), id(&rest[0])), (1, first));
    server.stop().await;
}
