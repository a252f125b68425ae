//! Where the commit thread and the senders leave word for the engine. Whoever takes the mail takes all of it, so none is
//! missed and none waits in line: it is bounded by the webhooks, by the deliveries and tests that are out, by the polls that the
//! API lets in, by `FRESH_MAX` and by `ASKED_MAX`.
//! Webhooks come in the order of their numbers, so that a simulation is the same each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::polls::Poll;
use crate::domain::delivery::Delivery;
use crate::domain::id::{DeliveryId, WebhookNumber};
use crate::domain::lane::{Standing, Why};
use crate::store::{Listener, Notice, Settled};

/// New deliveries that are handed over whole. Of others it is told which webhooks have some: they are read from the store.
const FRESH_MAX: usize = 4096;
/// Questions that wait for the engine.
const ASKED_MAX: usize = 1024;

/// What has happened since the engine last looked.
#[derive(Default)]
pub struct Mail {
    /// New deliveries, in the order in which they were made.
    pub fresh: Vec<Delivery>,
    /// Webhooks with new deliveries that are not among these.
    pub more_fresh: BTreeSet<WebhookNumber>,
    /// Webhooks with deliveries that may go out now and lie perhaps before others that were read, each with the first.
    pub freed: BTreeMap<WebhookNumber, DeliveryId>,
    /// Webhooks that changed.
    pub changed: BTreeSet<WebhookNumber>,
    /// Outcomes that are recorded now.
    pub settled: Vec<Settled>,
    /// Claims that were not sent, and what this server lacked for them.
    pub handed_back: Vec<(DeliveryId, Option<Why>)>,
    /// Claims that were broken off: their endpoints may have got them.
    pub cut_off: Vec<DeliveryId>,
    /// Claims whose consumer has gone, or took no more.
    pub untaken: Vec<DeliveryId>,
    /// Consumers that begin to wait.
    pub polls: Vec<Poll>,
    /// Webhooks of which one waits no longer.
    pub polls_left: BTreeSet<WebhookNumber>,
    /// Webhooks that were tested.
    pub tested: Vec<WebhookNumber>,
    /// Questions how a webhook's deliveries stand, with where to answer.
    pub asked: Vec<(WebhookNumber, oneshot::Sender<Option<Standing>>)>,
    /// The store was reopened, or the dialects have changed.
    pub begin_again: bool,
    /// The server is about to stop: nothing more is handed out.
    pub rest: bool,
    /// It is time to stop.
    pub stop: bool,
    any: bool,
}

/// The mail, and somebody who waits for it.
#[derive(Default)]
pub struct Mailbox {
    mail: Mutex<Mail>,
    arrived: Condvar,
    /// The engine rests, and nothing is out any more.
    is_at_rest: Notify,
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
            let mut fresh = notice.fresh.into_iter();
            mail.fresh.extend(fresh.by_ref().take(FRESH_MAX.saturating_sub(mail.fresh.len())));
            mail.more_fresh.extend(fresh.map(|delivery| delivery.id.webhook()));
            for id in notice.freed {
                let first = mail.freed.entry(id.webhook()).or_insert(id);
                *first = id.min(*first);
            }
            mail.changed.extend(notice.changed);
            mail.settled.extend(notice.settled);
            mail.begin_again |= notice.reopened;
        });
    }
}

impl Mailbox {
    /// Tells the engine that the dialects have changed.
    pub fn dialects_changed(&self) {
        self.leave(|mail| mail.begin_again = true);
    }

    /// Tells the engine to hand out nothing more, and to go on with all else.
    pub fn rest(&self) {
        self.leave(|mail| mail.rest = true);
    }

    /// The engine rests, and what was out is recorded: whoever waits for that goes on.
    pub fn at_rest(&self) {
        self.is_at_rest.notify_one();
    }

    /// Waits for that.
    pub async fn until_at_rest(&self) {
        self.is_at_rest.notified().await;
    }

    /// Tells the engine to stop.
    pub fn stop(&self) {
        self.leave(|mail| mail.stop = true);
    }

    /// Gives a claim back unsent, for want of something.
    pub fn hand_back(&self, id: DeliveryId, lacks: Option<Why>) {
        self.leave(|mail| mail.handed_back.push((id, lacks)));
    }

    /// Gives a claim back that was broken off.
    pub fn cut_off(&self, id: DeliveryId) {
        self.leave(|mail| mail.cut_off.push(id));
    }

    /// Gives a claim back that nobody took who had asked for it.
    pub fn untaken(&self, id: DeliveryId) {
        self.leave(|mail| mail.untaken.push(id));
    }

    /// A consumer waits for deliveries that are pulled.
    pub fn poll(&self, poll: Poll) {
        self.leave(|mail| mail.polls.push(poll));
    }

    /// One of the webhook waits no longer.
    pub fn poll_left(&self, webhook: WebhookNumber) {
        self.leave(|mail| mail.polls_left.extend([webhook]));
    }

    /// Tells the engine that a webhook was tested: a first attempt was made.
    pub fn tested(&self, webhook: WebhookNumber) {
        self.leave(|mail| mail.tested.push(webhook));
    }

    /// Asks how a webhook's deliveries stand. There is no answer where too many have asked.
    pub fn ask(&self, webhook: WebhookNumber) -> oneshot::Receiver<Option<Standing>> {
        let (answer, answered) = oneshot::channel();
        self.leave(|mail| {
            if mail.asked.len() < ASKED_MAX {
                mail.asked.push((webhook, answer));
            }
        });
        answered
    }

    fn leave(&self, write: impl FnOnce(&mut Mail)) {
        let mut mail = self.lock();
        write(&mut mail);
        mail.any = true;
        self.arrived.notify_one();
    }

    /// Waits for mail, at most `limit`, and takes it.
    pub fn take(&self, limit: Option<Duration>) -> Mail {
        let mut mail = self.lock();
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

    fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().expect("no holder of the lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::Cause;
    use crate::domain::id::EventId;

    /// What lies in the mailbox after this.
    fn after(happens: impl FnOnce(&Mailbox)) -> Mail {
        let mailbox = Mailbox::default();
        happens(&mailbox);
        mailbox.take(Some(Duration::ZERO))
    }

    /// A new delivery of this webhook.
    fn fresh(webhook: WebhookNumber) -> Delivery {
        let event = EventId(1 << 32);
        Delivery::fresh(event.delivery_to(webhook), event, Cause::Accept)
    }

    #[test]
    fn of_more_new_deliveries_than_are_handed_over_it_is_told_whose_they_are() {
        let webhooks = [1; FRESH_MAX - 1].into_iter().chain([2, 3, 3]);
        let mailbox = Mailbox::default();
        webhooks.for_each(|webhook| mailbox.notice(Notice { fresh: vec![fresh(webhook)], ..Notice::default() }));
        let mail = mailbox.take(None);
        assert_eq!((mail.fresh.len(), mail.fresh.last(), mail.more_fresh), (FRESH_MAX, Some(&fresh(2)), [3].into()));
    }

    #[test]
    fn a_commit_that_changed_nothing_for_the_engine_does_not_wake_it() {
        assert!(!after(|mailbox| mailbox.notice(Notice::default())).any);
    }

    #[test]
    fn no_more_may_ask_than_are_answered_soon() {
        let mailbox = Mailbox::default();
        let mut answers: Vec<_> = (0..=ASKED_MAX).map(|_| mailbox.ask(7)).collect();
        assert!(answers.pop().unwrap().try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Closed));
        assert_eq!(mailbox.take(None).asked.len(), ASKED_MAX);
    }

    #[test]
    fn a_store_that_was_reopened_and_other_dialects_have_the_engine_begin_again() {
        let reopened = after(|mailbox| mailbox.notice(Notice { reopened: true, ..Notice::default() }));
        assert!(reopened.any && reopened.begin_again);
        let changed = after(Mailbox::dialects_changed);
        assert!(changed.any && changed.begin_again);
    }

    #[test]
    fn a_commit_is_told_once_with_all_that_it_changed() {
        let mailbox = Mailbox::default();
        let [first, second] = [1, 2].map(|n| EventId(n << 32).delivery_to(2));
        let [one, other] = [fresh(1), fresh(2)];
        mailbox.notice(Notice { fresh: vec![one.clone()], freed: vec![second], changed: vec![3], ..Notice::default() });
        mailbox.notice(Notice { fresh: vec![other.clone()], freed: vec![first, second], ..Notice::default() });
        let mail = mailbox.take(None);
        assert_eq!((mail.fresh, mail.freed, mail.changed), (vec![one, other], [(2, first)].into(), [3].into()));
        assert!(mail.more_fresh.is_empty());
        assert!(!mail.begin_again && !mailbox.take(Some(Duration::ZERO)).any);
    }
}
