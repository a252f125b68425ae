//! Where the trees are: in a directory, or in memory for tests. One way to write, whole or not at all, and two to read: a
//! key, and a range from either end. Once it is being closed, whoever reads is told so at the next row: sled cannot be
//! opened again while one reader is left.

mod adding_up;
mod caught;
mod in_memory;
mod ledger;
pub(super) mod mark;
mod on_sled;
mod opening;

use std::ops::RangeBounds;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sled::IVec;

use super::layout::{Key, Tree, VALUE_BYTES_MAX};
use super::{OpenError, Settings, StoreError};
pub use in_memory::Memory;
use in_memory::MemoryRows;
use on_sled::{OnSled, SledRows};
pub(super) use on_sled::{REOPEN_FREE_BYTES_MIN, SEGMENT_BYTES, open_error, sled_config};

/// Keys of one tree with their new value, or `None` to remove them.
type Changes = Vec<(Key, Option<Vec<u8>>)>;

/// What one commit writes, for each tree.
#[derive(Debug, Default)]
pub struct Writes {
    by_tree: Vec<Changes>,
}

impl Writes {
    /// Adds one key. A key may be given once.
    pub fn push(&mut self, tree: Tree, key: Key, value: Option<Vec<u8>>) {
        debug_assert!(value.as_ref().is_none_or(|v| v.len() <= VALUE_BYTES_MAX + 64), "{tree:?}: a value is too long");
        self.by_tree.resize_with(Tree::ALL.len(), Vec::new);
        self.by_tree[tree as usize].push((key, value));
    }

    /// How many keys it touches.
    pub fn keys(&self) -> usize {
        self.by_tree.iter().map(Vec::len).sum()
    }

    /// The changes of each tree, in the order of [`Tree`]; empty if there are none at all.
    fn by_tree(&self) -> &[Changes] {
        &self.by_tree
    }
}

/// A key and its value.
pub type Row = (IVec, IVec);

/// The open trees.
pub struct Disk {
    trees: Trees,
    closing: Closing,
}

enum Trees {
    /// In a directory.
    Sled(OnSled),
    /// In memory: as durable as the process.
    Memory(Memory),
}

/// Whether the disk is being closed; clones know it of the same disk.
#[derive(Clone, Default)]
struct Closing(Arc<AtomicBool>);

impl Closing {
    fn check(&self) -> Result<(), StoreError> {
        if self.0.load(Ordering::Relaxed) { Err(StoreError::Unavailable) } else { Ok(()) }
    }
}

impl Disk {
    /// Opens or makes what `settings` name.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let trees = match &settings.memory {
            Some(memory) => Trees::Memory(memory.clone()),
            None => OnSled::open(settings).map(Trees::Sled)?,
        };
        Ok(Self { trees, closing: Closing::default() })
    }

    /// From now on whoever reads is told that the store is closed, so that the last handle is dropped soon.
    pub fn begin_to_close(&self) {
        self.closing.0.store(true, Ordering::Relaxed);
    }

    /// Reads one key.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        self.closing.check()?;
        match &self.trees {
            Trees::Sled(sled) => sled.get(tree, key),
            Trees::Memory(memory) => Ok(memory.get(tree, key)),
        }
    }

    /// The rows of a range, in the order of their keys, from either end.
    pub fn range(&self, tree: Tree, range: impl RangeBounds<Key>) -> Rows {
        self.rows(match &self.trees {
            Trees::Sled(sled) => RowsOf::Sled(sled.range(tree, range)),
            Trees::Memory(memory) => RowsOf::Memory(memory.range(tree, range)),
        })
    }

    /// All rows of a tree.
    pub fn all(&self, tree: Tree) -> Rows {
        self.range(tree, Key::new()..)
    }

    /// The rows whose keys begin so.
    pub fn prefix(&self, tree: Tree, prefix: &[u8]) -> Rows {
        self.rows(match &self.trees {
            Trees::Sled(sled) => RowsOf::Sled(sled.prefix(tree, prefix)),
            Trees::Memory(memory) => RowsOf::Memory(memory.prefix(tree, prefix)),
        })
    }

    fn rows(&self, of: RowsOf) -> Rows {
        Rows { of, closing: self.closing.clone(), has_failed: false }
    }

    /// Applies `writes` whole or not at all. In a durable store they survive the death of this process.
    pub fn write(&self, writes: &Writes) -> Result<(), StoreError> {
        fail::fail_point!("store.write", |_| Err(StoreError::Io("a failpoint".into())));
        match &self.trees {
            Trees::Sled(sled) => sled.write(writes),
            Trees::Memory(memory) => {
                memory.write(writes);
                Ok(())
            }
        }
    }

    /// Makes all that was written survive a power cut.
    pub fn sync(&self) -> Result<(), StoreError> {
        fail::fail_point!("store.sync", |_| Err(StoreError::Io("a failpoint".into())));
        match &self.trees {
            Trees::Sled(sled) => sled.sync(),
            Trees::Memory(_) => Ok(()),
        }
    }

    /// Makes what says which group was synced survive a power cut. To be done within a second of [`Disk::sync`].
    pub fn sync_mark(&self) -> Result<(), StoreError> {
        match &self.trees {
            Trees::Sled(sled) => sled.sync_mark(),
            Trees::Memory(_) => Ok(()),
        }
    }

    /// Adds up to `limit` further rows to the sum of what is there; at the end of all says whether that is what was
    /// written, and begins again.
    pub fn add_up(&self, limit: usize) -> Option<Result<(), StoreError>> {
        match &self.trees {
            Trees::Sled(sled) => sled.add_up(limit),
            Trees::Memory(_) => Some(Ok(())),
        }
    }

    /// Closes it for good, after a sync. It says so on the disk.
    pub fn close(self) -> Result<(), StoreError> {
        match self.trees {
            Trees::Sled(sled) => sled.close(),
            Trees::Memory(_) => Ok(()),
        }
    }

    /// Bytes that are free for the store.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        match &self.trees {
            Trees::Sled(sled) => sled.free_bytes(),
            Trees::Memory(_) => Ok(u64::MAX),
        }
    }

    /// Bytes that the store takes.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        match &self.trees {
            Trees::Sled(sled) => sled.size_bytes(),
            Trees::Memory(memory) => Ok(memory.size_bytes()),
        }
    }
}

/// What was lost, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// Group commits that the mark knew of, if there was one.
    pub marked: Option<u64>,
    /// Group commits that are left; `None`: nothing at all.
    pub left: Option<u64>,
}

/// Makes what is left in the data directory count as whole. Nobody may have it open.
pub fn accept_loss(settings: &Settings) -> Result<Loss, OpenError> {
    OnSled::accept_loss(settings)
}

/// Bytes that are free where `settings` put the store, whether or not it is open.
pub fn free_bytes(settings: &Settings) -> Result<u64, StoreError> {
    match &settings.memory {
        Some(_) => Ok(u64::MAX),
        None => free_bytes_at(&settings.path),
    }
}

fn free_bytes_at(path: &Path) -> Result<u64, StoreError> {
    let stat = rustix::fs::statvfs(path).map_err(|error| StoreError::Io(error.to_string()))?;
    Ok(stat.f_bavail * stat.f_frsize)
}

/// Rows of a range. Owns what it needs: no lock is held between two rows. Ends after an error: what cannot be read once
/// would be tried for ever.
pub struct Rows {
    of: RowsOf,
    closing: Closing,
    has_failed: bool,
}

enum RowsOf {
    /// Of a directory.
    Sled(SledRows),
    /// Of memory.
    Memory(MemoryRows),
}

impl Rows {
    fn take(
        &mut self,
        one: impl FnOnce(&mut RowsOf) -> Option<Result<Row, StoreError>>,
    ) -> Option<<Self as Iterator>::Item> {
        if self.has_failed {
            return None;
        }
        let row = self.closing.check().map_or_else(|closed| Some(Err(closed)), |()| one(&mut self.of));
        self.has_failed = matches!(row, Some(Err(_)));
        row
    }
}

impl Iterator for Rows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take(|of| match of {
            RowsOf::Sled(rows) => rows.next(),
            RowsOf::Memory(rows) => rows.next().map(Ok),
        })
    }
}

impl DoubleEndedIterator for Rows {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.take(|of| match of {
            RowsOf::Sled(rows) => rows.next_back(),
            RowsOf::Memory(rows) => rows.next_back().map(Ok),
        })
    }
}
