//! What is near of a database, against a map; and how often it is asked.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::clock::{Clock, Dice};
use crate::domain::retry::Next;
use crate::domain::secret::Secret;
use crate::store::bench::{Bench, event, settlement};
use crate::store::message::NewEvent;
use crate::store::settings::{MasterKeySource, Retention, Settings};
use crate::store::trees::Trees;
use crate::store::trees::virtual_database::VirtualDatabase;

/// The rows of a virtual database, as a node of it has them that knows of none. What is near takes so many bytes.
fn trees(database: &VirtualDatabase, bytes_max: usize) -> OnDatabase {
    let member = Member::of_virtual(database.clone(), "one", Clock::standing_at(0));
    OnDatabase::over(member.take().unwrap(), bytes_max)
}

fn writes(changes: &[(Key, Option<u8>)]) -> Writes {
    let mut writes = Writes::default();
    let by_key: BTreeMap<_, _> = changes.iter().cloned().collect();
    by_key.into_iter().for_each(|(key, value)| writes.push_as_it_is(Tree::Names, key, value.map(|value| vec![value])));
    writes
}

fn key() -> impl Strategy<Value = Key> {
    prop::collection::vec(0..3_u8, 0..4)
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<(Key, Option<u8>)>),
    Get(Key),
    AtOrBefore(Key),
    /// Rows of a range, taken from its first end where it says so.
    Range(Key, Key, Vec<bool>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = || (key(), prop::option::weighted(0.7, any::<u8>()));
    prop::collection::vec(
        prop_oneof![
            prop::collection::vec(change(), 1..6).prop_map(Step::Write),
            key().prop_map(Step::Get),
            key().prop_map(Step::AtOrBefore),
            (key(), key(), prop::collection::vec(any::<bool>(), 0..80))
                .prop_map(|(a, b, ends)| Step::Range(a, b, ends)),
        ],
        1..60,
    )
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_written_however_little_is_kept_near(
        before in prop::collection::btree_map(key(), any::<u8>(), 0..30), steps in steps(), bytes_max in 0..4000_usize,
    ) {
        let database = VirtualDatabase::by(Clock::standing_at(0), Clock::standing_at(0));
        let there: Vec<_> = before.iter().map(|(key, value)| (key.clone(), Some(*value))).collect();
        trees(&database, 0).write(&Placed::without_packs(&writes(&there)), Lasting::Later, || ()).unwrap();
        let (mut model, trees) = (before, trees(&database, bytes_max));
        for step in steps {
            match step {
                Step::Write(changes) => {
                    let writes = writes(&changes);
                    trees.write(&Placed::without_packs(&writes), Lasting::Later, || ()).unwrap();
                    for (key, value) in changes.into_iter().collect::<BTreeMap<_, _>>() {
                        match value {
                            Some(value) => model.insert(key, value),
                            None => model.remove(&key),
                        };
                    }
                }
                Step::Get(key) => {
                    let found = trees.get(Tree::Names, &key).unwrap().map(|value| value[0]);
                    prop_assert_eq!(found, model.get(&key).copied());
                }
                Step::AtOrBefore(key) => {
                    let found = trees.at_or_before(Tree::Names, &key).unwrap();
                    let found = found.map(|(key, value)| (key.to_vec(), value[0]));
                    prop_assert_eq!(found, model.range(..=key).next_back().map(|(key, value)| (key.clone(), *value)));
                }
                Step::Range(one, other, ends) => {
                    let (from, to) = (one.clone().min(other.clone()), one.max(other));
                    let (mut rows, mut expected) = (trees.range(Tree::Names, from.clone()..to.clone()), model.range(from..to));
                    for is_first in ends {
                        let (found, row) = match is_first {
                            true => (rows.next(), expected.next()),
                            false => (rows.next_back(), expected.next_back()),
                        };
                        let found = found.map(|row| row.unwrap()).map(|(key, value)| (key.to_vec(), value[0]));
                        prop_assert_eq!(found, row.map(|(key, value)| (key.clone(), *value)));
                    }
                }
            }
            prop_assert!(trees.0.bytes.load(Ordering::Relaxed) <= bytes_max.max(trees.0.near.iter().map(|near| near.lock().unwrap().bytes()).sum()));
        }
    }
}

#[test]
fn what_was_written_or_read_is_not_asked_for_again_and_what_failed_is() {
    let database = VirtualDatabase::by(Clock::standing_at(0), Clock::standing_at(0));
    let (trees, asked) = (trees(&database, 1 << 20), || database.asked());
    let written: Vec<_> = (0..200_u8).map(|n| (vec![n], Some(n))).collect();
    trees.write(&Placed::without_packs(&writes(&written)), Lasting::Later, || ()).unwrap();
    asked();
    assert_eq!(trees.get(Tree::Names, &[7]).unwrap().unwrap(), [7]);
    assert_eq!(asked(), 0, "it was written");
    database.set_away(true);
    assert!(trees.at_or_before(Tree::Names, &[255]).is_err());
    assert!(trees.get(Tree::Names, &[7, 7]).is_err() && trees.range(Tree::Names, ..).any(|row| row.is_err()));
    database.set_away(false);
    assert_eq!(trees.get(Tree::Names, &[7, 7]).unwrap(), None);
    assert_eq!(trees.range(Tree::Names, ..).count(), 200);
    asked();
    assert_eq!(trees.range(Tree::Names, ..).rev().count(), 200);
    assert_eq!(trees.at_or_before(Tree::Names, &[255, 1]).unwrap().unwrap().1, [199]);
    assert_eq!(trees.get(Tree::Names, &[7, 7, 7]).unwrap(), None);
    assert_eq!(asked(), 0, "all of it is known by now");
}

#[test]
fn who_looks_at_one_place_after_the_other_asks_once_for_what_lies_between() {
    let database = VirtualDatabase::by(Clock::standing_at(0), Clock::standing_at(0));
    let before: Vec<_> = (0..8_u8).map(|n| (vec![n * 20], Some(n))).collect();
    trees(&database, 0).write(&Placed::without_packs(&writes(&before)), Lasting::Later, || ()).unwrap();
    let (trees, asked) = (trees(&database, 1 << 20), || database.asked());
    asked();
    // As retention goes through what belongs to one event after the other.
    for key in 1..20_u8 {
        assert_eq!(trees.get(Tree::Names, &[key]).unwrap(), None);
    }
    assert_eq!(asked(), 1);
    for key in 21..40_u8 {
        assert_eq!(trees.at_or_before(Tree::Names, &[key]).unwrap().unwrap().1, [1]);
    }
    assert_eq!(asked(), 1);
    for key in 41..60_u8 {
        assert_eq!(trees.range(Tree::Names, vec![key]..vec![key + 1]).next().transpose().unwrap(), None);
    }
    assert_eq!(asked(), 1);
    for key in 141..200_u8 {
        assert_eq!(trees.range(Tree::Names, vec![key]..vec![key + 1]).next().transpose().unwrap(), None);
    }
    assert_eq!(asked(), 1, "to the end");
    // What is written there is met all the same.
    trees.write(&Placed::without_packs(&writes(&[(vec![50], Some(7))])), Lasting::Later, || ()).unwrap();
    assert_eq!(trees.get(Tree::Names, &[50]).unwrap().unwrap(), [7]);
    assert_eq!(trees.at_or_before(Tree::Names, &[55]).unwrap().unwrap().1, [7]);
    assert_eq!(asked(), 0, "it was written");
}

/// So many rows of one tree, as packs lie: a number, and one behind it.
fn rows(count: u32) -> (VirtualDatabase, OnDatabase) {
    let database = VirtualDatabase::by(Clock::standing_at(0), Clock::standing_at(0));
    let before: Vec<_> = (0..count).map(|n| (place(n), Some(1))).collect();
    trees(&database, 0).write(&Placed::without_packs(&writes(&before)), Lasting::Later, || ()).unwrap();
    let trees = trees(&database, 4 << 20);
    database.asked();
    (database, trees)
}

fn place(n: u32) -> Key {
    [[0, 0, 0, 1], (n * 10).to_be_bytes()].concat()
}

#[test]
fn who_goes_from_row_to_row_asks_once_for_many_and_who_looks_here_and_there_once_for_each() {
    const COUNT: u32 = 4_000;
    let (database, trees) = rows(COUNT);
    let at_or_before = |n: u32, behind: u32| {
        let key = [[0, 0, 0, 1], (n * 10 + behind).to_be_bytes()].concat();
        assert_eq!(trees.at_or_before(Tree::Names, &key).unwrap().unwrap().0, place(n));
    };
    // Two at a time, as retention behind a webhook's backlog, and each several times in each row.
    for n in 0..COUNT / 2 {
        (1..4).for_each(|behind| at_or_before(n, behind));
        (1..4).for_each(|behind| at_or_before(COUNT / 2 + n, behind));
    }
    let asked = database.asked();
    assert!(asked < 50, "{asked} questions for {COUNT} rows");
    let (database, trees) = rows(COUNT);
    // Each eighth, in no order: 1,699 and 500 have no factor in common.
    for n in (0..500).map(|n| n * 1_699 % 500 * (COUNT / 500)) {
        let key = [[0, 0, 0, 1], (n * 10 + 3).to_be_bytes()].concat();
        assert_eq!(trees.at_or_before(Tree::Names, &key).unwrap().unwrap().0, place(n));
    }
    let asked = database.asked();
    assert!((490..=500).contains(&asked), "{asked}");
}

#[test]
fn who_lists_part_after_part_asks_for_more_each_time() {
    const COUNT: u32 = 4_000;
    let (database, trees) = rows(COUNT);
    let (mut from, mut met) = (Key::new(), 0);
    while met < COUNT {
        let some: Vec<_> = trees.range(Tree::Names, from..).take(20).map(|row| row.unwrap().0.to_vec()).collect();
        assert_eq!(some, (met..met + 20).map(place).collect::<Vec<_>>());
        (from, met) = (Span::one(&place(met + 19)).to.unwrap(), met + 20);
    }
    let asked = database.asked();
    assert!(asked < 30, "{asked} questions for {COUNT} rows");
}

#[test]
fn who_reads_a_few_rows_loses_none_of_them_to_a_large_tree_that_nobody_uses() {
    let database = VirtualDatabase::by(Clock::standing_at(0), Clock::standing_at(0));
    let mut large = Writes::default();
    (0..1_000).for_each(|n| large.push_as_it_is(Tree::Chunks, place(n), Some(vec![1; 1_000])));
    let few: Vec<_> = (0..100).map(|n| (place(n), Some(1))).collect();
    for writes in [&large, &writes(&few)] {
        trees(&database, 0).write(&Placed::without_packs(writes), Lasting::Later, || ()).unwrap();
    }
    let trees = trees(&database, 500_000);
    assert_eq!(trees.range(Tree::Chunks, ..).count(), 1_000);
    database.asked();
    for _ in 0..20 {
        (0..100).for_each(|n| assert!(trees.get(Tree::Names, &place(n)).unwrap().is_some()));
    }
    let asked = database.asked();
    assert!(asked < 120, "{asked} questions for 100 rows");
}

#[test]
fn a_list_whose_first_rows_may_be_in_a_pack_that_cannot_be_asked_for_says_so() {
    let database = VirtualDatabase::by(Clock::standing_at(0), Clock::standing_at(0));
    let open = |name: &str| {
        let database = Some(Member::of_virtual(database.clone(), name, Clock::standing_at(0)));
        Trees::open(&Settings { database, ..Settings::at("unused") }, Arc::default()).unwrap()
    };
    let key = |n: u8| [&[0, 0, 0, 1][..], &[n; 16]].concat();
    let mut pack = Writes::default();
    (1..9).for_each(|n| pack.push(Tree::Events, key(n), Some(vec![n])));
    let trees = open("one");
    trees.write(&pack).unwrap();
    trees.close().unwrap();
    let trees = open("other");
    // That no pack begins behind it is near; the one before is not.
    assert_eq!(trees.of.range(Tree::Events, key(5)..key(9)).count(), 0);
    database.set_away(true);
    assert!(trees.range(Tree::Events, key(5)..key(9)).next().unwrap().is_err());
    assert!(trees.range(Tree::Events, key(5)..key(9)).next_back().unwrap().is_err());
    database.set_away(false);
    assert_eq!(trees.range(Tree::Events, key(5)..key(9)).map(Result::unwrap).count(), 4);
}

#[test]
fn a_backlog_that_is_not_near_and_what_goes_before_it_cost_few_questions() {
    const EVENTS: usize = 32;
    const BACKLOG: usize = 300;
    const ROUNDS: usize = 300;
    let database = VirtualDatabase::by(Clock::standing_at(0), Clock::standing_at(0));
    let member = Member::of_virtual(database.clone(), "one", Clock::standing_at(0));
    let retention = Retention { bytes_max: Some(12 << 20), ..Retention::default() };
    let master_keys = MasterKeySource::Text(Secret::master_key(&[7; 32]));
    let over = Settings { database: Some(member), master_keys, ..Settings::at("unused") };
    let mut bench = Bench::of(Settings { cache_bytes: 2 << 20, retention, ..over });
    let (webhook, mut dice) = (bench.webhook(), Dice::seeded(7));
    let mut publish = |bench: &mut Bench| {
        // Nothing that could be pressed.
        let mut data = || format!("\"{}\"", (0..60).map(|_| format!("{:016x}", dice.bits())).collect::<String>());
        let some = (0..EVENTS).map(|_| NewEvent { data: data().into(), ..event() }).collect();
        bench.now(|staging| staging.accept(1, some, None));
        bench.turn(5_000);
    };
    (0..BACKLOG).for_each(|_| publish(&mut bench));
    database.asked();
    let (mut sent, mut last) = (Vec::new(), None);
    for round in 0..ROUNDS {
        publish(&mut bench);
        let next = bench.store.fresh(webhook, last, EVENTS).unwrap();
        last = next.last().map(|delivery| delivery.id);
        for delivery in &next {
            assert!(bench.store.event_to_send(1, delivery.event).unwrap().is_some());
            sent.push(delivery.id);
        }
        // What is answered first is not what was sent first.
        let answered: Vec<_> = (0..sent.len()).filter(|n| n % 3 != round % 3).map(|n| sent[n]).collect();
        sent.retain(|id| !answered.contains(id));
        for some in answered.chunks(8) {
            some.iter().for_each(|id| bench.store.settle(settlement(*id, 1, bench.clock.now(), Next::Succeeded)));
            bench.rest();
        }
    }
    let asked = database.asked();
    let (all, there) = (EVENTS * (BACKLOG + ROUNDS), bench.keys(Tree::Events).len());
    println!("{asked} questions; {there} of {all} events are there; {} have ended", bench.keys(Tree::Closed).len());
    assert!(there < all * 3 / 4, "retention takes what has ended: {there}");
    assert!(asked < 400, "{asked} questions");
}
