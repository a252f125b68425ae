//! The store under a power cut while retention is at work: filled many times over what may be kept, so that sled writes
//! over segments that it has freed. What was acknowledged may go only as the quota takes it, the oldest first, and what
//! is there is whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use hookwheel::clock::{Clock, Dice};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, DeliveryState, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::id::{DeliveryId, EventId};
use hookwheel::domain::retry::Next;
use hookwheel::domain::walk::Walk;
use hookwheel::store::{Retention, Settlement, Store};

use crate::rig::{Rig, promise};
use crate::store::{ACCOUNT, acknowledged, data, event, found, open, read_promise};

const ROUNDS: usize = 8;
const ROUNDS_LONG: usize = 200;
const PRODUCERS: usize = 4;
/// What may be kept: two segments of sled's log.
const BYTES_MAX: u64 = 8 << 20;
/// How far above that a cut may find the store: what came since retention last looked.
const ABOVE_MAX: u64 = 2 << 20;
/// Beside its data, what an event takes with its delivery and attempt.
const EVENT_BYTES_MAX: u64 = 1 << 10;
/// Events that a producer accepts before it records their outcomes.
const EVENTS_A_TURN: usize = 8;
/// Time that passes with each event: retention looks about once a second.
const EVENT_MS: u64 = 100;

#[test]
fn an_acknowledged_event_outlives_a_power_cut_unless_retention_takes_it() {
    let long = std::env::var_os("HOOKWHEEL_LONG").is_some();
    let seed = std::env::var("HOOKWHEEL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| Dice::from_system().bits());
    println!("HOOKWHEEL_SEED={seed}");
    let mut dice = Dice::seeded(seed);
    let rig = Rig::new();
    let mut promised: BTreeMap<EventId, (u64, usize)> = BTreeMap::new();
    for round in 1..=if long { ROUNDS_LONG } else { ROUNDS } {
        let mut player = rig.play("child", "retained");
        for _ in 0..100 + dice.bits() % 100 {
            assert!(player.next_promise().is_some(), "round {round}: the child ended before it was killed");
        }
        player.work_on(Duration::from_micros(dice.bits() % 30_000));
        // Every other time the disk has written some of what nobody asked it to sync.
        let said = if dice.bits().is_multiple_of(2) { rig.cut(player) } else { rig.cut_unevenly(player, &mut dice) };
        promised.extend(said.iter().map(|one| read_promise(one)).map(|(id, n, size)| (id, (n, size))));
        let (store, _committer) = open(&rig.dir(), Clock::real(), Retention::default());
        let there = check_kept(&store, &promised);
        check_bytes(&store);
        let accepted: usize = promised.values().map(|(_, size)| size).sum();
        let log = std::fs::metadata(rig.dir().join("data/db")).expect("sled's log").len();
        println!(
            "round {round}: {there} of {} events there, {} MiB accepted, {} KiB kept, a log of {} MiB",
            promised.len(),
            accepted >> 20,
            store.kept_bytes() >> 10,
            log >> 20
        );
    }
    let accepted: u64 = promised.values().map(|(_, size)| *size as u64).sum();
    assert!(accepted > 3 * BYTES_MAX, "only {accepted} bytes were accepted: nothing was filled over again");
}

/// What is missing is older than all that is there; what is there is whole. Gives how many are there.
fn check_kept(store: &Store, promised: &BTreeMap<EventId, (u64, usize)>) -> usize {
    let mut there = 0;
    for (id, (n, size)) in promised {
        let Some(event) = store.event(ACCOUNT, *id).expect("can be read") else {
            assert_eq!(there, 0, "the event {id} of {size} bytes is gone, and older ones are not");
            continue;
        };
        there += 1;
        assert!(event.data == data(*n, *size), "the event {id} of {size} bytes is damaged");
        let deliveries = store.deliveries_of(&event).expect("can be read");
        assert_eq!(deliveries.len(), 1, "the delivery of {id} is gone");
        let known = [DeliveryState::Pending, DeliveryState::Succeeded];
        assert!(known.contains(&deliveries[0].state), "{:?}", deliveries[0].state);
    }
    there
}

/// What is kept is near the bound, and what is counted is there.
fn check_bytes(store: &Store) {
    let (mut events, mut bytes, mut cursor) = (0, 0, None);
    loop {
        let page = store.events(ACCOUNT, Walk::newest(1_000).past(cursor), None, |_| true).expect("can be read");
        for head in &page.rows {
            let event = store.event(ACCOUNT, head.id).expect("can be read").expect("it was listed");
            bytes += event.data.len() as u64;
            events += 1;
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let kept = store.kept_bytes();
    assert!(kept <= BYTES_MAX + ABOVE_MAX, "{kept} bytes are kept");
    assert!(kept >= bytes && kept <= bytes + events * EVENT_BYTES_MAX, "{kept} counted, {events} events of {bytes}");
}

/// The child's part: accepts events, has their deliveries succeed, and promises each event, until it is killed.
pub fn refill_until_killed(dir: &Path) {
    let start = Clock::real().now();
    let clock = Clock::standing_at(start);
    let retention = Retention { bytes_max: Some(BYTES_MAX), ..Retention::default() };
    let (store, committer) = open(dir, clock.clone(), retention);
    // Before retention looks: what is open stays, however old.
    end_what_is_open(&store);
    let committer = thread::spawn(move || committer.run());
    found(&store);
    let (accepted, together) = (Arc::new(AtomicU64::new(0)), Arc::new(Barrier::new(PRODUCERS)));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|_| {
            let (store, clock, accepted) = (store.clone(), clock.clone(), accepted.clone());
            let together = together.clone();
            thread::spawn(move || {
                let mut dice = Dice::from_system();
                loop {
                    let mut open = Vec::new();
                    for _ in 0..EVENTS_A_TURN {
                        open.extend(produce(&store, &mut dice));
                        clock.turn_to(start + EVENT_MS * accepted.fetch_add(1, Ordering::SeqCst));
                    }
                    together.wait();
                    settle_slowly(&store, open);
                    together.wait();
                }
            })
        })
        .collect();
    producers.into_iter().for_each(|producer| producer.join().expect("works until it is killed"));
    committer.join().expect("works until it is killed");
}

/// Accepts an event and promises it. Gives its deliveries.
fn produce(store: &Store, dice: &mut Dice) -> Vec<DeliveryId> {
    let size = match dice.bits() % 100 {
        0..60 => 1 << 10,
        60..85 => 20 << 10,
        _ => 200 << 10,
    };
    let n = dice.bits() >> 1;
    let accepted = acknowledged(store.accept(ACCOUNT, vec![event(n, size)], None));
    promise(format_args!("{} {n} {size}", accepted[0].id));
    let event = store.event(ACCOUNT, accepted[0].id).expect("can be read").expect("just accepted");
    event.deliveries().collect()
}

/// Records outcomes a few at a time: groups of outcomes alone are written and flushed, but not synced at once.
fn settle_slowly(store: &Store, open: Vec<DeliveryId>) {
    for delivery in open {
        store.settle(success(delivery));
        while store.queue_depth().1 > 0 {
            thread::yield_now();
        }
    }
}

fn end_what_is_open(store: &Store) {
    let webhooks: Vec<_> = store.registry().webhooks().map(|webhook| webhook.number()).collect();
    for webhook in webhooks {
        let open = store.fresh(webhook, None, usize::MAX).expect("can be read");
        open.into_iter().for_each(|delivery| store.settle(success(delivery.id)));
    }
}

fn success(delivery: DeliveryId) -> Settlement {
    let outcome = Outcome::Status(200);
    let summary = AttemptSummary { number: 1, started_at: delivery.event_at_accept().time(), duration_ms: 1, outcome };
    let (url, request_headers, response_body) = Default::default();
    Settlement {
        delivery,
        attempt: Attempt { summary, url, request_headers, response_body, resent: false, trace: Default::default() },
        next: Next::Succeeded,
        disable: DisableRule::default(),
        strain: Strain::Well,
        dice: 0.5,
        rate_limited: false,
    }
}
