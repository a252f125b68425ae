//! Pulls in what is due too far ahead: after a schedule became shorter, and after the clock was set back between two runs.
//!
//! Of a clock that was set back one thing tells: an attempt whose end is yet to come. What follows from it lies as far ahead of now, at most, as it lay of that end; so a
//! retry with a delay of 30 s is due in 30 s, whatever the clock was set back by. It is looked at once a start, in steps,
//! and only for webhooks that have such an attempt: nothing can lie too far ahead of now that follows from what is past.

use std::collections::VecDeque;

use super::StoreError;
use super::disk::Disk;
use super::layout::{self, Key, Tree};
use super::record;
use super::staging::Staging;
use super::upkeep::{Duty, STEP_ROWS_MAX, end_of, keys_from};
use crate::domain::delivery::Delivery;
use crate::domain::id::WebhookNumber;
use crate::domain::tally::Tally;
use crate::domain::time::UnixMs;
use crate::domain::webhook::{Status, Webhook};

/// The webhooks that have an attempt to come.
pub struct SetBack {
    webhooks: VecDeque<WebhookNumber>,
    /// Where the first of them goes on.
    from: Key,
}

impl SetBack {
    /// After a start at `now`.
    pub fn at_start(disk: &Disk, now: UnixMs) -> Self {
        let tallies = disk.all(Tree::Tallies).filter_map(Result::ok);
        let ahead = tallies.filter(|(_, value)| {
            record::decode_grown::<Tally>(value).is_ok_and(|tally| tally.last_attempt_at.is_some_and(|at| at > now))
        });
        let webhooks: VecDeque<WebhookNumber> = ahead.map(|(key, _)| layout::read_number(&key)).collect();
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
        let Some(webhook) = staging.registry().webhook(number).cloned() else {
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
    (before > now && due > before).then(|| due.min(now + (due - before)))
}

impl Staging<'_> {
    /// The pause and the probe of a webhook, seen from now.
    fn pull_in_webhook(&mut self, webhook: &Webhook) {
        let now = self.now();
        let tally = self.tally(webhook.number());
        let last = tally.last_attempt_at.unwrap_or(now);
        let seen = |at: UnixMs| if at > last { at.min(now + (at - last)) } else { at };
        let backoff = &mut tally.backoff;
        (backoff.since, backoff.until) = (backoff.since.min(now), backoff.until.min(now + backoff.pause_ms()));
        if let Status::Disabled { since, reason, probe_at } = &webhook.status {
            let (since, reason, probe_at) = ((*since).min(now), reason.clone(), probe_at.map(seen));
            self.put_webhook(Webhook { status: Status::Disabled { since, reason, probe_at }, ..webhook.clone() });
        }
    }

    /// Retries of the webhook that are due after `latest` are due then: its schedule is shorter than it was. Some a call;
    /// the webhook counts as changed, so that somebody looks again.
    pub(super) fn pull_in(&mut self, webhook: WebhookNumber, latest: UnixMs) -> Result<(), StoreError> {
        let from = layout::due_end(webhook, latest);
        let (keys, _) = keys_from(self, Tree::Due, &from, &end_of(webhook), STEP_ROWS_MAX)?;
        for key in keys {
            self.pull_in_retry(&key, |_, _| Some(latest))?;
            self.notice.changed.push(webhook);
        }
        Ok(())
    }

    /// Makes a retry due when `latest` says, if that is earlier. `key` is its row of `due`.
    fn pull_in_retry(
        &mut self,
        key: &Key,
        latest: impl Fn(&Delivery, UnixMs) -> Option<UnixMs>,
    ) -> Result<(), StoreError> {
        let due_at = layout::read_due(key);
        let stored = self.get(Tree::Waiting, &layout::delivery(layout::read_delivery(key)))?;
        let waiting = stored.map(|bytes| record::decode::<Delivery>(&bytes)).transpose()?;
        let Some(mut delivery) = waiting.filter(|one| one.next_attempt_at == Some(due_at)) else {
            // What this group has settled has moved on, and leaves no row behind.
            self.stage(Tree::Due, key.clone(), None);
            return Ok(());
        };
        if let Some(at) = latest(&delivery, self.now()).filter(|at| *at < due_at) {
            self.stage(Tree::Due, key.clone(), None);
            delivery.next_attempt_at = Some(at);
            self.put_after_attempt(&delivery)?;
        }
        Ok(())
    }
}
