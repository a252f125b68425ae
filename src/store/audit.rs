//! The audit log: entries are written with the change that they tell of, and listed.

use super::error::StoreError;
use super::handle::Store;
use super::layout::{self, Tree};
use super::page::{Filling, Page, keys_of};
use super::record;
use super::staging::Staging;
use crate::domain::account::DEFAULT_ACCOUNT;
use crate::domain::audit::{Actor, AuditEntry, Deed};
use crate::domain::id::{AccountNumber, AuditId};
use crate::domain::walk::Walk;

/// An entry, in bytes: it holds names and ids and no values, and its longest text is the name of a key, of 200 characters, or of a person, which is shorter.
/// So a bound on entries bounds bytes.
const ENTRY_BYTES_MAX: usize = 2048;

impl Staging<'_> {
    /// Adds an entry to the audit log.
    pub fn note_deed(&mut self, by: Actor, deed: Deed) {
        let (side, person) = (by.side, by.person.clone());
        let entry = AuditEntry { id: AuditId(self.next_id(0)), by, deed, side, person };
        let bytes = self.put(Tree::Audit, layout::audit(entry.deed.account, entry.id), &entry);
        debug_assert!(bytes <= ENTRY_BYTES_MAX, "{entry:?}");
    }

    /// The same of what was done to the server: it stands in the log of the account that exists from the start.
    pub(super) fn note_deed_to_server(&mut self, by: Actor, action: &str, target: impl ToString) {
        let account = self.registry().account_by_id(DEFAULT_ACCOUNT).map(|account| account.number);
        if let Some(account) = account {
            self.note_deed(by, Deed::new(account, action, target));
        }
    }
}

impl Store {
    /// The account's audit log; `wanted` filters. Without entries that cannot be read.
    pub fn audit_log(
        &self,
        account: AccountNumber,
        walk: Walk,
        wanted: impl Fn(&AuditEntry) -> bool,
    ) -> Result<Page<AuditEntry, AuditId>, StoreError> {
        let mut page = Filling::of(walk);
        if walk.is_empty() {
            return Ok(page.end());
        }
        self.look(|trees| {
            for row in walk.along(trees.range(Tree::Audit, keys_of(account, walk))) {
                if !page.goes_on() {
                    break;
                }
                let entry = row.and_then(|(key, value)| {
                    page.at(AuditId(layout::read_id(&key)));
                    record::read_grown::<AuditEntry>(Tree::Audit, &key, &value)
                });
                if let Some(entry) = trees.readable(entry)?.filter(&wanted) {
                    page.push(entry);
                }
            }
            Ok(page.end())
        })
    }
}
