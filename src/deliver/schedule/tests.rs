//! All webhooks over a store in memory: who is next, and what changes that.

use super::*;
use crate::clock::{Clock, Dice};
use crate::deliver::lane::Wants;
use crate::dialect::Dialects;
use crate::domain::backoff::{RETRY_AFTER_MS_MAX, Strain};
use crate::domain::delivery::{Attempt, AttemptSummary, Outcome};
use crate::domain::disable::DisableRule;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::id::{EventId, WebhookId};
use crate::domain::rate_limit::RateLimit;
use crate::domain::retry::{Next, RetrySchedule};
use crate::domain::time::DAY_MS;
use crate::domain::webhook::{EventFilter, Status};
use crate::store::{self, Committer, Memory, NewEvent, Refusal, Settings, Settlement, Staging};

const NOW: UnixMs = 1_800_000_000_000;

/// A store in memory, with account 1.
struct Bench {
    store: Store,
    committer: Committer,
}

impl Bench {
    fn new() -> Self {
        let settings = Settings { memory: Some(Memory::default()), durable: false, ..Settings::at("unused") };
        let clock = Clock::standing_at(NOW);
        let (store, committer) = store::open(settings, clock, Dice::seeded(1)).expect("memory can be opened");
        let mut bench = Self { store, committer };
        bench.now(|staging| staging.create_account(Store::default_account("standard")));
        bench
    }

    fn now<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> T {
        let mut answer = self.store.submit(change).expect("there is room");
        while self.committer.step() {}
        answer.try_recv().expect("it is answered").expect("it is done")
    }

    /// A webhook that wants events of this type.
    fn webhook(&mut self, filter: &str) -> WebhookId {
        let url = EndpointUrl::parse("https://example.com/", false).expect("a URL");
        let webhook = Webhook::new(1, "standard", url, vec![EventFilter::parse(filter).expect("a filter")]);
        self.now(move |staging| staging.create_webhook(webhook, None)).id
    }

    /// The same, pulled.
    fn pulled(&mut self, filter: &str) -> WebhookId {
        let webhook = Webhook::pulled(1, "standard", vec![EventFilter::parse(filter).expect("a filter")]);
        self.now(move |staging| staging.create_webhook(webhook, None)).id
    }

    fn change(&mut self, id: WebhookId, change: impl FnOnce(&mut Webhook) + Send + 'static) {
        self.now(move |staging| {
            staging.update_webhook(1, id, |webhook, _| {
                change(webhook);
                Ok(())
            })
        });
    }

    fn publish(&mut self, event_type: &str) {
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
        self.now(move |staging| staging.accept(1, vec![event], None));
    }

    fn scheduler(&self, out_max: usize) -> Scheduler {
        let shelf = Arc::new(Shelf::new(Dialects::shipped()));
        Scheduler::new(self.store.clone(), shelf, out_max, Arc::default(), NOW)
    }

    /// The delivery's first attempt failed; it is tried again then.
    fn retry_at(&mut self, delivery: DeliveryId, at: UnixMs) {
        self.settle(delivery, Outcome::Status(500), Next::RetryAt(at));
    }

    fn succeed(&mut self, delivery: DeliveryId) {
        self.settle(delivery, Outcome::Status(200), Next::Succeeded);
    }

    fn settle(&mut self, delivery: DeliveryId, outcome: Outcome, next: Next) {
        let summary = AttemptSummary { number: 1, started_at: NOW, duration_ms: 0, outcome };
        let attempt = Attempt {
            summary,
            url: String::new(),
            request_headers: Default::default(),
            response_body: Vec::new(),
            resent: false,
            trace: Default::default(),
        };
        let (disable, strain) = (DisableRule::default(), Strain::Neutral);
        self.store.settle(Settlement { delivery, attempt, next, disable, strain, dice: 0.0, rate_limited: false });
        while self.committer.step() {}
    }
}

#[test]
fn webhooks_take_turns_however_much_waits_for_one() {
    let mut bench = Bench::new();
    let (one, other) = (bench.webhook("a").number(), bench.webhook("b").number());
    ["a", "a", "a", "b", "b"].into_iter().for_each(|event_type| bench.publish(event_type));
    let mut scheduler = bench.scheduler(100);
    let turns: Vec<WebhookNumber> =
        std::iter::from_fn(|| scheduler.next(NOW)).map(|claim| claim.delivery.id.webhook()).collect();
    assert_eq!(turns[..4], [turns[0], turns[1], turns[0], turns[1]], "by turns: {turns:?}");
    assert_eq!((turns[0] + turns[1], turns.len()), (one + other, 5));
}

#[test]
fn no_more_are_out_than_may_be_and_a_place_that_is_handed_back_is_used_again() {
    let mut bench = Bench::new();
    bench.webhook("a");
    ["a", "a"].into_iter().for_each(|event_type| bench.publish(event_type));
    let mut scheduler = bench.scheduler(1);
    let first = scheduler.next(NOW).expect("one may go out").delivery.id;
    assert!(scheduler.next(NOW).is_none());
    assert_eq!(scheduler.out(), 1);
    scheduler.handed_back(first, None, NOW);
    assert_eq!(scheduler.out(), 0);
    assert_eq!(scheduler.next(NOW).map(|claim| claim.delivery.id), Some(first), "nothing happened to it");
    assert_eq!(scheduler.out(), 1);
}

#[test]
fn what_is_pulled_waits_for_who_asks_and_takes_no_place_of_what_is_sent() {
    let mut bench = Bench::new();
    let (pulled, _) = (bench.pulled("a").number(), bench.webhook("b"));
    ["a", "a", "b"].into_iter().for_each(|event_type| bench.publish(event_type));
    let mut scheduler = bench.scheduler(1);
    let sent = scheduler.next(NOW).expect("it is sent").delivery.id;
    assert_ne!(sent.webhook(), pulled);
    assert!(scheduler.next(NOW).is_none());
    assert_eq!(scheduler.standing(pulled, NOW).and_then(|it| it.wait), Some(Why::NotPulled.for_now()));
    scheduler.want(pulled, 1, NOW);
    let first = scheduler.next(NOW).expect("somebody asks").delivery.id;
    assert_eq!((first.webhook(), scheduler.next(NOW).is_none(), scheduler.out()), (pulled, true, 1));
    scheduler.untaken(first, NOW);
    assert!(scheduler.next(NOW).is_none(), "nobody asks any more");
    scheduler.want(pulled, 5, NOW);
    let again: Vec<_> = std::iter::from_fn(|| scheduler.next(NOW)).map(|claim| claim.delivery.id).collect();
    assert_eq!((again.len(), again.first()), (2, Some(&first)), "nothing happened to it");
}

#[test]
fn what_nobody_took_or_nothing_could_send_is_counted_of_no_limit() {
    let mut bench = Bench::new();
    let (pulled, sent) = (bench.pulled("a"), bench.webhook("b"));
    let limit = RateLimit { per_second: None, per_minute: Some(1), burst: 1 };
    for id in [pulled, sent] {
        bench.change(id, move |webhook| webhook.rate_limit = Some(limit));
    }
    ["a", "b"].into_iter().for_each(|event_type| bench.publish(event_type));
    let mut scheduler = bench.scheduler(10);
    let left = |scheduler: &Scheduler, id: WebhookId| scheduler.allowances.left(id.number(), limit, NOW).remaining;
    let of_sent = scheduler.next(NOW).expect("it is sent").delivery.id;
    for _ in 0..3 {
        scheduler.want(pulled.number(), 1, NOW);
        let claimed = scheduler.next(NOW).expect("somebody asks, and nothing was taken").delivery.id;
        assert_eq!((claimed.webhook(), left(&scheduler, pulled)), (pulled.number(), 0));
        scheduler.untaken(claimed, NOW);
        assert_eq!(left(&scheduler, pulled), 1);
    }
    scheduler.handed_back(of_sent, Some(Why::NoBytes), NOW);
    assert_eq!(left(&scheduler, sent), 1);
    scheduler.webhook_changed(sent.number());
    let again = std::iter::from_fn(|| scheduler.next(NOW)).find(|claim| claim.delivery.id == of_sent);
    assert!(again.is_some(), "it may go out at once");
    scheduler.cut_off(of_sent, NOW);
    assert_eq!((left(&scheduler, sent), scheduler.out()), (0, 0), "its endpoint may have got it");
}

#[test]
fn a_webhook_that_handed_one_back_is_looked_at_again_in_a_while() {
    let mut bench = Bench::new();
    bench.webhook("a");
    bench.publish("a");
    let mut scheduler = bench.scheduler(10);
    let only = scheduler.next(NOW).expect("it goes out").delivery.id;
    assert!(scheduler.next(NOW).is_none());
    scheduler.handed_back(only, None, NOW);
    assert!(scheduler.next(NOW).is_none());
    let (at, again) = loop {
        let at = scheduler.next_turn().expect("it is looked at again");
        scheduler.turn(at);
        if let Some(claim) = scheduler.next(at) {
            break (at, claim.delivery.id);
        }
    };
    assert_eq!(again, only);
    assert!((NOW + LOOK_AGAIN_MS..NOW + 2 * LOOK_AGAIN_MS).contains(&at), "{} ms later", at - NOW);
}

#[test]
fn what_changed_is_read_again_and_what_is_out_stays_out() {
    let mut bench = Bench::new();
    let number = bench.webhook("a").number();
    ["a", "a"].into_iter().for_each(|event_type| bench.publish(event_type));
    let mut scheduler = bench.scheduler(10);
    let out: Vec<DeliveryId> = std::iter::from_fn(|| scheduler.next(NOW)).map(|claim| claim.delivery.id).collect();
    scheduler.webhook_changed(number);
    scheduler.begin_again();
    scheduler.freed(out[0]);
    assert!(scheduler.next(NOW).is_none());
    bench.publish("a");
    scheduler.more_fresh(number);
    let rest: Vec<DeliveryId> = std::iter::from_fn(|| scheduler.next(NOW)).map(|claim| claim.delivery.id).collect();
    assert_eq!((out.len(), rest.len(), scheduler.out()), (2, 1, 3));
    assert!(!out.contains(&rest[0]));
}

#[test]
fn a_shorter_schedule_pulls_in_what_is_due_later() {
    let mut bench = Bench::new();
    let id = bench.webhook("a");
    bench.publish("a");
    let mut scheduler = bench.scheduler(10);
    let delivery = scheduler.next(NOW).expect("it goes out").delivery.id;
    bench.retry_at(delivery, NOW + 20 * DAY_MS);
    assert_eq!(bench.store.latest_due(id.number()).expect("it is read"), Some(NOW + 20 * DAY_MS));
    bench.change(id, |webhook| {
        webhook.retry = Some(RetrySchedule { delay_seconds: vec![60], jitter_percent: 0 });
    });
    scheduler.webhook_changed(id.number());
    assert!(scheduler.next(NOW).is_none());
    while bench.committer.step() {}
    // An endpoint may have asked for an hour.
    assert_eq!(bench.store.latest_due(id.number()).expect("it is read"), Some(NOW + RETRY_AFTER_MS_MAX));
}

#[test]
fn what_goes_out_is_missing_from_what_others_see_of_the_rate_limit() {
    let mut bench = Bench::new();
    let id = bench.webhook("a");
    let limit = RateLimit { per_second: Some(1), per_minute: None, burst: 2 };
    bench.change(id, move |webhook| webhook.rate_limit = Some(limit));
    bench.publish("a");
    let mut scheduler = bench.scheduler(10);
    assert!(scheduler.next(NOW).is_some());
    assert_eq!(scheduler.allowances.left(id.number(), limit, NOW).remaining, 1);
}

#[test]
fn what_is_out_when_its_webhook_is_deleted_gives_its_place_back() {
    let mut bench = Bench::new();
    let id = bench.webhook("a");
    bench.publish("a");
    let mut scheduler = bench.scheduler(10);
    let delivery = scheduler.next(NOW).expect("it goes out").delivery.id;
    bench.now(move |staging| staging.delete_webhook(1, id));
    scheduler.webhook_changed(id.number());
    assert_eq!((scheduler.out(), scheduler.lanes()), (1, 1));
    assert!(scheduler.next(NOW).is_none());
    assert_eq!((scheduler.out(), scheduler.lanes()), (1, 1));
    scheduler.settled(Settled { delivery, next_attempt_at: None, strain: Strain::Neutral, paused_until: 0 }, NOW);
    assert!(scheduler.next(NOW).is_none());
    assert_eq!((scheduler.out(), scheduler.lanes()), (0, 0));
}

#[test]
fn what_is_out_is_broken_off_where_its_webhook_may_not_send_any_more() {
    let mut bench = Bench::new();
    let id = bench.webhook("a");
    let number = id.number();
    let mut scheduler = bench.scheduler(10);
    let after = |bench: &mut Bench, scheduler: &mut Scheduler, status| {
        bench.change(id, |webhook| webhook.status = status);
        scheduler.webhook_changed(number);
        let broken_off = scheduler.take_broken_off();
        assert!(scheduler.take_broken_off().is_empty(), "each is told once");
        broken_off == [number]
    };
    let disabled = |probe_at| Status::Disabled { since: NOW, reason: "gone".into(), probe_at };
    assert!(!after(&mut bench, &mut scheduler, Status::Paused { since: NOW }), "nothing is out");
    assert!(!after(&mut bench, &mut scheduler, Status::Active));
    bench.publish("a");
    scheduler.more_fresh(number);
    assert!(scheduler.next(NOW).is_some());
    let held = [disabled(Some(NOW)), disabled(Some(NOW + 1)), disabled(None), Status::Deleted { since: NOW }];
    let told = [Status::Active].into_iter().chain(held).map(|status| after(&mut bench, &mut scheduler, status));
    let told: Vec<bool> = told.collect();
    assert_eq!(told, [false, true, false, true, true]);
}

#[test]
fn who_begins_again_goes_by_the_rules_of_now() {
    let mut bench = Bench::new();
    let id = bench.webhook("a");
    ["a", "a"].into_iter().for_each(|event_type| bench.publish(event_type));
    let mut scheduler = bench.scheduler(10);
    assert!(scheduler.next(NOW).is_some());
    bench.change(id, |webhook| webhook.status = Status::Paused { since: NOW });
    scheduler.begin_again();
    assert!(scheduler.next(NOW).is_none());
}

#[test]
fn only_what_a_lane_wants_is_read_and_the_rest_stays_as_it_knew_it() {
    let mut bench = Bench::new();
    let number = bench.webhook("a").number();
    let scheduler = bench.scheduler(10);
    let webhook = scheduler.webhook(number).expect("it is there");
    let mut lane = Lane::new(scheduler.rules_of(&webhook), &Tally::default(), NOW);
    let mut wants_after_reading = |changed: fn(&mut Lane, DeliveryId)| {
        changed(&mut lane, EventId(1 << 80).delivery_to(number));
        read_into(&mut lane, &bench.store, number, NOW).expect("it is read");
        lane.wants(NOW)
    };
    let nothing = Wants { due: 0, fresh: 0 };
    assert_eq!(wants_after_reading(|_, _| {}), nothing, "all of it was read");
    assert_eq!(wants_after_reading(|lane, _| lane.more_fresh()), nothing, "it knows that no retry is due");
    assert_eq!(wants_after_reading(|lane, id| assert!(!lane.came_back(id, Some(NOW)))), nothing, "nor is any fresh");
}

#[test]
fn when_the_next_retry_is_due_is_asked_of_those_that_were_not_read() {
    let mut bench = Bench::new();
    let number = bench.webhook("a").number();
    ["a", "a"].into_iter().for_each(|event_type| bench.publish(event_type));
    let mut scheduler = bench.scheduler(10);
    let out: Vec<DeliveryId> = std::iter::from_fn(|| scheduler.next(NOW)).map(|claim| claim.delivery.id).collect();
    bench.retry_at(out[0], NOW);
    bench.retry_at(out[1], NOW + 50);
    let webhook = scheduler.webhook(number).expect("it is there");
    let mut lane = Lane::new(scheduler.rules_of(&webhook), &Tally::default(), NOW);
    read_into(&mut lane, &bench.store, number, NOW).expect("it is read");
    assert!(lane.holds(out[0]) && !lane.holds(out[1]));
    assert_eq!([NOW, NOW + 49, NOW + 50].map(|at| lane.wants(at).due > 0), [false, false, true]);
}

#[test]
fn a_webhook_that_waits_for_a_place_says_so() {
    let mut bench = Bench::new();
    let (one, other) = (bench.webhook("a").number(), bench.webhook("b").number());
    ["a", "b"].into_iter().for_each(|event_type| bench.publish(event_type));
    let mut scheduler = bench.scheduler(1);
    assert_eq!(scheduler.standing(one, NOW), None, "nobody has looked at it");
    let first = scheduler.next(NOW).expect("one may go out").delivery.id;
    assert!(scheduler.next(NOW).is_none());
    let waits = |scheduler: &Scheduler, number| {
        let standing = scheduler.standing(number, NOW).expect("it has a lane");
        (standing.places, standing.wait.map(|wait| wait.why))
    };
    assert_eq!(waits(&scheduler, other), (0, Some(Why::NoPlace)));
    assert_eq!(waits(&scheduler, one).0, 1);
    scheduler.handed_back(first, Some(Why::NoConnection), NOW);
    assert_eq!(waits(&scheduler, one), (0, Some(Why::NoConnection)));
}

#[test]
fn a_start_makes_lanes_for_those_alone_that_have_something_to_send() {
    let mut bench = Bench::new();
    let [_, fresh, waits] = ["rest", "a", "b"].map(|filter| bench.webhook(filter).number());
    ["a", "b"].into_iter().for_each(|event_type| bench.publish(event_type));
    let mut before = bench.scheduler(10);
    let out: Vec<DeliveryId> = std::iter::from_fn(|| before.next(NOW)).map(|claim| claim.delivery.id).collect();
    let later = out.into_iter().find(|id| id.webhook() == waits).expect("it is out");
    bench.retry_at(later, NOW + 50);
    let mut scheduler = bench.scheduler(10);
    let again: Vec<_> = std::iter::from_fn(|| scheduler.next(NOW)).map(|claim| claim.delivery.id.webhook()).collect();
    assert_eq!((again, scheduler.lanes()), (vec![fresh], 2));
    let next = scheduler.next_turn().expect("a retry is to come");
    assert!(next <= NOW + 60, "{next}");
}

#[test]
fn a_lane_that_rests_goes_where_there_are_many_and_is_made_again_as_it_was() {
    let mut bench = Bench::new();
    let [one, other] = ["a", "b"].map(|filter| bench.webhook(filter));
    let limit = RateLimit { per_second: None, per_minute: Some(2), burst: 2 };
    bench.change(one, move |webhook| webhook.rate_limit = Some(limit));
    let mut scheduler = bench.scheduler(10);
    scheduler.lanes_max = 1;
    let goes_out = |bench: &mut Bench, scheduler: &mut Scheduler, event_type: &str| {
        bench.publish(event_type);
        [one, other].into_iter().for_each(|id| scheduler.more_fresh(id.number()));
        scheduler.next(NOW).map(|claim| claim.delivery.id)
    };
    let ended = |scheduler: &mut Scheduler, delivery| {
        scheduler.settled(Settled { delivery, next_attempt_at: None, strain: Strain::Well, paused_until: 0 }, NOW);
        assert!(scheduler.next(NOW).is_none());
    };
    let first = goes_out(&mut bench, &mut scheduler, "a").expect("it goes out");
    bench.succeed(first);
    let beside = goes_out(&mut bench, &mut scheduler, "b").expect("it goes out");
    assert_eq!(scheduler.lanes(), 2, "one of them is out, the other was not yet heard to have ended");
    ended(&mut scheduler, first);
    // The other's comes to its end, and more lanes are made: the first rests by then.
    scheduler.lanes_max = 1;
    let third = bench.webhook("c").number();
    scheduler.webhook_changed(third);
    assert!(scheduler.next(NOW).is_none());
    let has_lane = |scheduler: &Scheduler, id: WebhookId| scheduler.lanes.contains_key(&id.number());
    assert_eq!((has_lane(&scheduler, one), has_lane(&scheduler, other)), (false, true), "what is out stays");
    let standing = scheduler.standing(one.number(), NOW).expect("it was looked at");
    assert_eq!(standing.wait, Some(Why::NothingToSend.for_now()), "it stands as if it had its lane");
    ended(&mut scheduler, beside);
    assert!(goes_out(&mut bench, &mut scheduler, "a").is_some(), "one of two is left of its rate limit");
    assert_eq!(goes_out(&mut bench, &mut scheduler, "a"), None, "and then none");
}

#[test]
fn a_retry_that_is_heard_of_without_a_lane_is_waited_for() {
    let mut bench = Bench::new();
    let number = bench.webhook("a").number();
    bench.publish("a");
    let mut before = bench.scheduler(10);
    let delivery = before.next(NOW).expect("it goes out").delivery.id;
    let mut scheduler = bench.scheduler(10);
    (scheduler.ready, scheduler.is_ready) = Default::default();
    bench.retry_at(delivery, NOW + 50);
    let settled = Settled { delivery, next_attempt_at: Some(NOW + 50), strain: Strain::Neutral, paused_until: 0 };
    scheduler.settled(settled, NOW);
    assert!(scheduler.next(NOW).is_none());
    assert!(scheduler.lanes.contains_key(&number) && scheduler.next_turn().is_some());
}
