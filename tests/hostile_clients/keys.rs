//! Those who have no key, and those who lost it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, DEADLINE, Server};

const KEYS: &str = "/api/v1/accounts/default/keys";

fn new_key(server: &Server, scopes: &[&str]) -> (String, Client) {
    let made = server.client().post(KEYS, &json!({"scopes": scopes})).data(201);
    let text = |field: &str| made[field].as_str().expect("a text").to_owned();
    (text("id"), Client::new(server.address, &text("key")))
}

fn last_used_at(server: &Server, id: &str) -> Value {
    let keys = server.client().get(KEYS).data(200);
    let key = keys.as_array().expect("keys").iter().find(|key| key["id"] == id).cloned();
    key.expect("it is listed")["last_used_at"].clone()
}

#[test]
fn guesses_are_answered_later_and_later_and_right_keys_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut server = Server::start(dir.path(), &[]);
    let mut guesser = Client::new(server.address, "hw_a-guess-that-must-not-be-logged");
    let mut waits = Vec::new();
    for _ in 0..10 {
        let begun = Instant::now();
        assert_eq!(guesser.get("/api/v1/webhooks").status, 401);
        waits.push(begun.elapsed());
    }
    // Of the sixth to the tenth.
    for (wait, least_ms) in waits[5..].iter().zip([50, 100, 200, 400, 800]) {
        assert!(*wait >= Duration::from_millis(least_ms), "{waits:?}");
    }
    // While a guess is kept waiting, a right key of the same address is served again and again.
    let guessing = std::thread::spawn(move || guesser.get("/v2/webhooks").status);
    let mut good = server.client();
    let mut served = 0;
    while !guessing.is_finished() {
        good.get("/api/v1/webhooks?limit=1").data(200);
        served += 1;
    }
    assert_eq!(guessing.join().expect("it is answered"), 401);
    assert!(served > 1, "{served}");
    let line = server.process.line("a key that is not known");
    assert!(line.contains("127.0.0.1") && line.contains("count=1"), "{line}");
    let ended = server.process.terminate();
    assert!(ended.status.success() && !ended.output.contains("a-guess"), "{}", ended.output);
}

#[test]
fn a_revoked_key_is_refused_on_a_connection_that_stays_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let (id, mut holder) = new_key(&server, &["publish", "read"]);
    let event = json!({"type": "a.b", "data": 1});
    holder.post("/api/v1/events", &event).data(202);
    holder.get("/api/v1/webhooks").data(200);
    assert_eq!(server.client().request("DELETE", &format!("{KEYS}/{id}"), b"").status, 204);
    assert_eq!(holder.post("/api/v1/events", &event).status, 401);
    assert_eq!(holder.get("/api/v1/webhooks").status, 401);
    assert!(server.terminate().success());
    // Nothing that was written late brings it back.
    let server = Server::start(dir.path(), &[]);
    let mut holder = Client::new(server.address, holder.key());
    assert_eq!(holder.post("/api/v1/events", &event).status, 401);
    assert!(server.terminate().success());
}

#[test]
fn a_key_tells_when_it_was_last_used_also_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let (id, mut holder) = new_key(&server, &["publish"]);
    let (unused, _) = new_key(&server, &["publish"]);
    assert_eq!(last_used_at(&server, &id), Value::Null);
    let accepted = holder.post("/api/v1/events", &json!({"type": "a.b", "data": 1})).data(202);
    let used = last_used_at(&server, &id);
    assert!(used.as_str().is_some_and(|at| at <= accepted["created_at"].as_str().expect("a time")), "{used}");
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), &[]);
    let begun = Instant::now();
    while last_used_at(&server, &id) != used {
        assert!(begun.elapsed() < DEADLINE, "the first use is written down at once");
    }
    assert_eq!(last_used_at(&server, &unused), Value::Null);
    assert!(server.terminate().success());
}

#[test]
fn admins_see_every_setting_but_no_secret_and_loose_ones_are_logged() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[("HOOKWHEEL__SERVER__EVENTS_PER_SECOND", "0")]);
    let (_, mut reader) = new_key(&server, &["read", "manage", "publish"]);
    assert_eq!(reader.get("/api/v1/settings").status, 403);
    let reply = server.client().get("/api/v1/settings");
    assert!(!String::from_utf8_lossy(&reply.message.body).contains(server.key));
    let knobs = reply.data(200);
    let knob = |name: &str| knobs.as_array().expect("knobs").iter().find(|knob| knob["name"] == name).cloned();
    let shown = knob("server.events_per_second");
    assert_eq!(shown, Some(json!({"name": "server.events_per_second", "value": 0, "default": 20_000})));
    assert_eq!(knob("auth.admin_key"), Some(json!({"name": "auth.admin_key", "value": "set", "default": null})));
    assert_eq!(knob("deliver.http_allowed").map(|knob| knob["value"].clone()), Some(json!(true)));
    // Said before it listened.
    let ended = server.process.terminate();
    for knob in ["server.events_per_second", "deliver.http_allowed", "deliver.allow"] {
        assert!(ended.output.contains(&format!("knob=\"{knob}\"")), "{knob} in {}", ended.output);
    }
}
