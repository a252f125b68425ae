//! Pulls in what a clock that was set back between two runs left far ahead: retries, pauses and probes.
//!
//! Of such a clock two things tell: an attempt whose end is yet to come, and a pause whose begin is. What follows from it lies as
//! far ahead of now, at most, as it lay of that; so a retry with a delay of 30 s is due in 30 s, whatever the clock was set back
//! by. It is looked at once a start, in steps, and only for webhooks that have such an attempt or pause: nothing can lie too far
//! ahead of now that follows from what is past.

use std::collections::{BTreeSet, VecDeque};

use crate::domain::delivery::Delivery;
use crate::domain::id::WebhookNumber;
use crate::domain::tally::Tally;
use crate::domain::time::UnixMs;
use crate::store::duty::{Duty, STEP_ROWS_MAX, keys_from};
use crate::store::error::StoreError;
use crate::store::layout::{self, Key, Tree, end_of};
use crate::store::pull_in::{is_to_come, lasts_too_long};
use crate::store::record;
use crate::store::registry::Registry;
use crate::store::staging::Staging;
use crate::store::trees::Trees;

/// The webhooks that have an attempt or a pause to come.
pub struct SetBack {
    webhooks: VecDeque<WebhookNumber>,
    /// Where the first of them goes on.
    from: Key,
}

impl SetBack {
    /// After a start at `now`.
    pub fn at_start(trees: &Trees, registry: &Registry, now: UnixMs) -> Self {
        let tallies = trees.all(Tree::Tallies).filter_map(Result::ok);
        let ahead = tallies.filter(|(_, value)| {
            record::decode_grown::<Tally>(value)
                .is_ok_and(|tally| tally.last_attempt_at.is_some_and(|at| is_to_come(at, now)))
        });
        let mut webhooks: BTreeSet<WebhookNumber> = ahead.map(|(key, _)| layout::read_number(&key)).collect();
        let paused = registry.held_webhooks_from(0).filter(|webhook| lasts_too_long(webhook, now));
        webhooks.extend(paused.map(|webhook| webhook.number()));
        let webhooks = VecDeque::from_iter(webhooks);
        if !webhooks.is_empty() {
            tracing::warn!(webhooks = webhooks.len(), "the clock was set back: what waits for a time is pulled in");
        }
        Self { webhooks, from: Key::new() }
    }
}

impl Duty for SetBack {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        (!self.webhooks.is_empty()).then_some(0)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let Some(number) = self.webhooks.front().copied() else { return Ok(()) };
        let Some(webhook) = staging.registry().webhook(number) else {
            self.webhooks.pop_front();
            return Ok(());
        };
        if self.from.is_empty() {
            self.from = layout::due_end(number, staging.now());
            staging.pull_in_webhook(&webhook);
        }
        let (keys, complete) = keys_from(staging, Tree::Due, &self.from, &end_of(number), STEP_ROWS_MAX)?;
        if let Some(last) = keys.last() {
            self.from = layout::just_after(last);
        }
        for key in keys {
            staging.pull_in_retry(&key, own_delay_from)?;
        }
        if complete {
            // So that another start does not pull in once more what was pulled in.
            staging.leave_no_attempt_to_come(number);
            self.webhooks.pop_front();
            self.from = Key::new();
        }
        // Whoever has looked at it looks again.
        staging.notice.changed.push(number);
        Ok(())
    }
}

/// When a retry is due at the latest, seen from `now`: its delay is what lay between it and the attempt before.
fn own_delay_from(delivery: &Delivery, now: UnixMs) -> Option<UnixMs> {
    let (due, before) = (delivery.next_attempt_at?, delivery.latest_attempt()?.ended_at());
    (is_to_come(before, now) && due >= before).then(|| due.min(now + (due - before)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::{AttemptSummary, Cause, Outcome, SealedAttempt};
    use crate::domain::id::{DeliveryId, EventId};
    use crate::domain::retry::Next;

    #[test]
    fn a_retry_is_due_by_its_own_delay_also_where_that_is_none() {
        let (now, ended_at) = (1_000_000, 9_000_000);
        let due = |next_attempt_at| {
            let summary =
                AttemptSummary { number: 1, started_at: ended_at, duration_ms: 0, outcome: Outcome::Status(500) };
            let attempt = SealedAttempt { summary, request: Vec::new(), response_body: Vec::new(), resent: false };
            let mut delivery = Delivery::fresh(DeliveryId(1), EventId(1), Cause::Accept);
            delivery.take_attempt(attempt, Next::RetryAt(next_attempt_at));
            own_delay_from(&delivery, now)
        };
        assert_eq!(due(ended_at + 30_000), Some(now + 30_000));
        assert_eq!(due(ended_at), Some(now));
        assert_eq!(due(ended_at - 1), None, "one that somebody made due earlier");
    }
}
