//! The audit log: entries are written with the change that they tell of, listed, and forgotten once they are too old.

use super::layout::{self, Key, Tree};
use super::read::{PAGE_ROWS_EXAMINED_MAX, Page};
use super::staging::Staging;
use super::upkeep::{Duty, STEP_ROWS_MAX, keys_from};
use super::{Retention, Store, StoreError, record};
use crate::domain::audit::{Actor, AuditEntry, Deed};
use crate::domain::id::{AccountNumber, AuditId, first_id_at};
use crate::domain::time::UnixMs;

/// Between passes over old entries.
const EVERY_MS: u64 = 60 * 60 * 1000;

impl Staging<'_> {
    /// Adds an entry to the audit log.
    pub fn note_deed(&mut self, by: Actor, deed: Deed) {
        let entry = AuditEntry { id: AuditId(self.next_id(0)), side: by.side, by, deed };
        self.put(Tree::Audit, layout::audit(entry.deed.account, entry.id), &entry);
    }
}

impl Store {
    /// The account's audit log, newest first, before the id `before`; `wanted` filters.
    pub fn audit_log(
        &self,
        account: AccountNumber,
        before: Option<AuditId>,
        limit: usize,
        wanted: impl Fn(&AuditEntry) -> bool,
    ) -> Result<Page<AuditEntry, AuditId>, StoreError> {
        let (start, end) = (layout::number(account).to_vec(), before.unwrap_or(AuditId(u128::MAX)));
        let mut page = Page { rows: Vec::new(), next: None };
        let mut last = None;
        for (examined, row) in self.disk()?.range(Tree::Audit, start..layout::audit(account, end)).rev().enumerate() {
            if page.rows.len() == limit || examined == PAGE_ROWS_EXAMINED_MAX {
                page.next = last;
                break;
            }
            let entry: AuditEntry = record::decode_grown(&row?.1)?;
            last = Some(entry.id);
            page.rows.extend(wanted(&entry).then_some(entry));
        }
        Ok(page)
    }
}

/// Forgets entries that are too old, of one account after the other.
pub struct OldEntries {
    keep_ms: Option<u64>,
    /// When the next step is due.
    at: UnixMs,
    account: AccountNumber,
}

impl OldEntries {
    /// A pass that begins at once.
    pub fn new(retention: &Retention) -> Self {
        Self { keep_ms: retention.audit_ms, at: 0, account: 0 }
    }
}

impl Duty for OldEntries {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        self.keep_ms.map(|_| self.at)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let Some(keep_ms) = self.keep_ms else { return Ok(()) };
        let next = staging.registry().account_from(self.account).map(|account| account.number);
        let Some(account) = next else {
            (self.at, self.account) = (staging.now() + EVERY_MS, 0);
            return Ok(());
        };
        let first_kept = AuditId(first_id_at(staging.now().saturating_sub(keep_ms)));
        let (from, end): (Key, Key) = (layout::number(account).to_vec(), layout::audit(account, first_kept));
        let (keys, complete) = keys_from(staging, Tree::Audit, &from, &end, STEP_ROWS_MAX)?;
        for key in keys {
            staging.stage(Tree::Audit, key, None);
        }
        self.account = if complete { account + 1 } else { account };
        Ok(())
    }
}
