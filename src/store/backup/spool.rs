//! What groups wrote while a backup is taken: the commit thread appends it to a file, unsynced. What stays true: a group is
//! never held up or refused for a backup's sake; where it cannot be kept, it is the backup that fails. The file has no name,
//! so nothing is left of it whatever ends the process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{MemfdFlags, memfd_create};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::format::push_record;
use crate::store::layout::Tree;
use crate::store::trees::Writes;

/// What the file is called for the moment until it has no name.
const SPOOL: &str = "backup.spool";
/// Bytes of it, at most.
const BYTES_MAX: u64 = 1 << 30;

/// The one of a store.
#[derive(Default)]
pub struct Spool {
    is_taken: AtomicBool,
    given_back: Notify,
    kept: Mutex<Option<Result<Kept, String>>>,
}

struct Kept {
    file: BufWriter<File>,
    bytes: u64,
}

impl Spool {
    /// Takes it for one backup, until [`Spool::give_back`]; says whether nobody has it.
    pub fn take(&self) -> bool {
        !self.is_taken.swap(true, Ordering::SeqCst)
    }

    /// Every group that is written from now on is kept. To be called by who has taken it.
    /// It is kept in `folder`, or in memory where the store is.
    pub fn begin(&self, folder: Option<&Path>) -> io::Result<()> {
        let file = match folder {
            Some(folder) => nameless(&folder.join(SPOOL))?,
            None => memfd_create(SPOOL, MemfdFlags::CLOEXEC)?.into(),
        };
        *self.lock() = Some(Ok(Kept { file: BufWriter::with_capacity(1 << 18, file), bytes: 0 }));
        Ok(())
    }

    /// A group was written. For the commit thread alone.
    pub fn group(&self, writes: &Writes, is_space_low: bool) {
        if !self.is_taken.load(Ordering::SeqCst) {
            return;
        }
        let mut held = self.lock();
        let Some(Ok(kept)) = held.as_mut() else { return };
        let mut bytes = Vec::new();
        for ((tree, _), changes) in Tree::ALL.iter().zip(writes.by_tree()) {
            for (key, value) in changes {
                push_record(&mut bytes, *tree, key, value.as_deref());
            }
        }
        kept.bytes += bytes.len() as u64;
        let failed = match kept.file.write_all(&bytes) {
            _ if is_space_low => Some("free disk space is below the reserve".to_owned()),
            _ if kept.bytes > BYTES_MAX => Some(format!(
                "more than {} MiB were written while it was taken: take it when less is written",
                BYTES_MAX >> 20
            )),
            Err(error) => Some(format!("what was written meanwhile could not be kept beside: {error}")),
            Ok(()) => None,
        };
        if let Some(why) = failed {
            *held = Some(Err(why));
        }
    }

    /// The store failed: what it wrote last is not known.
    pub fn store_failed(&self) {
        if let Some(kept) = self.lock().as_mut() {
            *kept = Err("the store failed while it was taken".into());
        }
    }

    /// What was kept of all groups, from its beginning; nothing more is kept.
    pub fn end(&self) -> Result<File, String> {
        let kept = self.lock().take().unwrap_or_else(|| Err("nothing was kept".into()))?;
        let failed = |error: io::Error| format!("what was written meanwhile could not be kept: {error}");
        let mut file = kept.file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.rewind().map_err(failed)?;
        Ok(file)
    }

    /// Nobody has it any more.
    pub fn give_back(&self) {
        *self.lock() = None;
        self.is_taken.store(false, Ordering::SeqCst);
        self.given_back.notify_waiters();
    }

    /// Until it is given back once, from this call on.
    pub fn given_back(&self) -> Notified<'_> {
        self.given_back.notified()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Result<Kept, String>>> {
        self.kept.lock().expect("no holder of the lock panics")
    }
}

/// A file that is gone once it is closed. One that a kill left its name is written over.
fn nameless(name: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(name)?;
    fs::remove_file(name)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes() -> Writes {
        let mut writes = Writes::default();
        writes.push(Tree::Events, b"a".to_vec(), Some(b"1".to_vec()));
        writes
    }

    #[test]
    fn it_keeps_what_is_written_while_it_is_taken_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::default();
        spool.group(&writes(), false);
        assert!(spool.take() && !spool.take());
        spool.begin(Some(dir.path())).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        spool.group(&writes(), false);
        let one = spool.end().unwrap().metadata().unwrap().len();
        assert!(one > 0);
        spool.give_back();
        assert!(spool.take());
        spool.begin(Some(dir.path())).unwrap();
        assert_eq!(spool.end().unwrap().metadata().unwrap().len(), 0);
    }

    #[test]
    fn without_room_or_when_the_store_fails_it_is_the_backup_that_fails() {
        let why = |fail: fn(&Spool)| {
            let spool = Spool::default();
            assert!(spool.take());
            spool.begin(None).unwrap();
            fail(&spool);
            spool.group(&writes(), false);
            spool.end().expect_err("it failed")
        };
        assert!(why(|spool| spool.group(&writes(), true)).contains("below the reserve"));
        assert!(why(Spool::store_failed).contains("the store failed"));
    }
}
