//! The rows of a range, of what lies there: those of packs come one by one. What stays true: each row that was there all the
//! while comes once, in order, from either end, while packs are written anew and parted.

use std::collections::VecDeque;
use std::ops::Bound;

use super::held::Row;
use super::packs;
use crate::store::error::StoreError;
use crate::store::layout::{Key, Tree};

type Range = (Bound<Key>, Bound<Key>);

/// The rows of what lies in a range of a tree.
pub struct Unpacking<T> {
    lying: T,
    /// Where there may be packs: the tree, the range of the rows, and what is taken of a pack at each end.
    packed: Option<Packed>,
}

struct Packed {
    tree: Tree,
    range: Range,
    front: VecDeque<Row>,
    back: VecDeque<Row>,
    /// Why it is not known whether a pack before the range has its first rows.
    failed: Option<StoreError>,
    /// The last row that was met from the front: a pack that is parted meanwhile has rows at a later place that were met at the
    /// place before.
    met: Key,
}

/// The range of what lies in a tree in which rows of this range are; `pack_before` gives the place of the pack, if one it is, at or
/// before a key.
pub fn wider(range: Range, pack_before: impl FnOnce(&[u8]) -> Option<Key>) -> Range {
    let (from, to) = range;
    let from = match from {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(key) => Bound::Included(pack_before(&packs::place(&key)).unwrap_or(key)),
        Bound::Excluded(key) => match pack_before(&packs::place(&key)) {
            Some(place) => Bound::Included(place),
            None => Bound::Excluded(key),
        },
    };
    let to = match to {
        Bound::Included(key) => Bound::Included(packs::place(&key)),
        other => other,
    };
    (from, to)
}

impl<T> Unpacking<T> {
    /// Of a tree without packs.
    pub fn none(lying: T) -> Self {
        Self { lying, packed: None }
    }

    /// Of this tree: those of the range.
    pub fn of(tree: Tree, range: Range, lying: T) -> Self {
        let (front, back, failed, met) = Default::default();
        Self { lying, packed: Some(Packed { tree, range, front, back, failed, met }) }
    }

    /// Where it could not be told whether a pack before has the first rows: that is told in their place.
    pub fn unless(mut self, failed: Option<StoreError>) -> Self {
        if let Some(packed) = &mut self.packed {
            packed.failed = failed;
        }
        self
    }
}

impl Packed {
    /// The rows of the range in what lies there: those of a pack, or itself.
    fn rows(&self, (at, stored): Row) -> VecDeque<Row> {
        let is_in = |(key, _): &Row| {
            let from = match &self.range.0 {
                Bound::Included(from) => key[..] >= from[..],
                Bound::Excluded(from) => key[..] > from[..],
                Bound::Unbounded => true,
            };
            let to = match &self.range.1 {
                Bound::Included(to) => key[..] <= to[..],
                Bound::Excluded(to) => key[..] < to[..],
                Bound::Unbounded => true,
            };
            from && to && (self.met.is_empty() || key[..] > self.met[..])
        };
        if !packs::is_place(&at) {
            return std::iter::once((at, stored)).filter(is_in).collect();
        }
        let rows = packs::look_into(self.tree, &at, &stored, |pack| pack.rows().filter(is_in).collect());
        // One of which nothing can be told is its first row.
        rows.unwrap_or_else(|| std::iter::once((packs::first_of(&at), stored)).filter(is_in).collect())
    }
}

impl<T: DoubleEndedIterator<Item = Result<Row, StoreError>>> Iterator for Unpacking<T> {
    type Item = T::Item;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(packed) = &mut self.packed else { return self.lying.next() };
        if let Some(failed) = packed.failed.take() {
            return Some(Err(failed));
        }
        loop {
            if let Some(row) = packed.front.pop_front() {
                packed.met.clear();
                packed.met.extend_from_slice(&row.0);
                return Some(Ok(row));
            }
            match self.lying.next() {
                Some(Ok(there)) => packed.front = packed.rows(there),
                Some(failed) => return Some(failed),
                None => return packed.back.pop_front().map(Ok),
            }
        }
    }
}

impl<T: DoubleEndedIterator<Item = Result<Row, StoreError>>> DoubleEndedIterator for Unpacking<T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let Some(packed) = &mut self.packed else { return self.lying.next_back() };
        loop {
            if let Some(row) = packed.back.pop_back() {
                return Some(Ok(row));
            }
            match self.lying.next_back() {
                Some(Ok(there)) => packed.back = packed.rows(there),
                Some(failed) => return Some(failed),
                None => return packed.front.pop_back().map(Ok).or_else(|| packed.failed.take().map(Err)),
            }
        }
    }
}
