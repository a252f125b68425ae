//! The thread that turns the scheduler: it sleeps until something happens or the wheel is due, hands claims to the
//! senders, and takes in what the store tells. Every pass registers for the next signal before it looks, so none is
//! missed.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use url::Url;

use super::schedule::{Claim, Scheduler};
use super::sender::{Sender, Tools, Unsent};
use super::verdict::verdict;
use crate::clock::{Clock, Dice};
use crate::domain::delivery::{Attempt, FAILURE_KINDS};
use crate::domain::explain::Explained;
use crate::domain::id::{DeliveryId, WebhookNumber};
use crate::domain::probe::{Probe, Probed};
use crate::domain::retry::Next;
use crate::store::{Listener, Notice, Settled, Settlement};

/// What has happened since the engine last looked. Bounded: by the webhooks, and by the deliveries that are out.
#[derive(Default)]
struct Mail {
    fresh: HashSet<WebhookNumber>,
    freed: HashSet<WebhookNumber>,
    changed: HashSet<WebhookNumber>,
    settled: Vec<Settled>,
    handed_back: Vec<DeliveryId>,
    /// The store was reopened, or the dialects have changed.
    begin_again: bool,
    stop: bool,
    any: bool,
}

/// Where the commit thread and the senders leave word.
#[derive(Default)]
pub struct Mailbox {
    mail: Mutex<Mail>,
    arrived: Condvar,
}

impl Listener for Mailbox {
    fn notice(&self, notice: Notice) {
        if notice.fresh.is_empty()
            && notice.freed.is_empty()
            && notice.changed.is_empty()
            && notice.settled.is_empty()
            && !notice.reopened
        {
            return;
        }
        self.leave(|mail| {
            mail.fresh.extend(notice.fresh);
            mail.freed.extend(notice.freed);
            mail.changed.extend(notice.changed);
            mail.settled.extend(notice.settled);
            mail.begin_again |= notice.reopened;
        });
    }
}

impl Mailbox {
    fn leave(&self, write: impl FnOnce(&mut Mail)) {
        let mut mail = self.mail.lock().expect("no holder of the lock panics");
        write(&mut mail);
        mail.any = true;
        self.arrived.notify_one();
    }

    /// Waits for mail, at most `limit`, and takes it.
    fn take(&self, limit: Option<Duration>) -> Mail {
        let mut mail = self.mail.lock().expect("no holder of the lock panics");
        while !mail.any {
            match limit {
                None => mail = self.arrived.wait(mail).expect("no holder of the lock panics"),
                Some(limit) => {
                    let (held, result) = self.arrived.wait_timeout(mail, limit).expect("no holder of the lock panics");
                    mail = held;
                    if result.timed_out() {
                        break;
                    }
                }
            }
        }
        std::mem::take(&mut *mail)
    }
}

/// What the engine counts since the start.
#[derive(Debug, Default)]
pub struct Meters {
    /// Attempts that succeeded.
    pub succeeded: AtomicU64,
    /// Attempts that failed, by kind, in the order of [`FAILURE_KINDS`].
    pub failed: [AtomicU64; FAILURE_KINDS.len()],
    /// Attempts within which the request was sent once more.
    pub resent: AtomicU64,
    /// Deliveries that are out now.
    pub out: AtomicUsize,
    /// Webhooks that have a lane.
    pub lanes: AtomicUsize,
}

impl Meters {
    fn count(&self, attempt: &Attempt, next: Next) {
        let counter = match next {
            Next::Succeeded => &self.succeeded,
            Next::RetryAt(_) | Next::Dead => &self.failed[attempt.summary.outcome.kind_index()],
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.resent.fetch_add(attempt.resent.into(), Ordering::Relaxed);
    }
}

/// What a sender is asked to do.
pub enum Errand {
    /// Make a delivery's next attempt.
    Attempt(Claim),
    /// Make a request that is no delivery, and say what came of it.
    Probe(Probe, oneshot::Sender<Probed>),
    /// Say where a URL leads, for a webhook for which these networks were opened.
    Explain(Url, Vec<IpNet>, oneshot::Sender<Explained>),
}

/// Turns the scheduler until it is told to stop.
pub struct Engine {
    scheduler: Scheduler,
    clock: Clock,
    mailbox: Arc<Mailbox>,
    meters: Arc<Meters>,
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
        senders: Vec<mpsc::UnboundedSender<Errand>>,
    ) -> Self {
        assert!(!senders.is_empty(), "somebody must send");
        Self { scheduler, clock, mailbox, meters, senders, next_sender: 0 }
    }

    /// Runs until [`stop`]. What is out then is left to the senders.
    pub fn run(mut self) {
        // Looks before it first waits: a store that was just opened may hold work, and nothing will say so.
        loop {
            self.look();
            let mail = self.mailbox.take(self.patience());
            if mail.stop {
                return;
            }
            self.read(mail);
        }
    }

    fn look(&mut self) {
        let now = self.clock.now();
        self.scheduler.turn(now);
        while let Some(claim) = self.scheduler.next(now) {
            self.hand_out(claim);
        }
        self.meters.out.store(self.scheduler.out(), Ordering::Relaxed);
        self.meters.lanes.store(self.scheduler.lanes(), Ordering::Relaxed);
    }

    fn patience(&self) -> Option<Duration> {
        let next = self.scheduler.next_turn()?;
        Some(Duration::from_millis(next.saturating_sub(self.clock.now())))
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
        self.next_sender = (self.next_sender + 1) % self.senders.len();
        let id = claim.delivery.id;
        if self.senders[self.next_sender].send(Errand::Attempt(claim)).is_err() {
            // The sender is gone, which happens at the end only: the claim stays open on disk.
            self.scheduler.handed_back(id, self.clock.now());
        }
    }
}

/// Tells the engine that the dialects have changed.
pub fn dialects_changed(mailbox: &Mailbox) {
    mailbox.leave(|mail| mail.begin_again = true);
}

/// Tells the engine to stop.
pub fn stop(mailbox: &Mailbox) {
    mailbox.leave(|mail| mail.stop = true);
}

/// One sender's loop on its arbiter: errands side by side, until there are no more and all are done.
pub async fn send_all(
    mut errands: mpsc::UnboundedReceiver<Errand>,
    tools: Tools,
    meters: Arc<Meters>,
    mailbox: Arc<Mailbox>,
) {
    let store = tools.store.clone();
    let sender = Rc::new(Sender::new(tools));
    let dice = Rc::new(RefCell::new(Dice::from_system()));
    let mut out = JoinSet::new();
    while let Some(errand) = errands.recv().await {
        let (sender, dice, store, meters) = (sender.clone(), dice.clone(), store.clone(), meters.clone());
        let mailbox = mailbox.clone();
        out.spawn_local(async move {
            let claim = match errand {
                Errand::Attempt(claim) => claim,
                Errand::Probe(probe, answer) => {
                    // Whoever asked may have gone meanwhile.
                    let _ = answer.send(sender.probe(probe).await);
                    return;
                }
                Errand::Explain(url, opened, answer) => {
                    let _ = answer.send(sender.explain(&url, &opened).await);
                    return;
                }
            };
            let (made, dialect) = match sender.attempt(&claim).await {
                Ok(made) => made,
                Err(error) => {
                    match &error {
                        Unsent::Store(error) => {
                            tracing::warn!(delivery = %claim.delivery.id, %error, "its event cannot be read now");
                        }
                        Unsent::Ours(why) => tracing::debug!(delivery = %claim.delivery.id, why, "it waits"),
                    }
                    return mailbox.leave(|mail| mail.handed_back.push(claim.delivery.id));
                }
            };
            let settlement = verdict(&claim, &dialect, made, dice.borrow_mut().fraction());
            log(&claim, &settlement);
            meters.count(&settlement.attempt, settlement.next);
            store.settle(settlement);
        });
        while out.try_join_next().is_some() {}
    }
    while out.join_next().await.is_some() {}
}

/// One wide line an attempt: failures for the operator to see, successes for whoever asks for them.
fn log(claim: &Claim, settlement: &Settlement) {
    let summary = &settlement.attempt.summary;
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                delivery = %claim.delivery.id,
                event = %claim.delivery.event,
                webhook = %claim.webhook.id,
                attempt = summary.number,
                outcome = %summary.outcome,
                duration_ms = summary.duration_ms,
                resent = settlement.attempt.resent,
                next = ?settlement.next,
                "attempt"
            )
        };
    }
    match settlement.next {
        Next::Succeeded => line!(debug),
        Next::RetryAt(_) | Next::Dead => line!(info),
    }
}
