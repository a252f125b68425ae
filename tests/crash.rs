//! The server is killed at random moments under load, again and again over one data directory. What stays true: every
//! event that was answered 202 is delivered after a restart, none becomes a second delivery, and what the store counts
//! agrees with what it holds. The seed is printed; `HOOKWHEEL_SEED=n` runs it again.

mod support;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookwheel::clock::{Clock, Dice, Stopwatch};
use hookwheel::domain::delivery::DeliveryState;
use hookwheel::domain::walk::Walk;
use hookwheel::store::{self, AHEAD_BYTES_MIN, Settings, Store};
use serde_json::json;
use support::{Answer, Receiver, Server};

const PRODUCERS: usize = 3;

/// What the producers know: each event is in exactly one of these.
#[derive(Default)]
struct Ledger {
    accepted: HashSet<String>,
    /// Posted without an answer: posted again, under the same id, in the next round.
    unanswered: Vec<String>,
    next: usize,
}

#[test]
fn what_was_accepted_survives_a_hundred_kills() {
    let seed = std::env::var("HOOKWHEEL_SEED").map_or_else(|_| Dice::from_system().bits() >> 1, |s| s.parse().unwrap());
    let rounds = if std::env::var_os("HOOKWHEEL_LONG").is_some() { 1000 } else { 100 };
    eprintln!("crash: seed {seed}, {rounds} rounds");
    let mut dice = Dice::seeded(seed);
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(flaky());
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    for round in 0..rounds {
        let server = Server::start(dir.path(), &[]);
        if round == 0 {
            register(&server, &receiver.url("/"));
        }
        let killed = Arc::new(AtomicBool::new(false));
        let producers: Vec<_> = (0..PRODUCERS).map(|_| produce(&server, &ledger, &killed)).collect();
        // Not a wait for anything: the moment of the kill is the random input of this test.
        std::thread::sleep(Duration::from_micros(dice.bits() % 150_000));
        killed.store(true, Ordering::SeqCst);
        server.kill();
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    }
    let server = Server::start(dir.path(), &[]);
    produce(&server, &ledger, &Arc::new(AtomicBool::new(true))).join().unwrap();
    all_end(&server);
    assert!(server.terminate().success());
    let accepted = std::mem::take(&mut ledger.lock().unwrap().accepted);
    check_arrivals(&receiver, &accepted);
    check_store(&Server::data(dir.path()), &accepted);
}

/// Every seventh request fails, so that retries are under way when the server dies.
fn flaky() -> impl Fn(&str, &support::Message) -> Answer {
    let count = std::sync::atomic::AtomicUsize::new(0);
    move |_, _| if count.fetch_add(1, Ordering::SeqCst) % 7 == 6 { Answer::Status(500) } else { Answer::Status(200) }
}

fn register(server: &Server, url: &str) {
    let retry = json!({"delays": vec![1; 50], "jitter_percent": 0});
    let webhook = json!({"url": url, "events": ["*"], "retry": retry});
    server.client().post("/api/v1/webhooks", &webhook).data(201);
}

/// Posts events one after the other until the server is gone: first those that had no answer, then new ones.
fn produce(server: &Server, ledger: &Arc<Mutex<Ledger>>, last: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let (mut client, ledger, last) = (server.client(), ledger.clone(), last.clone());
    std::thread::spawn(move || {
        loop {
            let name = {
                let mut ledger = ledger.lock().unwrap();
                match ledger.unanswered.pop() {
                    Some(name) => name,
                    None if last.load(Ordering::SeqCst) => return,
                    None => {
                        ledger.next += 1;
                        format!("e-{}", ledger.next)
                    }
                }
            };
            let event = json!({"type": "task.created", "id": name, "data": {"name": name, "padding": padding(&name)}});
            let reply = client.try_request("POST", "/api/v1/events", event.to_string().as_bytes());
            let mut ledger = ledger.lock().unwrap();
            match reply {
                Ok(reply) => {
                    assert_eq!(reply.status, 202, "{}", reply.json());
                    ledger.accepted.insert(name);
                }
                Err(_) => {
                    ledger.unanswered.push(name);
                    return;
                }
            }
        }
    })
}

/// Some events are so long that they are written piece by piece: a kill may come between any two.
fn padding(name: &str) -> String {
    if name.ends_with("00") { name.repeat(AHEAD_BYTES_MIN / name.len() + 9) } else { String::new() }
}

/// Asks until every delivery has ended. Each has 50 retries a second apart, so only a lost one never does.
fn all_end(server: &Server) {
    let mut client = server.client();
    let watch = Stopwatch::start();
    loop {
        let open = client.get("/api/v1/webhooks").data(200)[0]["open"].as_u64().unwrap();
        if open == 0 {
            return;
        }
        if watch.elapsed() > support::DEADLINE {
            let id = client.get("/api/v1/webhooks").data(200)[0]["id"].as_str().unwrap().to_string();
            let rows = |state| client_rows(server, &id, state);
            panic!(
                "{open} deliveries do not end: {} {} {}",
                rows("pending"),
                rows("scheduled"),
                client_metrics(server)
            );
        }
        std::thread::yield_now();
    }
}

fn client_rows(server: &Server, id: &str, state: &str) -> serde_json::Value {
    server.client().get(&format!("/api/v1/webhooks/{id}/deliveries?limit=3&state={state}")).json()
}

fn client_metrics(server: &Server) -> String {
    String::from_utf8_lossy(&server.client().get("/metrics").message.body).into_owned()
}

fn check_arrivals(receiver: &Receiver, accepted: &HashSet<String>) {
    let (mut taken, mut requests) = (HashSet::new(), 0);
    for arrived in receiver.arrived.try_iter() {
        requests += 1;
        if arrived.answer == Answer::Status(200) {
            taken.insert(arrived.header("webhook-id").expect("a delivery names its event").to_string());
        }
    }
    let missing: Vec<&String> = accepted.difference(&taken).collect();
    assert!(missing.is_empty(), "accepted, and never delivered: {missing:?}");
    eprintln!("crash: {} events accepted, {requests} requests made", accepted.len());
}

/// Reads the store itself: one delivery an event, all succeeded, counted as they are.
fn check_store(path: &Path, accepted: &HashSet<String>) {
    let store = open(path);
    for name in accepted {
        let event = store.event_named(1, name).unwrap().unwrap_or_else(|| panic!("{name} was accepted and is lost"));
        let deliveries = store.deliveries_of(&event).unwrap();
        assert_eq!(deliveries.len(), 1, "{name} has one delivery");
        assert_eq!(deliveries[0].state, DeliveryState::Succeeded, "{name}");
        let attempts = store.attempts(&deliveries[0]).unwrap();
        assert_eq!(attempts.len(), usize::from(deliveries[0].attempts), "{name}: every attempt is kept");
    }
    let events = count_pages(|cursor| {
        let page = store.events(1, Walk::newest(250).past(cursor), None, |_| true).unwrap();
        (page.rows.len(), page.next)
    });
    let webhook = store.registry().webhooks().next().unwrap().number();
    let deliveries = count_pages(|cursor| {
        let page = store.deliveries(&[webhook], Walk::newest(250).past(cursor), None, |_| true).unwrap();
        (page.rows.len(), page.next)
    });
    let tally = store.tally(webhook).unwrap();
    assert_eq!(events, deliveries, "a delivery an event, and no more");
    assert_eq!((tally.deliveries, tally.succeeded, tally.open()), (deliveries as u64, deliveries as u64, 0));
}

fn count_pages<Id>(mut page: impl FnMut(Option<Id>) -> (usize, Option<Id>)) -> usize {
    let (mut count, mut cursor) = (0, None);
    loop {
        let (rows, next) = page(cursor);
        count += rows;
        match next {
            Some(next) => cursor = Some(next),
            None => return count,
        }
    }
}

fn open(path: &Path) -> Store {
    let settings = Settings {
        queue_events_max: 1,
        queue_bytes_max: 1,
        group_events_max: 1,
        group_bytes_max: 1,
        ..Settings::at(path)
    };
    store::open(settings, Clock::real(), Dice::seeded(1)).expect("the server has let go of it").0
}
