//! A sender's loop on its arbiter: errands side by side, until there are no more and all are done. What stays true: a
//! claim ends in a settlement or is handed back, whatever panics over it, so no place in a lane is lost and no other
//! delivery stops; and a panic that is about no claim ends the process.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use url::Url;

use super::mailbox::Mailbox;
use super::meters::Meters;
use super::schedule::Claim;
use super::sender::{Sender, Tools, Unsent};
use super::verdict::verdict;
use crate::clock::{Clock, Dice};
use crate::domain::backoff::Strain;
use crate::domain::delivery::{Attempt, AttemptSummary, Outcome};
use crate::domain::disable::DisableRule;
use crate::domain::explain::Explained;
use crate::domain::probe::{Probe, Probed};
use crate::domain::retry::Next;
use crate::domain::time::UnixMs;
use crate::pulse::{self, Pulse};
use crate::store::{Settlement, Store};

/// After a panic over a delivery: when it is tried again. Not soon, since its request may have been made, and the next
/// attempt may panic too.
const AGAIN_AFTER_PANIC_MS: u64 = 60 * 60 * 1000;

/// What a sender is asked to do.
pub enum Errand {
    /// Make a delivery's next attempt.
    Attempt(Claim),
    /// Make a request that is no delivery, and say what came of it.
    Probe(Probe, oneshot::Sender<Probed>),
    /// Say where a URL leads, for a webhook for which these networks were opened.
    Explain(Url, Vec<IpNet>, oneshot::Sender<Explained>),
    /// Give a sign that the loop turns: the sender's pulse rests.
    Sign,
}

/// What the errands of one sender share.
struct Desk {
    sender: Sender,
    dice: RefCell<Dice>,
    store: Store,
    clock: Clock,
    meters: Arc<Meters>,
    mailbox: Arc<Mailbox>,
}

/// Runs errands until there are no more and all are done.
pub async fn send_all(
    mut errands: mpsc::UnboundedReceiver<Errand>,
    tools: Tools,
    meters: Arc<Meters>,
    mailbox: Arc<Mailbox>,
    pulse: Arc<Pulse>,
) {
    let (store, clock) = (tools.store.clone(), tools.clock.clone());
    let (sender, dice) = (Sender::new(tools), RefCell::new(Dice::from_system()));
    let desk = Rc::new(Desk { sender, dice, store, clock, meters, mailbox });
    let mut out = JoinSet::new();
    while let Some(errand) = errands.recv().await {
        fail::fail_point!("sender.take");
        match errand {
            Errand::Sign => pulse.rest(),
            errand => drop(out.spawn_local(pulse::or_end_task("sender", Box::pin(run(desk.clone(), errand))))),
        }
        while out.try_join_next().is_some() {}
    }
    while out.join_next().await.is_some() {}
}

async fn run(desk: Rc<Desk>, errand: Errand) {
    match errand {
        Errand::Attempt(claim) => desk.attempt(&claim).await,
        // Whoever asked may have gone meanwhile; a panic leaves them without an answer.
        Errand::Probe(probe, answer) => drop(guarded(desk.sender.probe(probe)).await.map(|probed| answer.send(probed))),
        Errand::Explain(url, opened, answer) => {
            drop(guarded(desk.sender.explain(&url, &opened)).await.map(|explained| answer.send(explained)));
        }
        Errand::Sign => unreachable!("the loop itself gives a sign"),
    }
}

/// What came of it; `None` if it panicked, which the log has told.
async fn guarded<T>(work: impl Future<Output = T>) -> Option<T> {
    // Boxed: each layer around it would copy it, and it is kilobytes.
    AssertUnwindSafe(Box::pin(work)).catch_unwind().await.ok()
}

impl Desk {
    async fn attempt(&self, claim: &Claim) {
        match guarded(self.settlement(claim)).await {
            Some(Ok(settlement)) => self.store.settle(settlement),
            Some(Err(error)) => {
                match error {
                    Unsent::Store(error) => {
                        tracing::warn!(delivery = %claim.delivery.id, %error, "its event cannot be read now");
                    }
                    Unsent::Ours(why) => tracing::debug!(delivery = %claim.delivery.id, why, "it waits"),
                }
                self.mailbox.hand_back(claim.delivery.id);
            }
            None => {
                tracing::error!(delivery = %claim.delivery.id, "an attempt panicked; it is made again in an hour");
                self.store.settle(after_panic(claim, self.clock.now()));
            }
        }
    }

    /// Makes the attempt and decides what follows.
    async fn settlement(&self, claim: &Claim) -> Result<Settlement, Unsent> {
        let (made, dialect) = self.sender.attempt(claim).await?;
        fail::fail_point!("sender.verdict");
        let settlement = verdict(claim, &dialect, made, self.dice.borrow_mut().fraction());
        log(claim, &settlement);
        self.meters.count(&settlement.attempt, settlement.next);
        Ok(settlement)
    }
}

/// What is recorded of an attempt over which the server itself panicked: nothing that any rule decides.
fn after_panic(claim: &Claim, now: UnixMs) -> Settlement {
    let outcome = Outcome::Unsendable("an internal error; see the log".into());
    let number = claim.delivery.attempts + 1;
    let summary = AttemptSummary { number, started_at: now, duration_ms: 0, outcome };
    let url = claim.webhook.url.as_str().to_string();
    Settlement {
        delivery: claim.delivery.id,
        attempt: Attempt { summary, url, request_headers: Vec::new(), response_body: Vec::new(), resent: false },
        next: Next::RetryAt(now + AGAIN_AFTER_PANIC_MS),
        disable: DisableRule::default(),
        strain: Strain::Neutral,
        dice: 0.0,
        rate_limited: claim.rate_limited,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::{Cause, Delivery};
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::id::EventId;
    use crate::domain::webhook::Webhook;

    #[test]
    fn an_attempt_that_panicked_counts_and_the_next_one_is_made_in_an_hour() {
        const NOW: UnixMs = 1_700_000_000_000;
        let event = EventId(1 << 80);
        let delivery = Delivery { attempts: 2, ..Delivery::fresh(event.delivery_to(1), event, Cause::Accept) };
        let url = EndpointUrl::parse("https://example.com/", false).unwrap();
        let webhook = Arc::new(Webhook::new(1, "standard", url, Vec::new()));
        let settlement = after_panic(&Claim { delivery, webhook, rate_limited: false }, NOW);
        assert_eq!(settlement.attempt.summary.number, 3);
        assert_eq!((settlement.next, settlement.strain), (Next::RetryAt(NOW + 3_600_000), Strain::Neutral));
    }
}
