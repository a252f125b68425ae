//! A soak: mixed load over the real binary for as long as one likes, with a kill now and then. What stays true: every
//! event that was answered 202 is delivered, what retention leaves is whole, file descriptors return to where they were
//! (but for idle connections to endpoints), and neither memory nor disk grows with time. Some ten seconds; an hour with
//! `HOOKWHEEL_LONG`; as many seconds as `HOOKWHEEL_SOAK_SECONDS` says.

mod support;

#[path = "soak/gauge.rs"]
mod gauge;
#[path = "soak/ledger.rs"]
mod ledger;
#[path = "soak/load.rs"]
mod load;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gauge::Gauge;
use hookwheel::clock::{Clock, Dice, Stopwatch};
use hookwheel::domain::walk::Walk;
use hookwheel::store::{self, Settings, Store};
use ledger::Ledger;
use support::{Receiver, Server, say};

/// What may be kept, small enough to be reached within seconds.
const BYTES_MAX: u64 = 2 << 20;
/// So many lives of the server, on average twice as many, fill the time.
const LIVES_MIN: f64 = 6.0;
/// Rounds of what people do, at most.
const ROUNDS_MAX: f64 = 1_000.0;
/// Connections to endpoints that may stay open: as many as can be out to four webhooks at once.
const IDLE_MAX: usize = 4 * 64;
/// The newest events, which retention is far from.
const NEWEST: usize = 100;

#[test]
fn a_server_under_mixed_load_and_kills_loses_nothing_and_does_not_grow() {
    let seed = std::env::var("HOOKWHEEL_SEED").map_or_else(|_| Dice::from_system().bits() >> 1, |s| s.parse().unwrap());
    let long = std::env::var_os("HOOKWHEEL_LONG").is_some();
    let seconds = std::env::var("HOOKWHEEL_SOAK_SECONDS").map(|seconds| seconds.parse().unwrap());
    let seconds: f64 = seconds.unwrap_or(if long { 3_600.0 } else { 5.0 });
    say(&format!("seed {seed}, {seconds} seconds"));
    let mut dice = Dice::seeded(seed);
    let dir = tempfile::tempdir().unwrap();
    let ledger = Arc::new(Ledger::new(Duration::from_secs_f64(seconds / ROUNDS_MAX)));
    let receiver = Receiver::start(load::endpoints(ledger.clone()));
    let server = start(dir.path());
    load::register(&server, &receiver);
    server.kill();

    let watch = Stopwatch::start();
    let mut gauge = Gauge::new(&Server::data(dir.path()), seconds);
    let mut lives = 0;
    while watch.elapsed().as_secs_f64() < seconds {
        let end = (watch.elapsed().as_secs_f64() + dice.fraction() * seconds / LIVES_MIN).min(seconds);
        let goes_on = |server: &Server| {
            gauge.take(server, &watch, &ledger);
            watch.elapsed().as_secs_f64() < end
        };
        live(start(dir.path()), &receiver, &ledger, goes_on, Server::kill);
        lives += 1;
    }
    say(&format!("{lives} lives, each ended by a kill"));

    let server = start(dir.path());
    load::post_unanswered(&server, &ledger);
    load::all_end(&server, &receiver);
    ledger.check_all_arrived();
    assert!(server.terminate().success());

    let server = start(dir.path());
    server.client().get("/api/v1/webhooks").data(200);
    let descriptors = gauge::descriptors(&server);
    let busy = Stopwatch::start();
    let goes_on = |_: &Server| busy.elapsed().as_secs_f64() < seconds / 20.0 + 0.5;
    let server = live(server, &receiver, &ledger, goes_on, |server| server);
    load::all_end(&server, &receiver);
    wait_for_descriptors(&server, &receiver, descriptors);
    gauge.take_last(&server, &watch, &ledger);
    ledger.check_all_arrived();
    assert!(server.terminate().success());
    check_store(&Server::data(dir.path()), &ledger);
    gauge.check(long);
}

fn start(dir: &Path) -> Server {
    let bytes_max = BYTES_MAX.to_string();
    let env = [("HOOKWHEEL__RETENTION__BYTES_MAX", bytes_max.as_str()), ("HOOKWHEEL__STORE__CACHE_BYTES", "16777216")];
    Server::start(dir, &env)
}

/// Puts the server under load for as long as `goes_on`, which is asked again and again. Then, still under load, `end`
/// does with it what is to be done.
fn live<T>(
    server: Server,
    receiver: &Receiver,
    ledger: &Arc<Ledger>,
    mut goes_on: impl FnMut(&Server) -> bool,
    end: impl FnOnce(Server) -> T,
) -> T {
    ledger.set_stopped(false);
    let load = load::start(&server, receiver, ledger);
    while goes_on(&server) {
        // What arrived is in the ledger already. The wait only has an end so that `goes_on` is asked.
        let _ = receiver.arrived.recv_timeout(Duration::from_millis(20));
        receiver.arrived.try_iter().for_each(drop);
    }
    let ended = end(server);
    ledger.set_stopped(true);
    load.into_iter().for_each(|thread| thread.join().unwrap());
    ended
}

/// What was open for the load closes by itself, but for idle connections to endpoints: those are counted apart.
fn wait_for_descriptors(server: &Server, receiver: &Receiver, before: usize) {
    let watch = Stopwatch::start();
    loop {
        let (idle, others) = gauge::descriptors_apart(server, receiver.address.port());
        assert!(idle <= IDLE_MAX, "{idle} connections are kept");
        if others.len() <= before {
            return say(&format!("{before} file descriptors before and after the load, and {idle} idle connections"));
        }
        assert!(watch.elapsed() < support::DEADLINE, "{before} file descriptors were open, and now {others:?}");
        let _ = receiver.arrived.recv_timeout(Duration::from_millis(20));
    }
}

/// Reads the store itself: what retention left is whole, and it took no more than it had to.
fn check_store(path: &Path, ledger: &Ledger) {
    let store = open(path);
    let (mut events, mut cursor) = (0, None);
    loop {
        let page = store.events(1, Walk::newest(1_000).past(cursor), None, |_| true).unwrap();
        for head in &page.rows {
            let event = store.event(1, head.id).unwrap().expect("it was listed");
            let open = store.deliveries_of(&event).unwrap().into_iter().filter(|one| one.state.is_open());
            let webhooks: Vec<_> = open.map(|one| one.id.webhook()).collect();
            let registry = store.registry();
            let is_kept = |number: &_| registry.webhook(*number).is_some_and(|webhook| !webhook.is_deleted());
            assert!(!webhooks.iter().any(is_kept), "{} has not ended", head.public_id());
        }
        events += page.rows.len();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let (accepted, kept) = (ledger.accepted(), store.kept_bytes());
    say(&format!("{events} of {} events are kept, {kept} bytes", accepted.len()));
    for name in accepted.iter().rev().take(NEWEST) {
        assert!(store.event_named(1, name).unwrap().is_some(), "{name} was accepted last and is gone");
    }
    assert!(kept <= BYTES_MAX * 3 / 2, "{kept} bytes are kept");
    assert!(events == accepted.len() || kept >= BYTES_MAX / 2, "events are gone, and only {kept} bytes are kept");
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
