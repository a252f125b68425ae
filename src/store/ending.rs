//! Cancels the open deliveries of deleted webhooks, and forgets those that nothing is kept of any more. Also what ending
//! many deliveries of a webhook needs elsewhere.

use std::collections::VecDeque;

use super::StoreError;
use super::layout::{self, Key, Tree};
use super::read;
use super::registry::Registry;
use super::staging::Staging;
use super::upkeep::{Duty, STEP_ROWS_MAX, end_of};
use crate::domain::delivery::Delivery;
use crate::domain::id::WebhookNumber;
use crate::domain::time::UnixMs;

/// Where a webhook's open deliveries lie: those behind another first, so that ending that one sets none of them free.
pub(super) const OPEN: [Tree; 3] = [Tree::Blocked, Tree::Fresh, Tree::Waiting];

/// Deleted webhooks whose open deliveries are not cancelled yet.
pub struct Deleted(VecDeque<WebhookNumber>);

impl Deleted {
    /// Every deleted webhook is looked at again.
    pub fn at_start(registry: &Registry) -> Self {
        Self(registry.webhooks().filter(|webhook| webhook.is_deleted()).map(|webhook| webhook.number()).collect())
    }
}

impl Duty for Deleted {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        (!self.0.is_empty()).then_some(0)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let Some(webhook) = self.0.front().copied() else { return Ok(()) };
        let end = end_of(webhook);
        if !cancel_some(staging, webhook, &end, "the webhook was deleted")? {
            self.0.pop_front();
        }
        Ok(())
    }

    fn look_at(&mut self, changed: &[WebhookNumber], registry: &Registry) {
        let is_deleted =
            |number: &&WebhookNumber| registry.webhook(**number).is_some_and(|webhook| webhook.is_deleted());
        self.0.extend(changed.iter().filter(is_deleted));
    }
}

/// Between passes that forget deleted webhooks.
const FORGET_EVERY_MS: u64 = 5 * 60 * 1000;

/// Forgets deleted webhooks once retention has taken all of their deliveries, so that who creates and deletes webhooks all
/// the time fills neither memory nor disk. Their counters go into one sum, their statistics stay in the account's.
#[derive(Default)]
pub struct ForgetDeleted {
    /// The webhook that the next step begins with.
    from: WebhookNumber,
    /// When it is due.
    at: UnixMs,
}

impl Duty for ForgetDeleted {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        Some(self.at)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let deleted: Vec<WebhookNumber> = {
            let registry = staging.registry();
            let deleted = registry.webhooks_from(self.from).filter(|webhook| webhook.is_deleted());
            deleted.map(|webhook| webhook.number()).take(STEP_ROWS_MAX).collect()
        };
        let mut removed = 0;
        for number in &deleted {
            if removed >= STEP_ROWS_MAX {
                (self.from, self.at) = (*number, 0);
                return Ok(());
            }
            if !has_deliveries(staging, *number)? {
                removed += staging.forget_webhook(*number)?;
            }
        }
        (self.from, self.at) = match deleted.last() {
            Some(last) if deleted.len() == STEP_ROWS_MAX => (last + 1, 0),
            _ => (0, staging.now() + FORGET_EVERY_MS),
        };
        Ok(())
    }
}

fn has_deliveries(staging: &Staging<'_>, webhook: WebhookNumber) -> Result<bool, StoreError> {
    let prefix = layout::number(webhook);
    for tree in OPEN.into_iter().chain([Tree::Closed]) {
        if staging.disk().prefix(tree, &prefix).next().transpose()?.is_some()
            || staging.staged_keys(tree, &prefix).next().is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Cancels some open deliveries of a webhook whose keys lie before `end`; says whether more may be left.
pub(super) fn cancel_some(
    staging: &mut Staging<'_>,
    webhook: WebhookNumber,
    end: &Key,
    reason: &str,
) -> Result<bool, StoreError> {
    let Some(open) = open_before(staging, webhook, end, STEP_ROWS_MAX)? else { return Ok(false) };
    for delivery in open {
        staging.cancel(delivery, reason)?;
    }
    Ok(true)
}

/// Up to `limit` open deliveries of a webhook in one of the trees, with keys before `end`, as this group leaves them.
/// `None` if there was none before it.
pub(super) fn open_before(
    staging: &Staging<'_>,
    webhook: WebhookNumber,
    end: &Key,
    limit: usize,
) -> Result<Option<Vec<Delivery>>, StoreError> {
    for tree in OPEN {
        let (mut open, mut some) = (Vec::new(), false);
        let start = layout::number(webhook).to_vec();
        if start >= *end {
            break;
        }
        for row in staging.disk().range(tree, start..end.clone()).take(limit) {
            let (key, _) = row?;
            // One that this group has settled has moved on, or has one more attempt: then it is met again.
            some = true;
            if let Some(value) = staging.get(tree, &key)? {
                open.push(read::delivery_row(tree, &key, &value)?);
            }
        }
        if some {
            return Ok(Some(open));
        }
    }
    Ok(None)
}
