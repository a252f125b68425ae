//! Forgetting old rows of the statistics, in small steps: minutes after 3 days, hours after 90 days, days after 3 years
//! (`Step::kept_ms`). A pass jumps from one series and step to the next, and reads nothing but what it removes.

use crate::domain::time::UnixMs;
use crate::store::StoreError;
use crate::store::layout::{self, Key, Tree};
use crate::store::staging::Staging;
use crate::store::upkeep::Duty;

/// Rows that one step removes, and jumps that it makes, together.
const STEP_ROWS_MAX: usize = 256;
/// Between passes.
const PASS_EVERY_MS: u64 = 60 * 60 * 1000;

/// Where the forgetting is.
pub struct Forgetting {
    /// Where the pass goes on; `None` between passes.
    from: Option<Key>,
    /// When the next pass starts.
    next_at: UnixMs,
}

impl Forgetting {
    /// At a start: a pass is due.
    pub fn at_start() -> Self {
        Self { from: Some(Key::new()), next_at: 0 }
    }
}

impl Duty for Forgetting {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        Some(if self.from.is_some() { 0 } else { self.next_at })
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let now = staging.now();
        if self.from.is_none() && now >= self.next_at {
            self.from = Some(Key::new());
        }
        if let Some(from) = self.from.take() {
            self.from = forget_some(staging, from)?;
            self.next_at = now + PASS_EVERY_MS;
        }
        Ok(())
    }
}

/// Removes some rows that are old enough; says where to go on.
fn forget_some(staging: &mut Staging<'_>, mut from: Key) -> Result<Option<Key>, StoreError> {
    for _ in 0..STEP_ROWS_MAX {
        let Some(row) = staging.disk().range(Tree::Stats, from..).next() else { return Ok(None) };
        let (key, _) = row?;
        let (prefix, step, start) = layout::read_stats(&key);
        if staging.keeping() >= start + step.kept_ms() {
            staging.stage(Tree::Stats, key.to_vec(), None);
            from = layout::just_after(&key);
        } else {
            // All that follow here are younger.
            from = layout::after_prefix(prefix);
        }
    }
    Ok(Some(from))
}
