//! Takes a backup of a store that goes on. All rows are scanned by short reads, while rows move; then follows all that groups
//! wrote since the scan began. Both together are the store as of one group: the last one that was kept.

use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Bound;
use std::time::Duration;

use tokio::time::timeout;

use super::BackupError;
use super::format::{Closing, FRAME_BYTES_MAX, Frames, Header, push_record};
use crate::clock::Stopwatch;
use crate::store::handle::Store;
use crate::store::layout::{FORMAT_VERSION, Key, Tree};
use crate::store::trees::value_of;

/// Rows are read for so long at once, or …
const STEP: Duration = Duration::from_millis(4);
/// … until there are so many bytes of them.
const STEP_BYTES: usize = if cfg!(test) { 500 } else { FRAME_BYTES_MAX / 4 };
/// The head of a record and its checksum, with a key and a value that are as long as any.
const RECORD_BYTES: usize = 13;

/// A backup in the making. Until it is dropped no other begins.
pub struct Backup {
    store: Store,
    frames: Frames,
    place: Place,
    records: u64,
    /// Of those that were scanned.
    unreadable: u64,
    put_aside: u64,
}

enum Place {
    Header,
    /// In the n-th tree, behind this key.
    Rows(usize, Option<Key>),
    /// The rows are over: [`Backup::cut`] comes next.
    Cut,
    /// What groups wrote meanwhile.
    Groups(BufReader<File>, Closing),
    Over,
}

impl Store {
    /// Begins a backup once nobody takes another one, for which it waits so long at most: whoever breaks one off and tries again
    /// is faster than it is noticed.
    pub async fn back_up_within(&self, patience: Duration) -> Result<Backup, BackupError> {
        let watch = Stopwatch::start();
        loop {
            let given_back = self.0.spool.given_back();
            match self.back_up() {
                Err(BackupError::Running) => {}
                begun => return begun,
            }
            let rest = patience.saturating_sub(watch.elapsed());
            timeout(rest, given_back).await.map_err(|_| BackupError::Running)?;
        }
    }

    /// Begins a backup; refused while another one is taken.
    pub fn back_up(&self) -> Result<Backup, BackupError> {
        let inner = &self.0;
        if !inner.spool.take() {
            return Err(BackupError::Running);
        }
        let backup = Backup {
            store: self.clone(),
            frames: Frames::default(),
            place: Place::Header,
            records: 0,
            unreadable: 0,
            put_aside: 0,
        };
        let settings = &inner.settings;
        let path = if settings.is_in_directory() { settings.path.clone() } else { std::env::temp_dir() };
        inner.spool.begin(settings.memory.is_none().then_some(path.as_path())).map_err(|error| {
            let why = format!("what is written meanwhile cannot be kept in {}: {error}", path.display());
            BackupError::Failed(why)
        })?;
        Ok(backup)
    }
}

impl Backup {
    /// The next bytes of its file; empty where [`Backup::cut`] comes next, `None` at its end. Takes some milliseconds.
    pub fn step(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        let failed = |error: std::io::Error| BackupError::Failed(error.to_string());
        match std::mem::replace(&mut self.place, Place::Over) {
            Place::Header => {
                let header = self.header()?;
                self.place = Place::Rows(0, None);
                self.frames.header(&header).map(Some).map_err(failed)
            }
            Place::Rows(tree, behind) => {
                let records = self.rows(tree, behind)?;
                self.frames.records(&records).map(Some).map_err(failed)
            }
            Place::Cut => {
                self.place = Place::Cut;
                Ok(Some(Vec::new()))
            }
            Place::Groups(mut spool, closing) => {
                let records = self.kept(&mut spool).map_err(failed)?;
                if records.is_empty() {
                    let closing = Closing { records: self.records, ..closing };
                    return self.frames.closing(&closing).map(Some).map_err(failed);
                }
                self.place = Place::Groups(spool, closing);
                self.frames.records(&records).map(Some).map_err(failed)
            }
            Place::Over => Ok(None),
        }
    }

    /// Whether [`Backup::cut`] comes next.
    pub fn is_at_cut(&self) -> bool {
        matches!(self.place, Place::Cut)
    }

    /// Ends what is kept of groups, between two of them: that is what the backup holds.
    pub async fn cut(&mut self) -> Result<(), BackupError> {
        let inner = self.store.0.clone();
        let cut = self.store.change(0, move |staging| {
            let (group, sum) = staging.trees().last_group();
            Ok((inner.spool.end(), group, sum))
        });
        let (spool, group, sum) = cut.await.map_err(|refusal| BackupError::Failed(refusal.to_string()))?;
        let spool = spool.map_err(BackupError::Failed)?;
        let (unreadable, put_aside) = (self.unreadable, self.put_aside);
        let differences = self.store.soundness().differences.len() as u64;
        let closing = Closing { records: 0, group, sum, unreadable, put_aside, differences };
        self.place = Place::Groups(BufReader::new(spool), closing);
        Ok(())
    }

    fn header(&self) -> Result<Header, BackupError> {
        let mut marks: Vec<_> = self.store.sealed_by()?.into_keys().collect();
        marks.push(self.store.master_keys().current());
        marks.sort_unstable();
        marks.dedup();
        Ok(Header {
            version: env!("CARGO_PKG_VERSION").into(),
            format: FORMAT_VERSION,
            begun_at: self.store.0.clock.now(),
            master_keys: marks.into_iter().map(|mark| mark.to_string()).collect(),
        })
    }

    /// Some rows from there on.
    fn rows(&mut self, mut at: usize, mut behind: Option<Key>) -> Result<Vec<u8>, BackupError> {
        let (trees, watch) = (self.store.0.trees()?, Stopwatch::start());
        let mut records = Vec::new();
        while let Some((tree, _)) = Tree::ALL.get(at) {
            let from = behind.take().map_or(Bound::Unbounded, Bound::Excluded);
            for row in trees.written(*tree, (from, Bound::Unbounded)).stored() {
                let (key, value) = row?;
                push_record(&mut records, *tree, &key, Some(&value));
                self.records += 1;
                self.unreadable += u64::from(value_of(*tree, &key, value).is_err());
                self.put_aside += u64::from(*tree == Tree::Quarantine);
                if records.len() >= STEP_BYTES || watch.elapsed() >= STEP {
                    self.place = Place::Rows(at, Some(key.to_vec()));
                    return Ok(records);
                }
            }
            at += 1;
        }
        self.place = Place::Cut;
        Ok(records)
    }

    /// Some of the records that were kept, each whole.
    fn kept(&mut self, spool: &mut BufReader<File>) -> std::io::Result<Vec<u8>> {
        let mut records = Vec::new();
        let mut head = [0; RECORD_BYTES - 4];
        while records.len() < STEP_BYTES {
            match spool.read_exact(&mut head) {
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
                read => read?,
            }
            let length = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("four bytes"));
            let value = Some(length(5)).filter(|bytes| *bytes != u32::MAX).unwrap_or(0);
            let rest = length(1) as usize + value as usize + 4;
            records.extend_from_slice(&head);
            let from = records.len();
            records.resize(from + rest, 0);
            spool.read_exact(&mut records[from..])?;
            self.records += 1;
        }
        Ok(records)
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        self.store.0.spool.give_back();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::store::backup::format::{Part, Reader, Record};
    use crate::store::backup::restore;
    use crate::store::bench::Bench;
    use crate::store::error::OpenError;
    use crate::store::layout::{META_LAST_ACCOUNT, META_LAST_ID, META_LAST_WEBHOOK, read_number};
    use crate::store::settings::Settings;
    use crate::store::trees::Trees;

    fn rows(trees: &Trees) -> Vec<(Tree, Vec<u8>, Vec<u8>)> {
        let of = |tree| trees.written(tree, ..).stored().map(move |row| (tree, row.unwrap()));
        let all = Tree::ALL.iter().flat_map(|(tree, _)| of(*tree));
        // The ledger is each store's own, and numbers go on further ahead.
        let ledger = |tree, key: &[u8]| (tree, key) == (Tree::Meta, META_LAST_ID);
        let is_counter = |key: &[u8]| [META_LAST_WEBHOOK, META_LAST_ACCOUNT].contains(&key);
        all.filter(|(tree, (key, _))| *tree != Tree::Meta || !is_counter(key))
            .map(|(tree, (key, value))| {
                let value = if ledger(tree, &key) { &value[..24] } else { &value[..] };
                (tree, key.to_vec(), value.to_vec())
            })
            .collect()
    }

    fn cut(backup: &mut Backup, bench: &mut Bench) {
        let mut cutting = pin!(backup.cut());
        let mut context = Context::from_waker(Waker::noop());
        assert!(cutting.as_mut().poll(&mut context).is_pending());
        bench.committer.step();
        assert!(matches!(cutting.poll(&mut context), Poll::Ready(Ok(()))));
    }

    fn taken(bench: &mut Bench) -> Vec<u8> {
        let (mut backup, mut file) = (bench.store.back_up().unwrap(), Vec::new());
        loop {
            if backup.is_at_cut() {
                cut(&mut backup, bench);
            }
            match backup.step().unwrap() {
                Some(bytes) => file.extend(bytes),
                None => return file,
            }
        }
    }

    fn opened(settings: &Settings) -> Trees {
        loop {
            match Trees::open(settings, Arc::default()) {
                Err(OpenError::InUse(_)) => std::thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }

    #[test]
    fn what_could_not_be_read_is_told_and_no_number_is_given_twice() {
        let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut bench = Bench::of(Settings::at(dir.path()));
        bench.webhook();
        bench.damage(Tree::Stats, &[9; 12]);
        let given = |trees: &Trees, counter: &[u8]| {
            trees.get(Tree::Meta, counter).unwrap().map_or(0, |stored| read_number(&stored))
        };
        let before = [META_LAST_WEBHOOK, META_LAST_ACCOUNT].map(|counter| given(&bench.trees(), counter));
        let file = taken(&mut bench);
        let settings = Settings { path: to.path().join("data"), ..bench.store.0.settings.clone() };
        let found = restore(&settings, file.as_slice(), false).unwrap();
        assert_eq!((found.closing.unreadable, found.closing.wrong().is_some()), (1, true));
        let restored = opened(&settings);
        let after = [META_LAST_WEBHOOK, META_LAST_ACCOUNT].map(|counter| given(&restored, counter));
        assert_eq!(after, before.map(|number| number + 10_000));
    }

    #[test]
    fn rows_that_do_not_add_up_are_a_store_only_if_that_is_accepted() {
        let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut bench = Bench::of(Settings::at(dir.path()));
        bench.webhook();
        let file = taken(&mut bench);
        let file = with_another_sum(&file);
        let settings = Settings { path: to.path().join("data"), ..bench.store.0.settings.clone() };
        let refused = restore(&settings, file.as_slice(), false).expect_err("they do not").to_string();
        assert!(refused.contains("--accept-differences"), "{refused}");
        restore(&settings, file.as_slice(), true).unwrap();
        assert!(opened(&settings).all(Tree::Webhooks).next().is_some());
    }

    /// The same as of a store that had lost a row without noticing.
    fn with_another_sum(file: &[u8]) -> Vec<u8> {
        let mut reader = Reader::open(file).unwrap();
        let mut frames = Frames::default();
        let mut other = frames.header(reader.header()).unwrap();
        loop {
            match reader.part().unwrap() {
                Part::Records(records) => {
                    let mut bytes = Vec::new();
                    for Record { tree, key, value } in records {
                        push_record(&mut bytes, tree, &key, value.as_deref());
                    }
                    other.extend(frames.records(&bytes).unwrap());
                }
                Part::Closing(closing) => {
                    other.extend(frames.closing(&Closing { sum: Some([9; 16]), ..closing }).unwrap());
                    return other;
                }
            }
        }
    }

    #[test]
    fn what_is_written_while_it_is_taken_is_in_it_and_one_is_taken_at_a_time() {
        let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut bench = Bench::of(Settings::at(dir.path()));
        bench.webhook();
        for _ in 0..20 {
            bench.publish();
        }
        let mut backup = bench.store.back_up().unwrap();
        assert!(matches!(bench.store.back_up(), Err(BackupError::Running)));
        let (mut file, mut meanwhile) = (Vec::new(), 0);
        while !backup.is_at_cut() {
            file.extend(backup.step().unwrap().unwrap());
            if meanwhile < 20 {
                bench.publish();
                meanwhile += 1;
            }
        }
        assert!(meanwhile > 5, "it takes several steps");
        bench.rest();
        let expected = rows(&bench.trees());
        cut(&mut backup, &mut bench);
        bench.publish();
        while let Some(bytes) = backup.step().unwrap() {
            file.extend(bytes);
        }
        drop(backup);
        assert!(bench.store.back_up().is_ok());

        let settings = Settings { path: to.path().join("data"), ..bench.store.0.settings.clone() };
        let broken = restore(&settings, &file[..file.len() - 1], false).expect_err("it was broken off").to_string();
        assert!(broken.contains("broken off"), "{broken}");
        restore(&settings, file.as_slice(), false).unwrap();
        assert_eq!(rows(&opened(&settings)), expected);
        let again = restore(&settings, file.as_slice(), false).expect_err("there is a store").to_string();
        assert!(again.contains("not empty"), "{again}");
    }
}
