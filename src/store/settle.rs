//! Recording outcomes: an attempt, where its delivery stands after it, the counters, and a rule that disables its
//! webhook, all in one commit.

use super::StoreError;
use super::commit::{Disable, Settled, Settlement};
use super::layout::{self, Tree};
use super::staging::Staging;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::id::{DeliveryId, WebhookNumber};
use crate::domain::retry::Next;
use crate::domain::time::UnixMs;
use crate::domain::webhook::{Status, Webhook};

impl Staging<'_> {
    /// Records what came of an attempt. Doing it twice changes nothing: a group that failed is settled again.
    pub(super) fn settle(&mut self, settlement: Settlement) -> Result<(), StoreError> {
        let Settlement { delivery: id, attempt, next, disable, strain, dice } = settlement;
        let stored = match self.delivery(id) {
            // What cannot be read cannot be settled either; failing the group would fail every group from now on.
            Err(StoreError::Damaged(why)) => {
                tracing::error!(delivery = %id, why, "an outcome is lost with its delivery's record");
                None
            }
            stored => stored?,
        };
        let Some(mut delivery) = stored.filter(|delivery| delivery.attempts < attempt.summary.number) else {
            self.tell_settled(id, None, false);
            return Ok(());
        };
        let success = next == Next::Succeeded;
        let was_open = delivery.state.is_open();
        let first_attempt_at = delivery.first_attempt_at().unwrap_or(attempt.summary.started_at);
        let tally = self.tally(id.webhook());
        tally.count_attempt(&attempt.summary, success);
        tally.backoff = tally.backoff.after(strain, attempt.summary.started_at, attempt.summary.ended_at(), dice);
        if was_open {
            self.remove_open(&delivery);
        }
        let (ended_at, reason) = (delivery.ended_at, delivery.reason.take());
        if let Some(further) = delivery.take_attempt(attempt, next) {
            self.put(Tree::Attempts, layout::attempt(id, further.summary.number), &further);
        }
        let next_attempt_at = delivery.next_attempt_at.filter(|_| was_open);
        self.tell_settled(id, next_attempt_at, success);
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

    fn tell_settled(&mut self, delivery: DeliveryId, next_attempt_at: Option<UnixMs>, success: bool) {
        let paused_until = self.tally(delivery.webhook()).backoff.until;
        self.notice.settled.push(Settled { delivery, next_attempt_at, success, paused_until });
    }

    /// Ends an open delivery without sending it.
    pub(super) fn cancel(&mut self, mut delivery: Delivery, reason: &str) {
        self.remove_open(&delivery);
        delivery.state = DeliveryState::Cancelled;
        delivery.next_attempt_at = None;
        delivery.ended_at = Some(self.now());
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
        if let Some(webhook) = webhook.filter(|webhook| webhook.status == Status::Active) {
            let status = Status::Disabled { since: self.now(), reason: reason.into() };
            self.put_webhook(Webhook { status, ..(*webhook).clone() });
        }
        Ok(())
    }
}
