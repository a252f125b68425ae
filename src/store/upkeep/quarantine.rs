//! Puts rows aside that cannot be read, with what depends on them, so that all others go on. What is left of a row lies in
//! `quarantine` as it was. What stays true: nothing that is readable is put aside, and what counts and orders rows never
//! counts on one that is.

use std::sync::Arc;

use serde_json::json;

use crate::domain::delivery::DeliveryState;
use crate::domain::id::DeliveryId;
use crate::domain::time::UnixMs;
use crate::store::check::check;
use crate::store::damage::{Damage, Reports};
use crate::store::duty::Duty;
use crate::store::error::StoreError;
use crate::store::layout::{self, Key, META_LAST_ACCOUNT, META_LAST_WEBHOOK, Tree};
use crate::store::rows;
use crate::store::staging::Staging;

/// Rows that one step puts aside.
const STEP_ROWS_MAX: usize = 16;
/// The bytes of an event's key; those of its pieces go on.
const EVENT_KEY_BYTES: usize = 20;

/// Puts aside what was reported.
pub struct Quarantine {
    reports: Arc<Reports>,
    /// The operator was told of one since the start.
    is_told: bool,
}

impl Quarantine {
    /// What is reported there.
    pub fn new(reports: Arc<Reports>) -> Self {
        Self { reports, is_told: false }
    }
}

impl Duty for Quarantine {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        self.reports.are_waiting().then_some(0)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        for damage in self.reports.take(STEP_ROWS_MAX) {
            let Some(damage) = staging.still_damaged(damage)? else { continue };
            tracing::error!(%damage, "a record cannot be read and is put aside; the rest goes on");
            // What people made is told of one by one, all else once.
            let is_told = matches!(damage.tree, Tree::Webhooks | Tree::Accounts | Tree::Keys);
            if is_told || !std::mem::replace(&mut self.is_told, true) {
                staging.tell_operator("store.damaged", json!({"record": damage.to_string()}))?;
            }
            staging.quarantine(&damage)?;
        }
        Ok(())
    }
}

impl Staging<'_> {
    /// The row that is to be put aside for this report; none if it was replaced or removed since.
    fn still_damaged(&self, mut damage: Damage) -> Result<Option<Damage>, StoreError> {
        if damage.tree == Tree::Chunks {
            // An event is read as a whole, and goes as a whole.
            let event = &damage.key[..EVENT_KEY_BYTES.min(damage.key.len())];
            if self.is_there(Tree::Events, event)? && rows::is_piece(self.trees(), &damage.key)? {
                (damage.tree, damage.key) = (Tree::Events, event.to_vec());
            }
        }
        let (tree, key) = (damage.tree, damage.key.as_slice());
        if self.is_staged(tree, key) {
            return Ok(None);
        }
        let read = match self.trees().get(tree, key) {
            Ok(None) => return Ok(None),
            Ok(Some(value)) => check(self.trees(), &self.master_keys(), tree, key, &value),
            Err(error) => Err(error),
        };
        match read {
            Ok(()) => Ok(None),
            Err(StoreError::Damaged(found)) => Ok(Some(Damage { why: found.why, ..damage })),
            Err(error) => Err(error),
        }
    }

    fn quarantine(&mut self, damage: &Damage) -> Result<(), StoreError> {
        let (tree, key) = (damage.tree, damage.key.as_slice());
        let bytes = self.put_aside(tree, key)?;
        match tree {
            Tree::Events => {
                let mut bytes = bytes;
                for piece in self.keys_that_begin(Tree::Chunks, key)? {
                    bytes += self.put_aside(Tree::Chunks, &piece)?;
                }
                self.event_bytes_gone(bytes);
            }
            Tree::Blocked | Tree::Fresh | Tree::Waiting => {
                let id = layout::read_delivery(key);
                self.tally(id.webhook()).count_end(DeliveryState::Cancelled);
                self.lose_delivery(id, 0)?;
            }
            Tree::Chunks => self.event_bytes_gone(bytes),
            Tree::Closed => self.lose_delivery(layout::read_delivery(key), bytes)?,
            Tree::Attempts => {
                let id = key.first_chunk().map(|id| DeliveryId::from_bytes(*id));
                id.into_iter().for_each(|id| self.delivery_bytes_gone(id.webhook(), bytes));
            }
            Tree::Ordered => self.free_next(layout::read_number(key), layout::read_order_key(key))?,
            Tree::Jobs => self.registry_mut().forget_job(layout::read_number(key), layout::read_id(key)),
            Tree::Meta if [META_LAST_WEBHOOK, META_LAST_ACCOUNT].contains(&key) => {
                let greatest = rows::greatest_number(self.trees(), key)?;
                self.stage(tree, key.to_vec(), Some(layout::number(greatest).to_vec()));
            }
            Tree::Accounts | Tree::Keys | Tree::Webhooks | Tree::Tallies | Tree::AccountTallies => {
                self.write_again(tree, key);
            }
            _ => {}
        }
        Ok(())
    }

    /// Moves a row into quarantine, whatever is left of it. Gives its bytes.
    fn put_aside(&mut self, tree: Tree, key: &[u8]) -> Result<usize, StoreError> {
        let bytes = self.bytes_at(tree, key)?;
        if let Some(stored) = self.trees().get_stored(tree, key)? {
            self.stage(Tree::Quarantine, layout::quarantined(tree, key), Some(stored.to_vec()));
            self.stage(tree, key.to_vec(), None);
            self.trees().reports().count_quarantined(tree.name(), 1);
        }
        Ok(bytes)
    }

    /// A delivery is gone: so are its further attempts.
    fn lose_delivery(&mut self, id: DeliveryId, mut bytes: usize) -> Result<(), StoreError> {
        let webhook = id.webhook();
        for attempt in self.keys_that_begin(Tree::Attempts, &id.to_bytes())? {
            bytes += self.put_aside(Tree::Attempts, &attempt)?;
        }
        self.delivery_bytes_gone(webhook, bytes);
        let account = self.registry().webhook(webhook).map(|webhook| webhook.account);
        if let Some(account) = account {
            self.stage(Tree::Dead, layout::dead(account, id), None);
        }
        // Its row in `due` is met by whoever looks what is due, and goes then; that in `ordered` by who sets free what waits.
        // Whoever has read it ahead reads again.
        self.notice.changed.push(webhook);
        Ok(())
    }

    /// What is held in memory about it is whole, if anything is: it is written anew.
    fn write_again(&mut self, tree: Tree, key: &[u8]) {
        match tree {
            Tree::Webhooks => self.seal_again(&key.to_vec()),
            Tree::Tallies => drop(self.tally(layout::read_number(key)).clone()),
            Tree::AccountTallies => self.put_account_tally_again(layout::read_number(key)),
            Tree::Accounts => {
                let account = self.registry().account(layout::read_number(key)).cloned();
                if let Some(account) = account {
                    self.put(tree, key.to_vec(), &*account);
                }
            }
            _ => {
                let known = key.try_into().ok().and_then(|hash| self.registry().key(&hash).cloned());
                if let Some(known) = known {
                    self.put(tree, key.to_vec(), &*known);
                }
            }
        }
    }

    pub(super) fn keys_that_begin(&self, tree: Tree, prefix: &[u8]) -> Result<Vec<Key>, StoreError> {
        self.trees().prefix(tree, prefix).keys().map(|key| Ok(key?.to_vec())).collect()
    }
}
