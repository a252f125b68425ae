//! The store's promises, on real files: all or nothing, equal requests give one event, nothing makes a blob file, an
//! event costs few keys, a directory has one owner, and what was written is there after a reopening.

mod filled;

use std::sync::atomic::Ordering;

use filled::once_free;
use hookwheel::clock::{Clock, Dice};
use hookwheel::domain::account::{ApiKey, Scope};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, DeliveryState, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::{DeliveryId, KeyId, WebhookId};
use hookwheel::domain::retry::Next;
use hookwheel::domain::walk::Walk;
use hookwheel::domain::webhook::{EventFilter, Status, Webhook};
use hookwheel::store::{
    self, Accepted, Committer, Idempotency, Memory, NewEvent, OpenError, Refusal, Settings, Settlement, Staging, Store,
};

#[test]
fn a_revoked_key_is_not_brought_back_by_a_use_that_is_written_late() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::founded(dir.path());
    let (hash, other) = ([1; 32], [2; 32]);
    let key = |name: &str| ApiKey {
        id: KeyId(0),
        account: 1,
        scopes: vec![Scope::Read],
        name: Some(name.into()),
        expires_at: None,
        created_at: 0,
        last_used_at: None,
    };
    let (first, second) = (key("first"), key("second"));
    let id = bench.now(move |staging| staging.create_key(hash, first)).unwrap().id;
    bench.now(move |staging| staging.create_key(other, second)).unwrap();
    bench
        .now(move |staging| {
            staging.touch_key(other, 7);
            staging.touch_key(other, 5);
            staging.revoke_key(1, id)?;
            staging.touch_key(hash, 9);
            Ok(())
        })
        .unwrap();
    let late = move |staging: &mut Staging<'_>| {
        staging.touch_key(hash, 11);
        Ok(())
    };
    bench.now(late).unwrap();
    assert_eq!(bench.store.registry().key(&hash), None);
    drop(bench);
    let bench = Bench::open(dir.path());
    assert_eq!(bench.store.registry().key(&hash), None, "nor after a restart");
    let kept = bench.store.registry().key(&other).cloned().expect("the other is there");
    assert_eq!(kept.last_used_at, Some(7), "the latest use counts");
}

struct Bench {
    store: Store,
    committer: Committer,
    clock: Clock,
}

fn settings(path: &std::path::Path) -> Settings {
    Settings { queue_events_max: 1000, ..Settings::at(path) }
}

impl Bench {
    fn open(path: &std::path::Path) -> Self {
        let clock = Clock::standing_at(1_800_000_000_000);
        let (store, committer) = once_free(&settings(path), &clock).expect("it opens");
        Self { store, committer, clock }
    }

    /// A store with account 1.
    fn founded(path: &std::path::Path) -> Self {
        let mut bench = Self::open(path);
        bench.now(|staging| staging.create_account(Store::default_account("standard"))).unwrap();
        bench
    }

    fn now<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let mut answer = self.store.submit(change)?;
        while self.committer.step() {}
        answer.try_recv().expect("the committer answers")
    }

    fn webhook(&mut self, filter: &str) -> WebhookId {
        let webhook = webhook(filter);
        self.now(|staging| staging.create_webhook(webhook, None)).unwrap().id
    }

    fn publish(&mut self, event: NewEvent) -> Accepted {
        self.now(|staging| staging.accept(1, vec![event], None)).unwrap().remove(0)
    }

    fn only_delivery(&self, accepted: &Accepted) -> DeliveryId {
        let event = self.store.event(1, accepted.id).unwrap().unwrap();
        event.deliveries().next().unwrap()
    }

    fn settle(&mut self, id: DeliveryId, number: u16, next: Next) {
        let outcome = Outcome::Status(if next == Next::Succeeded { 200 } else { 500 });
        self.settle_by(DisableRule::default(), id, number, outcome, next);
    }

    /// All of these succeed in one group.
    fn succeed(&mut self, ids: &[DeliveryId]) {
        let settlement = |id| self.settlement(DisableRule::default(), id, 1, Outcome::Status(200), Next::Succeeded);
        ids.iter().for_each(|id| self.store.settle(settlement(*id)));
        while self.committer.step() {}
    }

    fn settle_by(&mut self, disable: DisableRule, delivery: DeliveryId, number: u16, outcome: Outcome, next: Next) {
        self.store.settle(self.settlement(disable, delivery, number, outcome, next));
        while self.committer.step() {}
    }

    fn settlement(
        &self,
        disable: DisableRule,
        delivery: DeliveryId,
        number: u16,
        outcome: Outcome,
        next: Next,
    ) -> Settlement {
        let summary = AttemptSummary { number, started_at: self.clock.now(), duration_ms: 3, outcome };
        let attempt = Attempt {
            summary,
            url: "u".into(),
            request_headers: Default::default(),
            response_body: vec![],
            resent: false,
            trace: Default::default(),
        };
        let strain = Strain::Neutral;
        Settlement { delivery, attempt, next, disable, strain, dice: 0.0, rate_limited: false }
    }
}

fn webhook(filter: &str) -> Webhook {
    let url = EndpointUrl::parse("https://example.com", false).unwrap();
    Webhook::new(1, "standard", url, vec![EventFilter::parse(filter).unwrap()])
}

fn event(data: impl Into<bytes::Bytes>) -> NewEvent {
    NewEvent {
        name: None,
        event_type: "task.created".into(),
        created_at: None,
        data: data.into(),
        actor: None,
        metadata: None,
        test: false,
        channels: Vec::new(),
        fingerprint: None,
        trace: None,
    }
}

fn named(name: &str, fingerprint: u8) -> NewEvent {
    NewEvent { name: Some(name.into()), fingerprint: Some([fingerprint; 32]), ..event("{}") }
}

fn sized(bytes: usize) -> NewEvent {
    event(format!("\"{}\"", "x".repeat(bytes.saturating_sub(2))))
}

#[test]
fn an_event_from_accept_to_success_touches_two_keys_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::founded(dir.path());
    bench.webhook("*");
    let keys = |bench: &Bench| bench.store.meters().keys.load(Ordering::Relaxed);
    let before = keys(&bench);
    let accepted = bench.publish(event("{}"));
    // One a group beside the event's own: the greatest id, the counters of the webhook and of the account. And once a second the
    // floor of the rows that are written late.
    assert_eq!(keys(&bench) - before, 1 + 3 + 1);
    let before = keys(&bench);
    let id = bench.only_delivery(&accepted);
    bench.settle(id, 1, Next::Succeeded);
    assert_eq!(keys(&bench) - before, 1 + 2);
    assert_eq!(bench.store.delivery(id).unwrap().unwrap().state, DeliveryState::Succeeded);
}

/// What a key costs is paid once for the events of a group, and once for the outcomes of one.
#[test]
fn events_of_one_group_and_their_outcomes_share_keys() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::founded(dir.path());
    bench.webhook("*");
    let keys = |bench: &Bench| bench.store.meters().keys.load(Ordering::Relaxed);
    let before = keys(&bench);
    let accepted = bench.now(|staging| staging.accept(1, (0..8).map(|_| event("{}")).collect(), None)).unwrap();
    assert_eq!(keys(&bench) - before, 1 + 3 + 1);
    let ids: Vec<_> = accepted.iter().map(|accepted| bench.only_delivery(accepted)).collect();
    let before = keys(&bench);
    bench.succeed(&ids);
    assert_eq!(keys(&bench) - before, 1 + 2);
    drop(bench);
    let bench = Bench::open(dir.path());
    assert!(accepted.iter().all(|accepted| bench.store.event(1, accepted.id).unwrap().is_some()));
    let ended = |id: &DeliveryId| bench.store.delivery(*id).unwrap().unwrap().state == DeliveryState::Succeeded;
    assert!(ids.iter().all(ended));
}

#[test]
fn bodies_of_all_sizes_come_back_and_never_make_a_blob() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = [2, 100, 1 << 10, 20 << 10, (32 << 10) - 60, 32 << 10, 33 << 10, 200 << 10, 1 << 20, 10 << 20];
    let mut accepted = Vec::new();
    {
        let mut bench = Bench::founded(dir.path());
        bench.webhook("*");
        for size in sizes {
            accepted.push(bench.publish(sized(size)).id);
        }
        // Whole leaves of large values.
        for _ in 0..100 {
            bench.publish(sized(31 << 10));
        }
    }
    let bench = Bench::open(dir.path());
    for (id, size) in accepted.into_iter().zip(sizes) {
        assert_eq!(bench.store.event(1, id).unwrap().unwrap().data, sized(size).data, "{size} bytes");
    }
    let blobs = dir.path().join("blobs");
    let count = std::fs::read_dir(&blobs).map_or(0, Iterator::count);
    assert_eq!(count, 0, "{} must stay empty", blobs.display());
}

#[test]
fn equal_events_are_one_and_a_batch_is_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::founded(dir.path());
    let first = bench.publish(named("a", 1));
    let again = bench.publish(named("a", 1));
    assert_eq!((again.id, again.duplicate, first.duplicate), (first.id, true, false));
    let conflict = bench.now(|staging| staging.accept(1, vec![named("b", 1), named("a", 2)], None));
    assert_eq!(conflict, Err(Refusal::EventIdConflict { index: 1 }));
    assert!(bench.store.event_named(1, "b").unwrap().is_none(), "nothing of a refused batch is stored");
    let twice = bench.now(|staging| staging.accept(1, vec![named("c", 1), named("c", 1)], None)).unwrap();
    assert_eq!(twice[0].id, twice[1].id);
}

#[test]
fn an_idempotency_key_in_one_group_or_later_gives_one_event_for_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::founded(dir.path());
    let key = |fingerprint: u8| Some(Idempotency { key: [7; 32], fingerprint: [fingerprint; 32] });
    let mut one = bench.store.accept(1, vec![event("{}")], key(1)).unwrap();
    let mut two = bench.store.accept(1, vec![event("{}")], key(1)).unwrap();
    while bench.committer.step() {}
    let (one, two) = (one.try_recv().unwrap().unwrap(), two.try_recv().unwrap().unwrap());
    assert_eq!((one[0].id, two[0].duplicate), (two[0].id, true));
    let other = bench.now(move |staging| staging.accept(1, vec![event("{}")], key(2)));
    assert_eq!(other, Err(Refusal::IdempotencyConflict));
    bench.clock.turn_to(bench.clock.now() + store::IDEMPOTENCY_MS);
    let later = bench.now(move |staging| staging.accept(1, vec![event("{}")], key(2))).unwrap();
    assert!(!later[0].duplicate);
}

#[test]
fn a_deleted_webhooks_deliveries_are_cancelled_in_steps_and_its_history_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::founded(dir.path());
    let webhook = bench.webhook("*");
    let ids: Vec<DeliveryId> = (0..1000)
        .map(|_| {
            let accepted = bench.publish(event("{}"));
            bench.only_delivery(&accepted)
        })
        .collect();
    bench.settle(ids[0], 1, Next::RetryAt(bench.clock.now() + 5));
    bench.now(move |staging| staging.delete_webhook(1, webhook)).unwrap();
    while bench.committer.step() {}
    for id in &ids {
        assert_eq!(bench.store.delivery(*id).unwrap().unwrap().state, DeliveryState::Cancelled);
    }
    assert_eq!(bench.store.next_due(webhook.number(), None, |_| false).unwrap(), None);
    let tally = bench.store.tally(webhook.number()).unwrap();
    assert_eq!((tally.cancelled, tally.open()), (1000, 0));
    assert_eq!(bench.publish(event("{}")).deliveries, 0);
    // An attempt that was out meanwhile is recorded, and changes no state.
    bench.settle(ids[5], 1, Next::Succeeded);
    let late = bench.store.delivery(ids[5]).unwrap().unwrap();
    assert_eq!((late.state, late.attempts), (DeliveryState::Cancelled, 1));
}

#[test]
fn an_outcome_in_the_group_that_cancels_its_delivery_is_kept_and_it_is_cancelled() {
    for tried in 0..2 {
        let dir = tempfile::tempdir().unwrap();
        let mut bench = Bench::founded(dir.path());
        let webhook = bench.webhook("*");
        let accepted = bench.publish(event("{}"));
        let id = bench.only_delivery(&accepted);
        let again = |bench: &Bench| Next::RetryAt(bench.clock.now() + 5);
        for number in 1..=tried {
            bench.settle(id, number, again(&bench));
        }
        let _answer = bench.store.submit(move |staging| staging.delete_webhook(1, webhook)).unwrap();
        bench.committer.step();
        // It was out when its webhook was deleted, and upkeep comes to it in the very group that records its attempt.
        bench.settle(id, tried + 1, again(&bench));
        let delivery = bench.store.delivery(id).unwrap().unwrap();
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Cancelled, tried + 1));
        assert_eq!(bench.store.attempts(&delivery).unwrap().len(), usize::from(tried + 1));
        let tally = bench.store.tally(webhook.number()).unwrap();
        assert_eq!((tally.attempts, tally.open()), (u64::from(tried + 1), 0));
        assert_eq!(bench.store.next_due(webhook.number(), None, |_| false).unwrap(), None, "nothing is left due");
    }
}

#[test]
fn settling_twice_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::founded(dir.path());
    let webhook = bench.webhook("*");
    let accepted = bench.publish(event("{}"));
    let id = bench.only_delivery(&accepted);
    for _ in 0..2 {
        bench.settle(id, 1, Next::RetryAt(bench.clock.now() + 5000));
    }
    for _ in 0..2 {
        bench.settle(id, 2, Next::Dead);
    }
    let tally = bench.store.tally(webhook.number()).unwrap();
    assert_eq!((tally.attempts, tally.dead), (2, 1));
    let delivery = bench.store.delivery(id).unwrap().unwrap();
    assert_eq!(bench.store.attempts(&delivery).unwrap().len(), 2);
}

#[test]
fn lists_page_newest_first_without_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::founded(dir.path());
    let webhook = bench.webhook("*").number();
    let mut ids = Vec::new();
    for n in 0..50 {
        let accepted = bench.publish(event("{}"));
        let id = bench.only_delivery(&accepted);
        match n % 3 {
            0 => bench.settle(id, 1, Next::Succeeded),
            1 => bench.settle(id, 1, Next::RetryAt(bench.clock.now() + 1)),
            _ => {}
        }
        ids.push(id);
    }
    ids.reverse();
    for limit in [1, 7, 50, 60] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = bench.store.deliveries(&[webhook], Walk::newest(limit).past(cursor), None, |_| true).unwrap();
            seen.extend(page.rows.iter().map(|delivery| delivery.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, ids, "limit {limit}");
    }
    let dead = bench
        .store
        .deliveries(&[webhook], Walk::newest(10), None, |delivery| delivery.state == DeliveryState::Dead)
        .unwrap();
    assert_eq!((dead.rows.len(), dead.next), (0, None));
    assert_eq!(bench.store.events(1, Walk::newest(20), None, |_| true).unwrap().rows.len(), 20);
}

#[test]
fn a_directory_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let _bench = Bench::open(dir.path());
    let second = store::open(settings(dir.path()), Clock::real(), Dice::seeded(2));
    assert!(matches!(second.err(), Some(OpenError::InUse(_))));
}

#[test]
fn a_directory_of_a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Bench::open(dir.path()));
    // sled lets go of its log some moments after its last handle.
    std::fs::File::open(dir.path().join("db")).and_then(|log| log.lock()).unwrap();
    let db = sled::Config::new().path(dir.path()).segment_size(4 << 20).open().unwrap();
    db.open_tree("meta").unwrap().insert("format", &999u32.to_be_bytes()).unwrap();
    db.flush().unwrap();
    drop(db);
    let refused = once_free(&settings(dir.path()), &Clock::real()).err().unwrap();
    assert!(matches!(refused, OpenError::Newer { found: 999, .. }), "{refused}");
}

#[test]
fn a_snapshot_that_was_cut_short_does_not_keep_the_store_shut() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let mut bench = Bench::founded(&path);
    bench.webhook("*");
    let accepted = bench.publish(event("{}"));
    let id = bench.only_delivery(&accepted);
    drop(bench);
    // What a kill or a full disk leaves at an opening, here of the newest name there could be.
    let cut_short = path.join("snap.7FFFFFFFFFFFFFFF.generating");
    std::fs::write(&cut_short, b"half").unwrap();
    let bench = Bench::open(&path);
    assert!(bench.store.delivery(id).unwrap().is_some());
    assert!(!cut_short.exists());
}

#[test]
fn a_body_that_is_too_large_puts_off_no_probe() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::founded(dir.path());
    let id = bench.webhook("*");
    let deliveries = [(); 2].map(|()| {
        let accepted = bench.publish(event("{}"));
        bench.only_delivery(&accepted)
    });
    let since = bench.clock.now();
    let disabled = Status::Disabled { since, reason: "it failed".into(), probe_at: Some(since + 1_000) };
    bench
        .now(move |staging| {
            staging.update_webhook(1, id, |webhook, _| {
                webhook.status = disabled;
                Ok(())
            })
        })
        .unwrap();
    bench.clock.turn_to(since + 2_000);
    let rule = DisableRule { probe_after_seconds: Some(60), ..DisableRule::default() };
    let probe_at = |bench: &Bench| bench.store.registry().webhook(id.number()).unwrap().status.probe_at();
    bench.settle_by(rule, deliveries[0], 1, Outcome::TooLarge(2, 1), Next::NotSent);
    assert_eq!(probe_at(&bench), Some(since + 1_000), "it says nothing about the endpoint");
    bench.settle_by(rule, deliveries[1], 1, Outcome::Status(500), Next::Dead);
    assert!(probe_at(&bench).is_some_and(|at| at >= since + 62_000), "a failure does");
}

#[test]
fn ids_do_not_follow_from_the_time() {
    let first_id = |seed| {
        let settings = Settings { memory: Some(Memory::default()), ..settings("unused".as_ref()) };
        let clock = Clock::standing_at(1_800_000_000_000);
        let (store, committer) = store::open(settings, clock.clone(), Dice::seeded(seed)).unwrap();
        let mut bench = Bench { store, committer, clock };
        bench.now(|staging| staging.create_account(Store::default_account("standard"))).unwrap();
        bench.publish(event("{}")).id
    };
    assert_eq!(first_id(1), first_id(1));
    assert_eq!(first_id(1).time(), first_id(2).time());
    assert_ne!(first_id(1), first_id(2), "nor from what was published before: they begin at random");
}
