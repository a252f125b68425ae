//! Consumers that pull from a server which is killed, or stops, and consumers that go away.

mod support;

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};
use support::{Client, Server};

/// A webhook that is pulled. Gives the path to pull at.
fn pulled(client: &mut Client) -> String {
    let retry = json!({"delays": [0], "jitter_percent": 0});
    let body = json!({"mode": "pull", "events": ["*"], "retry": retry});
    let made = client.post("/api/v1/webhooks", &body).data(201);
    format!("/api/v1/webhooks/{}/pull", made["id"].as_str().expect("an id"))
}

fn publish(client: &mut Client, name: &str) {
    client.post("/api/v1/events", &json!({"type": "a", "id": name, "data": name})).data(202);
}

fn pull(client: &mut Client, path: &str, query: &str) -> Vec<Value> {
    client.get(&format!("{path}?{query}")).data(200).as_array().expect("leases").clone()
}

/// Waits until so many calls wait for deliveries.
fn polls(client: &mut Client, count: usize) {
    let line = format!("hookwheel_polls {count}");
    while !String::from_utf8_lossy(&client.get("/metrics").message.body).lines().any(|found| found == line) {}
}

#[test]
fn what_was_handed_out_before_a_crash_is_handed_out_again_and_what_was_acknowledged_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let mut client = server.client();
    let path = pulled(&mut client);
    ["one", "two"].into_iter().for_each(|name| publish(&mut client, name));
    let leases = pull(&mut client, &path, "wait=30&lease=3600&limit=1");
    client.post(&format!("{path}/ack"), &json!({"leases": [leases[0]["lease"]]})).data(200);
    let other = pull(&mut client, &path, "wait=30&lease=3600&limit=1");
    server.kill();

    let server = Server::start(dir.path(), &[]);
    let mut client = server.client();
    let late = client.post(&format!("{path}/ack"), &json!({"leases": [other[0]["lease"]]}));
    assert_eq!((late.status, late.json()["error"]["code"].as_str()), (409, Some("lease_lost")));
    let again = pull(&mut client, &path, "wait=30&limit=9");
    assert_eq!(again.len(), 1, "the other was acknowledged: {again:?}");
    assert_eq!(
        (&again[0]["delivery_id"], &again[0]["attempt"]),
        (&other[0]["delivery_id"], &json!(1)),
        "it is no attempt"
    );
    let lost = client.post(&format!("{path}/nack"), &json!({"leases": [other[0]["lease"]]}));
    assert_eq!(lost.json()["error"]["code"], "lease_lost", "somebody else holds it now");
    let both = json!({"leases": [leases[0]["lease"], again[0]["lease"]]});
    let answers = client.post(&format!("{path}/ack"), &both).data(200);
    assert_eq!((&answers[0]["state"], &answers[1]["state"]), (&json!("acked"), &json!("acked")));
    assert!(server.terminate().success());
}

#[test]
fn a_body_that_takes_most_of_the_room_there_is_is_handed_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[("HOOKWHEEL__DELIVER__BODIES_BYTES_MAX", "1048576")]);
    let mut client = server.client();
    let path = pulled(&mut client);
    let large = json!({"type": "a", "id": "large", "data": "x".repeat(700 * 1024)});
    client.post("/api/v1/events", &large).data(202);
    let leases = pull(&mut client, &path, "wait=30");
    assert_eq!(leases.len(), 1);
    // Its room is free again once the reply has been written.
    let is_free = |client: &mut Client| {
        let metrics = client.get("/metrics").message.body;
        String::from_utf8_lossy(&metrics).lines().any(|line| line == "hookwheel_bodies_out_bytes 0")
    };
    while !is_free(&mut client) {}
    assert!(server.terminate().success());
}

#[test]
fn a_server_that_stops_answers_who_waits_and_waits_for_no_lease() {
    let dir = tempfile::tempdir().expect("a directory");
    // Whoever waits, or holds a lease, would be waited for as long.
    let server = Server::start(dir.path(), &[("HOOKWHEEL__SERVER__SHUTDOWN_SECONDS", "3600")]);
    let mut client = server.client();
    let path = pulled(&mut client);
    publish(&mut client, "one");
    assert_eq!(pull(&mut client, &path, "wait=30&lease=3600").len(), 1);
    let mut waiting = server.client();
    let waits = std::thread::spawn({
        let path = path.clone();
        move || pull(&mut waiting, &path, "wait=30")
    });
    polls(&mut client, 1);
    drop(client);
    assert!(server.terminate().success());
    assert!(waits.join().expect("it is answered").is_empty());
}

#[test]
fn who_has_gone_is_handed_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let mut client = server.client();
    let path = pulled(&mut client);
    let mut gone = TcpStream::connect(server.address).expect("it listens");
    let request =
        format!("GET {path}?wait=30&lease=3600 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", server.key);
    gone.write_all(request.as_bytes()).expect("it is taken");
    polls(&mut client, 1);
    drop(gone);
    publish(&mut client, "one");
    let leases = pull(&mut client, &path, "wait=30");
    assert_eq!(leases.len(), 1, "whoever had gone would have had an hour for it");
    assert_eq!(leases[0]["attempt"], 1);
    assert!(server.terminate().success());
}
