//! The store under a power cut: events of every size, accepted from several threads, cut off at a random moment, over
//! and over in one data directory. Every event that was acknowledged must be there, whole, with its delivery.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use hookwheel::clock::{Clock, Dice};
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::{AccountNumber, EventId};
use hookwheel::domain::webhook::{EventFilter, Webhook};
use hookwheel::store::{self, Committer, NewEvent, Retention, Settings, Store};

use crate::rig::{Rig, promise};

const ROUNDS: usize = 6;
const ROUNDS_LONG: usize = 100;
const ROUNDS_OF_MAKING: usize = 20;
const ROUNDS_OF_LOSS: usize = 12;
/// What a child says when the store has failed.
const FAILED: &str = "failed";
const PRODUCERS: u64 = 4;
const SIZES: [usize; 4] = [1 << 10, 20 << 10, 200 << 10, 10_000_000];
/// The account that exists from the start.
pub const ACCOUNT: AccountNumber = 1;

#[test]
fn an_acknowledged_event_outlives_a_power_cut() {
    let long = std::env::var_os("HOOKWHEEL_LONG").is_some();
    let seed = std::env::var("HOOKWHEEL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| Dice::from_system().bits());
    println!("HOOKWHEEL_SEED={seed}");
    let mut dice = Dice::seeded(seed);
    let rig = Rig::new();
    let mut earlier: Vec<String> = Vec::new();
    for round in 1..=if long { ROUNDS_LONG } else { ROUNDS } {
        let mut player = rig.play("child", "store");
        for _ in 0..4 + dice.bits() % 60 {
            assert!(player.next_promise().is_some(), "round {round}: the child ended before it was killed");
        }
        player.work_on(Duration::from_micros(dice.bits() % 30_000));
        let mut promised = Vec::new();
        if dice.bits().is_multiple_of(2) {
            promised = player.kill();
            player = rig.play("child", "store");
            player.next_promise().expect("works until it is killed");
        }
        promised.extend(rig.cut(player));
        let (store, _committer) = open(&rig.dir(), Clock::real(), Retention::default());
        for promise in &promised {
            check_whole(&store, promise);
        }
        for promise in &earlier {
            check_there(&store, promise);
        }
        let blobs = fs::read_dir(rig.dir().join("data/blobs")).map_or(0, Iterator::count);
        assert_eq!(blobs, 0, "a blob is never synced, so there must be none");
        earlier.extend(promised);
    }
    println!("{} acknowledged events, all there", earlier.len());
}

/// A sync fails, and the kernel takes its pages for clean: they are in memory and not on the disk. What is acknowledged
/// later, in the same process or in one after a kill, must not build on them.
#[test]
fn what_a_failed_sync_lost_is_not_built_upon() {
    let mut dice = Dice::from_system();
    let mut failed = 0;
    for round in 0..ROUNDS_OF_LOSS {
        let rig = Rig::new();
        let mut player = rig.play_losing("child", "store, going on", 3 + dice.bits() % 40);
        let goes_on = round % 2 == 0;
        let mut promised = Vec::new();
        if goes_on {
            for _ in 0..80 {
                assert!(player.next_promise().is_some(), "round {round}: the child ended before it was killed");
            }
        } else {
            // It says so, and is killed then: the next one finds what the kernel holds.
            while player.next_promise().expect("works until it is killed") != FAILED {}
            promised = player.kill();
            player = rig.play("child", "store, going on");
            for _ in 0..40 {
                player.next_promise().expect("works until it is killed");
            }
        }
        promised.extend(rig.cut(player));
        failed += promised.iter().filter(|one| *one == FAILED).count();
        let (store, _committer) = open(&rig.dir(), Clock::real(), Retention::default());
        for promise in promised.iter().filter(|one| *one != FAILED) {
            check_whole(&store, promise);
        }
    }
    assert!(failed > ROUNDS_OF_LOSS / 2, "only {failed} syncs failed");
}

/// A store that is killed while it makes its files, started again, and then loses power.
#[test]
fn a_store_that_was_killed_while_it_was_made_outlives_a_power_cut_too() {
    let mut dice = Dice::from_system();
    for _ in 0..ROUNDS_OF_MAKING {
        let rig = Rig::new();
        let player = rig.play("child", "store");
        player.work_on(Duration::from_micros(dice.bits() % 12_000));
        player.kill();
        let mut player = rig.play("child", "store");
        player.next_promise().expect("works until it is killed");
        let promised = rig.cut(player);
        let (store, _committer) = open(&rig.dir(), Clock::real(), Retention::default());
        for promise in &promised {
            check_whole(&store, promise);
        }
    }
}

/// An acknowledged event is there with its bytes and its delivery.
fn check_whole(store: &Store, promise: &str) {
    let (id, n, size) = read_promise(promise);
    let event = store.event(ACCOUNT, id).expect("can be read");
    let event = event.unwrap_or_else(|| panic!("the acknowledged event {id} of {size} bytes is gone"));
    assert!(event.data == data(n, size), "the event {id} of {size} bytes is damaged");
    assert_eq!(store.deliveries_of(&event).expect("can be read").len(), 1, "the delivery of {id} is gone");
}

fn check_there(store: &Store, promise: &str) {
    let (id, ..) = read_promise(promise);
    assert!(store.event(ACCOUNT, id).expect("can be read").is_some(), "the event {id} of an earlier round is gone");
}

pub fn read_promise(promise: &str) -> (EventId, u64, usize) {
    let mut parts = promise.split(' ');
    let mut part = || parts.next().unwrap_or_else(|| panic!("half a promise: {promise}"));
    (EventId::parse(part()).expect("an id"), part().parse().expect("a number"), part().parse().expect("a size"))
}

/// The child's part: accepts events and promises each that was acknowledged, until it is killed.
pub fn accept_until_killed(dir: &Path) {
    let (store, committer) = open(dir, Clock::real(), Retention::default());
    let committer = thread::spawn(move || committer.run());
    found(&store);
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|number| {
            let store = store.clone();
            thread::spawn(move || produce(&store, number))
        })
        .collect();
    for producer in producers {
        producer.join().expect("works until it is killed");
    }
    store.close();
    committer.join().expect("works until it is killed");
}

/// The child's part: the same from one thread, of small events, which goes on when the store has failed.
pub fn accept_whatever_fails(dir: &Path) {
    let (store, committer) = open(dir, Clock::real(), Retention::default());
    thread::spawn(move || committer.run());
    let mut dice = Dice::from_system();
    // Not before that was acknowledged: what the registry shows may be lost with a sync that fails.
    let (mut has_failed, mut founded) = (false, false);
    loop {
        let n = dice.bits() >> 1;
        let size = SIZES[dice.bits() as usize % 2];
        let asked = if founded {
            store.accept(ACCOUNT, vec![event(n, size)], None)
        } else {
            let founds = |staging: &mut store::Staging<'_>| {
                if staging.registry().account(ACCOUNT).is_none() {
                    staging.create_account(Store::default_account("standard"))?;
                    staging.create_webhook(webhook(), None)?;
                }
                Ok(Vec::new())
            };
            store.submit(founds)
        };
        match asked.and_then(|answer| answer.blocking_recv().expect("is answered")) {
            Ok(accepted) if founded => promise(format_args!("{} {n} {size}", accepted[0].id)),
            Ok(_) => founded = true,
            Err(_) if has_failed => thread::yield_now(),
            Err(_) => {
                has_failed = true;
                promise(FAILED);
            }
        }
    }
}

/// Makes the account and its webhook, if they are not there.
pub fn found(store: &Store) {
    if store.registry().account(ACCOUNT).is_none() {
        acknowledged(store.submit(|staging| {
            staging.create_account(Store::default_account("standard"))?;
            staging.create_webhook(webhook(), None)
        }));
    }
}

fn produce(store: &Store, number: u64) {
    let mut dice = Dice::from_system();
    for round in 0.. {
        let size = match (round, dice.bits() % 100) {
            (0, _) => SIZES[number as usize % SIZES.len()],
            (_, 0..60) => SIZES[0],
            (_, 60..85) => SIZES[1],
            (_, 85..97) => SIZES[2],
            _ => SIZES[3],
        };
        let n = dice.bits() >> 1;
        let accepted = acknowledged(store.accept(ACCOUNT, vec![event(n, size)], None));
        promise(format_args!("{} {n} {size}", accepted[0].id));
    }
}

/// An event of `size` bytes, made from `n`.
pub fn event(n: u64, size: usize) -> NewEvent {
    NewEvent {
        name: None,
        event_type: "task.created".into(),
        created_at: None,
        data: data(n, size),
        actor: None,
        metadata: None,
        test: false,
        channels: Vec::new(),
        fingerprint: None,
        trace: None,
    }
}

/// Waits until the store has answered.
pub fn acknowledged<T>(asked: Result<tokio::sync::oneshot::Receiver<Result<T, store::Refusal>>, store::Refusal>) -> T {
    asked.expect("is taken").blocking_recv().expect("is answered").expect("is acknowledged")
}

/// A JSON text of `size` bytes in which no two pages are equal, made from `n`.
pub fn data(n: u64, size: usize) -> Bytes {
    let mut text = Vec::with_capacity(size + 64);
    text.push(b'"');
    for block in 0_u64.. {
        if text.len() + 1 >= size {
            break;
        }
        text.extend_from_slice(format!("{n:019}.{block:011}.").as_bytes());
    }
    text.truncate(size - 1);
    text.push(b'"');
    Bytes::from(text)
}

fn webhook() -> Webhook {
    let url = EndpointUrl::parse("https://example.com/", false).expect("a URL");
    Webhook::new(ACCOUNT, "standard", url, vec![EventFilter::All])
}

/// Opens the store of a rig's directory.
pub fn open(dir: &Path, clock: Clock, retention: Retention) -> (Store, Committer) {
    let settings = Settings { queue_events_max: 8192, retention, ..Settings::at(dir.join("data")) };
    store::open(settings, clock, Dice::from_system()).expect("what a power cut left can be opened")
}
