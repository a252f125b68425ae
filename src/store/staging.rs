//! One group in the making: reads see what the group has staged so far, writes are collected for one transaction. What
//! it can do stands in `accept`, `settle` and `manage`; every verb there checks first and stages then, so a refused
//! request leaves nothing behind.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::carried::{Carried, Counted, Finished};
use super::error::{Refusal, StoreError};
use super::event_rows::{self, EventHead};
use super::foreseen::Foreseen;
use super::keeping::{Moment, Stood};
use super::key_mark::KeyMark;
use super::layout::{self, Key, Tree};
use super::message::Notice;
use super::registry::Registry;
use super::seal::{self, MasterKeys, SEALED, Seals};
use super::sums::Sums;
use super::trees::late::LATE;
use super::trees::{Trees, Writes};
use super::{attempts, record, rows};
use crate::domain::Invalid;
use crate::domain::audit::Actor;
use crate::domain::delivery::{Attempt, Delivery, SealedAttempt};
use crate::domain::event::Event;
use crate::domain::happening::Happening;
use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookNumber};
use crate::domain::secret::DataKey;
use crate::domain::stats::Series;
use crate::domain::tally::{Tally, Totals};
use crate::domain::time::UnixMs;

/// A group in the making.
pub struct Staging<'a> {
    trees: &'a Trees,
    registry: &'a RwLock<Registry>,
    seals: &'a Seals,
    foreseen: &'a Arc<Foreseen>,
    pub(super) carried: &'a mut Carried,
    moment: Moment,
    staged: BTreeMap<(Tree, Key), Option<Vec<u8>>>,
    tallied: Vec<WebhookNumber>,
    pub(super) accounts_tallied: Vec<AccountNumber>,
    pub(super) finished: Vec<Finished>,
    pub(super) notice: Notice,
    /// Rows of this group that are written late.
    pub(super) late: HashSet<Key>,
    /// Where the floor of those stands after this group, if it moves.
    pub(super) floor: Option<(u128, UnixMs)>,
    /// What happened in it, if anybody watches.
    pub(super) happened: Option<Vec<Happening>>,
    /// Deliveries of accepted events that this group makes.
    pub(super) laid_out: usize,
    /// Steps that jobs spend on reading events, and on asking conditions of them.
    pub(super) steps: Cell<u64>,
    /// Notices that an account was told one by one in this group.
    pub(super) told: BTreeMap<AccountNumber, usize>,
    sums: Sums,
    kept_changes: KeptChanges,
}

/// By how many bytes what is kept of each account changes.
pub type KeptChanges = BTreeMap<AccountNumber, i64>;

impl<'a> Staging<'a> {
    pub(super) fn new(
        trees: &'a Trees,
        registry: &'a RwLock<Registry>,
        seals: &'a Seals,
        foreseen: &'a Arc<Foreseen>,
        carried: &'a mut Carried,
        moment: Moment,
    ) -> Self {
        Self {
            trees,
            registry,
            seals,
            foreseen,
            sums: carried.sums,
            kept_changes: KeptChanges::new(),
            carried,
            moment,
            staged: BTreeMap::new(),
            tallied: Vec::new(),
            accounts_tallied: Vec::new(),
            finished: Vec::new(),
            notice: Notice::default(),
            late: HashSet::new(),
            floor: None,
            happened: None,
            laid_out: 0,
            steps: Cell::new(0),
            told: BTreeMap::new(),
        }
    }

    /// The time of this group.
    pub fn now(&self) -> UnixMs {
        self.moment.now
    }

    /// The same by the keeping clock: what age is told by.
    pub(super) fn keeping(&self) -> UnixMs {
        self.moment.keeping.at
    }

    /// The same as the wall clock shows it.
    pub(super) fn shown_now(&self) -> UnixMs {
        self.moment.shown
    }

    /// Writes where the keeping clock stands.
    pub(super) fn put_keeping(&mut self) {
        let stands = self.moment.keeping;
        self.put(Tree::Meta, layout::META_KEEPING.to_vec(), &stands);
    }

    /// It was set.
    pub(super) fn keeping_is(&mut self, stands: Stood) {
        self.moment.keeping = stands;
        self.put_keeping();
    }

    /// What is held in memory, changes of this group included.
    pub fn registry(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read().expect("not poisoned")
    }

    /// The same, to be changed together with what is staged.
    pub(super) fn registry_mut(&self) -> RwLockWriteGuard<'_, Registry> {
        self.registry.write().expect("not poisoned")
    }

    /// The registry, for who must not hold it all the time.
    pub(super) fn registry_lock(&self) -> &'a RwLock<Registry> {
        self.registry
    }

    /// What jobs ask on another thread.
    pub(super) fn foreseen(&self) -> &'a Arc<Foreseen> {
        self.foreseen
    }

    /// Bytes of events, ended deliveries and attempts that are kept, changes of this group included.
    pub(super) fn kept(&self) -> u64 {
        self.sums.kept.total()
    }

    /// An event of the account was put there, in so many bytes.
    pub(super) fn event_bytes_come(&mut self, account: AccountNumber, bytes: usize) {
        self.sums.kept.events += bytes as u64;
        self.account_tally(account).event_bytes += bytes as u64;
        self.kept_change(account, bytes as i64);
    }

    /// An event was removed.
    pub(super) fn event_bytes_gone(&mut self, account: AccountNumber, bytes: usize) {
        self.sums.kept.events = self.sums.kept.events.saturating_sub(bytes as u64);
        let tally = self.account_tally(account);
        tally.event_bytes = tally.event_bytes.saturating_sub(bytes as u64);
        self.kept_change(account, -(bytes as i64));
    }

    /// An ended delivery of the webhook, or an attempt, was put there.
    pub(super) fn delivery_bytes_come(&mut self, webhook: WebhookNumber, bytes: usize) {
        self.sums.kept.deliveries += bytes as u64;
        self.tally(webhook).bytes += bytes as u64;
        self.kept_of_webhook_changes(webhook, bytes as i64);
    }

    /// An ended delivery of the webhook was removed, with its attempts.
    pub(super) fn delivery_bytes_gone(&mut self, webhook: WebhookNumber, bytes: usize) {
        self.sums.kept.deliveries = self.sums.kept.deliveries.saturating_sub(bytes as u64);
        let tally = self.tally(webhook);
        tally.bytes = tally.bytes.saturating_sub(bytes as u64);
        self.kept_of_webhook_changes(webhook, -(bytes as i64));
    }

    fn kept_of_webhook_changes(&mut self, webhook: WebhookNumber, change: i64) {
        let account = self.registry().account_of_webhook(webhook);
        account.into_iter().for_each(|account| self.kept_change(account, change));
    }

    fn kept_change(&mut self, account: AccountNumber, change: i64) {
        *self.kept_changes.entry(account).or_default() += change;
    }

    /// Bytes that are kept of an account, changes of this group included.
    pub(super) fn kept_of(&self, account: AccountNumber) -> u64 {
        let change = self.kept_changes.get(&account).copied().unwrap_or_default();
        self.carried.kept_by.of_account(account).saturating_add_signed(change)
    }

    /// Who keeps most, changes of this group included, of those accounts that may be.
    pub(super) fn keeps_most(&self, may_be: impl Fn(AccountNumber) -> bool) -> Option<(u64, AccountNumber)> {
        let (before, changes) = (&self.carried.kept_by, &self.kept_changes);
        let now = |account: &AccountNumber| (self.kept_of(*account), *account);
        let changed = changes.keys().map(now).filter(|(_, account)| may_be(*account)).max();
        let others = before.largest().find(|(_, account)| !changes.contains_key(account) && may_be(*account));
        changed.max(others)
    }

    /// What each account may keep if all keep so much together, as it was before this group.
    pub(super) fn share_of(&self, bound: u64) -> u64 {
        self.carried.kept_by.share(bound)
    }

    /// The writes, what to tell about them, the sums then, and by how much what is kept of each account changes.
    pub(super) fn finish(mut self) -> (Writes, Notice, Sums, KeptChanges) {
        self.tallied.sort_unstable();
        self.tallied.dedup();
        for number in std::mem::take(&mut self.tallied) {
            let counted = self.carried.tallies.webhooks.get_mut(&number).expect("what was counted is held");
            let (before, now) = (counted.in_sums, Totals::of(&counted.tally));
            counted.in_sums = now;
            self.sums.totals.change(before, now);
            let tally = record::encode(&counted.tally);
            self.stage(Tree::Tallies, layout::number(number).to_vec(), Some(tally));
        }
        self.put_account_tallies();
        // Each group has it: the trees add the group's number to it, and what belongs to that.
        if !self.staged.is_empty() {
            if !self.is_staged(Tree::Meta, layout::META_LATE) {
                self.look_at_late();
            }
            let last = (self.carried.ids.last().to_be_bytes(), self.sums.kept.events.to_be_bytes());
            self.stage(Tree::Meta, layout::META_LAST_ID.to_vec(), Some([last.0.as_slice(), &last.1].concat()));
        }
        let mut writes = Writes::default();
        writes.late.floor = self.floor;
        for ((tree, key), value) in std::mem::take(&mut self.staged) {
            match tree {
                LATE => self.write_late(&mut writes, key, value),
                tree => writes.push(tree, key, value),
            }
        }
        writes.late.come.sort_unstable_by_key(|(key, _)| layout::read_id(key));
        (writes, self.notice, self.sums, self.kept_changes)
    }

    pub(super) fn event(&self, account: AccountNumber, id: EventId) -> Result<Option<Event>, StoreError> {
        event_rows::event_by(&|tree, key| self.get(tree, key), account, id)
    }

    /// What is said of an event without reading its body.
    pub(super) fn event_head(&self, account: AccountNumber, id: EventId) -> Result<Option<EventHead>, StoreError> {
        let key = layout::event(account, id);
        let stored = self.get(Tree::Events, &key)?;
        stored.map(|stored| event_rows::event_head_by(&|tree, key| self.get(tree, key), &key, &stored)).transpose()
    }

    pub(super) fn event_head_named(&self, account: AccountNumber, name: &str) -> Result<Option<EventHead>, StoreError> {
        let key = layout::name(account, name);
        match self.get(Tree::Names, &key)? {
            Some(id) => self.event_head(account, rows::read_name(&key, &id)?),
            None => Ok(None),
        }
    }

    pub(super) fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        rows::delivery_by(&|tree, key| self.get(tree, key), id)
    }

    pub(super) fn load<T: DeserializeOwned>(&self, tree: Tree, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.get(tree, key)?.map(|bytes| record::read(tree, key, &bytes)).transpose()
    }

    /// As [`Staging::load`], of a noun that grows at its end.
    pub(super) fn load_grown<T: DeserializeOwned>(&self, tree: Tree, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.get(tree, key)?.map(|bytes| record::read_grown(tree, key, &bytes)).transpose()
    }

    pub(super) fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        // The map's key is owned; a group of outcomes and accepts seldom reads what it wrote, so the copy is cheap.
        match self.staged.get(&(tree, key.to_vec())) {
            Some(staged) => Ok(staged.as_ref().map(|value| sled::IVec::from(value.as_slice()))),
            None => self.trees.get(tree, key),
        }
    }

    /// What all rows added up to before this group.
    pub(super) fn sums_before(&self) -> Sums {
        self.carried.sums
    }

    /// The master keys in force.
    pub(super) fn master_keys(&self) -> Arc<MasterKeys> {
        self.seals.keys()
    }

    /// How many keys this group writes or removes by now.
    pub(super) fn keys(&self) -> usize {
        self.staged.len()
    }

    /// Whether this group writes or removes the row.
    pub(super) fn is_staged(&self, tree: Tree, key: &[u8]) -> bool {
        self.staged.contains_key(&(tree, key.to_vec()))
    }

    /// Whether this group writes the row.
    pub(super) fn is_put(&self, tree: Tree, key: &[u8]) -> bool {
        self.staged.get(&(tree, key.to_vec())).is_some_and(Option::is_some)
    }

    /// Bytes of a row, key and value, as they were counted when it was put there; 0 if there is none.
    pub(super) fn bytes_at(&self, tree: Tree, key: &[u8]) -> Result<usize, StoreError> {
        match self.staged.get(&(tree, key.to_vec())) {
            Some(staged) => Ok(staged.as_ref().map_or(0, |value| key.len() + value.len())),
            None => Ok(self.trees.bytes_at(tree, key)?),
        }
    }

    /// Whether there is a row, readable or not.
    pub(super) fn is_there(&self, tree: Tree, key: &[u8]) -> Result<bool, StoreError> {
        match self.staged.get(&(tree, key.to_vec())) {
            Some(staged) => Ok(staged.is_some()),
            None => Ok(self.trees.get_stored(tree, key)?.is_some()),
        }
    }

    pub(super) fn trees(&self) -> &'a Trees {
        self.trees
    }

    pub(super) fn stage(&mut self, tree: Tree, key: Key, value: Option<Vec<u8>>) {
        self.staged.insert((tree, key), value);
    }

    /// Gives the bytes that key and value have.
    pub(super) fn put<T: Serialize>(&mut self, tree: Tree, key: Key, value: &T) -> usize {
        let value = record::encode(value);
        let bytes = key.len() + value.len();
        self.stage(tree, key, Some(value));
        bytes
    }

    /// As `put`, for a record that holds secrets.
    pub(super) fn seal<T: Serialize>(&mut self, tree: Tree, key: Key, value: &T) {
        let sealed = self.seals.keys().seal(tree, &key, value, &mut self.carried.dice);
        self.stage(tree, key, Some(sealed));
    }

    /// Seals what was sent in an attempt with its webhook's own key.
    pub(super) fn seal_attempt(&mut self, id: DeliveryId, attempt: &Attempt) -> SealedAttempt {
        let webhook = self.registry().webhook(id.webhook());
        let key = webhook.as_ref().and_then(|webhook| webhook.attempts_key.as_ref());
        attempts::seal(key, id, attempt, &mut self.carried.dice)
    }

    /// A new key for a webhook's attempts.
    pub(super) fn new_key(&mut self) -> DataKey {
        attempts::new_key(&mut self.carried.dice)
    }

    /// Seals a record of a webhook or a user with the master key in force, whichever has sealed it.
    pub(super) fn seal_again(&mut self, tree: Tree, key: &Key) {
        if tree == Tree::Users {
            let user = self.registry().people().user(layout::read_user(key)).cloned();
            return user.into_iter().for_each(|user| self.seal(tree, key.clone(), &*user));
        }
        let webhook = self.registry().webhook(layout::read_number(key));
        webhook.into_iter().for_each(|webhook| self.seal(tree, key.clone(), &*webhook));
    }

    /// Other master keys from now on, unless one that has sealed something is not among them. It stands in the audit log
    /// of the account that exists from the start. `then`: the keys in force a moment ago, and what all of them had sealed.
    /// Since then only the one in force has; where that stays, nobody waits until all is looked at again.
    pub(super) fn change_master_keys(
        &mut self,
        keys: MasterKeys,
        (then, mut in_use): (Arc<MasterKeys>, BTreeMap<KeyMark, usize>),
        by: Actor,
    ) -> Result<(), Refusal> {
        let (now, knows) = (self.seals.keys(), |mark: &KeyMark| keys.marks().any(|known| known == *mark));
        if !Arc::ptr_eq(&now, &then) || !knows(&now.current()) {
            in_use = seal::in_use(self.trees())?;
            for tree in SEALED {
                let staged = self.staged_keys(tree, &[]).filter_map(|key| self.get(tree, key).ok().flatten());
                let marks = staged.filter_map(|sealed| KeyMark::on(&sealed));
                marks.for_each(|mark| *in_use.entry(mark).or_default() += 1);
            }
        }
        if let Some(missing) = in_use.into_keys().find(|mark| !knows(mark)) {
            let message = format!("lack the key {missing}, which has sealed secrets; put it back as a further line");
            return Err(Invalid::new("master_keys", message).into());
        }
        self.note_deed_to_server(by, "master_keys.reloaded", keys.current());
        self.seals.change(keys);
        Ok(())
    }

    /// The keys of a tree that begin so and are staged to be written in this group.
    pub(super) fn staged_keys(&self, tree: Tree, prefix: &[u8]) -> impl Iterator<Item = &Key> {
        let from = (tree, prefix.to_vec());
        let rows = self.staged.range(from..).take_while(move |((of, key), _)| *of == tree && key.starts_with(prefix));
        rows.filter(|(_, value)| value.is_some()).map(|((_, key), _)| key)
    }

    /// The keys of a tree that begin so, as they were before this group.
    pub(super) fn keys_that_begin(&self, tree: Tree, prefix: &[u8]) -> Result<Vec<Key>, StoreError> {
        self.trees().prefix(tree, prefix).keys().map(|key| Ok(key?.to_vec())).collect()
    }

    /// The same with the changes of this group: without those that it removes, and with those that it puts there.
    pub(super) fn keys_now(&self, tree: Tree, prefix: &[u8]) -> Result<Vec<Key>, StoreError> {
        let mut keys = self.keys_that_begin(tree, prefix)?;
        keys.retain(|key| !self.is_staged(tree, key));
        keys.extend(self.staged_keys(tree, prefix).cloned());
        Ok(keys)
    }

    pub(super) fn tally(&mut self, number: WebhookNumber) -> &mut Tally {
        self.tallied.push(number);
        let trees = self.trees;
        let counted = self.carried.tallies.webhooks.entry(number).or_insert_with(|| {
            // Counters that cannot be read start again from zero.
            Counted::of(trees.readable(rows::tally(trees, number)).ok().flatten().unwrap_or_default())
        });
        let tally = &mut counted.tally;
        let over = tally.minute.turn(self.moment.now);
        self.finished.extend(over.map(|minute| (Series::Webhook(number), minute)));
        tally
    }

    /// The counters of a webhook that is being forgotten are not written again.
    pub(super) fn forget_tally(&mut self, number: WebhookNumber) {
        self.tallied.retain(|tallied| *tallied != number);
        if let Some(counted) = self.carried.tallies.webhooks.remove(&number) {
            self.sums.totals.change(counted.in_sums, Totals::default());
        }
    }

    /// The same of those of an account.
    pub(super) fn forget_account_tally(&mut self, account: AccountNumber) {
        self.accounts_tallied.retain(|tallied| *tallied != account);
        self.finished.retain(|(series, _)| *series != Series::Account(account));
        self.carried.tallies.accounts.remove(&account);
    }

    pub(super) fn next_id(&mut self, number: u32) -> u128 {
        let Carried { ids, dice, .. } = &mut *self.carried;
        ids.next(self.moment.now, number, || dice.bits())
    }

    pub(super) fn next_number(&mut self, counter: &[u8]) -> Result<u32, StoreError> {
        let stored = self.get(Tree::Meta, counter).map(|bytes| bytes.map_or(0, |bytes| layout::read_number(&bytes)));
        let last = match self.trees.readable(stored)? {
            Some(last) => last,
            None => rows::greatest_number(self.trees, counter)?,
        };
        self.stage(Tree::Meta, counter.to_vec(), Some((last + 1).to_be_bytes().to_vec()));
        Ok(last + 1)
    }
}

#[cfg(test)]
mod tests;
