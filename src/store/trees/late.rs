//! Rows that are written late: of deliveries that were never tried, most of which are tried, and removed again, within a moment.
//! Such a row costs as much as any other and says nothing that its event does not. So it is held here at first, where readers
//! find it as if it were written, and only one that stays is. What stays true: a crash loses all that is held, and each of those
//! rows can be made again from an event whose id is not below the floor, which stands on the disk (`store/late.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, RangeBounds};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use sled::IVec;

use super::checksum;
use super::held::Row;
use crate::domain::time::UnixMs;
use crate::store::layout::{Key, Tree};

/// The tree whose rows may be late.
pub const LATE: Tree = Tree::Fresh;
/// So many are held at most: what a start looks for after a crash, and some megabytes.
pub const HELD_MAX: usize = 16_384;

/// Rows that are held.
#[derive(Debug, Default)]
pub struct Late(RwLock<Held>);

#[derive(Debug, Default)]
struct Held {
    /// With their checksums, as they would lie on the disk.
    rows: BTreeMap<Key, IVec>,
    /// In the order in which they came; some have gone meanwhile.
    came: VecDeque<Key>,
    floor: Option<(u128, UnixMs)>,
}

/// What a group changes of what is held.
#[derive(Debug, Default)]
pub struct Change {
    /// Rows that come, in the order of their deliveries.
    pub come: Vec<(Key, Vec<u8>)>,
    /// Rows that go: they are removed, or written now.
    pub gone: Vec<Key>,
    /// Where the floor stands from now on, if it moves, and when it did.
    pub floor: Option<(u128, UnixMs)>,
}

impl Late {
    /// The row at this key.
    pub fn get(&self, key: &[u8]) -> Option<IVec> {
        self.held().rows.get(key).cloned()
    }

    /// Whether a row is held at this key.
    pub fn holds(&self, key: &[u8]) -> bool {
        self.held().rows.contains_key(key)
    }

    /// How many are held.
    pub fn count(&self) -> usize {
        self.held().rows.len()
    }

    /// The first keys in the order in which they came, as long as they are wanted, and so many at most.
    pub fn keys(&self, limit: usize, wanted: impl Fn(&Key) -> bool) -> Vec<Key> {
        let held = self.held();
        let there = held.came.iter().filter(|key| held.rows.contains_key(*key));
        there.take_while(|key| wanted(key)).take(limit).cloned().collect()
    }

    /// The first key that is wanted, in the order in which they came.
    pub fn first(&self, wanted: impl Fn(&Key) -> bool) -> Option<Key> {
        let held = self.held();
        held.came.iter().find(|key| held.rows.contains_key(*key) && wanted(key)).cloned()
    }

    /// An event id: no event below it has a row that is held. And when it was moved.
    pub fn floor(&self) -> Option<(u128, UnixMs)> {
        self.held().floor
    }

    /// The rows of a range, as they are now.
    pub fn range(&self, range: impl RangeBounds<Key>) -> VecDeque<Row> {
        self.some(range, usize::MAX)
    }

    /// So many of them, the first ones.
    pub fn some(&self, range: impl RangeBounds<Key>, limit: usize) -> VecDeque<Row> {
        if is_empty(&range) {
            return VecDeque::new();
        }
        self.held().rows.range::<Key, _>(range).take(limit).map(row).collect()
    }

    /// So many of them, the last ones, in the order of their keys.
    pub fn last(&self, range: impl RangeBounds<Key>, limit: usize) -> VecDeque<Row> {
        if is_empty(&range) {
            return VecDeque::new();
        }
        let mut last: VecDeque<Row> = self.held().rows.range::<Key, _>(range).rev().take(limit).map(row).collect();
        last.make_contiguous().reverse();
        last
    }

    /// The rows whose keys begin so, as they are now.
    pub fn prefix(&self, prefix: &[u8]) -> VecDeque<Row> {
        let held = self.held();
        let from = held.rows.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
        from.map(row).collect()
    }

    /// Begins a change: until it is done, or dropped because its group could not be written, nobody reads what is held. So whoever has
    /// seen what the group wrote sees no row as held any more that it has taken elsewhere.
    pub fn begin<'a>(&'a self, change: &'a Change) -> Option<Changing<'a>> {
        let changes = !change.come.is_empty() || !change.gone.is_empty() || change.floor.is_some();
        changes.then(|| Changing { held: self.held_mut(), change })
    }

    /// The same of what need not wait for anything to be written.
    pub fn change(&self, change: &Change) {
        self.begin(change).into_iter().for_each(Changing::done);
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.0.read().expect("no holder of the lock panics")
    }

    fn held_mut(&self) -> RwLockWriteGuard<'_, Held> {
        self.0.write().expect("no holder of the lock panics")
    }
}

fn row((key, value): (&Key, &IVec)) -> Row {
    (IVec::from(key.as_slice()), value.clone())
}

/// Whether nothing can lie in a range; a map does not take one whose end is before its start.
fn is_empty(range: &impl RangeBounds<Key>) -> bool {
    match (range.start_bound(), range.end_bound()) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        _ => false,
    }
}

/// A change that has begun.
pub struct Changing<'a> {
    held: RwLockWriteGuard<'a, Held>,
    change: &'a Change,
}

impl Changing<'_> {
    /// Its group is written.
    pub fn done(mut self) {
        let Held { rows, came, floor } = &mut *self.held;
        *floor = self.change.floor.or(*floor);
        for (key, value) in &self.change.come {
            let stored = checksum::with(LATE, key, value.clone());
            if rows.insert(key.clone(), IVec::from(stored)).is_none() {
                came.push_back(key.clone());
            }
        }
        for key in &self.change.gone {
            rows.remove(key);
        }
        while came.front().is_some_and(|key| !rows.contains_key(key)) {
            came.pop_front();
        }
        // One that stays long would keep the keys of all that have come and gone since.
        if came.len() > 2 * HELD_MAX {
            came.retain(|key| rows.contains_key(key));
        }
    }
}

/// Rows of the disk and those that are held, as one range, from either end.
pub struct Merged<T> {
    held: VecDeque<Row>,
    /// The next row of the disk at each end, once it was looked at.
    front: Option<Row>,
    back: Option<Row>,
    disk: T,
}

impl<T> Merged<T> {
    /// What was held was looked up before the disk is: a row that is written meanwhile is in both, and shown once.
    pub fn of(held: VecDeque<Row>, disk: T) -> Self {
        Self { held, front: None, back: None, disk }
    }

    /// The next row from the front; `next` and the other end's look at the disk.
    pub fn next<E>(&mut self, next: impl FnOnce(&mut T) -> Option<Result<Row, E>>) -> Option<Result<Row, E>> {
        if self.held.is_empty() && self.front.is_none() {
            return next(&mut self.disk).or_else(|| self.back.take().map(Ok));
        }
        if self.front.is_none() {
            self.front = match next(&mut self.disk) {
                Some(Ok(row)) => Some(row),
                Some(failed) => return Some(failed),
                None => self.back.take(),
            };
        }
        let take_held = match (self.held.front(), &self.front) {
            (Some((held, _)), Some((disk, _))) if held == disk => {
                self.front = None;
                true
            }
            (Some((held, _)), Some((disk, _))) => held < disk,
            (held, _) => held.is_some(),
        };
        if take_held { self.held.pop_front().map(Ok) } else { self.front.take().map(Ok) }
    }

    /// The next row from the back.
    pub fn next_back<E>(&mut self, next: impl FnOnce(&mut T) -> Option<Result<Row, E>>) -> Option<Result<Row, E>> {
        if self.held.is_empty() && self.back.is_none() {
            return next(&mut self.disk).or_else(|| self.front.take().map(Ok));
        }
        if self.back.is_none() {
            self.back = match next(&mut self.disk) {
                Some(Ok(row)) => Some(row),
                Some(failed) => return Some(failed),
                None => self.front.take(),
            };
        }
        let take_held = match (self.held.back(), &self.back) {
            (Some((held, _)), Some((disk, _))) if held == disk => {
                self.back = None;
                true
            }
            (Some((held, _)), Some((disk, _))) => held > disk,
            (held, _) => held.is_some(),
        };
        if take_held { self.held.pop_back().map(Ok) } else { self.back.take().map(Ok) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: u8) -> Row {
        (IVec::from(&[key]), IVec::from(&[key, 1]))
    }

    fn merged(held: &[u8], disk: &[u8]) -> Merged<VecDeque<Row>> {
        Merged::of(held.iter().copied().map(row).collect(), disk.iter().copied().map(row).collect())
    }

    #[test]
    fn rows_of_both_come_in_order_and_each_once_from_any_mix_of_ends() {
        let cases: [(&[u8], &[u8]); 6] =
            [(&[], &[1, 2]), (&[1, 2], &[]), (&[2, 4], &[1, 3, 5]), (&[1, 2], &[2, 3]), (&[3], &[1, 2]), (&[1], &[1])];
        for (held, disk) in cases {
            let mut all: Vec<u8> = held.iter().chain(disk).copied().collect();
            all.sort_unstable();
            all.dedup();
            // Each bit says from which end one is taken.
            for ends in 0..1_u32 << all.len() {
                let (mut rows, mut front, mut back) = (merged(held, disk), Vec::new(), Vec::new());
                for n in 0..all.len() {
                    let taken = if ends >> n & 1 == 0 {
                        rows.next(|disk| disk.pop_front().map(Ok::<_, ()>)).map(|row| front.push(row.unwrap().0[0]))
                    } else {
                        rows.next_back(|disk| disk.pop_back().map(Ok::<_, ()>)).map(|row| back.push(row.unwrap().0[0]))
                    };
                    assert_eq!(taken, Some(()), "{held:?} {disk:?} {ends:b}: {n}");
                }
                front.extend(back.iter().rev());
                assert_eq!(front, all, "{held:?} {disk:?} {ends:b}");
                assert_eq!(rows.next(|disk| disk.pop_front().map(Ok::<_, ()>)), None);
                assert_eq!(rows.next_back(|disk| disk.pop_back().map(Ok::<_, ()>)), None);
            }
        }
    }

    #[test]
    fn what_fails_is_told_in_its_turn_and_the_held_rows_follow() {
        let mut rows = merged(&[1], &[]);
        assert_eq!(rows.next(|_| Some(Err("torn"))), Some(Err("torn")));
        assert_eq!(rows.next(|_| None::<Result<Row, &str>>), Some(Ok(row(1))));
    }

    #[test]
    fn what_comes_is_found_until_it_goes() {
        let late = Late::default();
        let key = |n: u8| vec![7, n];
        let come = vec![(key(2), vec![9]), (key(1), vec![8])];
        late.change(&Change { come, floor: Some((3, 4)), ..Change::default() });
        assert_eq!(late.get(&key(2)).map(|stored| stored[0]), Some(9));
        let keys = |rows: VecDeque<Row>| rows.iter().map(|(key, _)| key[1]).collect::<Vec<_>>();
        assert_eq!(keys(late.prefix(&[7])), [1, 2]);
        assert_eq!(keys(late.range(key(2)..)), [2]);
        assert_eq!(keys(late.some(key(0).., 1)), [1]);
        assert_eq!((keys(late.last(key(0).., 1)), keys(late.last(key(0)..key(9), 9))), (vec![2], vec![1, 2]));
        assert_eq!((keys(late.range(key(2)..key(2))), keys(late.last(key(2)..key(1), 1))), (vec![], vec![]));
        assert_eq!(late.keys(9, |_| true), [key(2), key(1)], "as they came");
        assert_eq!(late.keys(1, |_| true), [key(2)]);
        assert_eq!(late.keys(9, |key| key[1] == 1), [[0; 0]; 0], "the first is not wanted");
        assert_eq!(late.first(|key| key[1] == 1), Some(key(1)));
        late.change(&Change { gone: vec![key(2)], ..Change::default() });
        assert!(!late.holds(&key(2)) && late.holds(&key(1)));
        assert_eq!((late.keys(9, |_| true), late.count(), late.floor()), (vec![key(1)], 1, Some((3, 4))));
    }
}
