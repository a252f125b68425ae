//! The load: producers, endpoints in every mood, and people who pause, change, replay and delete. Each ends when the
//! server is gone or the ledger says so.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use hookwheel::clock::Stopwatch;
use serde_json::{Value, json};

use crate::ledger::{Ledger, name};
use crate::support::{Answer, Client, DEADLINE, Message, Receiver, Server};

const PRODUCERS: usize = 3;
/// Between two rounds of what people do, so many events are posted.
const EVENTS_A_DEED: usize = 50;
/// Dead letters that are replayed at once.
const REPLAYED: usize = 20;
/// The webhook that comes and goes.
const PASSING: &str = "passing";

/// How the endpoints answer, by path. What the one that is well takes goes into the ledger.
pub fn endpoints(ledger: Arc<Ledger>) -> impl Fn(&str, &Message) -> Answer + Send + Sync + 'static {
    move |path, message| {
        let count = ledger.count_request();
        match path {
            "/well" => {
                ledger.arrived(message.header("webhook-id").expect("a delivery names its event"));
                Answer::Status(200)
            }
            "/flaky" if count.is_multiple_of(4) => Answer::Status(500),
            "/flaky" if count % 16 == 1 => Answer::Close,
            "/failing" => Answer::Status(500),
            "/passing" if count.is_multiple_of(2) => Answer::Hang,
            _ => Answer::Status(200),
        }
    }
}

/// The webhooks that stay.
pub fn register(server: &Server, receiver: &Receiver) {
    let webhook = |path: &str, filter: &str, delays: Vec<u8>| {
        let retry = json!({"delays": delays, "jitter_percent": 0});
        let webhook = json!({"url": receiver.url(path), "events": [filter], "name": path, "retry": retry});
        server.client().post("/api/v1/webhooks", &webhook).data(201);
    };
    webhook("/well", "*", vec![1; 50]);
    webhook("/flaky", "task.updated", vec![1; 50]);
    webhook("/failing", "task.deleted", vec![1; 1]);
}

/// Starts all of it.
pub fn start(server: &Server, receiver: &Receiver, ledger: &Arc<Ledger>) -> Vec<JoinHandle<()>> {
    let mut threads: Vec<_> = (0..PRODUCERS)
        .map(|_| {
            let (mut client, ledger) = (server.client(), ledger.clone());
            thread::spawn(move || while let Some(true) = post_next(&mut client, &ledger, true) {})
        })
        .collect();
    let (mut client, ledger, url) = (server.client(), ledger.clone(), receiver.url("/passing"));
    threads.push(thread::spawn(move || {
        let mut next = 0;
        let mut last = Stopwatch::start();
        while ledger.wait_for(next) {
            next = ledger.counts().0 + EVENTS_A_DEED;
            if last.elapsed() < ledger.between_rounds {
                continue;
            }
            if deeds(&mut client, &url).is_err() {
                return;
            }
            last = Stopwatch::start();
        }
    }));
    threads
}

/// Posts again what had no answer.
pub fn post_unanswered(server: &Server, ledger: &Ledger) {
    let mut client = server.client();
    while let Some(answered) = post_next(&mut client, ledger, false) {
        assert!(answered, "nobody kills this server");
    }
}

/// Posts an event; says whether there was an answer, if there was an event.
fn post_next(client: &mut Client, ledger: &Ledger, new: bool) -> Option<bool> {
    let n = ledger.next(new)?;
    let event_type = match n % 10 {
        0 => "task.deleted",
        1 | 2 => "task.updated",
        3 => "comment.created",
        _ => "task.created",
    };
    let event = json!({"type": event_type, "id": name(n), "data": {"n": n, "text": "x".repeat(n * 37 % 1_500)}});
    let reply = client.try_request("POST", "/api/v1/events", event.to_string().as_bytes());
    if let Ok(reply) = &reply {
        assert_eq!(reply.status, 202, "{}", reply.json());
    }
    ledger.posted(n, reply.is_ok());
    Some(reply.is_ok())
}

/// A round of what people do.
fn deeds(client: &mut Client, passing: &str) -> io::Result<()> {
    let flaky = webhooks_named(client, "/flaky")?.pop().expect("it stays");
    ask(client, "POST", &format!("/api/v1/webhooks/{flaky}/pause"), Value::Null)?;
    let retry = json!({"delays": [1], "jitter_percent": 0});
    let webhook = json!({"url": passing, "events": ["comment.*"], "name": PASSING, "retry": retry, "timeout": 1});
    ask(client, "POST", "/api/v1/webhooks", webhook)?;
    replay(client, &flaky)?;
    let change = json!({"description": "changed", "headers": {"X-Soak": "yes"}});
    ask(client, "PATCH", &format!("/api/v1/webhooks/{flaky}"), change)?;
    ask(client, "POST", &format!("/api/v1/webhooks/{flaky}/resume"), Value::Null)?;
    // A kill may have left one of an earlier round behind, too.
    for passing in webhooks_named(client, PASSING)? {
        ask(client, "DELETE", &format!("/api/v1/webhooks/{passing}"), Value::Null)?;
    }
    Ok(())
}

/// The newest delivery of a webhook and the newest dead letters go out again; the other dead letters are discarded.
fn replay(client: &mut Client, webhook: &str) -> io::Result<()> {
    let newest = ask(client, "GET", &format!("/api/v1/webhooks/{webhook}/deliveries?limit=1"), Value::Null)?;
    if let Some(id) = newest[0]["id"].as_str() {
        ask(client, "POST", &format!("/api/v1/webhooks/{webhook}/replay/{id}"), Value::Null)?;
    }
    let dead = ask(client, "GET", &format!("/api/v1/dead-letters?limit={REPLAYED}"), Value::Null)?;
    let ids: Vec<&str> = dead.as_array().into_iter().flatten().filter_map(|one| one["id"].as_str()).collect();
    if !ids.is_empty() {
        ask(client, "POST", "/api/v1/dead-letters/replay", json!({"ids": ids}))?;
        ask(client, "POST", "/api/v1/dead-letters/discard", json!({}))?;
    }
    Ok(())
}

fn webhooks_named(client: &mut Client, name: &str) -> io::Result<Vec<String>> {
    let all = ask(client, "GET", "/api/v1/webhooks", Value::Null)?;
    let found = all.as_array().into_iter().flatten().filter(|webhook| webhook["name"] == name);
    Ok(found.filter_map(|webhook| webhook["id"].as_str().map(str::to_owned)).collect())
}

/// Asks the server. What retention or a kill has overtaken may be gone (404) or refused (409).
fn ask(client: &mut Client, method: &str, path: &str, body: Value) -> io::Result<Value> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let reply = client.try_request(method, path, body.as_bytes())?;
    assert!(matches!(reply.status, 200..=299 | 404 | 409), "{method} {path}: {} {}", reply.status, reply.json());
    Ok(reply.json()["data"].take())
}

/// Nobody holds anything any more; waits until every delivery has ended.
pub fn all_end(server: &Server, receiver: &Receiver) {
    let mut client = server.client();
    let all = client.get("/api/v1/webhooks").data(200);
    for webhook in all.as_array().expect("a list") {
        let path = format!("/api/v1/webhooks/{}", webhook["id"].as_str().expect("an id"));
        match (webhook["name"] == PASSING, webhook["status"] == "paused") {
            (true, _) => drop(ask(&mut client, "DELETE", &path, Value::Null).expect("it runs")),
            (_, true) => drop(ask(&mut client, "POST", &format!("{path}/resume"), Value::Null).expect("it runs")),
            _ => {}
        }
    }
    let watch = Stopwatch::start();
    loop {
        let all = client.get("/api/v1/webhooks").data(200);
        if all.as_array().expect("a list").iter().all(|webhook| webhook["open"] == 0) {
            return;
        }
        assert!(watch.elapsed() < DEADLINE, "deliveries do not end: {all}");
        receiver.arrived.try_iter().for_each(drop);
    }
}
