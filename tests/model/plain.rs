//! The model: what the store promises, as maps and in the order in which it happens, without a word about trees.

use std::collections::{BTreeMap, BTreeSet};

use hookwheel::domain::delivery::{Attempt, Cause, Delivery, DeliveryState, SealedAttempt};
use hookwheel::domain::event::Event;
use hookwheel::domain::id::{DeliveryId, EventId, WebhookId, WebhookNumber};
use hookwheel::domain::retry::Next;
use hookwheel::domain::tally::Totals;
use hookwheel::domain::webhook::{Status, Webhook};
use hookwheel::store::{Accepted, IDEMPOTENCY_MS, Idempotency, NewEvent, Refusal, Settlement};

use crate::deeds::{Ask, CONDITIONS, FAILURES_MAX, PROBE_SECONDS, test_attempt};
use crate::subject::Reply;

/// Of publishes with more bytes than this, what is long is written ahead.
pub const AHEAD_BYTES_MIN: usize = 32 << 10;
/// When every case starts.
pub const START: u64 = 1_800_000_000_000;

#[derive(Default)]
pub struct Plain {
    pub events: BTreeMap<EventId, Event>,
    pub deliveries: BTreeMap<DeliveryId, Delivery>,
    pub attempts: BTreeMap<DeliveryId, Vec<Attempt>>,
    pub webhooks: BTreeMap<WebhookNumber, Webhook>,
    pub counts: BTreeMap<WebhookNumber, Counts>,
    names: BTreeMap<String, EventId>,
    keys: BTreeMap<[u8; 32], (u64, [u8; 32], Vec<EventId>)>,
    last_id: u128,
    /// Events whose body was written ahead.
    pub written_ahead: BTreeSet<EventId>,
    /// Events whose payload is gone.
    pub purged: BTreeSet<EventId>,
}

/// What is counted that does not follow from the deliveries.
#[derive(Default)]
pub struct Counts {
    pub failed_attempts: u64,
    pub consecutive_failures: u64,
    /// Of deliveries that went with their events.
    pub gone: Totals,
}

impl Plain {
    /// Holds the reply against what is known, and learns the ids that only the store can give.
    pub fn take(&mut self, ask: &Ask, reply: &Result<Reply, Refusal>, now: u64) {
        match ask {
            Ask::Accept(events, key) => self.accept(events, key.as_ref(), reply, now),
            Ask::Test(id, event, well) => self.test(*id, event, *well, reply, now),
            Ask::Replay(id, old) => self.replay(*id, *old, reply),
            Ask::Create(wish) => self.create(wish, reply, now),
            Ask::Change(id, wish) => self.change(*id, reply, now, |webhook| {
                (webhook.events, webhook.condition) = (wish.events.clone(), wish.condition.clone());
                (webhook.test_mode, webhook.channels) = (wish.test_mode, wish.channels.clone());
            }),
            Ask::Steer(id, status) => self.change(*id, reply, now, |webhook| webhook.status = status.clone()),
            Ask::Delete(id) => {
                self.change(*id, reply, now, |webhook| {
                    (webhook.status, webhook.condition) = (Status::Deleted { since: now }, None);
                    webhook.channels.clear();
                });
            }
            Ask::DeleteEvent(id) => self.delete_event(*id, reply),
            Ask::PurgeEvent(id) => self.purge_event(*id, reply, now),
        }
    }

    /// Of a publish that is large, what is long lies ahead.
    pub fn note_written_ahead(&mut self, ask: &Ask, reply: &Result<Reply, Refusal>) {
        let (Ask::Accept(events, _), Ok(Reply::Accepted(accepted))) = (ask, reply) else { return };
        if events.iter().map(NewEvent::bytes).sum::<usize>() > AHEAD_BYTES_MIN {
            let is_long = |(event, accepted): &(&NewEvent, &Accepted)| event.bytes() > 1000 && !accepted.duplicate;
            self.written_ahead.extend(events.iter().zip(accepted).filter(is_long).map(|(_, accepted)| accepted.id));
        }
    }

    /// Upkeep has done what there was to do.
    pub fn settle_down(&mut self, now: u64) {
        for delivery in self.deliveries.values_mut() {
            if self.webhooks[&delivery.id.webhook()].is_deleted() && delivery.state.is_open() {
                delivery.state = DeliveryState::Cancelled;
                (delivery.next_attempt_at, delivery.ended_at) = (None, Some(now));
                delivery.reason = Some("the webhook was deleted".into());
            }
        }
    }

    pub fn settle(&mut self, settlement: &Settlement, now: u64) {
        let delivery = self.deliveries.get_mut(&settlement.delivery).unwrap();
        if delivery.attempts >= settlement.attempt.summary.number {
            return;
        }
        let (before, success) = (delivery.clone(), settlement.next == Next::Succeeded);
        let is_purged = self.purged.contains(&delivery.event);
        let attempt = settlement.attempt.clone();
        let attempt = if is_purged { without_payload(attempt) } else { attempt };
        self.attempts.entry(delivery.id).or_default().push(attempt.clone());
        delivery.take_attempt(unsealed(&attempt), settlement.next);
        let counts = self.counts.get_mut(&delivery.id.webhook()).unwrap();
        counts.failed_attempts += u64::from(!success);
        counts.consecutive_failures = if success { 0 } else { counts.consecutive_failures + 1 };
        if !before.state.is_open() {
            delivery.state = before.state;
            (delivery.next_attempt_at, delivery.ended_at, delivery.reason) = (None, before.ended_at, before.reason);
            return;
        }
        let webhook = self.webhooks.get_mut(&delivery.id.webhook()).unwrap();
        let probe = Some(now + PROBE_SECONDS * 1000);
        match &mut webhook.status {
            Status::Active if counts.consecutive_failures >= u64::from(FAILURES_MAX) => {
                let reason = format!("{FAILURES_MAX} attempts failed in a row");
                webhook.status = Status::Disabled { since: now, reason, probe_at: probe };
            }
            Status::Disabled { probe_at: Some(_), .. } if success => {
                webhook.status = Status::Active;
                counts.consecutive_failures = 0;
            }
            Status::Disabled { probe_at: probe_at @ Some(_), .. } => *probe_at = probe,
            _ => {}
        }
    }

    fn accept(&mut self, events: &[NewEvent], key: Option<&Idempotency>, reply: &Result<Reply, Refusal>, now: u64) {
        if let Some(key) = key
            && let Some((at, print, ids)) = self.keys.get(&key.key)
            && now < at + IDEMPOTENCY_MS
        {
            // One that is gone makes the key free again, for the same.
            let before = ids.iter().map(|id| Some(accepted(self.events.get(id)?, true))).collect::<Option<_>>();
            match before {
                _ if *print != key.fingerprint => return assert_eq!(*reply, Err(Refusal::IdempotencyConflict)),
                Some(before) => return assert_eq!(*reply, Ok(Reply::Accepted(before))),
                None => {}
            }
        }
        let mut in_batch: BTreeMap<&str, [u8; 32]> = BTreeMap::new();
        for (index, event) in events.iter().enumerate() {
            let (Some(name), Some(print)) = (event.name.as_deref(), event.fingerprint) else { continue };
            let stored = self.names.get(name).and_then(|id| self.events[id].fingerprint);
            if *in_batch.entry(name).or_insert(stored.unwrap_or(print)) != print {
                return assert_eq!(*reply, Err(Refusal::EventIdConflict { index }));
            }
        }
        let Ok(Reply::Accepted(given)) = reply else { panic!("{reply:?} to {events:?}") };
        assert_eq!(given.len(), events.len());
        for (event, given) in events.iter().zip(given) {
            match event.name.as_ref().and_then(|name| self.names.get(name)) {
                Some(id) => assert_eq!(*given, accepted(&self.events[id], true)),
                None => {
                    let webhooks = self.wanting(event);
                    self.put_event(event, given, webhooks, Cause::Accept, now);
                }
            }
        }
        if let Some(Idempotency { key, fingerprint }) = key {
            self.keys.insert(*key, (now, *fingerprint, given.iter().map(|one| one.id).collect()));
        }
    }

    fn wanting(&self, event: &NewEvent) -> Vec<WebhookNumber> {
        let data: serde_json::Value = serde_json::from_slice(&event.data).unwrap();
        let n = data["n"].as_u64().unwrap() as u8;
        let says = |text: &str| CONDITIONS.iter().find(|(known, _)| *known == text).unwrap().1(n);
        let wants = |webhook: &&Webhook| {
            let condition = webhook.condition.as_deref().is_none_or(says);
            let shares = webhook.channels.iter().any(|channel| event.channels.contains(channel));
            let hears = webhook.channels.is_empty() || shares;
            let wants = webhook.test_mode == event.test && webhook.wants(&event.event_type) && condition;
            !webhook.is_deleted() && wants && hears
        };
        self.webhooks.values().filter(wants).map(Webhook::number).collect()
    }

    fn test(&mut self, id: WebhookId, event: &NewEvent, well: bool, reply: &Result<Reply, Refusal>, now: u64) {
        if self.webhooks[&id.number()].is_deleted() {
            return assert_eq!(*reply, Err(Refusal::NotFound("webhook")));
        }
        let Ok(Reply::Test(given, delivery)) = reply else { panic!("{reply:?}") };
        self.put_event(event, given, vec![id.number()], Cause::Test, now);
        assert_eq!(*delivery, given.id.delivery_to(id.number()));
        // Its one attempt is written with it, and says nothing of its webhook.
        let made = test_attempt(now, well);
        let tested = self.deliveries.get_mut(delivery).unwrap();
        tested.take_attempt(unsealed(&made), if well { Next::Succeeded } else { Next::Dead });
        self.attempts.insert(*delivery, vec![made]);
        self.counts.get_mut(&id.number()).unwrap().failed_attempts += u64::from(!well);
    }

    fn put_event(&mut self, new: &NewEvent, given: &Accepted, webhooks: Vec<u32>, cause: Cause, now: u64) {
        self.grow(given.id.0);
        let event = Event {
            id: given.id,
            account: 1,
            name: new.name.clone(),
            event_type: new.event_type.clone(),
            created_at: new.created_at.unwrap_or(now),
            test: new.test,
            webhooks,
            channels: new.channels.clone(),
            fingerprint: new.fingerprint,
            trace: new.trace,
            data: new.data.clone(),
            actor: new.actor.clone(),
            metadata: new.metadata.clone(),
        };
        assert_eq!(*given, accepted(&event, false));
        for id in event.deliveries() {
            self.deliveries.insert(id, Delivery::fresh(id, event.id, cause));
        }
        self.names.extend(new.name.clone().map(|name| (name, event.id)));
        self.events.insert(event.id, event);
    }

    fn replay(&mut self, by: WebhookId, old: DeliveryId, reply: &Result<Reply, Refusal>) {
        if self.webhooks[&by.number()].is_deleted() {
            return assert_eq!(*reply, Err(Refusal::NotFound("webhook")));
        }
        let Some(event) = self.deliveries.get(&old).map(|old| old.event).filter(|_| by.number() == old.webhook())
        else {
            return assert_eq!(*reply, Err(Refusal::NotFound("delivery")));
        };
        if self.purged.contains(&event) {
            return assert_eq!(*reply, Err(Refusal::Purged));
        }
        let Ok(Reply::Replayed(id)) = reply else { panic!("{reply:?}") };
        self.grow(id.0);
        assert_eq!(id.webhook(), by.number());
        self.deliveries.insert(*id, Delivery::fresh(*id, event, Cause::Replay(old)));
    }

    fn delete_event(&mut self, id: EventId, reply: &Result<Reply, Refusal>) {
        let Some(event) = self.events.remove(&id) else {
            return assert_eq!(*reply, Err(Refusal::NotFound("event")));
        };
        assert_eq!(*reply, Ok(Reply::Left));
        self.names.retain(|_, of| *of != event.id);
        self.written_ahead.remove(&id);
        self.purged.remove(&id);
        for (_, delivery) in self.deliveries.extract_if(.., |_, delivery| delivery.event == id) {
            self.attempts.remove(&delivery.id);
            let gone = &mut self.counts.get_mut(&delivery.id.webhook()).unwrap().gone;
            gone.deliveries += 1;
            gone.attempts += u64::from(delivery.attempts);
            match delivery.state {
                DeliveryState::Succeeded => gone.succeeded += 1,
                DeliveryState::Dead => gone.dead += 1,
                _ => gone.cancelled += 1,
            }
        }
    }

    fn purge_event(&mut self, id: EventId, reply: &Result<Reply, Refusal>, now: u64) {
        if !self.events.contains_key(&id) {
            return assert_eq!(*reply, Err(Refusal::NotFound("event")));
        }
        assert_eq!(*reply, Ok(Reply::Left));
        if !self.purged.insert(id) {
            return;
        }
        self.written_ahead.remove(&id);
        for delivery in self.deliveries.values_mut().filter(|delivery| delivery.event == id) {
            if delivery.state.is_open() {
                delivery.state = DeliveryState::Cancelled;
                (delivery.next_attempt_at, delivery.ended_at) = (None, Some(now));
                delivery.reason = Some("its event's payload was purged".into());
            }
            delivery.first.iter_mut().for_each(|first| first.response_body.clear());
            let attempts = self.attempts.get_mut(&delivery.id).into_iter().flatten();
            attempts.for_each(|attempt| *attempt = without_payload(attempt.clone()));
        }
    }

    fn create(&mut self, wish: &Webhook, reply: &Result<Reply, Refusal>, now: u64) {
        let Ok(Reply::Webhook(given)) = reply else { panic!("{reply:?}") };
        self.grow(given.id.0);
        let number = self.webhooks.keys().next_back().unwrap_or(&0) + 1;
        assert_eq!(given.number(), number, "numbers are given in turn and never again");
        let webhook = Webhook { id: given.id, created_at: now, updated_at: now, ..wish.clone() };
        assert_eq!(**given, webhook);
        self.webhooks.insert(number, webhook);
        self.counts.insert(number, Counts::default());
    }

    fn change(&mut self, id: WebhookId, reply: &Result<Reply, Refusal>, now: u64, change: impl FnOnce(&mut Webhook)) {
        let webhook = self.webhooks.get_mut(&id.number()).unwrap();
        if webhook.is_deleted() {
            return assert_eq!(*reply, Err(Refusal::NotFound("webhook")));
        }
        let was_active = webhook.is_active();
        change(webhook);
        webhook.updated_at = now;
        if webhook.is_active() && !was_active {
            self.counts.get_mut(&id.number()).unwrap().consecutive_failures = 0;
        }
        match reply {
            // Its key for attempts is another each time.
            Ok(Reply::Webhook(given)) => assert_eq!(Webhook { attempts_key: None, ..(**given).clone() }, *webhook),
            reply => assert!(webhook.is_deleted() && *reply == Ok(Reply::Deleted), "{reply:?}"),
        }
    }

    /// Ids only grow.
    fn grow(&mut self, id: u128) {
        assert!(id > self.last_id);
        self.last_id = id;
    }
}

fn accepted(event: &Event, duplicate: bool) -> Accepted {
    Accepted {
        id: event.id,
        name: event.name.clone(),
        event_type: event.event_type.clone(),
        created_at: event.created_at,
        deliveries: event.webhooks.len(),
        duplicate,
    }
}

/// An attempt as it stays once its event's payload is gone.
fn without_payload(attempt: Attempt) -> Attempt {
    Attempt { request_headers: Default::default(), response_body: Vec::new(), ..attempt }
}

/// An attempt without what is sealed of it, which is other bytes each time; the whole of it is looked at by itself.
fn unsealed(attempt: &Attempt) -> SealedAttempt {
    let Attempt { summary, response_body, resent, .. } = attempt.clone();
    SealedAttempt { summary, request: Vec::new(), response_body, resent }
}

/// A stored delivery, as the model knows it: what is sealed must be there, and is left out.
pub fn as_known(mut delivery: Delivery) -> Delivery {
    if let Some(first) = &mut delivery.first {
        assert!(!std::mem::take(&mut first.request).is_empty(), "a request is kept sealed");
    }
    delivery
}
