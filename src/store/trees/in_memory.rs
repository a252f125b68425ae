//! The store in memory, for tests that run thousands of stores: the same trees as maps. What was written outlives the
//! store that wrote it, as a directory would, for as long as a handle of the memory is kept.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, RwLock, RwLockReadGuard};

use sled::IVec;

use super::writes::Writes;
use crate::store::layout::{Key, Tree};

type Map = BTreeMap<Key, IVec>;

/// Trees in memory; clones are handles of the same trees.
#[derive(Debug, Clone)]
pub struct Memory(Arc<RwLock<Vec<Map>>>);

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(vec![Map::new(); Tree::ALL.len()])))
    }
}

impl Memory {
    pub(super) fn get(&self, tree: Tree, key: &[u8]) -> Option<IVec> {
        self.trees()[tree as usize].get(key).cloned()
    }

    pub(super) fn range(&self, tree: Tree, range: impl RangeBounds<Key>) -> MemoryRows {
        let (from, to) = (range.start_bound().cloned(), range.end_bound().cloned());
        MemoryRows { memory: self.clone(), tree, from, to }
    }

    pub(super) fn prefix(&self, tree: Tree, prefix: &[u8]) -> MemoryRows {
        // The first key after all that begin so: the prefix, with its last byte that can grow grown.
        let mut end = prefix.to_vec();
        while end.last() == Some(&u8::MAX) {
            end.pop();
        }
        let to = match end.last_mut() {
            Some(last) => {
                *last += 1;
                Bound::Excluded(end)
            }
            None => Bound::Unbounded,
        };
        MemoryRows { memory: self.clone(), tree, from: Bound::Included(prefix.to_vec()), to }
    }

    pub(super) fn write(&self, writes: &Writes) {
        let mut trees = self.0.write().expect("no holder of the lock panics");
        for (tree, changes) in trees.iter_mut().zip(writes.by_tree()) {
            for (key, value) in changes {
                match value {
                    Some(value) => tree.insert(key.clone(), IVec::from(value.as_slice())),
                    None => tree.remove(key),
                };
            }
        }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.trees().iter().flatten().map(|(key, value)| (key.len() + value.len()) as u64).sum()
    }

    fn trees(&self) -> RwLockReadGuard<'_, Vec<Map>> {
        self.0.read().expect("no holder of the lock panics")
    }
}

/// Rows of a range: what is left of it is looked up anew for each row.
pub struct MemoryRows {
    memory: Memory,
    tree: Tree,
    from: Bound<Key>,
    to: Bound<Key>,
}

impl MemoryRows {
    fn row(&self, pick: impl FnOnce(&Map, (Bound<&Key>, Bound<&Key>)) -> Option<(Key, IVec)>) -> Option<(Key, IVec)> {
        let is_empty = match (&self.from, &self.to) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        };
        let trees = self.memory.trees();
        if is_empty { None } else { pick(&trees[self.tree as usize], (self.from.as_ref(), self.to.as_ref())) }
    }
}

impl Iterator for MemoryRows {
    type Item = (IVec, IVec);

    fn next(&mut self) -> Option<(IVec, IVec)> {
        let (key, value) =
            self.row(|map, range| map.range::<Key, _>(range).next().map(|(k, v)| (k.clone(), v.clone())))?;
        let row = (IVec::from(key.as_slice()), value);
        self.from = Bound::Excluded(key);
        Some(row)
    }
}

impl DoubleEndedIterator for MemoryRows {
    fn next_back(&mut self) -> Option<(IVec, IVec)> {
        let (key, value) =
            self.row(|map, range| map.range::<Key, _>(range).next_back().map(|(k, v)| (k.clone(), v.clone())))?;
        let row = (IVec::from(key.as_slice()), value);
        self.to = Bound::Excluded(key);
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_what_lies_between_its_ends_from_either_of_them() {
        let memory = Memory::default();
        let mut writes = Writes::default();
        (1..=3).for_each(|key| writes.push_as_it_is(Tree::Names, vec![key], Some(vec![key])));
        memory.write(&writes);
        let keys = |rows: MemoryRows| rows.map(|(key, _)| key[0]).collect::<Vec<_>>();
        let range = |from: u8, to: u8| (vec![from], vec![to]);
        let (one, three) = range(1, 3);
        assert_eq!(keys(memory.range(Tree::Names, one.clone()..three.clone())), [1, 2]);
        assert_eq!(keys(memory.range(Tree::Names, one.clone()..=three.clone())), [1, 2, 3]);
        assert_eq!(keys(memory.range(Tree::Names, one.clone()..=one.clone())), [1]);
        assert_eq!(keys(memory.range(Tree::Names, one.clone()..one.clone())), [0; 0]);
        assert_eq!(keys(memory.range(Tree::Names, three.clone()..=one.clone())), [0; 0]);
        let mut rows = memory.range(Tree::Names, one..=three);
        assert_eq!(
            [rows.next_back(), rows.next(), rows.next_back()].map(|row| row.map(|(key, _)| key[0])),
            [3, 1, 2].map(Some)
        );
        assert!(rows.next().is_none() && rows.next_back().is_none());
    }
}
