//! Pulling over the API: what a consumer is handed, what it says, and what becomes of that. The sending side is the real one;
//! the clock stands, so a retry comes when a test turns it.

use futures_util::join;
use hookwheel::dialect::{Dialects, Received};
use hookwheel::domain::secret::Secret;
use serde_json::{Value, json};

use crate::access::key;
use crate::server::{BODY_BYTES_MAX, Reply, Server, id};

/// A webhook that is pulled, with these settings beside: not tried again unless they say so.
async fn pulled(server: &Server, more: Value) -> Value {
    let retry = json!({"delays": [], "jitter_percent": 0});
    let mut body = json!({"mode": "pull", "events": ["*"], "retry": retry});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.post("/api/v1/webhooks").json(body).send().await.data(201)
}

async fn publish(server: &Server, data: Value) -> String {
    id(&server.post("/api/v1/events").json(json!({"type": "task.done", "data": data})).send().await.data(202))
}

async fn pull(server: &Server, webhook: &str, query: &str) -> Vec<Value> {
    let reply = server.get(&format!("/api/v1/webhooks/{webhook}/pull?{query}")).send().await;
    assert_eq!(reply.header("Cache-Control"), Some("no-store"));
    reply.data(200).as_array().unwrap().clone()
}

async fn say(server: &Server, webhook: &str, word: &str, body: Value) -> Reply {
    server.post(&format!("/api/v1/webhooks/{webhook}/pull/{word}")).json(body).send().await
}

/// Where the leases stand after this was said of them.
async fn states(server: &Server, webhook: &str, word: &str, leases: &[&Value]) -> Vec<String> {
    let answers = say(server, webhook, word, json!({"leases": leases})).await.data(200);
    let states = answers.as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap().to_string());
    states.collect()
}

async fn delivery(server: &Server, lease: &Value) -> Value {
    let id = lease["delivery_id"].as_str().unwrap();
    server.get(&format!("/api/v1/deliveries/{id}")).send().await.data(200)
}

/// Waits until the counters say so. To look at them is no call of a key.
async fn until(server: &Server, line: &str) {
    while !server.get("/metrics").send().await.text.lines().any(|found| found == line) {}
}

#[actix_web::test]
async fn a_call_waits_for_what_is_published_and_is_handed_what_would_have_been_sent() {
    let server = Server::start_sending().await;
    let webhook = pulled(&server, json!({"headers": {"X-Team": "blue"}})).await;
    assert_eq!((&webhook["mode"], &webhook["url"]), (&json!("pull"), &Value::Null));
    let of = id(&webhook);
    let publishes = async {
        until(&server, "hookwheel_polls 1").await;
        publish(&server, json!({"n": 1})).await
    };
    let (leases, event) = join!(pull(&server, &of, "wait=30"), publishes);
    let [lease] = &leases[..] else { panic!("one was published: {leases:?}") };
    assert_eq!((&lease["event_id"], &lease["event_type"]), (&json!(event), &json!("task.done")));
    assert_eq!((&lease["attempt"], &lease["body_encoding"]), (&json!(1), &json!("text")));
    assert_eq!((&lease["headers"]["x-team"], &lease["headers"]["webhook-id"]), (&json!("blue"), &json!(event)));

    let dialects = Dialects::shipped();
    let secrets = [Secret::new(webhook["secret"].as_str().unwrap())];
    let header = |name: &str| lease["headers"][name.to_lowercase()].as_str().map(String::from);
    let body = lease["body"].as_str().unwrap().as_bytes();
    let received = Received { header: &header, url: None, body };
    let verified = dialects.get("standard").unwrap().verify(received, &secrets, server.clock.wall(), None);
    verified.expect("the signature is right");

    assert_eq!(states(&server, &of, "ack", &[&lease["lease"]]).await, ["acked"]);
    let shown = delivery(&server, lease).await;
    assert_eq!(
        (&shown["state"], &shown["outcome"], &shown["success"]),
        (&json!("succeeded"), &json!("acked"), &json!(true))
    );
    let attempt = &shown["attempts"][0];
    assert_eq!((&attempt["url"], &attempt["status_code"]), (&Value::Null, &Value::Null));
    assert_eq!(attempt["request_headers"]["x-team"], "blue");
    for word in ["ack", "nack", "extend"] {
        assert_eq!(states(&server, &of, word, &[&lease["lease"]]).await, ["acked"], "the first word counts");
    }
    assert!(pull(&server, &of, "wait=0").await.is_empty());
    server.stop().await;
}

#[actix_web::test]
async fn what_is_refused_comes_again_by_the_schedule_and_is_dead_at_its_end() {
    let server = Server::start_sending().await;
    let of = id(&pulled(&server, json!({"retry": {"delays": [60], "jitter_percent": 0}})).await);
    publish(&server, json!(1)).await;
    let first = pull(&server, &of, "wait=30").await.remove(0);
    let said = say(&server, &of, "nack", json!({"leases": [first["lease"]], "reason": "the disk is full"})).await;
    assert_eq!(said.data(200)[0]["state"], "nacked");
    assert_eq!(states(&server, &of, "nack", &[&first["lease"]]).await, ["nacked"]);
    let shown = delivery(&server, &first).await;
    assert_eq!((&shown["state"], &shown["outcome"]), (&json!("scheduled"), &json!("nacked")));
    assert_eq!(shown["error"], "the consumer could not take it: the disk is full");
    assert!(pull(&server, &of, "wait=0").await.is_empty(), "it is not due");

    server.clock.turn_to(server.clock.now() + 120_000);
    let second = pull(&server, &of, "wait=30").await.remove(0);
    assert_eq!((&second["delivery_id"], &second["attempt"]), (&first["delivery_id"], &json!(2)));
    assert_eq!(states(&server, &of, "nack", &[&second["lease"]]).await, ["nacked"]);
    assert_eq!(delivery(&server, &second).await["state"], "dead");
    let dead = server.get("/api/v1/dead-letters").send().await.data(200);
    assert_eq!(dead[0]["id"], second["delivery_id"]);
    server.stop().await;
}

#[actix_web::test]
async fn who_passes_a_delivery_on_says_what_was_answered_and_that_is_the_attempts() {
    let server = Server::start_sending().await;
    let of = id(&pulled(&server, json!({"retry": {"delays": [60], "jitter_percent": 0}})).await);
    publish(&server, json!(1)).await;
    let first = pull(&server, &of, "wait=30").await.remove(0);
    let lease = [&first["lease"]];
    for (word, body, field) in [
        ("ack", json!({"leases": lease, "status_code": 503}), "status_code"),
        ("nack", json!({"leases": lease, "status_code": 200}), "status_code"),
        ("nack", json!({"leases": lease, "status_code": 600}), "status_code"),
        ("nack", json!({"leases": lease, "status_code": 503, "reason": "no"}), "reason"),
        ("nack", json!({"leases": lease, "response_body": "no"}), "response_body"),
        ("ack", json!({"leases": lease, "status_code": 200, "response_body": "x".repeat(501)}), "response_body"),
    ] {
        assert_eq!(say(&server, &of, word, body.clone()).await.error(400, "invalid_field"), field, "{word} {body}");
    }
    let refused = json!({"leases": lease, "status_code": 503, "response_body": "busy"});
    assert_eq!(say(&server, &of, "nack", refused.clone()).await.data(200)[0]["state"], "nacked");
    assert_eq!(
        say(&server, &of, "nack", refused).await.data(200)[0]["state"],
        "nacked",
        "what is recorded says so too"
    );
    let shown = delivery(&server, &first).await;
    assert_eq!((&shown["state"], &shown["outcome"]), (&json!("scheduled"), &json!("status")));
    let attempt = &shown["attempts"][0];
    assert_eq!((&attempt["status_code"], &attempt["response_body"]), (&json!(503), &json!("busy")));
    assert_eq!(attempt["error"], "the endpoint answered 503");
    let filtered = server.get("/api/v1/deliveries?status_code=5xx").send().await.data(200);
    assert_eq!(filtered.as_array().map(Vec::len), Some(1), "lists know it");

    // No pause came of it, as none comes of any refusal.
    server.clock.turn_to(server.clock.now() + 120_000);
    let second = pull(&server, &of, "wait=30").await.remove(0);
    let done = json!({"leases": [second["lease"]], "status_code": 204});
    assert_eq!(say(&server, &of, "ack", done).await.data(200)[0]["state"], "acked");
    let shown = delivery(&server, &second).await;
    assert_eq!((&shown["state"], &shown["attempts"][1]["status_code"]), (&json!("succeeded"), &json!(204)));
    assert_eq!(
        states(&server, &of, "ack", &[&first["lease"]]).await,
        ["nacked"],
        "an earlier attempt stays what it was"
    );
    server.stop().await;
}

#[actix_web::test]
async fn a_lease_that_runs_out_is_a_failed_attempt_and_what_is_said_of_it_then_counts_for_nothing() {
    let server = Server::start_sending().await;
    let of = id(&pulled(&server, json!({"retry": {"delays": [60], "jitter_percent": 0}})).await);
    publish(&server, json!(1)).await;
    publish(&server, json!(2)).await;
    let leases = pull(&server, &of, "wait=30&lease=1&limit=2").await;
    let extended =
        say(&server, &of, "extend", json!({"leases": [leases[1]["lease"]], "seconds": 3600})).await.data(200);
    assert_eq!(extended[0]["state"], "extended");
    assert!(extended[0]["expires_at"].as_str() > leases[1]["expires_at"].as_str());
    until(&server, "hookwheel_attempts_failed_total 1").await;
    let shown = delivery(&server, &leases[0]).await;
    assert_eq!((&shown["state"], &shown["outcome"]), (&json!("scheduled"), &json!("lease_ran_out")));
    let late = say(&server, &of, "ack", json!({"leases": [leases[0]["lease"]]})).await;
    assert_eq!(late.error(409, "lease_lost"), "leases");
    let both = states(&server, &of, "ack", &[&leases[0]["lease"], &leases[1]["lease"]]).await;
    assert_eq!(both, ["lost", "acked"], "the other was extended");
    server.clock.turn_to(server.clock.now() + 120_000);
    let again = pull(&server, &of, "wait=30").await.remove(0);
    assert_eq!((&again["delivery_id"], &again["attempt"]), (&leases[0]["delivery_id"], &json!(2)));
    server.stop().await;
}

#[actix_web::test]
async fn of_each_order_key_one_is_handed_out_at_a_time() {
    let server = Server::start_sending().await;
    let of = id(&pulled(&server, json!({"order": "fifo", "order_key": "data.k"})).await);
    let mut events = Vec::new();
    for k in ["a", "a", "b"] {
        events.push(publish(&server, json!({"k": k})).await);
    }
    let heads = pull(&server, &of, "wait=30&limit=9").await;
    let ids: Vec<&Value> = heads.iter().map(|lease| &lease["event_id"]).collect();
    assert_eq!(ids, [&json!(events[0]), &json!(events[2])]);
    assert!(pull(&server, &of, "wait=0").await.is_empty());
    states(&server, &of, "ack", &[&heads[1]["lease"]]).await;
    assert!(pull(&server, &of, "wait=0").await.is_empty(), "that was of another key");
    states(&server, &of, "ack", &[&heads[0]["lease"]]).await;
    assert_eq!(pull(&server, &of, "wait=30").await[0]["event_id"], json!(events[1]));
    server.stop().await;
}

#[actix_web::test]
async fn no_more_are_handed_out_than_may_be_nor_more_bytes_at_once() {
    let server = Server::start_sending().await;
    let of = id(&pulled(&server, json!({"max_in_flight": 2})).await);
    for n in 0..3 {
        publish(&server, json!(n)).await;
    }
    let first = pull(&server, &of, "wait=30&limit=9").await;
    assert_eq!(first.len(), 2);
    assert!(pull(&server, &of, "wait=0&limit=9").await.is_empty());
    let acks = async { states(&server, &of, "ack", &[&first[0]["lease"]]).await };
    let (more, _) = join!(pull(&server, &of, "wait=30&limit=9"), acks);
    assert_eq!(more.len(), 1, "who waits gets the place that is free again");

    let wide = id(&pulled(&server, json!({"max_in_flight": 100})).await);
    for _ in 0..20 {
        publish(&server, json!("x".repeat(BODY_BYTES_MAX - 1_000))).await;
    }
    let mut counts = Vec::new();
    while counts.iter().sum::<usize>() < 20 {
        let leases = pull(&server, &wide, "wait=30&limit=100").await;
        let bytes: usize = leases.iter().map(|lease| lease["body"].as_str().unwrap().len()).sum();
        assert!((1..=1 << 20).contains(&bytes), "{bytes}");
        counts.push(leases.len());
    }
    assert!(counts.len() > 1 && counts[0] > 10, "{counts:?}");
    server.stop().await;
}

#[actix_web::test]
async fn who_is_held_hands_out_nothing_and_what_was_out_is_as_it_was() {
    let server = Server::start_sending().await;
    let of = id(&pulled(&server, json!({})).await);
    publish(&server, json!(1)).await;
    let lease = pull(&server, &of, "wait=30&lease=3600").await.remove(0);
    let path = |verb: &str| format!("/api/v1/webhooks/{of}/{verb}");
    server.post(&path("pause")).send().await.data(200);
    until(&server, "hookwheel_leases 0").await;
    say(&server, &of, "ack", json!({"leases": [lease["lease"]]})).await.error(409, "lease_lost");
    assert!(pull(&server, &of, "wait=0").await.is_empty());
    let resumes = async {
        until(&server, "hookwheel_polls 1").await;
        server.post(&path("resume")).send().await.data(200);
    };
    let (again, ()) = join!(pull(&server, &of, "wait=30"), resumes);
    assert_eq!(
        (&again[0]["delivery_id"], &again[0]["attempt"]),
        (&lease["delivery_id"], &json!(1)),
        "nothing happened to it"
    );
    for word in ["nack", "extend", "ack"] {
        let of_lost = say(&server, &of, word, json!({"leases": [lease["lease"]]})).await;
        of_lost.error(409, "lease_lost");
    }
    assert_eq!(states(&server, &of, "ack", &[&again[0]["lease"]]).await, ["acked"], "who lost it ended nothing");
    server.stop().await;
}

#[actix_web::test]
async fn a_consumers_key_pulls_and_does_nothing_else_and_only_in_its_account() {
    let server = Server::start_sending().await;
    let (of, other) = (id(&pulled(&server, json!({})).await), id(&pulled(&server, json!({})).await));
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let (consumer, reader) = (key(&server, "default", &["consume"]).await, key(&server, "default", &["read"]).await);
    let stranger = key(&server, "acme", &["consume", "manage"]).await;
    publish(&server, json!(1)).await;
    let path = format!("/api/v1/webhooks/{of}/pull?wait=30");
    server.get(&path).key(&stranger).send().await.error(404, "not_found");
    server.get(&path).key(&reader).send().await.error(403, "forbidden");
    let lease = server.get(&path).key(&consumer).send().await.data(200)[0]["lease"].clone();
    let ack = |of: &str, key: &str| {
        server.post(&format!("/api/v1/webhooks/{of}/pull/ack")).key(key).json(json!({"leases": [lease]})).send()
    };
    ack(&of, &stranger).await.error(404, "not_found");
    ack(&of, &reader).await.error(403, "forbidden");
    assert_eq!(ack(&other, &consumer).await.error(400, "invalid_field"), "leases[0]");
    assert_eq!(ack(&of, &consumer).await.data(200)[0]["state"], "acked");
    server.get(&format!("/api/v1/webhooks/{of}")).key(&consumer).send().await.error(403, "forbidden");
    server.get("/api/v1/deliveries").key(&consumer).send().await.error(403, "forbidden");
    server.stop().await;
}

#[actix_web::test]
async fn what_is_about_an_endpoint_is_refused_where_there_is_none() {
    let server = Server::start().await;
    let of = id(&pulled(&server, json!({"uid": "worker"})).await);
    let path = "/api/v1/webhooks/worker";
    for (field, value) in [
        ("url", json!("https://example.com/")),
        ("allow", json!(["10.0.0.0/8"])),
        ("tls", json!({"ca": "x"})),
        ("timeout", json!(5)),
        ("success", json!(["2xx"])),
        ("ownership_check", json!(true)),
        ("mode", json!("push")),
    ] {
        let refused = server.ask("PATCH", path).json(json!({field: value})).send().await;
        assert_eq!(refused.error(400, "invalid_field"), field);
    }
    let nothing = json!({"url": null, "allow": [], "tls": null, "timeout": null, "success": null,
        "ownership_check": false, "mode": "pull", "name": "Worker"});
    // What is null in a reply may be said again.
    let changed = server.ask("PATCH", path).strange().json(nothing).send().await.data(200);
    assert_eq!((&changed["name"], &changed["mode"]), (&json!("Worker"), &json!("pull")));
    for verb in ["test", "check", "verify"] {
        server.post(&format!("{path}/{verb}")).send().await.error(409, "wrong_state");
    }
    let push = json!({"url": "https://example.com/", "events": ["*"]});
    let push = id(&server.post("/api/v1/webhooks").json(push).send().await.data(201));
    let pulls = server.get(&format!("/api/v1/webhooks/{push}/pull")).send().await;
    pulls.error(409, "wrong_state");
    say(&server, &push, "ack", json!({"leases": ["x_1"]})).await.error(409, "wrong_state");
    for (query, field) in [("limit=0", "limit"), ("limit=101", "limit"), ("wait=31", "wait"), ("lease=0", "lease")] {
        let refused = server.get(&format!("/api/v1/webhooks/{of}/pull?{query}")).strange().send().await;
        assert_eq!(refused.error(400, "invalid_field"), field, "{query}");
    }
    for (word, body, field) in [
        ("ack", json!({"leases": []}), "leases"),
        ("ack", json!({"leases": ["nonsense"]}), "leases[0]"),
        ("nack", json!({"leases": ["x_1"], "reason": "x".repeat(501)}), "reason"),
        ("extend", json!({"leases": ["x_1"], "seconds": 0}), "seconds"),
    ] {
        let asked = server.post(&format!("/api/v1/webhooks/{of}/pull/{word}")).strange().json(body);
        assert_eq!(asked.send().await.error(400, "invalid_field"), field, "{word}");
    }
    server.stop().await;
}
