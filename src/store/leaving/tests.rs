//! Events that are deleted or purged: what goes, what stays, and what is still on its way meanwhile.

use super::*;
use crate::domain::id::{WebhookId, WebhookNumber};
use crate::domain::job::JobState;
use crate::domain::order::{OnDead, Order};
use crate::domain::retry::Next;
use crate::domain::walk::Walk;
use crate::domain::webhook::EventFilter;
use crate::store::bench::{Bench, START, event, in_memory, settlement, webhook};
use crate::store::message::NewEvent;
use crate::store::publish::{Publish, Published, Terms};
use crate::store::settings::Settings;

/// What each step of an answer says, before upkeep goes on.
fn ask<T: Send + 'static>(
    bench: &mut Bench,
    change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let mut answer = bench.store.submit(change).unwrap();
    bench.committer.step();
    answer.try_recv().expect("the committer answers")
}

fn long() -> NewEvent {
    NewEvent { name: Some("n".into()), data: vec![b'1'; 2 * layout::VALUE_BYTES_MAX].into(), ..event() }
}

/// Settles an attempt whose answer repeats the payload.
fn echo(bench: &mut Bench, id: DeliveryId, number: u16, next: Next) {
    let mut settlement = settlement(id, number, bench.clock.now(), next);
    settlement.attempt.response_body = b"the payload".to_vec();
    settlement.attempt.request_headers = [("x-of", "the payload")].into_iter().collect();
    settlement.attempt.trace.response_headers = settlement.attempt.request_headers.clone();
    settlement.attempt.trace.phases.first_byte_us = Some(7);
    bench.store.settle(settlement);
    bench.rest();
}

/// What is kept of the answers to a delivery's attempts, and of the headers of both sides.
fn echoes(bench: &Bench, id: DeliveryId) -> Vec<(usize, usize)> {
    let delivery = bench.store.delivery(id).unwrap().expect("it is there");
    let attempts = bench.store.attempts(&delivery).unwrap();
    assert!(attempts.iter().all(|attempt| attempt.url == "u"), "where they went stays");
    attempts.iter().map(|attempt| (attempt.response_body.len(), headers_of(attempt))).collect()
}

fn headers_of(attempt: &Attempt) -> usize {
    attempt.request_headers.iter().len() + attempt.trace.response_headers.iter().len()
}

/// An event with a delivery in each state: open and tried, succeeded at the second try, dead, and a replay of that.
fn mixed(bench: &mut Bench) -> (EventId, [WebhookId; 3], [DeliveryId; 4]) {
    let webhooks = [(); 3].map(|()| bench.webhook_with(|_| {}));
    let id = bench.publish_as(long());
    let [open, well, dead] = webhooks.map(|webhook| id.delivery_to(webhook.number()));
    let later = Next::RetryAt(START + 1);
    echo(bench, open, 1, later);
    echo(bench, well, 1, later);
    echo(bench, well, 2, Next::Succeeded);
    echo(bench, dead, 1, Next::Dead);
    let replay = bench.now(move |staging| staging.replay(1, webhooks[2], dead));
    echo(bench, replay, 1, Next::Dead);
    (id, webhooks, [open, well, dead, replay])
}

#[test]
fn a_deleted_event_leaves_no_key_and_what_happened_stays_counted() {
    let mut bench = Bench::new();
    let before = bench.store.kept_bytes();
    let (id, webhooks, _) = mixed(&mut bench);
    assert!(matches!(ask(&mut bench, move |staging| staging.delete_event(1, id)), Ok(Leaving::Done(_))));
    use Tree::{Attempts, Blocked, Bodies, Chunks, Closed, Dead, Due, Events, Fresh, Names, Replays, Waiting};
    for tree in [Events, Chunks, Bodies, Names, Fresh, Waiting, Due, Blocked, Closed, Attempts, Replays, Dead] {
        assert_eq!(bench.keys(tree).len(), 0, "{tree:?}");
    }
    assert_eq!(bench.store.kept_bytes(), before);
    let tallies = webhooks.map(|webhook| bench.store.tally(webhook.number()).unwrap());
    assert_eq!(
        tallies.each_ref().map(|tally| (tally.cancelled, tally.succeeded, tally.dead)),
        [(1, 0, 0), (0, 1, 0), (0, 0, 2)]
    );
    assert!(tallies.iter().all(|tally| tally.open() == 0));
    let again = ask(&mut bench, move |staging| staging.delete_event(1, id));
    assert_eq!(again, Err(Refusal::NotFound("event")));
    assert_ne!(bench.publish_as(long()), id, "its name is free again");
    assert_eq!(bench.scrub(), [""; 0]);
}

#[test]
fn a_purged_event_keeps_its_history_and_nothing_that_could_tell_of_its_payload() {
    let mut bench = Bench::new();
    let (id, webhooks, deliveries) = mixed(&mut bench);
    let Ok(Leaving::Done(head)) = ask(&mut bench, move |staging| staging.purge_event(1, id)) else {
        panic!("it is done")
    };
    assert_eq!((head.purged_at.is_some(), head.name.as_deref()), (true, Some("n")));
    assert_eq!(bench.store.event(1, id), Ok(None));
    assert_eq!(bench.store.event_head(1, id).unwrap().as_ref(), Some(&*head));
    assert_eq!(bench.keys(Tree::Chunks).len() + bench.keys(Tree::Dead).len(), 0);
    let states = deliveries.map(|id| bench.store.delivery(id).unwrap().expect("it stays"));
    assert_eq!(states.each_ref().map(|one| one.state.word()), ["cancelled", "succeeded", "dead", "dead"]);
    assert_eq!(states[0].reason.as_deref(), Some(PURGED));
    let kept = deliveries.map(|id| echoes(&bench, id));
    assert_eq!(kept, [vec![(0, 0)], vec![(0, 0), (0, 0)], vec![(0, 0)], vec![(0, 0)]]);
    let (of, dead) = (webhooks[2], deliveries[2]);
    assert_eq!(ask(&mut bench, move |staging| staging.replay(1, of, dead)), Err(Refusal::Purged));
    let at = head.purged_at;
    bench.turn(1000);
    let again = ask(&mut bench, move |staging| staging.purge_event(1, id));
    assert!(matches!(again, Ok(Leaving::Before(head)) if head.purged_at == at), "twice is once");
    let accepted = bench.now(|staging| staging.accept(1, vec![long()], None));
    assert_eq!((accepted[0].id, accepted[0].duplicate), (id, true), "the producer's id is still taken");
    assert_eq!(bench.scrub(), [""; 0]);
}

#[test]
fn what_was_under_way_when_the_payload_went_is_recorded_without_what_it_could_repeat() {
    let mut bench = Bench::new();
    let webhook = bench.webhook();
    let id = bench.publish();
    bench.now(move |staging| staging.purge_event(1, id));
    echo(&mut bench, id.delivery_to(webhook), 1, Next::Succeeded);
    assert_eq!(echoes(&bench, id.delivery_to(webhook)), [(0, 0)]);
    let gone = bench.publish();
    bench.now(move |staging| staging.delete_event(1, gone));
    echo(&mut bench, gone.delivery_to(webhook), 1, Next::Succeeded);
    assert_eq!(bench.store.delivery(gone.delivery_to(webhook)), Ok(None));
}

#[test]
fn what_waits_behind_one_that_leaves_is_free() {
    for kind in [JobKind::Delete, JobKind::Purge] {
        for next in [Next::RetryAt(START + 9), Next::Dead] {
            let mut bench = Bench::new();
            let order = Order { key: None, on_dead: OnDead::Hold };
            let webhook = bench.webhook_with(|webhook| webhook.order = Some(order)).number();
            let [head, behind] = [(); 2].map(|()| bench.publish());
            bench.settle(head.delivery_to(webhook), 1, next);
            assert_eq!((bench.keys(Tree::Blocked).len(), bench.keys(Tree::Fresh).len()), (1, 0));
            bench.now(move |staging| staging.leave(1, head, kind));
            assert_eq!(bench.keys(Tree::Fresh), [layout::delivery(behind.delivery_to(webhook))], "{kind:?}, {next:?}");
            assert_eq!(bench.keys(Tree::Blocked).len(), 0);
        }
    }
}

#[test]
fn a_body_that_was_written_ahead_goes_in_steps() {
    for kind in [JobKind::Delete, JobKind::Purge] {
        let mut bench = Bench::new();
        let before = bench.store.kept_bytes();
        let new = NewEvent { data: vec![b'1'; 90 * layout::VALUE_BYTES_MAX].into(), ..event() };
        let body = new.body();
        let id = bench.now(move |staging| {
            let pieces: Vec<Vec<u8>> = body.0.chunks(layout::VALUE_BYTES_MAX).map(<[u8]>::to_vec).collect();
            let (id, count) = staging.put_pieces(1, None, pieces)?.expect("nothing was before it");
            let mut publish = Publish::unasked(vec![new]);
            publish.bodies.insert(0, Some(event_rows::BodyAt::of(id, count, &body)));
            let Published::Accepted(accepted) = staging.accept_asked(1, publish, None, Terms::default())? else {
                panic!("all of it is there")
            };
            Ok(accepted[0].id)
        });
        assert_eq!((bench.keys(Tree::Chunks).len(), bench.keys(Tree::Bodies).len()), (90, 1));
        ask(&mut bench, move |staging| staging.leave(1, id, kind)).unwrap();
        assert!(bench.keys(Tree::Chunks).len() > 20, "not all at once");
        assert_eq!(bench.store.event(1, id), Ok(None), "and from now on nobody reads it");
        bench.rest();
        assert_eq!((bench.keys(Tree::Chunks).len(), bench.keys(Tree::Bodies).len()), (0, 0));
        let left = bench.events(1);
        assert_eq!((left == 1, bench.store.kept_bytes() == before), (kind == JobKind::Purge, kind == JobKind::Delete));
        assert_eq!(bench.scrub(), [""; 0]);
    }
}

/// An event to more webhooks than one step takes; every third delivery has ended, one is replayed.
fn wide(fan_out_max: usize) -> (Bench, EventId, Vec<WebhookNumber>) {
    let mut bench = Bench::of(Settings { fan_out_max, ..in_memory() });
    let webhooks: Vec<WebhookNumber> = bench.now(|staging| {
        let of = |staging: &mut Staging<'_>| Ok(staging.create_webhook(webhook(), None)?.number());
        (0..2 * STEP_DELIVERIES_MAX + 9).map(|_| of(staging)).collect()
    });
    let id = bench.publish();
    for webhook in webhooks.iter().step_by(3) {
        let mut settlement = settlement(id.delivery_to(*webhook), 1, START, Next::Dead);
        settlement.attempt.response_body = b"the payload".to_vec();
        bench.store.settle(settlement);
    }
    bench.rest();
    let first = bench.store.registry().webhook(webhooks[0]).unwrap().id;
    bench.now(move |staging| staging.replay(1, first, id.delivery_to(first.number())));
    (bench, id, webhooks)
}

#[test]
fn a_wide_one_loses_its_payload_at_once_and_the_rest_in_small_steps_that_a_crash_repeats() {
    for (kind, crashes) in [(JobKind::Delete, false), (JobKind::Delete, true), (JobKind::Purge, true)] {
        let (mut bench, id, webhooks) = wide(1024);
        let left = ask(&mut bench, move |staging| staging.leave(1, id, kind)).unwrap();
        let Leaving::Goes(head, job) = left else { panic!("it takes several steps") };
        assert!(head.purged_at.is_some() && bench.store.event(1, id).unwrap().is_none());
        let closed = |bench: &Bench| bench.keys(Tree::Closed).len();
        let open = |bench: &Bench| bench.keys(Tree::Fresh).len();
        let mut steps = 0;
        loop {
            let (closed_before, open_before) = (closed(&bench), open(&bench));
            let some = bench.committer.step();
            let moved = closed_before.abs_diff(closed(&bench)) + open_before.abs_diff(open(&bench));
            assert!(moved <= 2 * STEP_KEYS_MAX, "{moved} rows in one step");
            steps += usize::from(moved > 0);
            if crashes && steps == 3 {
                bench.committer.let_go();
                assert!(bench.committer.step(), "it is opened again");
                steps += 1;
            }
            if !some {
                break;
            }
        }
        assert!(steps > 4, "{steps} steps");
        let job = bench.store.job(1, job.id).unwrap().expect("it is shown");
        assert_eq!((job.state, job.done, job.examined), (JobState::Done, 1, 1));
        assert_eq!((bench.keys(Tree::Fresh).len(), bench.keys(Tree::Dead).len()), (0, 0));
        match kind {
            JobKind::Delete => assert_eq!((bench.events(1), closed(&bench), bench.store.kept_bytes()), (0, 0, 0)),
            _ => {
                assert_eq!((bench.events(1), closed(&bench)), (1, webhooks.len() + 1));
                let ids = webhooks.iter().step_by(3).map(|webhook| id.delivery_to(*webhook));
                assert!(ids.into_iter().all(|id| echoes(&bench, id) == [(0, 0)]));
            }
        }
        assert_eq!(bench.store.totals().open(), 0);
        assert_eq!(bench.scrub(), [""; 0]);
    }
}

#[test]
fn one_with_few_deliveries_and_very_many_attempts_goes_in_steps_too() {
    for kind in [JobKind::Delete, JobKind::Purge] {
        let mut bench = Bench::new();
        let webhooks: Vec<WebhookNumber> = (0..12).map(|_| bench.webhook()).collect();
        let id = bench.publish();
        for number in 1..=50 {
            for webhook in &webhooks {
                let next = if number == 50 { Next::Succeeded } else { Next::RetryAt(START + 1) };
                bench.store.settle(settlement(id.delivery_to(*webhook), number, START, next));
            }
            bench.rest();
        }
        assert_eq!(bench.keys(Tree::Attempts).len(), 12 * 49);
        let left = ask(&mut bench, move |staging| staging.leave(1, id, kind)).unwrap();
        let Leaving::Goes(_, job) = left else { panic!("it takes several steps") };
        assert!(job.within.is_some(), "some of it is done at once");
        bench.rest();
        let job = bench.store.job(1, job.id).unwrap().unwrap();
        assert_eq!((job.state, job.done), (JobState::Done, 1));
        let attempts = if kind == JobKind::Delete { 0 } else { 12 * 49 };
        assert_eq!((bench.keys(Tree::Attempts).len(), bench.events(1)), (attempts, attempts.min(1)));
        assert_eq!(bench.scrub(), [""; 0]);
    }
}

#[test]
fn deliveries_that_are_still_to_be_made_are_made_as_cancelled() {
    for kind in [JobKind::Delete, JobKind::Purge] {
        let mut bench = Bench::of(Settings { fan_out_max: 16, ..in_memory() });
        let webhooks: Vec<WebhookNumber> = (0..300).map(|_| bench.webhook()).collect();
        let mut accepted = bench.store.accept(1, vec![event()], None).unwrap();
        bench.committer.step();
        let id = accepted.try_recv().unwrap().unwrap()[0].id;
        assert!(bench.store.deliveries_to_come(1, id).unwrap() > 0);
        let left = ask(&mut bench, move |staging| staging.leave(1, id, kind)).unwrap();
        assert!(matches!(left, Leaving::Goes(..)));
        bench.rest();
        // A job that waits looks again a moment later.
        bench.turn(1000);
        assert_eq!((bench.keys(Tree::Fresh).len(), bench.keys(Tree::FanOut).len()), (0, 0));
        let closed = if kind == JobKind::Delete { 0 } else { webhooks.len() };
        assert_eq!(bench.keys(Tree::Closed).len(), closed);
        assert_eq!(bench.store.totals().cancelled, webhooks.len() as u64);
        assert_eq!(bench.scrub(), [""; 0]);
    }
}

#[test]
fn a_job_takes_those_that_are_asked_for_and_no_event_that_came_after_it() {
    let of = |event_type: &str| NewEvent { event_type: event_type.into(), ..event() };
    for kind in [JobKind::Delete, JobKind::Purge] {
        let mut bench = Bench::new();
        bench.webhook();
        let types = ["task.done", "note.added", "task.new"];
        let events: Vec<EventId> = (0..600).map(|n| of(types[n % 3])).map(|new| bench.publish_as(new)).collect();
        let named = events[1];
        bench.now(move |staging| staging.purge_event(1, named));
        let event_type = Some(EventFilter::parse("task.*").unwrap());
        let bulk = Bulk { account: 1, kind, source: Source::Events, event_type, from: None, to: None };
        let count = bench.store.count(&bulk).unwrap();
        assert_eq!((count.count, count.skipped, count.complete), (400, 0, true));
        let job = ask(&mut bench, move |staging| staging.create_job(bulk)).unwrap();
        let after = bench.publish_as(of("task.done"));
        let job = bench.store.job(1, job.id).unwrap().unwrap();
        assert_eq!((job.state, job.done, job.examined), (JobState::Done, 400, 600));
        assert!(bench.store.event(1, after).unwrap().is_some());
        let left = bench.store.events(1, Walk::newest(1000), None, |head| head.purged_at.is_none()).unwrap().rows.len();
        assert_eq!(left, 200);
        assert_eq!(bench.events(1), if kind == JobKind::Delete { 201 } else { 601 });
        // Those that are named: one is gone meanwhile.
        let source = Source::TheseEvents(vec![events[0], events[1], events[4]]);
        let bulk = Bulk { account: 1, kind, source, event_type: None, from: None, to: None };
        let job = bench.now(|staging| staging.create_job(bulk));
        let job = bench.store.job(1, job.id).unwrap().unwrap();
        let skipped = u64::from(kind == JobKind::Delete);
        assert_eq!((job.done, job.skipped, job.ids()), (3 - skipped, skipped, Some(3)));
        assert_eq!(bench.scrub(), [""; 0]);
    }
}

#[test]
fn a_job_is_not_stopped_in_the_midst_of_an_event() {
    let (mut bench, id, _) = wide(1024);
    let Ok(Leaving::Goes(_, job)) = ask(&mut bench, move |staging| staging.delete_event(1, id)) else {
        panic!("it goes")
    };
    let id = job.id;
    assert!(bench.store.job(1, id).unwrap().unwrap().within.is_some(), "its payload is gone already");
    assert!(matches!(ask(&mut bench, move |staging| staging.cancel_job(1, id)), Err(Refusal::JobGoesOn(_))));
    bench.rest();
    assert_eq!(bench.store.job(1, id).unwrap().unwrap().state, JobState::Done);
}

#[test]
fn two_jobs_for_the_same_event_take_none_that_nobody_asked_for() {
    for kind in [JobKind::Delete, JobKind::Purge] {
        let mut bench = Bench::new();
        (0..300).for_each(|_| {
            bench.webhook();
        });
        let of = |event_type: &str| NewEvent { event_type: event_type.into(), ..event() };
        let [_, other] = ["task.done", "note.added"].map(|event_type| bench.publish_as(of(event_type)));
        for _ in 0..2 {
            let event_type = Some(EventFilter::parse("task.*").unwrap());
            let bulk = Bulk { account: 1, kind, source: Source::Events, event_type, from: None, to: None };
            ask(&mut bench, move |staging| staging.create_job(bulk)).unwrap();
        }
        bench.rest();
        assert!(bench.store.event(1, other).unwrap().is_some(), "{kind:?}");
        assert_eq!(bench.store.totals().cancelled, 300, "{kind:?}");
    }
}

#[test]
fn what_was_just_accepted_and_left_is_handed_over_to_nobody() {
    for purged in [true, false] {
        let mut bench = Bench::new();
        bench.webhook();
        let id = bench.publish();
        let leave = move |staging: &mut Staging<'_>| match purged {
            true => staging.purge_event(1, id),
            false => staging.delete_event(1, id),
        };
        assert!(matches!(ask(&mut bench, leave), Ok(Leaving::Done(_))));
        assert_eq!(bench.store.event_to_send(1, id), Ok(None), "{purged}");
    }
}
