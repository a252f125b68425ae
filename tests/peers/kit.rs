//! What many rows need: an endpoint that takes everything, a list, a job that has ended.

use hookwheel::clock::Stopwatch;
use serde_json::{Value, json};

use super::support::{Answer, Client, DEADLINE, Receiver, Stage};

/// An endpoint that answers every request with this status.
pub fn endpoint(status: u16) -> Receiver {
    Receiver::start(move |_, _| Answer::Status(status))
}

/// The id of what was made.
#[track_caller]
pub fn id(made: &Value) -> String {
    made["id"].as_str().unwrap_or_else(|| panic!("no id: {made}")).to_owned()
}

/// The rows of a list.
#[track_caller]
pub fn list(client: &mut Client, path: &str) -> Vec<Value> {
    client.get(path).data(200).as_array().expect("a list").clone()
}

/// One field of each row of a list.
#[track_caller]
pub fn column(client: &mut Client, path: &str, field: &str) -> Vec<Value> {
    list(client, path).iter().map(|row| row[field].clone()).collect()
}

/// How many rows a list has, where it is asked to count them exactly.
#[track_caller]
pub fn count(client: &mut Client, path: &str) -> u64 {
    let counted = client.get(path).json()["count"].take();
    assert_eq!(counted["exact"], true, "{counted}");
    counted["at_least"].as_u64().expect("a count")
}

/// Publishes an event; gives its id.
#[track_caller]
pub fn publish(client: &mut Client, event: Value) -> String {
    id(&client.post("/api/v1/events", &event).data(202))
}

/// Asks again and again until `wanted` holds.
#[track_caller]
pub fn until(client: &mut Client, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let watch = Stopwatch::start();
    loop {
        let shown = client.get(path).data(200);
        if wanted(&shown) {
            return shown;
        }
        assert!(watch.elapsed() < DEADLINE, "it does not come about: {shown}");
        std::thread::yield_now();
    }
}

/// Starts a bulk call and waits until its job has ended.
#[track_caller]
pub fn job(client: &mut Client, path: &str, body: Value) -> Value {
    let job = id(&client.post(path, &body).data(202));
    until(client, &format!("/api/v1/jobs/{job}"), |job| job["state"] != "running")
}

/// The data of what arrives next.
#[track_caller]
pub fn next_data(receiver: &Receiver) -> Value {
    let body: Value = serde_json::from_slice(&receiver.next().message.body).expect("JSON");
    body["data"].clone()
}

/// An account with a key that may do everything in it.
#[track_caller]
pub fn account(stage: &mut Stage, name: &str) -> Client {
    stage.client.post("/api/v1/accounts", &json!({"id": name, "name": name})).data(201);
    key(stage, name, &["publish", "manage", "read"])
}

/// A client with a key of its own.
#[track_caller]
pub fn key(stage: &mut Stage, account: &str, scopes: &[&str]) -> Client {
    let made = stage.client.post(&format!("/api/v1/accounts/{account}/keys"), &json!({"scopes": scopes})).data(201);
    Client::new(stage.server.address, made["key"].as_str().expect("a key"))
}
