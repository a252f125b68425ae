//! What is held instead of being written, and what a crash finds again.

use super::*;
use crate::clock::{Clock, Dice};
use crate::domain::order::{OnDead, Order};
use crate::domain::retry::Next;
use crate::domain::time::HOUR_MS;
use crate::domain::walk::{First, Walk};
use crate::store::bench::{Bench, START, in_memory, settlement};
use crate::store::opening::open;
use crate::store::settings::Settings;
use crate::store::trees::in_memory::{Fault, Memory};

/// A store whose memory outlives it.
fn bench() -> (Bench, Memory) {
    let settings = in_memory();
    let memory = settings.memory.clone().expect("it is in memory");
    (Bench::of(settings), memory)
}

/// What lies there after a crash.
fn after_crash(bench: Bench, memory: &Memory) -> Bench {
    opened(memory, bench.clock.clone())
}

fn opened(memory: &Memory, clock: Clock) -> Bench {
    let settings = Settings { memory: Some(memory.clone()), ..in_memory() };
    let (store, committer) = open(settings, clock.clone(), Dice::seeded(3)).unwrap();
    Bench { store, committer, clock }
}

fn fresh(bench: &Bench) -> Vec<Key> {
    bench.keys(Tree::Fresh)
}

/// A group that makes no delivery.
fn nothing(bench: &mut Bench) {
    bench.now(|staging| {
        staging.put_keeping();
        Ok(())
    });
}

fn floor_of(memory: &Memory) -> bool {
    memory.keys("meta").iter().any(|key| key == META_LATE)
}

#[test]
fn one_that_is_tried_at_once_never_has_a_row_and_one_that_is_not_is_found_after_a_crash() {
    let (mut bench, memory) = bench();
    let webhook = bench.webhook();
    let [first, second] = [(); 2].map(|()| bench.publish().delivery_to(webhook));
    assert_eq!((fresh(&bench).len(), memory.keys("fresh").len()), (2, 0));
    assert_eq!(bench.store.fresh(webhook, None, 9).unwrap().len(), 2, "a lane reads them");
    bench.settle(first, 1, Next::Succeeded);
    assert_eq!((fresh(&bench), memory.keys("fresh").len()), (vec![layout::delivery(second)], 0));
    let mut bench = after_crash(bench, &memory);
    assert_eq!((fresh(&bench), memory.keys("fresh").len()), (vec![layout::delivery(second)], 0));
    bench.settle(second, 1, Next::RetryAt(START + 1));
    assert_eq!(fresh(&bench), [[0; 0]; 0]);
    let bench = after_crash(bench, &memory);
    assert_eq!(fresh(&bench), [[0; 0]; 0], "it waits, and has a row there");
    assert_eq!(bench.scrub(), [""; 0]);
}

#[test]
fn one_that_stays_is_written_with_a_later_group_and_the_floor_moves_on() {
    let (mut bench, memory) = bench();
    let webhook = bench.webhook();
    let id = bench.publish().delivery_to(webhook);
    bench.turn(HELD_MS - 1);
    nothing(&mut bench);
    assert_eq!(memory.keys("fresh").len(), 0);
    bench.turn(1);
    nothing(&mut bench);
    assert_eq!(memory.keys("fresh"), [layout::delivery(id)]);
    assert_eq!(bench.trees().late().count(), 0);
    let floor = bench.trees().late().floor().expect("there is one").0;
    assert!(floor > id.event_at_accept().0, "no event before has late rows");
    let bench = after_crash(bench, &memory);
    assert_eq!(fresh(&bench), [layout::delivery(id)], "it is there once");
    assert_eq!(bench.scrub(), [""; 0]);
}

#[test]
fn a_store_that_is_closed_as_it_should_leaves_nothing_to_look_for() {
    let (mut bench, memory) = bench();
    let webhook = bench.webhook();
    let id = bench.publish().delivery_to(webhook);
    assert!(floor_of(&memory));
    let Bench { store, committer, clock } = bench;
    store.close();
    committer.run();
    assert!(!floor_of(&memory));
    assert_eq!(memory.keys("fresh"), [layout::delivery(id)]);
    let bench = opened(&memory, clock);
    assert_eq!(fresh(&bench), [layout::delivery(id)]);
    assert_eq!(bench.scrub(), [""; 0]);
}

#[test]
fn what_is_deleted_or_purged_is_not_found_again() {
    let (mut bench, memory) = bench();
    let webhook = bench.webhook();
    let [deleted, purged] = [(); 2].map(|()| bench.publish());
    bench.now(move |staging| staging.delete_event(1, deleted));
    bench.now(move |staging| staging.purge_event(1, purged));
    bench.rest();
    let bench = after_crash(bench, &memory);
    assert_eq!(fresh(&bench), [[0; 0]; 0]);
    let cancelled = bench.store.delivery(purged.delivery_to(webhook)).unwrap();
    assert!(cancelled.is_some_and(|delivery| !delivery.state.is_open()));
    assert_eq!(bench.scrub(), [""; 0]);
}

#[test]
fn a_floor_that_cannot_be_read_lets_all_events_be_looked_at() {
    let (mut bench, memory) = bench();
    let webhook = bench.webhook();
    let id = bench.publish().delivery_to(webhook);
    let done = bench.publish().delivery_to(webhook);
    bench.settle(done, 1, Next::Succeeded);
    bench.damage(Tree::Meta, META_LATE);
    let bench = after_crash(bench, &memory);
    assert_eq!(fresh(&bench), [layout::delivery(id)]);
}

#[test]
fn what_has_many_deliveries_or_an_order_has_its_rows_at_once() {
    let (mut bench, memory) = bench();
    for _ in 0..=DELIVERIES_MAX {
        bench.webhook();
    }
    bench.publish();
    assert_eq!((memory.keys("fresh").len(), bench.trees().late().count()), (DELIVERIES_MAX + 1, 0));

    let (mut bench, memory) = self::bench();
    let order = Order { key: None, on_dead: OnDead::Skip };
    bench.webhook_with(|webhook| webhook.order = Some(order));
    bench.publish();
    assert_eq!((memory.keys("fresh").len(), bench.trees().late().count()), (1, 0));
}

#[test]
fn an_outcome_that_was_not_written_leaves_its_delivery_open() {
    let (mut bench, memory) = bench();
    let webhook = bench.webhook();
    let id = bench.publish().delivery_to(webhook);
    memory.fail_once(Fault::Write);
    bench.store.settle(settlement(id, 1, START, Next::Succeeded));
    bench.committer.step();
    assert_eq!(memory.keys("closed").len(), 0);
    bench.rest();
    assert_eq!(
        (memory.keys("closed").len(), fresh(&bench).len()),
        (1, 0),
        "it is settled again once the store is open"
    );
}

#[test]
fn whoever_takes_a_few_takes_the_first_of_what_is_written_and_of_what_is_held() {
    let (mut bench, _) = bench();
    let webhook = bench.webhook();
    let mut ids: Vec<DeliveryId> = (0..2).map(|_| bench.publish().delivery_to(webhook)).collect();
    bench.turn(HELD_MS);
    ids.extend((0..4).map(|_| bench.publish().delivery_to(webhook)));
    assert_eq!(bench.trees().late().count(), 4, "the first two are written");
    for (after, limit) in [(None, 1), (None, 3), (None, 9), (Some(0), 2), (Some(2), 2), (Some(5), 1)] {
        let behind = after.map_or(0, |after| after + 1);
        let expected: Vec<_> = ids[behind..].iter().take(limit).copied().collect();
        let found = bench.store.fresh(webhook, after.map(|after: usize| ids[after]), limit).unwrap();
        assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), expected, "{limit} after {after:?}");
    }
}

#[test]
fn one_that_a_clock_made_which_was_ahead_is_written_and_the_floor_moves_on() {
    let (mut bench, memory) = bench();
    let webhook = bench.webhook();
    let id = bench.publish().delivery_to(webhook);
    drop(bench);
    let mut bench = opened(&memory, Clock::standing_at(START - HOUR_MS));
    nothing(&mut bench);
    assert_eq!((memory.keys("fresh"), bench.trees().late().count()), (vec![layout::delivery(id)], 0));
    assert!(bench.trees().late().floor().is_some_and(|(floor, _)| floor > id.event_at_accept().0));
}

#[test]
fn one_that_was_put_aside_is_not_made_again() {
    for next in [Next::RetryAt(START + HOUR_MS), Next::Succeeded] {
        let (mut bench, memory) = bench();
        let webhook = bench.webhook();
        let id = bench.publish().delivery_to(webhook);
        bench.settle(id, 1, next);
        let (tree, key) = (if next == Next::Succeeded { Tree::Closed } else { Tree::Waiting }, layout::delivery(id));
        bench.damage(tree, &key);
        bench.rest();
        assert!(bench.keys(Tree::Quarantine).contains(&layout::quarantined(tree, &key)));
        assert!(bench.trees().late().floor().is_some_and(|(floor, _)| floor <= id.event_at_accept().0));
        let bench = after_crash(bench, &memory);
        assert_eq!(fresh(&bench), [[0; 0]; 0], "it was tried");
    }
}

/// A page that cannot be read keeps no store from being opened, and costs what follows from it alone.
#[test]
fn a_page_that_cannot_be_read_keeps_nothing_else_from_being_found() {
    for tree in [Tree::Events, Tree::Closed] {
        let (mut bench, memory) = bench();
        let webhook = bench.webhook();
        let ids: Vec<DeliveryId> = (0..3).map(|_| bench.publish().delivery_to(webhook)).collect();
        let torn = match tree {
            Tree::Events => bench.keys(tree)[1].clone(),
            _ => layout::delivery(ids[1]),
        };
        memory.tear(tree, &torn);
        let bench = after_crash(bench, &memory);
        assert_eq!(fresh(&bench), [ids[0], ids[2]].map(layout::delivery), "{tree:?}");
    }
}

#[test]
fn a_list_has_what_is_written_and_what_is_held_from_either_end() {
    let (mut bench, _) = bench();
    let webhook = bench.webhook();
    let mut ids: Vec<DeliveryId> = (0..2).map(|_| bench.publish().delivery_to(webhook)).collect();
    bench.turn(HELD_MS);
    ids.extend((0..4).map(|_| bench.publish().delivery_to(webhook)));
    let listed = |walk: Walk| {
        let page = bench.store.deliveries(&[webhook], walk, None, |_| true).unwrap();
        page.rows.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    for limit in 1..=ids.len() {
        assert_eq!(listed(Walk::from_the(First::Oldest, limit)), ids[..limit]);
        let newest: Vec<_> = ids.iter().rev().take(limit).copied().collect();
        assert_eq!(listed(Walk::newest(limit)), newest);
    }
    let within = Walk::newest(9).within(Some(ids[1].0), Some(ids[3].0));
    assert_eq!(listed(within), [ids[2], ids[1]]);
}
