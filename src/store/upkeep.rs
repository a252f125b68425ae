//! What the commit thread does on the side, in small steps, each in a group of its own or with others: cancelling the
//! open deliveries of deleted webhooks, forgetting old idempotency keys and old statistics. A crash repeats a step at most.

use std::collections::VecDeque;
use std::time::Duration;

use super::StoreError;
use super::accept::IDEMPOTENCY_MS;
use super::layout::{self, Key, Tree};
use super::record::{self, Fresh, Idempotent};
use super::registry::Registry;
use super::staging::Staging;
use super::stats::Forgetting;
use crate::domain::delivery::Delivery;
use crate::domain::id::WebhookNumber;
use crate::domain::time::UnixMs;

/// Rows that one step looks at.
const STEP_ROWS_MAX: usize = 256;
/// Between passes over the idempotency keys.
const FORGET_EVERY_MS: u64 = 60 * 60 * 1000;

/// What is left to do.
pub struct Upkeep {
    /// Deleted webhooks whose open deliveries are not cancelled yet.
    deleted: VecDeque<WebhookNumber>,
    /// Where the pass over the idempotency keys goes on; `None` between passes.
    forget_from: Option<Key>,
    /// When the next pass starts.
    forget_at: UnixMs,
    stats: Forgetting,
}

impl Upkeep {
    /// After a start or a reopening: every deleted webhook is looked at again.
    pub fn at_start(registry: &Registry) -> Self {
        let deleted = registry.webhooks().filter(|webhook| webhook.is_deleted()).map(|webhook| webhook.number());
        Self { deleted: deleted.collect(), forget_from: Some(Key::new()), forget_at: 0, stats: Forgetting::at_start() }
    }

    /// How long until there is something to do.
    pub fn wait(&self, now: UnixMs) -> Duration {
        if self.deleted.is_empty() && self.forget_from.is_none() {
            Duration::from_millis(self.forget_at.min(self.stats.due_at()).saturating_sub(now))
        } else {
            Duration::ZERO
        }
    }

    /// Whether there is something to do.
    pub fn is_due(&self, now: UnixMs) -> bool {
        self.wait(now).is_zero()
    }

    /// These webhooks changed: those that were deleted are work.
    pub fn look_at(&mut self, changed: &[WebhookNumber], registry: &Registry) {
        let is_deleted =
            |number: &&WebhookNumber| registry.webhook(**number).is_some_and(|webhook| webhook.is_deleted());
        self.deleted.extend(changed.iter().filter(is_deleted));
    }

    /// One step.
    pub fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        if let Some(webhook) = self.deleted.front().copied()
            && !cancel_some(staging, webhook)?
        {
            self.deleted.pop_front();
        }
        if self.forget_from.is_none() && staging.now() >= self.forget_at {
            self.forget_from = Some(Key::new());
        }
        if let Some(from) = self.forget_from.take() {
            self.forget_from = forget_some(staging, from)?;
            self.forget_at = staging.now() + FORGET_EVERY_MS;
        }
        self.stats.step(staging)
    }
}

/// Cancels some open deliveries of a deleted webhook; says whether more may be left.
fn cancel_some(staging: &mut Staging<'_>, webhook: WebhookNumber) -> Result<bool, StoreError> {
    let mut open: Vec<Delivery> = Vec::new();
    for tree in [Tree::Fresh, Tree::Waiting] {
        for row in staging.disk().prefix(tree, &layout::number(webhook)).take(STEP_ROWS_MAX) {
            let (key, value) = row?;
            // A row that this group has already settled is not open any more.
            if staging.get(tree, &key)?.is_none() {
                continue;
            }
            open.push(match tree {
                Tree::Fresh => record::decode::<Fresh>(&value)?.into_delivery(layout::read_delivery(&key)),
                _ => record::decode(&value)?,
            });
        }
    }
    let some = !open.is_empty();
    for delivery in open {
        staging.cancel(delivery, "the webhook was deleted");
    }
    Ok(some)
}

/// Removes some idempotency keys that are old enough; says where to go on.
fn forget_some(staging: &mut Staging<'_>, from: Key) -> Result<Option<Key>, StoreError> {
    let mut last = None;
    let rows: Vec<_> = staging.disk().range(Tree::Idempotency, from..).take(STEP_ROWS_MAX).collect();
    let full = rows.len() == STEP_ROWS_MAX;
    for row in rows {
        let (key, value) = row?;
        let stored: Idempotent = record::decode(&value)?;
        let rewritten = staging.get(Tree::Idempotency, &key)?.as_ref() != Some(&value);
        if !rewritten && staging.now() >= stored.at + IDEMPOTENCY_MS {
            staging.stage(Tree::Idempotency, key.to_vec(), None);
        }
        last = Some(key);
    }
    Ok(last.filter(|_| full).map(|key| layout::just_after(&key)))
}
