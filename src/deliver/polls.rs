//! Consumers that wait for deliveries which are pulled, in the order in which they came. What stays true: what is handed over
//! has somebody who waits for it, as far as that is known here; and a poll that was given something is over with the pass of
//! the engine in which it was, so whoever waits is answered as soon as there is anything.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::domain::id::WebhookNumber;
use crate::domain::pull::{Ask, HANDED_BYTES_MAX, Pulled};

/// A consumer that waits.
#[derive(Debug)]
pub struct Poll {
    /// What it asked for.
    pub ask: Ask,
    /// Into its hand.
    pub hand: Hand,
}

/// Where deliveries are put for one consumer. Its poll is answered once nobody holds its hand any more.
#[derive(Debug, Clone)]
pub struct Hand {
    to: mpsc::UnboundedSender<Handed>,
    /// Bytes of bodies in it; more than it may hold once it is full.
    bytes: Arc<AtomicUsize>,
    /// How long the consumer has for each.
    pub lease: Duration,
}

/// A delivery in a consumer's hand.
#[derive(Debug)]
pub struct Handed {
    /// What it is.
    pub pulled: Pulled,
    /// Told that the reply is made. Where it is dropped instead, the consumer never got it.
    pub taken: oneshot::Sender<()>,
}

impl Hand {
    /// An empty one, and what comes into it.
    pub fn new(lease: Duration) -> (Self, mpsc::UnboundedReceiver<Handed>) {
        let (to, handed) = mpsc::unbounded_channel();
        (Self { to, bytes: Arc::default(), lease }, handed)
    }

    /// Whether whoever it belongs to has gone.
    pub fn is_gone(&self) -> bool {
        self.to.is_closed()
    }

    /// Whether nothing more goes into it.
    pub fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= HANDED_BYTES_MAX
    }

    /// Makes room for so many bytes, if there is any; in an empty one there is for anything.
    pub fn make_room(&self, bytes: usize) -> bool {
        let held = self.bytes.fetch_add(bytes.max(1), Ordering::Relaxed);
        let has_room = held == 0 || held.saturating_add(bytes) <= HANDED_BYTES_MAX;
        if !has_room {
            self.bytes.store(HANDED_BYTES_MAX, Ordering::Relaxed);
        }
        has_room
    }

    /// Puts it there.
    ///
    /// # Errors
    /// Whoever waited has gone.
    pub fn give(&self, handed: Handed) -> Result<(), Box<Handed>> {
        self.to.send(handed).map_err(|error| Box::new(error.0))
    }
}

/// All who wait.
#[derive(Debug, Default)]
pub struct Polls {
    waiting: HashMap<WebhookNumber, VecDeque<Waiting>>,
    /// Webhooks of which somebody came, went or was given something since the last pass.
    touched: BTreeSet<WebhookNumber>,
}

#[derive(Debug)]
struct Waiting {
    poll: Poll,
    given: usize,
    /// All that it is given comes from one sender, so that what is full by then is not read first.
    sender: usize,
}

impl Polls {
    /// A consumer begins to wait.
    pub fn begin(&mut self, poll: Poll, sender: usize) {
        self.touched.insert(poll.ask.webhook);
        self.waiting.entry(poll.ask.webhook).or_default().push_back(Waiting { poll, given: 0, sender });
    }

    /// One of the webhook has gone.
    pub fn left(&mut self, webhook: WebhookNumber) {
        self.touched.insert(webhook);
    }

    /// Whose hand the next delivery of the webhook goes into, by which sender; none if nobody waits.
    pub fn next(&mut self, webhook: WebhookNumber) -> Option<(Hand, usize)> {
        self.touched.insert(webhook);
        let wants = |one: &&mut Waiting| one.left() > 0;
        let next = self.waiting.get_mut(&webhook)?.iter_mut().find(wants)?;
        next.given += 1;
        Some((next.poll.hand.clone(), next.sender))
    }

    /// Lets go of those that have gone; with `answered`, also of those that were given something, and of those that do not wait.
    /// Gives how many deliveries those who are left want, of each webhook where that may have changed.
    pub fn tidy(&mut self, answered: bool) -> Vec<(WebhookNumber, usize)> {
        let touched = self.touched.clone();
        if answered {
            self.touched.clear();
        }
        touched.into_iter().map(|webhook| (webhook, self.tidy_one(webhook, answered))).collect()
    }

    fn tidy_one(&mut self, webhook: WebhookNumber, answered: bool) -> usize {
        let Some(waiting) = self.waiting.get_mut(&webhook) else { return 0 };
        let is_over = |one: &Waiting| one.given > 0 || one.poll.ask.wait.is_zero();
        waiting.retain(|one| !(one.poll.hand.is_gone() || answered && is_over(one)));
        let wanted = waiting.iter().map(Waiting::left).sum();
        if waiting.is_empty() {
            self.waiting.remove(&webhook);
        }
        wanted
    }
}

impl Waiting {
    fn left(&self) -> usize {
        if self.poll.hand.is_gone() { 0 } else { self.poll.ask.limit.saturating_sub(self.given) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A poll that waits, and what its consumer holds.
    fn poll(limit: usize, wait: u64) -> (Poll, mpsc::UnboundedReceiver<Handed>) {
        let (hand, handed) = Hand::new(Duration::from_secs(30));
        let ask = Ask { webhook: 7, limit, wait: Duration::from_secs(wait), lease: hand.lease };
        (Poll { ask, hand }, handed)
    }

    #[test]
    fn deliveries_go_to_who_came_first_and_an_answered_poll_is_over() {
        let mut polls = Polls::default();
        let ((one, mut first), (other, mut second)) = (poll(2, 20), poll(1, 20));
        polls.begin(one, 0);
        polls.begin(other, 1);
        assert_eq!(polls.tidy(false), [(7, 3)]);
        let senders: Vec<_> = std::iter::from_fn(|| polls.next(7)).map(|(_, sender)| sender).collect();
        assert_eq!(senders, [0, 0, 1], "no more than they want");
        assert_eq!(polls.tidy(true), [(7, 0)]);
        assert!(first.try_recv().is_err() && second.try_recv().is_err());
        assert!(first.is_closed() && second.is_closed(), "nobody holds their hands any more");
    }

    #[test]
    fn who_has_gone_is_given_nothing_and_who_does_not_wait_is_answered_at_once() {
        let mut polls = Polls::default();
        let ((gone, handed), (other, still_there), (hasty, answered)) = (poll(5, 20), poll(2, 20), poll(9, 0));
        polls.begin(gone, 0);
        polls.begin(other, 1);
        polls.begin(hasty, 0);
        drop(handed);
        assert_eq!(polls.next(7).map(|(_, sender)| sender), Some(1));
        polls.left(7);
        assert_eq!(polls.tidy(false), [(7, 1 + 9)]);
        polls.left(7);
        assert_eq!(polls.tidy(true), [(7, 0)], "the one was answered, and the other does not wait");
        assert!(still_there.is_closed() && answered.is_closed());
        assert_eq!(polls.next(7).map(|(_, sender)| sender), None);
    }

    #[test]
    fn a_hand_holds_so_many_bytes_or_one_body() {
        let (hand, _handed) = Hand::new(Duration::ZERO);
        assert!(hand.make_room(2 * HANDED_BYTES_MAX) && hand.is_full());
        let (hand, _handed) = Hand::new(Duration::ZERO);
        assert!(hand.make_room(HANDED_BYTES_MAX - 1) && !hand.is_full());
        assert!(hand.make_room(1) && hand.is_full());
        let (hand, _handed) = Hand::new(Duration::ZERO);
        assert!(hand.make_room(1) && !hand.make_room(HANDED_BYTES_MAX) && hand.is_full());
    }
}
