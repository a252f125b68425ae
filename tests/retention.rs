//! What the store lets go of, on a virtual clock: events by age and by size with all that belongs to them, what was held
//! for too long, and due times that a clock which was set back has put out of reach. What stays true: nothing that may
//! still be sent goes by age or size, and what is said to be kept is what is kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt;
use hookwheel::clock::{Clock, Dice, SinceBoot};
use hookwheel::deliver::schedule::Scheduler;
use hookwheel::dialect::{Dialects, Shelf};
use hookwheel::domain::account::Account;
use hookwheel::domain::audit::Actor;
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Delivery, DeliveryState, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::{AccountNumber, DeliveryId, EventId, WebhookId};
use hookwheel::domain::job::{Bulk, JobKind, Source};
use hookwheel::domain::retry::{Next, RetrySchedule};
use hookwheel::domain::stats::{Counts, Series, Span, Step};
use hookwheel::domain::time::{DAY_MS, UnixMs};
use hookwheel::domain::walk::Walk;
use hookwheel::domain::webhook::{EventFilter, Status, Webhook};
use hookwheel::store::{
    self, Accepted, Committer, Idempotency, Memory, NewEvent, OpenError, Refusal, Retention, Settings, Settlement,
    Staging, Store,
};
use serde_json::Value;

const HOUR_MS: u64 = 60 * 60 * 1000;
/// A UTC midnight.
const START: UnixMs = 20_833 * DAY_MS;
/// Of every store here.
const DEFAULT: AccountNumber = 1;
/// Of those that have a second one.
const OPERATOR: AccountNumber = 2;

struct Rig {
    store: Store,
    committer: Committer,
    clock: Clock,
    settings: Settings,
}

impl Rig {
    fn open(settings: Settings, clock: Clock) -> Self {
        let (store, committer) = loop {
            match store::open(settings.clone(), clock.clone(), Dice::seeded(clock.now())) {
                Ok(opened) => break opened,
                // sled's own threads let go of the file a moment after its last handle is gone.
                Err(OpenError::InUse(_)) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        Self { store, committer, clock, settings }
    }

    /// A store in memory with account 1.
    fn in_memory(retention: Retention) -> Self {
        Self::founded(settings("nowhere".as_ref(), Some(Memory::default()), retention))
    }

    fn founded(settings: Settings) -> Self {
        let mut rig = Self::open(settings, Clock::standing_at(START));
        rig.now(|staging| staging.create_account(Store::default_account("standard"))).unwrap();
        rig
    }

    /// The same data at another time, kept otherwise, in a store that knows nothing but them.
    fn reopened(self, now: UnixMs, retention: Retention) -> Self {
        self.reopened_by(Clock::standing_at(now), retention)
    }

    /// The same by this clock.
    fn reopened_by(mut self, clock: Clock, retention: Retention) -> Self {
        self.committer.let_go();
        let settings = Settings { retention, ..self.settings.clone() };
        drop(self);
        Self::open(settings, clock)
    }

    /// Makes a change; upkeep goes on until there is nothing to do.
    fn now<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let mut answer = self.store.submit(change)?;
        self.step();
        answer.try_recv().expect("the committer answers")
    }

    fn step(&mut self) {
        while self.committer.step() {}
    }

    fn turn(&mut self, ms: u64) {
        self.clock.turn_to(self.clock.now() + ms);
        self.step();
    }

    fn webhook(&mut self, webhook: Webhook) -> WebhookId {
        self.now(|staging| staging.create_webhook(webhook, None)).unwrap().id
    }

    fn publish(&mut self, event: NewEvent) -> EventId {
        self.publish_with(event, None).id
    }

    fn publish_with(&mut self, event: NewEvent, idempotency: Option<Idempotency>) -> Accepted {
        self.now(|staging| staging.accept(DEFAULT, vec![event], idempotency)).unwrap().remove(0)
    }

    fn settle(&mut self, id: DeliveryId, number: u16, next: Next) {
        self.store.settle(settlement(id, number, next, self.clock.now()));
        self.step();
    }

    /// A failed attempt and one that uses up the retries, a replay that succeeds, and a second replay too, left dead.
    fn live(&mut self, webhook: WebhookId, event: NewEvent, idempotency: Option<Idempotency>) -> EventId {
        let event = self.publish_with(event, idempotency).id;
        let first = event.delivery_to(webhook.number());
        self.settle(first, 1, Next::RetryAt(self.clock.now()));
        self.settle(first, 2, Next::Dead);
        for next in [Next::Succeeded, Next::Dead] {
            let replay = self.now(move |staging| staging.replay(DEFAULT, webhook, first)).unwrap();
            self.settle(replay, 1, next);
        }
        event
    }

    fn delivery(&self, id: DeliveryId) -> Option<Delivery> {
        self.store.delivery(id).unwrap()
    }

    /// The events of an account, the newest first.
    fn events(&self, account: AccountNumber) -> Vec<EventId> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store.events(account, Walk::newest(1_000).past(cursor), None, |_| true).unwrap();
            all.extend(page.rows.iter().map(|head| head.id));
            cursor = page.next;
            if cursor.is_none() {
                return all;
            }
        }
    }

    fn dead_letters(&self) -> usize {
        let source = Source::DeadLetters { webhook: None };
        let all = Bulk { account: DEFAULT, kind: JobKind::Discard, source, event_type: None, from: None, to: None };
        self.store.dead_letters(&all, Walk::newest(10_000)).unwrap().rows.len()
    }

    /// What was counted of the account.
    fn counts(&self) -> Counts {
        let span = Span { step: Step::Hour, from: 0, to: START + 10_000 * DAY_MS };
        let stats = self.store.stats(Series::Account(DEFAULT), span, self.clock.now()).unwrap();
        let mut total = Counts::default();
        stats.points.values().for_each(|counts| total.merge(counts));
        total
    }
}

fn settings(path: &Path, memory: Option<Memory>, retention: Retention) -> Settings {
    Settings { durable: memory.is_none(), memory, retention, ..Settings::at(path) }
}

fn by_age(ms: u64) -> Retention {
    Retention { events_ms: Some(ms), ..Retention::default() }
}

fn by_size(bytes: u64) -> Retention {
    Retention { bytes_max: Some(bytes), ..Retention::default() }
}

fn webhook(account: AccountNumber, filter: &str) -> Webhook {
    let url = EndpointUrl::parse("https://example.com/hook", false).unwrap();
    Webhook::new(account, "standard", url, vec![EventFilter::parse(filter).unwrap()])
}

/// An event with so many bytes of data.
fn event(bytes: usize) -> NewEvent {
    NewEvent {
        name: None,
        event_type: "task.done".into(),
        created_at: None,
        data: format!("\"{}\"", "x".repeat(bytes - 2)).into(),
        actor: None,
        metadata: None,
        test: false,
        channels: Vec::new(),
        fingerprint: None,
        trace: None,
    }
}

fn named(name: &str, bytes: usize) -> NewEvent {
    NewEvent { name: Some(name.into()), fingerprint: Some([1; 32]), ..event(bytes) }
}

fn settlement(delivery: DeliveryId, number: u16, next: Next, now: UnixMs) -> Settlement {
    let outcome = Outcome::Status(if next == Next::Succeeded { 200 } else { 500 });
    let summary = AttemptSummary { number, started_at: now, duration_ms: 3, outcome };
    let attempt = Attempt {
        summary,
        url: "u".into(),
        request_headers: Default::default(),
        response_body: vec![b'x'; 100],
        resent: false,
        trace: Default::default(),
    };
    let (disable, strain) = (DisableRule::default(), Strain::Neutral);
    Settlement { delivery, attempt, next, disable, strain, dice: 0.0, rate_limited: false }
}

#[test]
fn an_old_event_goes_with_all_that_belongs_to_it() {
    let mut rig = Rig::in_memory(by_age(2 * HOUR_MS));
    let webhook = rig.webhook(webhook(DEFAULT, "task.*"));
    let key = || Some(Idempotency { key: [7; 32], fingerprint: [8; 32] });
    let old = rig.live(webhook, named("one", 100 * 1024), key());
    let first = old.delivery_to(webhook.number());
    let dead = rig.delivery(first).unwrap();
    let whole = rig.store.event(DEFAULT, old).unwrap().unwrap();
    assert_eq!(whole.data.len(), 100 * 1024);
    let ids: Vec<DeliveryId> = rig.store.deliveries_of(&whole).unwrap().iter().map(|one| one.id).collect();
    assert_eq!((ids.len(), rig.store.attempts(&dead).unwrap().len(), rig.dead_letters()), (3, 2, 1));
    let repeated = rig.publish_with(named("one", 100 * 1024), key());
    assert_eq!((repeated.id, repeated.duplicate), (old, true));
    let before = (rig.counts(), rig.store.tally(webhook.number()).unwrap());

    rig.turn(HOUR_MS);
    let young = rig.publish(event(100));
    let of_young = rig.store.kept_bytes();
    rig.turn(HOUR_MS - 1);
    assert_eq!(rig.events(DEFAULT), [young, old]);
    rig.turn(HOUR_MS / 2);
    assert_eq!(rig.events(DEFAULT), [young]);
    assert!(
        rig.store.event(DEFAULT, old).unwrap().is_none() && rig.store.event_named(DEFAULT, "one").unwrap().is_none()
    );
    assert!(ids.iter().all(|id| rig.delivery(*id).is_none()), "its deliveries, replays among them");
    assert_eq!(rig.store.attempts(&dead).unwrap().len(), 1, "no attempt but the one that was in hand");
    assert_eq!((rig.store.deliveries_of(&whole).unwrap().len(), rig.dead_letters()), (0, 0));
    assert!(rig.store.kept_bytes() < 1_000 && of_young > 100_000, "{} bytes of {of_young}", rig.store.kept_bytes());

    let (counts, tally) = (rig.counts(), rig.store.tally(webhook.number()).unwrap());
    assert_eq!((counts.accepted, counts.deliveries, counts.succeeded), (before.0.accepted + 1, 4, 1));
    assert_eq!(counts.attempts(), before.0.attempts());
    assert_eq!((tally.deliveries, tally.succeeded, tally.dead), (4, 1, 2));
    assert_eq!((tally.attempts, tally.failed_attempts), (before.1.attempts, before.1.failed_attempts));

    // The key is younger than a day, but what it stands for is gone.
    let new = rig.publish_with(named("one", 50), Some(Idempotency { key: [7; 32], fingerprint: [8; 32] }));
    assert!(!new.duplicate && new.id > young, "key and name are free again");
}

#[test]
fn what_has_not_ended_stays_however_old_it_is() {
    let mut rig = Rig::in_memory(Retention { bytes_max: Some(0), ..by_age(HOUR_MS) });
    let (one, other) = (rig.webhook(webhook(DEFAULT, "*")), rig.webhook(webhook(DEFAULT, "*")));
    let event = rig.publish(event(1_000));
    let ids = [one, other].map(|webhook| event.delivery_to(webhook.number()));
    rig.settle(ids[0], 1, Next::Succeeded);
    rig.settle(ids[1], 1, Next::RetryAt(START + 30 * DAY_MS));
    rig.turn(10 * DAY_MS);
    assert_eq!(rig.events(DEFAULT), [event], "one of its deliveries has not ended");
    let replay = rig.now(move |staging| staging.replay(DEFAULT, one, ids[0])).unwrap();
    rig.settle(ids[1], 2, Next::Dead);
    rig.turn(10 * DAY_MS);
    assert_eq!(rig.events(DEFAULT), [event], "a replay has not ended");
    assert!(rig.delivery(ids[0]).is_some() && rig.dead_letters() == 1);
    rig.settle(replay, 1, Next::Succeeded);
    rig.turn(2 * HOUR_MS);
    assert_eq!((rig.events(DEFAULT).len(), rig.dead_letters(), rig.store.kept_bytes()), (0, 0, 0));
}

#[test]
fn nothing_is_left_behind_in_any_tree() {
    let left = |events: usize| {
        let mut rig = Rig::in_memory(by_age(DAY_MS));
        let webhook = rig.webhook(webhook(DEFAULT, "*"));
        for n in 0..events {
            let mut key = [0; 32];
            key[0] = n as u8;
            rig.live(webhook, named(&format!("e-{n}"), 40_000), Some(Idempotency { key, fingerprint: [1; 32] }));
        }
        let most = rig.store.size_bytes().unwrap();
        assert!(most > events as u64 * 40_000);
        rig.turn(3 * DAY_MS);
        assert_eq!((rig.events(DEFAULT).len(), rig.store.kept_bytes()), (0, 0));
        rig.store.size_bytes().unwrap()
    };
    let (few, many) = (left(10), left(200));
    assert!(many.abs_diff(few) < 200, "counters may be a few bytes longer: {few} bytes of 10 events, {many} of 200");
}

#[test]
fn an_attempt_that_ends_after_its_delivery_was_cancelled_is_kept_and_counted() {
    let mut rig = Rig::in_memory(by_age(DAY_MS));
    let webhook = rig.webhook(webhook(DEFAULT, "*"));
    let cancelled = rig.publish(event(100)).delivery_to(webhook.number());
    let source = Source::Open { webhook: webhook.number() };
    let all = Bulk { account: DEFAULT, kind: JobKind::Discard, source, event_type: None, from: None, to: None };
    rig.now(move |staging| staging.create_job(all)).unwrap();
    assert_eq!(rig.delivery(cancelled).unwrap().state, DeliveryState::Cancelled);
    let before = rig.store.kept_bytes();
    rig.settle(cancelled, 1, Next::Dead);
    let counted = rig.store.kept_bytes();
    assert!(counted >= before + 100, "its answer alone has 100 bytes: {before}, then {counted}");
    rig.turn(HOUR_MS);
    let young = rig.publish(event(100)).delivery_to(webhook.number());
    rig.settle(young, 1, Next::Succeeded);
    let of_young = rig.store.kept_bytes() - counted;
    rig.turn(DAY_MS - HOUR_MS);
    assert_eq!((rig.delivery(cancelled), rig.store.kept_bytes()), (None, of_young));
}

#[test]
fn above_the_bound_the_oldest_go_of_whoever_keeps_most() {
    let mut rig = Rig::in_memory(Retention::default());
    rig.now(|staging| staging.create_account(Account { id: "other".into(), ..Store::default_account("standard") }))
        .unwrap();
    let mut all = Vec::new();
    for n in 0..600 {
        rig.clock.turn_to(START + n * 1_000);
        let account = if n % 3 == 0 { 2 } else { DEFAULT };
        all.push(rig.now(move |staging| staging.accept(account, vec![event(1_000)], None)).unwrap()[0].id);
    }
    let (kept, now) = (rig.store.kept_bytes(), rig.clock.now());
    let bound = kept / 2;
    let mut rig = rig.reopened(now, by_size(bound));
    assert_eq!(rig.store.kept_bytes(), kept);
    rig.step();
    let left: BTreeSet<EventId> = [DEFAULT, 2].iter().flat_map(|account| rig.events(*account)).collect();
    let kept_of = |is_other: bool| {
        let own = (0..all.len()).filter(|n| (n % 3 == 0) == is_other).map(|n| left.contains(&all[n]));
        let own: Vec<bool> = own.collect();
        assert!(own.is_sorted(), "the oldest of an account go first");
        own.into_iter().filter(|is_left| *is_left).count()
    };
    assert!(kept_of(true).abs_diff(kept_of(false)) <= 1, "of two who want more than half each has half");
    let kept = rig.store.kept_bytes();
    let rest = bound - bound / 20;
    assert!(kept <= rest && kept + 2_000 > rest, "a twentieth more goes than has to: {kept} of {bound} bytes");
}

#[test]
fn what_cannot_go_yet_does_not_keep_what_ends_beside_it() {
    let bound = 100_000;
    let mut rig = Rig::in_memory(by_size(bound));
    let [stuck, well] = ["stuck.*", "task.*"].map(|filter| rig.webhook(webhook(DEFAULT, filter)));
    for _ in 0..200 {
        rig.publish(NewEvent { event_type: "stuck.open".into(), ..event(1_000) });
    }
    let open = rig.store.kept_bytes();
    assert!(open > 2 * bound, "more than the bound has not ended");
    for n in 0..1_000 {
        let delivery = rig.publish(event(1_000)).delivery_to(well.number());
        rig.settle(delivery, 1, Next::Succeeded);
        let kept = rig.store.kept_bytes();
        assert!(kept < open + bound / 10, "{kept} bytes after {n} events, of which {open} have not ended");
    }
    let first = rig.store.fresh(stuck.number(), None, 1_000).unwrap();
    assert_eq!(first.len(), 200, "and what has not ended is all there");
}

#[test]
fn a_deleted_webhook_is_forgotten_once_nothing_is_kept_of_it() {
    let mut rig = Rig::in_memory(by_age(DAY_MS));
    let before = rig.store.size_bytes().unwrap();
    let kept = rig.webhook(webhook(DEFAULT, "none.*"));
    let mut sizes = Vec::new();
    for round in 0..3 {
        let passing: Vec<WebhookId> = (0..300).map(|_| rig.webhook(webhook(DEFAULT, "task.*"))).collect();
        let delivered = rig.publish(event(100));
        for (n, webhook) in passing.iter().enumerate() {
            match n % 3 {
                0 => rig.settle(delivered.delivery_to(webhook.number()), 1, Next::Succeeded),
                1 => rig.settle(delivered.delivery_to(webhook.number()), 1, Next::Dead),
                _ => {}
            }
            let id = *webhook;
            rig.now(move |staging| staging.delete_webhook(DEFAULT, id)).unwrap();
        }
        let known = |rig: &Rig| rig.store.registry().webhooks().count();
        rig.turn(HOUR_MS);
        assert_eq!(known(&rig), 301, "while its deliveries are kept, it is");
        let total = rig.store.totals();
        rig.turn(20 * DAY_MS);
        rig.turn(HOUR_MS);
        assert_eq!((known(&rig), rig.events(DEFAULT).len()), (1, 0), "round {round}");
        assert_eq!(rig.store.totals(), total, "what was counted stays counted");
        assert_eq!(
            (total.deliveries, total.succeeded, total.dead),
            (300 * (round + 1), 100 * (round + 1), 100 * (round + 1))
        );
        assert_eq!(rig.counts().deliveries, 300 * (round + 1), "in the account's statistics, too");
        sizes.push(rig.store.size_bytes().unwrap() - before);
    }
    assert!(sizes[2] < sizes[0] + 3_000, "the account's statistics alone grow: {sizes:?}");
    let now = rig.clock.now();
    let rig = rig.reopened(now, by_age(DAY_MS));
    let number = rig.store.registry().webhooks().map(|webhook| webhook.id).collect::<Vec<_>>();
    assert_eq!(number, [kept]);
    assert_eq!(rig.store.totals().deliveries, 900);
}

#[test]
fn what_is_kept_stays_near_the_bound_over_a_churn() {
    const BOUND: u64 = 4 << 20;
    /// What a pass takes beyond the bound, and what one group accepts.
    const SLACK: u64 = 1 << 20;
    let shm = Path::new("/dev/shm");
    let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
    let path = dir.path().join("data");
    let mut rig = Rig::founded(settings(&path, None, by_size(BOUND)));
    let webhook = rig.webhook(webhook(DEFAULT, "*")).number();
    let mut most = 0;
    for _ in 0..200 {
        let events = (0..100).map(|_| event(1024)).collect();
        let accepted = rig.now(|staging| staging.accept(DEFAULT, events, None)).unwrap();
        for one in accepted {
            rig.store.settle(settlement(one.id.delivery_to(webhook), 1, Next::Succeeded, rig.clock.now()));
        }
        rig.turn(1);
        most = most.max(rig.store.kept_bytes());
    }
    rig.turn(HOUR_MS);
    let kept = rig.store.kept_bytes();
    assert!(most < BOUND + SLACK, "{most} bytes at most");
    assert!(kept <= BOUND && kept > BOUND - SLACK, "{kept} bytes at last");
    let tally = rig.store.tally(webhook).unwrap();
    assert_eq!((tally.deliveries, tally.succeeded), (20_000, 20_000), "counters stay");
    let left = rig.events(DEFAULT).len();
    let said = rig.store.size_bytes().unwrap();
    let real = bytes_of_files(&path);
    println!("{left} events left, {kept} bytes kept, {most} at most");
    println!("files: {said} bytes said ({:.2}), {real} bytes real ({:.2})", ratio(said, kept), ratio(real, kept));

    let now = rig.clock.now();
    let rig = rig.reopened(now, Retention::default());
    assert_eq!(rig.store.kept_bytes(), kept, "what a reopening finds");
    assert_eq!(rig.events(DEFAULT).len(), left);
}

fn ratio(files: u64, kept: u64) -> f64 {
    files as f64 / kept as f64
}

fn bytes_of_files(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|one| if one.path().is_dir() { bytes_of_files(&one.path()) } else { one.metadata().unwrap().len() })
        .sum()
}

#[test]
fn what_was_held_too_long_ends_and_the_operator_is_told_before() {
    let mut rig = Rig::in_memory(Retention::default());
    rig.now(|staging| staging.create_account(Store::operator_account("standard"))).unwrap();
    rig.webhook(webhook(OPERATOR, "webhook.*"));
    let (held, active) = (rig.webhook(webhook(DEFAULT, "*")), rig.webhook(webhook(DEFAULT, "*")));
    let tried = rig.publish(event(10)).delivery_to(held.number());
    rig.settle(tried, 1, Next::RetryAt(START + 300 * DAY_MS));
    let pause = |webhook: &mut Webhook, now| {
        webhook.status = Status::Paused { since: now };
        Ok(())
    };
    rig.now(move |staging| staging.update_webhook(DEFAULT, held, pause)).unwrap();
    let old = rig.publish(event(10)).delivery_to(held.number());
    rig.turn(20 * DAY_MS);
    let young = rig.publish(event(10)).delivery_to(held.number());
    rig.turn(7 * DAY_MS - 1);
    assert_eq!(rig.events(OPERATOR), []);

    let mut told = Vec::new();
    for _ in 0..4 * 24 {
        rig.turn(HOUR_MS);
        told = rig.events(OPERATOR);
        if rig.delivery(old).unwrap().state == DeliveryState::Cancelled {
            break;
        }
        assert_eq!(told.len(), 1, "once");
    }
    let notice = rig.store.event(OPERATOR, told[0]).unwrap().unwrap();
    assert_eq!(notice.event_type, "webhook.hold_expiring");
    let data: Value = serde_json::from_slice(&notice.data).unwrap();
    assert_eq!((&data["webhook_id"], &data["account"]), (&held.to_string().into(), &"default".into()));
    assert_eq!((&data["held"], &data["held_since"]), (&3.into(), &"2027-01-15T00:00:00.000Z".into()));
    assert_eq!(data["cancelled_from"], "2027-02-14T00:00:00.000Z");
    assert_eq!(told.len(), 1);

    for id in [tried, old] {
        let ended = rig.delivery(id).unwrap();
        assert_eq!(ended.state, DeliveryState::Cancelled);
        assert!(ended.reason.as_ref().unwrap().starts_with("hold_expired"), "{ended:?}");
        let ended_at = ended.ended_at.unwrap();
        assert!((START + 30 * DAY_MS..START + 30 * DAY_MS + 2 * HOUR_MS).contains(&ended_at), "{ended_at}");
    }
    assert_eq!(rig.delivery(young).unwrap().state, DeliveryState::Pending, "it is not that old yet");
    rig.turn(21 * DAY_MS);
    assert_eq!(rig.delivery(young).unwrap().state, DeliveryState::Cancelled);
    assert_eq!(rig.store.tally(held.number()).unwrap().open(), 0);
    assert_eq!(rig.store.tally(active.number()).unwrap().open(), 3, "nothing holds these");
    assert_eq!(rig.events(OPERATOR).len(), 1, "once for the whole hold");
}

#[test]
fn a_start_with_a_clock_that_is_ahead_costs_nothing_that_is_kept() {
    let retention = Retention { hold_ms: 30 * DAY_MS, audit_ms: Some(7 * DAY_MS), ..by_age(7 * DAY_MS) };
    let mut rig = Rig::in_memory(retention.clone());
    let (well, paused) = (rig.webhook(webhook(DEFAULT, "task.*")), rig.webhook(webhook(DEFAULT, "held.*")));
    let pause = |webhook: &mut Webhook, now| {
        webhook.status = Status::Paused { since: now };
        Ok(())
    };
    rig.now(move |staging| staging.update_webhook(DEFAULT, paused, pause)).unwrap();
    let key = || Some(Idempotency { key: [7; 32], fingerprint: [8; 32] });
    let keyed = rig.publish_with(event(10), key()).id;
    rig.settle(keyed.delivery_to(well.number()), 1, Next::Succeeded);
    for n in 1..550 {
        let id = rig.publish(event(10)).delivery_to(well.number());
        rig.settle(id, 1, if n < 500 { Next::Succeeded } else { Next::Dead });
    }
    let held: Vec<DeliveryId> = (0..200)
        .map(|_| rig.publish(NewEvent { event_type: "held.back".into(), ..event(10) }).delivery_to(paused.number()))
        .collect();
    let is_whole = |rig: &Rig| {
        assert_eq!((rig.events(DEFAULT).len(), rig.dead_letters()), (750, 50));
        assert!(held.iter().all(|id| rig.delivery(*id).unwrap().state.is_open()), "what was held is held");
    };

    for days in [8, 31] {
        rig = rig.reopened(START + days * DAY_MS, retention.clone());
        rig.step();
        rig.turn(HOUR_MS);
        is_whole(&rig);
    }
    // Each start was worth a day, and the hours that it ran count.
    assert_eq!(rig.store.keeping(), START + 2 * DAY_MS + 2 * HOUR_MS);
    assert_eq!(rig.store.keeping_behind_ms(), (29 * DAY_MS - HOUR_MS) as i64);
    // Neither is it lost, nor does it go back.
    rig = rig.reopened(START, retention.clone());
    rig.step();
    is_whole(&rig);
    assert!(rig.store.keeping() >= START + 2 * DAY_MS + HOUR_MS, "what was written last");
    // It goes on with the time in which the server runs.
    rig.turn(5 * DAY_MS);
    rig.turn(HOUR_MS);
    assert_eq!((rig.events(DEFAULT).len(), rig.dead_letters()), (200, 0), "a week has passed");
    rig.turn(26 * DAY_MS);
    rig.turn(HOUR_MS);
    assert!(held.iter().all(|id| rig.delivery(*id).is_none_or(|one| one.state == DeliveryState::Cancelled)));
}

#[test]
fn a_server_that_starts_over_and_over_on_one_machine_lets_nothing_go_early() {
    let mut rig = Rig::in_memory(by_age(7 * DAY_MS));
    let webhook = rig.webhook(webhook(DEFAULT, "*"));
    let id = rig.publish(event(10)).delivery_to(webhook.number());
    rig.settle(id, 1, Next::Succeeded);
    let machine = |boot, up_ms| Clock::standing_at(START + 31 * DAY_MS).on_machine(SinceBoot { boot, ms: up_ms });
    for n in 1..=20 {
        rig = rig.reopened_by(machine(1, n * 1000), by_age(7 * DAY_MS));
        rig.step();
    }
    assert_eq!(rig.store.keeping(), START + DAY_MS + 19_000, "a day, and what has passed since the first start");
    rig = rig.reopened_by(machine(2, 5000), by_age(7 * DAY_MS));
    rig.step();
    assert_eq!(rig.store.keeping(), START + 2 * DAY_MS + 19_000, "another start of the machine is worth another day");
    rig = rig.reopened_by(machine(2, 5000 + 5 * DAY_MS), by_age(7 * DAY_MS));
    rig.step();
    assert_eq!((rig.store.keeping(), rig.events(DEFAULT).len()), (START + 7 * DAY_MS + 19_000, 0));
}

#[test]
fn idempotency_keys_live_a_day_of_the_keeping_clock() {
    let key = || Some(Idempotency { key: [7; 32], fingerprint: [8; 32] });
    let rig = Rig::in_memory(Retention::default());
    let mut rig = rig.reopened(START + 9 * DAY_MS, Retention::default());
    assert!(!rig.publish_with(event(10), key()).duplicate);
    rig.turn(DAY_MS - 1);
    assert!(rig.publish_with(event(10), key()).duplicate, "it is not a day old, whatever the machine's clock shows");
    rig.turn(1);
    assert!(!rig.publish_with(event(10), key()).duplicate);
}

#[test]
fn the_operators_word_lets_the_keeping_clock_go_on_to_the_machines() {
    let mut rig = Rig::in_memory(by_age(7 * DAY_MS));
    rig.now(|staging| staging.create_account(Store::operator_account("standard"))).unwrap();
    rig.webhook(webhook(OPERATOR, "clock.*"));
    rig.publish(event(10));
    let mut rig = rig.reopened(START + 9 * DAY_MS, by_age(7 * DAY_MS));
    rig.step();
    let told = rig.events(OPERATOR);
    let notice = rig.store.event(OPERATOR, told[0]).unwrap().unwrap();
    let data: Value = serde_json::from_slice(&notice.data).unwrap();
    assert_eq!((told.len(), notice.event_type.as_str()), (1, "clock.differs"));
    assert_eq!(data["behind_seconds"], 8 * DAY_MS / 1000, "{data}");
    assert_eq!(rig.events(DEFAULT).len(), 1);

    assert!(rig.store.trust_clock(Actor::default()).now_or_never().is_none(), "it waits for the committer");
    rig.step();
    rig.turn(HOUR_MS);
    assert_eq!((rig.store.keeping_behind_ms(), rig.events(DEFAULT).len()), (0, 0));
    let log = rig.store.audit_log(DEFAULT, Walk::newest(10), |_| true).unwrap().rows;
    assert!(log.iter().any(|entry| entry.deed.action == "retention_clock.trusted"), "{log:?}");
    let rig = rig.reopened(START + 9 * DAY_MS + HOUR_MS, by_age(7 * DAY_MS));
    assert_eq!(rig.store.keeping_behind_ms(), 0, "it was written");
}

#[test]
fn after_the_clock_was_set_back_nothing_waits_longer_than_its_own_delay() {
    let mut rig = Rig::in_memory(Retention::default());
    let disable =
        DisableRule { consecutive_failures: Some(4), probe_after_seconds: Some(60), ..DisableRule::default() };
    let number = rig.webhook(webhook(DEFAULT, "*")).number();
    let ids = [(); 3].map(|()| rig.publish(event(10)).delivery_to(number));
    rig.settle(ids[0], 1, Next::RetryAt(START + 30_003));
    rig.settle(ids[1], 1, Next::RetryAt(START + DAY_MS + 3));
    let mut asked = settlement(ids[2], 1, Next::RetryAt(START + 20_003), START);
    asked.strain = Strain::Until(START + 20_003);
    rig.store.settle(asked);
    rig.step();
    assert_eq!(rig.store.tally(number).unwrap().backoff.until, START + 20_003);
    let rule = webhook(DEFAULT, "probed.*");
    let probed = rig.webhook(rule).number();
    for n in 1..=4 {
        let id = rig.publish(NewEvent { event_type: "probed.x".into(), ..event(10) }).delivery_to(probed);
        let failed = Settlement { disable, ..settlement(id, 1, Next::RetryAt(START + 100_000), rig.clock.now()) };
        rig.store.settle(failed);
        rig.step();
        assert_eq!(rig.store.tally(probed).unwrap().consecutive_failures, n);
    }

    let now = START - 50 * 60_000;
    let mut rig = rig.reopened(now, Retention::default());
    rig.step();
    let due = ids.map(|id| rig.delivery(id).unwrap().next_attempt_at.unwrap());
    assert_eq!(due, [now + 30_000, now + DAY_MS, now + 20_000]);
    let backoff = rig.store.tally(number).unwrap().backoff;
    assert_eq!((backoff.since, backoff.until), (now - 1, now + 20_000), "what goes out now is news");
    let status = rig.store.registry().webhook(probed).unwrap().status.clone();
    let Status::Disabled { since, probe_at: Some(probe_at), .. } = status else { panic!("{status:?}") };
    assert_eq!(since, now);
    assert!((now + 59_000..=now + 60_000).contains(&probe_at), "{} ms ahead", probe_at - now);
    // Another start changes nothing more: what was pulled in stays.
    let mut rig = rig.reopened(now + 1_000, Retention::default());
    rig.step();
    assert_eq!(ids.map(|id| rig.delivery(id).unwrap().next_attempt_at.unwrap()), due);
}

#[test]
fn after_the_clock_was_set_back_a_great_backlog_is_pulled_in_step_by_step() {
    let mut rig = Rig::in_memory(Retention::default());
    let number = rig.webhook(webhook(DEFAULT, "*")).number();
    let ids: Vec<DeliveryId> = (0..600).map(|_| rig.publish(event(10)).delivery_to(number)).collect();
    for (n, id) in ids.iter().enumerate() {
        rig.store.settle(settlement(*id, 1, Next::RetryAt(START + 10_003 + n as u64), START));
    }
    rig.step();
    let now = START - HOUR_MS;
    let mut rig = rig.reopened(now, Retention::default());
    let mut steps = 0;
    while rig.committer.step() {
        steps += 1;
    }
    assert!(steps >= 3, "256 rows a step");
    let due: Vec<u64> = ids.iter().map(|id| rig.delivery(*id).unwrap().next_attempt_at.unwrap()).collect();
    assert_eq!(due, (0..600).map(|n| now + 10_000 + n).collect::<Vec<u64>>());
}

#[test]
fn a_retry_beyond_what_its_webhooks_schedule_now_allows_is_pulled_in() {
    let mut rig = Rig::in_memory(Retention::default());
    let retry = Some(RetrySchedule { delay_seconds: vec![24 * 60 * 60], jitter_percent: 0 });
    let number = rig.webhook(Webhook { retry, ..webhook(DEFAULT, "*") }).number();
    let ids = [(); 2].map(|()| rig.publish(event(10)).delivery_to(number));
    rig.settle(ids[0], 1, Next::RetryAt(START + HOUR_MS));
    rig.settle(ids[1], 1, Next::RetryAt(START + 3 * DAY_MS));
    let now = START + 4;
    let mut rig = rig.reopened(now, Retention::default());
    let shelf = Arc::new(Shelf::new(Dialects::shipped()));
    let mut scheduler = Scheduler::new(rig.store.clone(), shelf, 10, Arc::default(), now);
    assert!(scheduler.next(now).is_none(), "nothing is due");
    rig.step();
    let due = ids.map(|id| rig.delivery(id).unwrap().next_attempt_at.unwrap());
    assert_eq!(due, [START + HOUR_MS, now + DAY_MS], "only the one that no schedule reaches");
    assert_eq!(rig.store.latest_due(number).unwrap(), Some(now + DAY_MS));
}
