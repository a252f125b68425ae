//! The stream of what happens, of a server as people run it: read with nothing but a socket, and through a stop.

mod support;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use support::lines::{self, Lines, line, until};
use support::{Answer, Receiver, Server};

/// A stream over a connection of its own; its lines as they come.
fn open(server: &Server, query: &str) -> Lines {
    let by = format!("Authorization: Bearer {}", server.key);
    let mut stream = lines::open(server.address, &format!("/api/v1/stream{query}"), &by);
    let head: Vec<String> = std::iter::from_fn(|| Some(line(&mut stream)).filter(|line| !line.is_empty())).collect();
    assert!(head.iter().any(|line| line.eq_ignore_ascii_case("content-type: text/event-stream")), "{head:?}");
    // From here on it is told what happens.
    until(&mut stream, "retry: ");
    stream
}

/// The data of the next message, and its kind.
fn next(stream: &mut Lines) -> (String, Value) {
    let kind = until(stream, "event: ");
    let data = until(stream, "data: ");
    (kind["event: ".len()..].to_owned(), serde_json::from_str(&data["data: ".len()..]).expect("JSON on one line"))
}

#[test]
fn a_stream_says_that_it_is_there_also_while_much_happens_that_it_does_not_tell() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[("HOOKWHEEL__SERVER__IDLE_SECONDS", "2")]);
    let mut stream = open(&server, "?kind=dead");
    let (is_heard, mut client) = (&AtomicBool::new(false), server.client());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !is_heard.load(Ordering::Relaxed) {
                client.post("/api/v1/events", &json!({"type": "task.done", "data": 1})).data(202);
            }
        });
        // What it hears at its deadline ends the other thread too.
        let heard = std::panic::catch_unwind(AssertUnwindSafe(|| until(&mut stream, ":")));
        is_heard.store(true, Ordering::Relaxed);
        assert_eq!(heard.expect("it is heard"), ":");
    });
}

#[test]
fn what_is_published_and_what_its_endpoint_answers_is_told_until_the_server_stops() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let receiver = Receiver::start(|_, _| Answer::Status(503));
    let mut client = server.client();
    let webhook = json!({"url": receiver.url("/"), "events": ["*"], "max_retries": 0});
    client.post("/api/v1/webhooks", &webhook).data(201);
    let mut stream = open(&server, "");
    let event = client.post("/api/v1/events", &json!({"type": "task.done", "data": 1})).data(202);
    let told: Vec<(String, Value)> = (0..3).map(|_| next(&mut stream)).collect();
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["event", "attempt", "dead"]);
    assert_eq!((&told[0].1["id"], &told[1].1["event_id"]), (&event["id"], &event["id"]));
    assert_eq!(told[1].1["status_code"], 503);
    // It does not hold up the stop, and says why it ends.
    assert!(server.terminate().success());
    assert_eq!(until(&mut stream, ": "), ": the server stops");
}
