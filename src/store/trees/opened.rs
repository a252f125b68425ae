//! How a store is opened: with sled's snapshot of the log, or without it if it does not fit; and then held against its
//! mark. What stays true: a store that lacks a group which was synced is refused, never opened as if it were whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::caught::caught_opening;
use super::copies::{self, By};
use super::files::{LOG, open_error, sled_config};
use super::held::{Handle, Sled};
use super::ledger::{Ledger, PLACE};
use super::mark::{self, Marked};
use super::{checksum, create};
use crate::store::error::OpenError;
use crate::store::layout::{FORMAT_COPIED, FORMAT_GROWN, FORMAT_VERSION, META_FORMAT, Tree};
use crate::store::settings::Settings;

/// What the name of a snapshot begins with while the store is opened without it.
const ASIDE: &str = "aside.";

/// The tree that is written so that sled cleans its log. It has one row, which says nothing.
const RECLAIM: &str = "reclaim";

/// What was opened.
pub struct Opened {
    /// The trees.
    pub sled: Handle<Sled>,
    /// The format that they say; none if nothing was written in them yet.
    pub format: Option<u32>,
    /// What the store knows of its writes.
    pub ledger: Ledger,
    /// Its mark as it was found.
    pub marked: Option<Marked>,
}

/// Whether a store with this ledger is the one that was left with this mark.
pub type Check = fn(&Path, Option<&Marked>, &Ledger) -> Result<(), OpenError>;

/// Opens or makes the store, if `check` says that it is whole.
pub fn open(settings: &Settings, is_whole: Option<Check>) -> Result<Opened, OpenError> {
    let path = settings.path.as_path();
    let marked = create::prepare(settings, is_whole.is_some())?;
    let had_groups = marked.is_some_and(|marked| marked.group.number > 0);
    let copies = is_whole.is_some() && settings.upgrade_copy;
    let (sled, format) = open_sled(path, settings, had_groups, copies)?;
    let (tree, _) = PLACE;
    let ledger = if format.is_some() { read_ledger(path, &sled.trees[tree as usize])? } else { Ledger::new() };
    if let Some(check) = is_whole {
        check(path, marked.as_ref(), &ledger)?;
    }
    Ok(Opened { sled, format, ledger, marked })
}

/// Opens a store that is there, whatever is missing in it, and says what speaks against it.
pub fn open_to_look(settings: &Settings) -> Result<(Opened, Option<OpenError>), OpenError> {
    let path = settings.path.as_path();
    create::must_have_log(path)?;
    let short = refuse_short(path).err();
    let opened = open(settings, None)?;
    let refusal = short.or_else(|| check(path, opened.marked.as_ref(), &opened.ledger).err());
    Ok((opened, refusal))
}

/// Compares the store with its mark. The store may be ahead: the mark is written after the sync.
pub fn check(path: &Path, marked: Option<&Marked>, ledger: &Ledger) -> Result<(), OpenError> {
    let (found, path) = (ledger.group, path.to_path_buf());
    let Some(Marked { group: marked, .. }) = marked else {
        if found.number > 0 {
            tracing::warn!(
                path = %path.display(),
                groups = found.number,
                "the store has no mark that can be read, so nobody can tell whether its end is missing; it gets a new one"
            );
        }
        return Ok(());
    };
    if found.number < marked.number {
        return Err(OpenError::Behind { path, found: found.number, marked: marked.number });
    }
    if found.number == marked.number && found.chain != marked.chain {
        return Err(OpenError::Another { path, number: found.number });
    }
    Ok(())
}

fn open_sled(
    path: &Path,
    settings: &Settings,
    had_groups: bool,
    copies: bool,
) -> Result<(Handle<Sled>, Option<u32>), OpenError> {
    let opened = with_snapshot_or_without(path, || open_trees(path, settings, copies), |(_, format)| format.is_none());
    match opened {
        Ok((_, None)) if had_groups => {
            let why = "nothing is in its log".to_owned();
            Err(OpenError::Damaged { path: path.into(), why })
        }
        opened => opened,
    }
}

/// Opens sled, as `open` does. If what it finds does not fit together, it may be only its snapshot: all that is in one is in the log
/// as well, so the log is read without it.
fn with_snapshot_or_without<T>(
    path: &Path,
    open: impl Fn() -> Result<T, OpenError>,
    is_nothing: impl Fn(&T) -> bool,
) -> Result<T, OpenError> {
    let cannot = |error: io::Error| OpenError::Io(path.into(), error);
    let snapshots = create::snapshots(path).map_err(cannot)?;
    match open() {
        Err(OpenError::Damaged { why, .. }) if !snapshots.is_empty() => {
            tracing::warn!(why, "the store cannot be opened with the snapshot of its log; trying without");
            create::released(&path.join(LOG)).map_err(cannot)?;
            let aside = set_aside(&snapshots).map_err(cannot)?;
            let opened = match open() {
                // sled takes a log in which it finds nothing for a new one.
                Ok(opened) if is_nothing(&opened) => Err(OpenError::Damaged { path: path.into(), why }),
                opened => opened,
            };
            let last = if opened.is_ok() { remove(&aside) } else { put_back(&aside, &snapshots) };
            last.map_err(cannot).and(opened)
        }
        opened => opened,
    }
}

fn set_aside(snapshots: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut moved = Vec::new();
    for snapshot in snapshots {
        let name = snapshot.file_name().expect("a file has a name").to_string_lossy();
        let aside = snapshot.with_file_name(format!("{ASIDE}{name}"));
        fs::rename(snapshot, &aside)?;
        moved.push(aside);
    }
    Ok(moved)
}

fn put_back(aside: &[PathBuf], snapshots: &[PathBuf]) -> io::Result<()> {
    aside.iter().zip(snapshots).try_for_each(|(aside, snapshot)| fs::rename(aside, snapshot))
}

fn remove(files: &[PathBuf]) -> io::Result<()> {
    files.iter().try_for_each(fs::remove_file)
}

/// The trees, and their format if they have one. Before those are made that an older format lacks, `copies` wants a copy.
fn open_trees(path: &Path, settings: &Settings, copies: bool) -> Result<(Handle<Sled>, Option<u32>), OpenError> {
    caught_opening(|| open_trees_or_panic(path, settings, copies)).map_err(|error| OpenError::of(path, error)).flatten()
}

fn open_trees_or_panic(
    path: &Path,
    settings: &Settings,
    copies: bool,
) -> Result<(Handle<Sled>, Option<u32>), OpenError> {
    let db = sled_config(path, settings).open().map_err(|error| open_error(path, error))?;
    let format = format_of(&db, path)?;
    if copies && format.is_some_and(|found| found < FORMAT_VERSION) {
        // Nobody writes it meanwhile: it is locked, and nothing of it was changed yet.
        db.flush().map_err(|error| open_error(path, error))?;
        copies::make_for_upgrade(path, FORMAT_VERSION, By::Copying)?;
    }
    let trees = Tree::ALL.iter().map(|(_, name)| db.open_tree(name)).collect::<Result<Vec<_>, _>>();
    let trees = trees.map_err(|error| open_error(path, error))?;
    let reclaim = db.open_tree(RECLAIM).map_err(|error| open_error(path, error))?;
    Ok((Handle::of(Sled { trees, reclaim, db }), format))
}

/// The format of a store that is there, after `look` had a look at it; also of one that is brought to the present format first.
pub fn look_at_format(
    settings: &Settings,
    look: impl Fn(&sled::Db) -> Result<(), OpenError>,
) -> Result<Option<u32>, OpenError> {
    let path = settings.path.as_path();
    let look = || {
        let db = sled_config(path, settings).open().map_err(|error| open_error(path, error))?;
        look(&db)?;
        match format_of(&db, path) {
            Err(OpenError::Older { found: FORMAT_COPIED, .. }) => Ok(Some(FORMAT_COPIED)),
            format => format,
        }
    };
    let looked = || caught_opening(look).map_err(|error| OpenError::of(path, error)).flatten();
    let format = with_snapshot_or_without(path, looked, Option::is_none);
    create::released(&path.join(LOG)).map_err(|error| OpenError::Io(path.into(), error))?;
    format
}

/// Refuses a store whose log was cut short, as a start does: before it is opened, since that makes it longer.
pub fn refuse_short(path: &Path) -> Result<(), OpenError> {
    let cannot = |error: io::Error| OpenError::Io(path.into(), error);
    let closed = mark::read(path).map_err(cannot)?.and_then(|marked| marked.closed);
    let found = create::log_bytes(path).map_err(cannot)?;
    let short = closed.filter(|expected| found < *expected);
    short.map_or(Ok(()), |expected| Err(OpenError::Short { path: path.into(), found, expected }))
}

/// Refuses a store that lacks what its mark knows, as a start does.
pub fn refuse_incomplete(db: &sled::Db, path: &Path) -> Result<(), OpenError> {
    match format_of(db, path) {
        // It has no mark.
        Err(OpenError::Older { found: FORMAT_COPIED, .. }) => return Ok(()),
        format => format?,
    };
    let Some(marked) = mark::read(path).map_err(|error| OpenError::Io(path.into(), error))? else { return Ok(()) };
    let rows = db.open_tree(Tree::ALL[PLACE.0 as usize].1).map_err(|error| open_error(path, error))?;
    check(path, Some(&marked), &read_ledger(path, &rows)?)
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
        Some(found) if found < FORMAT_GROWN => Err(OpenError::Older { path: path.into(), found }),
        format => Ok(format),
    }
}

fn read_ledger(path: &Path, rows: &sled::Tree) -> Result<Ledger, OpenError> {
    let (tree, key) = PLACE;
    let record = caught_opening(|| rows.get(key)).map_err(|error| OpenError::of(path, error))?;
    let record: Option<sled::IVec> = record.map_err(|error| open_error(path, error))?;
    let damaged = || OpenError::Damaged { path: path.into(), why: "the number of its last group".into() };
    let Some(record) = record else { return Ok(Ledger::default()) };
    match checksum::without(tree, key, record) {
        Ok(record) => Ledger::read(&record).ok_or_else(damaged),
        Err(damage) => {
            // Then it is behind any mark, and whoever accepts that goes on with what is there.
            tracing::error!(%damage, "what the store knows of its groups cannot be read");
            Ok(Ledger::default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::trees::ledger::{AT, Group};
    use crate::store::trees::mark::{self, Mark};
    use crate::store::trees::{Trees, Writes};
    use std::sync::Arc;

    fn try_store(path: &Path) -> Result<Trees, OpenError> {
        loop {
            match Trees::open(&Settings::at(path), Arc::default()) {
                // sled lets go of its files some moments after its last handle.
                Err(OpenError::InUse(_)) => std::thread::yield_now(),
                opened => return opened,
            }
        }
    }

    fn marked(number: u64) -> Marked {
        let dir = tempfile::tempdir().unwrap();
        Mark::open(dir.path(), None, Group { number, chain: [1; 32] }).unwrap();
        mark::read(dir.path()).unwrap().unwrap()
    }

    #[test]
    fn a_store_may_be_ahead_of_its_mark_and_not_behind_nor_another_one() {
        let held = |number, chain| {
            let ledger = Ledger { group: Group { number, chain: [chain; 32] }, sum: None };
            check(Path::new("data"), Some(&marked(5)), &ledger)
        };
        assert!(held(5, 1).is_ok() && held(6, 2).is_ok());
        assert!(matches!(held(4, 1), Err(OpenError::Behind { found: 4, marked: 5, .. })));
        assert!(matches!(held(5, 2), Err(OpenError::Another { number: 5, .. })));
        assert!(check(Path::new("data"), None, &Ledger::default()).is_ok());
    }

    #[test]
    fn a_log_in_which_nothing_is_belongs_to_a_store_in_which_nothing_was() {
        for number in [0, 1] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path();
            create::prepare(&Settings::at(path), true).unwrap();
            Mark::open(path, None, Group { number, ..Group::default() }).unwrap();
            let opened = try_store(path).err().map(|error| error.to_string());
            assert_eq!(opened.is_some_and(|why| why.contains("nothing is in its log")), number > 0);
        }
    }

    #[test]
    fn a_store_is_opened_without_a_snapshot_that_is_damaged_and_in_no_format_but_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        let write = |trees: &Trees, key: &[u8], value: Vec<u8>| {
            let mut writes = Writes::default();
            writes.push(Tree::Meta, key.to_vec(), Some(value));
            writes.push(PLACE.0, PLACE.1.to_vec(), Some(vec![0; AT]));
            trees.write(&writes).unwrap();
        };
        let trees = try_store(path).unwrap();
        write(&trees, b"a row", vec![7]);
        trees.close().unwrap();
        let snapshots = create::snapshots(path).unwrap();
        assert!(!snapshots.is_empty());
        snapshots.iter().for_each(|snapshot| fs::write(snapshot, [9; 99]).unwrap());
        let look = || look_at_format(&Settings::at(path), |_| Ok(()));
        assert_eq!(look().unwrap(), Some(FORMAT_VERSION), "who looks sees what a start does");
        create::snapshots(path).unwrap().iter().for_each(|snapshot| fs::write(snapshot, [9; 99]).unwrap());
        let trees = try_store(path).unwrap();
        assert_eq!(trees.get(Tree::Meta, b"a row").unwrap().unwrap(), [7]);
        let is_aside =
            |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().to_string_lossy().starts_with(ASIDE);
        assert!(!fs::read_dir(path).unwrap().any(is_aside));

        write(&trees, META_FORMAT, (FORMAT_VERSION + 1).to_be_bytes().to_vec());
        trees.close().unwrap();
        assert!(matches!(try_store(path).err(), Some(OpenError::Newer { .. })));
    }
}
