//! Why something is not decrypted, in words.

use std::io;

use thiserror::Error;

/// Why something cannot be decrypted.
#[derive(Debug, Error)]
pub enum AgeError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Its head is not as it was written.
    #[error("the head of its encryption was broken off or changed")]
    Header,
    /// It is encrypted for somebody else.
    #[error("it is encrypted for another key than the one in the file that --identity names")]
    WrongKey,
}
