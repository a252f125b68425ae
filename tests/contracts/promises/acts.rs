//! What rows of several guides ask of the server, and what a guide's own functions say of a request.

use std::sync::atomic::{AtomicUsize, Ordering};

use hookwheel::domain::time;
use serde_json::{Value, json};

use super::line::{Line, Registered};
pub use super::own::body;
use crate::scene::{Scene, at_once};
use crate::support::{Answer, Arrived, Message, Receiver};

/// How long after its event was accepted a delivery had succeeded, when nobody asked for it.
#[track_caller]
pub fn arrives(scene: &mut Scene, dialect: &str) -> String {
    let line = Line::open(scene, dialect, json!({}), |_| Answer::Status(200));
    let delivery = line.send(scene, json!({"n": 1}));
    line.receiver.next();
    let shown = scene.delivery_in(&delivery, "succeeded");
    let at = |field: &str| time::parse(&text(&shown[field])).expect("a time");
    format!("taken by the endpoint {} ms after it was accepted", at("ended_at").saturating_sub(at("created_at")))
}

/// Asserts that a webhook gets the type that it wants, and no other.
#[track_caller]
pub fn only_wanted(scene: &mut Scene, dialect: &str) -> String {
    let line = Line::open(scene, dialect, json!({}), |_| Answer::Status(200));
    let other = json!({"type": format!("{}.other", line.kind), "data": {}});
    assert_eq!(scene.publish_text(&other.to_string())["data"]["deliveries"], 0);
    let wanted = json!({"type": line.kind, "data": {}});
    assert_eq!(scene.publish_text(&wanted.to_string())["data"]["deliveries"], 1);
    let got = line.receiver.next();
    let first = got.message.start.clone();
    format!("{first} for the type that it wants, nothing for another")
}

/// Asserts that an endpoint that breaks off gets the same delivery until it answers.
#[track_caller]
pub fn until_taken(scene: &mut Scene, dialect: &str, failures: usize) -> String {
    let tries = AtomicUsize::new(0);
    let broken = move |_: &Message| match tries.fetch_add(1, Ordering::SeqCst) < failures {
        true => Answer::Close,
        false => Answer::Status(200),
    };
    let line = Line::open(scene, dialect, json!({"retry": at_once(failures)}), broken);
    let delivery = line.send(scene, json!({"n": 1}));
    let shown = scene.delivery_in(&delivery, "succeeded");
    let requests = line.receiver.arrived.try_iter().count();
    assert_eq!(requests, failures + 1, "{shown}");
    format!("{failures} times broken off, taken the next time")
}

/// Asserts that a newer event goes out while an older one waits for its retry.
#[track_caller]
pub fn overtakes(scene: &mut Scene, dialect: &str) -> String {
    let first = |message: &Message| message.body.windows(5).any(|part| part == b"first");
    let answer = move |message: &Message| Answer::Status(if first(message) { 500 } else { 200 });
    let line = Line::open(scene, dialect, json!({}), answer);
    let older = line.send(scene, json!({"n": "first"}));
    scene.delivery_after(&older, 1);
    let newer = line.send(scene, json!({"n": "second"}));
    scene.delivery_in(&newer, "succeeded");
    let shown = scene.delivery_after(&older, 1);
    assert_eq!(shown["state"], "scheduled", "{shown}");
    "the second event was taken while the first waited for its retry".into()
}

/// Asserts which statuses of an answer are a success, and which lead to another try.
#[track_caller]
pub fn answers(scene: &mut Scene, dialect: &str, good: &[u16], bad: &[u16]) -> String {
    let mut seen = Vec::new();
    for (statuses, state) in [(good, "succeeded"), (bad, "scheduled")] {
        for &status in statuses {
            let line = Line::open(scene, dialect, json!({}), move |_| Answer::Status(status));
            let shown = line.first(scene);
            assert_eq!(shown["attempts"][0]["status_code"], status, "{shown}");
            assert_eq!(shown["state"], state, "after {status}: {shown}");
            seen.push(format!("{status} {state}"));
        }
    }
    seen.join(", ")
}

/// Two attempts of one delivery, the first of which failed.
#[track_caller]
pub fn twice(scene: &mut Scene, dialect: &str) -> [Arrived; 2] {
    let tries = AtomicUsize::new(0);
    let answer = move |_: &Message| Answer::Status(if tries.fetch_add(1, Ordering::SeqCst) == 0 { 500 } else { 200 });
    let line = Line::open(scene, dialect, json!({"retry": {"delays": [0], "jitter_percent": 0}}), answer);
    let delivery = line.send(scene, json!({"n": 1}));
    let both = [line.receiver.next(), line.receiver.next()];
    scene.delivery_in(&delivery, "succeeded");
    both
}

/// The first request to `receiver` whose header has the digits of this id.
#[track_caller]
pub fn arrival(receiver: &Receiver, header: &str, id: &Value) -> Arrived {
    let wanted = digits(&text(id));
    loop {
        let got = receiver.next();
        if digits(got.header(header).unwrap_or_default()) == wanted {
            return got;
        }
    }
}

/// The 32 digits of an id, however it is spelled.
pub fn digits(id: &str) -> String {
    let plain = id.replace('-', "");
    plain.split('_').find(|part| part.len() == 32).unwrap_or_default().to_owned()
}

/// What the guide's own functions, as they are printed, say of a request.
pub fn printed(scene: &Scene, got: &Arrived, header: &str, secret: &str) -> Value {
    let body = String::from_utf8(got.message.body.clone()).expect("UTF-8");
    said_of(scene, &body, got.header(header).unwrap_or_default(), secret)
}

/// The same of a body and its signature.
pub fn said_of(scene: &Scene, body: &str, signature: &str, secret: &str) -> Value {
    let one = json!({"body": body, "signature": signature, "secret": secret});
    let all = json!({"daycopilot": one, "workspace": one, "taskflow": one, "hub": one, "cathcr": one}).to_string();
    let [python, node] = ["printed.py", "printed.mjs"]
        .map(|name| serde_json::from_str::<Value>(&scene.program(name, &all)).expect("it prints JSON"));
    json!({"python": python, "node": node})
}

/// HMAC-SHA256 over what arrived, by a library that does not sign here.
pub fn hmac(body: &[u8], secret: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    ring::hmac::sign(&key, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Asserts the shape of a signature's header: the prefix, and 64 digits of the digest.
#[track_caller]
pub fn is_signature(value: &str) -> String {
    let digest = value.strip_prefix("sha256=").unwrap_or_else(|| panic!("no prefix: {value}"));
    let is_hex = digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    assert!(digest.len() == 64 && is_hex, "{value}");
    format!("sha256={}… of {} digits", &digest[..8], digest.len())
}

/// Asserts that an object has these fields, in this order, and no other.
#[track_caller]
pub fn has_fields(object: &Value, fields: &[&str]) -> String {
    let has: Vec<&String> = object.as_object().unwrap_or_else(|| panic!("no object: {object}")).keys().collect();
    assert_eq!(has, fields);
    fields.join(", ")
}

/// Asserts that a create call takes a public URL.
#[track_caller]
pub fn takes_url(scene: &mut Scene, base: &str, url: &str) -> String {
    let made = Registered::at(scene, base, json!({"url": url, "events": ["row.never"]}));
    assert_eq!(made.reply["url"], url, "{}", made.reply);
    format!("201, url {url}")
}

/// The document that the service has of a contract.
#[track_caller]
pub fn document(scene: &mut Scene, dialect: &str) -> String {
    let reply = scene.client.get(&format!("/docs/webhooks/{dialect}?format=markdown"));
    assert_eq!(reply.status, 200);
    String::from_utf8(reply.message.body).expect("UTF-8")
}

/// A text, or nothing.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Puts the fields of `more` into an object.
pub fn extend(object: &mut Value, more: Value) {
    let Value::Object(more) = more else { panic!("no object: {more}") };
    object.as_object_mut().expect("an object").extend(more);
}
