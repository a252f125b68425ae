//! What the commit thread keeps in mind between two groups: what is not synced yet, how long it rests, what it tries again.

use std::fs::OpenOptions;

use super::*;
use crate::domain::id::DeliveryId;
use crate::domain::retry::Next;
use crate::domain::time::HOUR_MS;
use crate::store::bench::{Bench, START, settlement};
use crate::store::layout::{META_KEEPING, Tree};
use crate::store::opening::open;
use crate::store::settings::Settings;

#[test]
fn requests_are_synced_at_once_and_outcomes_with_them_or_after_a_while() {
    let mut bench = Bench::new();
    let webhook = bench.webhook();
    let deliveries = [(); 4].map(|()| bench.publish().delivery_to(webhook));
    assert!(bench.committer.unsynced.is_none() && bench.committer.unmarked.is_some());
    let [first, second, third, last] = deliveries;
    let record_at = |bench: &mut Bench, delivery, after| {
        bench.clock.turn_to(START + after);
        bench.store.settle(settlement(delivery, 1, START, Next::Succeeded));
        bench.committer.step();
        bench.committer.unsynced
    };
    assert_eq!(record_at(&mut bench, first, 0), Some(START));
    assert_eq!(record_at(&mut bench, second, SYNC_DELAY_MS - 1), Some(START));
    assert_eq!(record_at(&mut bench, third, SYNC_DELAY_MS), None);
    assert!(record_at(&mut bench, last, SYNC_DELAY_MS + 1).is_some());
    bench.publish();
    assert_eq!(bench.committer.unsynced, None);
}

#[test]
fn a_group_without_a_write_leaves_nothing_to_sync_and_shows_nothing_of_how_well_the_store_is() {
    let mut bench = Bench::new();
    let pause = Duration::from_millis(8);
    bench.committer.pause = pause;
    bench.settle(DeliveryId(77), 1, Next::Dead);
    assert_eq!((bench.committer.unsynced, bench.committer.pause), (None, pause));
    bench.publish();
    assert_eq!(bench.committer.pause, Duration::ZERO);
}

#[test]
fn it_waits_unless_there_is_news_of_space_or_no_store() {
    let mut bench = Bench::new();
    assert!(bench.committer.patience() > Duration::ZERO);
    bench.store.0.space_low.store(true, Ordering::Relaxed);
    assert_eq!(bench.committer.patience(), Duration::ZERO);
    bench.committer.low_space_told = true;
    assert!(bench.committer.patience() > Duration::ZERO);
    bench.committer.let_go();
    assert!(!bench.store.is_open());
    assert_eq!(bench.committer.patience(), Duration::ZERO);
}

#[test]
fn upkeep_rests_while_outcomes_are_tried_one_by_one() {
    let mut bench = Bench::new();
    let stood = |bench: &Bench| bench.trees().get(Tree::Meta, META_KEEPING).unwrap();
    let before = stood(&bench);
    bench.clock.turn_to(START + HOUR_MS);
    bench.committer.alone = 1;
    bench.committer.step();
    assert_eq!(stood(&bench), before);
    bench.committer.step();
    assert_ne!(stood(&bench), before);
}

#[test]
fn of_outcomes_that_cannot_be_written_together_one_is_left_out_that_cannot_alone() {
    let mut bench = Bench::new();
    let trees = bench.trees();
    let outcomes = |count| (0..count).map(|id| settlement(DeliveryId(id), 1, START, Next::Dead)).collect::<Vec<_>>();
    let left = |bench: &Bench| (bench.committer.alone, bench.store.queue_depth().1);
    bench.committer.leave_out(&trees, outcomes(3), "torn").unwrap();
    assert_eq!(left(&bench), (4, 3), "each of them has its turn after this one");
    let one = bench.committer.take().settlements;
    assert_eq!(one.len(), 1);
    bench.committer.leave_out(&trees, one, "torn").unwrap();
    assert_eq!(left(&bench), (4, 2));
    bench.committer.leave_out(&trees, outcomes(0), "torn").unwrap();
    assert_eq!(left(&bench), (4, 2));
    bench.committer.alone = 0;
    bench.committer.leave_out(&trees, outcomes(1), "torn").unwrap();
    assert_eq!(left(&bench), (2, 3), "it may have been the upkeep beside it");
}

#[test]
fn each_pause_before_the_store_is_opened_again_is_twice_as_long() {
    let mut bench = Bench::new();
    bench.committer.let_go();
    bench.committer.pause = Duration::from_millis(8);
    assert!(bench.committer.reopen() && bench.store.is_open());
    assert_eq!(bench.committer.pause, Duration::from_millis(16));
}

#[test]
fn the_end_of_a_log_that_was_closed_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let Bench { store, committer, .. } = Bench::of(Settings::at(dir.path()));
    let thread = std::thread::spawn(|| committer.run());
    store.close();
    thread.join().unwrap();
    let log = OpenOptions::new().write(true).open(dir.path().join("db")).unwrap();
    log.set_len(log.metadata().unwrap().len() - 1).unwrap();
    let opened = open(Settings::at(dir.path()), crate::clock::Clock::standing_at(START), Dice::seeded(2));
    assert!(matches!(opened.err(), Some(OpenError::Short { .. })));
}

#[test]
fn the_operator_is_told_each_time_that_space_gets_low_or_is_enough_again_and_once() {
    for (kind, wanted) in [("storage.low", [0, 1, 1, 1, 2, 2]), ("storage.ok", [0, 0, 0, 1, 1, 2])] {
        let mut bench = Bench::new();
        let operator = bench.operator(kind);
        let seen = [false, true, true, false, true, false].map(|is_low| {
            bench.store.0.space_low.store(is_low, Ordering::Relaxed);
            bench.now(|_| Ok(()));
            bench.events(operator)
        });
        assert_eq!(seen, wanted, "{kind}");
    }
}
