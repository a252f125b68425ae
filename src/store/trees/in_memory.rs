//! The store in memory, for tests that run thousands of stores: the same trees as maps. What was written outlives the
//! store that wrote it, as a directory would, for as long as a handle of the memory is kept; and a test can let it fail as a
//! disk does: a write that is refused, a sync that fails and loses what it should have kept, a power cut, a damaged row.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sled::IVec;

use super::held::Row;
use super::packs::{Pack, first_of, is_place};
use super::placing::Placed;
use crate::store::error::StoreError;
use crate::store::layout::{Key, Tree};

type Map = BTreeMap<Key, IVec>;

/// Trees in memory; clones are handles of the same trees.
#[derive(Debug, Clone)]
pub struct Memory(Arc<RwLock<Held>>);

#[derive(Debug)]
struct Held {
    trees: Vec<Map>,
    /// What lay where something was written since the last sync, in the order of the writes.
    unsynced: Vec<(Tree, Key, Option<IVec>)>,
    /// What fails once.
    fault: Option<Fault>,
    /// Rows that lie on a page which cannot be read: those of this tree whose keys begin so.
    torn: Option<(Tree, Key)>,
}

/// What can be told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The next write changes nothing.
    Write,
    /// The next sync loses all that was written since the last one, as a disk may whose cached pages were dropped.
    Sync,
}

fn named(tree: &str) -> Tree {
    Tree::ALL.into_iter().find(|(_, name)| *name == tree).expect("there is such a tree").0
}

impl Default for Memory {
    fn default() -> Self {
        let trees = vec![Map::new(); Tree::ALL.len()];
        Self(Arc::new(RwLock::new(Held { trees, unsynced: Vec::new(), fault: None, torn: None })))
    }
}

impl Memory {
    /// Lets something fail once.
    pub fn fail_once(&self, fault: Fault) {
        self.held_mut().fault = Some(fault);
    }

    /// Whether a power cut would lose nothing.
    pub fn is_synced(&self) -> bool {
        self.held().unsynced.is_empty()
    }

    /// Loses what was written since the last sync, as a power cut does.
    pub fn lose_unsynced(&self) {
        let Held { trees, unsynced, .. } = &mut *self.held_mut();
        for (tree, key, before) in unsynced.drain(..).rev() {
            match before {
                Some(value) => trees[tree as usize].insert(key, value),
                None => trees[tree as usize].remove(&key),
            };
        }
    }

    /// Flips a bit in the tree of this name, and gives the keys of the rows that are not as they were; none if no row there has a value.
    /// `dice` throws where.
    pub fn damage(&self, tree: &str, dice: u64) -> Vec<Vec<u8>> {
        let rows = &mut self.held_mut().trees[named(tree) as usize];
        let mut lie: Vec<_> = rows.iter_mut().filter(|(_, value)| !value.is_empty()).collect();
        let count = lie.len().max(1) as u64;
        let Some((key, value)) = lie.get_mut((dice % count) as usize) else { return Vec::new() };
        let mut bytes = value.to_vec();
        let at = if is_place(key) { (dice / count) as usize % bytes.len() } else { 0 };
        bytes[at] ^= 1;
        let before = rows_of(named(tree), key, value);
        **value = bytes.into();
        let after = rows_of(named(tree), key, value);
        before.into_iter().filter(|row| !after.contains(row)).map(|(key, _)| key.to_vec()).collect()
    }

    /// From now on the page of these rows cannot be read: nothing there is found, and nothing can be written there.
    #[cfg(test)]
    pub(in crate::store) fn tear(&self, tree: Tree, prefix: &[u8]) {
        self.held_mut().torn = Some((tree, prefix.to_vec()));
    }

    /// The keys in the tree of this name.
    pub fn keys(&self, tree: &str) -> Vec<Vec<u8>> {
        let held = self.held();
        let lies = held.trees[named(tree) as usize].iter();
        lies.flat_map(|(key, stored)| rows_of(named(tree), key, stored)).map(|(key, _)| key.to_vec()).collect()
    }

    /// A handle for the store that opens it. What it finds is synced first, as on a disk.
    pub(super) fn opened(&self) -> Self {
        self.held_mut().unsynced.clear();
        self.clone()
    }

    pub(super) fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        let held = self.held();
        held.check(tree, key)?;
        Ok(held.trees[tree as usize].get(key).cloned())
    }

    /// What lies at the greatest key that is not greater.
    pub(super) fn at_or_before(&self, tree: Tree, key: &[u8]) -> Result<Option<Row>, StoreError> {
        self.held().check(tree, key)?;
        self.range(tree, ..=key.to_vec()).next_back().transpose()
    }

    pub(super) fn range(&self, tree: Tree, range: impl RangeBounds<Key>) -> MemoryRows {
        let (from, to) = (range.start_bound().cloned(), range.end_bound().cloned());
        MemoryRows { memory: self.clone(), tree, from, to }
    }

    pub(super) fn write(&self, placed: &Placed<'_>) -> Result<(), StoreError> {
        let mut held = self.held_mut();
        held.fail_if_told(Fault::Write)?;
        for (tree, changes) in placed.by_tree() {
            changes.iter().try_for_each(|(key, _)| held.check(tree, key))?;
        }
        let Held { trees, unsynced, .. } = &mut *held;
        for (tree, changes) in placed.by_tree() {
            for (key, value) in changes {
                let rows = &mut trees[tree as usize];
                let before = match value {
                    Some(value) => rows.insert(key.clone(), IVec::from(value.as_slice())),
                    None => rows.remove(key),
                };
                unsynced.push((tree, key.clone(), before));
            }
        }
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let synced = self.sync_or_fail();
        if synced.is_err() {
            self.lose_unsynced();
        }
        synced
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.held().trees.iter().flatten().map(|(key, value)| (key.len() + value.len()) as u64).sum()
    }

    fn sync_or_fail(&self) -> Result<(), StoreError> {
        fail::fail_point!("store.sync", |_| Err(StoreError::Io("a failpoint".into())));
        let mut held = self.held_mut();
        held.fail_if_told(Fault::Sync)?;
        held.unsynced.clear();
        Ok(())
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.0.read().expect("no holder of the lock panics")
    }

    fn held_mut(&self) -> RwLockWriteGuard<'_, Held> {
        self.0.write().expect("no holder of the lock panics")
    }
}

impl Held {
    fn check(&self, tree: Tree, key: &[u8]) -> Result<(), StoreError> {
        match &self.torn {
            Some((of, prefix)) if *of == tree && key.starts_with(prefix) => Err(StoreError::Broken("torn".into())),
            _ => Ok(()),
        }
    }

    fn fail_if_told(&mut self, fault: Fault) -> Result<(), StoreError> {
        match self.fault.take_if(|told| *told == fault) {
            Some(fault) => Err(StoreError::Io(format!("the memory was told to fail: {fault:?}"))),
            None => Ok(()),
        }
    }
}

/// The rows in what lies there.
fn rows_of(tree: Tree, at: &Key, stored: &IVec) -> Vec<Row> {
    let at = IVec::from(at.as_slice());
    let pack = if is_place(&at) { Pack::read(tree, &at, stored.clone()) } else { None };
    let alone = || vec![(if is_place(&at) { first_of(&at) } else { at.clone() }, stored.clone())];
    pack.map_or_else(alone, |pack| pack.rows().collect())
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
        let held = self.memory.held();
        if is_empty { None } else { pick(&held.trees[self.tree as usize], (self.from.as_ref(), self.to.as_ref())) }
    }
}

impl Iterator for MemoryRows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) =
            self.row(|map, range| map.range::<Key, _>(range).next().map(|(k, v)| (k.clone(), v.clone())))?;
        let row = (IVec::from(key.as_slice()), value);
        let is_there = self.memory.held().check(self.tree, &key);
        self.from = Bound::Excluded(key);
        Some(is_there.map(|()| row))
    }
}

impl DoubleEndedIterator for MemoryRows {
    fn next_back(&mut self) -> Option<Self::Item> {
        let (key, value) =
            self.row(|map, range| map.range::<Key, _>(range).next_back().map(|(k, v)| (k.clone(), v.clone())))?;
        let row = (IVec::from(key.as_slice()), value);
        let is_there = self.memory.held().check(self.tree, &key);
        self.to = Bound::Excluded(key);
        Some(is_there.map(|()| row))
    }
}

#[cfg(test)]
mod tests {
    use super::super::writes::Writes;
    use super::*;

    #[test]
    fn a_range_has_what_lies_between_its_ends_from_either_of_them() {
        let memory = Memory::default();
        let mut writes = Writes::default();
        (1..=3).for_each(|key| writes.push_as_it_is(Tree::Names, vec![key], Some(vec![key])));
        memory.write(&Placed::without_packs(&writes)).unwrap();
        let keys = |rows: MemoryRows| rows.map(|row| row.unwrap().0[0]).collect::<Vec<_>>();
        let range = |from: u8, to: u8| (vec![from], vec![to]);
        let (one, three) = range(1, 3);
        assert_eq!(keys(memory.range(Tree::Names, one.clone()..three.clone())), [1, 2]);
        assert_eq!(keys(memory.range(Tree::Names, one.clone()..=three.clone())), [1, 2, 3]);
        assert_eq!(keys(memory.range(Tree::Names, one.clone()..=one.clone())), [1]);
        assert_eq!(keys(memory.range(Tree::Names, one.clone()..one.clone())), [0; 0]);
        assert_eq!(keys(memory.range(Tree::Names, three.clone()..=one.clone())), [0; 0]);
        let mut rows = memory.range(Tree::Names, one..=three);
        assert_eq!(
            [rows.next_back(), rows.next(), rows.next_back()].map(|row| row.map(|row| row.unwrap().0[0])),
            [3, 1, 2].map(Some)
        );
        assert!(rows.next().is_none() && rows.next_back().is_none());
    }

    fn write(memory: &Memory, n: u8) -> Result<(), StoreError> {
        let mut writes = Writes::default();
        writes.push(Tree::Names, b"n".to_vec(), (n > 0).then(|| vec![n]));
        writes.push(Tree::Names, vec![n], Some(vec![n]));
        memory.write(&Placed::without_packs(&writes))
    }

    fn first_bytes(memory: &Memory) -> Vec<u8> {
        memory.range(Tree::Names, ..).map(|row| row.unwrap().1[0]).collect()
    }

    #[test]
    fn what_fails_loses_what_was_not_synced_and_no_more() {
        let memory = Memory::default();
        write(&memory, 1).unwrap();
        memory.sync().unwrap();
        let synced = first_bytes(&memory);
        memory.fail_once(Fault::Write);
        assert!(write(&memory, 2).is_err());
        assert_eq!(first_bytes(&memory), synced, "nothing of it was written");
        for n in [2, 0] {
            write(&memory, n).unwrap();
        }
        assert!(!memory.is_synced());
        memory.fail_once(Fault::Sync);
        assert!(memory.sync().is_err());
        assert_eq!(first_bytes(&memory), synced, "what was overwritten and removed is there again");
        write(&memory, 3).unwrap();
        drop(memory.opened());
        memory.lose_unsynced();
        assert_eq!(first_bytes(&memory), [1, 3, 3], "whoever opens it syncs what is there");
    }

    #[test]
    fn a_row_is_damaged_and_no_other() {
        let memory = Memory::default();
        for n in 1..9 {
            write(&memory, n).unwrap();
        }
        let rows = || memory.range(Tree::Names, ..).map(Result::unwrap).collect::<Vec<_>>();
        let before = rows();
        let key = memory.damage("names", 4).remove(0);
        let after = rows();
        let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].1.0.as_ref(), key);
        assert!(memory.damage("events", 4).is_empty());
    }
}
