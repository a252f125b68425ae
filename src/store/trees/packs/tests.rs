//! Packs by random groups against a plain map, and damaged bit by bit.

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;

use super::super::checksum;
use super::super::placing::{Changed, Lying, Placed};
use super::super::pressed::unpressings;
use super::super::unpacking::{Unpacking, wider};
use super::super::writes::Writes;
use super::*;
use crate::store::error::StoreError;

const TREE: Tree = Tree::Closed;

/// What lies in a tree.
#[derive(Debug, Clone, Default)]
struct Lies(BTreeMap<Key, IVec>);

impl Lying for Lies {
    fn at_or_before(&self, _: Tree, key: &[u8]) -> Result<Option<Row>, StoreError> {
        Ok(self.0.range(..=key.to_vec()).next_back().map(|(at, stored)| (IVec::from(at.as_slice()), stored.clone())))
    }

    fn after(&self, _: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        let from = (Bound::Excluded(key.to_vec()), Bound::Unbounded);
        Ok(self.0.range::<Key, _>(from).next().map(|(at, _)| IVec::from(at.as_slice())))
    }
}

/// The key of a row: one of two numbers, and an id.
fn key(number: u8, id: u16) -> Key {
    let mut key = vec![0; KEY_BYTES];
    key[PREFIX_BYTES - 1] = number;
    key[KEY_BYTES - 2..].copy_from_slice(&id.to_be_bytes());
    key
}

impl Lies {
    fn write(&mut self, changes: &[(Key, Option<Vec<u8>>)]) -> Vec<Changed> {
        self.write_to(TREE, changes)
    }

    fn write_to(&mut self, tree: Tree, changes: &[(Key, Option<Vec<u8>>)]) -> Vec<Changed> {
        let mut writes = Writes::default();
        changes.iter().for_each(|(key, value)| writes.push_as_it_is(tree, key.clone(), value.clone()));
        let placed = Placed::of(&writes, self).unwrap();
        for (at, value) in placed.by_tree().flat_map(|(_, changes)| changes) {
            match value {
                Some(value) => self.0.insert(at.clone(), IVec::from(value.as_slice())),
                None => self.0.remove(at),
            };
        }
        placed.changed
    }

    fn get(&self, key: &[u8]) -> Option<IVec> {
        let (at, stored) = self.at_or_before(TREE, &place(key)).unwrap()?;
        match is_place(&at) {
            true => Pack::read(TREE, &at, stored).unwrap().find(key),
            false => (at == key).then_some(stored),
        }
    }

    fn rows(&self, range: (Bound<Key>, Bound<Key>)) -> Unpacking<std::vec::IntoIter<Result<Row, StoreError>>> {
        let lying = wider(range.clone(), |key| {
            let there = self.at_or_before(TREE, key).unwrap();
            there.map(|(at, _)| at.to_vec()).filter(|at| is_place(at))
        });
        let is_empty = match (&lying.0, &lying.1) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        };
        let there = if is_empty { Vec::new() } else { self.0.range::<Key, _>(lying).collect() };
        let there: Vec<_> =
            there.into_iter().map(|(at, stored)| Ok((IVec::from(at.as_slice()), stored.clone()))).collect();
        Unpacking::of(TREE, range, there.into_iter())
    }

    /// Where each row lies.
    fn places(&self) -> BTreeMap<Key, Key> {
        let rows = |(at, stored): (&Key, &IVec)| {
            let pack = if is_place(at) { Pack::read(TREE, at, stored.clone()) } else { None };
            let keys = pack.map_or(vec![at.clone()], |pack| pack.rows().map(|(key, _)| key.to_vec()).collect());
            keys.into_iter().map(|key| (key, at.clone())).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(rows).collect()
    }

    /// Every pack is whole, none is too long, and nothing lies between the first row of one and its last.
    fn check(&self) {
        for (at, stored) in self.0.iter().filter(|(at, _)| is_place(at)) {
            let pack = Pack::read(TREE, at, stored.clone()).unwrap();
            assert!(pack.rows().all(|(key, _)| place(&key) >= *at) && stored.len() < 6 * pack_bytes(TREE));
            let (last, _) = pack.rows().next_back().unwrap();
            let between = (Bound::Excluded(at.clone()), Bound::Included(place(&last)));
            assert_eq!(self.0.range::<Key, _>(between).count(), 0);
        }
    }
}

fn bound(keys: impl Strategy<Value = Key> + Clone + 'static) -> impl Strategy<Value = Bound<Key>> {
    prop_oneof![
        Just(Bound::Unbounded),
        keys.clone().prop_map(Bound::Included),
        keys.clone().prop_map(Bound::Excluded),
        keys.prop_map(|key| Bound::Excluded(key[..PREFIX_BYTES].to_vec())),
    ]
}

proptest! {
    #[test]
    fn rows_are_what_was_written_whatever_lies_together(
        groups in prop::collection::vec(
            prop::collection::btree_map(
                (1..3_u8, 0..60_u16).prop_map(|(number, id)| key(number, id)),
                prop::option::weighted(0.8, (0..5_usize, any::<u8>())),
                1..40,
            ),
            1..12,
        ),
        from in bound((1..3_u8, 0..60_u16).prop_map(|(number, id)| key(number, id))),
        to in bound((1..3_u8, 0..60_u16).prop_map(|(number, id)| key(number, id))),
        ends in any::<u64>(),
    ) {
        const BYTES: [usize; 5] = [1, 40, 400, 3000, 5000];
        let (mut lies, mut rows) = (Lies::default(), BTreeMap::new());
        for group in groups {
            let changes: Vec<_> = group.into_iter().map(|(key, value)| {
                (key, value.map(|(bytes, fill)| vec![fill; BYTES[bytes]]))
            }).collect();
            let before = lies.places();
            let changed = lies.write(&changes);
            lies.check();
            for (key, at) in lies.places() {
                prop_assert!(before.get(&key).is_none_or(|before| *before <= at), "{:?} moved to a smaller key", key);
            }
            for ((key, value), changed) in changes.into_iter().zip(changed) {
                let before = match value.clone() {
                    Some(value) => rows.insert(key.clone(), value),
                    None => rows.remove(&key),
                };
                let stored = |value: Option<Vec<u8>>| value.map(|value| IVec::from(value.as_slice()));
                prop_assert_eq!(changed, Changed { tree: TREE, key, before: stored(before), after: stored(value) });
            }
        }
        for number in 1..3 {
            for id in 0..60 {
                let key = key(number, id);
                prop_assert_eq!(lies.get(&key).map(|stored| stored.to_vec()), rows.get(&key).cloned());
            }
        }
        let is_in = |key: &Key| {
            (match &from { Bound::Included(from) => key >= from, Bound::Excluded(from) => key > from, Bound::Unbounded => true })
                && (match &to { Bound::Included(to) => key <= to, Bound::Excluded(to) => key < to, Bound::Unbounded => true })
        };
        let expected: Vec<_> = rows.into_iter().filter(|(key, _)| is_in(key)).collect();
        let (mut listed, mut front, mut back) = (lies.rows((from, to)), Vec::new(), Vec::new());
        for n in 0.. {
            let is_front = ends >> (n % 64) & 1 == 0;
            let row = if is_front { listed.next() } else { listed.next_back() };
            let Some(row) = row else { break };
            let (key, stored) = row.unwrap();
            if is_front { &mut front } else { &mut back }.push((key.to_vec(), stored.to_vec()));
        }
        front.extend(back.into_iter().rev());
        prop_assert_eq!(front, expected);
    }
}

#[test]
fn rows_of_one_group_lie_together_and_one_alone_lies_alone() {
    let mut lies = Lies::default();
    let rows = |ids: std::ops::Range<u16>| ids.map(|id| (key(1, id), Some(vec![7; 400]))).collect::<Vec<_>>();
    lies.write(&rows(0..40));
    let packs = lies.0.len();
    assert!((2..=4).contains(&packs), "{packs}");
    lies.write(&rows(40..41));
    assert_eq!(lies.0.len(), packs + 1);
    assert!(lies.0.contains_key(&key(1, 40)), "as it was before there were packs");
    lies.write(&[(key(1, 50), Some(vec![7; 5000])), (key(1, 51), Some(vec![7])), (key(2, 0), Some(vec![7]))]);
    assert_eq!(lies.0.len(), packs + 4, "long ones, and those of others, lie alone");
    // One in between is written into the pack in which it belongs.
    lies.write(&[(key(1, 3), None), (key(1, 4), Some(vec![8]))]);
    assert_eq!((lies.0.len(), lies.get(&key(1, 3)), lies.get(&key(1, 4))), (packs + 4, None, Some(IVec::from(&[8]))));
    lies.write(&(0..40).map(|id| (key(1, id), None)).collect::<Vec<_>>());
    assert_eq!(lies.0.len(), 4, "an empty pack goes");
}

/// A pack of rows with their checksums, and its place.
fn pack_of(tree: Tree) -> (Key, Vec<u8>, Vec<(Key, IVec)>) {
    let row = |id: u16| {
        let (key, value) = (key(1, id), format!("{id}: the same words again and again").repeat(9));
        let stored = checksum::with(tree, &key, value.into_bytes());
        (key, IVec::from(stored))
    };
    let rows: Vec<_> = (3..8).map(row).collect();
    let at = place(&rows[0].0);
    (at.clone(), written(tree, &at, &rows), rows)
}

/// The rows that are whole, and how many more are told.
fn met(tree: Tree, at: &Key, stored: &[u8]) -> (Vec<(Key, IVec)>, usize) {
    let all = (Bound::Unbounded, Bound::Unbounded);
    let lying = [Ok((IVec::from(at.as_slice()), IVec::from(stored)))].into_iter();
    let listed: Vec<_> = Unpacking::of(tree, all, lying).map(Result::unwrap).collect();
    let is_whole = |(key, stored): &&Row| checksum::without(tree, key, stored.clone()).is_ok();
    let whole: Vec<_> = listed.iter().filter(is_whole).map(|(key, stored)| (key.to_vec(), stored.clone())).collect();
    let told = listed.len() - whole.len();
    (whole, told)
}

#[test]
fn no_bit_flips_unseen_and_few_cost_more_than_a_row() {
    for tree in [Tree::Events, Tree::Closed] {
        let (at, stored, rows) = pack_of(tree);
        let all: usize = rows.iter().map(|(_, stored)| stored.len()).sum();
        assert_eq!(stored.len() < all / 2, is_pressed(tree));
        assert_eq!(met(tree, &at, &stored), (rows.clone(), 0));
        let frame = COUNT_BYTES + rows.len() * ENTRY_BYTES + SUM_BYTES;
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (whole, told) = met(tree, &at, &flipped);
            assert!(whole.iter().all(|row| rows.contains(row)), "{tree:?}, bit {bit}");
            assert!(told > 0 || whole == rows, "{tree:?}, bit {bit}: what is not whole is told");
            if bit / 8 >= frame {
                assert_eq!(whole.len() + told, rows.len(), "{tree:?}, bit {bit}: each row is told");
                assert!(is_pressed(tree) || told == 1, "{tree:?}, bit {bit}: it costs its row");
            }
            // What one reader meets, others do.
            for (key, _) in &rows {
                let found = find_in(tree, &IVec::from(at.as_slice()), IVec::from(&*flipped), key);
                let is_whole = found.is_some_and(|found| checksum::without(tree, key, found).is_ok());
                assert_eq!(is_whole, whole.iter().any(|(of, _)| of == key), "{tree:?}, bit {bit}");
            }
        }
        for bytes in 1..stored.len() {
            let (whole, told) = met(tree, &at, &stored[..bytes]);
            assert!(whole.is_empty() && told > 0, "{tree:?}, cut at {bytes}");
        }
        assert_eq!(met(tree, &place(&key(1, 9)), &stored), (Vec::new(), 1), "its rows cannot lie there");
    }
}

#[test]
fn a_pack_is_unpressed_once_for_whoever_goes_on_from_row_to_row_and_for_other_threads() {
    let (at, stored, rows) = pack_of(Tree::Events);
    assert!(rows.len() > 2);
    let go_through = |stored: &IVec| {
        let before = unpressings();
        for (key, row) in &rows {
            let range = (Bound::Included(key.clone()), Bound::Unbounded);
            let there = std::iter::once(Ok((IVec::from(at.as_slice()), stored.clone())));
            let next = Unpacking::of(Tree::Events, range, there.collect::<Vec<_>>().into_iter()).next();
            assert_eq!(next.map(Result::unwrap), Some((IVec::from(key.as_slice()), row.clone())));
            assert_eq!(find_in(Tree::Events, &IVec::from(at.as_slice()), stored.clone(), key), Some(row.clone()));
        }
        unpressings() - before
    };
    let of_another = |stored: &IVec| std::thread::scope(|scope| scope.spawn(|| go_through(stored)).join().unwrap());
    let tried = || {
        let stored = IVec::from(stored.as_slice());
        (go_through(&stored), of_another(&stored))
    };
    // What other tests look into meanwhile may put one out of its place.
    assert!((0..20).any(|_| tried() == (1, 0)), "{:?}", tried());
}

#[test]
fn of_a_pack_that_is_damaged_each_row_can_be_taken_out_and_the_last_takes_it_away() {
    for (tree, byte) in
        [(Tree::Events, 0), (Tree::Events, 1), (Tree::Closed, 0), (Tree::Closed, 1), (Tree::Events, 150)]
    {
        let (at, mut stored, rows) = pack_of(tree);
        stored[byte] ^= 1;
        let mut lies = Lies(BTreeMap::from([(at.clone(), IVec::from(stored))]));
        // It goes as often as something is told there.
        for n in 0.. {
            let Some((at, stored)) = lies.0.first_key_value() else { break };
            assert!(n < rows.len(), "{tree:?}, {byte}");
            let (at, stored) = (at.clone(), stored.to_vec());
            let listed = Unpacking::of(
                tree,
                (Bound::Unbounded, Bound::Unbounded),
                [Ok((IVec::from(at), IVec::from(stored)))].into_iter(),
            );
            let keys: Vec<_> = listed.map(|row: Result<Row, StoreError>| row.unwrap().0.to_vec()).collect();
            let changed = lies.write_to(tree, &[(keys[0].clone(), None)]);
            assert!(changed[0].before.is_some());
        }
    }
}

/// Who lists rows while a pack is parted meets each once.
#[test]
fn a_pack_that_is_parted_while_rows_are_listed_hides_none_and_shows_none_twice() {
    let mut lies = Lies::default();
    lies.write(&(0..20).map(|id| (key(1, id * 2), Some(vec![7; 300]))).collect::<Vec<_>>());
    let before = lies.clone();
    lies.write(&(0..19).map(|id| (key(1, id * 2 + 1), Some(vec![8; 3000]))).collect::<Vec<_>>());
    assert!(lies.0.len() > before.0.len() + 2, "it was parted");
    // What lay there before, up to a place, and what lies behind it now.
    for at in before.0.keys() {
        let old = before.0.range(..=at.clone());
        let new = lies.0.range::<Key, _>((Bound::Excluded(at.clone()), Bound::Unbounded));
        let there: Vec<_> =
            old.chain(new).map(|(at, stored)| Ok((IVec::from(at.as_slice()), stored.clone()))).collect();
        let listed = Unpacking::of(TREE, (Bound::Unbounded, Bound::Unbounded), there.into_iter());
        let ids: Vec<u16> = listed
            .map(|row: Result<Row, StoreError>| u16::from_be_bytes(*row.unwrap().0.last_chunk().unwrap()))
            .collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        assert_eq!(ids.iter().filter(|id| *id % 2 == 0).count(), 20, "{ids:?}");
    }
}
