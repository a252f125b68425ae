//! Ends what was held for too long: open deliveries of a webhook that has not been active for the whole of the hold
//! limit, once they are that old themselves. The operator is told some days before.

use serde_json::json;

use super::Retention;
use super::StoreError;
use super::ending::{cancel_some, open_before};
use super::layout;
use super::staging::Staging;
use super::upkeep::{Duty, end_of};
use crate::domain::id::{DeliveryId, WebhookNumber};
use crate::domain::time::{self, DAY_MS, UnixMs};
use crate::domain::webhook::{Status, Webhook};

/// Between passes.
const EVERY_MS: u64 = 60 * 60 * 1000;
/// The operator is told so long before, or for half of a shorter limit.
const WARN_MS: u64 = 3 * DAY_MS;

/// The pass over the webhooks.
pub struct Holds {
    hold_ms: u64,
    /// It looks at this webhook next.
    webhook: WebhookNumber,
    /// When its next step is due.
    at: UnixMs,
}

impl Holds {
    /// A pass that begins at once.
    pub fn new(retention: &Retention) -> Self {
        Self { hold_ms: retention.hold_ms, webhook: 0, at: 0 }
    }
}

impl Duty for Holds {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        Some(self.at)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let (now, keeping) = (staging.now(), staging.keeping());
        let next =
            staging.registry().webhooks_from(self.webhook).find(|webhook| held_since(webhook).is_some()).cloned();
        let Some(webhook) = next else {
            (self.webhook, self.at) = (0, now + EVERY_MS);
            return Ok(());
        };
        self.webhook = webhook.number();
        let since = held_since(&webhook).expect("it was found by that");
        if keeping >= since + self.hold_ms {
            // Ids begin with their time: what is older than the limit lies before this key.
            let end = layout::delivery(DeliveryId::first_at(keeping - self.hold_ms, webhook.number()));
            let days = self.hold_ms / DAY_MS;
            let reason = format!("hold_expired: its webhook was not active for {days} days");
            if cancel_some(staging, webhook.number(), &end, &reason)? {
                // Whoever has read them ahead, for a probe, reads again.
                staging.notice.changed.push(webhook.number());
                return Ok(());
            }
        }
        self.warn(staging, &webhook, since)?;
        self.webhook = webhook.number() + 1;
        Ok(())
    }
}

impl Holds {
    /// Tells the operator once a hold.
    fn warn(&self, staging: &mut Staging<'_>, webhook: &Webhook, since: UnixMs) -> Result<(), StoreError> {
        let ends_at = since + self.hold_ms;
        let warn_at = ends_at - WARN_MS.min(self.hold_ms / 2);
        let is_warned = staging.tally(webhook.number()).hold_warned_at.is_some_and(|at| at >= since);
        if staging.keeping() < warn_at || is_warned {
            return Ok(());
        }
        if open_before(staging, webhook.number(), &end_of(webhook.number()), 1)?.is_none() {
            return Ok(());
        }
        let now = staging.now();
        let tally = staging.tally(webhook.number());
        tally.hold_warned_at = Some(now);
        let held = tally.open();
        let facts = json!({
            "held_since": time::rfc3339(since), "held": held, "cancelled_from": time::rfc3339(ends_at),
        });
        staging.notice_of(webhook, "webhook.hold_expiring", facts)
    }
}

/// Since when a webhook's deliveries are held.
fn held_since(webhook: &Webhook) -> Option<UnixMs> {
    match webhook.status {
        Status::Paused { since } | Status::Disabled { since, .. } => Some(since),
        Status::Active if !webhook.is_active() => Some(webhook.updated_at),
        Status::Active | Status::Deleted { .. } => None,
    }
}
