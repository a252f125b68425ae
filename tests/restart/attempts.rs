//! Attempts that are out when a server stops: no endpoint holds the stop, and what was interrupted is sent again as if it had never
//! been tried. And a second signal, which hastens.

use std::io::{Read, Write};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Answer, Client, Receiver, Server};
use crate::{connect, delivery, publish, webhook};

/// Nothing but what it names ends a stop within the life of a test.
const PATIENT: (&str, &str) = ("HOOKWHEEL__SERVER__SHUTDOWN_SECONDS", "3600");

#[test]
fn an_endpoint_that_hangs_does_not_hold_a_stop_and_its_attempt_counts_as_not_made() {
    let dir = tempfile::tempdir().expect("a directory");
    let hanging = Receiver::start(|_, _| Answer::Hang);
    let limits = [PATIENT, ("HOOKWHEEL__SERVER__SHUTDOWN_ATTEMPT_SECONDS", "1"), ("HOOKWHEEL__LIMITS__TIMEOUT", "120")];
    let server = Server::start(dir.path(), &limits);
    let hook = webhook(&mut server.client(), &hanging, "/", "slow");
    let url = format!("/api/v1/webhooks/{hook}");
    server.client().request("PATCH", &url, json!({"timeout": 120}).to_string().as_bytes()).data(200);
    publish(&mut server.client(), "slow", "e");
    assert_eq!(hanging.next().header("webhook-id"), Some("e"));
    // A test holds it no more than a delivery does: who asked for it is answered.
    let (address, key) = (server.address, server.key);
    let testing = std::thread::spawn(move || Client::new(address, key).post(&format!("{url}/test"), &json!({})).status);
    hanging.next();
    let ended = server.process.terminate();
    assert!(ended.status.success(), "{}", ended.output);
    assert!(ended.output.contains("were interrupted by the stop"), "{}", ended.output);
    testing.join().expect("it is answered");

    let server = Server::start(dir.path(), &limits);
    let again = hanging.next();
    assert_eq!(again.header("webhook-id"), Some("e"), "it goes out again");
    let shown = delivery(&mut server.client(), "e");
    assert_eq!((&shown["state"], shown["attempts"].as_array().map(Vec::len)), (&json!("pending"), Some(0)), "{shown}");
}

#[test]
fn who_asks_a_server_that_stops_whether_it_is_ready_hears_that_it_is_not_and_it_takes_events_meanwhile() {
    let dir = tempfile::tempdir().expect("a directory");
    let hanging = Receiver::start(|_, _| Answer::Hang);
    let server = Server::start(dir.path(), &[PATIENT, ("HOOKWHEEL__SERVER__SHUTDOWN_ATTEMPT_SECONDS", "3600")]);
    let mut client = server.client();
    webhook(&mut client, &hanging, "/", "slow");
    publish(&mut client, "slow", "e");
    hanging.next();
    client.until_ready_says(200);
    let quiet = connect(server.address).expect("it listens");
    server.process.signal(Signal::TERM);
    let told = client.until_ready_says(503);
    assert_eq!(told["error"]["code"], "stopping", "{told}");
    publish(&mut server.client(), "order.paid", "taken");
    // An hour is left: who is asked a second time does not wait for it. A request that never comes whole ends as well.
    let mut slow = connect(server.address).expect("it listens");
    let head = "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 21\r\n";
    write!(slow, "{head}Authorization: Bearer {}\r\n\r\n", server.key).expect("it reads");
    slow.read_exact(&mut [0; 25]).expect("it wants the body");
    server.process.signal(Signal::TERM);
    let ended = server.process.end();
    assert!(ended.status.success(), "{}", ended.output);
    assert!(ended.output.contains("stopping at once"), "{}", ended.output);
    assert_eq!({ quiet }.read(&mut [0]).expect("an orderly end"), 0);

    let server = Server::start(dir.path(), &[]);
    hanging.next();
    assert_eq!(server.client().get("/api/v1/events/taken").status, 200);
}
