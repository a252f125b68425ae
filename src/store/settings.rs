//! What the store needs to know, and how long it keeps things.

use std::fmt;
use std::path::PathBuf;

use super::error::OpenError;
use super::trees::in_memory::Memory;
use super::trees::member::Member;
use crate::domain::account::Account;
use crate::domain::secret::Secret;
use crate::domain::time::DAY_MS;

/// What the store needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data directory; of a database its URL, to be shown.
    pub path: PathBuf,
    /// Where the keys are that records with secrets are sealed with.
    pub master_keys: MasterKeySource,
    /// Keeps everything there instead: for tests.
    pub memory: Option<Memory>,
    /// Keeps everything there instead, where other nodes wait for their turn.
    pub database: Option<Member>,
    /// Bytes of sled's page cache, or of what is kept near of a database.
    pub cache_bytes: u64,
    /// Below this many free bytes nothing is accepted any more; outcomes are still written.
    pub free_bytes_min: u64,
    /// Requests that may wait for the commit thread.
    pub queue_events_max: usize,
    /// Bytes of events that may wait for the commit thread.
    pub queue_bytes_max: usize,
    /// Operations in one group commit.
    pub group_events_max: usize,
    /// Bytes of events in one group commit.
    pub group_bytes_max: usize,
    /// Deliveries of one event that are made with it; those of an event with more are made so many a step.
    pub fan_out_max: usize,
    /// Of a publish with more bytes of events, what is long is written ahead of them, in groups of half as many.
    pub ahead_bytes_min: usize,
    /// Happenings that the journal keeps for who watches.
    pub journal_max: usize,
    /// How long things are kept.
    pub retention: Retention,
    /// New events that an account may publish in a day, UTC, where nothing else is set for it; `None`: any number.
    pub events_per_day: Option<u64>,
    /// Whether a copy of the files is made before they are brought to another format.
    pub upgrade_copy: bool,
    /// Whether to flush and sync; off only where losing everything with the process is fine, as in a simulation.
    pub durable: bool,
}

/// Some megabytes: who was away while more happened has missed the oldest of it.
pub const JOURNAL_MAX: usize = 1 << 18;
/// Some milliseconds of the commit thread.
pub const FAN_OUT_MAX: usize = 256;
/// Some more of them.
pub const AHEAD_BYTES_MIN: usize = 1 << 20;

impl Settings {
    /// A durable store in `path`, kept for ever, with room for much to wait.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            master_keys: MasterKeySource::Own,
            memory: None,
            database: None,
            cache_bytes: 64 << 20,
            free_bytes_min: 0,
            queue_events_max: 100_000,
            queue_bytes_max: 64 << 20,
            group_events_max: 512,
            group_bytes_max: 2 << 20,
            fan_out_max: FAN_OUT_MAX,
            ahead_bytes_min: AHEAD_BYTES_MIN,
            journal_max: JOURNAL_MAX,
            retention: Retention::default(),
            events_per_day: None,
            upgrade_copy: true,
            durable: true,
        }
    }

    /// An error where the rows are not files in a directory, for who works with those.
    pub(super) fn must_be_in_directory(&self) -> Result<(), OpenError> {
        self.database.as_ref().map_or(Ok(()), |database| Err(OpenError::InDatabase(database.to_string())))
    }

    /// Whether its rows are files in [`Settings::path`].
    pub fn is_in_directory(&self) -> bool {
        self.memory.is_none() && self.database.is_none()
    }
}

/// How long things are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Events go after this time; `None`: never.
    pub events_ms: Option<u64>,
    /// The oldest events go while more is kept than so many bytes of events, deliveries and attempts; `None`: never.
    pub bytes_max: Option<u64>,
    /// The oldest events of an account go while more than so many bytes of it are kept, where nothing else is set for it;
    /// `None`: never.
    pub account_bytes_max: Option<u64>,
    /// What is held ends after this time.
    pub hold_ms: u64,
    /// Entries of the audit log go after this time; `None`: never.
    pub audit_ms: Option<u64>,
    /// The oldest entries of an account go while it has more than so many; `None`: never.
    pub audit_entries_max: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            events_ms: None,
            bytes_max: None,
            account_bytes_max: None,
            hold_ms: 30 * DAY_MS,
            audit_ms: None,
            audit_entries_max: None,
        }
    }
}

impl Retention {
    /// How many bytes may be kept of an account; `None`: any number.
    pub fn quota(&self, account: Option<&Account>) -> Option<u64> {
        let own = account.and_then(|account| account.limits.kept_bytes_max);
        own.or(self.account_bytes_max).filter(|max| *max > 0)
    }

    /// After how many milliseconds events of an account go; `None`: never.
    pub fn age(&self, account: Option<&Account>) -> Option<u64> {
        match account.and_then(|account| account.limits.kept_days_max) {
            Some(days) => (days > 0).then(|| u64::from(days) * DAY_MS),
            None => self.events_ms,
        }
    }
}

/// The store's own file of keys, in the data directory.
pub const OWN_MASTER_KEYS: &str = "master.key";

/// Where the master keys are. Several are parted by white space: the first seals, all open; lines that begin with `#` are
/// comments.
#[derive(Debug, Clone, Default)]
pub enum MasterKeySource {
    /// `master.key` in the data directory; made if it is not there.
    #[default]
    Own,
    /// This file.
    File(PathBuf),
    /// This file, which systemd has made for the service alone.
    Credential(PathBuf),
    /// This text.
    Text(Secret),
}

impl fmt::Display for MasterKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => write!(f, "{OWN_MASTER_KEYS} in the data directory"),
            Self::File(path) | Self::Credential(path) => write!(f, "{}", path.display()),
            Self::Text(_) => f.write_str("store.master_key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::{Bench, event};
    use crate::store::message::NewEvent;

    #[test]
    fn where_nothing_else_is_said_large_events_wait_together_and_share_a_group() {
        let mut bench = Bench::of(Settings { memory: Some(Memory::default()), ..Settings::at("unused") });
        let large = NewEvent { data: vec![b'1'; 1 << 19].into(), ..event() };
        let answers = [(); 3].map(|()| bench.store.accept(1, vec![large.clone()], None).unwrap());
        bench.committer.step();
        assert!(answers.into_iter().all(|mut answer| answer.try_recv().is_ok_and(|answer| answer.is_ok())));
    }

    #[test]
    fn a_source_of_master_keys_is_named_and_its_text_is_not() {
        let named = |source: MasterKeySource| source.to_string();
        assert_eq!(named(MasterKeySource::Own), "master.key in the data directory");
        assert_eq!(named(MasterKeySource::File("/etc/keys".into())), "/etc/keys");
        assert_eq!(named(MasterKeySource::Credential("/run/keys".into())), "/run/keys");
        assert_eq!(named(MasterKeySource::Text(Secret::new("hush"))), "store.master_key");
    }
}
