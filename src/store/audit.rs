//! The audit log: entries are written with the change that they tell of, and listed.

use super::error::StoreError;
use super::handle::Store;
use super::layout::{self, Tree};
use super::read::{PAGE_ROWS_EXAMINED_MAX, Page};
use super::record;
use super::staging::Staging;
use crate::domain::audit::{Actor, AuditEntry, Deed};
use crate::domain::id::{AccountNumber, AuditId};

/// An entry, in bytes: it holds names and ids and no values, and its longest text is the name of a key, of 200 characters.
/// So a bound on entries bounds bytes.
const ENTRY_BYTES_MAX: usize = 2048;

impl Staging<'_> {
    /// Adds an entry to the audit log.
    pub fn note_deed(&mut self, by: Actor, deed: Deed) {
        let entry = AuditEntry { id: AuditId(self.next_id(0)), side: by.side, by, deed };
        let bytes = self.put(Tree::Audit, layout::audit(entry.deed.account, entry.id), &entry);
        debug_assert!(bytes <= ENTRY_BYTES_MAX, "{entry:?}");
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
        self.look(|trees| {
            for (examined, row) in trees.range(Tree::Audit, start..layout::audit(account, end)).rev().enumerate() {
                if page.rows.len() == limit || examined == PAGE_ROWS_EXAMINED_MAX {
                    page.next = last;
                    break;
                }
                let entry = row.and_then(|(key, value)| record::read_grown::<AuditEntry>(Tree::Audit, &key, &value));
                let Some(entry) = trees.readable(entry)? else { continue };
                last = Some(entry.id);
                page.rows.extend(wanted(&entry).then_some(entry));
            }
            Ok(page)
        })
    }
}
