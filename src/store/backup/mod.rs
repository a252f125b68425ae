//! Backups: a file that holds a store as of one group commit, taken while the store goes on, and a new store made of it.

mod format;
pub mod in_database;
mod restoring;
pub mod spool;
mod stopped;
mod taking;

use thiserror::Error;

use super::error::{OpenError, StoreError};
use super::layout::FORMAT_VERSION;
use format::FormatError;
pub use restoring::{Found, restore, verify};
pub use stopped::back_up_stopped;
pub use taking::Backup;

/// Why there is no backup, or no store of one.
#[derive(Debug, Error)]
pub enum BackupError {
    /// One at a time.
    #[error("another backup is being taken: wait until it is done")]
    Running,
    /// The file is no backup that can be used.
    #[error("{0}")]
    File(#[from] FormatError),
    /// Its rows are of another format.
    #[error(
        "its rows have format {found}, and this Hookwheel reads {FORMAT_VERSION}: restore it with hookwheel {version}, \
         whose store a newer one brings to its own format"
    )]
    Format {
        /// Of its rows.
        found: u32,
        /// Who wrote it.
        version: String,
    },
    /// What was restored is not what was backed up.
    #[error(
        "the rows in it do not add up to those that were written: the store had lost some, or had others, before it was backed up. \
         Nothing was restored. Take an earlier backup, or what is in this one: --accept-differences"
    )]
    Sum,
    /// The directory cannot take it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// In words.
    #[error("{0}")]
    Failed(String),
}
