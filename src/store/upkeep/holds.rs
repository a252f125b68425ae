//! Ends what was held for too long: open deliveries of a webhook that has not been active for the whole of the hold
//! limit, once they are that old themselves. The operator is told some days before.

use serde_json::json;

use super::ending::{cancel_some, open_before};
use super::sweep::Swept;
use crate::domain::id::{DeliveryId, WebhookNumber};
use crate::domain::time::{self, DAY_MS, UnixMs};
use crate::domain::webhook::{Status, Webhook};
use crate::store::error::StoreError;
use crate::store::layout::{self, end_of};
use crate::store::settings::Retention;
use crate::store::staging::Staging;

/// The operator is told so long before, or for half of a shorter limit.
const WARN_MS: u64 = 3 * DAY_MS;

/// Webhooks whose deliveries are held.
pub struct Holds {
    hold_ms: u64,
}

impl Holds {
    /// Those that are held for longer than retention says.
    pub fn new(retention: &Retention) -> Self {
        Self { hold_ms: retention.hold_ms }
    }
}

impl Swept for Holds {
    type Place = WebhookNumber;

    fn some(&mut self, staging: &mut Staging<'_>, from: WebhookNumber) -> Result<Option<WebhookNumber>, StoreError> {
        let now = staging.keeping();
        let next = staging.registry().held_webhooks_from(from).next();
        let Some(webhook) = next else { return Ok(None) };
        let since = held_since(&webhook).expect("it was found by that");
        if now >= since + self.hold_ms {
            // Ids begin with their time: what is older than the limit lies before this key.
            let end = layout::delivery(DeliveryId::first_at(now - self.hold_ms, webhook.number()));
            let days = self.hold_ms / DAY_MS;
            let reason = format!("hold_expired: its webhook was not active for {days} days");
            if cancel_some(staging, webhook.number(), &end, &reason)? {
                // Whoever has read them ahead, for a probe, reads again.
                staging.notice.changed.push(webhook.number());
                return Ok(Some(webhook.number()));
            }
        }
        self.warn(staging, &webhook, since)?;
        Ok(Some(webhook.number() + 1))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::webhook::Ownership;
    use crate::store::bench::{Bench, START, webhook};

    fn hold(days: u64) -> Retention {
        Retention { hold_ms: days * DAY_MS, ..Retention::default() }
    }

    #[test]
    fn what_is_old_is_held_for_the_whole_limit_once_its_webhook_is_paused() {
        let mut bench = Bench::keeping(hold(10));
        let id = bench.webhook_with(|_| {});
        let delivery = bench.publish().delivery_to(id.number());
        bench.turn(20 * DAY_MS);
        let since = bench.clock.now();
        bench.change(id, move |webhook| webhook.status = Status::Paused { since });
        let is_open = |bench: &Bench| bench.store.delivery(delivery).unwrap().unwrap().state.is_open();
        bench.turn(10 * DAY_MS - 1);
        assert!(is_open(&bench));
        bench.turn(time::HOUR_MS);
        assert!(!is_open(&bench));
    }

    #[test]
    fn the_operator_is_told_three_days_before_or_at_half_of_a_shorter_limit() {
        for (days, told_after) in [(10, 7 * DAY_MS), (4, 2 * DAY_MS)] {
            let mut bench = Bench::keeping(hold(days));
            let operator = bench.operator("webhook.hold_expiring");
            let id = bench.webhook_with(|webhook| webhook.status = Status::Paused { since: START });
            bench.publish();
            bench.turn(told_after - time::HOUR_MS);
            assert_eq!(bench.events(operator), 0, "{days}");
            bench.turn(2 * time::HOUR_MS);
            bench.turn(2 * time::HOUR_MS);
            assert_eq!(bench.events(operator), 1, "{days}");
            assert!(bench.store.tally(id.number()).unwrap().hold_warned_at.is_some());
        }
    }

    #[test]
    fn deliveries_are_held_while_their_webhook_is_not_active() {
        let with = |status, ownership| Webhook { status, ownership, updated_at: 7, ..webhook() };
        let of = |status, ownership| held_since(&with(status, ownership));
        let disabled = Status::Disabled { since: 5, reason: "it failed".into(), probe_at: None };
        assert_eq!(of(Status::Paused { since: 5 }, Ownership::NotAsked), Some(5));
        assert_eq!(of(disabled, Ownership::NotAsked), Some(5));
        assert_eq!(of(Status::Active, Ownership::Again { reason: "it moved".into() }), Some(7));
        assert_eq!(of(Status::Active, Ownership::Proven), None);
        assert_eq!(of(Status::Deleted { since: 5 }, Ownership::NotAsked), None);
    }
}
