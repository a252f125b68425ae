//! What a data directory needs before sled can open it, whatever a kill, a full disk or a power cut left in it.
//!
//! - An empty one gets its files. sled writes several before it has a store, and cannot open what a kill in between
//!   leaves. So they are made in a folder beside, synced, and moved in, the log `db` last: a directory that has its log
//!   has everything, and one without has nothing to lose.
//! - At every opening sled writes a snapshot of its log, and cannot open what it left half-written. So that is removed,
//!   and the log is synced first: a snapshot never knows more than the log that it belongs to.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::files::{LOG, open_error, sled_config};
use crate::store::error::OpenError;
use crate::store::settings::Settings;

/// Where the files are made.
const MAKING: &str = "making";
/// What the name of a snapshot ends with until it is whole.
const HALF_WRITTEN: &str = ".generating";

/// Makes the directory and the files in it, or makes those that are there fit to be opened.
pub fn prepare(settings: &Settings) -> Result<(), OpenError> {
    let path = settings.path.as_path();
    let cannot = |error: io::Error| OpenError::Io(path.into(), error);
    make_directory(path).map_err(cannot)?;
    make(path, settings)?;
    // Whoever has the store may be writing a snapshot right now: only one that nobody has is touched.
    let log = File::open(path.join(LOG)).map_err(cannot)?;
    flock(&log, FlockOperation::NonBlockingLockExclusive).map_err(|_| OpenError::InUse(path.into()))?;
    let prepared = remove_half_written(path).and_then(|()| log.sync_data());
    prepared.and_then(|()| Ok(flock(&log, FlockOperation::Unlock)?)).map_err(cannot)
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
    wait_for_release(&making.join(LOG)).map_err(cannot)?;
    move_in(&making, path).map_err(cannot)
}

/// sled lets go of its files some time after its last handle: once its lock is free.
fn wait_for_release(log: &Path) -> io::Result<()> {
    Ok(flock(File::open(log)?, FlockOperation::LockExclusive)?)
}

fn remove_half_written(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let file = entry?;
        if file.file_name().to_string_lossy().ends_with(HALF_WRITTEN) {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> io::Result<()> {
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
