//! Attempts of deliveries that are pulled: what would be sent is handed over, and what its holder says, or that it says
//! nothing, is what came of it. What stays true: what nobody took is no attempt; and a lease holds no body and no connection.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Sender, Sent, Written};
use crate::clock::Stopwatch;
use crate::deliver::book::Unsent;
use crate::deliver::polls::{Hand, Handed};
use crate::deliver::schedule::Claim;
use crate::deliver::target::Target;
use crate::deliver::verdict::Made;
use crate::dialect::Dialect;
use crate::domain::byte_budget::Charge;
use crate::domain::delivery::Outcome;
use crate::domain::id::{AccountNumber, AttemptId};
use crate::domain::pull::Pulled;

impl Sender {
    /// Hands the claimed delivery over and waits for the end of its lease. Says also by which dialect it was made. An error
    /// says that nothing was attempted.
    pub async fn lease(&self, claim: &Claim, hand: Hand) -> Result<(Made, Arc<Dialect>), Unsent> {
        let is_wanted = || !(hand.is_full() || hand.is_gone());
        if !is_wanted() {
            return Err(Unsent::Untaken);
        }
        let target = self.target(&claim.webhook);
        let shaped = tokio::select! {
            biased;
            shaped = self.shaped(claim, &target, is_wanted) => shaped?,
            () = target.broken_off.notified() => return Err(Unsent::BrokenOff),
        };
        let (started_at, watch) = (self.tools.clock.now(), Stopwatch::start());
        let mut sent = Sent::default();
        let outcome = match self.write(claim, &target, shaped, &mut sent)? {
            Ok(written) => {
                let (outcome, answer) = self.leased(claim, &target, written, hand).await?;
                sent.heard.body = answer.into_bytes();
                outcome
            }
            Err(outcome) => outcome,
        };
        Ok((self.made(claim, started_at, &watch, outcome, sent), target.dialect.clone()))
    }

    /// What came of it, and what stands as the answer's body.
    async fn leased(
        &self,
        claim: &Claim,
        target: &Target,
        written: Written,
        hand: Hand,
    ) -> Result<(Outcome, String), Unsent> {
        let bytes = written.body.len();
        if !hand.make_room(bytes) {
            return Err(Unsent::Untaken);
        }
        let Written { event, headers, body, charge } = written;
        let charge = self.handed_on(charge, claim.webhook.account, bytes).ok_or(Unsent::NoRoom)?;
        let attempt = AttemptId { delivery: claim.delivery.id, number: claim.delivery.attempts + 1 };
        let expires_at = self.tools.clock.wall() + hand.lease.as_millis() as u64;
        // Hears of what is broken off from now on.
        let broken_off = target.broken_off.notified();
        let holding = self.tools.leases.begin(attempt);
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let pulled = Pulled {
            lease: holding.id(),
            event: event.name.clone().unwrap_or_else(|| event.id.to_string()),
            event_type: event.event_type.clone(),
            expires_at,
            headers: headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
            body,
            charge,
        };
        drop((event, headers));
        let (taken, is_taken) = oneshot::channel();
        let (given, lease) = (hand.give(Handed { pulled, taken }), hand.lease);
        // Whoever waits is answered once nobody holds the hand.
        drop(hand);
        if given.is_err() || is_taken.await.is_err() {
            return Err(Unsent::Untaken);
        }
        tokio::select! {
            biased;
            ended = holding.ended(lease) => ended.ok_or(Unsent::BrokenOff),
            () = broken_off => Err(Unsent::BrokenOff),
        }
    }

    /// What a body holds of the budget, to go along with it to another thread. Where others send the same one, it is one more: it is
    /// written anew into the reply.
    fn handed_on(&self, charge: Rc<Charge>, account: AccountNumber, bytes: usize) -> Option<Charge> {
        Rc::try_unwrap(charge).ok().or_else(|| {
            let mut own = self.tools.bodies.charge(account);
            own.grow_to(bytes).ok().map(|()| own)
        })
    }
}
