//! Accepting events: what is equal to an earlier event, which webhooks want it, and what is written for it. Also replays,
//! which make deliveries of their own.

use std::collections::HashMap;
use std::sync::Arc;

use super::asking::{self, Budget};
use super::error::{Refusal, StoreError};
use super::event_rows::{self, BodyAt, EventHead};
use super::layout::{self, Tree};
use super::message::{Accepted, IDEMPOTENCY_MS, Idempotency, NewEvent};
use super::parsed::Parsed;
use super::publish::{Asked, Bodies, Publish, Published, Terms, Wanting};
use super::record::{self, Idempotent};
use super::registry::Mode;
use super::staging::Staging;
use crate::domain::delivery::{Cause, Delivery, DeliveryState};
use crate::domain::happening::What;
use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookId, WebhookNumber};
use crate::domain::order::{OrderKeys, Place};

impl Staging<'_> {
    /// Accepts events of one account, all or none.
    pub fn accept(
        &mut self,
        account: AccountNumber,
        events: Vec<NewEvent>,
        idempotency: Option<Idempotency>,
    ) -> Result<Vec<Accepted>, Refusal> {
        match self.accept_asked(account, Publish::unasked(events), idempotency, Terms::default())? {
            Published::Accepted(accepted) => Ok(accepted),
            Published::AskAgain(_) => unreachable!("it may not be asked again"),
            Published::WriteAgain(_) => unreachable!("nothing of it was to be written ahead"),
        }
    }

    /// The same for events of which it was asked ahead who wants them. What changed since then is asked again: here if that
    /// takes no time, else by the caller if it may ask again.
    pub(super) fn accept_asked(
        &mut self,
        account: AccountNumber,
        Publish { events, asked, mut bodies }: Publish,
        idempotency: Option<Idempotency>,
        Terms { may_ask_again, events_per_day }: Terms,
    ) -> Result<Published, Refusal> {
        if let Some(before) = self.accepted_before(account, idempotency.as_ref())? {
            return Ok(Published::Accepted(before));
        }
        let known = self.known_names(account, &events)?;
        let mut needed = bodies.iter().filter(|(index, _)| matches!(known[**index], Known::Not));
        if !needed.try_fold(true, |all, (_, body)| Ok::<_, StoreError>(all && self.has_body(account, *body)?))? {
            return Ok(Published::WriteAgain(Publish { events, asked, bodies: Bodies::new() }));
        }
        let Some(wanting) = self.wanting(account, &events, asked, may_ask_again) else {
            return Ok(Published::AskAgain(events));
        };
        let new = wanting.iter().zip(&known).filter(|(_, known)| matches!(known, Known::Not));
        let (count, deliveries) = new.fold((0, 0), |(count, all), (one, _)| (count + 1, all + one.webhooks.len()));
        self.refuse_more_to_come(account, deliveries)?;
        self.take_of_day(account, count, events_per_day)?;
        let mut accepted: Vec<Accepted> = Vec::with_capacity(events.len());
        for (index, ((event, wanting), known)) in events.into_iter().zip(wanting).zip(known).enumerate() {
            accepted.push(match known {
                Known::Not => {
                    let body = bodies.remove(&index).flatten();
                    Accepted::of(&self.put_event_with(account, event, body, wanting, Cause::Accept, false)?, false)
                }
                Known::Stored(before) => Accepted::of(&before, true),
                Known::InBatch(index) => Accepted { duplicate: true, ..accepted[index].clone() },
            });
        }
        if let Some(Idempotency { key, fingerprint }) = idempotency {
            let events = accepted.iter().map(|one| one.id).collect();
            let record = Idempotent { at: self.keeping(), fingerprint, events, job: None };
            self.put(Tree::Idempotency, layout::idempotency(account, &key), &record);
        }
        Ok(Published::Accepted(accepted))
    }

    /// Who wants the events, by the registry as it is now; none if that must be asked elsewhere first.
    fn wanting(
        &self,
        account: AccountNumber,
        events: &[NewEvent],
        asked: Option<Asked>,
        may_ask_again: bool,
    ) -> Option<Vec<Wanting>> {
        match asked {
            None => Some(events.iter().map(|event| self.wanting_of(account, event)).collect()),
            Some(asked) => asking::bring_up(&self.registry(), account, events, asked, may_ask_again),
        }
    }

    /// Who wants an event that nobody asked about ahead.
    pub(super) fn wanting_of(&self, account: AccountNumber, event: &NewEvent) -> Wanting {
        self.wanting_in(account, event, Mode::of(event.test))
    }

    /// Who of the webhooks of this mode wants it.
    pub(super) fn wanting_in(&self, account: AccountNumber, event: &NewEvent, mode: Mode) -> Wanting {
        let (mut parsed, mut budget) = (Parsed::of(event), Budget::EVENT);
        let wanting = asking::ask(self.registry_lock(), account, mode, &mut parsed, &mut budget);
        wanting.expect("any length is read")
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
        let event = self.event_head(account, old.event)?.ok_or(Refusal::NotFound("event"))?;
        if event.purged_at.is_some() {
            return Err(Refusal::Purged);
        }
        Ok(self.put_replay(&old)?)
    }

    /// The replay of a delivery whose event is still there; as a dead letter it is handled.
    pub(super) fn put_replay(&mut self, old: &Delivery) -> Result<DeliveryId, StoreError> {
        self.leave_dead_letters(old);
        self.put_later(old.event, old.id.webhook(), Cause::Replay(old.id), Some(old), false)
    }

    /// A delivery that is made after its event was accepted; `replayed` is the one that it repeats.
    pub(super) fn put_later(
        &mut self,
        event: EventId,
        webhook: WebhookNumber,
        cause: Cause,
        replayed: Option<&Delivery>,
        too_costly: bool,
    ) -> Result<DeliveryId, StoreError> {
        let order_keys = self.order_keys_for(webhook, event)?;
        let new = DeliveryId(self.next_id(webhook));
        let delivery = Delivery::fresh(new, event, cause);
        match too_costly {
            true => self.put_too_costly(delivery, &order_keys)?,
            false => self.put_fresh(delivery, &order_keys, replayed).map(drop)?,
        }
        self.stage(Tree::Replays, layout::replay(event, new), Some(Vec::new()));
        Ok(new)
    }

    /// What an event that is stored says at the path of the webhook's order key.
    fn order_keys_for(&self, webhook: WebhookNumber, event: EventId) -> Result<OrderKeys, StoreError> {
        let webhook = self.registry().webhook(webhook);
        let mut keys = OrderKeys::default();
        let path = webhook.iter().find_map(|webhook| Some((webhook.account, webhook.order.as_ref()?.key.as_ref()?)));
        if let Some((account, path)) = path
            && let Some(event) = self.event(account, event)?
        {
            let event = Parsed::of_stored(&event);
            self.steps.set(self.steps.get() + asking::reading(event.bytes()));
            event.learn_order_keys(&mut keys, [path]);
        }
        Ok(keys)
    }

    /// What was made with this key, if it is still remembered; refused if that was something else.
    pub(super) fn made_before(
        &self,
        account: AccountNumber,
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<Idempotent>, Refusal> {
        let Some(Idempotency { key, fingerprint }) = idempotency else { return Ok(None) };
        let key = layout::idempotency(account, key);
        let Some(stored) = self.get(Tree::Idempotency, &key)? else { return Ok(None) };
        let before: Idempotent = record::read_grown(Tree::Idempotency, &key, &stored)?;
        if self.keeping() >= before.at + IDEMPOTENCY_MS {
            return Ok(None);
        }
        if before.fingerprint == *fingerprint { Ok(Some(before)) } else { Err(Refusal::IdempotencyConflict) }
    }

    fn accepted_before(
        &self,
        account: AccountNumber,
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<Vec<Accepted>>, Refusal> {
        let Some(before) = self.made_before(account, idempotency)? else { return Ok(None) };
        let mut accepted = Vec::with_capacity(before.events.len());
        for id in &before.events {
            // Retention may have taken the event meanwhile; then the key is free again.
            let Some(event) = self.event_head(account, *id)? else { return Ok(None) };
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
            known.push(match (in_batch.get(name), self.event_head_named(account, name)?) {
                (Some(first), _) if events[*first].fingerprint == event.fingerprint => Known::InBatch(*first),
                (None, Some(before)) if before.fingerprint == event.fingerprint => Known::Stored(Box::new(before)),
                (None, None) => Known::Not,
                _ => return Err(Refusal::EventIdConflict { index }),
            });
            in_batch.entry(name).or_insert(index);
        }
        Ok(known)
    }

    /// Puts a new event there, with its deliveries.
    pub(super) fn put_event(
        &mut self,
        account: AccountNumber,
        new: NewEvent,
        wanting: Wanting,
        cause: Cause,
    ) -> Result<EventHead, StoreError> {
        self.put_event_with(account, new, None, wanting, cause, false)
    }

    /// Puts a notice of an account's own there, with its deliveries.
    pub(super) fn put_notice(
        &mut self,
        account: AccountNumber,
        new: NewEvent,
        wanting: Wanting,
    ) -> Result<EventHead, StoreError> {
        self.put_event_with(account, new, None, wanting, Cause::Accept, true)
    }

    /// The same for one whose body may have been written ahead.
    fn put_event_with(
        &mut self,
        account: AccountNumber,
        new: NewEvent,
        body: Option<BodyAt>,
        Wanting { webhooks, too_costly, order_keys }: Wanting,
        cause: Cause,
        notice: bool,
    ) -> Result<EventHead, StoreError> {
        let is_for_later = cause == Cause::Accept && self.is_for_later(account, &webhooks);
        let rows_are_late = cause == Cause::Accept && !is_for_later && self.may_be_late(&webhooks);
        let event = EventHead {
            id: EventId(self.next_id(0)),
            account,
            name: new.name,
            event_type: new.event_type,
            created_at: new.created_at.unwrap_or_else(|| self.shown_now()),
            test: new.test,
            webhooks,
            channels: new.channels,
            fingerprint: new.fingerprint,
            body,
            purged_at: None,
            notice,
            trace: new.trace,
            rows_are_late,
        };
        let parts = (new.data, new.actor, new.metadata);
        let record = event_rows::encode(&event, &parts);
        if rows_are_late && body.is_none() && event.webhooks.len() == 1 {
            self.notice.handed.push(Arc::new(event.with_copies_of(&parts)));
        }
        let mut bytes = 0;
        for (tree, key, value) in event_rows::in_pieces(layout::event(account, event.id), record) {
            bytes += key.len() + value.len();
            self.stage(tree, key, Some(value));
        }
        self.event_bytes_come(account, bytes);
        self.happens(account, What::Event(event.id));
        if let Some(body) = body {
            self.give_body(account, body, event.id);
        }
        if let Some(name) = &event.name {
            self.stage(Tree::Names, layout::name(account, name), Some(event.id.to_bytes().to_vec()));
        }
        if cause == Cause::Test {
            // Its delivery is written with its attempt.
        } else if is_for_later {
            self.put_parts(&event, &too_costly, order_keys);
        } else {
            self.laid_out += event.webhooks.len();
            for id in event.deliveries() {
                let delivery = Delivery::fresh(id, event.id, cause);
                if too_costly.binary_search(&id.webhook()).is_ok() {
                    self.put_too_costly(delivery, &order_keys)?;
                } else if self.put_fresh(delivery, &order_keys, None)? && rows_are_late {
                    self.be_late(id);
                }
            }
        }
        self.count_event(account);
        Ok(event)
    }

    /// Makes a delivery of the event; `replayed` is the one that it repeats. Says whether its row follows from the event.
    pub(super) fn put_fresh(
        &mut self,
        mut delivery: Delivery,
        order_keys: &OrderKeys,
        replayed: Option<&Delivery>,
    ) -> Result<bool, StoreError> {
        delivery.place = self.place_in_order(&delivery, order_keys);
        if let Some(old) = replayed {
            delivery.place = self.place_of_replay(old, delivery.place)?;
        }
        let follows = self.put_in_order(&delivery)?;
        self.count_new(&delivery);
        Ok(follows)
    }

    /// Makes one that is dead from the start, since nobody knows whether its webhook wants the event: it stands among the
    /// dead letters, and a replay sends it. Where dead ones hold up others, it does.
    pub(super) fn put_too_costly(&mut self, mut delivery: Delivery, order_keys: &OrderKeys) -> Result<(), StoreError> {
        let webhook = delivery.id.webhook();
        if self.holds(webhook) {
            delivery.place = self.place_in_order(&delivery, order_keys);
        }
        if let Some(place) = delivery.place {
            self.stage(Tree::Ordered, layout::ordered(webhook, place.key, delivery.id), Some(Vec::new()));
        }
        self.put_ended(&mut delivery, DeliveryState::Dead, asking::TOO_COSTLY)?;
        let known = self.registry().webhook(webhook);
        known.map_or(Ok(()), |known| self.notice_of_dead(&known, &delivery))
    }

    /// Makes one that has ended from the start.
    pub(super) fn put_ended(
        &mut self,
        delivery: &mut Delivery,
        state: DeliveryState,
        reason: &str,
    ) -> Result<(), StoreError> {
        self.count_new(delivery);
        (delivery.state, delivery.ended_at) = (state, Some(self.now()));
        delivery.reason = Some(reason.to_string());
        self.put_after_attempt(delivery)
    }

    fn place_in_order(&self, delivery: &Delivery, order_keys: &OrderKeys) -> Option<Place> {
        let registry = self.registry();
        let number = delivery.id.webhook();
        let webhook = registry.has_order(number).then(|| registry.webhook(number))??;
        webhook.order.as_ref().and_then(|order| order_keys.place(order))
    }

    pub(super) fn count_new(&mut self, delivery: &Delivery) {
        let tally = self.tally(delivery.id.webhook());
        tally.deliveries += 1;
        tally.minute.counts.count_delivery(delivery.cause);
    }
}

enum Known {
    Not,
    Stored(Box<EventHead>),
    InBatch(usize),
}
