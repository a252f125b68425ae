//! Who wants an event, however it is asked: ahead of the commit or in it, in a moment or in turn, and what becomes of a
//! webhook whose condition takes too long.

use proptest::prelude::*;
use std::time::Duration;

use super::*;
use crate::clock::Stopwatch;
use crate::domain::delivery::{Cause, Delivery, DeliveryState};
use crate::domain::id::{DeliveryId, EventId, WebhookId};
use crate::domain::job::{Bulk, JobKind, JobState, Source};
use crate::domain::order::{KeyPath, OnDead, Order};
use crate::domain::walk::Walk;
use crate::domain::webhook::{EventFilter, Status, Webhook};
use crate::store::bench::{self, Bench, event};
use crate::store::layout::Tree;
use crate::store::publish::{Published, Terms};

/// It compares what it must look at to the end, as often as a condition may.
fn costly() -> String {
    ["@.data.a == @.data.b"; 16].join(" && ")
}

/// An event on which [`costly`] takes more steps than one condition may; another whose data is longer than what is read
/// in a moment.
fn large() -> NewEvent {
    let ones = vec!["1"; 70_000].join(",");
    NewEvent { data: format!(r#"{{"a":[{ones}],"b":[{ones}]}}"#).into(), ..event() }
}

fn condition(text: &str) -> Arc<Condition> {
    Arc::new(Condition::parse(text).unwrap())
}

#[test]
fn those_that_need_few_steps_get_an_answer_beside_those_that_need_more_than_there_are() {
    let json = format!(r#"{{"a":[{0}1],"b":[{0}1]}}"#, "1,".repeat(1_000));
    let tree = Node::read(json.as_bytes());
    let (long, short) = (condition("@.a == @.b"), condition("@.a[0] == 1"));
    let asked = |texts: &[&Arc<Condition>]| (1..).zip(texts.iter().map(|one| Arc::clone(one))).collect::<Vec<_>>();
    let answers = |texts: &[&Arc<Condition>], steps: u64| {
        let (mut left, mut webhooks) = (steps, Vec::new());
        let costly = answer(asked(texts), &tree, &mut left, &mut webhooks);
        webhooks.sort_unstable();
        (webhooks, costly, steps - left)
    };
    let (_, _, needed) = answers(&[&long], 100_000);
    assert!(needed > 1_000);
    let (webhooks, costly, spent) = answers(&[&long, &short, &long, &short], 400);
    assert!((webhooks, costly) == (vec![1, 2, 3, 4], vec![1, 3]) && spent <= 400, "{spent}");
    // What the short ones leave is enough for one more round.
    let (webhooks, costly, spent) = answers(&[&long, &short, &short, &short], 3 * needed);
    assert!((webhooks, costly) == (vec![1, 2, 3, 4], vec![]) && spent < 2 * needed, "{spent}");
    assert_eq!(answers(&[&short], 0), (vec![1], vec![1], 0));
}

#[test]
fn what_takes_no_moment_is_not_asked_at_once() {
    let mut bench = Bench::new();
    let at_once = |bench: &Bench, event: NewEvent| at_once(&bench.store.0.registry, 1, &[event]).is_some();
    bench.webhook();
    assert!(at_once(&bench, large()), "nobody looks into it");
    bench.webhook_with(|webhook| webhook.condition = Some("@.data.n == 1".into()));
    assert!(at_once(&bench, event()) && !at_once(&bench, large()), "it would be read");
    let ones = vec!["1"; 2_000].join(",");
    let middling = NewEvent { data: format!(r#"{{"a":[{ones}],"b":[{ones}]}}"#).into(), ..event() };
    assert!(at_once(&bench, middling.clone()));
    bench.webhook_with(|webhook| webhook.condition = Some(costly()));
    assert!(at_once(&bench, event()) && !at_once(&bench, middling), "its steps are too many");
}

const CONDITIONS: [Option<&str>; 5] =
    [None, Some("@.data.n == 1"), Some("@.data.n > 0"), Some("@.data.n == 2 || @.data.n == 1"), Some("@.data.m")];
const FILTERS: [&str; 3] = ["*", "a.*", "a.b"];

/// What a webhook of this number becomes: gone, deleted, or one with a filter and a condition.
fn set(registry: &mut Registry, number: u32, form: usize) {
    match form {
        0 => registry.remove_webhook(number),
        _ => {
            let filter = EventFilter::parse(FILTERS[form % FILTERS.len()]).unwrap();
            let condition = CONDITIONS[form % CONDITIONS.len()].map(String::from);
            let status = if form == 1 { Status::Deleted { since: 0 } } else { Status::Active };
            let test_mode = form == 2;
            let id = WebhookId(number.into());
            registry.put_webhook(Webhook {
                id,
                events: vec![filter],
                condition,
                status,
                test_mode,
                ..bench::webhook()
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever changes between asking and the commit, the answer is that of the commit.
    #[test]
    fn what_was_asked_ahead_is_brought_up(
        before in prop::collection::vec((1u32..9, 0usize..16), 0..16),
        after in prop::collection::vec((1u32..9, 0usize..16), 0..6),
        anew in any::<bool>(),
        data in prop::sample::select(vec!["{}", r#"{"n":1}"#, r#"{"n":2,"m":0}"#]),
        event_type in prop::sample::select(vec!["a", "a.b"]),
    ) {
        let registry = RwLock::new(Registry::default());
        before.iter().for_each(|(number, form)| set(&mut registry.write().unwrap(), *number, *form));
        let events = vec![NewEvent { event_type: event_type.into(), data: data.into(), ..event() }];
        let asked = at_once(&registry, 1, &events).unwrap();
        if anew {
            // The store was opened again.
            let mut read = Registry::default();
            read.follow(&registry.read().unwrap());
            registry.read().unwrap().webhooks().for_each(|webhook| read.put_webhook((*webhook).clone()));
            *registry.write().unwrap() = read;
        }
        after.iter().for_each(|(number, form)| set(&mut registry.write().unwrap(), *number, *form));
        let fresh = at_once(&registry, 1, &events).unwrap();
        let brought = bring_up(&registry.read().unwrap(), 1, &events, asked, true);
        prop_assert_eq!(brought, Some(fresh.wanting));
    }
}

/// Publishes as the API does; `between` happens after the first asking.
fn publish(bench: &mut Bench, event: NewEvent, between: impl Fn(&mut Bench)) -> EventId {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut publish = runtime.block_on(bench.store.ask(1, vec![event])).unwrap();
    for may_ask_again in [true, false] {
        between(bench);
        let terms = Terms { may_ask_again, ..Terms::default() };
        match bench.now(move |staging| staging.accept_asked(1, publish, None, terms)) {
            Published::Accepted(accepted) => return accepted[0].id,
            Published::AskAgain(events) => publish = runtime.block_on(bench.store.ask(1, events)).unwrap(),
            Published::WriteAgain(_) => unreachable!("nothing of it is written ahead"),
        }
    }
    unreachable!("the second time is the last")
}

fn delivery(bench: &Bench, id: DeliveryId) -> Delivery {
    bench.store.delivery(id).unwrap().expect("it is there")
}

fn is_too_costly(bench: &Bench, id: DeliveryId) -> bool {
    let delivery = delivery(bench, id);
    let says_so = delivery.reason.as_ref().is_some_and(|reason| reason.starts_with("filter_too_costly: "));
    assert_eq!(delivery.state == DeliveryState::Dead, says_so, "{delivery:?}");
    says_so
}

#[test]
fn what_changes_between_is_asked_again_elsewhere_and_once_more_only() {
    let mut bench = Bench::new();
    let change = |bench: &mut Bench, id, text: &str| {
        let text = text.to_string();
        bench.change(id, move |webhook| webhook.condition = Some(text));
    };
    let [one, other] = [(); 2].map(|()| bench.webhook_with(|webhook| webhook.condition = Some("@.data.a".into())));
    let times = std::cell::Cell::new(0);
    // Too long to be read in the commit thread: so it is asked again, and then it is as it was.
    let once = publish(&mut bench, large(), |bench| {
        if times.replace(times.get() + 1) == 0 {
            change(bench, one, "@.data.b[0] == 2");
        }
    });
    assert_eq!(times.get(), 2);
    assert_eq!(bench.store.event_head(1, once).unwrap().unwrap().webhooks, [other.number()]);
    // It changes each time: nobody can say whether it wants the event, and that is what its delivery says.
    let twice = publish(&mut bench, large(), |bench| {
        times.set(times.get() + 1);
        change(bench, one, &format!("@.data.b[0] == {}", times.get()));
    });
    assert_eq!(times.get(), 4);
    assert_eq!(bench.store.event_head(1, twice).unwrap().unwrap().webhooks, [one.number(), other.number()]);
    assert!(is_too_costly(&bench, twice.delivery_to(one.number())));
    assert!(!is_too_costly(&bench, twice.delivery_to(other.number())));
}

#[test]
fn a_condition_that_an_event_makes_too_costly_makes_a_dead_letter_that_can_be_replayed() {
    let mut bench = Bench::new();
    let operator = bench.operator("delivery.dead");
    let sound = bench.webhook();
    let costly = bench.webhook_with(|webhook| webhook.condition = Some(costly()));
    let id = publish(&mut bench, large(), |_| {});
    let (dead, sent) = (id.delivery_to(costly.number()), id.delivery_to(sound));
    assert!(is_too_costly(&bench, dead) && !is_too_costly(&bench, sent));
    assert_eq!((delivery(&bench, dead).attempts, bench.events(operator)), (0, 1));
    let tally = bench.store.tally(costly.number()).unwrap();
    assert_eq!((tally.deliveries, tally.dead, tally.open(), tally.consecutive_failures), (1, 1, 0, 0));
    let all = Bulk {
        account: 1,
        kind: JobKind::Replay,
        source: Source::DeadLetters { webhook: None },
        event_type: None,
        from: None,
        to: None,
    };
    let listed = bench.store.dead_letters(&all, Walk::newest(10)).unwrap().rows;
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [dead]);
    let replay = bench.now(move |staging| staging.replay(1, costly, dead));
    assert_eq!(delivery(&bench, replay).state, DeliveryState::Pending);
    assert!(bench.store.dead_letters(&all, Walk::newest(10)).unwrap().rows.is_empty());
    // The same for an accept that nobody asked about ahead, and a condition that takes few steps is none of these.
    let id = bench.publish_as(large());
    assert!(is_too_costly(&bench, id.delivery_to(costly.number())));
    let small = bench.publish();
    assert_eq!(
        bench.store.event_head(1, small).unwrap().unwrap().webhooks,
        [sound, costly.number()],
        "nothing equals nothing"
    );
    assert!(!is_too_costly(&bench, small.delivery_to(costly.number())));
    assert_eq!(bench.scrub(), [""; 0]);
}

#[test]
fn one_that_is_too_costly_holds_up_those_behind_it_where_dead_ones_do() {
    for (on_dead, holds) in [(OnDead::Hold, true), (OnDead::Skip, false)] {
        let mut bench = Bench::new();
        let webhook = bench.webhook_with(|webhook| {
            webhook.order = Some(Order { key: None, on_dead });
            webhook.condition = Some(costly());
        });
        let dead = bench.publish_as(large()).delivery_to(webhook.number());
        assert!(is_too_costly(&bench, dead));
        bench.publish();
        assert_eq!(bench.keys(Tree::Blocked).len(), usize::from(holds), "{on_dead:?}");
        let replay = bench.now(move |staging| staging.replay(1, webhook, dead));
        assert_eq!(delivery(&bench, replay).place.and_then(|place| place.instead_of), holds.then_some(dead));
        bench.settle(replay, 1, crate::domain::retry::Next::Succeeded);
        assert_eq!(bench.keys(Tree::Blocked).len(), 0, "{on_dead:?}");
        assert_eq!(bench.scrub(), [""; 0]);
    }
}

#[test]
fn a_job_for_what_is_missing_makes_the_same_of_it_and_its_dry_run_counts_it() {
    let mut bench = Bench::new();
    let ids = [
        bench.publish_as(large()),
        bench.publish(),
        bench.publish_as(NewEvent { data: r#"{"a":1}"#.into(), ..event() }),
    ];
    let webhook = bench.webhook_with(|webhook| webhook.condition = Some(costly())).number();
    let source = Source::Missing { webhook };
    let bulk = Bulk { account: 1, kind: JobKind::Replay, source, event_type: None, from: None, to: None };
    let count = bench.store.count(&bulk).unwrap();
    assert_eq!((count.count, count.skipped, count.examined), (2, 0, 3));
    let job = bench.now(move |staging| staging.create_job(bulk));
    let watch = Stopwatch::start();
    let job = loop {
        // The long one is asked about on another thread.
        let job = bench.store.job(1, job.id).unwrap().unwrap();
        if job.state != JobState::Running {
            break job;
        }
        assert!(watch.elapsed() < Duration::from_secs(60), "{job:?}");
        bench.turn(10);
    };
    assert_eq!((job.state, job.done, job.skipped), (JobState::Done, 2, 0));
    let made = |id| bench.store.deliveries_of(&bench.store.event(1, id).unwrap().unwrap()).unwrap();
    let of =
        |id: EventId| made(id).into_iter().map(|one| (one.cause, is_too_costly(&bench, one.id))).collect::<Vec<_>>();
    assert_eq!(ids.map(of), [vec![(Cause::Missed, true)], vec![(Cause::Missed, false)], vec![]]);
}

#[test]
fn a_step_of_a_job_reads_only_so_much_for_the_keys_of_an_order() {
    let mut bench = Bench::new();
    for _ in 0..9 {
        bench.publish_as(large());
    }
    let key = KeyPath::parse("data.a").ok();
    let webhook = bench.webhook_with(|webhook| webhook.order = Some(Order { key, on_dead: OnDead::Skip })).number();
    let source = Source::Missing { webhook };
    let bulk = Bulk { account: 1, kind: JobKind::Replay, source, event_type: None, from: None, to: None };
    let mut answer = bench.store.submit(move |staging| staging.create_job(bulk)).unwrap();
    bench.committer.step();
    let id = answer.try_recv().unwrap().unwrap().id;
    let mut done = vec![0];
    while bench.committer.step() {
        let job = bench.store.job(1, id).unwrap().unwrap();
        if job.done > done[done.len() - 1] {
            done.push(job.done);
        }
    }
    // Each is 280 KB, and the one that makes it a mebibyte is the last of a step.
    assert_eq!(done, [0, 4, 8, 9]);
}
