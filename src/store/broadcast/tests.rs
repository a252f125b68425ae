use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::clock::Stopwatch;
use crate::domain::account::Account;
use crate::domain::id::JobId;
use crate::store::bench::{Bench, event};
use crate::store::handle::Store;

/// Accounts, each second one with the tag `even`.
fn accounts(bench: &mut Bench, count: usize) -> Vec<AccountNumber> {
    let make = |staging: &mut Staging<'_>, n: usize| {
        let tags = if n.is_multiple_of(2) { vec!["even".to_string()] } else { Vec::new() };
        let account = Account { id: format!("a{n}"), tags, ..Store::default_account("standard") };
        Ok(staging.create_account(account)?.number)
    };
    bench.now(move |staging| (0..count).map(|n| make(staging, n)).collect())
}

/// Makes one without a step of it.
fn begin(bench: &mut Bench, event: NewEvent, tag: Option<&str>) -> JobId {
    let tag = tag.map(String::from);
    let mut answer = bench.store.submit(|staging| staging.create_broadcast(event, tag, None)).unwrap();
    bench.committer.step();
    answer.try_recv().unwrap().unwrap().0.id
}

fn job(bench: &Bench, id: JobId) -> Job {
    bench.store.job(1, id).unwrap().unwrap()
}

fn counts(job: &Job) -> (JobState, u64, u64, u64) {
    (job.state, job.examined, job.done, job.skipped)
}

#[test]
fn each_account_gets_its_own_event_once_whatever_restarts_come_between() {
    let mut bench = Bench::new();
    let operator = bench.operator("*");
    let numbers = accounts(&mut bench, 700);
    let hearing = bench.webhook_with(|webhook| webhook.account = numbers[3]).number();
    let id = begin(&mut bench, event(), None);
    bench.clock.turn_to(bench.clock.now() + 1);
    let late = Account { id: "late".into(), ..Store::default_account("standard") };
    let late = bench.store.submit(|staging| staging.create_account(late)).unwrap();
    let mut steps = 0;
    while job(&bench, id).is_running() {
        steps += 1;
        if steps % 2 == 0 {
            bench.committer.let_go();
            bench.committer.step();
        }
        bench.committer.step();
    }
    drop(late);
    assert!(steps > 2, "{steps} small steps");
    assert_eq!(counts(&job(&bench, id)), (JobState::Done, 703, 701, 0));
    assert!(numbers.iter().chain([&1]).all(|account| bench.events(*account) == 1), "each has one");
    assert_eq!(bench.store.tally(hearing).unwrap().deliveries, 1);
    assert_eq!(bench.events(operator), 1, "where it is kept");
    let late = bench.store.registry().account_by_id("late").unwrap().number;
    assert_eq!(bench.events(late), 0, "who comes later is none of those whom it was for");
    let delivered: u64 = bench.store.totals().deliveries;
    assert_eq!(delivered, 1, "the operator's own webhook hears nothing of it");
    assert_eq!(bench.scrub(), [""; 0]);
}

#[test]
fn a_tag_selects_and_what_an_account_has_under_that_id_stays() {
    let mut bench = Bench::new();
    bench.operator("none");
    let numbers = accounts(&mut bench, 6);
    let named =
        |fingerprint: u8| NewEvent { name: Some("one".into()), fingerprint: Some([fingerprint; 32]), ..event() };
    let (same, other) = (numbers[0], numbers[2]);
    bench.now(move |staging| staging.accept(same, vec![named(1)], None));
    bench.now(move |staging| staging.accept(other, vec![named(2)], None));
    let id = begin(&mut bench, named(1), Some("even"));
    bench.rest();
    assert_eq!(counts(&job(&bench, id)), (JobState::Done, 8, 1, 1));
    let Source::Accounts(of) = job(&bench, id).bulk.source else { panic!("of accounts") };
    assert_eq!(of.accounts, 3);
    let events: Vec<_> = numbers.iter().map(|account| bench.events(*account)).collect();
    assert_eq!(events, [1, 0, 1, 0, 1, 0]);
    let made = bench.store.id_of_event_named(numbers[4], "one").unwrap().expect("it has the producer's id");
    assert_eq!(bench.store.event(numbers[4], made).unwrap().unwrap().fingerprint, Some([1; 32]));
}

#[test]
fn no_limit_of_an_account_keeps_it_away_and_it_counts() {
    let mut bench = Bench::new();
    bench.operator("none");
    let number = accounts(&mut bench, 1)[0];
    bench.now(move |staging| {
        staging.update_account(number, |account| {
            account.limits.events_per_day = Some(1);
            Ok(())
        })
    });
    let notices = Some(crate::domain::notice::Notices { quiet_seconds: 0 });
    let ear = bench.webhook_with(|webhook| (webhook.account, webhook.notices) = (number, notices));
    for _ in 0..2 {
        begin(&mut bench, event(), Some("even"));
        bench.rest();
    }
    assert_eq!((bench.events(number), bench.store.tally(ear.number()).unwrap().deliveries), (3, 1), "it is told once");
    assert_eq!(bench.store.usage(number, bench.clock.now()).unwrap().events_today, 2);
}

#[test]
fn one_that_is_longer_than_a_publish_in_one_piece_is_refused_and_leaves_nothing() {
    let mut bench = Bench::new();
    let operator = bench.operator("none");
    let of = |bytes: usize| NewEvent { data: format!("\"{}\"", "x".repeat(bytes - 2)).into(), ..event() };
    let long = of(BROADCAST_BYTES_MAX + 1);
    let mut answer = bench.store.submit(|staging| staging.create_broadcast(long, None, None)).unwrap();
    bench.rest();
    let refused = answer.try_recv().unwrap();
    assert!(matches!(refused, Err(Refusal::Invalid(ref invalid)) if invalid.field == "data"), "{refused:?}");
    assert_eq!(bench.events(operator), 0);
    let id = begin(&mut bench, of(BROADCAST_BYTES_MAX), None);
    bench.rest();
    assert_eq!(counts(&job(&bench, id)), (JobState::Done, 2, 1, 0));
}

#[test]
fn filters_of_a_long_event_are_asked_beside_the_commit_thread() {
    let mut bench = Bench::new();
    bench.operator("none");
    let number = accounts(&mut bench, 1)[0];
    let wants = |condition: &str| {
        let condition = Some(condition.to_string());
        move |webhook: &mut crate::domain::webhook::Webhook| (webhook.account, webhook.condition) = (number, condition)
    };
    let yes = bench.webhook_with(wants("@.data.a == 1")).number();
    let no = bench.webhook_with(wants("@.data.a == 2")).number();
    let long = format!("{{\"a\":1,\"b\":\"{}\"}}", "x".repeat(100_000));
    let id = begin(&mut bench, NewEvent { data: long.into(), ..event() }, Some("even"));
    bench.committer.step();
    assert!(job(&bench, id).is_running(), "it waits for the answer");
    let watch = Stopwatch::start();
    while job(&bench, id).is_running() {
        assert!(watch.elapsed() < Duration::from_secs(60));
        bench.turn(10);
    }
    assert_eq!(counts(&job(&bench, id)), (JobState::Done, 3, 1, 0));
    let deliveries = |number| bench.store.tally(number).unwrap().deliveries;
    assert_eq!((deliveries(yes), deliveries(no)), (1, 0));
}

#[test]
fn a_filter_that_changes_while_its_answer_waits_is_asked_again_and_not_taken_for_too_costly() {
    let mut bench = Bench::new();
    bench.operator("none");
    let number = accounts(&mut bench, 1)[0];
    let [yes, no] = [1, 2].map(|n| {
        let condition = Some(format!("@.data.a == {n}"));
        bench.webhook_with(|webhook| (webhook.account, webhook.condition) = (number, condition))
    });
    let long = format!("{{\"a\":1,\"b\":\"{}\"}}", "x".repeat(100_000));
    let id = begin(&mut bench, NewEvent { data: long.into(), ..event() }, Some("even"));
    let watch = Stopwatch::start();
    for (n, filter) in [(1, "@.data.a < 1"), (2, "@.data.a > 0")] {
        // The answer is there, and nobody has taken it yet.
        while bench.store.0.foreseen.questions() != (n, false) {
            assert!(watch.elapsed() < Duration::from_secs(60));
            if bench.store.0.foreseen.questions().0 < n {
                bench.clock.turn_to(bench.clock.now() + 10);
                bench.committer.step();
            }
            std::thread::yield_now();
        }
        let changed = bench.store.submit(move |staging| {
            let change = |webhook: &mut crate::domain::webhook::Webhook, _| {
                webhook.condition = Some(filter.into());
                Ok(())
            };
            staging.update_webhook(number, no, change).map(drop)
        });
        let mut changed = changed.unwrap();
        bench.committer.step();
        changed.try_recv().unwrap().unwrap();
    }
    while job(&bench, id).is_running() {
        assert!(watch.elapsed() < Duration::from_secs(60));
        bench.turn(10);
    }
    assert_eq!(counts(&job(&bench, id)), (JobState::Done, 3, 1, 0));
    let tally = |id: crate::domain::id::WebhookId| {
        let tally = bench.store.tally(id.number()).unwrap();
        (tally.deliveries, tally.dead)
    };
    assert_eq!([yes, no].map(tally), [(1, 0); 2], "as it is now, each wants it");
}

#[test]
fn one_whose_event_is_gone_stops() {
    let mut bench = Bench::new();
    let operator = bench.operator("none");
    accounts(&mut bench, 3);
    let id = begin(&mut bench, event(), None);
    let Source::Accounts(of) = job(&bench, id).bulk.source else { panic!("of accounts") };
    let mut answer = bench.store.submit(move |staging| staging.purge_event(operator, of.event)).unwrap();
    bench.rest();
    answer.try_recv().unwrap().unwrap();
    assert_eq!(counts(&job(&bench, id)), (JobState::Cancelled, 0, 0, 0));
}

#[test]
fn one_waits_while_there_is_no_space_for_events() {
    let mut bench = Bench::new();
    bench.operator("none");
    let id = begin(&mut bench, event(), None);
    bench.store.0.space_low.store(true, Ordering::Relaxed);
    bench.committer.step();
    bench.committer.step();
    assert_eq!(counts(&job(&bench, id)), (JobState::Running, 0, 0, 0));
    bench.store.0.space_low.store(false, Ordering::Relaxed);
    bench.turn(1_000);
    assert_eq!(counts(&job(&bench, id)), (JobState::Done, 2, 1, 0));
}
