//! Brings a data directory of format 4 to the present one when it is opened: values get their checksums, webhooks a key for their
//! attempts, and what attempts say of their requests is sealed with it.
//!
//! All rows are copied into a new store in a folder beside, which is synced and then renamed: from that moment on it is the
//! new one that counts, and not before. Then its files are moved in, the log last, over the old ones. Whatever moment a
//! crash comes at, the next opening finds either the old store whole and makes the copy anew, or the new one whole and goes
//! on moving. A row that cannot be read goes along as it is, without a checksum, and is put into quarantine once it is met.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::Deserialize;

use super::attempts;
use super::check::check;
use super::damage::Reports;
use super::error::{OpenError, StoreError};
use super::key_mark::KeyMark;
use super::layout::{self, FORMAT_COPIED, FORMAT_VERSION, META_FORMAT, META_LAST_ID, Tree};
use super::seal::{MasterKeys, SEALED};
use super::settings::{OWN_MASTER_KEYS, Settings};
use super::trees::copies::{self, By};
use super::trees::create::{had_store, has_log, make_directory, released, remove};
use super::trees::files::{LOG, free_bytes_at, open_error, sled_config};
use super::trees::{Trees, Writes};
use super::{record, rows};
use crate::clock::{Dice, Stopwatch};
use crate::domain::delivery::{Attempt, AttemptSummary, Cause, Delivery, DeliveryState, SealedAttempt};
use crate::domain::id::{DeliveryId, EventId, WebhookNumber};
use crate::domain::order::Place;
use crate::domain::secret::DataKey;
use crate::domain::sent_headers::SentHeaders;
use crate::domain::tally::Tally;
use crate::domain::time::UnixMs;
use crate::domain::webhook::Webhook;

/// Where the copy is made.
const MIGRATING: &str = "migrating";
/// The same once it is whole.
const MIGRATED: &str = "migrated";
/// What the names of sled's snapshots begin with. A snapshot belongs to one log; sled makes a new one where none is.
const SNAPSHOT: &str = "snap.";
/// Bytes of rows in one write.
const BATCH_BYTES: usize = 4 << 20;
/// Rows in one write.
const BATCH_ROWS: usize = 2_000;
/// Between two lines of the log about how far it is.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// Room that must be left beside the copy.
const SPARE_BYTES: u64 = 64 << 20;

/// Opens the trees; those of format 4 are brought to the present one first.
pub fn open(
    settings: &Settings,
    keys: &MasterKeys,
    dice: &mut Dice,
    reports: Arc<Reports>,
) -> Result<Trees, OpenError> {
    let was_moving = settings.is_in_directory() && finish(&settings.path)?;
    match Trees::open(settings, reports.clone()) {
        Err(OpenError::Older { found: FORMAT_COPIED, .. }) => {
            migrate(settings, keys, dice)?;
            Trees::open(settings, reports)
        }
        Ok(trees) if trees.was_left_whole() && !was_moving => {
            // Somebody has served it since it was brought to this format, and stopped it.
            copies::forget_upgrades(&settings.path).map_err(|error| OpenError::Io(settings.path.clone(), error))?;
            Ok(trees)
        }
        opened => opened,
    }
}

/// Goes on with what a crash interrupted: a copy that was not whole goes, one that was is moved in. Says whether there was any.
fn finish(path: &Path) -> Result<bool, OpenError> {
    let cannot = |error: io::Error| OpenError::Io(path.into(), error);
    if !path.join(MIGRATING).exists() && !path.join(MIGRATED).exists() {
        return Ok(false);
    }
    refuse_half_restored(path)?;
    let _lock = lock(path)?;
    remove(&path.join(MIGRATING)).map_err(cannot)?;
    let is_whole = path.join(MIGRATED).exists();
    if is_whole {
        move_in(path).map_err(cannot)?;
    }
    Ok(is_whole)
}

/// Whether a restore into this directory was broken off: rows lie beside, and what they were for is not there. (A store that is
/// brought to another format keeps its log until the new one is whole.)
pub fn is_half_restored(path: &Path) -> bool {
    let is_of_restore = path.join(MIGRATING).exists() && !path.join(MIGRATED).exists();
    is_of_restore && !has_log(path) && !had_store(path).unwrap_or(true)
}

/// Else a new and empty store would be made in place of the one that was to be restored, and a new key for it.
pub(super) fn refuse_half_restored(path: &Path) -> Result<(), OpenError> {
    if !is_half_restored(path) {
        return Ok(());
    }
    // Somebody may be restoring it right now.
    let _lock = lock(path)?;
    Err(OpenError::HalfRestored(path.into()))
}

/// Whether a store lies there whole whose files are still to be moved in.
pub(super) fn is_moving(path: &Path) -> bool {
    path.join(MIGRATED).exists()
}

/// Nobody else migrates meanwhile.
fn lock(path: &Path) -> Result<File, OpenError> {
    let directory = File::open(path).map_err(|error| OpenError::Io(path.into(), error))?;
    flock(&directory, FlockOperation::NonBlockingLockExclusive).map_err(|_| OpenError::InUse(path.into()))?;
    Ok(directory)
}

/// Makes a store in a directory that has none, out of what `fill` writes into it: it is there once that is whole, and not
/// before. A key file may lie there already, and what an attempt before left.
pub fn into_empty<T, E: From<OpenError>>(
    settings: &Settings,
    fill: impl FnOnce(&Trees) -> Result<T, E>,
) -> Result<T, E> {
    settings.must_be_in_directory()?;
    let path = settings.path.as_path();
    let cannot = |error: io::Error| OpenError::Io(path.into(), error);
    make_directory(path).map_err(cannot)?;
    let _lock = lock(path)?;
    remove(&path.join(MIGRATING)).map_err(cannot)?;
    for entry in fs::read_dir(path).map_err(cannot)? {
        let name = entry.map_err(cannot)?.file_name();
        if name == MIGRATED {
            let why = "a store that was restored lies there whole: start the server, which moves it in";
            return Err(cannot(io::Error::new(io::ErrorKind::AlreadyExists, why)).into());
        }
        if name != OWN_MASTER_KEYS && name != "lost+found" {
            let why = format!(
                "it is not empty ({} lies there): a backup is restored into an empty directory, or one with nothing but \
                 {OWN_MASTER_KEYS}",
                name.display()
            );
            return Err(cannot(io::Error::new(io::ErrorKind::AlreadyExists, why)).into());
        }
    }
    let beside = Settings { path: path.join(MIGRATING), ..settings.clone() };
    let new = Trees::open(&beside, Arc::default())?;
    let filled = match fill(&new) {
        Ok(filled) => filled,
        Err(error) => {
            drop(new);
            let _ = released(&beside.path.join(LOG));
            // What is left goes with the next attempt, or the next start.
            let _ = remove(&beside.path);
            return Err(error);
        }
    };
    new.close().map_err(|error| OpenError::of(path, error))?;
    drop(released(&beside.path.join(LOG)).map_err(cannot)?);
    settle_copy(path).and_then(|()| move_in(path)).map_err(cannot)?;
    Ok(filled)
}

fn migrate(settings: &Settings, keys: &MasterKeys, dice: &mut Dice) -> Result<(), OpenError> {
    let path = settings.path.as_path();
    let cannot = |error: io::Error| OpenError::Io(path.into(), error);
    let _lock = lock(path)?;
    drop(released(&path.join(LOG)).map_err(cannot)?);
    remove(&path.join(MIGRATING)).map_err(cannot)?;
    tracing::warn!(path = %path.display(), "the data directory is being brought to another format; older versions cannot read it afterwards");
    copy(settings, keys, dice)?;
    for store in [path.to_path_buf(), path.join(MIGRATING)] {
        drop(released(&store.join(LOG)).map_err(cannot)?);
    }
    if settings.upgrade_copy {
        // From here on the old files are never written again: others take their names.
        copies::make_for_upgrade(path, FORMAT_VERSION, By::Linking)?;
    }
    settle_copy(path).map_err(cannot)?;
    move_in(path).map_err(cannot)?;
    tracing::warn!("the data directory has the new format");
    Ok(())
}

/// Copies every row into a new store beside, and syncs it.
fn copy(settings: &Settings, keys: &MasterKeys, dice: &mut Dice) -> Result<(), OpenError> {
    let path = settings.path.as_path();
    let failed = |error: StoreError| OpenError::Store(path.into(), error);
    refuse_without_space(path)?;
    let old = sled_config(path, settings).open().map_err(|error| open_error(path, error))?;
    refuse_without_keys(&old, settings, keys)?;
    let beside = Settings { path: path.join(MIGRATING), ..settings.clone() };
    let new = Trees::open(&beside, Arc::default())?;
    let last_id = last_id(&old).map_err(failed)?;
    let mut copy = Copy {
        old: &old,
        new: &new,
        keys,
        dice,
        last_id,
        batch: (Writes::default(), 0),
        rows: 0,
        attempts_keys: HashMap::new(),
        bytes: HashMap::new(),
        said: Stopwatch::start(),
    };
    copy.all().map_err(failed)?;
    new.close().map_err(failed)
}

/// The record of the greatest id, without which no id could be given.
fn last_id(old: &sled::Db) -> Result<Vec<u8>, StoreError> {
    let stored = old.open_tree(Tree::Meta.name())?.get(META_LAST_ID)?;
    let Some(stored) = stored else { return Ok(vec![0; 24]) };
    rows::last(&stored)?;
    Ok(stored.to_vec())
}

/// The copy takes about as much as what is copied.
fn refuse_without_space(path: &Path) -> Result<(), OpenError> {
    let cannot = |error: io::Error| OpenError::Io(path.into(), error);
    let mut needed = SPARE_BYTES;
    for file in files_in(path).map_err(cannot)? {
        needed += fs::metadata(file).map_err(cannot)?.len();
    }
    let free = free_bytes(path).map_err(|error| OpenError::Store(path.into(), error))?;
    enough(free, needed).map_err(|why| cannot(io::Error::other(why)))
}

fn enough(free: u64, needed: u64) -> Result<(), String> {
    if free >= needed {
        return Ok(());
    }
    Err(format!(
        "its format is {FORMAT_COPIED}, and the copy in a newer one needs {needed} free bytes beside; {free} are free"
    ))
}

fn free_bytes(path: &Path) -> Result<u64, StoreError> {
    fail::fail_point!("migrate.free_bytes", |_| Ok(SPARE_BYTES));
    free_bytes_at(path)
}

/// Every master key that has sealed something must be there: else what it sealed would be taken for damaged.
pub(super) fn refuse_without_keys(old: &sled::Db, settings: &Settings, keys: &MasterKeys) -> Result<(), OpenError> {
    let failed = |error: sled::Error| OpenError::Store(settings.path.clone(), error.into());
    let there = old.tree_names();
    // An older format may lack one of them.
    for tree in SEALED.into_iter().filter(|tree| there.iter().any(|name| name == tree.name().as_bytes())) {
        for row in old.open_tree(tree.name()).map_err(failed)?.iter() {
            let mark = KeyMark::on(&row.map_err(failed)?.1);
            if let Some(missing) = mark.filter(|mark| !keys.marks().any(|known| known == *mark)) {
                let origin = settings.master_keys.to_string();
                return Err(OpenError::MasterKeyMissing { path: settings.path.clone(), missing, origin });
            }
        }
    }
    Ok(())
}

/// The copy is whole: from here on it counts.
fn settle_copy(path: &Path) -> io::Result<()> {
    fail::fail_point!("migrate.copied", |_| Err(io::Error::other("a failpoint")));
    for file in files_in(&path.join(MIGRATING))? {
        File::open(file)?.sync_all()?;
    }
    File::open(path.join(MIGRATING))?.sync_all()?;
    fs::rename(path.join(MIGRATING), path.join(MIGRATED))?;
    File::open(path)?.sync_all()
}

/// Moves the files of the copy in, the log last; as often as it takes.
fn move_in(path: &Path) -> io::Result<()> {
    fail::fail_point!("migrate.renamed", |_| Err(io::Error::other("a failpoint")));
    let copy = path.join(MIGRATED);
    if copy.join(LOG).exists() {
        for file in files_in(path)?.into_iter().filter(|file| is_snapshot(file)) {
            fs::remove_file(file)?;
        }
        fail::fail_point!("migrate.cleared", |_| Err(io::Error::other("a failpoint")));
        let mut files: Vec<_> = files_in(&copy)?.into_iter().filter(|file| !is_snapshot(file)).collect();
        files.sort_by_key(|file| file.ends_with(LOG));
        for file in files {
            fail::fail_point!("migrate.moving", |_| Err(io::Error::other("a failpoint")));
            fs::rename(&file, path.join(file.file_name().expect("a file has a name")))?;
        }
        File::open(path)?.sync_all()?;
    }
    fail::fail_point!("migrate.moved", |_| Err(io::Error::other("a failpoint")));
    remove(&copy)
}

fn files_in(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter(|path| path.is_file()).collect())
}

fn is_snapshot(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SNAPSHOT))
}

/// A copy in the making.
struct Copy<'a> {
    old: &'a sled::Db,
    new: &'a Trees,
    keys: &'a MasterKeys,
    dice: &'a mut Dice,
    /// Each write has it: the trees add to it what they know of themselves.
    last_id: Vec<u8>,
    /// What is written next, and its bytes.
    batch: (Writes, usize),
    rows: u64,
    attempts_keys: HashMap<WebhookNumber, DataKey>,
    /// What the ended deliveries and attempts of each webhook take now.
    bytes: HashMap<WebhookNumber, u64>,
    said: Stopwatch,
}

impl Copy<'_> {
    /// Webhooks first, since the others need their keys; counters last, since they count the others.
    fn all(&mut self) -> Result<(), StoreError> {
        let others =
            Tree::ALL.iter().map(|(tree, _)| *tree).filter(|tree| !matches!(tree, Tree::Webhooks | Tree::Tallies));
        for tree in [Tree::Webhooks].into_iter().chain(others).chain([Tree::Tallies]) {
            for row in self.old.open_tree(tree.name())?.iter() {
                let (key, value) = row?;
                if tree != Tree::Meta || (key != META_FORMAT && key != META_LAST_ID) {
                    self.row(tree, &key, &value)?;
                }
            }
        }
        self.write()?;
        self.new.sync()
    }

    fn row(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let (converted, is_readable) = match self.converted(tree, key, value) {
            Ok(converted) => (converted, true),
            Err(error) => {
                tracing::error!(%error, "a row goes along as it is");
                (value.to_vec(), false)
            }
        };
        let webhook = match tree {
            Tree::Closed => Some(layout::read_number(key)),
            Tree::Attempts => Some(read_attempt(key).webhook()),
            _ => None,
        };
        if let Some(webhook) = webhook {
            let bytes = key.len() + if is_readable { converted.len() } else { converted.len().saturating_sub(4) };
            *self.bytes.entry(webhook).or_default() += bytes as u64;
        }
        let (writes, bytes) = &mut self.batch;
        *bytes += key.len() + converted.len();
        match is_readable {
            true => writes.push(tree, key.to_vec(), Some(converted)),
            false => writes.push_as_it_is(tree, key.to_vec(), Some(converted)),
        }
        self.rows += 1;
        if *bytes >= BATCH_BYTES || writes.keys() >= BATCH_ROWS { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        let (mut writes, _) = std::mem::take(&mut self.batch);
        writes.push(Tree::Meta, META_LAST_ID.to_vec(), Some(self.last_id.clone()));
        self.new.write(&writes)?;
        if self.said.elapsed() >= SAY_EVERY {
            tracing::info!(rows = self.rows, "rows are copied");
            self.said = Stopwatch::start();
        }
        Ok(())
    }

    /// The value of a row in the present format.
    fn converted(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Result<Vec<u8>, StoreError> {
        match tree {
            Tree::Webhooks => {
                let mut webhook: Webhook = self.keys.open(tree, key, value)?;
                let attempts_key = attempts::new_key(self.dice);
                self.attempts_keys.insert(webhook.number(), attempts_key.clone());
                webhook.attempts_key = Some(attempts_key);
                Ok(self.keys.seal(tree, key, &webhook, self.dice))
            }
            Tree::Waiting | Tree::Closed => {
                let old: OldDelivery = record::read(tree, key, value)?;
                Ok(record::encode(&self.delivery(old)))
            }
            Tree::Attempts => {
                let old: OldAttempt = record::read(tree, key, value)?;
                Ok(record::encode(&self.attempt(read_attempt(key), old)))
            }
            Tree::Tallies => {
                let mut tally: Tally = record::read_grown(tree, key, value)?;
                tally.bytes = self.bytes.get(&layout::read_number(key)).copied().unwrap_or_default();
                Ok(record::encode(&tally))
            }
            // What belongs to another row is held against it when it is read: not all of them are there yet.
            Tree::Events | Tree::Chunks | Tree::Due => Ok(value.to_vec()),
            _ => check(self.new, self.keys, tree, key, value).map(|()| value.to_vec()),
        }
    }

    fn delivery(&mut self, old: OldDelivery) -> Delivery {
        let OldDelivery { id, event, cause, state, next_attempt_at, attempts, first, latest, ended_at, reason, place } =
            old;
        let first = first.map(|first| self.attempt(id, first));
        Delivery { id, event, cause, state, next_attempt_at, attempts, first, latest, ended_at, reason, place }
    }

    fn attempt(&mut self, id: DeliveryId, old: OldAttempt) -> SealedAttempt {
        let OldAttempt { summary, url, request_headers, response_body } = old;
        let attempt =
            Attempt { summary, url, request_headers, response_body, resent: false, trace: Default::default() };
        attempts::seal(self.attempts_keys.get(&id.webhook()), id, &attempt, self.dice)
    }
}

/// The delivery in a key of `attempts`.
fn read_attempt(key: &[u8]) -> DeliveryId {
    DeliveryId::from_bytes(*key.first_chunk().expect("a key of an attempt begins with a delivery id"))
}

/// A delivery as format 4 has it.
#[derive(Deserialize)]
struct OldDelivery {
    id: DeliveryId,
    event: EventId,
    cause: Cause,
    state: DeliveryState,
    next_attempt_at: Option<UnixMs>,
    attempts: u16,
    first: Option<OldAttempt>,
    latest: Option<AttemptSummary>,
    ended_at: Option<UnixMs>,
    reason: Option<String>,
    place: Option<Place>,
}

/// An attempt as format 4 has it.
#[derive(Deserialize)]
struct OldAttempt {
    summary: AttemptSummary,
    url: String,
    request_headers: SentHeaders,
    #[serde(with = "serde_bytes")]
    response_body: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files there, each with its text.
    fn files(path: &Path) -> Vec<(String, String)> {
        let name = |file: &Path| file.file_name().unwrap().to_string_lossy().into_owned();
        let files = files_in(path).unwrap().into_iter();
        let mut files: Vec<_> = files.map(|file| (name(&file), fs::read_to_string(&file).unwrap())).collect();
        files.sort();
        files
    }

    #[test]
    fn a_copy_that_was_not_whole_goes_and_one_that_was_is_moved_in() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        let put =
            |files: &[(&str, &str)]| files.iter().for_each(|(file, text)| fs::write(path.join(file), text).unwrap());
        let old = [(LOG, "old"), ("conf", "old"), ("mark", "old"), ("snap.1", "old")];
        let texts = |of: &[(&str, &str)]| of.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect::<Vec<_>>();
        let sorted = |mut of: Vec<(String, String)>| {
            of.sort();
            of
        };
        put(&old);
        finish(path).unwrap();
        fs::create_dir(path.join(MIGRATING)).unwrap();
        put(&[("migrating/db", "half")]);
        finish(path).unwrap();
        assert_eq!((files(path), path.join(MIGRATING).exists()), (sorted(texts(&old)), false));

        fs::create_dir(path.join(MIGRATED)).unwrap();
        put(&[("migrated/db", "new"), ("migrated/mark", "new"), ("migrated/snap.2", "new")]);
        finish(path).unwrap();
        let new = [(LOG, "new"), ("conf", "old"), ("mark", "new")];
        assert_eq!((files(path), path.join(MIGRATED).exists()), (sorted(texts(&new)), false));
    }

    #[test]
    fn what_a_restore_left_that_was_broken_off_is_no_new_store_and_goes_with_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let (path, settings) = (dir.path(), Settings::at(dir.path()));
        fs::create_dir(path.join(MIGRATING)).unwrap();
        fs::write(path.join("migrating/db"), "half").unwrap();
        assert!(matches!(finish(path), Err(OpenError::HalfRestored(_))) && is_half_restored(path));
        assert!(matches!(super::super::foresee(&settings), Err(OpenError::HalfRestored(_))));
        let restoring = lock(path).unwrap();
        assert!(matches!(finish(path), Err(OpenError::InUse(_))), "somebody is restoring it");
        drop(restoring);
        let opened = super::super::open(settings.clone(), crate::clock::Clock::real(), Dice::seeded(1));
        assert!(matches!(opened, Err(OpenError::HalfRestored(_))));
        assert!(!path.join(OWN_MASTER_KEYS).exists(), "no key was made for it");
        assert!(path.join("migrating/db").exists(), "nothing was changed");
        into_empty(&settings, |_| Ok::<_, OpenError>(())).unwrap();
        assert!(path.join(LOG).exists() && !is_half_restored(path) && !path.join(MIGRATING).exists());

        let whole = tempfile::tempdir().unwrap();
        fs::create_dir(whole.path().join(MIGRATED)).unwrap();
        let there = into_empty(&Settings::at(whole.path()), |_| Ok::<_, OpenError>(())).unwrap_err().to_string();
        assert!(there.contains("lies there whole") && !is_half_restored(whole.path()), "{there}");
    }

    #[test]
    fn as_much_room_as_is_needed_is_enough() {
        assert_eq!([9, 10, 11].map(|free| enough(free, 10).is_ok()), [false, true, true]);
    }
}
