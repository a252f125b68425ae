//! Making requests for another node: what a node does that stands by, and has its own way out. What stays true: it decides nothing. It
//! makes the requests that it is given, past its own guard, says what came of each, and lets go of all of them when the link ends.

use std::collections::HashMap;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::Arbiter;
use actix_rt::time::{interval, timeout};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use super::carried::{self, Came, Order, Parcel, Word};
use super::carriers::{OUT_MAX, SILENT_TICKS, TICK};
use super::http::Heard;
use super::requests::Requests;
use super::settings::Settings;
use super::tls::Trust;
use crate::clock::Clock;
use crate::pulse::{Pulses, or_end_task};

/// Whoever did not come to a tick for so long, such as a process that was stopped, was taken for gone.
const HELD_UP: Duration = Duration::from_millis(1_500);

/// A node that makes requests for another one, on threads of its own.
pub struct Carrying {
    stopping: watch::Sender<bool>,
    threads: Vec<(Arbiter, oneshot::Receiver<()>)>,
}

impl Carrying {
    /// Under this name, as deliveries would be made by these settings. Each thread asks for links, one after the other, and ends each with
    /// what comes beside it: whom it leads to has nothing to be done any more. They have one of the `pulses` each.
    pub fn start<O, L, S, E>(settings: &Settings, trust: Trust, (node, pulses): (&str, &Pulses), links: O) -> Self
    where
        O: Fn() -> L + Clone + Send + 'static,
        L: Future<Output = (S, E)>,
        S: AsyncRead + AsyncWrite + Unpin,
        E: Future<Output = ()>,
    {
        let stopping = watch::Sender::new(false);
        let (making, senders) = (settings.making(Arc::new(trust)), settings.senders.max(1));
        let threads = (0..senders).map(|n| {
            let (arbiter, (done, is_done)) = (Arbiter::new(), oneshot::channel());
            arbiter.spawn(pulses.give(format!("carrying {n}")));
            let (making, settings, links) = (making.clone(), settings.clone(), links.clone());
            let (node, mut stopping) = (node.to_owned(), stopping.subscribe());
            arbiter.spawn_fn(move || {
                actix_rt::spawn(or_end_task("carrying", async move {
                    let requests = Rc::new(Requests::of(making, &settings));
                    // An error means that nobody waits any more, which is the same.
                    let stops = async move { drop(stopping.wait_for(|it| *it).await) }.shared();
                    while stops.clone().now_or_never().is_none() {
                        let (stream, ends) = tokio::select! {
                            link = links() => link,
                            () = stops.clone() => break,
                        };
                        tokio::select! {
                            carried = carry(stream, &node, requests.clone(), stops.clone()) => {
                                let _ = carried.inspect_err(|error| tracing::debug!(%error, "a link to the owner ended"));
                            }
                            () = ends => {}
                        }
                    }
                    // Nobody waits any more if the time to stop has run out.
                    let _ = done.send(());
                }));
            });
            (arbiter, is_done)
        });
        Self { threads: threads.collect(), stopping }
    }

    /// Takes nothing more, says what came of what it has, for at most so long, and ends.
    pub async fn stop(self, patience: Duration) {
        self.stopping.send_replace(true);
        let (arbiters, done): (Vec<_>, Vec<_>) = self.threads.into_iter().unzip();
        // Who has not ended then is let go of.
        let _ = timeout(patience, futures_util::future::join_all(done)).await;
        for arbiter in arbiters {
            arbiter.stop();
        }
    }
}

/// Makes the requests that come over a link, until there are no more; once it `stops`, those that have come.
async fn carry(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    node: &str,
    requests: Rc<Requests>,
    stops: impl Future<Output = ()>,
) -> io::Result<()> {
    let (mut to, mut from) = carried::link(stream).split();
    let said = |word: Word| carried::frame(0, &word, &[]).expect("it is short");
    to.send(said(Word::Here { node: node.into() })).await?;
    let (mut out, mut handles) = (JoinSet::new(), HashMap::<u64, AbortHandle>::new());
    let (mut stops, mut leaves) = (pin!(stops), false);
    let (clock, mut ticks) = (Clock::real(), interval(TICK));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut ticked_at, mut silent) = (clock.up(), 0);
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => {
                let before = std::mem::replace(&mut ticked_at, clock.up());
                if ticked_at.saturating_sub(before) > HELD_UP {
                    // Whoever gave them has given them to others meanwhile: what comes now would be too late.
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "this node was held up"));
                }
                silent += 1;
                if silent > SILENT_TICKS {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the owner is silent"));
                }
                to.send(said(Word::Alive)).await?;
            }
            () = &mut stops, if !leaves => {
                leaves = true;
                to.send(said(Word::Leaving)).await?;
            }
            ended = out.join_next(), if !out.is_empty() => {
                let mut ended = ended;
                while let Some(one) = ended {
                    // An error is of one that was let go of.
                    if let Ok((number, (came, body))) = one {
                        handles.remove(&number);
                        let body: Bytes = body;
                        let frame = carried::frame(number, &Word::Came(came), &body);
                        to.feed(frame.ok_or(io::ErrorKind::InvalidData)?).await?;
                    }
                    ended = out.try_join_next();
                }
                to.flush().await?;
            }
            order = from.next() => {
                let Some(frame) = order.transpose()? else { return Ok(()) };
                silent = 0;
                match carried::read(frame.freeze()).ok_or(io::ErrorKind::InvalidData)? {
                    (number, Order::Make(parcel), body) if handles.len() < 2 * OUT_MAX => {
                        fail::fail_point!("carrying.take");
                        let made = made(requests.clone(), parcel, body);
                        handles.insert(number, out.spawn_local(async move { (number, made.await) }));
                    }
                    (_, Order::Alive, _) => {}
                    (_, Order::Make(_), _) => return Err(io::ErrorKind::InvalidData.into()),
                    (number, Order::LetGo, _) => drop(handles.remove(&number).map(|handle| handle.abort())),
                }
            }
        }
    }
}

/// What came of a request; whatever panicked over it, it is still to be made.
async fn made(requests: Rc<Requests>, parcel: Parcel, body: Bytes) -> (Came, Bytes) {
    let made = async move { requests.carried(parcel, body).await };
    let made = AssertUnwindSafe(Box::pin(made)).catch_unwind().await;
    made.unwrap_or_else(|_| Came::of(None, false, Heard::default()))
}
