//! What clients can make the server hold. Each bound is said by arithmetic: what a connection may cost, times connections.

use std::time::Instant;

use serde_json::json;

use crate::support::raw::{Raw, Witness, held_beyond, metric};
use crate::support::{Client, DEADLINE, Server};

const MIB: u64 = 1 << 20;
/// What caches and the allocator keep of other work.
const SLACK: u64 = 48 * MIB;
/// What the server's own code has at hand of a body that nobody reads (32 KiB), of what was read before that (128 KiB), and
/// what belongs to a connection.
const CONNECTION: u64 = 256 << 10;

#[test]
fn who_is_refused_has_no_body_read() {
    const CLIENTS: u64 = 80;
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let witness = Witness::start(&server);
    let body = vec![b' '; 4 << 20];
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer wrong\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // All but the first wait for two seconds; the bodies together are 320 MiB.
    let held = held_beyond(&server, || {
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut raw = Raw::connect(server.address);
                    raw.send(head.as_bytes());
                    raw.send(&body);
                    let heard = raw.hear();
                    // A close in the middle of what we send can overtake the reply.
                    let statuses = heard.statuses();
                    assert!(heard.closed && (statuses == [401] || statuses.is_empty()), "{heard:?}");
                });
            }
        });
    });
    assert!(held < CLIENTS * CONNECTION + SLACK, "{held} bytes are held");
    witness.end(&server);
    assert!(server.terminate().success());
}

#[test]
fn bodies_that_are_on_their_way_have_a_bound_and_other_accounts_have_room() {
    const CLIENTS: u64 = 50;
    const BUDGET: u64 = 16 * MIB;
    let dir = tempfile::tempdir().expect("a directory");
    let budget = BUDGET.to_string();
    let limits = [("HOOKWHEEL__SERVER__BODIES_BYTES_MAX", &*budget), ("HOOKWHEEL__SERVER__BODY_SECONDS", "4")];
    let server = Server::start(dir.path(), &limits);
    let witness = Witness::start(&server);
    let mut admin = server.client();
    admin.post("/api/v1/accounts", &json!({"id": "other", "name": "Other"})).data(201);
    let key = admin.post("/api/v1/accounts/other/keys", &json!({"scopes": ["publish"]})).data(201);
    let mut other = Client::new(server.address, key["key"].as_str().expect("a key"));
    // Each says 10 MiB and sends 9: 450 MiB in all.
    let part = vec![b' '; 9 << 20];
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n",
        server.key,
        10 << 20
    );
    let held = held_beyond(&server, || {
        let unfinished: Vec<Raw> = std::thread::scope(|scope| {
            let sending = (0..CLIENTS).map(|_| {
                scope.spawn(|| {
                    let mut raw = Raw::connect(server.address);
                    raw.send(head.as_bytes());
                    raw.send(&part);
                    raw
                })
            });
            let sending: Vec<_> = sending.collect();
            sending.into_iter().map(|one| one.join().expect("it does not panic")).collect()
        });
        let on_their_way = metric(&server, "hookwheel_bodies_in_bytes ");
        assert!(on_their_way > 0 && on_their_way <= BUDGET, "{on_their_way}");
        // What the greedy account cannot have is there for others.
        other.post("/api/v1/events", &json!({"type": "a.b", "data": "x".repeat(1 << 20)})).data(202);
        let statuses: Vec<u16> = unfinished.into_iter().flat_map(|raw| raw.hear().statuses()).collect();
        assert!(statuses.iter().all(|status| [408, 429].contains(status)), "{statuses:?}");
        assert!([408, 429].iter().all(|status| statuses.contains(status)), "{statuses:?}");
    });
    // A body that grows is copied from room to room, so twice what is counted.
    assert!(held < 2 * BUDGET + CLIENTS * CONNECTION + SLACK, "{held} bytes are held");
    let begun = Instant::now();
    while metric(&server, "hookwheel_bodies_in_bytes ") > 0 {
        assert!(begun.elapsed() < DEADLINE, "what has ended still counts");
    }
    witness.end(&server);
    assert!(server.terminate().success());
}

#[test]
fn who_asks_on_and_on_and_takes_no_reply_costs_little_and_is_let_go() {
    const CLIENTS: u64 = 100;
    /// What is read ahead of what is done, and what a request of it becomes.
    const AHEAD: u64 = 4096;
    const REQUEST: u64 = 3 << 10;
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[("HOOKWHEEL__SERVER__IDLE_SECONDS", "2")]);
    let witness = Witness::start(&server);
    let ask = "GET / HTTP/1.1\r\nHost:h\r\n\r\n";
    // Half of them begin with a guess, whose answer comes late.
    let guess = "GET /api/v1/webhooks HTTP/1.1\r\nHost:h\r\nAuthorization: Bearer wrong\r\n\r\n";
    let many = ask.repeat(10_000);
    let held = held_beyond(&server, || {
        std::thread::scope(|scope| {
            for n in 0..CLIENTS {
                let (many, address) = (&many, server.address);
                scope.spawn(move || {
                    let mut raw = Raw::connect(address);
                    if n % 2 == 0 {
                        raw.send(guess.as_bytes());
                    }
                    let begun = Instant::now();
                    while raw.send(many.as_bytes()) {}
                    assert!(begun.elapsed() < DEADLINE, "it is served for ever");
                });
            }
        });
    });
    let ahead = AHEAD / ask.len() as u64 * REQUEST;
    assert!(held < CLIENTS * (CONNECTION + ahead) + SLACK, "{held} bytes are held");
    witness.end(&server);
    assert!(server.terminate().success());
}
