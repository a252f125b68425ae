//! One group in the making: reads see what the group has staged so far, writes are collected for one transaction.
//! Every verb checks first and stages then, so a refused request leaves nothing behind.

use std::collections::{BTreeMap, HashMap};
use std::sync::RwLock;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::commit::{Disable, Notice, Settled, Settlement};
use super::disk::{Disk, Writes};
use super::layout::{self, Key, Tree};
use super::record::{self, Fresh, Idempotent};
use super::registry::{KeyHash, Registry};
use super::{Refusal, StoreError, read};
use crate::clock::Dice;
use crate::domain::account::{Account, ApiKey};
use crate::domain::delivery::{Cause, Delivery, DeliveryState};
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, DeliveryId, EventId, IdSource, KeyId, WebhookId, WebhookNumber};
use crate::domain::retry::Next;
use crate::domain::tally::Tally;
use crate::domain::time::{DAY_MS, UnixMs};
use crate::domain::webhook::{Status, Webhook};

/// An event to accept, checked by `api`.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The producer's own id.
    pub name: Option<String>,
    /// For example `task.created`.
    pub event_type: String,
    /// When it happened, if the producer says so.
    pub created_at: Option<UnixMs>,
    /// JSON.
    pub data: Bytes,
    /// A JSON object.
    pub actor: Option<Bytes>,
    /// A JSON object.
    pub metadata: Option<Bytes>,
    /// A hash of all this; asked for where there is a `name`.
    pub fingerprint: Option<[u8; 32]>,
}

impl NewEvent {
    /// Bytes of its JSON.
    pub fn bytes(&self) -> usize {
        self.data.len() + self.actor.as_ref().map_or(0, Bytes::len) + self.metadata.as_ref().map_or(0, Bytes::len)
    }
}

/// An `Idempotency-Key` and what was sent with it.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// SHA-256 of the key.
    pub key: [u8; 32],
    /// A hash of the request's body.
    pub fingerprint: [u8; 32],
}

/// How long an `Idempotency-Key` is remembered.
pub const IDEMPOTENCY_MS: u64 = DAY_MS;

/// What the answer to a publish says of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub id: EventId,
    /// The producer's own id.
    pub name: Option<String>,
    /// Its type.
    pub event_type: String,
    /// When it happened.
    pub created_at: UnixMs,
    /// How many webhooks wanted it.
    pub deliveries: usize,
    /// It was accepted before.
    pub duplicate: bool,
}

impl Accepted {
    fn of(event: &Event, duplicate: bool) -> Self {
        Self {
            id: event.id,
            name: event.name.clone(),
            event_type: event.event_type.clone(),
            created_at: event.created_at,
            deliveries: event.webhooks.len(),
            duplicate,
        }
    }
}

/// A group in the making.
pub struct Staging<'a> {
    disk: &'a Disk,
    registry: &'a RwLock<Registry>,
    ids: &'a mut IdSource,
    dice: &'a mut Dice,
    tallies: &'a mut HashMap<WebhookNumber, Tally>,
    now: UnixMs,
    staged: BTreeMap<(Tree, Key), Option<Vec<u8>>>,
    tallied: Vec<WebhookNumber>,
    notice: Notice,
    gave_ids: bool,
}

impl<'a> Staging<'a> {
    pub(super) fn new(
        disk: &'a Disk,
        registry: &'a RwLock<Registry>,
        ids: &'a mut IdSource,
        dice: &'a mut Dice,
        tallies: &'a mut HashMap<WebhookNumber, Tally>,
        now: UnixMs,
    ) -> Self {
        Self {
            disk,
            registry,
            ids,
            dice,
            tallies,
            now,
            staged: BTreeMap::new(),
            tallied: Vec::new(),
            notice: Notice::default(),
            gave_ids: false,
        }
    }

    /// The time of this group.
    pub fn now(&self) -> UnixMs {
        self.now
    }

    /// What is held in memory, changes of this group included.
    pub fn registry(&self) -> std::sync::RwLockReadGuard<'_, Registry> {
        self.registry.read().expect("not poisoned")
    }

    /// The writes, and what to tell about them.
    pub(super) fn finish(mut self) -> (Writes, Notice) {
        self.tallied.sort_unstable();
        self.tallied.dedup();
        for number in std::mem::take(&mut self.tallied) {
            let tally = self.tallies[&number].clone();
            self.put(Tree::Tallies, layout::number(number).to_vec(), &tally);
        }
        if self.gave_ids {
            let last = self.ids.last().to_be_bytes().to_vec();
            self.stage(Tree::Meta, layout::META_LAST_ID.to_vec(), Some(last));
        }
        self.notice.fresh.sort_unstable();
        self.notice.fresh.dedup();
        let mut writes = Writes::default();
        for ((tree, key), value) in self.staged {
            writes.push(tree, key, value);
        }
        (writes, self.notice)
    }

    // ---- events ----

    /// Accepts events of one account, all or none.
    pub fn accept(
        &mut self,
        account: AccountNumber,
        events: Vec<NewEvent>,
        idempotency: Option<Idempotency>,
    ) -> Result<Vec<Accepted>, Refusal> {
        if let Some(before) = self.accepted_before(account, idempotency.as_ref())? {
            return Ok(before);
        }
        let known = self.known_names(account, &events)?;
        let mut accepted: Vec<Accepted> = Vec::with_capacity(events.len());
        for (event, known) in events.into_iter().zip(known) {
            accepted.push(match known {
                Known::Not => {
                    let webhooks = self.registry().wanting(account, &event.event_type);
                    Accepted::of(&self.put_event(account, event, webhooks, false), false)
                }
                Known::Stored(before) => Accepted::of(&before, true),
                Known::InBatch(index) => Accepted { duplicate: true, ..accepted[index].clone() },
            });
        }
        if let Some(Idempotency { key, fingerprint }) = idempotency {
            let events = accepted.iter().map(|one| one.id).collect();
            let record = Idempotent { at: self.now, fingerprint, events };
            self.put(Tree::Idempotency, layout::idempotency(account, &key), &record);
        }
        Ok(accepted)
    }

    /// Makes a test event for one webhook alone, and its delivery.
    pub fn accept_test(
        &mut self,
        account: AccountNumber,
        id: WebhookId,
        event: NewEvent,
    ) -> Result<(Accepted, DeliveryId), Refusal> {
        let webhook = self.webhook_of(account, id)?;
        let event = self.put_event(account, event, vec![webhook.number()], true);
        Ok((Accepted::of(&event, false), event.id.delivery_to(webhook.number())))
    }

    /// Delivers again what `id` delivered, as a new delivery linked to it.
    pub fn replay(
        &mut self,
        account: AccountNumber,
        webhook: WebhookId,
        id: DeliveryId,
    ) -> Result<DeliveryId, Refusal> {
        let webhook = self.webhook_of(account, webhook)?;
        let old = self.delivery(id)?.filter(|old| old.id.webhook() == webhook.number());
        let old = old.ok_or(Refusal::NotFound("delivery"))?;
        if self.get(Tree::Events, &layout::event(account, old.event))?.is_none() {
            return Err(Refusal::NotFound("event"));
        }
        let new = DeliveryId(self.next_id(webhook.number()));
        self.put_fresh(&Delivery::fresh(new, old.event, Cause::Replay(old.id)));
        self.stage(Tree::Replays, layout::replay(old.event, new), Some(Vec::new()));
        Ok(new)
    }

    fn accepted_before(
        &self,
        account: AccountNumber,
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<Vec<Accepted>>, Refusal> {
        let Some(Idempotency { key, fingerprint }) = idempotency else { return Ok(None) };
        let Some(before) = self.load::<Idempotent>(Tree::Idempotency, &layout::idempotency(account, key))? else {
            return Ok(None);
        };
        if self.now >= before.at + IDEMPOTENCY_MS {
            return Ok(None);
        }
        if before.fingerprint != *fingerprint {
            return Err(Refusal::IdempotencyConflict);
        }
        let mut accepted = Vec::with_capacity(before.events.len());
        for id in &before.events {
            // Retention may have taken the event meanwhile; then the key is free again.
            let Some(event) = self.event(account, *id)? else { return Ok(None) };
            accepted.push(Accepted::of(&event, true));
        }
        Ok(Some(accepted))
    }

    /// For each event, whether its name is taken by an equal one. Another event of that name refuses the batch.
    fn known_names(&self, account: AccountNumber, events: &[NewEvent]) -> Result<Vec<Known>, Refusal> {
        let mut in_batch: HashMap<&str, usize> = HashMap::new();
        let mut known = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            let Some(name) = event.name.as_deref() else {
                known.push(Known::Not);
                continue;
            };
            known.push(match (in_batch.get(name), self.event_named(account, name)?) {
                (Some(first), _) if events[*first].fingerprint == event.fingerprint => Known::InBatch(*first),
                (None, Some(before)) if before.fingerprint == event.fingerprint => Known::Stored(Box::new(before)),
                (None, None) => Known::Not,
                _ => return Err(Refusal::EventIdConflict { index }),
            });
            in_batch.entry(name).or_insert(index);
        }
        Ok(known)
    }

    fn put_event(&mut self, account: AccountNumber, new: NewEvent, webhooks: Vec<WebhookNumber>, test: bool) -> Event {
        let event = Event {
            id: EventId(self.next_id(0)),
            account,
            name: new.name,
            event_type: new.event_type,
            created_at: new.created_at.unwrap_or(self.now),
            data: new.data,
            actor: new.actor,
            metadata: new.metadata,
            test,
            webhooks,
            fingerprint: new.fingerprint,
        };
        self.put_in_pieces(layout::event(account, event.id), &record::encode(&event));
        if let Some(name) = &event.name {
            self.stage(Tree::Names, layout::name(account, name), Some(event.id.to_bytes().to_vec()));
        }
        let cause = if test { Cause::Test } else { Cause::Accept };
        for id in event.deliveries() {
            self.put_fresh(&Delivery::fresh(id, event.id, cause));
        }
        event
    }

    /// A long record goes on in `chunks`, in the same transaction: its head says how many there are.
    fn put_in_pieces(&mut self, key: Key, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(layout::VALUE_BYTES_MAX));
        let pieces: Vec<&[u8]> = rest.chunks(layout::VALUE_BYTES_MAX).collect();
        let count = u16::try_from(pieces.len()).expect("an accepted event is at most 2 GiB");
        for (n, piece) in pieces.into_iter().enumerate() {
            self.stage(Tree::Chunks, layout::chunk(&key, n as u16), Some(piece.to_vec()));
        }
        self.stage(Tree::Events, key, Some([&count.to_be_bytes(), head].concat()));
    }

    fn put_fresh(&mut self, delivery: &Delivery) {
        self.put(Tree::Fresh, layout::delivery(delivery.id), &Fresh::of(delivery));
        self.tally(delivery.id.webhook()).deliveries += 1;
        self.notice.fresh.push(delivery.id.webhook());
    }

    // ---- outcomes ----

    /// Records what came of an attempt. Doing it twice changes nothing: a group that failed is settled again.
    pub(super) fn settle(&mut self, settlement: Settlement) -> Result<(), StoreError> {
        let Settlement { delivery: id, attempt, next, disable } = settlement;
        let stored = match self.delivery(id) {
            // What cannot be read cannot be settled either; failing the group would fail every group from now on.
            Err(StoreError::Damaged(why)) => {
                tracing::error!(delivery = %id, why, "an outcome is lost with its delivery's record");
                None
            }
            stored => stored?,
        };
        let Some(mut delivery) = stored.filter(|delivery| delivery.attempts < attempt.summary.number) else {
            self.notice.settled.push(Settled { delivery: id, next_attempt_at: None });
            return Ok(());
        };
        let success = next == Next::Succeeded;
        let was_open = delivery.state.is_open();
        let first_attempt_at = delivery.first_attempt_at().unwrap_or(attempt.summary.started_at);
        self.tally(id.webhook()).count_attempt(&attempt.summary, success);
        if was_open {
            self.remove_open(&delivery);
        }
        let (ended_at, reason) = (delivery.ended_at, delivery.reason.take());
        if let Some(further) = delivery.take_attempt(attempt, next) {
            self.put(Tree::Attempts, layout::attempt(id, further.summary.number), &further);
        }
        let next_attempt_at = delivery.next_attempt_at.filter(|_| was_open);
        self.notice.settled.push(Settled { delivery: id, next_attempt_at });
        if was_open {
            self.put_after_attempt(&delivery);
            return self.disable_by_rule(id.webhook(), disable, next, first_attempt_at);
        }
        // It was cancelled while this attempt was under way: it stays so, and shows the attempt.
        delivery.state = DeliveryState::Cancelled;
        (delivery.ended_at, delivery.reason, delivery.next_attempt_at) = (ended_at, reason, None);
        self.put(Tree::Closed, layout::delivery(id), &delivery);
        Ok(())
    }

    /// Ends an open delivery without sending it.
    pub(super) fn cancel(&mut self, mut delivery: Delivery, reason: &str) {
        self.remove_open(&delivery);
        delivery.state = DeliveryState::Cancelled;
        delivery.next_attempt_at = None;
        delivery.ended_at = Some(self.now);
        delivery.reason = Some(reason.to_string());
        self.put_after_attempt(&delivery);
    }

    fn remove_open(&mut self, delivery: &Delivery) {
        let tree = if delivery.state == DeliveryState::Pending { Tree::Fresh } else { Tree::Waiting };
        self.stage(tree, layout::delivery(delivery.id), None);
        if let Some(at) = delivery.next_attempt_at {
            self.stage(Tree::Due, layout::due(at, delivery.id), None);
        }
    }

    fn put_after_attempt(&mut self, delivery: &Delivery) {
        match delivery.next_attempt_at {
            Some(at) => {
                self.put(Tree::Waiting, layout::delivery(delivery.id), delivery);
                self.stage(Tree::Due, layout::due(at, delivery.id), Some(Vec::new()));
            }
            None => {
                self.put(Tree::Closed, layout::delivery(delivery.id), delivery);
                self.tally(delivery.id.webhook()).count_end(delivery.state);
            }
        }
    }

    fn disable_by_rule(
        &mut self,
        number: WebhookNumber,
        disable: Disable,
        next: Next,
        first_attempt_at: UnixMs,
    ) -> Result<(), StoreError> {
        let no_success_since = self.tally(number).last_success_at.is_none_or(|at| at < first_attempt_at);
        let reason = match disable {
            Disable::Gone => "the endpoint answered 410 Gone",
            Disable::WhenExhausted if next == Next::Dead && no_success_since => {
                "a delivery used up its retries and none succeeded since its first attempt"
            }
            Disable::Never | Disable::WhenExhausted => return Ok(()),
        };
        let webhook = self.registry().webhook(number).cloned();
        if let Some(webhook) = webhook.filter(|webhook| webhook.is_active()) {
            let status = Status::Disabled { since: self.now, reason: reason.into() };
            self.put_webhook(Webhook { status, ..(*webhook).clone() });
        }
        Ok(())
    }

    // ---- webhooks, accounts, keys ----

    /// Adds a webhook; its number and id are given here. `limit`: how many of its dialect the account may have.
    pub fn create_webhook(&mut self, mut webhook: Webhook, limit: Option<u32>) -> Result<Webhook, Refusal> {
        if let Some(limit) = limit
            && self.registry().count_of_dialect(webhook.account, &webhook.dialect) >= limit as usize
        {
            return Err(Refusal::WebhookLimit { limit });
        }
        let number = self.next_number(layout::META_LAST_WEBHOOK)?;
        webhook.id = WebhookId(self.next_id(number));
        webhook.created_at = self.now;
        webhook.updated_at = self.now;
        self.put_webhook(webhook.clone());
        Ok(webhook)
    }

    /// Changes a webhook.
    pub fn update_webhook(
        &mut self,
        account: AccountNumber,
        id: WebhookId,
        change: impl FnOnce(&mut Webhook, UnixMs) -> Result<(), Refusal>,
    ) -> Result<Webhook, Refusal> {
        let mut webhook = self.webhook_of(account, id)?;
        change(&mut webhook, self.now)?;
        webhook.updated_at = self.now;
        self.put_webhook(webhook.clone());
        Ok(webhook)
    }

    /// Deletes a webhook: at once for everybody; upkeep cancels its open deliveries in small steps.
    pub fn delete_webhook(&mut self, account: AccountNumber, id: WebhookId) -> Result<(), Refusal> {
        let now = self.now;
        self.update_webhook(account, id, |webhook, _| {
            webhook.status = Status::Deleted { since: now };
            webhook.secrets.clear();
            Ok(())
        })?;
        Ok(())
    }

    /// Adds an account; its number is given here.
    pub fn create_account(&mut self, mut account: Account) -> Result<Account, Refusal> {
        if self.registry().account_by_id(&account.id).is_some() {
            return Err(Refusal::AccountExists);
        }
        account.number = self.next_number(layout::META_LAST_ACCOUNT)?;
        account.created_at = self.now;
        self.put(Tree::Accounts, layout::number(account.number).to_vec(), &account);
        self.registry.write().expect("not poisoned").put_account(account.clone());
        Ok(account)
    }

    /// Adds a key; its id is given here.
    pub fn create_key(&mut self, hash: KeyHash, mut key: ApiKey) -> Result<ApiKey, Refusal> {
        if self.registry().account(key.account).is_none() {
            return Err(Refusal::NotFound("account"));
        }
        key.id = KeyId(self.next_id(0));
        key.created_at = self.now;
        self.put(Tree::Keys, hash.to_vec(), &key);
        self.registry.write().expect("not poisoned").put_key(hash, key.clone());
        Ok(key)
    }

    /// Removes a key of the account; it is refused from now on.
    pub fn revoke_key(&mut self, account: AccountNumber, id: KeyId) -> Result<(), Refusal> {
        let hash = self.registry().hash_of_key(account, id).ok_or(Refusal::NotFound("key"))?;
        self.stage(Tree::Keys, hash.to_vec(), None);
        self.registry.write().expect("not poisoned").remove_key(&hash);
        Ok(())
    }

    fn webhook_of(&self, account: AccountNumber, id: WebhookId) -> Result<Webhook, Refusal> {
        let webhook = self.registry().webhook_of(account, id).cloned();
        webhook.map(|webhook| (*webhook).clone()).ok_or(Refusal::NotFound("webhook"))
    }

    fn put_webhook(&mut self, webhook: Webhook) {
        self.put(Tree::Webhooks, layout::number(webhook.number()).to_vec(), &webhook);
        self.notice.changed.push(webhook.number());
        self.registry.write().expect("not poisoned").put_webhook(webhook);
    }

    // ---- reading through what is staged ----

    fn event(&self, account: AccountNumber, id: EventId) -> Result<Option<Event>, StoreError> {
        read::event_by(&|tree, key| self.get(tree, key), account, id)
    }

    fn event_named(&self, account: AccountNumber, name: &str) -> Result<Option<Event>, StoreError> {
        match self.get(Tree::Names, &layout::name(account, name))? {
            Some(id) => self.event(account, layout::read_event(&id)),
            None => Ok(None),
        }
    }

    fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        read::delivery_by(&|tree, key| self.get(tree, key), id)
    }

    fn load<T: DeserializeOwned>(&self, tree: Tree, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.get(tree, key)?.map(|bytes| record::decode(&bytes)).transpose()
    }

    pub(super) fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        // The map's key is owned; a group of outcomes and accepts seldom reads what it wrote, so the copy is cheap.
        match self.staged.get(&(tree, key.to_vec())) {
            Some(staged) => Ok(staged.as_ref().map(|value| sled::IVec::from(value.as_slice()))),
            None => self.disk.get(tree, key),
        }
    }

    pub(super) fn disk(&self) -> &Disk {
        self.disk
    }

    pub(super) fn stage(&mut self, tree: Tree, key: Key, value: Option<Vec<u8>>) {
        self.staged.insert((tree, key), value);
    }

    fn put<T: Serialize>(&mut self, tree: Tree, key: Key, value: &T) {
        self.stage(tree, key, Some(record::encode(value)));
    }

    fn tally(&mut self, number: WebhookNumber) -> &mut Tally {
        self.tallied.push(number);
        let disk = self.disk;
        self.tallies.entry(number).or_insert_with(|| read::tally(disk, number).unwrap_or_default())
    }

    fn next_id(&mut self, number: u32) -> u128 {
        self.gave_ids = true;
        let dice = &mut *self.dice;
        self.ids.next(self.now, number, || dice.bits())
    }

    fn next_number(&mut self, counter: &[u8]) -> Result<u32, StoreError> {
        let last = self.get(Tree::Meta, counter)?.map_or(0, |bytes| layout::read_number(&bytes));
        self.stage(Tree::Meta, counter.to_vec(), Some((last + 1).to_be_bytes().to_vec()));
        Ok(last + 1)
    }
}

enum Known {
    Not,
    Stored(Box<Event>),
    InBatch(usize),
}
