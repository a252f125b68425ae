//! What happens, as it happens: read from the stream as a client would, over the socket. The clock stands; every wait is for a
//! message, and deliveries are pulled, so that a test says what becomes of each.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::LocalBoxStream;
use hookwheel::domain::delivery::Outcome;
use hookwheel::domain::retry::Next;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::access::key;
use crate::history::attempt;
use crate::server::{JOURNAL_MAX, START_MS, Server, id, is_through};

/// A message of a stream.
#[derive(Debug, Clone, PartialEq)]
struct Message {
    id: Option<String>,
    kind: String,
    data: Value,
}

/// A stream, read message by message.
struct Messages {
    parts: LocalBoxStream<'static, Bytes>,
    text: String,
}

impl Messages {
    /// The next message; none at the end. What is said beside messages is passed over.
    async fn next(&mut self) -> Option<Message> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (message, rest) = (message(block), rest.to_owned());
                self.text = rest;
                if message.is_some() {
                    return message;
                }
            }
            self.text.push_str(std::str::from_utf8(&self.parts.next().await?).unwrap());
        }
    }

    /// So many.
    async fn some(&mut self, count: usize) -> Vec<Message> {
        let mut some = Vec::new();
        while some.len() < count {
            some.push(self.next().await.expect("it goes on"));
        }
        some
    }

    /// All of them, to the end.
    async fn all(mut self) -> Vec<Message> {
        let mut all = Vec::new();
        while let Some(message) = self.next().await {
            all.push(message);
        }
        all
    }
}

/// What a block says; none if it is none of our messages.
fn message(block: &str) -> Option<Message> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = serde_json::from_str(field("data")?).expect("data is JSON on one line");
    Some(Message { id: field("id").map(str::to_owned), kind: field("event")?.to_owned(), data })
}

async fn open(server: &Server, query: &str) -> Messages {
    open_by(server, &server.admin, query).await
}

async fn open_by(server: &Server, key: &str, query: &str) -> Messages {
    let (status, parts) = server.get(&format!("/api/v1/stream?{query}")).key(key).open().await;
    assert_eq!(status, 200);
    Messages { parts, text: String::new() }
}

/// What a stream that ends says.
async fn told(server: &Server, query: &str) -> Vec<Message> {
    open(server, &format!("follow=false&{query}")).await.all().await
}

fn kinds(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.kind.as_str()).collect()
}

fn ids(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.data["id"].as_str().unwrap_or_default()).collect()
}

async fn webhook(server: &Server, more: Value) -> String {
    let mut body = json!({"url": "https://example.com/hook", "events": ["*"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    id(&server.post("/api/v1/webhooks").json(body).send().await.data(201))
}

async fn publish(server: &Server, name: &str, event_type: &str) {
    let event = json!({"type": event_type, "id": name, "data": 1});
    server.post("/api/v1/events").json(event).send().await.data(202);
}

/// The delivery of an event to a webhook.
async fn delivery(server: &Server, webhook: &str, event: &str) -> String {
    let shown = server.get(&format!("/api/v1/events/{event}/deliveries")).send().await.data(200);
    let mine = shown.as_array().unwrap().iter().find(|one| one["webhook_id"] == webhook).expect("it was delivered");
    id(mine)
}

#[actix_web::test]
async fn what_happens_is_told_in_the_order_in_which_it_was_committed() {
    let server = Server::start().await;
    let webhook = webhook(&server, json!({})).await;
    let mut stream = open(&server, "").await;
    publish(&server, "a", "task.done").await;
    let of_a = delivery(&server, &webhook, "a").await;
    let again = Next::RetryAt(server.clock.now() + 60_000);
    attempt(&server, &of_a, 1, Outcome::Status(503), again).await;
    publish(&server, "b", "task.made").await;
    attempt(&server, &of_a, 2, Outcome::TimedOut, Next::Dead).await;
    let messages = stream.some(5).await;
    assert_eq!(kinds(&messages), ["event", "attempt", "event", "attempt", "dead"]);
    let [event, first, _, second, dead] = &messages[..] else { panic!("five were told") };
    assert_eq!((&event.data["id"], &event.data["type"]), (&json!("a"), &json!("task.done")));
    assert_eq!(event.data.get("data"), None, "what it is about is not in it");
    let (delivery_id, said) = (json!(of_a), &first.data);
    assert_eq!(
        (&said["delivery_id"], &said["event_id"], &said["webhook_id"]),
        (&delivery_id, &json!("a"), &json!(webhook))
    );
    assert_eq!((&said["attempt"], &said["status_code"], &said["state"]), (&json!(1), &json!(503), &json!("scheduled")));
    assert!(said["next_attempt_at"].is_string() && said["success"] == false);
    assert_eq!((&second.data["outcome"], &second.data["state"]), (&json!("timeout"), &json!("dead")));
    assert_eq!((&dead.data["id"], &dead.data["state"]), (&delivery_id, &json!("dead")));
    assert!(messages.iter().all(|message| message.id.is_some() && message.data.get("account").is_none()));
    drop(stream);
    server.stop().await;
}

#[actix_web::test]
async fn who_comes_back_is_told_what_happened_since_and_nothing_twice_also_by_a_server_that_was_started_anew() {
    let server = Server::start().await;
    let mut stream = open(&server, "").await;
    for name in ["a", "b", "c"] {
        publish(&server, name, "task.done").await;
    }
    let messages = stream.some(3).await;
    drop(stream);
    publish(&server, "d", "task.done").await;
    let from = |message: &Message| format!("last_event_id={}", message.id.as_ref().unwrap());
    for (n, expected) in [vec!["b", "c", "d"], vec!["c", "d"], vec!["d"]].into_iter().enumerate() {
        assert_eq!(ids(&told(&server, &from(&messages[n])).await), expected);
    }
    let header = server.get("/api/v1/stream?follow=false").header("Last-Event-ID", messages[2].id.as_ref().unwrap());
    let (_, parts) = header.open().await;
    assert_eq!(ids(&Messages { parts, text: String::new() }.all().await), ["d"]);
    let server = server.restart().await;
    publish(&server, "e", "task.done").await;
    assert_eq!(ids(&told(&server, &from(&messages[2])).await), ["d", "e"]);
    server.get("/api/v1/stream?last_event_id=abc").send().await.error(400, "invalid_field");
    server.get("/api/v1/stream?follow=false").header("Last-Event-ID", "x").send().await.error(400, "invalid_field");
    server.stop().await;
}

#[actix_web::test]
async fn events_that_were_committed_together_are_told_one_by_one_and_read_on_from_any() {
    let server = Server::start().await;
    let mut stream = open(&server, "").await;
    let batch: Vec<Value> = (0..5).map(|n| json!({"type": "a", "id": format!("n{n}"), "data": n})).collect();
    server.post("/api/v1/events").json(json!(batch)).send().await.data(202);
    let messages = stream.some(5).await;
    for (n, message) in messages.iter().enumerate() {
        let rest = told(&server, &format!("last_event_id={}", message.id.as_ref().unwrap())).await;
        assert_eq!(rest, messages[n + 1..], "after {n}");
    }
    drop(stream);
    server.stop().await;
}

#[actix_web::test]
async fn much_that_happened_at_once_is_told_or_passed_over_step_by_step() {
    let server = Server::start().await;
    let mut stream = open(&server, "").await;
    publish(&server, "first", "a").await;
    let first = stream.some(1).await.remove(0);
    drop(stream);
    // More than is looked at, and told, at once.
    let batch: Vec<Value> = (0..300).map(|n| json!({"type": "a", "id": format!("n{n}"), "data": n})).collect();
    server.post("/api/v1/events").json(json!(batch)).send().await.data(202);
    publish(&server, "last", "b").await;
    let since = format!("last_event_id={}", first.id.unwrap());
    assert_eq!(ids(&told(&server, &format!("{since}&event_type=b")).await), ["last"]);
    let names: Vec<String> = (0..300).map(|n| format!("n{n}")).chain(["last".to_owned()]).collect();
    assert_eq!(ids(&told(&server, &since).await), names);
    server.stop().await;
}

#[actix_web::test]
async fn who_comes_back_from_what_there_is_not_is_told_so_and_hears_what_comes() {
    let server = Server::start().await;
    let mut stream = open(&server, "").await;
    publish(&server, "first", "a").await;
    stream.some(1).await;
    let mut stream = open(&server, "last_event_id=ffffffff-ffff-ffff-ffff-ffffffffffff").await;
    let gap = stream.some(1).await.remove(0);
    assert_eq!((gap.kind.as_str(), gap.id), ("gap", None));
    publish(&server, "second", "a").await;
    assert_eq!(ids(&stream.some(1).await), ["second"]);
    drop(stream);
    server.stop().await;
}

#[actix_web::test]
async fn filters_tell_what_is_asked_for_and_a_place_holds_whatever_is_asked() {
    let server = Server::start().await;
    let first = told(&server, "").await;
    assert_eq!(first, [], "nothing has happened");
    let mut stream = open(&server, "").await;
    let (one, other) = (webhook(&server, json!({})).await, webhook(&server, json!({"events": ["task.*"]})).await);
    publish(&server, "a", "task.done").await;
    publish(&server, "b", "order.paid").await;
    attempt(&server, &delivery(&server, &one, "a").await, 1, Outcome::Status(500), Next::Dead).await;
    attempt(&server, &delivery(&server, &other, "a").await, 1, Outcome::TimedOut, Next::Dead).await;
    let all = stream.some(6).await;
    assert_eq!(kinds(&all), ["event", "event", "attempt", "dead", "attempt", "dead"]);
    let since = format!("last_event_id={}", all[0].id.as_ref().unwrap());
    for (query, expected) in [
        ("kind=event", vec!["event"]),
        ("kind=attempt", vec!["attempt", "attempt"]),
        ("outcome=timeout", vec!["attempt", "dead"]),
        ("status_code=5xx", vec!["attempt", "dead"]),
        ("status_code=5xx&kind=dead", vec!["dead"]),
        ("event_type=order.*", vec!["event"]),
        ("event_type=task.done", vec!["attempt", "dead", "attempt", "dead"]),
        (&format!("webhook={other}"), vec!["attempt", "dead"]),
        (&format!("webhook={one}"), vec!["event", "attempt", "dead"]),
    ] {
        assert_eq!(kinds(&told(&server, &format!("{since}&{query}")).await), expected, "{query}");
    }
    for (query, field) in
        [("kind=x", "kind"), ("outcome=ok", "outcome"), ("accounts=mine", "accounts"), ("follow=1", "follow")]
    {
        let named = server.get(&format!("/api/v1/stream?{query}")).strange().send().await.error(400, "invalid_field");
        assert_eq!(named, field, "{query}");
    }
    server.get("/api/v1/stream?webhook=none").send().await.error(404, "not_found");
    drop(stream);
    server.stop().await;
}

#[actix_web::test]
async fn an_account_is_told_of_its_own_and_only_the_operator_of_all() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let own = key(&server, "acme", &["read", "publish"]).await;
    let (mut of_acme, mut of_all) = (open_by(&server, &own, "").await, open(&server, "accounts=all").await);
    publish(&server, "theirs", "a").await;
    server.post("/api/v1/events").key(&own).json(json!({"type": "a", "id": "ours", "data": 1})).send().await.data(202);
    assert_eq!(ids(&of_acme.some(1).await), ["ours"]);
    let all = of_all.some(2).await;
    let accounts: Vec<_> = all.iter().map(|message| message.data["account"].clone()).collect();
    assert_eq!((ids(&all), accounts), (vec!["theirs", "ours"], vec![json!("default"), json!("acme")]));
    let since = format!("follow=false&last_event_id={}", all[0].id.as_ref().unwrap());
    assert_eq!(ids(&open(&server, &format!("{since}&accounts=all")).await.all().await), ["ours"]);
    assert_eq!(
        ids(&open_by(&server, &own, &since).await.all().await),
        ["ours"],
        "a place of another kind repeats, and skips nothing"
    );
    let refused = server.get("/api/v1/stream?accounts=all").key(&own).send().await;
    assert_eq!(refused.error(403, "forbidden"), "accounts");
    drop((of_acme, of_all));
    server.stop().await;
}

#[actix_web::test]
async fn what_is_missing_is_told() {
    let server = Server::start().await;
    let mut stream = open(&server, "").await;
    publish(&server, "first", "a").await;
    let first = stream.some(1).await.remove(0);
    drop(stream);
    let since = format!("last_event_id={}", first.id.unwrap());
    for part in 0..3 {
        let batch: Vec<Value> =
            (0..JOURNAL_MAX / 2).map(|n| json!({"type": "a", "id": format!("{part}-{n}"), "data": n})).collect();
        server.post("/api/v1/events").json(json!(batch)).send().await.data(202);
    }
    let messages = told(&server, &since).await;
    assert_eq!(messages[0].kind, "gap");
    assert!(messages[0].data["from"].is_string() && messages[0].data["to"].is_string());
    assert!(messages.len() <= JOURNAL_MAX + 1 && messages.iter().filter(|one| one.kind == "gap").count() == 1);
    assert_eq!(ids(&messages).last(), Some(&format!("2-{}", JOURNAL_MAX / 2 - 1).as_str()));
    let on = format!("last_event_id={}", messages[0].id.as_ref().unwrap());
    assert_eq!(told(&server, &on).await, messages[1..], "a gap is a place to go on from");
    server.clock.turn_to(server.clock.now() + 2 * 60 * 60 * 1000);
    let unwatched = told(&server, &since).await;
    assert_eq!(kinds(&unwatched), ["gap"], "nobody watched for more than an hour");
    server.stop().await;
}

#[actix_web::test]
async fn a_stream_ends_with_its_key() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let made = server.post("/api/v1/accounts/acme/keys").json(json!({"scopes": ["read"]})).send().await.data(201);
    let stream = open_by(&server, made["key"].as_str().unwrap(), "").await;
    let revoked = server.ask("DELETE", &format!("/api/v1/accounts/acme/keys/{}", id(&made))).send().await;
    assert_eq!(revoked.status, 204);
    publish(&server, "after", "a").await;
    assert_eq!(stream.all().await, []);
    server.stop().await;
}

/// A stream that begins over this socket, and what came first of its reply.
async fn begun(server: &Server, socket: TcpSocket) -> (TcpStream, Vec<u8>) {
    let mut socket = socket.connect(server.url.trim_start_matches("http://").parse().unwrap()).await.unwrap();
    let head = format!(
        "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
        server.admin
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut heard = vec![0; 1024];
    let count = socket.read(&mut heard).await.unwrap();
    heard.truncate(count);
    (socket, heard)
}

#[actix_web::test]
async fn so_many_are_read_at_once_and_each_that_ends_makes_room() {
    let server = Server::start().await;
    let mut streams = Vec::new();
    loop {
        let (socket, heard) = begun(&server, TcpSocket::new_v4().unwrap()).await;
        if !heard.starts_with(b"HTTP/1.1 200") {
            assert!(heard.starts_with(b"HTTP/1.1 429"), "of one account: {}", String::from_utf8_lossy(&heard));
            break;
        }
        streams.push(socket);
        assert!(streams.len() < 300, "there is a bound");
    }
    let line = format!("hookwheel_streams {}", streams.len());
    let metrics = server.get("/metrics").send().await.text;
    assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    server.get("/api/v1/stream").send().await.error(429, "too_many_streams");
    drop(streams);
    // Each is over once the server has seen that its client has gone: when it has something to tell.
    while server.get("/api/v1/stream?follow=false").send().await.status != 200 {
        server.clock.turn_to(server.clock.now() + 1_000);
        server.post("/api/v1/events").json(json!({"type": "a", "data": 1})).send().await.data(202);
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_reader_that_is_too_slow_is_dropped_and_nobody_else_waits() {
    let server = Server::start().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let (mut slow, mut heard) = begun(&server, socket).await;
    assert!(heard.starts_with(b"HTTP/1.1 200"), "it has begun, and nothing more of it is read");
    let mut quick = open(&server, "").await;
    let (mut published, name) = (0, "x".repeat(120));
    // More than what the sockets between hold; by way of another node there are three times as many.
    let parts = if is_through() { 600 } else { 120 };
    for part in 0..parts {
        // A key may publish so many in a second.
        server.clock.turn_to(START_MS + part * 100);
        let batch: Vec<Value> =
            (0..JOURNAL_MAX / 4).map(|n| json!({"type": "a", "id": format!("{part}-{n}-{name}"), "data": n})).collect();
        published += batch.len();
        server.post("/api/v1/events").json(json!(batch)).send().await.data(202);
        assert_eq!(quick.some(batch.len()).await.len(), batch.len(), "who reads is told all of it");
    }
    assert_eq!(published, parts as usize * (JOURNAL_MAX / 4));
    slow.read_to_end(&mut heard).await.unwrap();
    let text = String::from_utf8_lossy(&heard);
    assert_eq!(text.matches("event: gap\n").count(), 1);
    let behind_it = text.split("event: gap\n").nth(1).unwrap();
    assert!(!behind_it.contains("event: event\n"), "it is the last that it is told");
    let metrics = server.get("/metrics").send().await.text;
    assert!(metrics.lines().any(|line| line == "hookwheel_streams_dropped_total 1"), "{metrics}");
    drop((quick, slow));
    server.stop().await;
}
