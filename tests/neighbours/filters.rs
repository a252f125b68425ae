//! Filters that take long, and filters that are many.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::stranger::{Stranger, account};
use crate::support::{Client, Server};
use crate::{BODY, CACHE, MIB, SLACK};

/// Compares one half of an event with the other, as often as a filter may.
fn costly() -> String {
    ["@.data.a == @.data.b"; 16].join(" && ")
}

/// Between two large events.
const PAUSE: Duration = Duration::from_millis(500);
/// Nobody listens there, and nothing goes there.
const NOWHERE: &str = "http://127.0.0.1:9/";

#[test]
fn filters_that_take_long_hold_up_no_stranger() {
    /// The smallest values there are, in each half: a digit and a comma.
    const VALUES: u64 = 600_000;
    /// What a value is while filters are asked, in two lists that are twice as long each time they grow: the first as it is,
    /// of the second the old one and the new.
    const ASKED: u64 = 24 * (VALUES + VALUES.next_power_of_two() * 3 / 2);
    /// The body as it grows (twice) and as it came, as the store's queue, its record, its pieces and its log have it.
    const COPIES: u64 = 8;
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let stranger = Stranger::new(&server);
    let mut hostile = account(&server, "hostile");
    for _ in 0..10 {
        hostile.post("/api/v1/webhooks", &json!({"url": NOWHERE, "events": ["*"], "filter": costly()})).data(201);
    }
    let half = format!("[{}1]", "1,".repeat(VALUES as usize - 1));
    let event = format!("{{\"type\":\"large\",\"data\":{{\"a\":{half},\"b\":{half}}}}}");
    // A quarter of what a body may have: the disk takes it in one go, and that is not what is measured.
    assert!(event.len() as u64 <= BODY / 4 && event.len() as u64 > BODY / 5);
    // What was asked before may not have gone back to the system when the next is asked.
    stranger.beside(2 * ASKED + COPIES * BODY + 2 * CACHE + SLACK, |stop| {
        while !stop.load(Ordering::SeqCst) {
            let sent = hostile.request("POST", "/api/v1/events", event.as_bytes()).data(202);
            assert_eq!(sent["deliveries"], 10, "dead ones: neither a match nor a miss");
            std::thread::sleep(PAUSE);
        }
    });
    assert!(server.terminate().success());
}

#[test]
fn ten_thousand_filters_on_the_same_path_hold_up_no_stranger() {
    const WEBHOOKS: usize = 10_000;
    /// Of a batch: each of them costs what its own match costs, however many the filters are.
    const EVENTS: usize = 100;
    const THREADS: usize = 8;
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[("HOOKWHEEL__SERVER__EVENTS_PER_SECOND", "0")]);
    let stranger = Stranger::new(&server);
    let hostile = account(&server, "hostile");
    let create = |client: &mut Client, n: usize| {
        let filter = format!("@.data.tenant == \"t{n}\"");
        client.post("/api/v1/webhooks", &json!({"url": NOWHERE, "events": ["*"], "filter": filter})).data(201);
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let mut client = Client::new(server.address, hostile.key());
            scope.spawn(move || (thread..WEBHOOKS).step_by(THREADS).for_each(|n| create(&mut client, n)));
        }
    });
    let publishers = [(); 3].map(|()| Client::new(server.address, hostile.key()));
    let publish = |stop: &AtomicBool| {
        std::thread::scope(|scope| {
            for mut client in publishers {
                scope.spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        let event = json!({"type": "a", "data": {"tenant": "of nobody"}});
                        let sent = client.post("/api/v1/events", &Value::from(vec![event; EVENTS])).data(202);
                        assert_eq!(sent[0]["deliveries"], 0);
                    }
                });
            }
        });
    };
    stranger.beside(2 * CACHE + SLACK + 8 * MIB, publish);
    assert!(server.terminate().success());
}
