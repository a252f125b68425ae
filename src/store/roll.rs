//! All webhooks, as they rest in memory: each as the bytes of its record, a fifth of what it takes unpacked. Those that were
//! asked for lately are unpacked beside them. What stays true: what is unpacked is what its record says; and of who has very
//! many webhooks a bounded number is unpacked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quick_cache::sync::Cache;
use zeroize::{Zeroize, Zeroizing};

use super::record;
use crate::domain::id::{AccountNumber, WebhookId, WebhookNumber};
use crate::domain::webhook::Webhook;

/// Webhooks that are unpacked, some two KiB each.
const UNPACKED_MAX: usize = 4096;

/// The roll.
#[derive(Debug)]
pub struct Roll {
    packed: BTreeMap<WebhookNumber, Packed>,
    /// The same by account.
    of_accounts: BTreeSet<(AccountNumber, WebhookNumber)>,
    unpacked: Cache<WebhookNumber, Arc<Webhook>>,
}

/// A webhook at rest, with what is asked of all of them.
#[derive(Debug)]
struct Packed {
    record: Zeroizing<Box<[u8]>>,
    account: AccountNumber,
    held: Held,
    has_order: bool,
}

/// Why a webhook's deliveries do not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// They do.
    No,
    /// It is not active.
    Back,
    /// It was deleted.
    Deleted,
}

impl Packed {
    fn of(webhook: &Webhook) -> Self {
        let mut record = record::encode(webhook);
        let held = match webhook.is_active() {
            _ if webhook.is_deleted() => Held::Deleted,
            true => Held::No,
            false => Held::Back,
        };
        // Copied, since what a vector has too much stays with a box that is made of it.
        let packed = Zeroizing::new(Box::from(&record[..]));
        record.zeroize();
        Self { record: packed, account: webhook.account, held, has_order: webhook.order.is_some() }
    }

    fn unpack(&self) -> Webhook {
        record::decode(&self.record).expect("it was packed here")
    }

    /// The first field of the record.
    fn id(&self) -> WebhookId {
        record::decode(&self.record).expect("it was packed here")
    }
}

impl Default for Roll {
    fn default() -> Self {
        let (packed, of_accounts) = Default::default();
        Self { packed, of_accounts, unpacked: Cache::new(UNPACKED_MAX) }
    }
}

impl Roll {
    /// The webhook of this number, also a deleted one.
    pub fn get(&self, number: WebhookNumber) -> Option<Arc<Webhook>> {
        if let Some(webhook) = self.unpacked.get(&number) {
            return Some(webhook);
        }
        let webhook = Arc::new(self.packed.get(&number)?.unpack());
        self.unpacked.insert(number, webhook.clone());
        Some(webhook)
    }

    /// Whose it is, also a deleted one.
    pub fn account_of(&self, number: WebhookNumber) -> Option<AccountNumber> {
        self.packed.get(&number).map(|packed| packed.account)
    }

    /// Whether it is there and was not deleted.
    pub fn is_there(&self, number: WebhookNumber) -> bool {
        self.packed.get(&number).is_some_and(|packed| packed.held != Held::Deleted)
    }

    /// Whether its deliveries go out in an order, also of a deleted one.
    pub fn has_order(&self, number: WebhookNumber) -> bool {
        self.packed.get(&number).is_some_and(|packed| packed.has_order)
    }

    /// Its id, also of a deleted one.
    pub fn id_of(&self, number: WebhookNumber) -> Option<WebhookId> {
        self.packed.get(&number).map(Packed::id)
    }

    /// All webhooks, the oldest first, deleted ones included. Each is unpacked as it is come to.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = Arc<Webhook>> {
        self.packed.iter().map(|(number, packed)| self.seen(*number, packed))
    }

    /// The numbers of all webhooks, ascending, without deleted ones.
    pub fn numbers(&self) -> impl Iterator<Item = WebhookNumber> {
        self.packed.iter().filter(|(_, packed)| packed.held != Held::Deleted).map(|(number, _)| *number)
    }

    /// Those from that number on that are neither active nor deleted, the oldest first.
    pub fn held_from(&self, number: WebhookNumber) -> impl Iterator<Item = Arc<Webhook>> {
        let held = self.packed.range(number..).filter(|(_, packed)| packed.held == Held::Back);
        held.map(|(number, packed)| self.seen(*number, packed))
    }

    /// Those from that number on that were deleted, the oldest first.
    pub fn deleted_from(&self, number: WebhookNumber) -> impl Iterator<Item = WebhookNumber> {
        let deleted = self.packed.range(number..).filter(|(_, packed)| packed.held == Held::Deleted);
        deleted.map(|(number, _)| *number)
    }

    /// The account's webhooks from that number on, the oldest first, deleted ones included.
    pub fn ever_of(
        &self,
        account: AccountNumber,
        from: WebhookNumber,
    ) -> impl DoubleEndedIterator<Item = WebhookNumber> {
        self.of_accounts.range((account, from)..=(account, WebhookNumber::MAX)).map(|(_, number)| *number)
    }

    /// The account's webhooks from that number on, the oldest first, without deleted ones. Each is unpacked as it is come to.
    pub fn of(&self, account: AccountNumber, from: WebhookNumber) -> impl DoubleEndedIterator<Item = Arc<Webhook>> {
        self.there(account, from).map(|(number, packed)| self.seen(number, packed))
    }

    /// Those that are active, or those that are not, in the same way.
    pub fn of_kind(&self, account: AccountNumber, active: bool) -> impl DoubleEndedIterator<Item = Arc<Webhook>> {
        let some = self.there(account, 0).filter(move |(_, packed)| (packed.held == Held::No) == active);
        some.map(|(number, packed)| self.seen(number, packed))
    }

    /// The ids of those from that number on.
    pub fn ids_of(&self, account: AccountNumber, from: WebhookNumber) -> impl DoubleEndedIterator<Item = WebhookId> {
        self.there(account, from).map(|(_, packed)| packed.id())
    }

    fn there(
        &self,
        account: AccountNumber,
        from: WebhookNumber,
    ) -> impl DoubleEndedIterator<Item = (WebhookNumber, &Packed)> {
        let ever = self.ever_of(account, from).filter_map(|number| Some((number, self.packed.get(&number)?)));
        ever.filter(|(_, packed)| packed.held != Held::Deleted)
    }

    /// Puts a webhook in the place of the one of its number.
    pub fn put(&mut self, webhook: Webhook) {
        let number = webhook.number();
        self.of_accounts.insert((webhook.account, number));
        self.packed.insert(number, Packed::of(&webhook));
        if self.unpacked.remove(&number).is_some() {
            self.unpacked.insert(number, Arc::new(webhook));
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, number: WebhookNumber) {
        if let Some(packed) = self.packed.remove(&number) {
            self.of_accounts.remove(&(packed.account, number));
        }
        self.unpacked.remove(&number);
    }

    /// A look at each keeps none of them unpacked.
    fn seen(&self, number: WebhookNumber, packed: &Packed) -> Arc<Webhook> {
        self.unpacked.peek(&number).unwrap_or_else(|| Arc::new(packed.unpack()))
    }
}

#[cfg(test)]
mod tests;
