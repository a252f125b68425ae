//! Makes a store of a backup, in a directory without one, and checks a backup without one. What stays true: the directory gets
//! a store only once the whole backup was read and the sum over all rows is the one that was backed up.

use std::collections::BTreeMap;
use std::io::Read;

use super::format::{Closing, Header, Part, Reader, Record};
use super::{BackupError, in_database};
use crate::store::layout::{
    FORMAT_VERSION, META_FORMAT, META_LAST_ACCOUNT, META_LAST_ID, META_LAST_WEBHOOK, Tree, read_number,
};
use crate::store::migration;
use crate::store::settings::Settings;
use crate::store::trees::{self, Trees, Writes};

/// Bytes of rows in one write.
const BATCH_BYTES: usize = 4 << 20;
/// Rows in one write.
const BATCH_ROWS: usize = 2_000;
/// Numbers of webhooks and of accounts that are left out behind the greatest that a backup knows: the old server may have given
/// them after it, and ids and links that go by them may still be about.
const NUMBERS_LEFT_OUT: u32 = 10_000;
/// What every record of the greatest id begins with; the rest of it is the ledger, and that is the new store's own.
const LAST_ID_BYTES: usize = 24;

/// What was found in a backup that is whole.
#[derive(Debug)]
pub struct Found {
    /// What it says at its beginning.
    pub header: Header,
    /// And at its end.
    pub closing: Closing,
}

/// Reads a backup to its end.
pub fn verify(from: impl Read) -> Result<Found, BackupError> {
    read(from, |_| Ok(()))
}

/// Makes a store of a backup, where `settings` say; there must be none. `accepts_differences`: also where its rows do not add up to
/// those that were written, as those of a store that had lost some do not.
///
/// # Errors
/// The backup is not whole or of another format, its rows do not add up, or the directory cannot take them.
pub fn restore(settings: &Settings, from: impl Read, accepts_differences: bool) -> Result<Found, BackupError> {
    let fill = |trees: &Trees| {
        let mut filling = Filling { trees, batch: BTreeMap::new(), bytes: 0, last_id: None };
        let found = read(from, |records| filling.add(records))?;
        filling.write()?;
        let sum = match trees.last_group() {
            (_, None) if found.closing.sum.is_some() => Some(trees.count_sum()?),
            (_, sum) => sum,
        };
        let differs = found.closing.sum.is_some_and(|expected| sum != Some(expected));
        if differs && !accepts_differences {
            return Err(BackupError::Sum);
        }
        filling.leave_numbers_out()?;
        trees.sync()?;
        Ok(found)
    };
    match settings.database {
        Some(_) => in_database::into_database(settings, fill),
        None => migration::into_empty(settings, fill),
    }
}

fn read(from: impl Read, mut add: impl FnMut(Vec<Record>) -> Result<(), BackupError>) -> Result<Found, BackupError> {
    let mut reader = Reader::open(from)?;
    let header = reader.header().clone();
    if header.format != FORMAT_VERSION {
        return Err(BackupError::Format { found: header.format, version: header.version });
    }
    loop {
        match reader.part()? {
            Part::Records(records) => add(records)?,
            Part::Closing(closing) => return Ok(Found { header, closing }),
        }
    }
}

/// A store that is being filled.
struct Filling<'a> {
    trees: &'a Trees,
    /// Of records of the same key, the last one counts.
    batch: BTreeMap<(Tree, Vec<u8>), Option<Vec<u8>>>,
    bytes: usize,
    /// Each write has it: the trees add to it what they know of themselves.
    last_id: Option<Vec<u8>>,
}

impl Filling<'_> {
    fn add(&mut self, records: Vec<Record>) -> Result<(), BackupError> {
        for Record { tree, key, value } in records {
            match (tree, key.as_slice()) {
                (Tree::Meta, META_FORMAT) => {}
                (Tree::Meta, META_LAST_ID) => {
                    let stored = value.ok_or_else(|| BackupError::Failed("it has no greatest id".into()))?;
                    let last = trees::value_of(tree, &key, stored.into())?;
                    self.last_id = last.get(..LAST_ID_BYTES).map(<[u8]>::to_vec);
                }
                _ => {
                    self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
                    self.batch.insert((tree, key), value);
                }
            }
            if self.bytes >= BATCH_BYTES || self.batch.len() >= BATCH_ROWS {
                self.write()?;
            }
        }
        Ok(())
    }

    /// Numbers go on further ahead.
    fn leave_numbers_out(&mut self) -> Result<(), BackupError> {
        let mut writes = Writes::default();
        for counter in [META_LAST_WEBHOOK, META_LAST_ACCOUNT] {
            // One that cannot be read is found again from the rows that have numbers, once the next one is given.
            if let Ok(stored) = self.trees.get(Tree::Meta, counter) {
                let last = stored.map_or(0, |stored| read_number(&stored));
                let ahead = last.saturating_add(NUMBERS_LEFT_OUT);
                writes.push(Tree::Meta, counter.to_vec(), Some(ahead.to_be_bytes().to_vec()));
            }
        }
        self.write_with_last_id(writes)
    }

    fn write(&mut self) -> Result<(), BackupError> {
        let mut writes = Writes::default();
        for ((tree, key), value) in std::mem::take(&mut self.batch) {
            writes.push_as_it_is(tree, key, value);
        }
        self.bytes = 0;
        self.write_with_last_id(writes)
    }

    fn write_with_last_id(&self, mut writes: Writes) -> Result<(), BackupError> {
        let last = self.last_id.clone().ok_or_else(|| BackupError::Failed("it has no greatest id".into()))?;
        writes.push(Tree::Meta, META_LAST_ID.to_vec(), Some(last));
        self.trees.write(&writes)?;
        Ok(())
    }
}
