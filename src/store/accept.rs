//! Accepting events: what is equal to an earlier event, which webhooks want it, and what is written for it. Also tests
//! and replays, which make deliveries of their own.

use std::collections::HashMap;

use super::error::{Refusal, StoreError};
use super::layout::{self, Key, Tree};
use super::message::{Accepted, IDEMPOTENCY_MS, Idempotency, NewEvent};
use super::order;
use super::parsed::Parsed;
use super::record::{self, Idempotent};
use super::staging::Staging;
use crate::domain::delivery::{Cause, Delivery};
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookId, WebhookNumber};

/// In front of an event's record: how many pieces follow it, in two bytes.
const NO_PIECES: [u8; 2] = 0u16.to_be_bytes();

impl Staging<'_> {
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
                    let mut parsed = Parsed::of(&event);
                    let webhooks = self.registry().wanting_event(account, &event, &mut parsed);
                    Accepted::of(&self.put_event(account, event, webhooks, Cause::Accept)?, false)
                }
                Known::Stored(before) => Accepted::of(&before, true),
                Known::InBatch(index) => Accepted { duplicate: true, ..accepted[index].clone() },
            });
        }
        if let Some(Idempotency { key, fingerprint }) = idempotency {
            let events = accepted.iter().map(|one| one.id).collect();
            let record = Idempotent { at: self.keeping(), fingerprint, events };
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
        let event = self.put_event(account, event, vec![webhook.number()], Cause::Test)?;
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
        Ok(self.put_replay(&old)?)
    }

    /// The replay of a delivery whose event is still there; as a dead letter it is handled.
    pub(super) fn put_replay(&mut self, old: &Delivery) -> Result<DeliveryId, StoreError> {
        self.leave_dead_letters(old);
        self.put_later(old.event, old.id.webhook(), Cause::Replay(old.id), Some(old))
    }

    /// A delivery that is made after its event was accepted; `replayed` is the one that it repeats.
    pub(super) fn put_later(
        &mut self,
        event: EventId,
        webhook: WebhookNumber,
        cause: Cause,
        replayed: Option<&Delivery>,
    ) -> Result<DeliveryId, StoreError> {
        let ordered = self.registry().webhook(webhook).filter(|webhook| webhook.order.is_some()).cloned();
        let whole = ordered.map(|webhook| self.event(webhook.account, event)).transpose()?.flatten();
        let new = DeliveryId(self.next_id(webhook));
        let mut parsed = whole.as_ref().map(Parsed::of_stored);
        self.put_fresh(Delivery::fresh(new, event, cause), parsed.as_mut(), replayed)?;
        self.stage(Tree::Replays, layout::replay(event, new), Some(Vec::new()));
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
        if self.keeping() >= before.at + IDEMPOTENCY_MS {
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

    pub(super) fn put_event(
        &mut self,
        account: AccountNumber,
        new: NewEvent,
        webhooks: Vec<WebhookNumber>,
        cause: Cause,
    ) -> Result<Event, StoreError> {
        let event = Event {
            id: EventId(self.next_id(0)),
            account,
            name: new.name,
            event_type: new.event_type,
            created_at: new.created_at.unwrap_or_else(|| self.shown_now()),
            data: new.data,
            actor: new.actor,
            metadata: new.metadata,
            test: new.test,
            webhooks,
            fingerprint: new.fingerprint,
        };
        let mut record = Vec::with_capacity(event.data.len() + record::USUAL_BYTES);
        record.extend(NO_PIECES);
        record::encode_onto(&mut record, &event);
        let bytes = self.put_in_pieces(layout::event(account, event.id), record);
        self.event_bytes_come(bytes);
        if let Some(name) = &event.name {
            self.stage(Tree::Names, layout::name(account, name), Some(event.id.to_bytes().to_vec()));
        }
        let mut parsed = Parsed::of_stored(&event);
        for id in event.deliveries() {
            self.put_fresh(Delivery::fresh(id, event.id, cause), Some(&mut parsed), None)?;
        }
        self.count_event(account);
        Ok(event)
    }

    /// A long record goes on in `chunks`, in the same transaction: its head says how many there are, in the bytes that
    /// [`NO_PIECES`] holds free. Gives the bytes that all of it takes.
    fn put_in_pieces(&mut self, key: Key, mut head: Vec<u8>) -> usize {
        let mut kept = key.len() + head.len();
        let head_bytes_max = NO_PIECES.len() + layout::VALUE_BYTES_MAX;
        if head.len() > head_bytes_max {
            let rest = head.split_off(head_bytes_max);
            let pieces = rest.chunks(layout::VALUE_BYTES_MAX);
            let count = u16::try_from(pieces.len()).expect("an accepted event is at most 2 GiB");
            head[..NO_PIECES.len()].copy_from_slice(&count.to_be_bytes());
            for (n, piece) in pieces.enumerate() {
                let key = layout::chunk(&key, n as u16);
                kept += key.len();
                self.stage(Tree::Chunks, key, Some(piece.to_vec()));
            }
        }
        self.stage(Tree::Events, key, Some(head));
        kept
    }

    /// Makes a delivery of the event; `replayed` is the one that it repeats.
    pub(super) fn put_fresh(
        &mut self,
        mut delivery: Delivery,
        parsed: Option<&mut Parsed<'_>>,
        replayed: Option<&Delivery>,
    ) -> Result<(), StoreError> {
        let webhook = delivery.id.webhook();
        if let Some(parsed) = parsed.filter(|_| delivery.cause != Cause::Test) {
            let order = self.registry().webhook(webhook).and_then(|webhook| webhook.order.clone());
            delivery.place = order.and_then(|order| order::place(&order, parsed));
        }
        if let Some(old) = replayed {
            delivery.place = self.place_of_replay(old, delivery.place)?;
        }
        self.put_in_order(&delivery)?;
        let tally = self.tally(webhook);
        tally.deliveries += 1;
        tally.minute.counts.count_delivery(delivery.cause);
        Ok(())
    }
}

enum Known {
    Not,
    Stored(Box<Event>),
    InBatch(usize),
}
