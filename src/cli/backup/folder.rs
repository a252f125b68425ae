//! Files of backups: how those in a folder are called, the one that is being written, and which of them go. What stays true: only what
//! `--to` has named is ever removed, and nothing that somebody writes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::cli::error::CliError;
use crate::domain::time::{self, UnixMs};

/// What the name of a backup in a folder begins with.
const PREFIX: &str = "hookwheel-";
/// What it ends with.
const SUFFIX: &str = ".backup";
/// What follows that where it is encrypted.
const ENCRYPTED: &str = ".age";
/// What stands between: year to milliseconds, in digits.
const DIGITS: usize = 17;
/// What a name ends with until the file is whole.
pub const PARTIAL: &str = "partial";

/// Of a file that is written, bytes that are not on the disk yet.
const UNSYNCED_BYTES_MAX: usize = 4 << 20;

/// A file for its owner alone, in place of what a backup that was killed left; refused while another one writes it.
pub fn begin(partial: &Path) -> Result<File, CliError> {
    let cannot = || CliError::io(partial.display().to_string());
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(partial);
    let out = opened.map_err(cannot())?;
    if !is_left(&out) {
        return Err(CliError::Failed(format!("another backup is being written to {}", partial.display())));
    }
    out.set_len(0).and_then(|()| out.set_permissions(fs::Permissions::from_mode(0o600))).map_err(cannot())?;
    Ok(out)
}

/// A file that goes to the disk as it is written. All of it at once in the end would hold up whoever syncs on the same disk, the store
/// among them: some hundred MiB are some hundred milliseconds.
pub struct Steady {
    file: File,
    unsynced: usize,
}

impl Steady {
    /// From its beginning.
    pub fn new(file: File) -> Self {
        Self { file, unsynced: 0 }
    }

    /// Brings the rest to the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl Write for Steady {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.unsynced += written;
        if self.unsynced >= UNSYNCED_BYTES_MAX {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Whether nobody writes it any more; if so, it is ours until it is closed.
fn is_left(partial: &File) -> bool {
    flock(partial, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// The name of one that is taken now: names are in order of time.
pub fn name(now: UnixMs, is_encrypted: bool) -> String {
    let digits: String = time::rfc3339(now).chars().filter(char::is_ascii_digit).collect();
    format!("{PREFIX}{digits}{SUFFIX}{}", if is_encrypted { ENCRYPTED } else { "" })
}

/// Whether a file in a folder was made by `--to`.
fn is_ours(name: &str) -> bool {
    let plain = name.strip_suffix(ENCRYPTED).unwrap_or(name);
    let digits = plain.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
    digits.is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Removes what backups that were killed left in a folder: each had a name of its own, so they would add up.
pub fn remove_partial(folder: &Path) -> Result<(), CliError> {
    let cannot = || CliError::io(folder.display().to_string());
    for entry in fs::read_dir(folder).map_err(cannot())? {
        let path = entry.map_err(cannot())?.path();
        let whole = path.file_name().and_then(|name| name.to_str()?.strip_suffix(&format!(".{PARTIAL}")));
        let is_partial = whole.is_some_and(is_ours);
        // One that another command writes is locked.
        if is_partial && File::open(&path).is_ok_and(|file| is_left(&file)) {
            fs::remove_file(&path).map_err(cannot())?;
        }
    }
    Ok(())
}

/// Removes all but the newest `keep` of those that `--to` has made.
pub fn remove_older(folder: &Path, keep: usize) -> Result<(), CliError> {
    let cannot = || CliError::io(folder.display().to_string());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot())? {
        let name = entry.map_err(cannot())?.file_name();
        names.extend(name.to_str().filter(|name| is_ours(name)).map(str::to_owned));
    }
    names.sort_unstable();
    let older = names.len().saturating_sub(keep);
    names[..older].iter().try_for_each(|name| fs::remove_file(folder.join(name))).map_err(cannot())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_older_ones_that_are_ours_go() {
        let dir = tempfile::tempdir().expect("a folder");
        let own = [name(1_000, false), name(2_000, true), name(3_000, false)];
        assert!(own.is_sorted() && own.iter().all(|name| is_ours(name)), "{own:?}");
        let others = ["hookwheel-1.backup", "hookwheel-19700101000001000.backup.partial", "notes.age"];
        own.iter()
            .map(String::as_str)
            .chain(others)
            .for_each(|name| fs::write(dir.path().join(name), "x").expect("written"));
        remove_older(dir.path(), 2).expect("removed");
        let is_there = |name: &str| dir.path().join(name).exists();
        assert!(!is_there(&own[0]) && is_there(&own[1]) && is_there(&own[2]));
        assert!(others.into_iter().all(is_there));
        remove_older(dir.path(), 9).expect("nothing to do");
        assert!(is_there(&own[1]));
    }

    #[test]
    fn what_a_killed_one_left_goes_and_what_is_being_written_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let partial = |name: String| dir.path().join(name + ".partial");
        let (left, written, other) = (partial(name(1_000, true)), partial(name(2_000, false)), partial("mine".into()));
        [&left, &other].into_iter().for_each(|file| fs::write(file, "half").expect("written"));
        let out = begin(&written).expect("begun");
        assert!(begin(&written).is_err_and(|error| error.to_string().contains("another backup")));
        remove_partial(dir.path()).expect("removed");
        assert_eq!([&left, &written, &other].map(|file| file.exists()), [false, true, true]);
        drop(out);
        fs::write(&written, "half").expect("written");
        fs::set_permissions(&written, fs::Permissions::from_mode(0o644)).expect("changed");
        let out = begin(&written).expect("nobody writes it").metadata().expect("known");
        assert_eq!((out.len(), out.permissions().mode() & 0o777), (0, 0o600));
    }
}
