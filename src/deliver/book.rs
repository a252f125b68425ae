//! What came of a claim is entered here. What stays true: a claim ends in one settlement or is handed back, whatever panicked
//! over it, so no place in a lane is lost.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::mailbox::Mailbox;
use super::meters::Meters;
use super::schedule::Claim;
use super::told::Told;
use super::verdict::{Made, is_success, verdict};
use crate::clock::{Clock, Dice};
use crate::dialect::Dialect;
use crate::domain::backoff::Strain;
use crate::domain::delivery::Attempt;
use crate::domain::disable::DisableRule;
use crate::domain::lane::Why;
use crate::domain::probe::Tried;
use crate::domain::retry::Next;
use crate::domain::time::UnixMs;
use crate::store::{Settlement, Store, StoreError};

/// After a panic over a delivery: when it is tried again. Not soon, since its request may have been made, and the next
/// attempt may panic too.
const AGAIN_AFTER_PANIC_MS: u64 = 60 * 60 * 1000;

/// What is said of such an attempt.
const INTERNAL: &str = "an internal error; see the log";

/// Why nothing was attempted: the claim is handed back.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// The store is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This server has no connection left for it.
    #[error("{0}")]
    Ours(String),
    /// This server has no memory left for it.
    #[error("the bodies that are out use up deliver.bodies_bytes_max")]
    NoRoom,
    /// The node that was to send it is gone. The endpoint may have got it; it is sent again.
    #[error("the node that was to send it is gone")]
    CarrierGone,
    /// Whoever asked for it has gone, or takes no more for now.
    #[error("nobody took it")]
    Untaken,
    /// Its webhook was paused, disabled or deleted while it was under way. The endpoint may have got it; it is sent again
    /// if the webhook goes on.
    #[error("it was broken off")]
    BrokenOff,
}

impl Unsent {
    /// What this server lacked.
    fn lacks(&self) -> Option<Why> {
        match self {
            Self::Ours(_) => Some(Why::NoConnection),
            Self::NoRoom => Some(Why::NoBytes),
            Self::Store(_) | Self::CarrierGone | Self::Untaken | Self::BrokenOff => None,
        }
    }
}

/// What came of a claim: an attempt, made by this dialect, or none; nothing is known if it panicked.
pub type Came = Option<Result<(Made, Arc<Dialect>), Unsent>>;

/// The book of one sender.
pub struct Book {
    store: Store,
    clock: Clock,
    dice: RefCell<Dice>,
    meters: Arc<Meters>,
    mailbox: Arc<Mailbox>,
}

impl Book {
    /// Settlements go to `store`, what was not sent goes back through `mailbox`.
    pub fn new(store: Store, clock: Clock, dice: Dice, meters: Arc<Meters>, mailbox: Arc<Mailbox>) -> Self {
        Self { store, clock, dice: RefCell::new(dice), meters, mailbox }
    }

    /// Enters what came of a claim.
    pub fn enter(&self, claim: &Claim, came: Came) {
        let judged = match came {
            Some(Ok((made, dialect))) => catch_unwind(AssertUnwindSafe(|| self.judge(claim, made, &dialect))).ok(),
            Some(Err(unsent)) => return self.hand_back(claim, &unsent),
            None => None,
        };
        let settlement = judged.unwrap_or_else(|| {
            tracing::error!(delivery = %claim.delivery.id, "an attempt panicked; it is made again in an hour");
            after_panic(claim, self.clock.now())
        });
        // What is behind it in an order waits for it, and so may whoever pulled it.
        let is_alone = claim.delivery.place.is_none() && !claim.webhook.is_pulled();
        if settlement.next == Next::Succeeded && is_alone && !claim.awaited {
            self.store.settle_in_company(settlement);
        } else {
            self.store.settle(settlement);
        }
    }

    /// What came of a claim that is a test: whoever asked writes it down. Nothing follows from it.
    pub fn of_test(&self, claim: &Claim, came: Came) -> Tried {
        let not_made = |why: String| {
            let (number, url) = (claim.delivery.attempts + 1, claim.webhook.shown_url().unwrap_or_default());
            Tried { attempt: Attempt::not_made(number, url, self.clock.now(), why), success: false }
        };
        let (tried, named) = match came {
            Some(Ok((Made { attempt, named, .. }, dialect))) => {
                let success = is_success(&claim.webhook, &dialect, &attempt.summary.outcome);
                (Tried { attempt, success }, named)
            }
            Some(Err(unsent)) => (not_made(unsent.to_string()), None),
            None => (not_made(INTERNAL.into()), None),
        };
        let next = if tried.success { Next::Succeeded } else { Next::Dead };
        self.meters.count(&tried.attempt, next);
        self.tell(&Told { claim, attempt: &tried.attempt, next, named, by: None });
        tried
    }

    /// Decides what follows an attempt.
    fn judge(&self, claim: &Claim, made: Made, dialect: &Dialect) -> Settlement {
        fail::fail_point!("sender.verdict");
        let (named, by) = (made.named, made.by.clone());
        let settlement = verdict(claim, dialect, made, self.dice.borrow_mut().fraction());
        let (attempt, next) = (&settlement.attempt, settlement.next);
        self.tell(&Told { claim, attempt, next, named, by });
        self.meters.count_for((claim.webhook.account, &claim.delivery), (attempt, next), named);
        settlement
    }

    /// Tells the log of an attempt, and whoever takes spans.
    fn tell(&self, told: &Told<'_>) {
        told.log(&self.store);
        let traces = &self.meters.telemetry.traces;
        if traces.wants(told.claim.delivery.event, told.named) {
            traces.put(told.span(&self.store));
        }
    }

    fn hand_back(&self, claim: &Claim, unsent: &Unsent) {
        let delivery = claim.delivery.id;
        match unsent {
            Unsent::Store(error) => tracing::warn!(%delivery, %error, "its event cannot be read now"),
            Unsent::Ours(_) | Unsent::NoRoom => tracing::debug!(%delivery, why = %unsent, "it waits"),
            Unsent::CarrierGone => tracing::debug!(%delivery, why = %unsent, "it is sent again"),
            Unsent::Untaken => return self.mailbox.untaken(delivery),
            Unsent::BrokenOff => {
                tracing::debug!(%delivery, "it was broken off: its webhook was held or deleted");
                return self.mailbox.cut_off(delivery);
            }
        }
        self.mailbox.hand_back(delivery, unsent.lacks());
    }
}

/// What is recorded of an attempt over which the server itself panicked: nothing that any rule decides.
fn after_panic(claim: &Claim, now: UnixMs) -> Settlement {
    Settlement {
        delivery: claim.delivery.id,
        attempt: Attempt::not_made(
            claim.delivery.attempts + 1,
            claim.webhook.shown_url().unwrap_or_default(),
            now,
            INTERNAL,
        ),
        next: Next::RetryAt(now + AGAIN_AFTER_PANIC_MS),
        disable: DisableRule::default(),
        strain: Strain::Neutral,
        dice: 0.0,
        rate_limited: claim.rate_limited,
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
        let url = EndpointUrl::parse("https://example.com/", false).expect("a URL");
        let webhook = Arc::new(Webhook::new(1, "standard", url, Vec::new()));
        let settlement = after_panic(&Claim { delivery, webhook, rate_limited: false, awaited: true }, NOW);
        assert_eq!(settlement.attempt.summary.number, 3);
        assert_eq!((settlement.next, settlement.strain), (Next::RetryAt(NOW + 3_600_000), Strain::Neutral));
    }
}
