//! A sender's loop on its arbiter: errands side by side, until there are no more and all are done. What stays true: whatever
//! panics over a delivery, it is entered in the book, and no other delivery stops; and a panic that is about no claim ends
//! the process. Where all is let go of, nothing of it is entered: a delivery is still open on disk and goes out again after the
//! next start, as after a crash.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt;
use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use url::Url;

use super::book::Book;
use super::mailbox::Mailbox;
use super::meters::Meters;
use super::polls::Hand;
use super::schedule::Claim;
use super::sender::{Sender, Tools};
use crate::clock::Dice;
use crate::domain::explain::Explained;
use crate::domain::id::WebhookNumber;
use crate::domain::probe::{Probe, Probed, Tried};
use crate::pulse::{self, Pulse};

/// What a sender is asked to do.
pub enum Errand {
    /// Make a delivery's next attempt.
    Attempt(Claim),
    /// Hand a delivery over to who pulls it, and wait for what becomes of it.
    Lease(Claim, Hand),
    /// Break off what is under way for this webhook, and hand it back.
    BreakOff(WebhookNumber),
    /// Make the one attempt of a test, and say what came of it.
    Test(Claim, oneshot::Sender<Tried>),
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
    book: Book,
}

/// Runs errands until there are no more and all are done, or until all are let go of. Gives how many were then.
pub async fn send_all(
    mut errands: mpsc::UnboundedReceiver<Errand>,
    tools: Tools,
    meters: Arc<Meters>,
    mailbox: Arc<Mailbox>,
    pulse: Arc<Pulse>,
    mut let_go: watch::Receiver<bool>,
) -> usize {
    let book = Book::new(tools.store.clone(), tools.clock.clone(), Dice::from_system(), meters, mailbox);
    let desk = Rc::new(Desk { sender: Sender::new(tools), book });
    let (mut out, mut are_more, mut is_let_go, mut interrupted) = (JoinSet::new(), true, false, 0);
    // An error means that nobody waits for what is out any more, which is the same.
    let mut let_go = std::pin::pin!(async move { drop(let_go.wait_for(|it| *it).await) });
    while are_more || !out.is_empty() {
        tokio::select! {
            biased;
            errand = errands.recv(), if are_more => match errand {
                None => are_more = false,
                Some(errand) => {
                    fail::fail_point!("sender.take");
                    match errand {
                        Errand::Sign => pulse.rest(),
                        // Whoever asked hears that the server stops.
                        _ if is_let_go => {}
                        errand => drop(out.spawn_local(pulse::or_end_task("sender", Box::pin(run(desk.clone(), errand))))),
                    }
                }
            },
            Some(ended) = out.join_next(), if !out.is_empty() => interrupted += usize::from(ended.is_err()),
            () = &mut let_go, if !is_let_go => {
                is_let_go = true;
                out.abort_all();
            }
        }
    }
    interrupted
}

async fn run(desk: Rc<Desk>, errand: Errand) {
    match errand {
        Errand::Attempt(claim) => desk.book.enter(&claim, guarded(desk.sender.attempt(&claim)).await),
        Errand::Lease(claim, hand) => desk.book.enter(&claim, guarded(desk.sender.lease(&claim, hand)).await),
        Errand::Test(claim, answer) => {
            let tried = desk.book.of_test(&claim, guarded(desk.sender.attempt(&claim)).await);
            // Whoever asked may have gone meanwhile.
            drop(answer.send(tried));
        }
        // In a task of its own, like those that it breaks off, so that each of those has begun.
        Errand::BreakOff(number) => desk.sender.break_off(number),
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
