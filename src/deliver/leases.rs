//! Who holds what: the leases of deliveries that were pulled, from their handing over until what came of them is recorded. What
//! stays true: a lease is in memory like any attempt that is out, so after a restart it is none; of a lease one word is taken,
//! the first, of who holds it and not of who held one of the same attempt before; and whoever says it is answered once it is
//! recorded, so a lease that was acknowledged is never handed out again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::clock::Dice;
use crate::domain::delivery::Outcome;
use crate::domain::id::{AttemptId, DeliveryId};
use crate::domain::pull::{LeaseId, Leased, Word};
use crate::domain::time::UnixMs;
use crate::store::Settled;

/// Deliveries that may be handed out at once, over all webhooks: each holds some kilobytes, and no connection.
pub const LEASES_MAX: usize = 16 * 1024;

/// All leases.
#[derive(Debug, Default)]
pub struct Leases {
    held: Mutex<Held>,
    count: AtomicUsize,
}

#[derive(Debug)]
struct Held {
    leases: HashMap<DeliveryId, Lease>,
    is_closed: bool,
    /// Throws their marks.
    dice: Dice,
}

impl Default for Held {
    fn default() -> Self {
        Self { leases: HashMap::new(), is_closed: false, dice: Dice::from_system() }
    }
}

#[derive(Debug)]
struct Lease {
    id: LeaseId,
    /// To whoever waits for the end of the attempt.
    to: Option<mpsc::UnboundedSender<Word>>,
    /// Where it stands once its end was said.
    said: Option<Leased>,
    /// Who said it, and waits until it is recorded.
    sayers: Vec<oneshot::Sender<Leased>>,
}

/// What came of saying something.
#[derive(Debug)]
pub enum Heard {
    /// It is so.
    Now(Leased),
    /// It will be, once it is recorded.
    Soon(oneshot::Receiver<Leased>),
    /// There is no such lease; what is recorded knows whether there was.
    Unknown,
}

/// A lease while it lasts. Where this is dropped before its end, the lease is lost.
#[derive(Debug)]
pub struct Holding {
    of: Arc<Leases>,
    lease: LeaseId,
    words: mpsc::UnboundedReceiver<Word>,
    has_ended: bool,
}

impl Leases {
    /// A delivery is handed over, for this attempt.
    pub fn begin(self: &Arc<Self>, attempt: AttemptId) -> Holding {
        let (to, words) = mpsc::unbounded_channel();
        let mut held = self.held();
        let lease = LeaseId { attempt, mark: held.dice.bits() as u32 };
        // While the server stops nothing is waited for.
        let to = (!held.is_closed).then_some(to);
        held.leases.insert(attempt.delivery, Lease { id: lease, to, said: None, sayers: Vec::new() });
        self.count.store(held.leases.len(), Ordering::Relaxed);
        Holding { of: self.clone(), lease, words, has_ended: false }
    }

    /// Leases that have not ended, or are not recorded yet.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Its holder says something. `until` is when it would run out by an extension.
    pub fn say(&self, lease: LeaseId, word: &Word, until: UnixMs) -> Heard {
        let mut held = self.held();
        let found = held.leases.get_mut(&lease.attempt.delivery);
        let Some(found) = found.filter(|found| found.id.attempt == lease.attempt) else { return Heard::Unknown };
        // Whoever holds it now answers for it.
        if found.id != lease {
            return Heard::Now(Leased::Lost);
        }
        if found.said.is_none() {
            let is_heard = found.to.as_ref().is_some_and(|to| to.send(word.clone()).is_ok());
            match word.outcome() {
                _ if !is_heard => return Heard::Now(Leased::Lost),
                None => return Heard::Now(Leased::Until(until)),
                Some(outcome) => found.said = Some(Leased::of(&outcome)),
            }
        }
        let (sayer, recorded) = oneshot::channel();
        found.sayers.push(sayer);
        Heard::Soon(recorded)
    }

    /// What came of these is recorded.
    pub fn recorded(&self, settled: &[Settled]) {
        if self.count() == 0 {
            return;
        }
        let mut held = self.held();
        for one in settled {
            self.end(&mut held, one.delivery, |lease| lease.said.unwrap_or(Leased::Lost));
        }
    }

    /// The server stops: all that is handed out is open again.
    pub fn close(&self) {
        let mut held = self.held();
        held.is_closed = true;
        held.leases.values_mut().for_each(|lease| lease.to = None);
    }

    fn end(&self, held: &mut Held, delivery: DeliveryId, stands: impl Fn(&Lease) -> Leased) {
        let Some(lease) = held.leases.remove(&delivery) else { return };
        self.count.store(held.leases.len(), Ordering::Relaxed);
        let stands = stands(&lease);
        for sayer in lease.sayers {
            // An error means that nobody waits any more.
            let _ = sayer.send(stands);
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("no holder of the lock panics")
    }
}

impl Holding {
    /// Its id.
    pub fn id(&self) -> LeaseId {
        self.lease
    }

    /// A word that was said before it ran out; if there is none, nobody listens any more.
    fn last_word(&mut self) -> Option<Word> {
        // Whoever says something holds this: what is told that it was heard was heard.
        let _held = self.of.held();
        let word = self.words.try_recv().ok();
        if word.is_none() {
            self.words.close();
        }
        word
    }

    /// Waits for the word that ends it, or until it has run out, `lease` after now or after what its holder says. `None`: there
    /// is nobody to wait for any more. With the outcome comes what stands as the answer's body.
    pub async fn ended(mut self, lease: Duration) -> Option<(Outcome, String)> {
        let mut left = lease;
        let ended = loop {
            let word = match actix_rt::time::timeout(left, self.words.recv()).await {
                Ok(word) => word?,
                Err(_) => match self.last_word() {
                    Some(word) => word,
                    None => break (Outcome::LeaseRanOut, String::new()),
                },
            };
            match (word.outcome(), word) {
                (Some(outcome), word) => break (outcome, word.answer().unwrap_or_default()),
                (None, Word::Extend(more)) => left = more,
                (None, _) => {}
            }
        };
        self.has_ended = true;
        Some(ended)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        // What has ended is known until it is recorded.
        if !self.has_ended {
            self.of.end(&mut self.of.held(), self.lease.attempt.delivery, |_| Leased::Lost);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backoff::Strain;
    use crate::domain::id::EventId;

    const LONG: Duration = Duration::from_secs(3600);

    fn attempt(number: u16) -> AttemptId {
        AttemptId { delivery: EventId(1 << 80).delivery_to(7), number }
    }

    fn settled() -> Settled {
        let delivery = attempt(1).delivery;
        Settled { delivery, next_attempt_at: None, strain: Strain::Well, paused_until: 0 }
    }

    async fn outcome(holding: Holding, lease: Duration) -> Option<Outcome> {
        holding.ended(lease).await.map(|(outcome, _)| outcome)
    }

    fn now(heard: Heard) -> Leased {
        let Heard::Now(stands) = heard else { panic!("not now: {heard:?}") };
        stands
    }

    fn soon(heard: Heard) -> oneshot::Receiver<Leased> {
        let Heard::Soon(recorded) = heard else { panic!("not soon: {heard:?}") };
        recorded
    }

    #[actix_rt::test]
    async fn the_first_word_ends_it_and_both_who_said_one_hear_of_it_once_it_is_recorded() {
        let leases = Arc::new(Leases::default());
        let holding = leases.begin(attempt(1));
        let lease = holding.id();
        assert_eq!(now(leases.say(lease, &Word::Extend(LONG), 5)), Leased::Until(5));
        let mut first = soon(leases.say(lease, &Word::Ack, 0));
        let mut second = soon(leases.say(lease, &Word::Nack(None), 0));
        assert_eq!(outcome(holding, LONG).await, Some(Outcome::Acked));
        assert!(first.try_recv().is_err(), "it is not recorded yet");
        leases.recorded(&[settled()]);
        assert_eq!((first.try_recv(), second.try_recv()), (Ok(Leased::Acked), Ok(Leased::Acked)));
        assert!(matches!(leases.say(lease, &Word::Ack, 0), Heard::Unknown) && leases.count() == 0);
    }

    #[actix_rt::test]
    async fn who_passes_it_on_says_what_was_answered() {
        let leases = Arc::new(Leases::default());
        let holding = leases.begin(attempt(1));
        let mut said = soon(leases.say(holding.id(), &Word::Answered(503, Some("busy".into())), 0));
        assert_eq!(holding.ended(LONG).await, Some((Outcome::Status(503), "busy".into())));
        leases.recorded(&[settled()]);
        assert_eq!(said.try_recv(), Ok(Leased::Nacked));
    }

    #[actix_rt::test]
    async fn one_that_ran_out_or_was_of_another_attempt_is_none() {
        let leases = Arc::new(Leases::default());
        let holding = leases.begin(attempt(2));
        let lease = holding.id();
        let earlier = LeaseId { attempt: attempt(1), ..lease };
        assert!(matches!(leases.say(earlier, &Word::Ack, 0), Heard::Unknown), "an earlier attempt");
        assert_eq!(outcome(holding, Duration::ZERO).await, Some(Outcome::LeaseRanOut));
        assert_eq!(now(leases.say(lease, &Word::Ack, 0)), Leased::Lost);
        leases.recorded(&[settled()]);
        assert_eq!(leases.count(), 0);
    }

    #[actix_rt::test]
    async fn what_was_said_of_one_that_is_broken_off_is_lost() {
        let leases = Arc::new(Leases::default());
        let holding = leases.begin(attempt(1));
        let lease = holding.id();
        let mut said = soon(leases.say(lease, &Word::Ack, 0));
        drop(holding);
        assert_eq!((said.try_recv(), leases.count()), (Ok(Leased::Lost), 0));
        let holding = leases.begin(attempt(1));
        leases.close();
        assert_eq!(outcome(holding, LONG).await, None);
        assert_eq!(outcome(leases.begin(attempt(1)), LONG).await, None, "nor is any begun");
    }

    #[actix_rt::test]
    async fn an_extension_counts_from_when_it_is_said() {
        let leases = Arc::new(Leases::default());
        let holding = leases.begin(attempt(1));
        leases.say(holding.id(), &Word::Extend(Duration::ZERO), 0);
        assert_eq!(outcome(holding, LONG).await, Some(Outcome::LeaseRanOut));
    }

    #[actix_rt::test]
    async fn what_is_said_of_a_lost_lease_does_nothing_to_the_one_after_it() {
        let leases = Arc::new(Leases::default());
        let lost = leases.begin(attempt(1)).id();
        let holding = leases.begin(attempt(1));
        assert_ne!(lost, holding.id());
        for word in [Word::Nack(None), Word::Extend(Duration::ZERO), Word::Ack] {
            assert_eq!(now(leases.say(lost, &word, 5)), Leased::Lost, "{word:?}");
        }
        let mut said = soon(leases.say(holding.id(), &Word::Ack, 0));
        assert_eq!(outcome(holding, LONG).await, Some(Outcome::Acked));
        leases.recorded(&[settled()]);
        assert_eq!(said.try_recv(), Ok(Leased::Acked));
    }

    #[actix_rt::test]
    async fn an_extension_that_comes_as_it_runs_out_is_heard_or_refused_and_never_forgotten() {
        let leases = Arc::new(Leases::default());
        let mut holding = leases.begin(attempt(1));
        let lease = holding.id();
        assert_eq!(now(leases.say(lease, &Word::Extend(LONG), 5)), Leased::Until(5));
        assert_eq!(holding.last_word(), Some(Word::Extend(LONG)), "it goes on");
        assert_eq!(now(leases.say(lease, &Word::Extend(LONG), 6)), Leased::Until(6));
        assert!(holding.last_word().is_some() && holding.last_word().is_none());
        assert_eq!(now(leases.say(lease, &Word::Extend(LONG), 7)), Leased::Lost, "nobody listens any more");
    }
}
