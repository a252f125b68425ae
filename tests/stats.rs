//! Statistics in the store, on a virtual clock: what is counted by minute, hour and day adds up, is there after a
//! reopening, goes with its webhook to the account, and is forgotten when it is old.

use std::collections::BTreeMap;

use hookwheel::clock::{Clock, Dice};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::{DeliveryId, WebhookId};
use hookwheel::domain::retry::Next;
use hookwheel::domain::stats::{Counts, Series, Span, Step};
use hookwheel::domain::time::{DAY_MS, UnixMs};
use hookwheel::domain::webhook::{EventFilter, Webhook};
use hookwheel::store::{self, Committer, Memory, NewEvent, Refusal, Settings, Settlement, Staging, Stats, Store};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
/// A UTC midnight.
const START: UnixMs = 20_833 * DAY_MS;
const ACCOUNT: Series = Series::Account(1);

struct Rig {
    store: Store,
    committer: Committer,
    clock: Clock,
    memory: Memory,
}

impl Rig {
    fn open(memory: Memory, now: UnixMs) -> Self {
        let settings = Settings {
            cache_bytes: 0,
            queue_events_max: 1000,
            memory: Some(memory.clone()),
            durable: false,
            ..Settings::at("nowhere")
        };
        let clock = Clock::standing_at(now);
        let (store, committer) = store::open(settings, clock.clone(), Dice::seeded(1)).unwrap();
        Self { store, committer, clock, memory }
    }

    /// A store with account 1.
    fn founded() -> Self {
        let mut rig = Self::open(Memory::default(), START);
        rig.now(|staging| staging.create_account(Store::default_account("standard"))).unwrap();
        rig
    }

    /// The same data in a store that knows nothing but them.
    fn reopened(self) -> Self {
        let Self { memory, clock, .. } = self;
        Self::open(memory, clock.now())
    }

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

    fn webhook(&mut self, filter: &str) -> WebhookId {
        let url = EndpointUrl::parse("https://example.com", false).unwrap();
        let webhook = Webhook::new(1, "standard", url, vec![EventFilter::parse(filter).unwrap()]);
        self.now(|staging| staging.create_webhook(webhook, None)).unwrap().id
    }

    fn publish(&mut self, event_type: &str) -> Vec<DeliveryId> {
        let event = NewEvent {
            name: None,
            event_type: event_type.into(),
            created_at: None,
            data: "{}".into(),
            actor: None,
            metadata: None,
            test: false,
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
        };
        let accepted = self.now(|staging| staging.accept(1, vec![event], None)).unwrap().remove(0);
        self.store.event(1, accepted.id).unwrap().unwrap().deliveries().collect()
    }

    fn settle(&mut self, id: DeliveryId, number: u16, outcome: Outcome, next: Next) {
        let summary = AttemptSummary { number, started_at: self.clock.now(), duration_ms: 20, outcome };
        let attempt = Attempt {
            summary,
            url: "u".into(),
            request_headers: Default::default(),
            response_body: vec![],
            resent: false,
            trace: Default::default(),
        };
        self.store.settle(Settlement {
            delivery: id,
            attempt,
            next,
            disable: DisableRule::default(),
            strain: Strain::Neutral,
            dice: 0.0,
            rate_limited: number == 2,
        });
        self.step();
    }

    fn succeed(&mut self, id: DeliveryId) {
        self.settle(id, 1, Outcome::Status(200), Next::Succeeded);
    }

    fn turn(&mut self, ms: u64) {
        self.clock.turn_to(self.clock.now() + ms);
        self.step();
    }

    fn stats(&self, series: Series, step: Step) -> Stats {
        let span = Span { step, from: 0, to: START + 10_000 * DAY_MS };
        self.store.stats(series, span, self.clock.now()).unwrap()
    }

    fn points(&self, series: Series, step: Step) -> BTreeMap<UnixMs, Counts> {
        self.stats(series, step).points
    }

    /// What was counted of a series, which every step says alike.
    #[track_caller]
    fn total(&self, series: Series) -> Counts {
        let [minutes, hours, days] = Step::ALL.map(|step| total(&self.points(series, step)));
        assert_eq!(minutes, hours);
        assert_eq!(minutes, days);
        minutes
    }
}

fn total(points: &BTreeMap<UnixMs, Counts>) -> Counts {
    let mut total = Counts::default();
    points.values().for_each(|counts| total.merge(counts));
    total
}

fn of(webhook: WebhookId) -> Series {
    Series::Webhook(webhook.number())
}

#[test]
fn minutes_hours_and_days_say_the_same_also_after_a_reopening() {
    let mut rig = Rig::founded();
    let (all, some) = (rig.webhook("*"), rig.webhook("task.done"));
    let (mut events, mut wanted, mut by_hour) = (0, 0, BTreeMap::new());
    // Nearly three days, in steps that meet every minute of an hour.
    for n in 0..600u64 {
        rig.turn(7 * MINUTE_MS - 1);
        let event_type = if n % 3 == 0 { "task.done" } else { "task.created" };
        let ids = rig.publish(event_type);
        (events, wanted) = (events + 1, wanted + u64::from(n % 3 == 0));
        *by_hour.entry(Step::Hour.start_of(rig.clock.now())).or_insert(0) += 1;
        match n % 4 {
            0 => rig.settle(ids[0], 1, Outcome::TimedOut, Next::Dead),
            1 => {
                rig.settle(ids[0], 1, Outcome::Status(500), Next::RetryAt(rig.clock.now()));
                rig.settle(ids[0], 2, Outcome::Status(200), Next::Succeeded);
            }
            _ => rig.succeed(ids[0]),
        }
        if n % 200 == 0 {
            rig = rig.reopened();
        }
    }
    let rig = rig.reopened();
    let counts = rig.total(of(all));
    assert_eq!((counts.accepted, counts.deliveries, counts.attempts()), (events, events, events + 150));
    assert_eq!(counts.failed().collect::<Vec<_>>(), [("status", 150), ("timeout", 150)]);
    assert_eq!((counts.succeeded, counts.retried, counts.rate_limited), (450, 150, 150));
    assert_eq!(
        (counts.answers.len(), counts.answers.average(), counts.answers.quantile(0.99)),
        (600, Some(20.0), Some(20))
    );
    let hours: BTreeMap<_, _> = rig.points(of(all), Step::Hour).into_iter().map(|(at, of)| (at, of.accepted)).collect();
    assert_eq!(hours, by_hour);

    let few = rig.total(of(some));
    assert_eq!((few.accepted, few.attempts()), (wanted, 0));
    let account = rig.total(ACCOUNT);
    assert_eq!((account.accepted, account.deliveries), (events, events + wanted));
    assert_eq!((account.attempts(), account.answers.len()), (counts.attempts(), 600));
    assert_eq!(account.queue_age_ms, few.queue_age_ms, "that of the webhook that waits longest");
}

#[test]
fn a_replay_is_a_delivery_of_no_new_event() {
    let mut rig = Rig::founded();
    let webhook = rig.webhook("*");
    let id = rig.publish("a")[0];
    rig.succeed(id);
    rig.now(move |staging| staging.replay(1, webhook, id)).unwrap();
    rig.settle(id, 1, Outcome::Status(200), Next::Succeeded);
    let counts = rig.total(of(webhook));
    assert_eq!((counts.accepted, counts.deliveries, counts.attempts()), (1, 2, 1));
}

#[test]
fn a_span_holds_what_was_counted_in_it() {
    let mut rig = Rig::founded();
    rig.webhook("*");
    for _ in 0..10 {
        rig.publish("a");
        rig.turn(MINUTE_MS);
    }
    let within = |from, to| {
        let span = Span { step: Step::Minute, from: START + from * MINUTE_MS, to: START + to * MINUTE_MS };
        rig.store.stats(ACCOUNT, span, rig.clock.now()).unwrap().points.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(within(3, 5), [START + 3 * MINUTE_MS, START + 4 * MINUTE_MS]);
    assert_eq!(within(9, 30), [START + 9 * MINUTE_MS], "the current minute is one of them");
    assert_eq!(within(10, 30), [0; 0]);
}

#[test]
fn the_age_of_what_waits_is_that_at_the_end_of_the_minute() {
    let mut rig = Rig::founded();
    let webhook = rig.webhook("*");
    let first = rig.publish("a")[0];
    rig.turn(10_000);
    rig.settle(first, 1, Outcome::Status(500), Next::RetryAt(rig.clock.now()));
    rig.turn(5_000);
    let second = rig.publish("a")[0];
    let age = |rig: &Rig, at| rig.points(of(webhook), Step::Minute)[&at].queue_age_ms;
    assert_eq!(age(&rig, START), Some(15_000), "until now, while the minute lasts");
    // Half an hour later both end: the age at the end of the first minute is what it was then.
    rig.turn(30 * MINUTE_MS);
    assert_eq!(rig.stats(of(webhook), Step::Hour).oldest_open_at, Some(START));
    rig.settle(first, 2, Outcome::Status(200), Next::Succeeded);
    assert_eq!(age(&rig, START), Some(MINUTE_MS));
    assert_eq!(age(&rig, START + 30 * MINUTE_MS), Some(30 * MINUTE_MS), "the second waits still");
    rig.succeed(second);
    assert_eq!(age(&rig, START + 30 * MINUTE_MS), None);
    assert_eq!(rig.stats(ACCOUNT, Step::Hour).oldest_open_at, None);
}

#[test]
fn an_account_keeps_what_its_deleted_webhooks_did() {
    let mut rig = Rig::founded();
    let webhook = rig.webhook("*");
    let id = rig.publish("a")[0];
    rig.succeed(id);
    let before = rig.total(ACCOUNT);
    rig.now(move |staging| staging.delete_webhook(1, webhook)).unwrap();
    assert_eq!(rig.total(ACCOUNT), before);
    rig.turn(DAY_MS);
    rig.publish("a");
    let after = rig.total(ACCOUNT);
    assert_eq!((after.accepted, after.deliveries, after.attempts()), (2, 1, 1));
}

#[test]
fn a_clock_that_goes_back_loses_nothing() {
    let mut rig = Rig::founded();
    let webhook = rig.webhook("*");
    rig.publish("a");
    rig.clock.turn_to(START - DAY_MS);
    let id = rig.publish("a")[0];
    rig.succeed(id);
    rig = Rig::open(rig.memory, START - 2 * DAY_MS);
    rig.publish("a");
    rig.clock.turn_to(START + MINUTE_MS);
    rig.publish("a");
    let points = rig.points(of(webhook), Step::Minute);
    let counted: Vec<_> = points.iter().map(|(at, counts)| (*at, counts.accepted, counts.succeeded)).collect();
    assert_eq!(counted, [(START, 3, 1), (START + MINUTE_MS, 1, 0)]);
    rig.total(ACCOUNT);
}

#[test]
fn what_is_old_is_forgotten_in_small_steps() {
    let mut rig = Rig::founded();
    let webhook = rig.webhook("*");
    // More minutes than one step removes.
    for _ in 0..600 {
        rig.publish("a");
        rig.turn(MINUTE_MS);
    }
    let rows = |rig: &Rig, series| Step::ALL.map(|step| rig.points(series, step).len());
    assert_eq!(rows(&rig, of(webhook)), [600, 10, 1]);
    rig.turn(3 * DAY_MS - 599 * MINUTE_MS);
    for series in [of(webhook), ACCOUNT] {
        let [minutes, hours, days] = rows(&rig, series);
        assert!((535..=598).contains(&minutes), "the first is old, and a pass comes once an hour: {minutes}");
        assert_eq!((hours, days), (10, 1));
    }
    rig.turn(DAY_MS);
    // What was counted last is still the current minute.
    assert_eq!(rows(&rig, of(webhook)), [1, 10, 1]);
    rig.turn(90 * DAY_MS);
    assert_eq!(rows(&rig, ACCOUNT), [1, 1, 1]);
    rig.publish("a");
    rig.turn(3 * 365 * DAY_MS + DAY_MS);
    rig.publish("a");
    rig.turn(2 * HOUR_MS);
    assert_eq!(rows(&rig, of(webhook)), [1, 1, 1]);
    assert_eq!(rig.total(of(webhook)).accepted, 1);
}
