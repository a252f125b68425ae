//! The store in a directory: sled's trees, and what makes a write to them survive a power cut. sled's `flush` hands its log to the kernel but never calls fsync, so after each flush the log file is synced through
//! a descriptor of our own; only then may anything be acknowledged. A write is one transaction over all trees, so it
//! is there whole or not at all.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sled::Transactional;
use sled::transaction::{ConflictableTransactionError, TransactionError};

use super::create;
use super::files::{LOG, free_bytes_at, open_error, sled_config};
use super::writes::Writes;
use crate::store::error::{OpenError, StoreError};
use crate::store::layout::{FORMAT_VERSION, META_FORMAT, Tree};
use crate::store::settings::Settings;

/// The open trees.
pub struct OnSled {
    trees: Vec<sled::Tree>,
    db: sled::Db,
    /// A second descriptor of sled's log, for fdatasync.
    log: File,
    path: PathBuf,
    durable: bool,
}

impl OnSled {
    /// Opens or makes the store in `settings.path`.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        let path = settings.path.clone();
        let cannot = |error: io::Error| OpenError::Io(path.clone(), error);
        create::prepare(settings)?;
        let db = sled_config(&path, settings).open().map_err(|error| open_error(&path, error))?;
        let format = format_of(&db, &path)?;
        let trees = Tree::ALL
            .iter()
            .map(|(_, name)| db.open_tree(name))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| open_error(&path, error))?;
        let log = File::open(path.join(LOG)).map_err(cannot)?;
        let disk = Self { trees, db, log, path: path.clone(), durable: settings.durable };
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

    /// A tree.
    pub fn tree(&self, tree: Tree) -> &sled::Tree {
        &self.trees[tree as usize]
    }

    /// Applies `writes` in one transaction and hands them to the kernel: they survive the death of this process (in a
    /// durable store).
    pub fn write(&self, writes: &Writes) -> Result<(), StoreError> {
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
        })?;
        if self.durable {
            self.db.flush()?;
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
        free_bytes_at(&self.path)
    }

    /// Bytes that the store's files take.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.db.size_on_disk()?)
    }
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
