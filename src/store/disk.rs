//! What the store takes of the disk, what is left of it, and when it will be full if it goes on so.

use std::path::PathBuf;

use super::error::StoreError;
use super::growth::Growth;
use super::handle::Store;
use super::inner::Inner;
use super::layout::FORMAT_VERSION;
use super::sums::Kept;
use super::trees::Trees;

/// A store that is full in fewer days is full soon: somebody has to do something about it.
pub const FULL_SOON_DAYS: u64 = 14;

/// The store's part of the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The data directory.
    pub path: PathBuf,
    /// The format of what lies in it.
    pub format: u32,
    /// Where the master keys are, in words.
    pub master_keys: String,
    /// Bytes of the store's files.
    pub files_bytes: u64,
    /// Bytes of it that are events, deliveries and attempts: what retention can take.
    pub kept: Kept,
    /// Bytes that are free; `None` where there is no disk.
    pub free_bytes: Option<u64>,
    /// Of which so many are not used up: below them no events are taken. 0: none.
    pub reserve_bytes: u64,
    /// How the files have grown; `None` if that is not known yet.
    pub growth: Option<Growth>,
}

impl Disk {
    /// In how many days no more events are taken, if the files go on to grow as they did; `None` if they do not grow, or that is
    /// not known.
    pub fn days_left(&self) -> Option<u64> {
        let a_day = self.growth.map(Growth::a_day).filter(|bytes| *bytes > 0)?;
        let left = self.free_bytes?.saturating_sub(self.reserve_bytes);
        Some(left / a_day.unsigned_abs())
    }
}

impl Store {
    /// What it takes of the disk.
    pub fn disk(&self) -> Result<Disk, StoreError> {
        let (inner, settings) = (&self.0, &self.0.settings);
        let (files_bytes, free_bytes) = self.look(|trees| {
            inner.look_at_size(trees);
            Ok((trees.size_bytes()?, trees.free_bytes()?))
        })?;
        Ok(Disk {
            path: settings.path.clone(),
            format: FORMAT_VERSION,
            master_keys: settings.master_keys.to_string(),
            files_bytes,
            kept: inner.sums().kept,
            free_bytes: (free_bytes < u64::MAX).then_some(free_bytes),
            reserve_bytes: settings.free_bytes_min,
            growth: inner.sizes.lock().expect("not poisoned").growth(inner.clock.now(), files_bytes),
        })
    }
}

impl Inner {
    /// Looks at the size of the files, if it is time to.
    pub(super) fn look_at_size(&self, trees: &Trees) {
        let now = self.clock.now();
        if self.settings.memory.is_some() || !self.sizes.lock().expect("not poisoned").is_due(now) {
            return;
        }
        if let Ok(bytes) = trees.size_bytes() {
            self.sizes.lock().expect("not poisoned").keep(now, bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{DAY_MS, HOUR_MS};
    use crate::store::bench::Bench;
    use crate::store::settings::Settings;

    fn disk(free_bytes: Option<u64>, bytes: Option<i64>) -> Disk {
        Disk {
            path: PathBuf::new(),
            format: 1,
            master_keys: String::new(),
            files_bytes: 0,
            kept: Kept::default(),
            free_bytes,
            reserve_bytes: 100,
            growth: bytes.map(|bytes| Growth { bytes, over_ms: DAY_MS }),
        }
    }

    #[test]
    fn the_reserve_is_not_used_up_and_what_does_not_grow_is_never_full() {
        assert_eq!(disk(Some(350), Some(50)).days_left(), Some(5));
        assert_eq!(disk(Some(90), Some(50)).days_left(), Some(0));
        for never in [disk(Some(350), Some(0)), disk(Some(350), Some(-50)), disk(Some(350), None), disk(None, Some(50))]
        {
            assert_eq!(never.days_left(), None);
        }
    }

    #[test]
    fn the_size_of_the_files_is_looked_at_and_growth_follows_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut bench = Bench::of(Settings::at(dir.path()));
        let first = bench.store.disk().unwrap();
        assert!(first.files_bytes > 0 && first.free_bytes.is_some() && first.growth.is_none());
        bench.turn(2 * HOUR_MS);
        let growth = bench.store.disk().unwrap().growth.unwrap();
        assert!(growth.over_ms >= 2 * HOUR_MS && growth.bytes >= 0, "{growth:?}");
    }
}
