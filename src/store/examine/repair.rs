//! Repair: what follows from other rows is built again from them. What stays true: no record is changed or removed, only what
//! indexes and counts them; what cannot be built is left as it is and told; and it begins from a store that is whole by its mark and
//! of the present format.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::known::Known;
use super::noted::{Change, Noted, Wrong};
use super::pass::pass;
use crate::domain::finding::Finding;
use crate::domain::time::UnixMs;
use crate::store::damage::Reports;
use crate::store::error::{OpenError, StoreError};
use crate::store::layout::{FORMAT_VERSION, META_LAST_ID, Tree};
use crate::store::master_keys;
use crate::store::migration;
use crate::store::opening::check_master_keys;
use crate::store::rows;
use crate::store::seal::MasterKeys;
use crate::store::settings::Settings;
use crate::store::trees::{Trees, Writes, copies, create, opened};

/// Changes in one write.
const BATCH: usize = 500;
/// What is mended may show more that is to be: no chain of such is as long.
const ROUNDS_MAX: usize = 8;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// Where the copy is that was made first; `None` where none was wanted, or nothing was changed.
    pub copy: Option<PathBuf>,
    /// Rows that were written or removed.
    pub changed: u64,
    /// What was mended.
    pub mended: Vec<Finding>,
}

/// Mends what can be mended, after a copy of the files that `copy_at` names, or without one. Where nothing is changed no copy is
/// kept: whoever repairs every night would fill the disk with them.
///
/// # Errors
/// Somebody has the store, a master key is missing, it lacks what was there before, it is of an older format, there is no room for
/// the copy, or it cannot be written.
pub fn repair(settings: &Settings, copy_at: Option<UnixMs>) -> Result<Repaired, OpenError> {
    settings.must_be_in_directory()?;
    let path = settings.path.as_path();
    if settings.is_in_directory() {
        migration::refuse_half_restored(path)?;
        refuse_older(settings)?;
    }
    let keys = master_keys::read_what_is_there(settings);
    let keys = keys.map_err(|why| OpenError::MasterKeys(settings.master_keys.to_string(), why))?;
    let copy = copy_at.map(|now| copies::safety_copy(settings, now)).transpose()?;
    let (mut changed, mut noted) = (0, Noted::default());
    let mended = open_and_mend(settings, &keys, &mut changed, &mut noted);
    let copy = match copy {
        Some(copy) if changed == 0 => {
            copies::forget(&copy).map_err(|error| OpenError::Io(copy, error))?;
            None
        }
        copy => copy,
    };
    match mended {
        Ok(()) => Ok(Repaired { copy, changed, mended: noted.findings().collect() }),
        Err(error) if changed > 0 => Err(OpenError::MendedInPart { error: error.into(), copy }),
        Err(error) => Err(error),
    }
}

/// One that an upgrade changes is upgraded first: that makes a copy of its own, and builds what the older format lacks.
fn refuse_older(settings: &Settings) -> Result<(), OpenError> {
    create::must_have_log(&settings.path)?;
    let found = opened::look_at_format(settings, |_| Ok(()))?.filter(|found| *found < FORMAT_VERSION);
    found.map_or(Ok(()), |found| Err(OpenError::Older { path: settings.path.clone(), found }))
}

fn open_and_mend(
    settings: &Settings,
    keys: &MasterKeys,
    changed: &mut u64,
    noted: &mut Noted,
) -> Result<(), OpenError> {
    let path = settings.path.as_path();
    let trees = Trees::open(settings, Arc::<Reports>::default())?;
    let done = check_master_keys(settings, &trees, keys)
        .and_then(|()| mend_all(&trees, keys, changed, noted).map_err(|error| OpenError::of(path, error)));
    let closed = trees.close().map_err(|error| OpenError::of(path, error));
    done.and(closed)
}

fn mend_all(trees: &Trees, keys: &MasterKeys, changed: &mut u64, noted: &mut Noted) -> Result<(), StoreError> {
    for _ in 0..ROUNDS_MAX {
        let before = *changed;
        let last = round(trees, keys, changed, noted)?;
        if *changed == before {
            // All rows were met and nothing was changed on the way: what they come to is what is there from now on. Where a page was
            // in the way there is no last: what was behind it would be given up, and counted as if it had never been.
            if let Some(last) = last.filter(|_| trees.end_adding_up().is_some()) {
                write(trees, vec![last], changed)?;
            }
            break;
        }
    }
    trees.sync()
}

/// Mends what a pass meets. Gives the row of the greatest id as it should be, if it met all rows.
fn round(trees: &Trees, keys: &MasterKeys, changed: &mut u64, noted: &mut Noted) -> Result<Option<Change>, StoreError> {
    let known = Known::read(trees, keys)?;
    known.find_late(trees)?;
    let mut batch = Vec::new();
    let counted = pass(trees, keys, &known, |wrong: Wrong| {
        if wrong.mend.is_empty() {
            return Ok(());
        }
        noted.note(&wrong);
        batch.extend(wrong.mend);
        if batch.len() >= BATCH { write(trees, std::mem::take(&mut batch), changed) } else { Ok(()) }
    })?;
    write(trees, batch, changed)?;
    let given = trees.get(Tree::Meta, META_LAST_ID)?.map(|stored| rows::last(&stored)).transpose()?;
    Ok(counted.is_whole.then(|| counted.last_id(given.map_or(0, |(id, _)| id))))
}

/// Writes changes, each key once: the last word counts.
fn write(trees: &Trees, batch: Vec<Change>, changed: &mut u64) -> Result<(), StoreError> {
    if batch.is_empty() {
        return Ok(());
    }
    let mut by_key = BTreeMap::new();
    for (tree, key, value) in batch {
        by_key.insert((tree, key), value);
    }
    let last = (Tree::Meta, META_LAST_ID.to_vec());
    if !by_key.contains_key(&last) {
        // Each write has it: the trees add to it what they know of themselves.
        let stored = trees.get(last.0, META_LAST_ID)?;
        by_key.extend(stored.and_then(|stored| Some((last, Some(stored.get(..24)?.to_vec())))));
    }
    *changed += by_key.len() as u64;
    let mut writes = Writes::default();
    by_key.into_iter().for_each(|((tree, key), value)| writes.push(tree, key, value));
    trees.write(&writes).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;
    use crate::store::bench::{Bench, in_memory};
    use crate::store::settings::MasterKeySource;

    #[test]
    fn without_a_key_that_has_sealed_something_nothing_is_repaired() {
        let of = |key| {
            let text = Secret::master_key(&[key; 32]).reveal().to_owned();
            Settings { master_keys: MasterKeySource::Text(Secret::new(text)), ..in_memory() }
        };
        let first = of(1);
        let memory = first.memory.clone();
        Bench::of(first).webhook();
        let by = |key| repair(&Settings { memory: memory.clone(), ..of(key) }, None);
        assert!(matches!(by(2), Err(OpenError::MasterKeyMissing { .. })));
        assert!(by(1).is_ok());
    }
}
