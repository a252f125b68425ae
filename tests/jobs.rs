//! Dead letters and bulk jobs, over a store in memory: a job handles each row of its window once whatever restarts come
//! between, covers only what existed before it, can be stopped, and selects what a plain model selects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use hookwheel::clock::{Clock, Dice};
use hookwheel::deliver::schedule::Scheduler;
use hookwheel::dialect::{Dialects, Shelf};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Cause, Delivery, DeliveryState, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::{DeliveryId, EventId, JobId, WebhookNumber};
use hookwheel::domain::job::{Bulk, Job, JobKind, JobState, KEPT_MS, RUNNING_JOBS_MAX, Source};
use hookwheel::domain::order::{OnDead, Order};
use hookwheel::domain::retry::Next;
use hookwheel::domain::selection::WebhookSelection;
use hookwheel::domain::time::UnixMs;
use hookwheel::domain::walk::Walk;
use hookwheel::domain::webhook::{EventFilter, Webhook};
use hookwheel::store::{
    self, Accepted, Committer, Count, Listener, Memory, NewEvent, Notice, Refusal, Settings, Staging, Store,
};
use proptest::prelude::*;

const START: UnixMs = 1_800_000_000_000;

struct Bench {
    memory: Memory,
    clock: Clock,
    store: Store,
    committer: Committer,
}

fn open(memory: &Memory, clock: &Clock) -> (Store, Committer) {
    let settings = Settings {
        memory: Some(memory.clone()),
        cache_bytes: 0,
        queue_events_max: 10_000,
        durable: false,
        ..Settings::at("unused")
    };
    store::open(settings, clock.clone(), Dice::seeded(1)).unwrap()
}

impl Bench {
    fn new() -> Self {
        let (memory, clock) = (Memory::default(), Clock::standing_at(START));
        let (store, committer) = open(&memory, &clock);
        let mut bench = Self { memory, clock, store, committer };
        bench.now(|staging| staging.create_account(Store::default_account("standard"))).unwrap();
        bench
    }

    fn reopen(&mut self) {
        self.committer.let_go();
        (self.store, self.committer) = open(&self.memory, &self.clock);
    }

    /// Turns a job to its end, with a restart before every other step.
    #[track_caller]
    fn restart_until_ended(&mut self, job: &Job) {
        let mut steps = 0;
        while self.job(job.id).is_running() {
            steps += 1;
            if steps % 2 == 0 {
                self.reopen();
            }
            self.committer.step();
        }
        assert!(steps > 2, "{steps} small steps");
    }

    /// One group with one request; a step of a job is part of it.
    fn now<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let mut answer = self.store.submit(change)?;
        self.committer.step();
        answer.try_recv().expect("the committer answers")
    }

    fn until_idle(&mut self) {
        while self.committer.step() {}
    }

    fn webhook(&mut self, filter: &str, test_mode: bool) -> WebhookNumber {
        let webhook = Webhook { test_mode, ..webhook(filter) };
        self.now(|staging| staging.create_webhook(webhook, None)).unwrap().number()
    }

    fn publish(&mut self, types: &[&str]) -> Vec<Accepted> {
        let events = types.iter().map(|name| event(name, false)).collect();
        self.now(move |staging| staging.accept(1, events, None)).unwrap()
    }

    fn settle(&mut self, id: DeliveryId, next: Next) {
        let number = self.store.delivery(id).unwrap().unwrap().attempts + 1;
        let outcome = Outcome::Status(if next == Next::Succeeded { 200 } else { 500 });
        let summary = AttemptSummary { number, started_at: self.clock.now(), duration_ms: 3, outcome };
        let attempt = Attempt {
            summary,
            url: "u".into(),
            request_headers: Default::default(),
            response_body: vec![],
            resent: false,
            trace: Default::default(),
        };
        let (disable, strain) = (DisableRule::default(), Strain::Neutral);
        self.store.settle(store::Settlement {
            delivery: id,
            attempt,
            next,
            disable,
            strain,
            dice: 0.0,
            rate_limited: false,
        });
    }

    /// So many dead letters of one webhook.
    fn dead(&mut self, webhook: WebhookNumber, count: usize) -> Vec<DeliveryId> {
        let accepted: Vec<Accepted> = (0..count / 100).flat_map(|_| self.publish(&["task.done"; 100])).collect();
        let ids: Vec<DeliveryId> = accepted.iter().map(|event| event.id.delivery_to(webhook)).collect();
        ids.iter().for_each(|id| self.settle(*id, Next::Dead));
        while self.store.queue_depth() != (0, 0) {
            self.committer.step();
        }
        ids
    }

    fn create(&mut self, bulk: Bulk) -> Job {
        self.now(|staging| staging.create_job(bulk)).unwrap()
    }

    /// Makes a job and turns it to its end.
    fn run(&mut self, bulk: Bulk) -> Job {
        let job = self.create(bulk);
        self.until_idle();
        self.job(job.id)
    }

    fn job(&self, id: JobId) -> Job {
        self.store.job(1, id).unwrap().unwrap()
    }

    fn deliveries(&self, webhook: WebhookNumber) -> Vec<Delivery> {
        let (mut rows, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store.deliveries(&[webhook], Walk::newest(5_000).past(cursor), None, |_| true).unwrap();
            rows.extend(page.rows);
            cursor = page.next;
            if cursor.is_none() {
                return rows;
            }
        }
    }

    /// How often each delivery was replayed.
    fn replays(&self, webhook: WebhookNumber) -> BTreeMap<DeliveryId, usize> {
        let mut replays = BTreeMap::new();
        for delivery in self.deliveries(webhook) {
            if let Cause::Replay(old) = delivery.cause {
                *replays.entry(old).or_default() += 1;
            }
        }
        replays
    }

    fn dead_letters(&self) -> Vec<DeliveryId> {
        let all = bulk(JobKind::Discard, Source::DeadLetters { webhook: None });
        self.store.dead_letters(&all, Walk::newest(20_000)).unwrap().rows.iter().map(|one| one.id).collect()
    }
}

fn webhook(filter: &str) -> Webhook {
    let url = EndpointUrl::parse("https://example.com", false).unwrap();
    Webhook::new(1, "standard", url, vec![EventFilter::parse(filter).unwrap()])
}

fn event(event_type: &str, test: bool) -> NewEvent {
    NewEvent {
        name: None,
        event_type: event_type.into(),
        created_at: None,
        data: "{}".into(),
        actor: None,
        metadata: None,
        test,
        channels: Vec::new(),
        fingerprint: None,
        trace: None,
    }
}

fn bulk(kind: JobKind, source: Source) -> Bulk {
    Bulk { account: 1, kind, source, event_type: None, from: None, to: None }
}

fn counts(job: &Job) -> (JobState, u64, u64, u64) {
    (job.state, job.examined, job.done, job.skipped)
}

#[test]
fn a_job_replays_each_dead_letter_once_whatever_restarts_come_between() {
    let mut bench = Bench::new();
    let webhook = bench.webhook("task.*", false);
    let ids = bench.dead(webhook, 5_000);
    assert_eq!(bench.dead_letters().len(), 5_000);
    let job = bench.create(bulk(JobKind::Replay, Source::DeadLetters { webhook: None }));
    assert_eq!(counts(&bench.job(job.id)), (JobState::Running, 0, 0, 0), "it begins in a group of its own");

    let mut steps = 0;
    let mut replayed = BTreeSet::new();
    while bench.job(job.id).is_running() {
        steps += 1;
        match steps % 4 {
            0 => bench.reopen(),
            // Whoever publishes is answered by the same group.
            1 => drop(bench.publish(&["task.new"])),
            2 => {
                // What the job made dies meanwhile: it is a new dead letter, and no part of the job.
                let made = bench.deliveries(webhook).into_iter().find(|one| matches!(one.cause, Cause::Replay(_)));
                if let Some(made) = made.filter(|made| replayed.insert(made.id)) {
                    bench.settle(made.id, Next::Dead);
                }
                bench.committer.step();
            }
            _ => drop(bench.committer.step()),
        }
    }
    assert!(steps > 40, "{steps} small steps");
    assert_eq!(counts(&bench.job(job.id)), (JobState::Done, 5_000, 5_000, 0));
    assert_eq!(bench.replays(webhook), ids.iter().map(|id| (*id, 1)).collect());
    assert!(!replayed.is_empty());
    assert_eq!(bench.dead_letters().into_iter().collect::<BTreeSet<_>>(), replayed);
    let event = bench.store.event(1, ids[7].event_at_accept()).unwrap().unwrap();
    let states: Vec<_> = bench.store.deliveries_of(&event).unwrap().iter().map(|one| one.state).collect();
    assert_eq!(states, [DeliveryState::Dead, DeliveryState::Pending], "the old one stays dead");
}

#[test]
fn a_job_covers_what_its_own_group_wrote_before_it() {
    let mut bench = Bench::new();
    let webhook = bench.webhook("*", false);
    let accepted = bench.publish(&["task.a"]).remove(0);
    bench.settle(accepted.id.delivery_to(webhook), Next::Dead);
    let late = bench.webhook("*", false);
    let answer = bench.store.submit(|staging| staging.accept(1, vec![event("task.b", false)], None)).unwrap();
    let open = bench.create(bulk(JobKind::Discard, Source::Open { webhook: late }));
    let dead = bench.create(bulk(JobKind::Discard, Source::DeadLetters { webhook: None }));
    drop(answer);
    bench.until_idle();
    assert_eq!(counts(&bench.job(dead.id)), (JobState::Done, 1, 1, 0));
    assert_eq!(counts(&bench.job(open.id)), (JobState::Done, 1, 1, 0));
}

#[test]
fn a_cancelled_job_stops_and_what_it_did_stays() {
    let mut bench = Bench::new();
    let webhook = bench.webhook("*", false);
    let ids = bench.dead(webhook, 1_000);
    let job = bench.create(bulk(JobKind::Replay, Source::DeadLetters { webhook: Some(webhook) }));
    for _ in 0..3 {
        bench.committer.step();
    }
    let cancelled = bench.now(move |staging| staging.cancel_job(1, job.id)).unwrap();
    assert_eq!(counts(&cancelled), (JobState::Cancelled, 384, 384, 0));
    bench.until_idle();
    bench.reopen();
    bench.until_idle();
    assert_eq!(bench.job(job.id), cancelled);
    assert_eq!(bench.replays(webhook), ids[..384].iter().map(|id| (*id, 1)).collect());
    assert_eq!(bench.dead_letters(), ids[384..].iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(bench.now(move |staging| staging.cancel_job(1, job.id)).unwrap(), cancelled, "twice is once");

    let done = bench.run(bulk(JobKind::Discard, Source::DeadLetters { webhook: None }));
    assert_eq!(counts(&done), (JobState::Done, 616, 616, 0));
    assert_eq!(bench.dead_letters(), []);
    let dead = bench.deliveries(webhook).iter().filter(|one| one.state == DeliveryState::Dead).count();
    assert_eq!(dead, 1_000, "they stay dead in the history");
    assert_eq!(bench.now(move |staging| staging.cancel_job(1, done.id)), Err(Refusal::JobDone));
    assert_eq!(bench.now(move |staging| staging.cancel_job(2, done.id)), Err(Refusal::NotFound("job")));
}

#[test]
fn missing_finds_what_was_never_delivered_and_nothing_else() {
    let mut bench = Bench::new();
    let early = bench.webhook("task.*", false);
    let mut missed: Vec<EventId> = bench.publish(&["task.a", "note.a", "task.b"]).iter().map(|one| one.id).collect();
    missed.remove(1);
    let late = bench.webhook("task.*", false);
    bench.publish(&["task.c", "note.b"]);
    bench.now(|staging| staging.accept(1, vec![event("task.test", true)], None)).unwrap();
    let missing = bulk(JobKind::Replay, Source::Missing { webhook: late });
    let count = Count { count: 2, skipped: 0, examined: 6, complete: true };
    assert_eq!(bench.store.count(&missing).unwrap(), count);
    let job = bench.run(missing.clone());
    assert_eq!(counts(&job), (JobState::Done, 6, 2, 0));
    let made: Vec<_> = bench.deliveries(late).into_iter().filter(|one| one.cause == Cause::Missed).collect();
    assert_eq!(made.iter().rev().map(|one| one.event).collect::<Vec<_>>(), missed);
    let event = bench.store.event(1, missed[0]).unwrap().unwrap();
    let listed: Vec<_> = bench.store.deliveries_of(&event).unwrap().iter().map(|one| one.id.webhook()).collect();
    assert_eq!(listed, [early, late], "the event lists it");
    assert_eq!(counts(&bench.run(missing)), (JobState::Done, 6, 0, 0), "nothing is missing any more");
    let nothing = bulk(JobKind::Replay, Source::Missing { webhook: early });
    assert_eq!(counts(&bench.run(nothing)), (JobState::Done, 6, 0, 0));
}

#[test]
fn an_event_goes_once_more_to_all_who_want_it_now_whatever_restarts_come_between() {
    let mut bench = Bench::new();
    let early: Vec<WebhookNumber> = (0..300).map(|_| bench.webhook("task.*", false)).collect();
    let event = bench.publish(&["task.a"]).remove(0).id;
    bench.until_idle();
    early.iter().take(200).for_each(|number| bench.settle(event.delivery_to(*number), Next::Dead));
    bench.until_idle();
    let late: Vec<WebhookNumber> = (0..200).map(|_| bench.webhook("task.*", false)).collect();
    bench.webhook("note.*", false);
    bench.webhook("task.*", true);
    let again = bulk(JobKind::Replay, Source::Audience { event });
    let count = bench.store.count(&again).unwrap();
    assert_eq!((count.count, count.skipped, count.examined), (400, 0, 502), "of 100 it is open");
    let job = bench.create(again);
    let after = bench.webhook("task.*", false);
    bench.restart_until_ended(&job);
    assert_eq!(counts(&bench.job(job.id)), (JobState::Done, 502, 400, 0));
    let causes = |number: WebhookNumber| bench.deliveries(number).iter().map(|one| one.cause).collect::<Vec<_>>();
    let first = |number: WebhookNumber| event.delivery_to(number);
    assert!(early[..200].iter().all(|number| causes(*number) == [Cause::Replay(first(*number)), Cause::Accept]));
    assert!(early[200..].iter().all(|number| causes(*number) == [Cause::Accept]), "it is on its way anyway");
    assert!(late.iter().all(|number| causes(*number) == [Cause::Missed]));
    assert_eq!(causes(after), [], "who comes later is not asked");
    assert_eq!(bench.dead_letters(), [], "those that were dead are handled");
}

#[test]
fn webhooks_are_deleted_once_in_small_steps_whatever_restarts_come_between() {
    let mut bench = Bench::new();
    let tagged =
        |n: usize| Webhook { tags: if n.is_multiple_of(3) { vec![] } else { vec!["old".into()] }, ..webhook("*") };
    for n in 0..600 {
        bench.now(move |staging| staging.create_webhook(tagged(n), None)).unwrap();
    }
    let selection = WebhookSelection { tag: Some("old".into()), ..WebhookSelection::default() };
    let job = bench.create(bulk(JobKind::Delete, Source::Webhooks(Box::new(selection))));
    bench.now(move |staging| staging.create_webhook(tagged(1), None)).unwrap();
    bench.restart_until_ended(&job);
    assert_eq!(counts(&bench.job(job.id)), (JobState::Done, 600, 400, 0));
    let left: Vec<bool> = bench.store.registry().webhooks_of(1).map(|one| one.tags.is_empty()).collect();
    assert_eq!(left.iter().filter(|is_bare| **is_bare).count(), 200);
    assert_eq!(left.len(), 201, "what was made after the job is none of it");
}

#[test]
fn a_webhook_in_test_mode_misses_published_tests_and_not_another_webhooks() {
    let mut bench = Bench::new();
    let other = bench.now(|staging| staging.create_webhook(webhook("*"), None)).unwrap();
    // One is under way: its delivery is written when it was sent.
    for is_sent in [true, false] {
        let test = move |staging: &mut Staging<'_>| {
            let (_, delivery) = staging.accept_test(1, other.id, event("task.ping", true))?;
            let made = Attempt::not_made(1, "u", START, "no");
            if is_sent { staging.put_tested(delivery, &made, false) } else { Ok(()) }
        };
        bench.now(test).unwrap();
    }
    let tests = bench.now(|staging| staging.accept(1, vec![event("task.test", true)], None)).unwrap();
    bench.publish(&["task.real"]);
    let tester = bench.webhook("*", true);
    let job = bench.run(bulk(JobKind::Replay, Source::Missing { webhook: tester }));
    assert_eq!(counts(&job), (JobState::Done, 4, 1, 0));
    assert_eq!(bench.deliveries(tester)[0].event, tests[0].id);
}

#[test]
fn discarding_cancels_what_is_open_and_leaves_the_rest() {
    let mut bench = Bench::new();
    let webhook = bench.webhook("*", false);
    let first: Vec<Accepted> = (0..4).flat_map(|_| bench.publish(&["task.a"; 100])).collect();
    bench.clock.turn_to(START + 60_000);
    let second = bench.publish(&["task.a", "task.b"]);
    let id = |event: &Accepted| event.id.delivery_to(webhook);
    bench.settle(id(&first[0]), Next::Succeeded);
    bench.settle(id(&first[1]), Next::RetryAt(START + 90_000));
    bench.settle(id(&first[2]), Next::Dead);
    bench.until_idle();

    let open = Source::Open { webhook };
    let early = Bulk { to: Some(START + 60_000), ..bulk(JobKind::Discard, open.clone()) };
    assert_eq!(bench.store.count(&early).unwrap().count, 398);
    let job = bench.create(early);
    bench.committer.step();
    // Of what the next step comes to, one is tried meanwhile, and an attempt of another is still out.
    bench.settle(id(&first[300]), Next::RetryAt(START + 99_000));
    let out = id(&first[350]);
    bench.until_idle();
    bench.settle(out, Next::Succeeded);
    bench.until_idle();
    assert_eq!(counts(&bench.job(job.id)), (JobState::Done, 398, 398, 0));
    let state = |event: &Accepted| bench.store.delivery(id(event)).unwrap().unwrap().state;
    let states: Vec<_> = first.iter().take(4).map(state).collect();
    use DeliveryState::{Cancelled, Dead, Pending, Succeeded};
    assert_eq!(states, [Succeeded, Cancelled, Dead, Cancelled]);
    assert_eq!((state(&first[300]), state(&first[350])), (Cancelled, Cancelled));
    assert_eq!((state(&second[0]), state(&second[1])), (Pending, Pending));
    let late = bench.store.delivery(id(&first[3])).unwrap().unwrap();
    assert_eq!(late.reason.as_deref(), Some("discarded by request"));
    assert_eq!(bench.store.next_due(webhook, None, |_| false).unwrap(), None);
    let tally = bench.store.tally(webhook).unwrap();
    assert_eq!((tally.cancelled, tally.open()), (398, 2));

    let some = Bulk { event_type: Some(EventFilter::parse("task.b").unwrap()), ..bulk(JobKind::Discard, open) };
    assert_eq!(counts(&bench.run(some)), (JobState::Done, 2, 1, 0));
    assert_eq!(bench.store.delivery(id(&second[1])).unwrap().unwrap().state, Cancelled);
}

/// Hears of commits.
#[derive(Default)]
struct Ear(Mutex<Vec<Notice>>);

impl Listener for Ear {
    fn notice(&self, notice: Notice) {
        self.0.lock().unwrap().push(notice);
    }
}

#[test]
fn what_was_discarded_is_not_sent_though_it_was_read_ahead() {
    let mut bench = Bench::new();
    let one_at_a_time = Webhook { max_in_flight: Some(1), ..webhook("*") };
    let webhook = bench.now(|staging| staging.create_webhook(one_at_a_time, None)).unwrap().number();
    bench.publish(&["task.a"; 10]);
    let ear = Arc::new(Ear::default());
    bench.store.listen(ear.clone());
    let shelf = Arc::new(Shelf::new(Dialects::shipped()));
    let mut scheduler = Scheduler::new(bench.store.clone(), shelf, 10, Arc::default(), START);
    let out = scheduler.next(START).unwrap().delivery.id;
    assert!(scheduler.next(START).is_none(), "the others are read, and wait for their turn");
    assert_eq!(bench.run(bulk(JobKind::Discard, Source::Open { webhook })).done, 10);
    bench.settle(out, Next::Succeeded);
    bench.until_idle();
    for notice in ear.0.lock().unwrap().drain(..) {
        notice.changed.into_iter().for_each(|number| scheduler.webhook_changed(number));
        notice.settled.into_iter().for_each(|settled| scheduler.settled(settled, START));
    }
    assert_eq!(scheduler.out(), 0);
    assert!(scheduler.next(START).is_none());
}

#[test]
fn discarding_sets_free_what_waits_behind_and_nothing_that_is_discarded() {
    let mut bench = Bench::new();
    let order = Some(Order { key: None, on_dead: OnDead::Hold });
    let ordered = Webhook { order, ..webhook("*") };
    let webhook = bench.now(|staging| staging.create_webhook(ordered, None)).unwrap().number();
    let backlog: Vec<Accepted> = (0..4).flat_map(|_| bench.publish(&["task.a"; 100])).collect();
    let id = |event: &Accepted| event.id.delivery_to(webhook);
    let free = |bench: &Bench| -> Vec<DeliveryId> {
        bench.store.fresh(webhook, None, 1_000).unwrap().iter().map(|one| one.id).collect()
    };
    let job = bench.create(bulk(JobKind::Discard, Source::Open { webhook }));
    while bench.job(job.id).is_running() {
        bench.committer.step();
        assert!(free(&bench).iter().all(|one| *one == id(&backlog[0])), "only the head was ever free");
    }
    assert_eq!((bench.job(job.id).done, free(&bench).len()), (400, 0));

    let next = bench.publish(&["task.a", "task.b", "task.c"]);
    bench.settle(id(&next[0]), Next::Dead);
    bench.until_idle();
    assert_eq!(free(&bench), [], "it holds up the others");
    assert_eq!(bench.run(bulk(JobKind::Discard, Source::DeadLetters { webhook: None })).done, 1);
    assert_eq!(free(&bench), [id(&next[1])]);
    bench.settle(id(&next[1]), Next::Dead);
    bench.until_idle();
    assert_eq!(bench.run(bulk(JobKind::Replay, Source::DeadLetters { webhook: None })).done, 1);
    let replay = free(&bench);
    assert!(replay.len() == 1 && replay[0] > id(&next[2]), "the replay stands in its place");
}

#[test]
fn dead_letters_that_are_named_are_handled_once() {
    let mut bench = Bench::new();
    let webhook = bench.webhook("*", false);
    let ids = bench.dead(webhook, 400);
    let named = Source::TheseDeadLetters(ids[..300].to_vec());
    assert_eq!(counts(&bench.run(bulk(JobKind::Replay, named.clone()))), (JobState::Done, 300, 300, 0));
    let again = bulk(JobKind::Discard, named);
    assert_eq!(bench.store.count(&again).unwrap(), Count { count: 0, skipped: 300, examined: 300, complete: true });
    let job = bench.run(again);
    assert_eq!((counts(&job), job.ids()), ((JobState::Done, 300, 0, 300), Some(300)));
    assert_eq!(bench.dead_letters().len(), 100);
    assert_eq!(bench.replays(webhook).len(), 300);
}

#[test]
fn a_deleted_webhook_gets_nothing_more() {
    let mut bench = Bench::new();
    let webhook = bench.webhook("*", false);
    let ids = bench.dead(webhook, 500);
    let of_it = bench.create(bulk(JobKind::Replay, Source::Ended { webhook, state: DeliveryState::Dead }));
    bench.committer.step();
    let id = bench.store.registry().webhook(webhook).unwrap().id;
    bench.now(move |staging| staging.delete_webhook(1, id)).unwrap();
    bench.until_idle();
    let job = bench.job(of_it.id);
    assert!(job.state == JobState::Cancelled && job.done < 500, "{job:?}");
    let all = bench.run(bulk(JobKind::Replay, Source::DeadLetters { webhook: None }));
    let left = 500 - job.done;
    assert_eq!(counts(&all), (JobState::Done, left, 0, left));
    assert_eq!(bench.dead_letters().len() as u64, left);
    let discarded = bench.run(bulk(JobKind::Discard, Source::DeadLetters { webhook: None }));
    assert_eq!((discarded.done, bench.dead_letters().len()), (left, 0));
    assert_eq!(bench.replays(webhook).len() as u64, 500 - left);
    assert!(ids.len() == 500);
}

#[test]
fn jobs_are_limited_take_turns_and_are_forgotten_a_month_after_their_end() {
    let mut bench = Bench::new();
    let webhook = bench.webhook("*", false);
    bench.dead(webhook, 300);
    let all = move || bulk(JobKind::Replay, Source::Ended { webhook, state: DeliveryState::Dead });
    let jobs = bench
        .now(move |staging| {
            let jobs: Vec<Job> = (0..RUNNING_JOBS_MAX).map(|_| staging.create_job(all()).unwrap()).collect();
            assert_eq!(staging.create_job(all()), Err(Refusal::JobLimit { limit: RUNNING_JOBS_MAX }));
            Ok(jobs)
        })
        .unwrap();
    for _ in 0..RUNNING_JOBS_MAX {
        bench.committer.step();
    }
    assert!(jobs.iter().all(|job| bench.job(job.id).done == 128), "each had its turn");
    bench.until_idle();
    assert!(jobs.iter().all(|job| counts(&bench.job(job.id)) == (JobState::Done, 300, 300, 0)));
    assert_eq!(bench.replays(webhook).values().copied().collect::<BTreeSet<_>>(), BTreeSet::from([100]));

    let page = bench.store.jobs(1, Walk::newest(60)).unwrap();
    let rest = bench.store.jobs(1, Walk::newest(60).past(page.next)).unwrap();
    let listed: Vec<JobId> = page.rows.iter().chain(&rest.rows).map(|job| job.id).collect();
    assert_eq!(listed, jobs.iter().rev().map(|job| job.id).collect::<Vec<_>>());
    assert_eq!((rest.next, bench.store.jobs(2, Walk::newest(60)).unwrap().rows.len()), (None, 0));

    bench.clock.turn_to(START + KEPT_MS);
    bench.until_idle();
    assert_eq!(bench.store.jobs(1, Walk::newest(200)).unwrap().rows.len(), 0);
}

/// What happens to a delivery, in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Retry,
    Dead,
    Succeeded,
}

#[derive(Debug, Clone)]
struct Plan {
    /// For each event: its type, and what becomes of its deliveries. A second passes after each.
    events: Vec<(usize, Fate)>,
    /// When the second webhook is made.
    second_after: usize,
    source: usize,
    kind: JobKind,
    filter: Option<&'static str>,
    from: Option<u64>,
    to: Option<u64>,
}

const TYPES: [&str; 3] = ["task.a", "task.b", "note.a"];

fn plans() -> impl Strategy<Value = Plan> {
    let fate = prop_oneof![Just(Fate::Open), Just(Fate::Retry), Just(Fate::Dead), Just(Fate::Succeeded)];
    let filter = prop_oneof![Just(None), Just(Some("task.*")), Just(Some("task.a"))];
    let second = proptest::option::of(0..30u64);
    let events = proptest::collection::vec((0..3usize, fate), 1..30);
    (events, 0..20usize, 0..5usize, any::<bool>(), filter, second.clone(), second).prop_map(
        |(events, second_after, source, is_replay, filter, from, to)| {
            let kind = if is_replay { JobKind::Replay } else { JobKind::Discard };
            Plan { events, second_after, source, kind, filter, from, to }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// A selection is what a plain filter over everything gives, a dry run counts it, a job does it once, and a second
    /// one does what is left.
    #[test]
    fn a_job_selects_what_a_plain_model_selects(plan in plans()) {
        let mut bench = Bench::new();
        let mut webhooks = vec![bench.webhook("*", false)];
        // (event, type, second, webhook, fate)
        let mut model: Vec<(EventId, &str, u64, WebhookNumber, Fate)> = Vec::new();
        let mut events: Vec<(EventId, &str, u64)> = Vec::new();
        for (second, (event_type, fate)) in plan.events.iter().enumerate() {
            if second == plan.second_after {
                webhooks.push(bench.webhook("task.*", false));
            }
            let (name, second) = (TYPES[*event_type], second as u64);
            bench.clock.turn_to(START + second * 1000);
            let accepted = bench.publish(&[name]).remove(0);
            events.push((accepted.id, name, second));
            let event = bench.store.event(1, accepted.id).unwrap().unwrap();
            for id in event.deliveries() {
                match fate {
                    Fate::Open => {}
                    Fate::Retry => bench.settle(id, Next::RetryAt(START + 1_000_000)),
                    Fate::Dead => bench.settle(id, Next::Dead),
                    Fate::Succeeded => bench.settle(id, Next::Succeeded),
                }
                model.push((accepted.id, name, second, id.webhook(), *fate));
            }
        }
        if webhooks.len() == 1 {
            webhooks.push(bench.webhook("task.*", false));
        }
        bench.until_idle();

        let webhook = webhooks[1];
        let (kind, source) = match (plan.source, plan.kind) {
            (0, kind) => (kind, Source::DeadLetters { webhook: None }),
            (1, kind) => (kind, Source::DeadLetters { webhook: Some(webhook) }),
            (2, JobKind::Replay) => (JobKind::Replay, Source::Ended { webhook, state: DeliveryState::Succeeded }),
            (2, _) => (JobKind::Replay, Source::Ended { webhook, state: DeliveryState::Dead }),
            (3, _) => (JobKind::Replay, Source::Missing { webhook }),
            _ => (JobKind::Discard, Source::Open { webhook }),
        };
        let at = |second: Option<u64>| second.map(|second| START + second * 1000);
        let filter = plan.filter.map(|filter| EventFilter::parse(filter).unwrap());
        let bulk = Bulk { account: 1, kind, source, event_type: filter.clone(), from: at(plan.from), to: at(plan.to) };

        let in_range = |name: &str, second: u64| {
            plan.from.is_none_or(|from| second >= from)
                && plan.to.is_none_or(|to| second < to)
                && filter.as_ref().is_none_or(|filter| filter.matches(name))
        };
        let chosen = |row: &&(EventId, &str, u64, WebhookNumber, Fate)| in_range(row.1, row.2) && match &bulk.source {
            Source::DeadLetters { webhook } => row.4 == Fate::Dead && webhook.is_none_or(|only| only == row.3),
            Source::Ended { webhook, state: DeliveryState::Dead } => row.3 == *webhook && row.4 == Fate::Dead,
            Source::Ended { webhook, .. } => row.3 == *webhook && row.4 == Fate::Succeeded,
            Source::Open { webhook } => row.3 == *webhook && matches!(row.4, Fate::Open | Fate::Retry),
            _ => false,
        };
        let mut expected: BTreeSet<(EventId, WebhookNumber)> =
            model.iter().filter(chosen).map(|row| (row.0, row.3)).collect();
        if let Source::Missing { webhook } = bulk.source {
            let wanted = events.iter().filter(|event| event.1.starts_with("task.") && in_range(event.1, event.2));
            let never = wanted.filter(|event| !model.iter().any(|row| row.0 == event.0 && row.3 == webhook));
            expected = never.map(|event| (event.0, webhook)).collect();
        }

        let before: BTreeMap<DeliveryId, DeliveryState> =
            webhooks.iter().flat_map(|number| bench.deliveries(*number)).map(|one| (one.id, one.state)).collect();
        let listed_before: BTreeSet<DeliveryId> = bench.dead_letters().into_iter().collect();
        let count = bench.store.count(&bulk).unwrap();
        prop_assert_eq!((count.count, count.skipped, count.complete), (expected.len() as u64, 0, true));
        let job = bench.run(bulk.clone());
        prop_assert_eq!((job.state, job.examined, job.done, job.skipped),
            (JobState::Done, count.examined, count.count, 0));

        let mut touched = BTreeSet::new();
        for delivery in webhooks.iter().flat_map(|number| bench.deliveries(*number)) {
            let is_new = !before.contains_key(&delivery.id);
            let is_cancelled = !is_new && before[&delivery.id] != delivery.state;
            prop_assert!(!is_cancelled || delivery.state == DeliveryState::Cancelled);
            if is_new || is_cancelled {
                prop_assert!(touched.insert((delivery.event, delivery.id.webhook())), "twice");
            }
        }
        let left: BTreeSet<DeliveryId> = bench.dead_letters().into_iter().collect();
        let handled = listed_before.difference(&left).map(|id| (id.event_at_accept(), id.webhook()));
        let handles = matches!(bulk.source, Source::DeadLetters { .. } | Source::Ended { state: DeliveryState::Dead, .. });
        let handled: BTreeSet<_> = handled.collect();
        prop_assert_eq!(&handled, if handles { &expected } else { &handled });
        prop_assert!(handles || handled.is_empty());
        if !(kind == JobKind::Discard && handles) {
            prop_assert_eq!(&touched, &expected);
        }
        if !matches!(bulk.source, Source::Ended { .. }) {
            prop_assert_eq!(bench.run(bulk).done, 0, "nothing is left for a second one");
        }
    }
}
