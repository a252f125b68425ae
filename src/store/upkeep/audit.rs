//! Forgets entries of the audit log that are too old, of one account after the other.

use super::sweep::{Fate, Swept, sweep_rows};
use crate::domain::id::first_id_at;
use crate::store::error::StoreError;
use crate::store::layout::{self, Key, Tree, end_of};
use crate::store::settings::Retention;
use crate::store::staging::Staging;

/// The entries of the audit log.
pub struct OldEntries {
    keep_ms: Option<u64>,
}

impl OldEntries {
    /// Those that are older than retention says.
    pub fn new(retention: &Retention) -> Self {
        Self { keep_ms: retention.audit_ms }
    }
}

impl Swept for OldEntries {
    type Place = Key;

    fn is_wanted(&self) -> bool {
        self.keep_ms.is_some()
    }

    fn some(&mut self, staging: &mut Staging<'_>, from: Key) -> Result<Option<Key>, StoreError> {
        let Some(keep_ms) = self.keep_ms else { return Ok(None) };
        let first_kept = first_id_at(staging.keeping().saturating_sub(keep_ms));
        sweep_rows(staging, Tree::Audit, from, |_, key, _| {
            let goes = layout::read_id(key) < first_kept;
            Ok(if goes { Fate::Goes } else { Fate::StaysWithAllBefore(end_of(layout::read_number(key))) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::{Actor, Deed};
    use crate::domain::time::{DAY_MS, HOUR_MS};
    use crate::store::bench::Bench;

    #[test]
    fn an_entry_is_kept_for_its_time_and_goes_after_it() {
        for audit_ms in [None, Some(10 * DAY_MS)] {
            let retention = Retention { audit_ms, ..Retention::default() };
            assert_eq!(OldEntries::new(&retention).is_wanted(), audit_ms.is_some());
            let mut bench = Bench::keeping(retention);
            for account in [1, 2] {
                bench.now(move |staging| {
                    staging.note_deed(Actor::default(), Deed::new(account, "webhook.changed", "it"));
                    Ok(())
                });
            }
            bench.turn(10 * DAY_MS);
            assert_eq!(bench.keys(Tree::Audit).len(), 2);
            bench.turn(HOUR_MS);
            assert_eq!(bench.keys(Tree::Audit).is_empty(), audit_ms.is_some());
        }
    }
}
