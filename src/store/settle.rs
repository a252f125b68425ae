//! Recording outcomes: an attempt, where its delivery stands after it, the counters, and a rule that disables its
//! webhook, all in one commit.

use serde_json::json;

use super::error::StoreError;
use super::layout::{self, Tree};
use super::leaving::attempt_without_payload;
use super::message::{Settled, Settlement};
use super::staging::Staging;
use crate::domain::backoff::Strain;
use crate::domain::delivery::{AttemptSummary, Delivery, DeliveryState, Outcome};
use crate::domain::disable::{DisableRule, Failures};
use crate::domain::happening::What;
use crate::domain::id::DeliveryId;
use crate::domain::retry::Next;
use crate::domain::time::{self, UnixMs};
use crate::domain::webhook::{Status, Webhook};

/// Why what is open of a deleted webhook ends.
pub const WEBHOOK_DELETED: &str = "the webhook was deleted";

impl Staging<'_> {
    /// Records what came of an attempt. Doing it twice changes nothing: a group that failed is settled again. Its place in
    /// its lane is free in any case.
    pub(super) fn settle(&mut self, settlement: &Settlement) -> Result<(), StoreError> {
        fail::fail_point!("store.settle");
        fail::fail_point!("store.outcome", |_| Err(StoreError::Broken("a failpoint".into())));
        let (id, told) = (settlement.delivery, self.notice.settled.len());
        let recorded = self.record(settlement);
        if matches!(recorded, Err(StoreError::Damaged(_))) && self.notice.settled.len() == told {
            self.tell_settled(id, None, Strain::Neutral);
        }
        recorded
    }

    fn record(&mut self, settlement: &Settlement) -> Result<(), StoreError> {
        let &Settlement { delivery: id, ref attempt, next, disable, strain, dice, rate_limited } = settlement;
        // What cannot be read cannot be settled either: the outcome is lost with its delivery's record.
        let stored = self.trees().readable(self.delivery(id))?.flatten();
        let Some(mut delivery) = stored.filter(|delivery| delivery.attempts < attempt.summary.number) else {
            self.tell_settled(id, None, Strain::Neutral);
            return Ok(());
        };
        let success = next == Next::Succeeded;
        let was_open = delivery.state.is_open();
        let first_attempt_at = delivery.first_attempt_at().unwrap_or(attempt.summary.started_at);
        // What was not sent counts for nothing but its own end.
        if next != Next::NotSent {
            let tally = self.tally(id.webhook());
            tally.count_attempt(&attempt.summary, success);
            tally.minute.counts.count_attempt(&attempt.summary, success, rate_limited);
            tally.count_strain(strain, &attempt.summary, dice);
        }
        if was_open {
            self.remove_open(&delivery)?;
        }
        let (ended_at, reason) = (delivery.ended_at, delivery.reason.take());
        // It was under way when its event's payload went: the answer may repeat that.
        let sealed = match !was_open && self.is_purged(&delivery)? {
            true => self.seal_attempt(id, &attempt_without_payload(attempt.clone())),
            false => self.seal_attempt(id, attempt),
        };
        if let Some(further) = delivery.take_attempt(sealed, next) {
            let bytes = self.put(Tree::Attempts, layout::attempt(id, further.summary.number), &further);
            self.delivery_bytes_come(id.webhook(), bytes);
        }
        let next_attempt_at = delivery.next_attempt_at.filter(|_| was_open);
        self.tell_settled(id, next_attempt_at, strain);
        if was_open {
            self.attempt_happens(&delivery, attempt.summary.number);
            self.put_after_attempt(&delivery)?;
            return self.judge_webhook(&delivery, &attempt.summary, next, first_attempt_at, disable);
        }
        // It was cancelled while this attempt was under way: it stays so, and shows the attempt.
        delivery.state = DeliveryState::Cancelled;
        (delivery.ended_at, delivery.reason, delivery.next_attempt_at) = (ended_at, reason, None);
        self.attempt_happens(&delivery, attempt.summary.number);
        let key = layout::delivery(id);
        let before = self.bytes_at(Tree::Closed, &key)?;
        self.delivery_bytes_gone(id.webhook(), before);
        let bytes = self.put(Tree::Closed, key, &delivery);
        self.delivery_bytes_come(id.webhook(), bytes);
        Ok(())
    }

    fn tell_settled(&mut self, delivery: DeliveryId, next_attempt_at: Option<UnixMs>, strain: Strain) {
        // A webhook that is forgotten keeps no counters.
        let is_known = self.registry().account_of_webhook(delivery.webhook()).is_some();
        let paused_until = if is_known { self.tally(delivery.webhook()).backoff.until } else { 0 };
        self.notice.settled.push(Settled { delivery, next_attempt_at, strain, paused_until });
    }

    /// Ends an open delivery without sending it.
    pub(super) fn cancel(&mut self, mut delivery: Delivery, reason: &str) -> Result<(), StoreError> {
        self.remove_open(&delivery)?;
        delivery.state = DeliveryState::Cancelled;
        delivery.next_attempt_at = None;
        delivery.ended_at = Some(self.now());
        delivery.reason = Some(reason.to_string());
        self.put_after_attempt(&delivery)
    }

    fn remove_open(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        let key = layout::delivery(delivery.id);
        let tree = match delivery.state {
            DeliveryState::Pending if delivery.place.is_some() && self.get(Tree::Blocked, &key)?.is_some() => {
                Tree::Blocked
            }
            DeliveryState::Pending => Tree::Fresh,
            _ => Tree::Waiting,
        };
        self.stage(tree, key, None);
        if let Some(at) = delivery.next_attempt_at {
            self.stage(Tree::Due, layout::due(at, delivery.id), None);
        }
        Ok(())
    }

    pub(super) fn put_after_attempt(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        match delivery.next_attempt_at {
            Some(at) => {
                self.put(Tree::Waiting, layout::delivery(delivery.id), delivery);
                self.stage(Tree::Due, layout::due(at, delivery.id), Some(Vec::new()));
                Ok(())
            }
            None => {
                let bytes = self.put(Tree::Closed, layout::delivery(delivery.id), delivery);
                self.delivery_bytes_come(delivery.id.webhook(), bytes);
                self.tally(delivery.id.webhook()).count_end(delivery.state);
                self.enter_dead_letters(delivery);
                if delivery.state == DeliveryState::Dead {
                    self.happens_to(delivery, What::Dead(delivery.id));
                }
                // One behind it that cannot be read is no matter of this one's.
                self.trees().readable(self.leave_order(delivery)).map(drop)
            }
        }
    }

    /// A failure may disable the webhook, or put off the next look at one that is disabled; a success ends that.
    fn judge_webhook(
        &mut self,
        delivery: &Delivery,
        attempt: &AttemptSummary,
        next: Next,
        first_attempt_at: UnixMs,
        rule: DisableRule,
    ) -> Result<(), StoreError> {
        let id = delivery.id;
        // It says nothing about the endpoint; of one that is disabled, the next one may go out.
        if next == Next::NotSent && delivery.state != DeliveryState::Dead {
            return Ok(());
        }
        let Some(webhook) = self.registry().webhook(id.webhook()) else { return Ok(()) };
        let now = self.now();
        if delivery.state == DeliveryState::Dead {
            self.notice_of_dead(&webhook, delivery)?;
        }
        if next == Next::NotSent {
            return Ok(());
        }
        let success = next == Next::Succeeded;
        let status = match webhook.status {
            Status::Active if success => return self.notice_of_recovery(&webhook),
            Status::Active => {
                let tally = self.tally(id.webhook());
                let failures = Failures {
                    gone: attempt.outcome == Outcome::Status(410),
                    dead: next == Next::Dead,
                    attempts: attempt.number,
                    first_attempt_at,
                    last_well_at: tally.last_well_at(),
                    in_a_row: tally.consecutive_failures,
                    since: tally.failing_since.unwrap_or(attempt.ended_at()),
                    ended_at: attempt.ended_at(),
                };
                let Some(reason) = rule.reason(&failures) else {
                    return self.notice_of_failing(&webhook, attempt);
                };
                let facts = json!({
                    "reason": reason,
                    "consecutive_failures": failures.in_a_row,
                    "failing_since": time::rfc3339(failures.since),
                    "open": tally.open(),
                });
                self.notice_of(&webhook, "webhook.disabled", facts)?;
                Status::Disabled { since: now, reason, probe_at: rule.probe_at(now) }
            }
            // What was under way when it was disabled tells nothing new.
            Status::Disabled { since, probe_at: Some(_), .. } if attempt.started_at < since => return Ok(()),
            Status::Disabled { since, probe_at: Some(_), .. } if success => {
                self.tally(id.webhook()).forgive(now);
                let facts = json!({"disabled_since": time::rfc3339(since), "by": "probe"});
                self.notice_of(&webhook, "webhook.recovered", facts)?;
                Status::Active
            }
            Status::Disabled { since, ref reason, probe_at: Some(_) } => {
                Status::Disabled { since, reason: reason.clone(), probe_at: rule.probe_at(now) }
            }
            _ => return Ok(()),
        };
        self.put_webhook(Webhook { status, ..(*webhook).clone() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::disable::After;
    use crate::domain::order::{OnDead, Order};
    use crate::store::bench::{Bench, START, settlement};
    use crate::store::message::{Listener, Notice};
    use crate::store::record;
    use std::sync::{Arc, Mutex};

    /// What was told of outcomes.
    #[derive(Default)]
    struct Told(Mutex<Vec<DeliveryId>>);

    impl Listener for Told {
        fn notice(&self, notice: Notice) {
            self.0.lock().unwrap().extend(notice.settled.iter().map(|settled| settled.delivery));
        }
    }

    #[test]
    fn an_outcome_that_meets_a_row_which_cannot_be_read_is_told_once() {
        for is_met_first in [true, false] {
            let mut bench = Bench::new();
            let told = Arc::new(Told::default());
            bench.store.listen(told.clone());
            let order = Order { key: None, on_dead: OnDead::Skip };
            let webhook = bench.webhook_with(|webhook| webhook.order = Some(order)).number();
            let id = bench.publish().delivery_to(webhook);
            match is_met_first {
                true => bench.damage(Tree::Blocked, &layout::delivery(id)),
                false => bench.damage(Tree::Ordered, &layout::ordered(webhook, 0, id)),
            }
            // Nothing of it is put aside before.
            bench.store.0.reports.take(1);
            bench.settle(id, 1, Next::Succeeded);
            assert_eq!(*told.0.lock().unwrap(), [id], "{is_met_first}");
        }
    }

    #[test]
    fn one_that_waits_behind_another_leaves_nothing_there_when_it_is_cancelled() {
        let mut bench = Bench::new();
        let order = Order { key: None, on_dead: OnDead::Skip };
        let webhook = bench.webhook_with(|webhook| webhook.order = Some(order)).number();
        let [head, behind] = [(); 2].map(|()| layout::delivery(bench.publish().delivery_to(webhook)));
        assert_eq!((bench.keys(Tree::Fresh), bench.keys(Tree::Blocked)), (vec![head.clone()], vec![behind.clone()]));
        bench.now(move |staging| {
            let delivery = staging.delivery(layout::read_delivery(&behind))?.expect("it is there");
            Ok(staging.cancel(delivery, "by request")?)
        });
        assert_eq!((bench.keys(Tree::Fresh), bench.keys(Tree::Blocked)), (vec![head], vec![]));
    }

    fn settle_by(bench: &mut Bench, disable: DisableRule, settlement: Settlement) -> Status {
        let webhook = settlement.delivery.webhook();
        bench.store.settle(Settlement { disable, ..settlement });
        bench.rest();
        bench.store.registry().webhook(webhook).unwrap().status.clone()
    }

    #[test]
    fn an_answer_that_counts_as_a_success_disables_nothing() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        let gone = |delivery, next| {
            let mut settlement = settlement(delivery, 1, START, next);
            settlement.attempt.summary.outcome = Outcome::Status(410);
            settlement
        };
        let rule = DisableRule { gone: true, ..DisableRule::default() };
        let [success, failure] = [(); 2].map(|()| bench.publish().delivery_to(webhook));
        assert_eq!(settle_by(&mut bench, rule, gone(success, Next::Succeeded)), Status::Active);
        assert!(matches!(settle_by(&mut bench, rule, gone(failure, Next::Dead)), Status::Disabled { .. }));
    }

    #[test]
    fn a_delivery_that_is_tried_again_has_not_used_up_its_retries() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        let id = bench.publish().delivery_to(webhook);
        let rule = DisableRule { after: After::Deliveries, ..DisableRule::default() };
        let again = settlement(id, 1, START, Next::RetryAt(START + 1));
        assert_eq!(settle_by(&mut bench, rule, again), Status::Active);
        let last = settlement(id, 2, START, Next::Dead);
        assert!(matches!(settle_by(&mut bench, rule, last), Status::Disabled { .. }));
    }

    #[test]
    fn what_disables_lies_on_the_disk_where_there_was_a_flag() {
        #[derive(serde::Serialize)]
        struct Before(bool, bool, Option<u32>, Option<u64>, Option<u64>);
        for (exhausted, after) in [(false, After::Never), (true, After::Deliveries)] {
            let rule = DisableRule { gone: true, after, failing_seconds: Some(9), ..DisableRule::default() };
            let before = record::encode(&Before(true, exhausted, None, Some(9), None));
            assert_eq!(record::decode::<DisableRule>(&before), Ok(rule));
            assert_eq!(record::encode(&rule), before);
        }
    }

    #[test]
    fn so_many_failed_attempts_of_a_delivery_disable_and_the_rest_is_held() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        let [one, other] = [(); 2].map(|()| bench.publish().delivery_to(webhook));
        let rule = DisableRule { after: After::Attempts(2), ..DisableRule::default() };
        let again = |id, number| settlement(id, number, START + 1, Next::RetryAt(START + 2));
        assert_eq!(settle_by(&mut bench, rule, again(one, 1)), Status::Active);
        assert_eq!(settle_by(&mut bench, rule, again(other, 1)), Status::Active, "each counts for itself");
        assert!(matches!(settle_by(&mut bench, rule, again(one, 2)), Status::Disabled { .. }));
        assert!(bench.store.delivery(one).unwrap().is_some_and(|delivery| delivery.state.is_open()));
    }

    #[test]
    fn what_is_not_sent_ends_without_a_trace_in_the_counters() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        let id = bench.publish().delivery_to(webhook);
        let mut not_sent = settlement(id, 1, START, Next::NotSent);
        not_sent.attempt.summary.outcome = Outcome::TooLarge(2, 1);
        let rule = DisableRule { after: After::Deliveries, consecutive_failures: Some(1), ..DisableRule::default() };
        assert_eq!(settle_by(&mut bench, rule, not_sent), Status::Active);
        let tally = bench.store.tally(webhook).unwrap();
        assert_eq!((tally.attempts, tally.failed_attempts, tally.consecutive_failures), (0, 0, 0));
        assert_eq!((tally.dead, tally.cancelled, tally.open()), (0, 1, 0));
        assert_eq!((bench.keys(Tree::Closed).len(), bench.keys(Tree::Dead).len()), (1, 0));
    }

    #[test]
    fn what_was_under_way_when_its_webhook_was_disabled_tells_nothing_new() {
        let rule = DisableRule { probe_after_seconds: Some(60), ..DisableRule::default() };
        let disabled = Status::Disabled { since: START, reason: "it failed".into(), probe_at: Some(START + 5_000) };
        for next in [Next::Succeeded, Next::Dead] {
            let mut bench = Bench::new();
            let id = bench.webhook_with(|_| {});
            let [before, after] = [(); 2].map(|()| bench.publish().delivery_to(id.number()));
            let status = disabled.clone();
            bench.change(id, |webhook| webhook.status = status);
            assert_eq!(settle_by(&mut bench, rule, settlement(before, 1, START - 1, next)), disabled);
            assert_ne!(settle_by(&mut bench, rule, settlement(after, 1, START, next)), disabled);
        }
    }

    #[test]
    fn one_behind_it_that_cannot_be_read_keeps_no_outcome_from_disabling_its_webhook() {
        let mut bench = Bench::new();
        let order = Order { key: None, on_dead: OnDead::Skip };
        let webhook = bench.webhook_with(|webhook| webhook.order = Some(order)).number();
        let [head, behind] = [(); 2].map(|()| bench.publish().delivery_to(webhook));
        bench.damage(Tree::Blocked, &layout::delivery(behind));
        let disable = DisableRule { after: After::Deliveries, ..DisableRule::default() };
        let status = settle_by(&mut bench, disable, settlement(head, 1, START + 1, Next::Dead));
        assert!(matches!(status, Status::Disabled { .. }), "{status:?}");
    }
}
