//! What can go wrong: opening the store, the store itself, and what a caller asks of it. The texts are for people; the API
//! gives each refusal a status and a code (`api/http/problem.rs`).

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::damage::Damage;
use super::key_mark::KeyMark;
use super::layout::{FORMAT_COPIED, FORMAT_VERSION};
use crate::domain::Invalid;
use crate::domain::time::{self, UnixMs};

/// What to do about a store that lacks something.
const LOSS: &str = "Stop everything that uses it and put back a whole copy of the data directory, or go on with what is \
                    left by the command: hookwheel store accept-loss --yes";

/// Why the store could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the data directory {0} is in use by another process; stop it or set another HOOKWHEEL__STORE__PATH")]
    InUse(PathBuf),
    /// It was written by a newer Hookwheel.
    #[error(
        "the data directory {path} has format {found}, this hookwheel knows up to {known}; use the newer hookwheel that wrote it"
    )]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// It was written by an older build: one that a start brings to the present format, or one from before the first release.
    #[error("the data directory {path} has format {found}, {}", older(*found))]
    Older {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The master keys cannot be read.
    #[error("the master keys ({0}) cannot be used: {1}")]
    MasterKeys(String, String),
    /// A key that has sealed something is not there.
    #[error(
        "the secrets in the data directory {path} are sealed with the master key {missing}, which is not among those in {origin}; put it back, as a further line"
    )]
    MasterKeyMissing {
        /// The directory.
        path: PathBuf,
        /// Names the key.
        missing: KeyMark,
        /// Where the keys come from.
        origin: String,
    },
    /// A file could not be made or read.
    #[error(
        "the data directory {0} cannot be opened: {1}; let the user that runs hookwheel own it and write there, or set another HOOKWHEEL__STORE__PATH"
    )]
    Io(PathBuf, std::io::Error),
    /// There never was a store.
    #[error("there is no store in {0}: name the data directory that has one")]
    Nothing(PathBuf),
    /// There was a store, and its log is not there.
    #[error(
        "the data directory {0} held a store, and its log, the file db, is missing or empty. Nothing was changed. {advice}",
        advice = LOSS
    )]
    Gone(PathBuf),
    /// A restore was broken off.
    #[error(
        "a restore into the data directory {0} was broken off, so there is no store in it. Restore again, which begins anew: \
         hookwheel restore FILE; or remove what lies there but master.key, to begin with an empty store"
    )]
    HalfRestored(PathBuf),
    /// The log is shorter than it was.
    #[error(
        "the store in {path} was cut short: its log, the file db, has {found} bytes, and it had {expected} when the store was closed. Nothing was changed. {advice}",
        advice = LOSS
    )]
    Short {
        /// The directory.
        path: PathBuf,
        /// Bytes of the log.
        found: u64,
        /// Bytes that it had.
        expected: u64,
    },
    /// Groups are missing that were synced.
    #[error(
        "the store in {path} lacks what was on the disk before: its mark knows {marked} group commits, its log only {found}, so up to {} of them are lost with all that they wrote. It was damaged, or an older copy was put in its place. {advice}",
        .marked - .found,
        advice = LOSS
    )]
    Behind {
        /// The directory.
        path: PathBuf,
        /// The last group in the log.
        found: u64,
        /// The last group that was synced.
        marked: u64,
    },
    /// As many groups, and other ones.
    #[error(
        "the store in {path} is not the one that its mark belongs to: both know {number} group commits, and not the same ones. Parts of two copies of a data directory were put together. {advice}",
        advice = LOSS
    )]
    Another {
        /// The directory.
        path: PathBuf,
        /// The last group of both.
        number: u64,
    },
    /// What lies there cannot be read at all.
    #[error("the store in {path} is damaged and cannot be opened: {why}. Put back a whole copy of the data directory")]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// sled could not open it.
    #[error("the store in {0} cannot be opened: {1}")]
    Store(PathBuf, StoreError),
    /// A restore into a database was broken off.
    #[error(
        "a restore into {0} was broken off, so there is no store in it. Restore again, which begins anew: hookwheel restore \
         FILE; or drop its tables, to begin with an empty store"
    )]
    RestoredInPart(String),
    /// A restore would write over what is there.
    #[error("there is a store in {0} already: a backup is restored into a database without one")]
    IsThere(String),
    /// What was asked for is done with files.
    #[error("the store is kept in the database {0}, and this is for data directories: take store.url away to name one")]
    InDatabase(String),
    /// The database does not answer, or not yet.
    #[error("the store in {store} cannot be reached: {why}")]
    Away {
        /// The database.
        store: String,
        /// What came instead of an answer.
        why: String,
    },
    /// Another node has it for some time.
    #[error(
        "the store in {store} is owned by the node {by}, whose lease ends in {left_ms} ms unless it renews it: stop that node, or wait"
    )]
    Held {
        /// The database.
        store: String,
        /// The node.
        by: String,
        /// How long yet, unless it renews its lease.
        left_ms: u64,
    },
    /// A database has forgotten what it acknowledged.
    #[error(
        "the store in {store} lacks what the database acknowledged: this process wrote {known} groups, and {found} of them are there. A \
         standby was promoted that had not got them, or an older copy was put in its place. Bring back the database that has them, or \
         start this process again to go on without: what was accepted in them is lost"
    )]
    Forgotten {
        /// The database.
        store: String,
        /// The last group that is there.
        found: u64,
        /// The last group that was acknowledged.
        known: u64,
    },
    /// A repair began to write and did not come to its end.
    #[error("{error}. It was mended in part{}", copy_in(copy.as_deref()))]
    MendedInPart {
        /// What kept it from going on.
        error: Box<OpenError>,
        /// Where the copy is from before, if one was wanted.
        copy: Option<PathBuf>,
    },
}

/// Where there is a copy from before.
fn copy_in(copy: Option<&Path>) -> String {
    copy.map_or(String::new(), |copy| format!("; a copy from before is in {}", copy.display()))
}

/// What becomes of a store of an older format.
fn older(found: u32) -> String {
    if found < FORMAT_COPIED {
        return "of a build before the first release, which is not read any more; set another HOOKWHEEL__STORE__PATH"
            .into();
    }
    format!("which is older: the next start, or `hookwheel store upgrade`, brings it to {FORMAT_VERSION}")
}

impl OpenError {
    /// Of an error of the store: damage is told apart from what may pass.
    pub(super) fn of(path: &Path, error: StoreError) -> Self {
        match error {
            StoreError::Broken(why) => Self::Damaged { path: path.into(), why },
            error => Self::Store(path.into(), error),
        }
    }

    /// Whether it stays so until somebody does something: no use in trying again.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Gone(_)
                | Self::Short { .. }
                | Self::Behind { .. }
                | Self::Another { .. }
                | Self::Damaged { .. }
                | Self::Forgotten { .. }
        )
    }
}

/// The store failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// sled or the file system failed.
    #[error("{0}")]
    Io(String),
    /// A stored record cannot be read.
    #[error("a stored record is damaged: {0}")]
    Damaged(Damage),
    /// A page of the log cannot be read, and with it none of its rows; or the files do not fit together.
    #[error("the store is damaged: {0}")]
    Broken(String),
    /// It is closed, or being opened again after an error.
    #[error("the store is being opened again")]
    Unavailable,
}

impl From<Damage> for StoreError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

impl From<sled::Error> for StoreError {
    /// In our own words: sled's are meant for its authors.
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Corruption { at: Some(at), .. } => Self::Broken(format!("the page at {at} of the log")),
            sled::Error::Corruption { at: None, .. } => Self::Broken("a page of the log".into()),
            sled::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Self::Broken("the log ends within a page".into())
            }
            sled::Error::Io(error) => Self::Io(error.to_string()),
            _ => Self::Broken("its files do not fit together".into()),
        }
    }
}

/// Why a request was refused. It left nothing behind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Too much waits for the commit thread.
    #[error("too many requests are waiting to be stored")]
    QueueFull,
    /// So many deliveries of the account are to be made that no more can be promised.
    #[error("more than {limit} deliveries of this account's events are still to be made; publish again in a moment")]
    FanOutFull {
        /// The limit.
        limit: u64,
    },
    /// One request asks for too many deliveries.
    #[error("these events make more than {limit} deliveries together; publish fewer of them in one request")]
    FanOutTooWide {
        /// The limit.
        limit: usize,
    },
    /// Free space is below the reserve.
    #[error("the disk is almost full")]
    NoSpace,
    /// The server is stopping.
    #[error("the server is stopping")]
    Closed,
    /// The `Idempotency-Key` was used for another body.
    #[error("this Idempotency-Key was used with another body within the last 24 hours")]
    IdempotencyConflict,
    /// The event's id belongs to another event.
    #[error("this id belongs to another event of the account")]
    EventIdConflict {
        /// Which event of the batch, from 0.
        index: usize,
    },
    /// The dialect allows no more webhooks.
    #[error("the account has {limit} webhooks of this dialect, which is its limit")]
    WebhookLimit {
        /// The limit.
        limit: u32,
    },
    /// Another webhook of the account has this id of its own.
    #[error("uid: belongs to another webhook of the account; choose another, or change that webhook")]
    UidTaken,
    /// Another user has this address.
    #[error("email: another user of this server has this address; each logs in with one of its own")]
    EmailTaken,
    /// Another user is known to the identity provider as this one.
    #[error("another user of this server logs in as this one of the identity provider")]
    ExternalTaken,
    /// The account has as many things of a kind as the operator lets one have.
    #[error("the account has {limit} {what}, which is the limit ({setting}); {remedy}")]
    OverQuota {
        /// Of which kind.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// The setting that says so.
        setting: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The account has fewer events left of the day.
    #[error(
        "the account may publish {limit} new events a day (limits.events_per_day), and {left} are left until {}; publish the others then, or let the operator raise it",
        time::rfc3339(*.until)
    )]
    OverDay {
        /// The limit.
        limit: u64,
        /// How many are left.
        left: u64,
        /// When the day ends.
        until: UnixMs,
        /// How long that is from now.
        wait_ms: u64,
    },
    /// There is an account of that id.
    #[error("there is an account of this id")]
    AccountExists,
    /// One of that id was deleted, and something of it is left.
    #[error("an account of this id is being deleted; its id is free once the job that does it is done")]
    AccountLeaving,
    /// The account belongs to the server.
    #[error("the account {0:?} is there from the start, and cannot be deleted")]
    AccountStays(String),
    /// The event's payload was purged: there is nothing to send.
    #[error("the payload of this event was purged; it cannot be sent any more")]
    Purged,
    /// So many jobs of the account run already.
    #[error("the account has {limit} running jobs, which is the limit; wait for one to end, or cancel one")]
    JobLimit {
        /// The limit.
        limit: usize,
    },
    /// The job has ended.
    #[error("the job is done; there is nothing to cancel")]
    JobDone,
    /// The job cannot be stopped where it is.
    #[error("{0}")]
    JobGoesOn(&'static str),
    /// There is no such thing in this account.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A field cannot be taken.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Who asks may not set a field so.
    #[error(transparent)]
    Forbidden(Invalid),
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_use_in_trying_again_where_somebody_has_to_put_something_back() {
        let path = PathBuf::from("data");
        let lasting = [
            OpenError::Gone(path.clone()),
            OpenError::Short { path: path.clone(), found: 1, expected: 2 },
            OpenError::Behind { path: path.clone(), found: 1, marked: 2 },
            OpenError::Another { path: path.clone(), number: 1 },
            OpenError::of(&path, StoreError::Broken("torn".into())),
        ];
        assert!(lasting.iter().all(OpenError::is_final));
        let passing = [OpenError::InUse(path.clone()), OpenError::of(&path, StoreError::Io("a full disk".into()))];
        assert!(!passing.iter().any(OpenError::is_final));
    }

    #[test]
    fn what_cannot_be_read_is_told_from_what_may_pass() {
        use std::io;
        let page = |at| StoreError::from(sled::Error::Corruption { at, bt: () }).to_string();
        assert!(page(None).ends_with("a page of the log"));
        assert!(page(Some(sled::DiskPtr::Inline(7))).contains("the page at "));
        let of = |kind: io::ErrorKind| StoreError::from(sled::Error::Io(kind.into()));
        assert_eq!(of(io::ErrorKind::UnexpectedEof), StoreError::Broken("the log ends within a page".into()));
        assert!(matches!(of(io::ErrorKind::StorageFull), StoreError::Io(_)));
        let unexpected = StoreError::from(sled::Error::ReportableBug("a text of sled".into())).to_string();
        assert!(!unexpected.contains("a text of sled"), "{unexpected}");
    }
}
