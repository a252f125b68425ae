//! Where the trees lie: in a directory, in a database, or in memory. What is found there is a pack or a row.

use std::ops::{Bound, RangeBounds};

use sled::IVec;

use super::held::{Row, SledRows};
use super::in_memory::{Memory, MemoryRows};
use super::on_database::{DatabaseRows, OnDatabase};
use super::on_sled::OnSled;
use super::placing::Lying;
use crate::store::error::StoreError;
use crate::store::layout::{Key, Tree};

/// The trees as they lie.
pub enum In {
    /// In a directory.
    Sled(Box<OnSled>),
    /// In memory: as durable as the process.
    Memory(Memory),
    /// In a database that others write to as well.
    Database(OnDatabase),
}

impl In {
    /// What lies in a range, from either end.
    pub fn range(&self, tree: Tree, range: impl RangeBounds<Key>) -> RowsOf {
        match self {
            In::Sled(sled) => RowsOf::Sled(sled.range(tree, range)),
            In::Memory(memory) => RowsOf::Memory(memory.range(tree, range)),
            In::Database(database) => RowsOf::Database(database.range(tree, range)),
        }
    }
}

impl Lying for In {
    fn at_or_before(&self, tree: Tree, key: &[u8]) -> Result<Option<Row>, StoreError> {
        match self {
            In::Sled(sled) => sled.range(tree, ..=key.to_vec()).next_back_row().transpose(),
            In::Memory(memory) => memory.at_or_before(tree, key),
            In::Database(database) => database.at_or_before(tree, key),
        }
    }

    fn after(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        let from = (Bound::Excluded(key.to_vec()), Bound::Unbounded);
        Ok(self.range(tree, from).next().transpose()?.map(|(key, _)| key))
    }
}

/// What lies in a range.
pub enum RowsOf {
    /// Of a directory.
    Sled(SledRows),
    /// Of memory.
    Memory(MemoryRows),
    /// Of a database.
    Database(DatabaseRows),
}

impl Iterator for RowsOf {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            RowsOf::Sled(rows) => rows.next_row(),
            RowsOf::Memory(rows) => rows.next(),
            RowsOf::Database(rows) => rows.next(),
        }
    }
}

impl DoubleEndedIterator for RowsOf {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            RowsOf::Sled(rows) => rows.next_back_row(),
            RowsOf::Memory(rows) => rows.next_back(),
            RowsOf::Database(rows) => rows.next_back(),
        }
    }
}
