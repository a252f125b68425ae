//! What must hold at the end of a run.

use hookwheel::domain::delivery::DeliveryState;
use hookwheel::domain::id::{DeliveryId, EventId, WebhookNumber};
use hookwheel::domain::stats::{Counts, Series, Span, Step};
use hookwheel::domain::time::DAY_MS;
use hookwheel::domain::walk::Walk;

use crate::plan::{HOUR, Kept, START};
use crate::world::World;

const SECOND: u64 = 1_000;

impl World {
    /// At the end, some hours later: every delivery has ended, or is held by a webhook that is not active, or waits
    /// behind a dead letter. Gives the number of retries that were held to be on time.
    pub fn check(&mut self) -> usize {
        self.settle_down();
        if self.damaged.is_nothing() {
            // A start would set free what is stuck.
            self.check_deliveries();
        }
        self.scrub();
        self.settle_down();
        self.check_deliveries();
        let counted = self.webhooks.iter().map(|id| self.check_tally(id.number()));
        let all = counted.fold([0; 3], |all, one| [all[0] + one[0], all[1] + one[1], all[2] + one[2]]);
        assert_eq!(self.counted(Series::Account(1)), all, "an account is its webhooks together");
        self.check_retention();
        self.check_bodies();
        let jobs = self.core.store.jobs(1, Walk::newest(1000)).unwrap().rows;
        assert!(self.oracle.job.is_none() && jobs.iter().all(|job| !job.is_running()), "{jobs:?}");
        let soundness = self.core.store.soundness();
        assert!(soundness.differences.is_empty(), "{soundness:?}");
        self.check_nodes();
        self.timely
    }

    /// What was written ahead is there with its event, and nothing else of it.
    fn check_bodies(&self) {
        if self.plan.kept != Kept::Memory || !self.damaged.is_nothing() {
            return;
        }
        let stored = |id: &&EventId| self.core.store.event(1, **id).unwrap().is_some();
        let events = self.oracle.events.iter().filter(stored).count();
        let bodies = self.place.memory().keys("bodies");
        assert_eq!(bodies.len(), if self.plan.is_ahead() { events } else { 0 });
        let pieces = self.place.memory().keys("chunks");
        let is_of_one = |piece: &Vec<u8>| bodies.iter().any(|body| piece.starts_with(body));
        assert!(pieces.iter().all(is_of_one), "a piece is left over");
    }

    /// Some hours pass.
    fn settle_down(&mut self) {
        // What retention takes can set free what waited behind it, and that is taken later.
        let mut known = None;
        while known != Some(self.counts()) {
            known = Some(self.counts());
            for _ in 0..3 {
                self.clock.turn_to(self.clock.now() + 2 * HOUR);
                self.commit();
                self.run();
            }
        }
    }

    fn check_deliveries(&mut self) {
        self.learn_ends(self.oracle.seen.keys().copied().collect());
        for (id, seen) in &self.oracle.seen {
            assert!(!seen.out, "{id} is out, and nobody has it");
            self.check_delivery(*id, seen.ended);
        }
    }

    /// After a start all rows are looked at.
    fn scrub(&mut self) {
        self.crash();
        if self.plan.kept == Kept::Database {
            return;
        }
        while !self.core.store.soundness().is_scrubbed {
            self.clock.turn_to(self.clock.now() + SECOND);
            self.commit();
        }
    }

    /// What changes as long as something happens.
    fn counts(&self) -> (u64, u64) {
        let tallies = self.webhooks.iter().map(|id| self.core.store.tally(id.number()).unwrap());
        (self.core.store.kept_bytes(), tallies.map(|tally| tally.open() + tally.attempts).sum())
    }

    fn check_delivery(&self, id: DeliveryId, ended: bool) {
        let Some(delivery) = self.stored(id) else {
            let ended = ended || self.clock.now() > START + self.plan.retention.hold_ms;
            let is_damaged = self.is_damaged(id);
            let may_be = (ended && self.may_be_gone()) || is_damaged || self.oracle.seen[&id].is_lost;
            return assert!(may_be, "{id} is lost");
        };
        let webhook = self.webhook(id.webhook());
        match delivery.state {
            DeliveryState::Succeeded | DeliveryState::Dead => assert!(ended),
            DeliveryState::Pending | DeliveryState::Scheduled => {
                let waits = self.oracle.is_held_up(id);
                assert!(
                    !webhook.is_active() || waits,
                    "{delivery:?} is open though its webhook is active: {webhook:?} {:?}",
                    self.oracle.orders
                );
            }
            DeliveryState::Cancelled => {
                let held_long = self.clock.now() > START + self.plan.retention.hold_ms;
                let reason = delivery.reason.as_deref().unwrap_or_default();
                let is_discarded = self.oracle.discarded.contains(&id) && reason.starts_with("discarded");
                let is_expired = held_long && reason.starts_with("hold_expired");
                let has_no_event = self.damaged.events.contains(&delivery.event) && reason.contains("its event");
                assert!(is_discarded || is_expired || has_no_event, "{id} was cancelled: {reason}");
            }
        }
        let attempts = self.core.store.attempts(&delivery).unwrap();
        let is_damaged = self.damaged.attempts.contains(&id);
        assert!(attempts.len() == usize::from(delivery.attempts) || is_damaged, "every attempt is kept");
    }

    /// Gives what was counted about the webhook.
    fn check_tally(&self, webhook: WebhookNumber) -> [u64; 3] {
        let tally = self.core.store.tally(webhook).unwrap();
        let made = self.oracle.seen.iter().filter(|(id, seen)| id.webhook() == webhook && !seen.is_lost).count();
        assert_eq!(tally.deliveries, made as u64);
        let deliveries = self.core.all_deliveries(webhook);
        let open = deliveries.iter().filter(|delivery| delivery.state.is_open()).count();
        assert_eq!(tally.open(), open as u64);
        if !self.may_be_gone() && self.damaged.deliveries.is_empty() {
            let count = |state| deliveries.iter().filter(|delivery| delivery.state == state).count() as u64;
            assert_eq!(tally.succeeded, count(DeliveryState::Succeeded));
            assert_eq!(tally.dead, count(DeliveryState::Dead));
            assert_eq!(tally.attempts, deliveries.iter().map(|delivery| u64::from(delivery.attempts)).sum::<u64>());
        }
        let counted = self.counted(Series::Webhook(webhook));
        assert_eq!(counted, [tally.deliveries, tally.attempts, tally.succeeded], "by day");
        counted
    }

    /// Deliveries, attempts and successes, as the statistics by day say.
    fn counted(&self, series: Series) -> [u64; 3] {
        let span = Span { step: Step::Day, from: 0, to: 100_000 * DAY_MS };
        let days = self.core.store.stats(series, span, self.clock.now()).unwrap().points;
        let add =
            |all: [u64; 3], day: &Counts| [all[0] + day.deliveries, all[1] + day.attempts(), all[2] + day.succeeded];
        days.values().fold([0; 3], add)
    }

    /// What is too old or too much is gone, but for what has not ended.
    fn check_retention(&self) {
        let store = &self.core.store;
        let too_much = self.plan.retention.bytes_max.is_some_and(|max| store.kept_bytes() > max);
        let now = self.clock.now();
        let page = store.events(1, Walk::newest(100_000), None, |_| true).unwrap();
        for head in page.rows {
            let is_old = self.plan.retention.events_ms.is_some_and(|ms| head.id.time() + ms + 2 * HOUR < now);
            if is_old || too_much {
                let event = store.event(1, head.id).unwrap().unwrap();
                let open = store.deliveries_of(&event).unwrap().iter().any(|one| one.state.is_open());
                assert!(open, "{} should be gone", head.id);
            }
        }
    }
}
