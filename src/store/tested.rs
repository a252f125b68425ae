//! Tests: an event for one webhook alone, which is sent at once at somebody's word. What stays true: its delivery is written
//! once, with its one attempt, so it is never open and no lane sees it; and it counts for nothing that decides about its
//! webhook.

use super::error::Refusal;
use super::layout::{self, Tree};
use super::leaving::attempt_without_payload;
use super::message::{Accepted, NewEvent};
use super::publish::Wanting;
use super::staging::Staging;
use crate::domain::delivery::{Attempt, Cause, Delivery, Outcome};
use crate::domain::id::{AccountNumber, WebhookId};
use crate::domain::retry::Next;

impl Staging<'_> {
    /// Makes a test event for one webhook alone. Gives its delivery, which [`Self::put_tested`] writes down.
    pub fn accept_test(
        &mut self,
        account: AccountNumber,
        id: WebhookId,
        event: NewEvent,
    ) -> Result<(Accepted, Delivery), Refusal> {
        let webhook = self.webhook_of(account, id)?;
        let wanting = Wanting { webhooks: vec![webhook.number()], ..Wanting::default() };
        let event = self.put_event(account, event, wanting, Cause::Test)?;
        let delivery = Delivery::fresh(event.id.delivery_to(webhook.number()), event.id, Cause::Test);
        Ok((Accepted::of(&event, false), delivery))
    }

    /// Writes down a test's delivery with the attempt that was made.
    pub fn put_tested(&mut self, mut delivery: Delivery, attempt: &Attempt, success: bool) -> Result<(), Refusal> {
        let (id, key) = (delivery.id, layout::delivery(delivery.id));
        let account = self.registry().account_of_webhook(id.webhook());
        // Both may have been forgotten meanwhile; then nothing would ever take it away.
        let Some(account) = account else { return Ok(()) };
        let Some(event) = self.event_head(account, delivery.event)? else { return Ok(()) };
        self.count_new(&delivery);
        let sealed = match event.purged_at {
            Some(_) => self.seal_attempt(id, &attempt_without_payload(attempt.clone())),
            None => self.seal_attempt(id, attempt),
        };
        let next = match attempt.summary.outcome {
            _ if success => Next::Succeeded,
            Outcome::TooLarge(..) | Outcome::ShapeTooCostly(_) => Next::NotSent,
            _ => Next::Dead,
        };
        delivery.take_attempt(sealed, next);
        self.attempt_happens(&delivery, attempt.summary.number);
        let tally = self.tally(id.webhook());
        if next != Next::NotSent {
            tally.count_request(&attempt.summary, success);
            tally.minute.counts.count_attempt(&attempt.summary, success, false);
        }
        tally.count_end(delivery.state);
        let bytes = self.put(Tree::Closed, key, &delivery);
        self.delivery_bytes_come(id.webhook(), bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::DeliveryState;
    use crate::domain::webhook::Status;
    use crate::store::bench::{Bench, START, event, settlement};

    #[test]
    fn a_test_is_written_with_its_attempt_and_decides_nothing_about_its_webhook() {
        let mut bench = Bench::new();
        let id = bench.webhook_with(|_| {});
        let number = id.number();
        let failing = bench.publish().delivery_to(number);
        bench.store.settle(settlement(failing, 1, START, Next::RetryAt(START + 9)));
        bench.rest();
        let before = bench.store.tally(number).unwrap();
        let disabled = Status::Disabled { since: START, reason: "it failed".into(), probe_at: Some(START + 5_000) };
        let status = disabled.clone();
        bench.change(id, |webhook| webhook.status = status);
        for (success, state) in [(false, DeliveryState::Dead), (true, DeliveryState::Succeeded)] {
            let (_, delivery) = bench.now(move |staging| staging.accept_test(1, id, event()));
            assert_eq!(bench.keys(Tree::Fresh), [] as [layout::Key; 0], "no lane sees it");
            let made = settlement(delivery.id, 1, START, Next::Dead).attempt;
            let written = delivery.clone();
            bench.now(move |staging| staging.put_tested(written, &made, success));
            let stored = bench.store.delivery(delivery.id).unwrap().expect("it is written");
            assert_eq!((stored.state, stored.cause, stored.attempts), (state, Cause::Test, 1));
        }
        assert_eq!(bench.keys(Tree::Dead), [] as [layout::Key; 0], "nobody has to handle it");
        assert_eq!(bench.store.registry().webhook(number).unwrap().status, disabled, "nor is it a probe");
        let after = bench.store.tally(number).unwrap();
        assert_eq!((after.attempts, after.failed_attempts), (before.attempts + 2, before.failed_attempts + 1));
        assert_eq!((after.deliveries, after.dead, after.succeeded), (before.deliveries + 2, 1, 1));
        assert_eq!(after.consecutive_failures, before.consecutive_failures);
        assert_eq!((after.last_well_at(), after.failing_since), (before.last_well_at(), before.failing_since));
        assert_eq!((after.backoff, after.recent), (before.backoff, before.recent));
    }
}
