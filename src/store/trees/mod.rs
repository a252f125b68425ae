//! Where the trees are: in a directory, in a database, or in memory for tests. One way to write, whole or not at all, and two to read: a
//! key, and a range from either end. Each value is checked as it is read (`checksum`). Once it is being closed, whoever
//! reads is told so at the next row: sled cannot be opened again while one reader is left.

mod adding_up;
pub mod answers;
mod caught;
mod checksum;
pub mod copies;
pub mod create;
mod database;
pub mod files;
mod held;
pub mod in_memory;
pub mod late;
mod lease;
mod ledger;
pub mod loss;
mod lying;
pub mod mark;
pub mod member;
mod near;
mod on_database;
mod on_sled;
pub mod opened;
mod owned;
pub mod owner;
mod packs;
mod placing;
pub mod postgres;
mod pressed;
mod remembered;
mod rows;
mod unpacking;
pub mod virtual_database;
mod walks;
mod writes;

use std::collections::VecDeque;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;
use std::time::Duration;

use sled::IVec;

use super::damage::Reports;
use super::error::{OpenError, StoreError};
use super::layout::{Key, META_RESTORING, Tree, after_prefix};
use super::settings::Settings;
use crate::clock::Clock;
use adding_up::AddingUp;
pub use adding_up::Amount;
pub use database::{Lasting, Node, Seen, Tables};
use files::free_bytes_at;
pub use held::Row;
use late::{Changing, LATE, Late, Merged};
use lease::KeptLease;
use ledger::Ledger;
use lying::{In, RowsOf};
use on_database::OnDatabase;
use on_sled::OnSled;
use placing::{Lying, Placed};
use rows::Closing;
pub use rows::Rows;
use unpacking::Unpacking;
pub use writes::Writes;

/// The open trees.
pub struct Trees {
    of: In,
    late: Late,
    closing: Closing,
    reports: Arc<Reports>,
}

impl Trees {
    /// Opens or makes what `settings` name. What cannot be read is reported to `reports`.
    pub fn open(settings: &Settings, reports: Arc<Reports>) -> Result<Self, OpenError> {
        let (of, closing) = match (&settings.memory, &settings.database) {
            (Some(memory), _) => (In::Memory(memory.opened()), Closing::default()),
            (None, Some(database)) => {
                let database = OnDatabase::open(database, settings.cache_bytes)?;
                let closing = Closing::under(database.lease().clone());
                (In::Database(database), closing)
            }
            (None, None) => (In::Sled(Box::new(OnSled::open(settings)?)), Closing::default()),
        };
        Ok(Self { of, late: Late::default(), closing, reports })
    }

    /// Opens a store in a directory to look at it: nothing of it may be written. Says besides its format, if it has one, and
    /// what speaks against serving it.
    pub fn open_to_look(
        settings: &Settings,
        reports: Arc<Reports>,
    ) -> Result<(Self, Option<u32>, Option<OpenError>), OpenError> {
        settings.must_be_in_directory()?;
        let (sled, format, refusal) = OnSled::open_to_look(settings)?;
        let of = In::Sled(Box::new(sled));
        Ok((Self { of, late: Late::default(), closing: Closing::default(), reports }, format, refusal))
    }

    /// Whether it was closed as it should before it was opened now, and in the present format.
    pub fn was_left_whole(&self) -> bool {
        matches!(&self.of, In::Sled(sled) if sled.was_left_whole())
    }

    /// From now on whoever reads is told that the store is closed, so that the last handle is dropped soon.
    pub fn begin_to_close(&self) {
        self.closing.begin();
    }

    /// Reads one key.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        self.get_stored(tree, key)?.map(|stored| value_of(tree, key, stored)).transpose()
    }

    /// Reads one key as it lies there, its checksum at its end.
    pub fn get_stored(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        if tree == LATE
            && let Some(held) = self.late.get(key)
        {
            return Ok(Some(held));
        }
        self.get_written(tree, key)
    }

    /// The same of what is written already.
    fn get_written(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        self.closing.check()?;
        if packs::has_packs(tree) && !packs::is_place(key) {
            let Some((at, stored)) = self.of.at_or_before(tree, &packs::place(key))? else { return Ok(None) };
            if packs::is_place(&at) {
                return Ok(packs::find_in(tree, &at, stored, key));
            }
            return Ok((at == key).then_some(stored));
        }
        match &self.of {
            In::Sled(sled) => sled.get(tree, key),
            In::Memory(memory) => memory.get(tree, key),
            In::Database(database) => database.get(tree, key),
        }
    }

    /// Bytes of a row that is written, key and value without its checksum; 0 if there is none. It need not be readable.
    pub fn bytes_at(&self, tree: Tree, key: &[u8]) -> Result<usize, StoreError> {
        Ok(self.get_written(tree, key)?.map_or(0, |stored| bytes_of(key, &stored)))
    }

    /// The rows of a range, in the order of their keys, from either end.
    pub fn range(&self, tree: Tree, range: impl RangeBounds<Key>) -> Rows {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        let held = if tree == LATE { self.late.range(range.clone()) } else { VecDeque::new() };
        self.rows(tree, held, self.of_disk(tree, range))
    }

    /// The first rows of a range, for who takes so many that can be read: it ends behind them, and perhaps later.
    pub fn first(&self, tree: Tree, range: Range<Key>, limit: usize) -> Rows {
        let held = if tree == LATE { self.late.some(range.clone(), limit) } else { VecDeque::new() };
        let end = match held.back() {
            Some((last, _)) if held.len() == limit => Bound::Included(last.to_vec()),
            _ => Bound::Excluded(range.end),
        };
        self.rows(tree, held, self.of_disk(tree, (Bound::Included(range.start), end)))
    }

    /// The last rows of a range, for who takes so many from its end that can be read: it begins before them, and perhaps earlier.
    pub fn last(&self, tree: Tree, range: Range<Key>, limit: usize) -> Rows {
        let held = if tree == LATE { self.late.last(range.clone(), limit) } else { VecDeque::new() };
        let start = match held.front() {
            Some((first, _)) if held.len() == limit => first.to_vec(),
            _ => range.start,
        };
        self.rows(tree, held, self.of_disk(tree, start..range.end))
    }

    /// The same of what is written already, for who copies it, or adds it up.
    pub fn written(&self, tree: Tree, range: impl RangeBounds<Key>) -> Rows {
        self.rows(tree, VecDeque::new(), self.of_disk(tree, range))
    }

    fn of_disk(&self, tree: Tree, range: impl RangeBounds<Key>) -> Unpacking<RowsOf> {
        let (from, to) = (range.start_bound().cloned(), range.end_bound().cloned());
        if !packs::has_packs(tree) {
            return Unpacking::none(self.of.range(tree, (from, to)));
        }
        let mut failed = None;
        let range = unpacking::wider((from.clone(), to.clone()), |key| {
            let there = self.of.at_or_before(tree, key).unwrap_or_else(|error| {
                failed = Some(error);
                None
            });
            there.map(|(at, _)| at.to_vec()).filter(|at| packs::is_place(at))
        });
        Unpacking::of(tree, (from, to), self.of.range(tree, range)).unless(failed)
    }

    /// The rows that are not written yet.
    pub fn late(&self) -> &Late {
        &self.late
    }

    /// All rows of a tree.
    pub fn all(&self, tree: Tree) -> Rows {
        self.range(tree, Key::new()..)
    }

    /// The rows whose keys begin so.
    pub fn prefix(&self, tree: Tree, prefix: &[u8]) -> Rows {
        let held = if tree == LATE { self.late.prefix(prefix) } else { VecDeque::new() };
        let end = prefix.iter().any(|byte| *byte != u8::MAX).then(|| after_prefix(prefix));
        let range = (Bound::Included(prefix.to_vec()), end.map_or(Bound::Unbounded, Bound::Excluded));
        self.rows(tree, held, self.of_disk(tree, range))
    }

    fn rows(&self, tree: Tree, held: VecDeque<Row>, of: Unpacking<RowsOf>) -> Rows {
        Rows::of(tree, Merged::of(held, of), self.closing.clone())
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

    /// Applies `writes` whole or not at all. In a durable store they survive the death of this process. Says how many keys that took: rows
    /// that lie together have one.
    pub fn write(&self, writes: &Writes) -> Result<usize, StoreError> {
        self.write_lasting(writes, Lasting::Later)
    }

    /// The same, by whoever knows whether it is synced next: a database does both at once.
    pub fn write_lasting(&self, writes: &Writes, lasting: Lasting) -> Result<usize, StoreError> {
        fail::fail_point!("store.write", |_| Err(StoreError::Io("a failpoint".into())));
        fail::fail_point!("store.io_thread", |_| {
            let lost = std::thread::Builder::new().name("sled-io-lost".into()).spawn(|| panic!("a failpoint"));
            let lost = lost.map(|lost| lost.join().is_err());
            Err(StoreError::Io(format!("an I/O thread panicked, and the process goes on: {lost:?}")))
        });
        let placed = Placed::of(writes, &self.of)?;
        let changing = self.late.begin(&writes.late);
        let written = || changing.into_iter().for_each(Changing::done);
        match &self.of {
            In::Sled(sled) => sled.write(&placed, written)?,
            In::Memory(memory) => memory.write(&placed).map(|()| written())?,
            In::Database(database) if placed.keys() == 0 => database.renew().map(|()| written())?,
            In::Database(database) => database.write(&placed, lasting, written)?,
        }
        Ok(placed.keys())
    }

    /// Makes all that was written survive a power cut, the database's too.
    pub fn sync(&self) -> Result<(), StoreError> {
        match &self.of {
            In::Sled(sled) => {
                fail::fail_point!("store.sync", |_| Err(StoreError::Io("a failpoint".into())));
                sled.sync()
            }
            In::Memory(memory) => memory.sync(),
            In::Database(database) => database.sync(),
        }
    }

    /// Makes what says which group was synced survive a power cut. To be done within a second of [`Trees::sync`].
    pub fn sync_mark(&self) -> Result<(), StoreError> {
        match &self.of {
            In::Sled(sled) => sled.sync_mark(),
            In::Memory(_) | In::Database(_) => Ok(()),
        }
    }

    /// A pass over all rows begins, which adds them up.
    pub fn begin_to_add_up(&self) {
        self.add_up_by(|adding_up, _| *adding_up = AddingUp::default());
    }

    /// Adds a row that the pass has met, as it lies there.
    pub fn add_up(&self, tree: Tree, key: &[u8], stored: &[u8]) {
        self.add_up_by(|adding_up, _| adding_up.add(tree, key, stored));
    }

    /// The pass goes on from there; all before is added.
    pub fn add_up_from(&self, place: (Tree, Key)) {
        self.add_up_by(|adding_up, _| adding_up.go_on_from(place));
    }

    /// The pass is at its end. Says in words where the rows are not those that were written.
    pub fn end_adding_up(&self) -> Option<String> {
        self.add_up_by(AddingUp::end).flatten()
    }

    /// How much there is in each tree that has anything; `None` before the pass has met all rows.
    pub fn amounts(&self) -> Option<Vec<(Tree, Amount)>> {
        match &self.of {
            In::Sled(sled) => sled.amounts(),
            In::Memory(_) | In::Database(_) => None,
        }
    }

    /// The last group's number, and the sum over all rows after it where it is known.
    pub fn last_group(&self) -> (u64, Option<[u8; 16]>) {
        match &self.of {
            In::Sled(sled) => sled.last_group(),
            In::Memory(_) | In::Database(_) => (0, None),
        }
    }

    /// Nothing can be missing in memory, and a database looks after its rows itself: nothing is added up there.
    fn add_up_by<T>(&self, add: impl FnOnce(&mut AddingUp, &mut Ledger) -> T) -> Option<T> {
        match &self.of {
            In::Sled(sled) => Some(sled.add_up(add)),
            In::Memory(_) | In::Database(_) => None,
        }
    }

    /// Closes it for good, after a sync. It says so on the disk.
    pub fn close(self) -> Result<(), StoreError> {
        match self.of {
            In::Sled(sled) => sled.close(),
            In::Memory(_) => Ok(()),
            In::Database(database) => database.close(),
        }
    }

    /// Has the files cleaned of so many pages: see `reclaim`. Says whether they were: not while a sync waits.
    pub fn reclaim(&self, pages: usize) -> Result<bool, StoreError> {
        self.closing.check()?;
        match &self.of {
            In::Sled(sled) => sled.reclaim(pages),
            In::Memory(_) | In::Database(_) => Ok(true),
        }
    }

    /// Nodes that share the rows go by one clock, the database's: rows and signatures of one are looked at by the others.
    pub fn set_clock(&self, clock: &Clock) {
        /// Of less nobody need hear.
        const NOTABLE_MS: i64 = 2_000;
        let In::Database(database) = &self.of else { return };
        let ahead_ms = clock.follow(database.wall());
        if ahead_ms.abs() >= NOTABLE_MS {
            tracing::warn!(ahead_ms, "the database's clock is not that of this machine; it is the one that counts");
        }
    }

    /// How long until the lease is to be renewed under which the rows are read and written: by a write, if of nothing; `None` where there is
    /// none.
    pub fn renewal_due_in(&self) -> Option<Duration> {
        match &self.of {
            In::Database(database) => Some(database.lease().due_in()),
            In::Sled(_) | In::Memory(_) => None,
        }
    }

    /// How long the lease is held yet, if there is one.
    pub fn lease_left(&self) -> Option<Duration> {
        match &self.of {
            In::Database(database) => Some(database.lease().left()),
            In::Sled(_) | In::Memory(_) => None,
        }
    }

    /// Keeps the lease for as long as what is given is there, if there is one: for what takes long without a write.
    pub fn keep_lease(&self) -> Option<KeptLease> {
        match &self.of {
            In::Database(database) => Some(database.keep_lease()),
            In::Sled(_) | In::Memory(_) => None,
        }
    }

    /// The sum over all rows that are there but the one that the sum is kept in, read one after the other.
    pub fn count_sum(&self) -> Result<[u8; 16], StoreError> {
        let mut sum = ledger::Sum::default();
        for (tree, _) in Tree::ALL {
            for row in self.all(tree).stored() {
                let (key, stored) = row?;
                if (tree, &*key) != ledger::PLACE && (tree, &*key) != (Tree::Meta, META_RESTORING) {
                    sum = sum.and(ledger::Sum::of(tree, &key, &stored));
                }
            }
        }
        Ok(sum.to_bytes())
    }

    /// An error, once another may have the rows.
    pub fn check(&self) -> Result<(), StoreError> {
        self.closing.check()
    }

    /// Whether rows are looked at for what may have become of them: a database does so itself.
    pub fn are_scrubbed(&self) -> bool {
        !matches!(self.of, In::Database(_))
    }

    /// Bytes that are free for the store.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        match &self.of {
            In::Sled(sled) => sled.free_bytes(),
            In::Memory(_) | In::Database(_) => Ok(u64::MAX),
        }
    }

    /// Who shares the store; nobody shares files.
    pub fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        match &self.of {
            In::Sled(_) | In::Memory(_) => Ok(Vec::new()),
            In::Database(database) => database.nodes(),
        }
    }

    /// Bytes that the store takes.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        match &self.of {
            In::Sled(sled) => sled.size_bytes(),
            In::Memory(memory) => Ok(memory.size_bytes()),
            In::Database(database) => database.size_bytes(),
        }
    }
}

/// The value in what is stored at a key, if its checksum fits.
pub fn value_of(tree: Tree, key: &[u8], stored: IVec) -> Result<IVec, StoreError> {
    Ok(checksum::without(tree, key, stored)?)
}

/// Bytes of a row, key and value without its checksum.
pub fn bytes_of(key: &[u8], stored: &[u8]) -> usize {
    key.len() + checksum::value_bytes(stored)
}

/// Bytes that are free where `settings` put the store, whether or not it is open.
pub fn free_bytes(settings: &Settings) -> Result<u64, StoreError> {
    if settings.is_in_directory() { free_bytes_at(&settings.path) } else { Ok(u64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::layout::META_LAST_ID;

    #[test]
    fn a_sync_is_told_in_the_mark() {
        let dir = tempfile::tempdir().unwrap();
        let trees = Trees::open(&Settings::at(dir.path()), Arc::default()).unwrap();
        let marked = || mark::read(dir.path()).unwrap().unwrap().group.number;
        assert_eq!(marked(), 1, "the one that makes the store");
        let mut writes = Writes::default();
        writes.push(Tree::Meta, META_LAST_ID.to_vec(), Some(vec![0; 24]));
        trees.write(&writes).unwrap();
        assert_eq!(marked(), 1);
        trees.sync().unwrap();
        assert_eq!(marked(), 2);
        assert!(trees.size_bytes().unwrap() > 0);
    }
}
