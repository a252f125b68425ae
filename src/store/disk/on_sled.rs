//! The store in a directory: sled's trees, and what makes a write to them survive a power cut. sled's `flush` hands its log to the kernel but never calls fsync, so after each flush the log file is synced through
//! a descriptor of our own; only then may anything be acknowledged. A write is one transaction over all trees, so it
//! is there whole or not at all.

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut, RangeBounds};
use std::path::{Path, PathBuf};

use sled::transaction::{ConflictableTransactionError, TransactionError};
use sled::{IVec, Transactional};

use super::caught::{caught, caught_opening};
use super::{Row, Writes};
use crate::store::create;
use crate::store::layout::{FORMAT_VERSION, Key, META_FORMAT, Tree};
use crate::store::{OpenError, Settings, StoreError};

/// The log's segment: a value, or a leaf of sixteen, beyond a quarter of it would go to a blob file.
const SEGMENT_BYTES: usize = 4 * 1024 * 1024;

/// With less free space a store that failed is not opened again: opening writes a snapshot, and then there must be
/// room for some segments.
pub const REOPEN_FREE_BYTES_MIN: u64 = 4 * SEGMENT_BYTES as u64;

/// The open trees.
pub struct OnSled {
    sled: Handle<Sled>,
    /// A second descriptor of sled's log, for fdatasync.
    log: File,
    path: PathBuf,
    durable: bool,
}

struct Sled {
    trees: Vec<sled::Tree>,
    db: sled::Db,
}

impl OnSled {
    /// Opens or makes the store in `settings.path`.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let path = settings.path.clone();
        let cannot = |error: io::Error| OpenError::Io(path.clone(), error);
        create::prepare(settings)?;
        let (sled, format) = caught_opening(|| open_trees(&path, settings))
            .map_err(|error| OpenError::Store(path.clone(), error))
            .flatten()?;
        let log = File::open(path.join(create::LOG)).map_err(cannot)?;
        let disk = Self { sled: Handle::of(sled), log, path: path.clone(), durable: settings.durable };
        if format.is_none() {
            let mut writes = Writes::default();
            writes.push(Tree::Meta, META_FORMAT.to_vec(), Some(FORMAT_VERSION.to_be_bytes().to_vec()));
            disk.write(&writes).and_then(|()| disk.sync()).map_err(|error| OpenError::Store(path.clone(), error))?;
        }
        // Even if the files are old: whoever made them may have been killed before this.
        if settings.durable {
            sync_directories(&path).map_err(cannot)?;
        }
        Ok(disk)
    }

    /// Reads one key.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        Ok(caught(|| self.tree(tree).get(key))??)
    }

    /// The rows of a range.
    pub fn range(&self, tree: Tree, range: impl RangeBounds<Key>) -> SledRows {
        SledRows(Handle::of(self.tree(tree).range(range)))
    }

    /// The rows whose keys begin so.
    pub fn prefix(&self, tree: Tree, prefix: &[u8]) -> SledRows {
        SledRows(Handle::of(self.tree(tree).scan_prefix(prefix)))
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        &self.sled.trees[tree as usize]
    }

    /// Applies `writes` in one transaction and hands them to the kernel: they survive the death of this process (in a
    /// durable store).
    pub fn write(&self, writes: &Writes) -> Result<(), StoreError> {
        caught(|| self.sled.write(writes))??;
        if self.durable {
            caught(|| self.sled.db.flush())??;
        }
        Ok(())
    }

    /// Makes all that was written survive a power cut.
    pub fn sync(&self) -> Result<(), StoreError> {
        if self.durable {
            self.log.sync_data().map_err(|error| StoreError::Io(error.to_string()))?;
        }
        Ok(())
    }

    /// Bytes that are free on the file system of the store.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        super::free_bytes_at(&self.path)
    }

    /// Bytes that the store's files take.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        Ok(caught(|| self.sled.db.size_on_disk())??)
    }
}

impl Sled {
    fn write(&self, writes: &Writes) -> Result<(), StoreError> {
        let (trees, changes): (Vec<&sled::Tree>, Vec<_>) =
            self.trees.iter().zip(writes.by_tree()).filter(|(_, changes)| !changes.is_empty()).unzip();
        if trees.is_empty() {
            return Ok(());
        }
        let result = trees.as_slice().transaction(|views| {
            for (view, changes) in views.iter().zip(&changes) {
                for (key, value) in changes.iter() {
                    match value {
                        Some(value) => view.insert(key.as_slice(), value.as_slice())?,
                        None => view.remove(key.as_slice())?,
                    };
                }
            }
            Ok::<(), ConflictableTransactionError<()>>(())
        });
        result.map_err(|error| match error {
            TransactionError::Storage(error) => StoreError::from(error),
            TransactionError::Abort(()) => unreachable!("the transaction never aborts"),
        })
    }
}

/// What keeps sled open. The last one writes and syncs when it is dropped, and panics if that fails.
struct Handle<T>(Option<T>);

impl<T> Handle<T> {
    fn of(held: T) -> Self {
        Self(Some(held))
    }
}

impl<T> Deref for Handle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("held until it is dropped")
    }
}

impl<T> DerefMut for Handle<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("held until it is dropped")
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        let held = self.0.take();
        if let Err(error) = caught(|| drop(held)) {
            tracing::error!(%error, "the store could not be closed as it should");
        }
    }
}

/// Rows of a range.
pub struct SledRows(Handle<sled::Iter>);

impl SledRows {
    /// The next row from the front.
    pub fn next(&mut self) -> Option<Result<Row, StoreError>> {
        self.take(Iterator::next)
    }

    /// The next row from the back.
    pub fn next_back(&mut self) -> Option<Result<Row, StoreError>> {
        self.take(DoubleEndedIterator::next_back)
    }

    fn take(
        &mut self,
        one: impl FnOnce(&mut sled::Iter) -> Option<sled::Result<Row>>,
    ) -> Option<Result<Row, StoreError>> {
        match caught(|| one(&mut self.0)) {
            Ok(row) => row.map(|row| row.map_err(StoreError::from)),
            Err(error) => Some(Err(error)),
        }
    }
}

fn open_trees(path: &Path, settings: &Settings) -> Result<(Sled, Option<u32>), OpenError> {
    let db = sled_config(path, settings).open().map_err(|error| open_error(path, error))?;
    let format = format_of(&db, path)?;
    let trees = Tree::ALL.iter().map(|(_, name)| db.open_tree(name)).collect::<Result<Vec<_>, _>>();
    Ok((Sled { trees: trees.map_err(|error| open_error(path, error))?, db }, format))
}

/// The format of an existing store; `None` in a new one.
fn format_of(db: &sled::Db, path: &Path) -> Result<Option<u32>, OpenError> {
    let meta = db.open_tree(Tree::ALL[Tree::Meta as usize].1).map_err(|error| open_error(path, error))?;
    let stored = meta.get(META_FORMAT).map_err(|error| open_error(path, error))?;
    let format = stored.and_then(|bytes| Some(u32::from_be_bytes(bytes.as_ref().try_into().ok()?)));
    match format {
        Some(found) if found > FORMAT_VERSION => {
            Err(OpenError::Newer { path: path.into(), found, known: FORMAT_VERSION })
        }
        Some(found) if found < FORMAT_VERSION => Err(OpenError::Older { path: path.into(), found }),
        format => Ok(format),
    }
}

/// How sled is opened at `path`.
pub(in crate::store) fn sled_config(path: &Path, settings: &Settings) -> sled::Config {
    let config = sled::Config::new().path(path).cache_capacity(settings.cache_bytes);
    config.segment_size(SEGMENT_BYTES).flush_every_ms(None)
}

/// sled reports a lock held elsewhere as an I/O error.
pub(in crate::store) fn open_error(path: &Path, error: sled::Error) -> OpenError {
    let text = error.to_string();
    match error {
        sled::Error::Io(io) if io.kind() == io::ErrorKind::WouldBlock || text.contains("could not acquire lock") => {
            OpenError::InUse(path.into())
        }
        error => OpenError::Store(path.into(), error.into()),
    }
}

/// A new file is found again after a power cut only once its directory is synced, and that one's parent.
fn sync_directories(path: &Path) -> io::Result<()> {
    let path = path.canonicalize()?;
    File::open(&path)?.sync_all()?;
    let Some(parent) = path.parent() else { return Ok(()) };
    match File::open(parent) {
        Ok(parent) => parent.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            tracing::warn!(parent = %parent.display(), "it cannot be read, so the data directory's name is not synced");
            Ok(())
        }
        Err(error) => Err(error),
    }
}
