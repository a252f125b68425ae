//! sled's files: how they are opened, and the room for them.

use std::io;
use std::path::Path;

use crate::store::error::{OpenError, StoreError};
use crate::store::settings::Settings;

/// The log: it is there once the store is made.
pub const LOG: &str = "db";

/// The log's segment: a value, or a leaf of sixteen, beyond a quarter of it would go to a blob file.
pub const SEGMENT_BYTES: usize = 4 * 1024 * 1024;

/// With less free space a store that failed is not opened again: opening writes a snapshot, and then there must be
/// room for some segments.
pub const REOPEN_FREE_BYTES_MIN: u64 = 4 * SEGMENT_BYTES as u64;

/// How sled is opened at `path`.
pub fn sled_config(path: &Path, settings: &Settings) -> sled::Config {
    let config = sled::Config::new().path(path).cache_capacity(settings.cache_bytes);
    config.segment_size(SEGMENT_BYTES).flush_every_ms(None)
}

/// sled reports a lock held elsewhere as an I/O error.
pub fn open_error(path: &Path, error: sled::Error) -> OpenError {
    let text = error.to_string();
    match error {
        sled::Error::Io(io) if io.kind() == io::ErrorKind::WouldBlock || text.contains("could not acquire lock") => {
            OpenError::InUse(path.into())
        }
        error => OpenError::of(path, error.into()),
    }
}

/// Bytes that are free on the file system there.
pub fn free_bytes_at(path: &Path) -> Result<u64, StoreError> {
    let stat = rustix::fs::statvfs(path).map_err(|error| StoreError::Io(error.to_string()))?;
    Ok(stat.f_bavail * stat.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_another_process_has_is_told_from_damage_and_from_what_may_pass() {
        let of = |error: io::Error| open_error(Path::new("data"), sled::Error::Io(error));
        assert!(matches!(of(io::ErrorKind::WouldBlock.into()), OpenError::InUse(_)));
        assert!(matches!(of(io::Error::other("could not acquire lock on data/db")), OpenError::InUse(_)));
        assert!(matches!(of(io::ErrorKind::StorageFull.into()), OpenError::Store(..)));
        assert!(matches!(of(io::ErrorKind::UnexpectedEof.into()), OpenError::Damaged { .. }));
    }
}
