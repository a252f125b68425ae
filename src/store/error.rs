//! What can go wrong: opening the store, the store itself, and what a caller asks of it. The texts are for people; the API
//! gives each refusal a status and a code (`api/http/problem.rs`).

use std::path::PathBuf;

use thiserror::Error;

use super::key_mark::KeyMark;
use crate::domain::Invalid;

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
    /// It was written by a build before the first release.
    #[error(
        "the data directory {path} has format {found}, of a build before the first release, which is not read any more; set another HOOKWHEEL__STORE__PATH"
    )]
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
    #[error("the data directory {0} cannot be opened: {1}")]
    Io(PathBuf, std::io::Error),
    /// sled could not open it.
    #[error("the store in {0} cannot be opened: {1}")]
    Store(PathBuf, StoreError),
}

/// The store failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// sled or the file system failed.
    #[error("{0}")]
    Io(String),
    /// A stored record cannot be read.
    #[error("a stored record is damaged: {0}")]
    Damaged(String),
    /// It is closed, or being opened again after an error.
    #[error("the store is being opened again")]
    Unavailable,
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        Self::Io(error.to_string())
    }
}

/// Why a request was refused. It left nothing behind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Too much waits for the commit thread.
    #[error("too many requests are waiting to be stored")]
    QueueFull,
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
    /// There is an account of that id.
    #[error("there is an account of this id")]
    AccountExists,
    /// So many jobs of the account run already.
    #[error("the account has {limit} running jobs, which is the limit; wait for one to end, or cancel one")]
    JobLimit {
        /// The limit.
        limit: usize,
    },
    /// The job has ended.
    #[error("the job is done; there is nothing to cancel")]
    JobDone,
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
