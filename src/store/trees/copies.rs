//! Copies of a store's files that are made before something is done that cannot be taken back: in a folder of the data directory,
//! so that nothing beside it need be written. What stays true: a copy is whole once it has its name; the master key is in none.
//!
//! sled writes its log anew in place, so a link to it would change with it: files are copied. (Where the file system can share
//! the blocks of a copy, that takes no room.) Only of a store that is never written again a link is enough.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::create::remove;
use super::files::{LOG, free_bytes_at};
use super::mark::MARK;
use crate::domain::time::UnixMs;
use crate::store::error::OpenError;
use crate::store::settings::Settings;

/// The folder.
pub const COPIES: &str = "copies";
/// A copy that is not whole.
const MAKING: &str = "making";
/// What the names of those begin with that are made before an upgrade.
const UPGRADE: &str = "before-format-";
/// Room that must be left beside a copy.
pub const SPARE_BYTES: u64 = 64 << 20;

/// How a copy is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Byte for byte.
    Copying,
    /// By another name for the same file: of a store that is never written again.
    Linking,
}

/// Bytes of the files that a copy has.
pub fn bytes(path: &Path) -> io::Result<u64> {
    files(path)?.iter().try_fold(0, |sum, file| Ok(sum + fs::metadata(file)?.len()))
}

/// Makes the copy before an upgrade to this format; one of the same name goes.
pub fn make_for_upgrade(path: &Path, to: u32, by: By) -> Result<(), OpenError> {
    let made = make(path, &format!("{UPGRADE}{to}"), by)?;
    tracing::warn!(
        copy = %made.display(),
        "a copy of the store as it was is kept there until the next start after a clean stop"
    );
    Ok(())
}

/// Makes a copy of this name; refuses where there is no room for it. Nobody else may write the store meanwhile.
pub fn make(path: &Path, name: &str, by: By) -> Result<PathBuf, OpenError> {
    let cannot = |error: io::Error| OpenError::Io(path.into(), error);
    if by == By::Copying {
        let needed = bytes(path).map_err(cannot)? + SPARE_BYTES;
        let free = free_bytes(path)?;
        enough(free, needed).map_err(|why| cannot(io::Error::other(why)))?;
    }
    copy(path, name, by).map_err(cannot)
}

/// Makes a copy before something is mended by hand; it stays until somebody removes it. `now` names it.
///
/// # Errors
/// There is no store, somebody has it, or there is no room.
pub fn safety_copy(settings: &Settings, now: UnixMs) -> Result<PathBuf, OpenError> {
    let path = settings.path.as_path();
    let log = match File::open(path.join(LOG)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(OpenError::Gone(path.into())),
        log => log.map_err(|error| OpenError::Io(path.into(), error))?,
    };
    flock(&log, FlockOperation::NonBlockingLockExclusive).map_err(|_| OpenError::InUse(path.into()))?;
    make(path, &format!("before-repair-{now}"), By::Copying)
}

/// Removes a copy that nobody needs.
pub fn forget(copy: &Path) -> io::Result<()> {
    remove(copy)?;
    // The folder stays where something else is in it.
    let _ = copy.parent().map(fs::remove_dir);
    Ok(())
}

/// Removes the copies that were made before upgrades.
pub fn forget_upgrades(path: &Path) -> io::Result<()> {
    let folder = path.join(COPIES);
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UPGRADE) {
            tracing::info!(copy = %entry.path().display(), "the copy from before the upgrade goes: the store was stopped clean since");
            remove(&entry.path())?;
        }
    }
    // It stays where something else is in it.
    let _ = fs::remove_dir(folder);
    Ok(())
}

fn copy(path: &Path, name: &str, by: By) -> io::Result<PathBuf> {
    let folder = path.join(COPIES);
    let (making, made) = (folder.join(MAKING), folder.join(name));
    remove(&making)?;
    DirBuilder::new().recursive(true).mode(0o700).create(&making)?;
    for file in files(path)? {
        let target = making.join(file.file_name().expect("a file has a name"));
        if by == By::Copying || fs::hard_link(&file, &target).is_err() {
            fs::copy(&file, &target)?;
        }
        File::open(&target)?.sync_all()?;
    }
    File::open(&making)?.sync_all()?;
    remove(&made)?;
    fs::rename(&making, &made)?;
    File::open(&folder)?.sync_all()?;
    File::open(path)?.sync_all()?;
    Ok(made)
}

/// The files of the store: sled's and the mark.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let all = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let is_of_store = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.is_file() && ([LOG, MARK, "conf"].contains(&&*name) || name.starts_with("snap."))
    };
    Ok(all.into_iter().filter(is_of_store).collect())
}

fn free_bytes(path: &Path) -> Result<u64, OpenError> {
    fail::fail_point!("copy.free_bytes", |_| Ok(SPARE_BYTES));
    free_bytes_at(path).map_err(|error| OpenError::Store(path.into(), error))
}

fn enough(free: u64, needed: u64) -> Result<(), String> {
    if free >= needed {
        return Ok(());
    }
    Err(format!(
        "a copy of its files is made first, and that needs {needed} free bytes there; {free} are free. Free some, or do without a \
         copy: `hookwheel store upgrade --no-copy`, `hookwheel doctor --repair --no-copy`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_files_of_the_store_and_no_key_and_those_of_upgrades_go() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["db", "mark", "conf", "snap.1", "master.key", "other"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        assert_eq!(bytes(dir.path()).unwrap(), 2 + 4 + 4 + 6);
        let made = make(dir.path(), "by-hand", By::Copying).unwrap();
        let mut names: Vec<_> = fs::read_dir(&made).unwrap().map(|one| one.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["conf", "db", "mark", "snap.1"]);
        fs::write(dir.path().join("db"), "changed").unwrap();
        assert_eq!(fs::read_to_string(made.join("db")).unwrap(), "db");

        make_for_upgrade(dir.path(), 10, By::Linking).unwrap();
        assert!(dir.path().join("copies/before-format-10/db").exists());
        forget_upgrades(dir.path()).unwrap();
        assert!(made.exists() && !dir.path().join("copies/before-format-10").exists());
        remove(&made).unwrap();
        forget_upgrades(dir.path()).unwrap();
        assert!(!dir.path().join(COPIES).exists());
        forget_upgrades(dir.path()).unwrap();
    }

    #[test]
    fn as_much_room_as_is_needed_is_enough() {
        assert_eq!([9, 10, 11].map(|free| enough(free, 10).is_ok()), [false, true, true]);
    }
}
