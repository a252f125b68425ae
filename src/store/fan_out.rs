//! Events that go to many webhooks: they are accepted whole, and their deliveries are made later, some a step. What stays
//! true: a part of them lies in `fan_out` until the transaction that makes them, so a crash repeats and leaves out nothing;
//! parts are taken in accept order, and what is accepted for a webhook while some are to come queues behind.

use super::error::{Refusal, StoreError};
use super::event_rows::{self, EventHead};
use super::layout::{self, Key, Tree};
use super::leaving::PURGED;
use super::parsed::Parsed;
use super::record::Part;
use super::settle::WEBHOOK_DELETED;
use super::staging::Staging;
use crate::domain::delivery::{Cause, Delivery, DeliveryState};
use crate::domain::id::{AccountNumber, EventId, WebhookNumber};
use crate::domain::order::OrderKeys;

/// Deliveries of accepted events that one group makes, in steps.
pub const GROUP_STEPS: usize = 4;
/// Webhooks of a part, where it names those whose filter is too costly: its row must not become long.
const NAMED_MAX: usize = 2048;
/// Deliveries of an account that may be to come. Beyond, its events are refused until some are made.
pub const TO_COME_MAX: u64 = 1 << 21;

impl Staging<'_> {
    /// Whether the deliveries of an event that is accepted now are made later.
    pub(super) fn is_for_later(&self, account: AccountNumber, webhooks: &[WebhookNumber]) -> bool {
        let step_max = self.carried.to_come.step_max;
        webhooks.len() > step_max
            || (self.laid_out > 0 && self.laid_out + webhooks.len() > GROUP_STEPS * step_max)
            || self.carried.to_come.holds_any(account, webhooks)
    }

    /// What is promised is bounded: it takes room on the disk, and all that comes later for the same webhooks waits for it.
    pub(super) fn refuse_more_to_come(&self, account: AccountNumber, deliveries: usize) -> Result<(), Refusal> {
        let to_come = self.carried.to_come.of(account);
        match to_come > 0 && to_come + deliveries as u64 > TO_COME_MAX {
            true => Err(Refusal::FanOutFull { limit: TO_COME_MAX }),
            false => Ok(()),
        }
    }

    /// Leaves the event's deliveries for later.
    pub(super) fn put_parts(&mut self, event: &EventHead, too_costly: &[WebhookNumber], order_keys: OrderKeys) {
        let event_key = layout::event(event.account, event.id);
        let part_max = if too_costly.is_empty() { event.webhooks.len() } else { NAMED_MAX };
        for webhooks in event.webhooks.chunks(part_max.max(1)) {
            let range = webhooks[0]..=webhooks[webhooks.len() - 1];
            let too_costly = too_costly.iter().copied().filter(|number| range.contains(number)).collect();
            let part = Part { count: webhooks.len() as u32, too_costly, order_keys: order_keys.clone() };
            self.put(Tree::FanOut, layout::fan_out(&event_key, webhooks[0]), &part);
        }
        self.carried.to_come.add(event.account, event.id, &event.webhooks);
    }

    /// Makes some of the account's deliveries that are to come.
    pub(super) fn fan_out(&mut self, account: AccountNumber) -> Result<(), StoreError> {
        let step_max = self.carried.to_come.step_max;
        let mut room = step_max.min((GROUP_STEPS * step_max).saturating_sub(self.laid_out)).max(1);
        while let Some(key) = self.first_key(Tree::FanOut, &layout::number(account))? {
            let event = layout::read_event(layout::read_fan_out(&key).0);
            self.carried.to_come.made(account, 0, Some(event));
            if room == 0 {
                return Ok(());
            }
            let made = self.lay_out_some(account, event, &key, room)?;
            self.carried.to_come.made(account, made, Some(event));
            self.laid_out += made;
            // A part of which nothing is left is a look as well.
            room = room.saturating_sub(made.max(1));
        }
        self.carried.to_come.made(account, 0, None);
        Ok(())
    }

    /// Makes up to so many deliveries of the part at this key; says how many.
    fn lay_out_some(
        &mut self,
        account: AccountNumber,
        event: EventId,
        key: &Key,
        room: usize,
    ) -> Result<usize, StoreError> {
        let (event_key, from) = layout::read_fan_out(key);
        let mut part = self.part(account, key)?;
        let stored = self.get(Tree::Events, event_key)?;
        let head = stored.map(|head| event_rows::event_head_by(&|tree, key| self.get(tree, key), event_key, &head));
        let head = self.trees().readable(head.transpose())?.flatten();
        let is_purged = head.as_ref().is_some_and(|head| head.purged_at.is_some());
        let webhooks = head.map_or(Vec::new(), |head| head.webhooks);
        let webhooks = &webhooks[webhooks.partition_point(|number| *number < from)..];
        let webhooks = &webhooks[..webhooks.len().min(part.count as usize)];
        let (now, later) = webhooks.split_at(webhooks.len().min(room));
        self.stage(Tree::FanOut, key.clone(), None);
        match is_purged {
            true => self.lay_out_cancelled(event, now)?,
            false => self.lay_out(event, now, &part)?,
        }
        if let Some(next) = later.first() {
            part.count = later.len() as u32;
            part.too_costly.retain(|number| number >= next);
            self.put(Tree::FanOut, layout::fan_out(event_key, *next), &part);
        }
        Ok(now.len())
    }

    /// A part that is to be made.
    fn part(&self, account: AccountNumber, key: &Key) -> Result<Part, StoreError> {
        match self.trees().readable(self.load(Tree::FanOut, key))?.flatten() {
            Some(part) => Ok(part),
            None => self.part_of_event(account, key),
        }
    }

    /// One that cannot be read is what the event says from there on, up to the next part. Nothing is lost; who got none for
    /// its costly filter gets one.
    fn part_of_event(&self, account: AccountNumber, key: &[u8]) -> Result<Part, StoreError> {
        let (event_key, from) = layout::read_fan_out(key);
        let Some(event) = self.trees().readable(self.event(account, layout::read_event(event_key)))?.flatten() else {
            return Ok(Part::default());
        };
        let next = self.keys_that_begin(Tree::FanOut, event_key)?.into_iter().find(|next| next.as_slice() > key);
        let end = next.map_or(WebhookNumber::MAX, |next| layout::read_fan_out(&next).1 - 1);
        let count = event.webhooks.iter().filter(|number| (from..=end).contains(*number)).count() as u32;
        let mut order_keys = OrderKeys::default();
        Parsed::of_stored(&event).learn_order_keys(&mut order_keys, self.registry().order_paths(account));
        Ok(Part { count, too_costly: Vec::new(), order_keys })
    }

    /// Writes a part anew that cannot be read.
    pub(super) fn put_part_again(&mut self, key: &[u8]) -> Result<(), StoreError> {
        let part = self.part_of_event(layout::read_number(key), key)?;
        self.put(Tree::FanOut, key.to_vec(), &part);
        Ok(())
    }

    fn lay_out(&mut self, event: EventId, webhooks: &[WebhookNumber], part: &Part) -> Result<(), StoreError> {
        for number in webhooks {
            let id = event.delivery_to(*number);
            let mut delivery = Delivery::fresh(id, event, Cause::Accept);
            let (is_known, is_there) = {
                let registry = self.registry();
                (registry.account_of_webhook(*number).is_some(), registry.has_webhook(*number))
            };
            match (is_known.then_some(!is_there), part.too_costly.binary_search(number)) {
                // It is forgotten, and all that it had with it.
                (None, _) => {}
                (Some(true), _) => self.put_ended(&mut delivery, DeliveryState::Cancelled, WEBHOOK_DELETED)?,
                (Some(false), Ok(_)) => self.put_too_costly(delivery, &part.order_keys)?,
                (Some(false), Err(_)) => {
                    self.put_fresh(delivery, &part.order_keys, None)?;
                    // Tests and replays that were made meanwhile lie behind it, and may have been read.
                    self.notice.freed.push(id);
                }
            }
        }
        Ok(())
    }

    /// Its payload went before it was their turn.
    fn lay_out_cancelled(&mut self, event: EventId, webhooks: &[WebhookNumber]) -> Result<(), StoreError> {
        for number in webhooks {
            if self.registry().account_of_webhook(*number).is_some() {
                let mut delivery = Delivery::fresh(event.delivery_to(*number), event, Cause::Accept);
                self.put_ended(&mut delivery, DeliveryState::Cancelled, PURGED)?;
            }
        }
        Ok(())
    }

    /// Whether deliveries of an event are to come.
    pub(super) fn has_to_come(&self, account: AccountNumber, event_key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.carried.to_come.of(account) > 0 && self.first_key(Tree::FanOut, event_key)?.is_some())
    }

    /// Whether deliveries of the account's events before this id are to come.
    pub(super) fn has_to_come_before(&self, account: AccountNumber, id: u128) -> Result<bool, StoreError> {
        if self.carried.to_come.of(account) == 0 {
            return Ok(false);
        }
        let first = self.first_key(Tree::FanOut, &layout::number(account))?;
        Ok(first.is_some_and(|key| layout::read_event(layout::read_fan_out(&key).0).0 < id))
    }
}

#[cfg(test)]
mod tests;
