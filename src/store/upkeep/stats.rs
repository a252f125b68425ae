//! Forgets old rows of the statistics: minutes after 3 days, hours after 90 days, days after 3 years
//! (`Step::kept_ms`). A pass jumps from one series and step to the next, and reads little but what it removes.

use super::sweep::{Fate, Swept, sweep_rows};
use crate::store::error::StoreError;
use crate::store::layout::{self, Key, Tree};
use crate::store::staging::Staging;

/// The rows of the statistics.
pub struct OldStats;

impl Swept for OldStats {
    type Place = Key;

    fn some(&mut self, staging: &mut Staging<'_>, from: Key) -> Result<Option<Key>, StoreError> {
        sweep_rows(staging, Tree::Stats, from, |staging, key, _| {
            let (prefix, step, start) = layout::read_stats(key);
            let goes = staging.keeping() >= start + step.kept_ms();
            // All that follow in this step are younger.
            Ok(if goes { Fate::Goes } else { Fate::StaysWithAllBefore(layout::after_prefix(prefix)) })
        })
    }
}
