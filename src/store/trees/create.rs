//! What a data directory needs before sled can open it, whatever a kill, a full disk or a power cut left in it.
//!
//! - An empty one gets its files. sled writes several before it has a store, and cannot open what a kill in between
//!   leaves. So they are made in a folder beside, synced, and moved in, the log `db` last: a directory that has its log
//!   has everything, and one without has nothing to lose.
//! - One that has a mark or a snapshot had a store. If its log is missing, empty, or shorter than when it was closed, it is
//!   not opened: sled would make a new store of it.
//! - After an end that was not clean all files are synced, and then the kernel drops what it holds of them in memory: after
//!   a sync that failed it may hold pages that are not on the disk, and calls them clean. So what is read is what the disk
//!   holds.
//! - At every opening sled writes a snapshot of its log, and cannot open what it left half-written. So that is removed. The
//!   log is synced first: a snapshot never knows more than the log that it belongs to.
//! - sled's configuration is always the same, so one that is missing or damaged is written again.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Advice, FlockOperation, fadvise, flock};
use rustix::io::Errno;

use super::files::{LOG, SEGMENT_BYTES, open_error, sled_config};
use super::mark::{self, MARK, Marked};
use crate::store::error::OpenError;
use crate::store::settings::Settings;

/// What sled says of its shape.
const CONF: &str = "conf";
/// What the name of a snapshot begins with.
const SNAPSHOT: &str = "snap.";
/// Where the files are made.
const MAKING: &str = "making";
/// What the name of a snapshot ends with until it is whole.
const HALF_WRITTEN: &str = ".generating";

/// Makes the directory and the files in it, or makes those that are there fit to be opened. Gives its mark; refuses a
/// store that is known to be incomplete, if it is to be `whole`.
pub fn prepare(settings: &Settings, whole: bool) -> Result<Option<Marked>, OpenError> {
    let path = settings.path.as_path();
    let cannot = |error: io::Error| OpenError::Io(path.into(), error);
    make_directory(path).map_err(cannot)?;
    if had_store(path).map_err(cannot)? && !has_log(path) {
        return Err(OpenError::Gone(path.into()));
    }
    make(path, settings)?;
    // Whoever has the store may be writing a snapshot right now: only one that nobody has is touched.
    let log = File::open(path.join(LOG)).map_err(cannot)?;
    flock(&log, FlockOperation::NonBlockingLockExclusive).map_err(|_| OpenError::InUse(path.into()))?;
    let marked = mark::read(path).map_err(cannot)?;
    let closed = marked.and_then(|marked| marked.closed);
    let found = log.metadata().map_err(cannot)?.len();
    if let Some(expected) = closed.filter(|expected| whole && found < *expected) {
        return Err(OpenError::Short { path: path.into(), found, expected });
    }
    mend_conf(path)?;
    remove_left(path, HALF_WRITTEN).map_err(cannot)?;
    if settings.durable && closed.is_none() {
        forget_what_is_cached(path).map_err(cannot)?;
    }
    flock(&log, FlockOperation::Unlock).map_err(|error| cannot(error.into()))?;
    Ok(marked)
}

/// Whether the log has anything in it.
pub fn has_log(path: &Path) -> bool {
    log_bytes(path).is_ok_and(|bytes| bytes > 0)
}

/// How long the log is.
pub fn log_bytes(path: &Path) -> io::Result<u64> {
    Ok(path.join(LOG).metadata()?.len())
}

/// Whether there is what only a store that was opened leaves. While the files of a new one are moved in, their folder is
/// still there, and the mark is not there yet.
pub fn had_store(path: &Path) -> io::Result<bool> {
    if !path.try_exists()? {
        return Ok(false);
    }
    Ok(path.join(MARK).exists() || (!path.join(MAKING).exists() && !snapshots(path)?.is_empty()))
}

/// Refuses where there is no log to look at: a store is lost, or never was there.
pub fn must_have_log(path: &Path) -> Result<(), OpenError> {
    let had_store = had_store(path).map_err(|error| OpenError::Io(path.into(), error))?;
    match (has_log(path), had_store) {
        (true, _) => Ok(()),
        (false, true) => Err(OpenError::Gone(path.into())),
        (false, false) => Err(OpenError::Nothing(path.into())),
    }
}

/// sled's snapshots.
pub fn snapshots(path: &Path) -> io::Result<Vec<PathBuf>> {
    let files = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let is_snapshot = |name: &str| name.starts_with(SNAPSHOT) && !name.ends_with(HALF_WRITTEN);
    Ok(files
        .into_iter()
        .filter(|file| file.file_name().is_some_and(|name| is_snapshot(&name.to_string_lossy())))
        .collect())
}

/// Removes what is left of a store whose log is gone, so that the next start makes a new one.
pub fn remove_rest(path: &Path) -> io::Result<()> {
    snapshots(path)?.into_iter().try_for_each(fs::remove_file)?;
    for name in [MARK, LOG] {
        match fs::remove_file(path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    File::open(path)?.sync_all()
}

/// Syncs all files of the store, then has the kernel forget them.
fn forget_what_is_cached(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        if file.is_file() {
            let file = File::open(file)?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// What sled writes about the shape of its log, with a checksum behind it.
fn conf() -> Vec<u8> {
    let mut bytes = format!("segment_size: {SEGMENT_BYTES}\nuse_compression: false\nversion: 0.34\n").into_bytes();
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// Writes it again, if it is not there or is damaged; refuses one that is whole and says something else.
fn mend_conf(path: &Path) -> Result<(), OpenError> {
    let cannot = |error: io::Error| OpenError::Io(path.into(), error);
    let file = path.join(CONF);
    let found = match fs::read(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        found => found.map_err(cannot)?,
    };
    if found == conf() {
        return Ok(());
    }
    let is_whole = found.split_last_chunk().is_some_and(|(text, sum)| crc32fast::hash(text).to_le_bytes() == *sum);
    if is_whole {
        let why = "its conf says that the log has another shape".to_owned();
        return Err(OpenError::Damaged { path: path.into(), why });
    }
    tracing::warn!(file = %file.display(), "it is missing or damaged, and was written again");
    let half = path.join(format!("{CONF}{HALF_WRITTEN}"));
    fs::write(&half, conf()).and_then(|()| File::open(&half)?.sync_all()).map_err(cannot)?;
    fs::rename(half, file).map_err(cannot)
}

/// Makes the directory, for its owner only, unless it is there.
pub fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes the files, unless they are there.
fn make(path: &Path, settings: &Settings) -> Result<(), OpenError> {
    let cannot = |error: io::Error| OpenError::Io(path.into(), error);
    if path.join(LOG).exists() {
        return Ok(());
    }
    // Of two processes that find it empty, one makes the files.
    let directory = File::open(path).map_err(cannot)?;
    flock(&directory, FlockOperation::NonBlockingLockExclusive).map_err(|_| OpenError::InUse(path.into()))?;
    if path.join(LOG).exists() {
        return Ok(());
    }
    let making = path.join(MAKING);
    remove(&making).map_err(cannot)?;
    let db = sled_config(&making, settings).open().map_err(|error| open_error(path, error))?;
    db.flush().map_err(|error| open_error(path, error))?;
    drop(db);
    released(&making.join(LOG)).map_err(cannot)?;
    move_in(&making, path).map_err(cannot)
}

/// sled lets go of its files some moments after its last handle: waits for that. Gives the log, locked, if it did within a
/// time that is longer than moments.
pub fn released(log: &Path) -> io::Result<Option<File>> {
    const TRIES: usize = 1000;
    let log = File::open(log)?;
    for _ in 0..TRIES {
        match flock(&log, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(Duration::from_millis(1)),
            locked => return Ok(locked.map(|()| Some(log))?),
        }
    }
    Ok(None)
}

fn remove_left(path: &Path, ending: &str) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let file = entry?;
        if file.file_name().to_string_lossy().ends_with(ending) {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// Removes a folder and what is in it, if it is there.
pub fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Moves what was made into the directory, over what an interrupted move left there; the log last.
fn move_in(making: &Path, path: &Path) -> io::Result<()> {
    let mut names = fs::read_dir(making)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort_by_key(|name| name == LOG);
    for name in &names {
        if making.join(name).is_file() {
            File::open(making.join(name))?.sync_all()?;
        }
    }
    for name in names {
        fs::rename(making.join(&name), path.join(&name))?;
    }
    fs::remove_dir(making)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_conf_is_the_one_that_sled_writes() {
        let dir = tempfile::tempdir().unwrap();
        drop(sled_config(dir.path(), &Settings::at(dir.path())).open().unwrap());
        assert_eq!(fs::read(dir.path().join(CONF)).unwrap(), conf());
    }

    #[test]
    fn a_conf_that_is_damaged_is_written_again_and_one_of_another_shape_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(CONF);
        mend_conf(dir.path()).unwrap();
        assert_eq!(fs::read(&file).unwrap(), conf());
        for bit in 0..conf().len() * 8 {
            let mut damaged = conf();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, damaged).unwrap();
            mend_conf(dir.path()).unwrap();
            assert_eq!(fs::read(&file).unwrap(), conf());
        }
        let mut other = b"segment_size: 524288\nuse_compression: false\nversion: 0.34\n".to_vec();
        other.extend_from_slice(&crc32fast::hash(&other).to_le_bytes());
        fs::write(&file, &other).unwrap();
        assert!(matches!(mend_conf(dir.path()), Err(OpenError::Damaged { .. })));
        assert_eq!(fs::read(&file).unwrap(), other);
    }

    #[test]
    fn a_conf_that_cannot_be_looked_at_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(CONF)).unwrap();
        assert!(matches!(mend_conf(dir.path()), Err(OpenError::Io(..))));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is made beside it");
    }

    #[test]
    fn a_log_without_a_byte_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!has_log(dir.path()));
        fs::write(dir.path().join(LOG), b"").unwrap();
        assert!(!has_log(dir.path()));
        fs::write(dir.path().join(LOG), b"x").unwrap();
        assert!(has_log(dir.path()));
    }

    #[test]
    fn a_mark_tells_of_a_store_and_so_does_a_snapshot_that_is_whole_and_no_longer_being_made() {
        let dir = tempfile::tempdir().unwrap();
        let had = |files: &[&str]| {
            files.iter().for_each(|file| fs::write(dir.path().join(file), b"x").unwrap());
            let had = had_store(dir.path()).unwrap();
            files.iter().for_each(|file| fs::remove_file(dir.path().join(file)).unwrap());
            had
        };
        assert!(!had(&[]) && !had(&[CONF, LOG]) && !had(&["snap.1.generating"]));
        assert!(had(&[MARK]) && had(&["snap.1"]) && had(&[MARK, MAKING]));
        assert!(!had(&["snap.1", MAKING]), "its files are being moved in");
    }

    #[test]
    fn the_rest_of_a_store_goes_whatever_of_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        remove_rest(dir.path()).unwrap();
        ["snap.1", MARK, CONF].iter().for_each(|file| fs::write(dir.path().join(file), b"x").unwrap());
        remove_rest(dir.path()).unwrap();
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [CONF]);
        fs::create_dir(dir.path().join(MARK)).unwrap();
        assert!(remove_rest(dir.path()).is_err(), "what cannot be removed is told");
    }

    #[test]
    fn a_log_that_nobody_has_is_given_locked() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join(LOG);
        fs::write(&log, b"x").unwrap();
        let locked = released(&log).unwrap().expect("nobody has it");
        let lock = || flock(File::open(&log).unwrap(), FlockOperation::NonBlockingLockExclusive);
        assert_eq!(lock(), Err(Errno::WOULDBLOCK));
        drop(locked);
        assert_eq!(lock(), Ok(()));
    }

    #[test]
    fn the_log_is_moved_in_last() {
        let dir = tempfile::tempdir().unwrap();
        let making = dir.path().join(MAKING);
        for folder in [MAKING, "a", "z"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        [LOG, "a", "z"].iter().for_each(|file| fs::write(making.join(file), b"x").unwrap());
        // Two of them cannot be moved, whatever the order in which they are met.
        for blocked in ["a", "z"] {
            assert!(move_in(&making, dir.path()).is_err());
            assert!(!dir.path().join(LOG).exists());
            fs::remove_dir(dir.path().join(blocked)).unwrap();
        }
        move_in(&making, dir.path()).unwrap();
        assert!(dir.path().join(LOG).exists() && !making.exists());
    }
}
