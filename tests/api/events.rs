//! Publishing and reading events.

use crate::history::attempt;
use crate::server::{BODY_BYTES_MAX, Server, id};
use hookwheel::domain::delivery::Outcome;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::retry::Next;
use hookwheel::domain::webhook::{EventFilter, Webhook};
use hookwheel::store::Staging;
use serde_json::{Value, json};

#[actix_web::test]
async fn an_event_is_accepted_and_read_back_as_it_was_written() {
    let server = Server::start().await;
    let body = r#"{"type":"task.created","data":{"b":1.0,"a":1e400, "2":"\u00e4"},"actor":{"user_id":"u"}}"#;
    let data = server.post("/api/v1/events").bytes(body).send().await.data(202);
    assert_eq!(data["type"], "task.created");
    assert_eq!(data["created_at"], "2023-11-14T22:13:20.000Z");
    assert_eq!((&data["deliveries"], data.get("duplicate")), (&json!(0), None));
    let id = data["id"].as_str().unwrap();
    let spelled = format!("evt_{}", id.replace('-', ""));
    for path in [id, &spelled] {
        let reply = server.get(&format!("/api/v1/events/{path}")).send().await;
        assert!(reply.text.contains(r#""data":{"b":1.0,"a":1e400, "2":"\u00e4"},"actor":{"user_id":"u"}"#));
        assert!(
            reply
                .text
                .ends_with(r#""metadata":null,"deliveries_to_come":0,"deliveries":[],"deliveries_next_cursor":null}}"#),
            "{}",
            reply.text
        );
    }
    server.get("/api/v1/events/nothing").send().await.error(404, "not_found");
    server.stop().await;
}

#[actix_web::test]
async fn a_bad_event_is_refused_and_the_field_is_named() {
    let server = Server::start().await;
    let table = [
        (r#"{"data":1}"#, "type"),
        (r#"{"type":"a"}"#, "data"),
        (r#"{"type":5,"data":1}"#, "type"),
        (r#"{"type":"a b","data":1}"#, "type"),
        (r#"{"type":"a","data":1,"extra":2}"#, "extra"),
        (r#"{"type":"a","type":"b","data":1}"#, "type"),
        (r#"{"type":"a","data":1,"actor":"me"}"#, "actor"),
        (r#"{"type":"a","data":1,"metadata":[]}"#, "metadata"),
        (r#"{"type":"a","data":1,"id":"a.b"}"#, "id"),
        (r#"{"type":"a","data":1,"created_at":"today"}"#, "created_at"),
        (r#"{"type":"a","data":1,"account":"nobody"}"#, "account"),
        (r#"{"type":"a","data":"\ud83d"}"#, "data"),
        (r#"[{"type":"a","data":1},{"type":"","data":1}]"#, "[1].type"),
        (r#"[{"type":"a","data":1},{"type":"b","data":1,"x":1}]"#, "[1].x"),
        (r#"[{"type":"a","data":1},{"type":"b","data":1,"account":"default"}]"#, "[1].account"),
        ("{\"type\":\"a\",\"data\":1}\n{\"type\":\"b\"}\n", "[1].data"),
        ("{\"type\":\"a\",\"data\":1}\n\n{\"type\":\"b\",\"data\":1,\"id\":\"\"}\n", "[1].id"),
    ];
    for (body, field) in table {
        let reply = server.post("/api/v1/events").bytes(body).send().await;
        assert_eq!(reply.error(400, "invalid_field"), field, "{body}");
    }
    let deep = format!(r#"{{"type":"a","data":{}1{}}}"#, "[".repeat(101), "]".repeat(101));
    assert_eq!(server.post("/api/v1/events").bytes(deep).send().await.error(400, "invalid_field"), "data");
    for body in
        ["", "[", "{", "[]", "[[]]", "null", "{\"type\":\"a\",\"data\":1}}", "\u{feff}{}", "[{\"type\":\"a\"} 1]"]
    {
        let reply = server.post("/api/v1/events").bytes(body).send().await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.text);
    }
    assert_eq!(server.get("/api/v1/events").send().await.data(200), json!([]), "nothing was accepted");
    server.stop().await;
}

#[actix_web::test]
async fn lines_are_counted_as_the_sender_sees_them() {
    let server = Server::start().await;
    let body = "{\"type\":\"a\",\"data\":1}\n\n{\"type\":\"b\",\"data\":1,}\n";
    let reply = server.post("/api/v1/events").header("Content-Type", "application/x-ndjson").bytes(body).send().await;
    assert!(reply.json["error"]["message"].as_str().unwrap().contains("line 3"), "{}", reply.text);
    let body = "{\"type\":\"a\",\"data\":1}\n\n{\"type\":\"b b\",\"data\":1}\n";
    let reply = server.post("/api/v1/events").bytes(body).send().await;
    assert!(reply.json["error"]["message"].as_str().unwrap().contains("line 3"), "{}", reply.text);
    server.stop().await;
}

#[actix_web::test]
async fn batches_come_as_arrays_or_lines() {
    let server = Server::start().await;
    let one = json!({"type": "a", "data": 1});
    let receipts = server.post("/api/v1/events").json(json!([one, one, one])).send().await.data(202);
    assert_eq!(receipts.as_array().unwrap().len(), 3);
    let lines = format!("{one}\n{one}\n");
    let receipts = server.post("/api/v1/events").bytes(lines).send().await.data(202);
    assert_eq!(receipts.as_array().unwrap().len(), 2);
    let named = server.post("/api/v1/events").header("Content-Type", "application/x-ndjson; charset=utf-8");
    let receipts = named.bytes(one.to_string()).send().await.data(202);
    assert_eq!(receipts.as_array().unwrap().len(), 1, "NDJSON of one line is a batch of one");
    let pretty = serde_json::to_string_pretty(&one).unwrap();
    assert!(server.post("/api/v1/events").bytes(pretty).send().await.data(202).is_object());
    let full: Vec<&Value> = std::iter::repeat_n(&one, 1000).collect();
    assert_eq!(server.post("/api/v1/events").json(json!(full)).send().await.data(202).as_array().unwrap().len(), 1000);
    let over: Vec<&Value> = std::iter::repeat_n(&one, 1001).collect();
    let lines: String = over.iter().map(|one| format!("{one}\n")).collect();
    server.post("/api/v1/events").json(json!(over)).send().await.error(400, "invalid_json");
    server.post("/api/v1/events").bytes(lines).send().await.error(400, "invalid_json");
    server.stop().await;
}

#[actix_web::test]
async fn the_same_id_is_the_same_event() {
    let server = Server::start().await;
    let event = json!({"type": "a", "data": {"n": 1}, "id": "order-7"});
    let first = server.post("/api/v1/events").json(event.clone()).send().await.data(202);
    assert_eq!(first["id"], "order-7");
    server.clock.turn_to(crate::server::START_MS + 5_000);
    let again = server.post("/api/v1/events").json(event.clone()).send().await.data(202);
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["created_at"], first["created_at"]);
    let other = json!({"type": "a", "data": {"n": 2}, "id": "order-7"});
    assert_eq!(server.post("/api/v1/events").json(other.clone()).send().await.error(409, "event_id_conflict"), "id");
    let batch = json!([{"type": "b", "data": 1}, other]);
    assert_eq!(server.post("/api/v1/events").json(batch).send().await.error(409, "event_id_conflict"), "[1].id");
    let rows = server.get("/api/v1/events").send().await.data(200);
    assert_eq!(rows.as_array().unwrap().len(), 1, "the refused batch left nothing: {rows}");
    assert_eq!(server.get("/api/v1/events/order-7").send().await.data(200)["data"], json!({"n": 1}));
    server.stop().await;
}

#[actix_web::test]
async fn equal_requests_in_flight_make_one_event() {
    let server = Server::start().await;
    let ask = |body: &str| server.post("/api/v1/events").header("Idempotency-Key", "k-1").bytes(body);
    let body = r#"{"type":"a","data":1}"#;
    let replies = futures_util::future::join_all((0..16).map(|_| ask(body).send())).await;
    let ids: std::collections::BTreeSet<String> =
        replies.into_iter().map(|reply| reply.data(202)["id"].as_str().unwrap().to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(server.get("/api/v1/events").send().await.data(200).as_array().unwrap().len(), 1);
    let other = ask(r#"{"type":"a","data":2}"#).send().await;
    assert_eq!(other.error(409, "idempotency_conflict"), "Idempotency-Key");
    server.clock.turn_to(crate::server::START_MS + 24 * 60 * 60 * 1000);
    ask(r#"{"type":"a","data":2}"#).send().await.data(202);
    for bad in ["a b", &"k".repeat(256)] {
        let reply = server.post("/api/v1/events").header("Idempotency-Key", bad).bytes(body).send().await;
        assert_eq!(reply.error(400, "invalid_field"), "Idempotency-Key");
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_body_over_the_limit_is_refused() {
    let server = Server::start().await;
    let event = |bytes: usize| {
        let frame = r#"{"type":"a","data":""}"#.len();
        format!(r#"{{"type":"a","data":"{}"}}"#, "x".repeat(bytes - frame))
    };
    server.post("/api/v1/events").bytes(event(BODY_BYTES_MAX)).send().await.data(202);
    server.post("/api/v1/events").bytes(event(BODY_BYTES_MAX + 1)).send().await.error(413, "body_too_large");
    let zipped = server.post("/api/v1/events").header("Content-Encoding", "gzip").bytes("x").send().await;
    zipped.error(415, "encoded_body");
    server.stop().await;
}

#[actix_web::test]
async fn events_are_listed_newest_first_page_by_page() {
    let server = Server::start().await;
    for n in 0..7u64 {
        server.clock.turn_to(crate::server::START_MS + n * 1000);
        let event_type = if n % 2 == 0 { "task.even" } else { "note.odd" };
        let event = json!({"type": event_type, "data": n, "id": format!("n{n}")});
        server.post("/api/v1/events").json(event).send().await.data(202);
    }
    let ids = |reply: &Value| -> Vec<String> {
        reply["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_string()).collect()
    };
    let (mut seen, mut path) = (Vec::new(), "/api/v1/events?limit=3".to_string());
    loop {
        let reply = server.get(&path).send().await;
        seen.extend(ids(&reply.json));
        assert!(reply.json["data"][0].get("data").is_none(), "rows come without data");
        match reply.json["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/events?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ["n6", "n5", "n4", "n3", "n2", "n1", "n0"]);
    let list = async |query: &str| ids(&server.get(&format!("/api/v1/events?{query}")).send().await.json);
    assert_eq!(list("type=task.*").await, ["n6", "n4", "n2", "n0"]);
    assert_eq!(list("type=note.odd&limit=2").await, ["n5", "n3"]);
    assert_eq!(list("from=2023-11-14T22:13:22Z&to=2023-11-14T22:13:24Z").await, ["n3", "n2"]);
    assert_eq!(list("from=2023-11-15T22:13:22Z&to=2023-11-14T22:13:24Z").await, [""; 0]);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=251", "limit"),
        ("cursor=x", "cursor"),
        ("from=x", "from"),
        ("type=.x", "type"),
        ("x=1", "x"),
    ] {
        let reply = server.get(&format!("/api/v1/events?{query}")).send().await;
        assert_eq!(reply.error(400, "invalid_field"), field, "{query}");
    }
    server.stop().await;
}

/// An event that went to this many webhooks, by its own id, once all of its deliveries are made.
async fn wanted_by(server: &Server, webhooks: usize) {
    let create = move |staging: &mut Staging<'_>| {
        let url = EndpointUrl::parse("https://example.com", false).unwrap();
        let webhook = Webhook::new(1, "standard", url, vec![EventFilter::All]);
        (0..webhooks).try_for_each(|_| staging.create_webhook(webhook.clone(), None).map(drop))
    };
    server.store.change(0, create).await.unwrap();
    let event = json!({"type": "a", "data": 1, "id": "wide"});
    assert_eq!(server.post("/api/v1/events").json(event).send().await.data(202)["deliveries"], webhooks);
    while server.store.all_deliveries_to_come() > 0 {
        server.store.change(0, |_| Ok(())).await.unwrap();
    }
}

#[actix_web::test]
async fn the_deliveries_of_an_event_come_in_pages_replays_first() {
    const WEBHOOKS: usize = 600;
    let server = Server::start().await;
    wanted_by(&server, WEBHOOKS).await;
    let shown = server.get("/api/v1/events/wide").send().await.data(200);
    let first: Vec<Value> = shown["deliveries"].as_array().unwrap().clone();
    assert_eq!((first.len(), &shown["webhooks"]), (250, &json!(WEBHOOKS)));
    let old = first[7].clone();
    attempt(&server, &id(&old), 1, Outcome::Status(500), Next::Dead).await;
    let replay = format!("/api/v1/webhooks/{}/replay/{}", old["webhook_id"].as_str().unwrap(), id(&old));
    let replay = server.post(&replay).send().await.data(202);

    let (mut rows, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/events/wide/deliveries?limit=100{cursor}")).send().await;
        let next = page.json["next_cursor"].as_str().map(|next| format!("&cursor={next}"));
        rows.extend(page.data(200).as_array().unwrap().clone());
        match next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    assert_eq!((rows.len(), &rows[0]["id"], &rows[0]["replay_of"]), (WEBHOOKS + 1, &replay["delivery_id"], &old["id"]));
    assert_eq!((&rows[8]["state"], &rows[9]["state"]), (&json!("dead"), &json!("pending")));
    let ids: Vec<String> = rows.iter().map(id).collect();
    assert!(ids.is_sorted_by(|newer, older| newer > older), "each once, the newest first");

    // What the event's own reply shows goes on where it ends.
    let further = shown["deliveries_next_cursor"].as_str().unwrap();
    let path = format!("/api/v1/events/wide/deliveries?limit=250&cursor={further}");
    let further = server.get(&path).send().await.data(200);
    assert_eq!(further[0]["id"], ids[251], "{}", further[0]);

    let wrong = server.get("/api/v1/events/wide/deliveries?cursor=x").send().await;
    assert_eq!(wrong.error(400, "invalid_field"), "cursor");
    server.get("/api/v1/events/nothing/deliveries").send().await.error(404, "not_found");
    server.stop().await;
}
