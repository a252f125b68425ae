//! Where the trees are: in a directory, or in memory for tests. One way to write, whole or not at all, and two to read: a
//! key, and a range from either end.

pub mod create;
pub mod files;
pub mod in_memory;
mod on_sled;
mod writes;

use std::ops::RangeBounds;

use sled::IVec;

use super::error::{OpenError, StoreError};
use super::layout::{Key, Tree};
use super::settings::Settings;
use files::free_bytes_at;
use in_memory::{Memory, MemoryRows};
use on_sled::OnSled;
pub use writes::Writes;

/// A key and its value.
pub type Row = (IVec, IVec);

/// The open trees.
pub enum Trees {
    /// In a directory.
    Sled(OnSled),
    /// In memory: as durable as the process.
    Memory(Memory),
}

impl Trees {
    /// Opens or makes what `settings` name.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        match &settings.memory {
            Some(memory) => Ok(Self::Memory(memory.clone())),
            None => OnSled::open(settings).map(Self::Sled),
        }
    }

    /// Reads one key.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        match self {
            Self::Sled(sled) => Ok(sled.tree(tree).get(key)?),
            Self::Memory(memory) => Ok(memory.get(tree, key)),
        }
    }

    /// The rows of a range, in the order of their keys, from either end.
    pub fn range(&self, tree: Tree, range: impl RangeBounds<Key>) -> Rows {
        match self {
            Self::Sled(sled) => Rows::Sled(sled.tree(tree).range(range)),
            Self::Memory(memory) => Rows::Memory(memory.range(tree, range)),
        }
    }

    /// All rows of a tree.
    pub fn all(&self, tree: Tree) -> Rows {
        self.range(tree, Key::new()..)
    }

    /// The rows whose keys begin so.
    pub fn prefix(&self, tree: Tree, prefix: &[u8]) -> Rows {
        match self {
            Self::Sled(sled) => Rows::Sled(sled.tree(tree).scan_prefix(prefix)),
            Self::Memory(memory) => Rows::Memory(memory.prefix(tree, prefix)),
        }
    }

    /// Applies `writes` whole or not at all. In a durable store they survive the death of this process.
    pub fn write(&self, writes: &Writes) -> Result<(), StoreError> {
        fail::fail_point!("store.write", |_| Err(StoreError::Io("a failpoint".into())));
        match self {
            Self::Sled(sled) => sled.write(writes),
            Self::Memory(memory) => {
                memory.write(writes);
                Ok(())
            }
        }
    }

    /// Makes all that was written survive a power cut.
    pub fn sync(&self) -> Result<(), StoreError> {
        fail::fail_point!("store.sync", |_| Err(StoreError::Io("a failpoint".into())));
        match self {
            Self::Sled(sled) => sled.sync(),
            Self::Memory(_) => Ok(()),
        }
    }

    /// Bytes that are free for the store.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        match self {
            Self::Sled(sled) => sled.free_bytes(),
            Self::Memory(_) => Ok(u64::MAX),
        }
    }

    /// Bytes that the store takes.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        match self {
            Self::Sled(sled) => sled.size_bytes(),
            Self::Memory(memory) => Ok(memory.size_bytes()),
        }
    }
}

/// Bytes that are free where `settings` put the store, whether or not it is open.
pub fn free_bytes(settings: &Settings) -> Result<u64, StoreError> {
    match &settings.memory {
        Some(_) => Ok(u64::MAX),
        None => free_bytes_at(&settings.path),
    }
}

/// Rows of a range. Owns what it needs: no lock is held between two rows.
pub enum Rows {
    /// Of a directory.
    Sled(sled::Iter),
    /// Of memory.
    Memory(MemoryRows),
}

impl Iterator for Rows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Sled(rows) => rows.next().map(|row| Ok(row?)),
            Self::Memory(rows) => rows.next().map(Ok),
        }
    }
}

impl DoubleEndedIterator for Rows {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Sled(rows) => rows.next_back().map(|row| Ok(row?)),
            Self::Memory(rows) => rows.next_back().map(Ok),
        }
    }
}
