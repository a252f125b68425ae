//! The store in a directory: sled's trees, and what makes a write to them survive a power cut. sled's `flush` hands its
//! log to the kernel but never calls fsync, so after each flush the log file is synced through a descriptor of our own;
//! only then may anything be acknowledged. A write is one transaction over all trees, with the number of its group, so it
//! is there whole or not at all.

use std::fs::File;
use std::io;
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use sled::transaction::{ConflictableTransactionError, TransactionError};
use sled::{IVec, Transactional};

use super::adding_up::{AddingUp, Amount};
use super::caught::caught;
use super::files::{LOG, free_bytes_at};
use super::held::{Handle, Sled, SledRows};
use super::ledger::{self, Ledger, Sum};
use super::mark::Mark;
use super::packs::has_packs;
use super::placing::{Changed, Placed};
use super::writes::Writes;
use super::{checksum, create, opened};
use crate::store::error::{OpenError, StoreError};
use crate::store::layout::{FORMAT_VERSION, Key, META_FORMAT, Tree};
use crate::store::settings::Settings;

/// sled adds so many changes to a page before it writes it whole (its `PAGE_CONSOLIDATION_THRESHOLD`).
const WRITES_A_PAGE: usize = 10;

/// The open trees.
pub struct OnSled {
    sled: Handle<Sled>,
    /// A second descriptor of sled's log, for fdatasync.
    log: File,
    path: PathBuf,
    durable: bool,
    known: Mutex<Known>,
    reclaiming: Mutex<Reclaiming>,
    /// Before it was opened it was closed as it should, in the present format.
    was_left_whole: bool,
    /// A sync waits for its turn, which it has before more is reclaimed.
    sync_waits: AtomicBool,
}

/// What reclaiming has to do with syncs. After one that failed, pages may be on the disk in neither the place where they were nor the
/// one to which they were moved, unless nothing more is written there.
#[derive(Default)]
struct Reclaiming {
    /// Since the last flush something was written for it.
    some: bool,
    /// A sync failed: it is over.
    is_over: bool,
}

/// What is known of the rows beside the rows. Changed by the commit thread alone.
struct Known {
    ledger: Ledger,
    /// None of a store that is only looked at: its mark stays as it is.
    mark: Option<Mark>,
    adding_up: AddingUp,
}

impl OnSled {
    /// Opens or makes the store in `settings.path`, unless it lacks what was there before.
    pub fn open(settings: &Settings) -> Result<Self, OpenError> {
        Self::open_if(settings, Some(opened::check))
    }

    /// The same, if `check` has nothing against it; without one, whatever is there.
    pub fn open_if(settings: &Settings, check: Option<opened::Check>) -> Result<Self, OpenError> {
        let path = settings.path.clone();
        let cannot = |error: io::Error| OpenError::Io(path.clone(), error);
        let found = opened::open(settings, check)?;
        let log = File::open(path.join(LOG)).map_err(cannot)?;
        let mark = Mark::open(&path, found.marked, found.ledger.group).map_err(cannot)?;
        let mut disk = Self::of(settings, (found.sled, found.ledger), (log, Some(mark)));
        let was_closed = found.marked.is_some_and(|marked| marked.closed.is_some());
        disk.was_left_whole = was_closed && found.format == Some(FORMAT_VERSION);
        if found.format != Some(FORMAT_VERSION) {
            disk.put_format(found.format.is_none()).map_err(|error| OpenError::of(&path, error))?;
        }
        // Even if the files are old: whoever made them may have been killed before this.
        if settings.durable {
            sync_directories(&path).map_err(cannot)?;
        }
        Ok(disk)
    }

    /// Opens what is there to look at it: its mark and its format stay as they are. Says besides what speaks against it.
    pub fn open_to_look(settings: &Settings) -> Result<(Self, Option<u32>, Option<OpenError>), OpenError> {
        let path = settings.path.as_path();
        let (found, refusal) = opened::open_to_look(settings)?;
        let log = File::open(path.join(LOG)).map_err(|error| OpenError::Io(path.into(), error))?;
        Ok((Self::of(settings, (found.sled, found.ledger), (log, None)), found.format, refusal))
    }

    fn of(settings: &Settings, (sled, ledger): (Handle<Sled>, Ledger), (log, mark): (File, Option<Mark>)) -> Self {
        let known = Mutex::new(Known { ledger, mark, adding_up: AddingUp::default() });
        let (reclaiming, sync_waits) = (Mutex::default(), AtomicBool::default());
        let (path, durable, was_left_whole) = (settings.path.clone(), settings.durable, false);
        Self { sled, log, path, durable, known, reclaiming, was_left_whole, sync_waits }
    }

    /// Whether it was closed as it should before it was opened, in the present format.
    pub fn was_left_whole(&self) -> bool {
        self.was_left_whole
    }

    /// Says that it is of the present format, before anything else is written.
    fn put_format(&self, is_new: bool) -> Result<(), StoreError> {
        let (tree, key) = ledger::PLACE;
        let mut writes = Writes::default();
        writes.push(Tree::Meta, META_FORMAT.to_vec(), Some(FORMAT_VERSION.to_be_bytes().to_vec()));
        let stored = self.get(tree, key)?.and_then(|stored| checksum::without(tree, key, stored).ok());
        match stored.as_deref().and_then(|record| record.get(..ledger::AT)) {
            Some(last) => writes.push(tree, key.to_vec(), Some(last.to_vec())),
            None if is_new => writes.push(tree, key.to_vec(), Some(vec![0; ledger::AT])),
            // What is there cannot be read; the store looks for the greatest id in its rows.
            None => {}
        }
        self.write(&Placed::without_packs(&writes), || ())?;
        self.sync()
    }

    /// Closes it for good, and says in its mark that it was.
    pub fn close(self) -> Result<(), StoreError> {
        let Self { sled, log, path, known, .. } = self;
        drop(sled);
        let mut known = known.into_inner().expect("no holder of the lock panics");
        let failed = |error: io::Error| StoreError::Io(error.to_string());
        // Locked, so that nobody opens it before the mark is written. Else a reader is left: then the next opening takes it
        // for an end that was not clean.
        let Some(_locked) = create::released(&path.join(LOG)).map_err(failed)? else { return Ok(()) };
        log.sync_data().map_err(failed)?;
        let bytes = log.metadata().map_err(failed)?.len();
        let (group, Some(mark)) = (known.ledger.group, &mut known.mark) else { return Ok(()) };
        mark.put(group, Some(bytes)).and_then(|()| mark.sync()).map_err(failed)
    }

    /// How many groups there were.
    pub fn groups(&self) -> u64 {
        self.known().ledger.group.number
    }

    /// The last group's number, and the sum over all rows after it where it is known.
    pub fn last_group(&self) -> (u64, Option<[u8; 16]>) {
        let ledger = self.known().ledger;
        (ledger.group.number, ledger.sum.map(Sum::to_bytes))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no holder of the lock panics")
    }

    /// Reads one key.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        Ok(caught(|| self.tree(tree).get(key))??)
    }

    /// The rows of a range.
    pub fn range(&self, tree: Tree, range: impl RangeBounds<Key>) -> SledRows {
        SledRows::of(self.tree(tree).range(range))
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        &self.sled.trees[tree as usize]
    }

    /// Applies what is `placed` in one transaction and hands it to the kernel: it survives the death of this process (in a
    /// durable store). `written`: once it can be read.
    pub fn write(&self, placed: &Placed<'_>, written: impl FnOnce()) -> Result<(), StoreError> {
        let mut known = self.known();
        let (ledger, adding_up) = caught(|| self.sled.write(placed, &known))??;
        written();
        if self.durable {
            caught(|| self.sled.db.flush())??;
        }
        (known.ledger, known.adding_up) = (ledger, adding_up);
        Ok(())
    }

    /// Makes all that was written survive a power cut; the mark tells of it, but need not survive one yet.
    pub fn sync(&self) -> Result<(), StoreError> {
        if !self.durable {
            return Ok(());
        }
        let failed = |error: io::Error| StoreError::Io(error.to_string());
        self.sync_waits.store(true, Ordering::Relaxed);
        let mut reclaiming = self.reclaiming();
        self.sync_waits.store(false, Ordering::Relaxed);
        // So that closing the store has nothing to write if the sync fails.
        if std::mem::take(&mut reclaiming.some) {
            caught(|| self.sled.db.flush())??;
        }
        let synced = self.log.sync_data();
        reclaiming.is_over |= synced.is_err();
        drop(reclaiming);
        synced.map_err(failed)?;
        let mut known = self.known();
        let (group, Some(mark)) = (known.ledger.group, &mut known.mark) else { return Ok(()) };
        mark.put(group, None).map_err(failed)
    }

    /// Makes the mark survive a power cut.
    pub fn sync_mark(&self) -> Result<(), StoreError> {
        let known = self.known();
        known.mark.as_ref().map_or(Ok(()), |mark| mark.sync()).map_err(|error| StoreError::Io(error.to_string()))
    }

    /// How much there is in each tree that has anything; `None` while that is not known.
    pub fn amounts(&self) -> Option<Vec<(Tree, Amount)>> {
        self.known().adding_up.amounts()
    }

    /// Changes the sum of the rows that are there. To be called by who writes.
    pub fn add_up<T>(&self, add: impl FnOnce(&mut AddingUp, &mut Ledger) -> T) -> T {
        let Known { ledger, adding_up, .. } = &mut *self.known();
        add(adding_up, ledger)
    }

    fn reclaiming(&self) -> MutexGuard<'_, Reclaiming> {
        self.reclaiming.lock().expect("no holder of the lock panics")
    }

    /// Has sled clean so many pages, if there are some to be cleaned: one each time that it writes a page whole. Says whether
    /// it did: not while a sync waits.
    pub fn reclaim(&self, pages: usize) -> Result<bool, StoreError> {
        if self.sync_waits.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let mut reclaiming = self.reclaiming();
        if reclaiming.is_over {
            return Err(StoreError::Unavailable);
        }
        reclaiming.some = true;
        let mut writes = 0..pages * WRITES_A_PAGE;
        let written = caught(|| writes.try_for_each(|n| self.sled.reclaim.insert([], &[n as u8]).map(drop)))?;
        written?;
        Ok(true)
    }

    /// Bytes that are free on the file system of the store.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        free_bytes_at(&self.path)
    }

    /// Bytes that the store's files take.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        Ok(caught(|| self.sled.db.size_on_disk())??)
    }
}

impl Sled {
    /// Applies what is `placed`, with the ledger as it is after that. Gives what is known then.
    fn write(&self, placed: &Placed<'_>, known: &Known) -> Result<(Ledger, AddingUp), StoreError> {
        let of_each: Vec<_> = placed.by_tree().collect();
        let trees: Vec<&sled::Tree> = of_each.iter().map(|(tree, _)| &self.trees[*tree as usize]).collect();
        if trees.is_empty() {
            return Ok((known.ledger, known.adding_up.clone()));
        }
        let (mut packed, mut added_up) = (Sum::default(), known.adding_up.clone());
        for Changed { tree, key, before, after } in &placed.changed {
            let row = (*tree, key.as_slice());
            packed = packed.and(changed_sum(&mut added_up, row, (before.as_deref(), after.as_deref())));
        }
        let result = trees.as_slice().transaction(|views| {
            let (mut change, mut adding_up, mut last) = (packed, added_up.clone(), None);
            for (view, (tree, changes)) in views.iter().zip(&of_each) {
                for (key, value) in changes.iter() {
                    if (*tree, key.as_slice()) == ledger::PLACE {
                        last = value.as_deref().map(|record| (view, record));
                        continue;
                    }
                    let old = match value {
                        Some(value) => view.insert(key.as_slice(), value.as_slice())?,
                        None => view.remove(key.as_slice())?,
                    };
                    // Of rows in packs it is known already.
                    if !has_packs(*tree) {
                        let row = (*tree, key.as_slice());
                        change = change.and(changed_sum(&mut adding_up, row, (old.as_deref(), value.as_deref())));
                    }
                }
            }
            let ledger = known.ledger.after(change);
            if let Some((view, record)) = last {
                let (tree, key) = ledger::PLACE;
                view.insert(key, checksum::with(tree, key, ledger.write(record)))?;
            }
            Ok::<_, ConflictableTransactionError<()>>((ledger, adding_up))
        });
        result.map_err(|error| match error {
            TransactionError::Storage(error) => StoreError::from(error),
            TransactionError::Abort(()) => unreachable!("the transaction never aborts"),
        })
    }
}

/// What a row changes of the sum over all, by what was stored there and is now.
fn changed_sum(
    adding_up: &mut AddingUp,
    (tree, key): (Tree, &[u8]),
    (before, after): (Option<&[u8]>, Option<&[u8]>),
) -> Sum {
    let sum = |stored: Option<&[u8]>| stored.map_or(Sum::default(), |stored| Sum::of(tree, key, stored));
    let change = sum(after).without(sum(before));
    adding_up.changed(tree, key, change, (before.map(<[u8]>::len), after.map(<[u8]>::len)));
    change
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;

    #[test]
    fn after_a_sync_that_failed_nothing_is_written_for_reclaiming_not_even_when_it_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = OnSled::open(&Settings::at(dir.path())).unwrap();
        let mut writes = Writes::default();
        writes.push(Tree::Names, vec![1], Some(vec![2]));
        disk.write(&Placed::without_packs(&writes), || ()).unwrap();
        let log = || std::fs::read(dir.path().join(LOG)).unwrap();
        let before = log();
        disk.reclaim(1).unwrap();
        // Of a pipe nothing can be synced.
        disk.log = File::from(OwnedFd::from(std::io::pipe().unwrap().0));
        assert!(matches!(disk.sync(), Err(StoreError::Io(_))));
        let after = log();
        assert!(after != before, "what was written before is not left for later");
        assert_eq!(disk.reclaim(1), Err(StoreError::Unavailable));
        drop(disk);
        assert!(log() == after);
    }
}
