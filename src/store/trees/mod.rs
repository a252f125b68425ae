//! Where the trees are: in a directory, or in memory for tests. One way to write, whole or not at all, and two to read: a
//! key, and a range from either end. Each value is checked as it is read (`checksum`).

mod checksum;
pub mod create;
pub mod files;
pub mod in_memory;
mod on_sled;
mod writes;

use std::ops::RangeBounds;
use std::sync::Arc;

use sled::IVec;

use super::damage::Reports;
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
pub struct Trees {
    place: Place,
    reports: Arc<Reports>,
}

enum Place {
    /// In a directory.
    Sled(OnSled),
    /// In memory: as durable as the process.
    Memory(Memory),
}

impl Trees {
    /// Opens or makes what `settings` name. What cannot be read is reported to `reports`.
    pub fn open(settings: &Settings, reports: Arc<Reports>) -> Result<Self, OpenError> {
        let place = match &settings.memory {
            Some(memory) => Place::Memory(memory.clone()),
            None => Place::Sled(OnSled::open(settings)?),
        };
        Ok(Self { place, reports })
    }

    /// Reads one key.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        let stored = self.get_stored(tree, key)?;
        Ok(stored.map(|stored| checksum::without(tree, key, stored)).transpose()?)
    }

    /// Reads one key as it lies there, its checksum at its end.
    pub fn get_stored(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        match &self.place {
            Place::Sled(sled) => Ok(sled.tree(tree).get(key)?),
            Place::Memory(memory) => Ok(memory.get(tree, key)),
        }
    }

    /// Bytes of a row, key and value without its checksum; 0 if there is none. It need not be readable.
    pub fn bytes_at(&self, tree: Tree, key: &[u8]) -> Result<usize, StoreError> {
        Ok(self.get_stored(tree, key)?.map_or(0, |stored| key.len() + checksum::value_bytes(&stored)))
    }

    /// The rows of a range, in the order of their keys, from either end.
    pub fn range(&self, tree: Tree, range: impl RangeBounds<Key>) -> Rows {
        let stored = match &self.place {
            Place::Sled(sled) => StoredRows::Sled(sled.tree(tree).range(range)),
            Place::Memory(memory) => StoredRows::Memory(memory.range(tree, range)),
        };
        Rows { tree, stored }
    }

    /// All rows of a tree.
    pub fn all(&self, tree: Tree) -> Rows {
        self.range(tree, Key::new()..)
    }

    /// The rows whose keys begin so.
    pub fn prefix(&self, tree: Tree, prefix: &[u8]) -> Rows {
        let stored = match &self.place {
            Place::Sled(sled) => StoredRows::Sled(sled.tree(tree).scan_prefix(prefix)),
            Place::Memory(memory) => StoredRows::Memory(memory.prefix(tree, prefix)),
        };
        Rows { tree, stored }
    }

    /// What a look found; `None` and a report if it met a row that cannot be read.
    pub fn readable<T>(&self, found: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match found {
            Err(StoreError::Damaged(damage)) => {
                self.reports.note(damage);
                Ok(None)
            }
            found => found.map(Some),
        }
    }

    /// Where damage is reported.
    pub fn reports(&self) -> &Arc<Reports> {
        &self.reports
    }

    /// Applies `writes` whole or not at all. In a durable store they survive the death of this process.
    pub fn write(&self, writes: &Writes) -> Result<(), StoreError> {
        fail::fail_point!("store.write", |_| Err(StoreError::Io("a failpoint".into())));
        match &self.place {
            Place::Sled(sled) => sled.write(writes),
            Place::Memory(memory) => {
                memory.write(writes);
                Ok(())
            }
        }
    }

    /// Makes all that was written survive a power cut.
    pub fn sync(&self) -> Result<(), StoreError> {
        fail::fail_point!("store.sync", |_| Err(StoreError::Io("a failpoint".into())));
        match &self.place {
            Place::Sled(sled) => sled.sync(),
            Place::Memory(_) => Ok(()),
        }
    }

    /// Bytes that are free for the store.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        match &self.place {
            Place::Sled(sled) => sled.free_bytes(),
            Place::Memory(_) => Ok(u64::MAX),
        }
    }

    /// Bytes that the store takes.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        match &self.place {
            Place::Sled(sled) => sled.size_bytes(),
            Place::Memory(memory) => Ok(memory.size_bytes()),
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

/// Rows of a range. Owns what it needs: no lock is held between two rows. One whose checksum does not fit is an error in
/// its turn; the others follow.
pub struct Rows {
    tree: Tree,
    stored: StoredRows,
}

enum StoredRows {
    /// Of a directory.
    Sled(sled::Iter),
    /// Of memory.
    Memory(MemoryRows),
}

impl Rows {
    /// The keys alone: for who does not ask for the values, they need not be readable.
    pub fn keys(self) -> impl DoubleEndedIterator<Item = Result<IVec, StoreError>> {
        self.stored.map(|row| Ok(row?.0))
    }

    fn checked(&self, row: Result<Row, StoreError>) -> Result<Row, StoreError> {
        let (key, stored) = row?;
        let value = checksum::without(self.tree, &key, stored)?;
        Ok((key, value))
    }
}

impl Iterator for Rows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.stored.next()?;
        Some(self.checked(row))
    }
}

impl DoubleEndedIterator for Rows {
    fn next_back(&mut self) -> Option<Self::Item> {
        let row = self.stored.next_back()?;
        Some(self.checked(row))
    }
}

impl Iterator for StoredRows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Sled(rows) => rows.next().map(|row| Ok(row?)),
            Self::Memory(rows) => rows.next().map(Ok),
        }
    }
}

impl DoubleEndedIterator for StoredRows {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Sled(rows) => rows.next_back().map(|row| Ok(row?)),
            Self::Memory(rows) => rows.next_back().map(Ok),
        }
    }
}
