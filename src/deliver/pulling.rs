//! What consumers that pull ask of the sending side: deliveries, and to hear what they say became of them. What stays true: what
//! is handed over has somebody there who takes it, as far as anybody can tell, else nothing has happened to it.

use std::sync::Arc;
use std::time::Duration;

use actix_rt::time::{sleep, timeout};

use super::Handle;
use super::leases::Heard;
use super::mailbox::Mailbox;
use super::polls::{Hand, Handed, Poll};
use crate::domain::id::{AttemptId, WebhookNumber};
use crate::domain::pull::{Ask, LeaseId, Leased, Pulled, Word};
use crate::store::{Store, StoreError};

/// How long who does not wait may wait for the engine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// How long who said something may wait until that is recorded.
const RECORDED_WITHIN: Duration = Duration::from_secs(10);
/// After deliveries could not be made ready, how long until they are asked for again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Handle {
    /// Hands over deliveries that are pulled, as soon as there are any; none if there are none in time, or the server stops.
    /// What nobody is there to take any more, by `is_there`, stays as it was.
    pub fn pull(
        &self,
        ask: Ask,
        is_there: Box<dyn Fn() -> bool + Send>,
    ) -> impl Future<Output = Vec<Pulled>> + Send + use<> {
        let (mailbox, mut stopping) = (self.mailbox.clone(), self.stopping.subscribe());
        async move {
            tokio::select! {
                biased;
                // An error means that the sending side is gone.
                _ = stopping.wait_for(|is_stopping| *is_stopping) => Vec::new(),
                pulled = waited(&mailbox, ask, is_there) => pulled,
            }
        }
    }

    /// Hears what the holders of leases say, and where each stands then, in their order.
    pub fn say(&self, leases: Vec<LeaseId>, word: Word) -> impl Future<Output = Vec<Leased>> + Send + use<> {
        let until = match &word {
            Word::Extend(more) => self.clock.wall() + more.as_millis() as u64,
            Word::Ack | Word::Nack(_) | Word::Answered(..) => 0,
        };
        let heard: Vec<Heard> = leases.iter().map(|lease| self.leases.say(*lease, &word, until)).collect();
        let store = self.store.clone();
        async move {
            let mut stands = Vec::with_capacity(heard.len());
            for (lease, heard) in leases.into_iter().zip(heard) {
                stands.push(match heard {
                    Heard::Now(stands) => stands,
                    Heard::Soon(recorded) => match timeout(RECORDED_WITHIN, recorded).await {
                        Ok(recorded) => recorded.unwrap_or(Leased::Lost),
                        Err(_) => Leased::Unrecorded,
                    },
                    Heard::Unknown => recorded(&store, lease.attempt).unwrap_or(Leased::Unrecorded),
                });
            }
            stands
        }
    }
}

/// Waits for deliveries, at most as long as it is asked to.
async fn waited(mailbox: &Arc<Mailbox>, ask: Ask, is_there: Box<dyn Fn() -> bool + Send>) -> Vec<Pulled> {
    let ends = sleep(if ask.wait.is_zero() { ANSWERED_WITHIN } else { ask.wait });
    tokio::pin!(ends);
    loop {
        let handed = tokio::select! {
            biased;
            handed = polled(mailbox, ask) => handed,
            () = &mut ends => return Vec::new(),
        };
        if !is_there() {
            return Vec::new();
        }
        let pulled: Vec<Pulled> = handed.into_iter().filter_map(take).collect();
        if !pulled.is_empty() || ask.wait.is_zero() {
            return pulled;
        }
        tokio::select! {
            () = &mut ends => return Vec::new(),
            () = sleep(AGAIN_AFTER) => {}
        }
    }
}

/// Waits until the engine has given something, or has nothing for one that does not wait.
async fn polled(mailbox: &Arc<Mailbox>, ask: Ask) -> Vec<Handed> {
    let mut leaving = Leaving { mailbox: mailbox.clone(), webhook: ask.webhook, is_answered: false };
    let (hand, mut handed) = Hand::new(ask.lease);
    mailbox.poll(Poll { ask, hand });
    let mut all = Vec::new();
    while let Some(one) = handed.recv().await {
        all.push(one);
    }
    leaving.is_answered = true;
    all
}

/// Tells the engine that a poll is over which was not answered.
struct Leaving {
    mailbox: Arc<Mailbox>,
    webhook: WebhookNumber,
    is_answered: bool,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if !self.is_answered {
            self.mailbox.poll_left(self.webhook);
        }
    }
}

/// Takes a delivery out of the hand; none if it was broken off meanwhile.
fn take(handed: Handed) -> Option<Pulled> {
    handed.taken.send(()).ok().map(|()| handed.pulled)
}

/// Where a lease stood that is none any more, by what is recorded of its attempt, whoever held it last.
fn recorded(store: &Store, of: AttemptId) -> Result<Leased, StoreError> {
    let Some(delivery) = store.delivery(of.delivery)? else { return Ok(Leased::Lost) };
    if delivery.attempts < of.number {
        return Ok(Leased::Lost);
    }
    let attempts = store.attempts(&delivery)?;
    let attempt = attempts.iter().find(|attempt| attempt.summary.number == of.number);
    Ok(attempt.map_or(Leased::Lost, |attempt| Leased::of(&attempt.summary.outcome)))
}
