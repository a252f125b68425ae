//! A publisher at 1,000 events a second through restarts, with ten endpoints that hang: nothing is refused and nothing is lost.
//! Three restarts of each kind; with `HOOKWHEEL_LONG` twenty, and 100,000 events in the store, or `HOOKWHEEL_OLDER` of them.

use std::collections::HashSet;
use std::net::TcpListener;
use std::path::Path;

use hookwheel::clock::Stopwatch;
use serde_json::json;

use crate::publisher::Publisher;
use crate::support::process::KEY;
use crate::support::{Answer, Client, DEADLINE, Receiver, Server, say};
use crate::{publish, webhook};

/// Endpoints that hang.
const HANGING: usize = 10;
/// Events that are in the store before, in the long form, and in one request.
const OLDER: &str = "100000";
const TOGETHER: usize = 1_000;
/// No limit is in the way.
const ENV: &[(&str, &str)] = &[("HOOKWHEEL__SERVER__EVENTS_PER_SECOND", "0")];
/// Events between two restarts.
const BETWEEN: usize = 300;

fn is_long() -> bool {
    std::env::var_os("HOOKWHEEL_LONG").is_some()
}

/// Puts events into the store that nobody wants.
fn fill(client: &mut Client) {
    let older = std::env::var("HOOKWHEEL_OLDER").unwrap_or_else(|_| OLDER.into());
    let older: usize = older.parse().expect("HOOKWHEEL_OLDER is a number of events");
    for _ in 0..older / TOGETHER {
        let events = vec![json!({"type": "old", "data": {"text": "x".repeat(100)}}); TOGETHER];
        assert_eq!(client.post("/api/v1/events", &events.into()).status, 202);
    }
}

/// Restarts `server` again and again while events are published.
fn through(kind: &str, mut server: Server, restart: impl Fn(Server) -> Server) {
    let address = server.address;
    let (receiver, hanging) = (Receiver::start(|_, _| Answer::Status(200)), Receiver::start(|_, _| Answer::Hang));
    webhook(&mut server.client(), &receiver, "/", "order.paid");
    for n in 0..HANGING {
        webhook(&mut server.client(), &hanging, &format!("/{n}"), "slow");
    }
    if is_long() {
        fill(&mut server.client());
    }
    let publisher = Publisher::start(address);
    for round in 1..=(if is_long() { 20 } else { 3 }) {
        publish(&mut Client::new(address, KEY), "slow", &format!("slow-{round}"));
        (0..HANGING).for_each(|_| drop(hanging.next()));
        publisher.until_more(BETWEEN);
        publisher.longest();
        let watch = Stopwatch::start();
        server = restart(server);
        let took = watch.elapsed();
        assert_eq!(server.address, address, "it is the same socket");
        publisher.until_more(BETWEEN);
        say(&format!("{kind}, restart {round}: {took:.2?}, the longest publish {:.2?}", publisher.longest()));
    }
    let published = publisher.stop();
    assert!(published.failed.is_empty(), "{} failed: {:#?}", published.failed.len(), published.failed);
    say(&format!("{kind}: {} events taken, {} sent again", published.taken.len(), published.again));
    let mut missing: HashSet<String> = published.taken.into_iter().collect();
    let watch = Stopwatch::start();
    while !missing.is_empty() {
        let arrived = receiver.arrived.recv_timeout(DEADLINE.saturating_sub(watch.elapsed()));
        let arrived = arrived.unwrap_or_else(|_| panic!("{} events are lost: {missing:?}", missing.len()));
        missing.remove(arrived.header("webhook-id").expect("a delivery names its event"));
    }
    let ended = server.process.terminate();
    assert!(ended.status.success(), "{}", ended.output);
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn no_publish_fails_while_a_server_is_restarted_on_a_socket_that_stays() {
    let dir = directory();
    // As systemd does: it holds the socket, and gives it to each process that it starts.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let start = |dir: &Path| Server::start_given(dir, &listener, ENV);
    through("socket activation", start(dir.path()), |before| {
        let ended = before.process.terminate();
        assert!(ended.status.success(), "{}", ended.output);
        start(dir.path())
    });
}

#[test]
fn no_publish_fails_while_servers_take_over_from_each_other() {
    let dir = directory();
    through("take-over", Server::start(dir.path(), ENV), |before| {
        let server = Server::take_over(dir.path(), ENV);
        let ended = before.process.end();
        assert!(ended.status.success(), "{}", ended.output);
        server
    });
}
