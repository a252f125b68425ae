//! The thread that turns the scheduler: it sleeps until something happens or the wheel is due, hands claims to the
//! senders, and takes in what the store tells. Every pass registers for the next signal before it looks, so none is
//! missed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;

use super::errands::Errand;
use super::leases::Leases;
use super::mailbox::{Mail, Mailbox};
use super::meters::Meters;
use super::polls::Polls;
use super::schedule::{Claim, Scheduler};
use crate::clock::Clock;
use crate::domain::id::WebhookNumber;
use crate::domain::time::UnixMs;
use crate::pulse::Pulse;

/// The longest wait while something is due later. A wait does not count the time in which the machine sleeps; so what
/// came due meanwhile goes out a moment after the machine wakes, and not when the rest of a long wait is over.
const PATIENCE_MAX: Duration = Duration::from_secs(1);

/// Turns the scheduler until it is told to stop.
pub struct Engine {
    scheduler: Scheduler,
    clock: Clock,
    mailbox: Arc<Mailbox>,
    meters: Arc<Meters>,
    pulse: Arc<Pulse>,
    senders: Vec<mpsc::UnboundedSender<Errand>>,
    next_sender: usize,
    polls: Polls,
    leases: Arc<Leases>,
    /// Whether nothing more is handed out.
    rests: bool,
}

impl Engine {
    /// An engine over running senders.
    pub fn new(
        scheduler: Scheduler,
        clock: Clock,
        mailbox: Arc<Mailbox>,
        meters: Arc<Meters>,
        pulse: Arc<Pulse>,
        senders: Vec<mpsc::UnboundedSender<Errand>>,
    ) -> Self {
        assert!(!senders.is_empty(), "somebody must send");
        let (polls, leases) = Default::default();
        Self { scheduler, clock, mailbox, meters, pulse, senders, next_sender: 0, polls, leases, rests: false }
    }

    /// The same that tells of what is recorded of these.
    pub fn with_leases(self, leases: Arc<Leases>) -> Self {
        Self { leases, ..self }
    }

    /// Runs until [`Mailbox::stop`]. What is out then is left to the senders.
    pub fn run(mut self) {
        // Looks before it first waits: a store that was just opened may hold work, and nothing will say so.
        let mut mail = Mail::default();
        while !mail.stop {
            self.pass(mail);
            let patience = self.patience();
            self.pulse.rest();
            mail = self.mailbox.take(patience);
            self.pulse.beat();
        }
    }

    /// Takes in the mail, hands out all that may go out now, and answers who asked.
    pub fn pass(&mut self, mut mail: Mail) {
        let asked = std::mem::take(&mut mail.asked);
        self.read(mail);
        let now = self.clock.now();
        self.hear_of_polls(false, now);
        if !self.rests {
            self.scheduler.turn(now);
            while let Some(claim) = self.scheduler.next(now) {
                self.hand_out(claim, now);
                self.pulse.beat();
            }
        }
        self.hear_of_polls(true, now);
        if self.rests && self.scheduler.out() == 0 {
            self.mailbox.at_rest();
        }
        self.meters.out.store(self.scheduler.out(), Ordering::Relaxed);
        self.meters.lanes.store(self.scheduler.lanes(), Ordering::Relaxed);
        self.meters.set_places(self.scheduler.places());
        for (webhook, answer) in asked {
            // An error means that nobody waits any more.
            let _ = answer.send(self.scheduler.standing(webhook, now));
        }
    }

    /// When it is to pass next, if nothing happens before.
    pub fn next_pass(&self) -> Option<UnixMs> {
        self.scheduler.next_turn()
    }

    fn patience(&self) -> Option<Duration> {
        let next = self.next_pass().filter(|_| !self.rests)?;
        Some(Duration::from_millis(next.saturating_sub(self.clock.now())).min(PATIENCE_MAX))
    }

    fn read(&mut self, mail: Mail) {
        self.rests |= mail.rest;
        if mail.begin_again {
            self.scheduler.begin_again();
        }
        mail.changed.into_iter().for_each(|number| self.scheduler.webhook_changed(number));
        self.scheduler.take_broken_off().into_iter().for_each(|number| self.break_off(number));
        mail.freed.into_values().for_each(|first| self.scheduler.freed(first));
        let now = self.clock.now();
        mail.fresh.into_iter().for_each(|delivery| self.scheduler.fresh_arrived(delivery, now));
        mail.more_fresh.into_iter().for_each(|number| self.scheduler.more_fresh(number));
        mail.tested.into_iter().for_each(|number| self.scheduler.tested(number, now));
        self.leases.recorded(&mail.settled);
        mail.settled.into_iter().for_each(|settled| self.scheduler.settled(settled, now));
        mail.untaken.into_iter().for_each(|id| self.scheduler.untaken(id, now));
        mail.polls_left.into_iter().for_each(|number| self.polls.left(number));
        for poll in mail.polls {
            self.next_sender = (self.next_sender + 1) % self.senders.len();
            self.polls.begin(poll, self.next_sender);
        }
        mail.cut_off.into_iter().for_each(|id| self.scheduler.cut_off(id, now));
        mail.handed_back.into_iter().for_each(|(id, lacks)| self.scheduler.handed_back(id, lacks, now));
    }

    /// Who waits for what is pulled may have changed; with `answered`, whoever was given something waits no longer.
    fn hear_of_polls(&mut self, answered: bool, now: UnixMs) {
        for (number, wanted) in self.polls.tidy(answered) {
            self.scheduler.want(number, wanted, now);
        }
    }

    /// Whoever sends something of this webhook is to stop.
    fn break_off(&self, number: WebhookNumber) {
        for sender in &self.senders {
            sender.send(Errand::BreakOff(number)).unwrap_or_else(|_| panic!("a sender outlives the engine"));
        }
    }

    fn hand_out(&mut self, claim: Claim, now: UnixMs) {
        fail::fail_point!("engine.hand_out");
        let (sender, errand) = if claim.webhook.is_pulled() {
            let (number, id) = (claim.webhook.number(), claim.delivery.id);
            let Some((hand, sender)) = self.polls.next(number) else {
                // Whoever asked for it has gone since.
                self.scheduler.want(number, 0, now);
                return self.scheduler.untaken(id, now);
            };
            (sender, Errand::Lease(claim, hand))
        } else {
            self.next_sender = (self.next_sender + 1) % self.senders.len();
            (self.next_sender, Errand::Attempt(claim))
        };
        self.senders[sender].send(errand).unwrap_or_else(|_| panic!("a sender outlives the engine"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Dice;
    use crate::dialect::{Dialects, Shelf};
    use crate::domain::delivery::{Cause, Delivery};
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::id::EventId;
    use crate::domain::webhook::Webhook;
    use crate::store::{self, Memory, Settings};

    const NOW: UnixMs = 1_800_000_000_000;

    /// An engine over an empty store, and what its senders are handed.
    fn idle(senders: usize) -> (Engine, Vec<mpsc::UnboundedReceiver<Errand>>) {
        let settings = Settings { memory: Some(Memory::default()), durable: false, ..Settings::at("unused") };
        let clock = Clock::standing_at(NOW);
        let (store, _) = store::open(settings, clock.clone(), Dice::seeded(1)).expect("memory can be opened");
        let shelf = Arc::new(Shelf::new(Dialects::shipped()));
        let scheduler = Scheduler::new(store, shelf, 10, Arc::default(), NOW);
        let (errands, handed) = (0..senders).map(|_| mpsc::unbounded_channel()).unzip();
        let pulse = Arc::new(Pulse::of("engine"));
        (Engine::new(scheduler, clock, Arc::default(), Arc::default(), pulse, errands), handed)
    }

    #[test]
    fn senders_are_handed_claims_in_turn() {
        let (mut engine, mut handed) = idle(2);
        let url = EndpointUrl::parse("https://example.com/", false).expect("a URL");
        let webhook = Arc::new(Webhook::new(1, "standard", url, Vec::new()));
        for n in 0..4 {
            let event = EventId((1 << 80) + n);
            let delivery = Delivery::fresh(event.delivery_to(1), event, Cause::Accept);
            engine.hand_out(Claim { delivery, webhook: webhook.clone(), rate_limited: false, awaited: true }, NOW);
        }
        let counts = handed.iter_mut().map(|errands| std::iter::from_fn(|| errands.try_recv().ok()).count());
        assert_eq!(counts.collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn where_nothing_is_due_the_engine_sleeps_until_something_happens() {
        assert_eq!(idle(1).0.patience(), None);
    }
}
