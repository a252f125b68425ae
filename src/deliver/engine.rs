//! The thread that turns the scheduler: it sleeps until something happens or the wheel is due, hands claims to the
//! senders, and takes in what the store tells. Every pass registers for the next signal before it looks, so none is
//! missed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;

use super::errands::Errand;
use super::mailbox::{Mail, Mailbox};
use super::meters::Meters;
use super::schedule::{Claim, Scheduler};
use crate::clock::Clock;
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
        Self { scheduler, clock, mailbox, meters, pulse, senders, next_sender: 0 }
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

    /// Takes in the mail, and hands out all that may go out now.
    pub fn pass(&mut self, mail: Mail) {
        self.read(mail);
        let now = self.clock.now();
        self.scheduler.turn(now);
        while let Some(claim) = self.scheduler.next(now) {
            self.hand_out(claim);
            self.pulse.beat();
        }
        self.meters.out.store(self.scheduler.out(), Ordering::Relaxed);
        self.meters.lanes.store(self.scheduler.lanes(), Ordering::Relaxed);
    }

    /// When it is to pass next, if nothing happens before.
    pub fn next_pass(&self) -> Option<UnixMs> {
        self.scheduler.next_turn()
    }

    fn patience(&self) -> Option<Duration> {
        let next = self.next_pass()?;
        Some(Duration::from_millis(next.saturating_sub(self.clock.now())).min(PATIENCE_MAX))
    }

    fn read(&mut self, mail: Mail) {
        if mail.begin_again {
            self.scheduler.begin_again();
        }
        mail.changed.into_iter().for_each(|number| self.scheduler.webhook_changed(number));
        mail.freed.into_iter().for_each(|number| self.scheduler.freed(number));
        mail.fresh.into_iter().for_each(|number| self.scheduler.fresh_arrived(number));
        mail.settled.into_iter().for_each(|settled| self.scheduler.settled(settled));
        let now = self.clock.now();
        mail.handed_back.into_iter().for_each(|id| self.scheduler.handed_back(id, now));
    }

    fn hand_out(&mut self, claim: Claim) {
        fail::fail_point!("engine.hand_out");
        self.next_sender = (self.next_sender + 1) % self.senders.len();
        let sent = self.senders[self.next_sender].send(Errand::Attempt(claim));
        sent.unwrap_or_else(|_| panic!("a sender outlives the engine"));
    }
}
