//! Makes earlier what is due too far ahead: after a schedule became shorter, and after the clock was set back.

use super::duty::{STEP_ROWS_MAX, keys_from};
use super::error::StoreError;
use super::layout::{self, Key, Tree, end_of};
use super::staging::Staging;
use crate::domain::delivery::Delivery;
use crate::domain::id::WebhookNumber;
use crate::domain::time::UnixMs;
use crate::domain::webhook::{Status, Webhook};

/// What an attempt can end later than now, as clocks are read: that much is no clock that was set back.
const SKEW_MS: u64 = 1_000;

/// Whether what has happened is yet to come: then the clock was set back since.
pub(super) fn is_to_come(at: UnixMs, now: UnixMs) -> bool {
    at > now + SKEW_MS
}

/// Whether it was paused until a time by a clock that was set back since, and that time was not pulled in yet.
pub(super) fn lasts_too_long(webhook: &Webhook, now: UnixMs) -> bool {
    let Status::Paused { since } = webhook.status else { return false };
    is_to_come(since, now) && webhook.resumes_at.is_some_and(|at| at > since)
}

impl Staging<'_> {
    /// Backoff, pause and probe of a webhook, seen from now.
    pub(super) fn pull_in_webhook(&mut self, webhook: &Webhook) {
        let now = self.now();
        let tally = self.tally(webhook.number());
        let last = tally.last_attempt_at.unwrap_or(now);
        let seen = |at: UnixMs| if at > last { at.min(now + (at - last)) } else { at };
        let backoff = &mut tally.backoff;
        // Nothing was out when the clock was set back: what goes out from now on is news.
        (backoff.since, backoff.until) = (backoff.since.min(now.saturating_sub(1)), backoff.paused_until(now));
        match &webhook.status {
            Status::Disabled { since, reason, probe_at } => {
                let (since, reason, probe_at) = ((*since).min(now), reason.clone(), probe_at.map(seen));
                self.put_webhook(Webhook { status: Status::Disabled { since, reason, probe_at }, ..webhook.clone() });
            }
            // It lasts no longer than somebody said. Since when it does stays: by that is told how long its deliveries are held.
            Status::Paused { since } if lasts_too_long(webhook, now) => {
                let resumes_at = webhook.resumes_at.map(|at| now + (at - since));
                self.put_webhook(Webhook { resumes_at, ..webhook.clone() });
            }
            _ => {}
        }
    }

    /// Nothing that is counted of the webhook is yet to come.
    pub(super) fn leave_no_attempt_to_come(&mut self, webhook: WebhookNumber) {
        let now = self.now();
        let tally = self.tally(webhook);
        for at in
            [&mut tally.last_attempt_at, &mut tally.last_success_at, &mut tally.failing_since, &mut tally.enabled_at]
        {
            *at = at.map(|at| at.min(now));
        }
    }

    /// Retries of the webhook that are due after `latest` are due then: its schedule is shorter than it was. Some a call;
    /// the webhook counts as changed if any was, so that somebody looks again. What follows from an attempt that is yet to
    /// come is left to `upkeep::set_back`: seen from now it is due by its own delay, which would be lost.
    pub(super) fn pull_in(&mut self, webhook: WebhookNumber, latest: UnixMs) -> Result<(), StoreError> {
        let from = layout::due_end(webhook, latest);
        let (keys, _) = keys_from(self, Tree::Due, &from, &end_of(webhook), STEP_ROWS_MAX)?;
        for key in keys {
            let follows = |delivery: &Delivery, now| {
                delivery.latest_attempt().is_some_and(|last| is_to_come(last.ended_at(), now))
            };
            if self.pull_in_retry(&key, |delivery, now| (!follows(delivery, now)).then_some(latest))? {
                self.notice.changed.push(webhook);
            }
        }
        Ok(())
    }

    /// Makes a retry due when `latest` says, if that is earlier, and says whether it was. `key` is its row of `due`.
    pub(super) fn pull_in_retry(
        &mut self,
        key: &Key,
        latest: impl Fn(&Delivery, UnixMs) -> Option<UnixMs>,
    ) -> Result<bool, StoreError> {
        let due_at = layout::read_due(key);
        let waiting = self.load::<Delivery>(Tree::Waiting, &layout::delivery(layout::read_delivery(key)));
        let waiting = self.trees().readable(waiting)?.flatten();
        let Some(mut delivery) = waiting.filter(|one| one.next_attempt_at == Some(due_at)) else {
            // What this group has settled has moved on, and leaves no row behind.
            self.stage(Tree::Due, key.clone(), None);
            return Ok(false);
        };
        if let Some(at) = latest(&delivery, self.now()).filter(|at| *at < due_at) {
            self.stage(Tree::Due, key.clone(), None);
            delivery.next_attempt_at = Some(at);
            self.put_after_attempt(&delivery)?;
            return Ok(true);
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backoff::Backoff;
    use crate::domain::retry::Next;
    use crate::store::bench::{Bench, START};

    #[test]
    fn a_second_ahead_is_no_clock_that_was_set_back() {
        assert_eq!([999, 1_000, 1_001].map(|ahead| is_to_come(START + ahead, START)), [false, false, true]);
    }

    #[test]
    fn what_is_due_then_is_made_no_earlier() {
        let mut bench = Bench::new();
        let id = bench.webhook();
        let delivery = bench.publish().delivery_to(id);
        let due_at = START + 5_000;
        bench.settle(delivery, 1, Next::RetryAt(due_at));
        let pull_in = move |latest| {
            move |staging: &mut Staging<'_>| {
                Ok(staging.pull_in_retry(&layout::due(due_at, delivery), |_, _| Some(latest))?)
            }
        };
        assert!(!bench.now(pull_in(due_at)));
        assert_eq!(bench.store.latest_due(id), Ok(Some(due_at)));
        assert!(bench.now(pull_in(due_at - 1)));
        assert_eq!(bench.store.latest_due(id), Ok(Some(due_at - 1)));
    }

    #[test]
    fn what_goes_out_once_the_clock_was_set_back_is_news() {
        let mut bench = Bench::new();
        let id = bench.webhook();
        bench.now(move |staging| {
            staging.tally(id).backoff = Backoff { step: 0, since: START + 60_000, until: START + 62_000 };
            let webhook = staging.registry().webhook(id).expect("it is there").clone();
            staging.pull_in_webhook(&webhook);
            Ok(())
        });
        let backoff = bench.store.tally(id).expect("it is read").backoff;
        assert!(backoff.since < START, "an attempt that starts in the same millisecond came after it");
        assert_eq!(backoff.until, START + 2_000);
    }
}
