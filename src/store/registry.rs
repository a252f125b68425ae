//! What the store holds in memory: accounts, keys and webhooks, a few hundred bytes each ([`Roll`]), the event types that accounts have
//! written down and their users, which are bounded by account, and the ids of running jobs, never anything that grows with events. It mirrors the disk; only the commit thread changes it, while it
//! stages what it then writes. If that write fails, the store is opened again and all of this is read anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Bound, Range};
use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::audience::Audience;
use super::changes::{Changed, Changes, Version};
use super::own_types::{KnownType, OwnTypes};
use super::people::People;
use super::roll::Roll;
use super::uids::Uids;
use crate::domain::account::{Account, ApiKey};
use crate::domain::condition::{Condition, Node};
use crate::domain::id::{AccountNumber, JobId, KeyId, WebhookId, WebhookNumber};
use crate::domain::job::Job;
use crate::domain::order::KeyPath;
use crate::domain::webhook::{Ownership, Webhook};

/// The SHA-256 of a key's text.
pub type KeyHash = [u8; 32];

/// The part of a hash by which keys are looked up. How long that takes may tell about these bytes; whether the rest fits
/// takes the same time whatever it is.
type KeyPrefix = [u8; 4];

/// Accounts, keys and webhooks by every way they are looked up.
#[derive(Debug, Default)]
pub struct Registry {
    accounts: BTreeMap<AccountNumber, Arc<Account>>,
    account_numbers: HashMap<String, AccountNumber>,
    /// The ids of those that were deleted, while something of them is left.
    leaving: HashMap<String, AccountNumber>,
    keys: HashMap<KeyPrefix, Vec<(KeyHash, Arc<ApiKey>)>>,
    webhooks: Roll,
    audiences: HashMap<(AccountNumber, Mode), Audience>,
    uids: Uids,
    /// Of those webhooks that have one.
    conditions: HashMap<WebhookNumber, Arc<Condition>>,
    changes: Changes,
    /// How many webhooks of each dialect an account has.
    dialects: HashMap<AccountNumber, BTreeMap<String, usize>>,
    /// How many webhooks of an account have a shape of their own.
    shaped: BTreeMap<AccountNumber, usize>,
    /// How many webhooks of an account are ordered by the value at each path.
    order_paths: HashMap<AccountNumber, BTreeMap<KeyPath, usize>>,
    /// How many webhooks of an account hear notices.
    hearers: BTreeMap<AccountNumber, usize>,
    /// How many webhooks there are of each status, by its word.
    statuses: BTreeMap<&'static str, usize>,
    /// The jobs that go on.
    running: BTreeSet<(AccountNumber, JobId)>,
    event_types: OwnTypes,
    people: People,
}

/// What kind of events a webhook hears: no other ever gets to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// What is published.
    Events,
    /// What is published as a test.
    Tests,
    /// What the server has to say.
    Notices,
}

impl Mode {
    /// That of an event that is published, as a test or not.
    pub fn of(test: bool) -> Self {
        if test { Self::Tests } else { Self::Events }
    }

    /// That of a webhook.
    pub fn of_webhook(webhook: &Webhook) -> Self {
        if webhook.notices.is_some() { Self::Notices } else { Self::of(webhook.test_mode) }
    }
}

/// What is asked for in an event: its type, its channels, and who hears events of its kind.
type Asked<'a> = (&'a str, &'a [String], Mode);

/// What must be known to say who wants an event.
#[derive(Debug, Default)]
pub struct Question {
    /// Those that want it whatever it says, ascending.
    pub sure: Vec<WebhookNumber>,
    /// Those that want it if their condition holds, ascending.
    pub asked: Vec<(WebhookNumber, Arc<Condition>)>,
}

impl Registry {
    /// The account of this number, also if it was deleted and something of it is left.
    pub fn account(&self, number: AccountNumber) -> Option<&Arc<Account>> {
        self.accounts.get(&number)
    }
    /// The account of this id.
    pub fn account_by_id(&self, id: &str) -> Option<&Arc<Account>> {
        self.account_numbers.get(id).and_then(|number| self.accounts.get(number))
    }
    /// All accounts, the oldest first, without deleted ones.
    pub fn accounts(&self) -> impl DoubleEndedIterator<Item = &Arc<Account>> {
        self.accounts.values().filter(|account| account.deleted_at.is_none())
    }
    /// The accounts behind that number, the oldest first, without deleted ones.
    pub(super) fn accounts_after(&self, number: AccountNumber) -> impl Iterator<Item = &Arc<Account>> {
        let behind = self.accounts.range((Bound::Excluded(number), Bound::Unbounded));
        behind.map(|(_, account)| account).filter(|account| account.deleted_at.is_none())
    }
    /// How many accounts there are with this tag, if one is asked for, without the operator's.
    pub fn accounts_to_reach(&self, operator: AccountNumber, tag: Option<&str>) -> usize {
        self.accounts().filter(|account| account.number != operator && account.is_tagged(tag)).count()
    }
    /// Whether there is the account of this number, and nobody has deleted it.
    pub fn is_served(&self, number: AccountNumber) -> bool {
        self.accounts.get(&number).is_some_and(|account| account.deleted_at.is_none())
    }
    /// Whether the account of this number was deleted, and something of it is left.
    pub fn is_deleted(&self, number: AccountNumber) -> bool {
        self.accounts.get(&number).is_some_and(|account| account.deleted_at.is_some())
    }
    /// Whether something is left of an account of this id that was deleted.
    pub fn is_leaving(&self, id: &str) -> bool {
        self.leaving.contains_key(id)
    }
    /// The key of this hash, found in a time that tells nothing of how near others come.
    pub fn key(&self, hash: &KeyHash) -> Option<&Arc<ApiKey>> {
        let alike = self.keys.get(&key_prefix(hash)).into_iter().flatten();
        alike.fold(None, |found, (known, key)| if bool::from(known.ct_eq(hash)) { Some(key) } else { found })
    }
    /// The keys of an account, the oldest first.
    pub fn keys_of(&self, account: AccountNumber) -> Vec<Arc<ApiKey>> {
        let all = self.keys.values().flatten().map(|(_, key)| key);
        let mut keys: Vec<_> = all.filter(|key| key.account == account).cloned().collect();
        keys.sort_by_key(|key| key.id);
        keys
    }
    /// Whether the account has a key of this id.
    pub fn has_key(&self, account: AccountNumber, id: KeyId) -> bool {
        self.hash_of_key(account, id).is_some()
    }
    /// How many keys the account has.
    pub fn count_of_keys(&self, account: AccountNumber) -> usize {
        self.keys.values().flatten().filter(|(_, key)| key.account == account).count()
    }
    /// Where the account's key of this id is stored.
    pub(super) fn hash_of_key(&self, account: AccountNumber, id: KeyId) -> Option<KeyHash> {
        self.keys.values().flatten().find(|(_, key)| key.id == id && key.account == account).map(|(hash, _)| *hash)
    }
    /// Where so many of the account's keys are stored.
    pub(super) fn hashes_of_keys(&self, account: AccountNumber, limit: usize) -> Vec<KeyHash> {
        let own = self.keys.values().flatten().filter(|(_, key)| key.account == account);
        own.map(|(hash, _)| *hash).take(limit).collect()
    }
    /// Whether there is any key at all.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }
    /// The webhook of this number, even if it was deleted.
    pub fn webhook(&self, number: WebhookNumber) -> Option<Arc<Webhook>> {
        self.webhooks.get(number)
    }
    /// Whether there is the webhook of this number, and nobody has deleted it.
    pub fn has_webhook(&self, number: WebhookNumber) -> bool {
        self.webhooks.is_there(number)
    }
    /// Whose webhook this is, even if it was deleted; `None` once it is forgotten.
    pub fn account_of_webhook(&self, number: WebhookNumber) -> Option<AccountNumber> {
        self.webhooks.account_of(number)
    }
    /// Whether the deliveries of this webhook go out in an order.
    pub(super) fn has_order(&self, number: WebhookNumber) -> bool {
        self.webhooks.has_order(number)
    }
    /// The webhook of this id in this account, unless it was deleted.
    pub fn webhook_of(&self, account: AccountNumber, id: WebhookId) -> Option<Arc<Webhook>> {
        let webhook = self.webhook(id.number())?;
        (webhook.id == id && webhook.account == account && !webhook.is_deleted()).then_some(webhook)
    }
    /// The webhook to which this account has given this id of its own, unless it was deleted.
    pub fn webhook_of_uid(&self, account: AccountNumber, uid: &str) -> Option<Arc<Webhook>> {
        self.webhook(self.uids.find(account, uid)?)
    }
    /// All webhooks, the oldest first, deleted ones included.
    pub fn webhooks(&self) -> impl DoubleEndedIterator<Item = Arc<Webhook>> {
        self.webhooks.all()
    }
    /// The numbers of all webhooks, ascending, without deleted ones.
    pub fn webhook_numbers(&self) -> impl Iterator<Item = WebhookNumber> {
        self.webhooks.numbers()
    }
    /// Those that are neither active nor deleted, from that number on, the oldest first.
    pub fn held_webhooks_from(&self, number: WebhookNumber) -> impl Iterator<Item = Arc<Webhook>> {
        self.webhooks.held_from(number)
    }
    /// Those that were deleted and are not forgotten, from that number on, the oldest first.
    pub fn deleted_webhooks_from(&self, number: WebhookNumber) -> impl Iterator<Item = WebhookNumber> {
        self.webhooks.deleted_from(number)
    }
    /// The webhooks of an account, the oldest first, without deleted ones. Each is unpacked as it is come to.
    pub fn webhooks_of(&self, account: AccountNumber) -> impl DoubleEndedIterator<Item = Arc<Webhook>> {
        self.webhooks.of(account, 0)
    }
    /// The same from that number on.
    pub fn webhooks_of_from(
        &self,
        account: AccountNumber,
        number: WebhookNumber,
    ) -> impl DoubleEndedIterator<Item = Arc<Webhook>> {
        self.webhooks.of(account, number)
    }
    /// Those of an account that are active, or those that are not, the oldest first.
    pub fn webhooks_of_kind(
        &self,
        account: AccountNumber,
        active: bool,
    ) -> impl DoubleEndedIterator<Item = Arc<Webhook>> {
        self.webhooks.of_kind(account, active)
    }
    /// Their ids.
    pub fn webhook_ids_of(&self, account: AccountNumber) -> impl DoubleEndedIterator<Item = WebhookId> {
        self.webhooks.ids_of(account, 0)
    }
    /// The ids of so many of the account's webhooks within that window, the oldest first, without deleted ones.
    pub(super) fn webhook_ids(&self, account: AccountNumber, window: Range<u128>, limit: usize) -> Vec<u128> {
        // Ids and numbers are given together, and both only grow: behind a webhook that is known, its number is enough.
        let last = window.start.checked_sub(1).map(WebhookId);
        let known = last.filter(|last| self.webhooks.id_of(last.number()) == Some(*last));
        let from = known.map_or(0, WebhookId::number);
        let ids = self.webhooks.ids_of(account, from).map(|id| id.0);
        ids.filter(|id| window.contains(id)).take(limit).collect()
    }
    /// The webhooks of an account, deleted ones included.
    pub fn webhooks_ever_of(&self, account: AccountNumber) -> impl Iterator<Item = WebhookNumber> {
        self.webhooks.ever_of(account, 0)
    }
    /// The same from that number on.
    pub(super) fn webhooks_ever_of_from(
        &self,
        account: AccountNumber,
        number: WebhookNumber,
    ) -> impl Iterator<Item = WebhookNumber> {
        self.webhooks.ever_of(account, number)
    }
    /// How many webhooks have this status, by its word; deleted ones have none.
    pub fn count_of_status(&self, word: &str) -> usize {
        self.statuses.get(word).copied().unwrap_or(0)
    }
    /// How many webhooks of this dialect the account has.
    pub fn count_of_dialect(&self, account: AccountNumber, dialect: &str) -> usize {
        self.dialects.get(&account).and_then(|dialects| dialects.get(dialect)).copied().unwrap_or(0)
    }
    /// How many webhooks the account has.
    pub fn count_of_webhooks(&self, account: AccountNumber) -> usize {
        self.dialects.get(&account).map_or(0, |dialects| dialects.values().sum())
    }
    /// How many webhooks of the account hear notices.
    pub fn count_of_hearers(&self, account: AccountNumber) -> usize {
        self.hearers.get(&account).copied().unwrap_or(0)
    }
    /// The paths of the order keys of the account's webhooks.
    pub fn order_paths(&self, account: AccountNumber) -> impl Iterator<Item = &KeyPath> {
        self.order_paths.get(&account).into_iter().flat_map(BTreeMap::keys)
    }
    /// The dialects of the account's webhooks.
    pub fn dialects_of(&self, account: AccountNumber) -> impl Iterator<Item = &str> {
        self.dialects.get(&account).into_iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// Whether webhooks of the account have shapes of their own.
    pub fn has_shapes(&self, account: AccountNumber) -> bool {
        self.shaped.contains_key(&account)
    }

    /// The dialects of all accounts, and of all webhooks of which anything is kept.
    pub fn dialects_in_use(&self) -> BTreeSet<String> {
        let of_accounts = self.accounts.values().map(|account| &account.dialect);
        let of_webhooks = self.dialects.values().flat_map(BTreeMap::keys);
        let mut names: BTreeSet<String> = of_accounts.chain(of_webhooks).cloned().collect();
        let deleted = self.webhooks.deleted_from(0).filter_map(|number| self.webhooks.get(number));
        names.extend(deleted.map(|webhook| webhook.dialect.clone()));
        names
    }

    /// The account's own event type of this name.
    pub fn event_type(&self, account: AccountNumber, name: &str) -> Option<&Arc<KnownType>> {
        self.event_types.of(account)?.get(name)
    }
    /// The account's own event types, by name.
    pub fn event_types_of(&self, account: AccountNumber) -> impl ExactSizeIterator<Item = &Arc<KnownType>> + Clone {
        self.event_types.of_all(account)
    }
    /// Gives the one of before, which is to be dropped once this is not held any more.
    pub(super) fn put_event_type(&mut self, account: AccountNumber, known: KnownType) -> Option<Arc<KnownType>> {
        self.event_types.put(account, known)
    }
    /// The same.
    pub(super) fn remove_event_type(&mut self, account: AccountNumber, name: &str) -> Option<Arc<KnownType>> {
        self.event_types.remove(account, name)
    }

    /// The users.
    pub fn people(&self) -> &People {
        &self.people
    }
    pub(super) fn people_mut(&mut self) -> &mut People {
        &mut self.people
    }

    /// Who of the account wants an event, a test event or another; none if conditions are to be asked and the event is not
    /// given. Those that are paused or disabled are among them: what they missed goes out when they are enabled. Those
    /// whose endpoint never passed the ownership check are not.
    pub(super) fn question(
        &self,
        account: AccountNumber,
        (event_type, channels, mode): Asked<'_>,
        event: Option<&Node<'_>>,
    ) -> Option<Question> {
        let Some(audience) = self.audiences.get(&(account, mode)) else { return Some(Question::default()) };
        let asked = match event {
            _ if !audience.has_conditions(event_type, channels) => Vec::new(),
            None => return None,
            Some(event) => audience.to_be_asked(event_type, channels, event),
        };
        let asked = asked.into_iter().filter_map(|number| Some((number, self.condition(number)?.clone()))).collect();
        Some(Question { sure: audience.sure(event_type, channels), asked })
    }

    /// Whether a webhook of the account wants such events at all.
    pub(super) fn any_wants(&self, account: AccountNumber, (event_type, channels, mode): Asked<'_>) -> bool {
        self.audiences.get(&(account, mode)).is_some_and(|audience| audience.any(event_type, channels))
    }

    /// The webhook's condition.
    pub(super) fn condition(&self, number: WebhookNumber) -> Option<&Arc<Condition>> {
        self.conditions.get(&number)
    }

    /// What is known of who wants what.
    pub(super) fn version(&self) -> Version {
        self.changes.version()
    }

    /// The webhooks of the account that want something else since then. Without those that are forgotten altogether: if
    /// there is an answer at all, who asks must also look whether each is still there.
    pub(super) fn changed_since(&self, account: AccountNumber, then: Version) -> Option<Vec<WebhookNumber>> {
        self.changes.since(account, then).map(|changed| match changed {
            Changed::These(webhooks) => webhooks,
            Changed::Any => self.webhooks.ever_of(account, 0).collect(),
        })
    }

    /// This registry was read anew: whatever was known by that one may have changed.
    pub(super) fn follow(&mut self, before: &Registry) {
        self.changes.follow(&before.changes);
    }

    /// How many jobs of the account go on.
    pub fn running_jobs(&self, account: AccountNumber) -> usize {
        self.running.range((account, JobId(0))..=(account, JobId(u128::MAX))).count()
    }

    /// How many jobs of all accounts do.
    pub(super) fn all_running_jobs(&self) -> usize {
        self.running.len()
    }

    /// The running job that comes after this one, round and round.
    pub(super) fn next_job(&self, last: Option<(AccountNumber, JobId)>) -> Option<(AccountNumber, JobId)> {
        let after = last.map(|last| self.running.range((Bound::Excluded(last), Bound::Unbounded)));
        after.and_then(|mut after| after.next()).or(self.running.first()).copied()
    }

    pub(super) fn put_job(&mut self, job: &Job) {
        let key = (job.bulk.account, job.id);
        if job.is_running() {
            self.running.insert(key);
        } else {
            self.running.remove(&key);
        }
    }

    /// A job whose record is lost goes on no more.
    pub(super) fn forget_job(&mut self, account: AccountNumber, id: u128) {
        self.running.remove(&(account, JobId(id)));
    }

    pub(super) fn put_account(&mut self, account: Account) {
        let (of, others) = match account.deleted_at {
            None => (&mut self.account_numbers, &mut self.leaving),
            Some(_) => (&mut self.leaving, &mut self.account_numbers),
        };
        of.insert(account.id.clone(), account.number);
        if others.get(&account.id) == Some(&account.number) {
            others.remove(&account.id);
        }
        self.accounts.insert(account.number, Arc::new(account));
    }

    /// Gives its event types, which are to be dropped once this is not held any more.
    pub(super) fn remove_account(&mut self, number: AccountNumber) -> BTreeMap<String, Arc<KnownType>> {
        let Some(account) = self.accounts.remove(&number) else { return BTreeMap::new() };
        for ids in [&mut self.account_numbers, &mut self.leaving] {
            if ids.get(&account.id) == Some(&number) {
                ids.remove(&account.id);
            }
        }
        self.dialects.remove(&number);
        self.shaped.remove(&number);
        self.order_paths.remove(&number);
        self.hearers.remove(&number);
        self.audiences.retain(|(of, _), _| *of != number);
        self.people.forget(number);
        self.event_types.forget(number)
    }

    pub(super) fn put_key(&mut self, hash: KeyHash, key: ApiKey) {
        let alike = self.keys.entry(key_prefix(&hash)).or_default();
        alike.retain(|(known, _)| *known != hash);
        alike.push((hash, Arc::new(key)));
    }

    pub(super) fn remove_key(&mut self, hash: &KeyHash) {
        if let Some(alike) = self.keys.get_mut(&key_prefix(hash)) {
            alike.retain(|(known, _)| known != hash);
            if alike.is_empty() {
                self.keys.remove(&key_prefix(hash));
            }
        }
    }

    pub(super) fn put_webhook(&mut self, webhook: Webhook) {
        let number = webhook.number();
        let old = self.webhooks.get(number);
        if old.as_ref().is_none_or(|old| !wants_alike(old, &webhook)) {
            old.iter().filter(|old| !old.is_deleted()).for_each(|old| self.forget_wants(old));
            if !webhook.is_deleted() {
                self.learn_wants(&webhook);
            }
            self.changes.note(webhook.account, number);
        }
        old.iter().filter(|old| !old.is_deleted()).for_each(|old| self.disown(old));
        if !webhook.is_deleted() {
            self.own(&webhook);
        }
        self.webhooks.put(webhook);
    }

    pub(super) fn remove_webhook(&mut self, number: WebhookNumber) {
        let Some(old) = self.webhooks.get(number) else { return };
        if !old.is_deleted() {
            self.forget_wants(&old);
            self.disown(&old);
        }
        self.webhooks.remove(number);
        self.changes.forget(old.account, number);
    }

    fn own(&mut self, webhook: &Webhook) {
        self.uids.learn(webhook);
        *self.statuses.entry(webhook.status_word()).or_default() += 1;
        *self.dialects.entry(webhook.account).or_default().entry(webhook.dialect.clone()).or_default() += 1;
        if webhook.shape.is_some() {
            *self.shaped.entry(webhook.account).or_default() += 1;
        }
        if webhook.notices.is_some() {
            *self.hearers.entry(webhook.account).or_default() += 1;
        }
        if let Some(path) = order_path(webhook) {
            *self.order_paths.entry(webhook.account).or_default().entry(path.clone()).or_default() += 1;
        }
    }

    fn disown(&mut self, webhook: &Webhook) {
        self.uids.forget(webhook);
        one_less(&mut self.statuses, &webhook.status_word());
        one_less(self.dialects.entry(webhook.account).or_default(), &webhook.dialect);
        if webhook.shape.is_some() {
            one_less(&mut self.shaped, &webhook.account);
        }
        if webhook.notices.is_some() {
            one_less(&mut self.hearers, &webhook.account);
        }
        if let Some(path) = order_path(webhook) {
            one_less(self.order_paths.entry(webhook.account).or_default(), path);
        }
    }

    /// A condition that an earlier build took and this one does not would lose events if it held for none: it holds for
    /// all.
    fn learn_wants(&mut self, webhook: &Webhook) {
        let number = webhook.number();
        match webhook.condition.as_deref().map(Condition::parse) {
            Some(Ok(condition)) => drop(self.conditions.insert(number, Arc::new(condition))),
            Some(Err(invalid)) => tracing::error!(webhook = %webhook.id, %invalid, "it gets every event"),
            None => {}
        }
        if !matches!(webhook.ownership, Ownership::Never { .. }) {
            let audience = self.audiences.entry((webhook.account, Mode::of_webhook(webhook))).or_default();
            audience.learn(webhook, self.conditions.get(&number).map(Arc::as_ref));
        }
    }

    fn forget_wants(&mut self, webhook: &Webhook) {
        let condition = self.conditions.remove(&webhook.number());
        if let Some(audience) = self.audiences.get_mut(&(webhook.account, Mode::of_webhook(webhook))) {
            audience.forget(webhook, condition.as_deref());
        }
    }
}

/// Whether both want the same events, in the same order.
fn wants_alike(one: &Webhook, other: &Webhook) -> bool {
    let never = |webhook: &Webhook| matches!(webhook.ownership, Ownership::Never { .. });
    let of = |webhook: &Webhook| (webhook.account, Mode::of_webhook(webhook), webhook.is_deleted(), never(webhook));
    of(one) == of(other)
        && (&one.events, &one.channels, &one.condition) == (&other.events, &other.channels, &other.condition)
        && order_path(one) == order_path(other)
}

fn order_path(webhook: &Webhook) -> Option<&KeyPath> {
    webhook.order.as_ref().and_then(|order| order.key.as_ref())
}

fn one_less<K: Ord>(counts: &mut BTreeMap<K, usize>, of: &K) {
    match counts.get_mut(of) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(counts.remove(of)),
    }
}

fn key_prefix(hash: &KeyHash) -> KeyPrefix {
    *hash.first_chunk().expect("a hash is longer")
}

#[cfg(test)]
mod tests;
