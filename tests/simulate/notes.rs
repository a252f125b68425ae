//! What was recorded: the oracle takes it in, and holds it against the rules.

use hookwheel::domain::delivery::{AttemptSummary, Delivery, DeliveryState, Outcome};
use hookwheel::domain::id::DeliveryId;
use hookwheel::domain::order::OnDead;
use hookwheel::domain::time::UnixMs;
use hookwheel::domain::webhook::Webhook;
use hookwheel::store::{Retention, Settled};

use crate::flights::RETRY_AFTER_MAX;
use crate::oracle::Turn;
use crate::plan::{HOUR, START};
use crate::spared::Said;
use crate::world::World;

impl World {
    /// The oracle takes in what was recorded of a delivery.
    pub fn note(&mut self, settled: Settled) {
        let id = settled.delivery;
        let webhook = self.webhook(id.webhook());
        self.note_strain(settled, &webhook);
        let Some(delivery) = self.stored(id) else { return self.note_gone(id) };
        let seen = self.oracle.seen.get_mut(&id).unwrap();
        assert_eq!(delivery.attempts, seen.recorded + 1, "every attempt is recorded once");
        seen.recorded += 1;
        seen.ended = !delivery.state.is_open();
        if delivery.state != DeliveryState::Cancelled {
            let ended_at = delivery.latest_attempt().filter(|_| !is_our_fault(&delivery)).map(AttemptSummary::ended_at);
            self.check_rule(&webhook, ended_at);
        }
        if let Some(next) = delivery.next_attempt_at {
            self.note_next(&delivery, next);
        }
        let holds = webhook.order.as_ref().is_some_and(|order| order.on_dead == OnDead::Hold);
        match delivery.state {
            DeliveryState::Dead if holds => self.oracle.turn_is(id, Turn::Holding),
            DeliveryState::Dead | DeliveryState::Succeeded => self.oracle.turn_is(id, Turn::Past),
            DeliveryState::Pending | DeliveryState::Scheduled => {}
            DeliveryState::Cancelled => self.oracle.turn_is(id, Turn::Past),
        }
    }

    /// It is to be tried again then.
    fn note_next(&mut self, delivery: &Delivery, next: UnixMs) {
        let latest = delivery.latest_attempt().unwrap();
        let (delay, jitter) = self.delay(delivery);
        let waited = next - latest.ended_at();
        let asked = if latest.outcome == Outcome::Status(429) { RETRY_AFTER_MAX } else { 0 };
        let longest = (delay + jitter).max(asked);
        assert!((delay..=longest).contains(&waited), "waited {waited}, schedule {delay} + {jitter}");
        let seen = self.oracle.seen.get_mut(&delivery.id).unwrap();
        (seen.not_before, seen.failed_at) = (next, latest.ended_at());
    }

    /// The delay after its latest attempt, and how much may be added by chance.
    fn delay(&self, delivery: &Delivery) -> (u64, u64) {
        if is_our_fault(delivery) {
            return (HOUR, 0);
        }
        let schedule = self.schedule(delivery.id.webhook());
        let delay = schedule.delay_seconds[usize::from(delivery.attempts) - 1] * 1000;
        (delay, delay * u64::from(schedule.jitter_percent) / 100)
    }

    /// The oracle takes in what was said of the endpoint.
    fn note_strain(&mut self, settled: Settled, webhook: &Webhook) {
        let (id, max) = (settled.delivery, webhook.max_in_flight.unwrap() as usize);
        // What is long on its way to the disk is recorded later than it was answered.
        let attempted = self.stored(id).and_then(|delivery| Some(delivery.latest_attempt()?.ended_at()));
        let ended_at = attempted.unwrap_or(self.clock.now());
        let seen = self.oracle.seen.get_mut(&id).unwrap();
        seen.out = false;
        let (said, is_probe) = (seen.said.take().expect("it was answered"), std::mem::take(&mut seen.probe));
        let spared = self.oracle.spared.get_mut(&id.webhook()).unwrap();
        spared.ever |= !webhook.is_active();
        spared.heard(id, said, ended_at, settled.paused_until, max);
        if is_probe && said == Said::Yes {
            spared.forgiven();
        }
    }

    /// Retention took it at once, or it cannot be read any more.
    fn note_gone(&mut self, id: DeliveryId) {
        assert!(self.may_be_lost(id), "{id} is gone, and nothing takes it");
        self.oracle.ended_unsent(id);
        self.oracle.spared.get_mut(&id.webhook()).unwrap().ever = true;
    }

    pub fn may_be_gone(&self) -> bool {
        self.plan.retention.events_ms.is_some() || self.plan.retention.bytes_max.is_some()
    }

    /// An active webhook never has what its rule disables it for. For how long it has failed is judged when an attempt of
    /// its endpoint ends: `judged_at`.
    fn check_rule(&self, webhook: &Webhook, judged_at: Option<UnixMs>) {
        let Some(rule) = webhook.disable.filter(|_| webhook.is_active()) else { return };
        let tally = self.core.store.tally(webhook.number()).unwrap();
        let too_many = rule.consecutive_failures.is_some_and(|n| tally.consecutive_failures >= u64::from(n));
        assert!(!too_many, "{} failures in a row, {rule:?}", tally.consecutive_failures);
        if let (Some(since), Some(last), Some(seconds)) =
            (tally.failing_since, tally.last_attempt_at.filter(|last| judged_at == Some(*last)), rule.failing_seconds)
        {
            assert!(last.saturating_sub(since) < seconds * 1000, "failing from {since} to {last}, {rule:?}");
        }
    }

    /// Whether retention may have taken it by now, as far as age alone decides.
    fn is_old_enough(&self, id: DeliveryId) -> bool {
        let Retention { events_ms: Some(age), bytes_max: None, .. } = self.plan.retention else { return true };
        // Of a replay the event is older.
        let is_first = self.oracle.seen[&id].is_first;
        !is_first || self.plan.jumps || self.is_damaged(id) || self.clock.now() >= id.time() + age
    }

    /// Learns which deliveries ended without being sent: held for too long, or taken by retention.
    pub fn learn_ends(&mut self, of: Vec<DeliveryId>) {
        for id in of {
            let past = match self.stored(id) {
                None => {
                    let was_cancelled = self.clock.now() > START + self.plan.retention.hold_ms;
                    let ended = self.oracle.seen[&id].ended;
                    let may_be = ended || (was_cancelled && self.may_be_gone());
                    assert!(may_be || self.is_damaged(id), "{id} is gone before it ended");
                    assert!(self.is_old_enough(id), "{id} is gone too early");
                    true
                }
                Some(delivery) => delivery.state == DeliveryState::Cancelled,
            };
            if past {
                self.oracle.ended_unsent(id);
            }
        }
    }
}

/// Whether its sender panicked over its latest attempt: that follows no schedule.
fn is_our_fault(delivery: &Delivery) -> bool {
    let latest = delivery.latest_attempt().map(|attempt| &attempt.outcome);
    matches!(latest, Some(Outcome::Unsendable(why)) if why.contains("an internal error"))
}
