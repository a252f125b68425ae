//! The HTTP client of one sender: which connection a request goes by, and whether it is sent once more. What stays true:
//! what was kept is used before anything is dialled; a connection that was kept and turns out to be dead is no failed
//! attempt; and what nobody uses is closed after a while, by a task that sleeps until then.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use actix_rt::time::{sleep, timeout};
use rustls::pki_types::ServerName;
use tokio::sync::watch;

use super::h2::{Lease, Session, is_unseen};
use super::idle::Idle;
use super::sessions::{Serial, Sessions, Turn};
use super::{Connection, Failure, Heard, Peer, Request, h1, h2};
use crate::clock::Stopwatch;
use crate::deliver::clients::Client;
use crate::deliver::descriptors::Descriptors;
use crate::deliver::dial::DialError;
use crate::domain::trace::Phases;

/// How long a connection is kept that nobody uses. Many servers close theirs after 20 seconds or more, and say so
/// (`Keep-Alive`) where it is less.
const IDLE_MAX: Duration = Duration::from_secs(15);
/// What is over within so long is closed together.
const SWEEP: Duration = Duration::from_millis(500);
/// Connections that wait, of one sender.
const KEPT_MAX: usize = 512;
/// How often a request is sent again of which the endpoint says that it did not look at it. Where many are on their way to an
/// endpoint that ends its sessions early, each session takes only some of them along.
const UNSEEN_MAX: u32 = 10;
/// Before the second time, and twice as long before each one after it: an endpoint that refuses has too much to do.
const UNSEEN_PAUSE: Duration = Duration::from_millis(5);

/// The client.
#[derive(Clone)]
pub struct Http(Rc<Inner>);

struct Inner {
    descriptors: Arc<Descriptors>,
    connect: Duration,
    idle: RefCell<Idle>,
    sessions: Sessions,
    watch: Stopwatch,
    kept_max: usize,
    is_swept: Cell<bool>,
    /// How often what may be dialled had been changed when connections were looked at last.
    changes: Cell<u64>,
}

/// What a request goes by.
enum Way {
    /// A connection of its own, and whether it was used before.
    Own(Connection, bool),
    /// A stream of a session.
    Stream(Lease),
}

/// What was dialled.
enum Dialled {
    /// One that speaks HTTP/1.1.
    One(Connection),
    /// One that speaks HTTP/2.
    Two(Connection),
}

impl Http {
    /// A client for the current arbiter, one of so many `senders`. Connecting may take `connect`, and TLS once more.
    pub fn new(descriptors: Arc<Descriptors>, connect: Duration, senders: usize) -> Self {
        let kept_max = (descriptors.max() / 2 / senders.max(1)).clamp(1, KEPT_MAX);
        Self(Rc::new(Inner {
            descriptors,
            connect,
            idle: Idle::new(kept_max).into(),
            sessions: Sessions::new(),
            watch: Stopwatch::start(),
            kept_max,
            is_swept: false.into(),
            changes: 0.into(),
        }))
    }

    /// Sends the request by `client` and reads the start of the answer.
    pub async fn send(&self, client: &Client, request: &Request<'_>, heard: &mut Heard) -> Result<u16, Failure> {
        let mut since = None;
        let mut resends = 0;
        loop {
            let (answer, was_used) = match self.way(client, &request.to.peer, since, &mut heard.phases).await? {
                Way::Own(connection, was_used) => (self.over_own(connection, request, heard).await, was_used),
                Way::Stream(lease) => {
                    let was_used = lease.was_used();
                    (h2::exchange(lease, request, heard).await, was_used)
                }
            };
            let Err(failure) = answer else { return answer };
            // Dead before anything came: the endpoint had closed it, as it may. Once is enough; a fresh one has no excuse.
            let was_dead = was_used && !heard.any && resends == 0 && failure.is_end();
            let is_unseen = matches!(&failure, Failure::H2(error) if is_unseen(error)) && resends < UNSEEN_MAX;
            if !was_dead && !is_unseen {
                return Err(failure);
            }
            if resends > 0 {
                actix_rt::time::sleep(UNSEEN_PAUSE * (1 << (resends - 1))).await;
            }
            resends += 1;
            since = Some(self.0.sessions.count());
            *heard = Heard { resent: true, ..heard.anew() };
        }
    }

    async fn over_own(&self, connection: Connection, request: &Request<'_>, heard: &mut Heard) -> Result<u16, Failure> {
        let (answer, back) = h1::exchange(connection, request, heard).await;
        if let Some(back) = back {
            let idle_max = back.idle_max.map_or(IDLE_MAX, |said| said.min(IDLE_MAX));
            self.keep(request.to.peer.clone(), back.stream, idle_max);
        }
        answer
    }

    fn keep(&self, peer: Rc<Peer>, connection: Connection, idle_max: Duration) {
        if self.0.descriptors.are_scarce() || idle_max.is_zero() {
            return;
        }
        self.0.idle.borrow_mut().put(peer, connection, self.0.watch.elapsed() + idle_max);
        self.0.bound();
        self.sweep_later();
    }

    /// What a request goes by; with `since`, something new.
    async fn way(
        &self,
        client: &Client,
        peer: &Rc<Peer>,
        since: Option<Serial>,
        phases: &mut Phases,
    ) -> Result<Way, Failure> {
        self.0.follow(client.dial.changes());
        let mut may_wait = true;
        loop {
            if let Some(lease) = peer.tls.then(|| self.0.sessions.stream(peer, since.unwrap_or(0))).flatten() {
                return Ok(Way::Stream(lease));
            }
            if since.is_none() {
                let kept = self.0.idle.borrow_mut().take(peer, self.0.watch.elapsed());
                if let Some(connection) = kept {
                    return Ok(Way::Own(connection, true));
                }
            }
            let turn = if peer.tls { self.0.sessions.turn(peer, may_wait) } else { Turn::Dial(None) };
            match turn {
                Turn::Dial(tell) => {
                    // That somebody dials is remembered, and is to be forgotten.
                    self.sweep_later();
                    return self.dial(client, peer, tell, phases).await;
                }
                // If whoever dials gets nowhere, all of those who wait dial.
                Turn::Wait(mut dialling) => may_wait = dialling.changed().await.is_ok(),
            }
        }
    }

    /// Dials, and tells those who wait what came of it.
    async fn dial(
        &self,
        client: &Client,
        peer: &Rc<Peer>,
        tell: Option<watch::Sender<()>>,
        phases: &mut Phases,
    ) -> Result<Way, Failure> {
        match self.connected(client, peer, phases).await? {
            Dialled::One(connection) => {
                if let Some(tell) = tell {
                    self.0.sessions.is_older(peer);
                    // Nobody may be waiting.
                    let _ = tell.send(());
                }
                Ok(Way::Own(connection, false))
            }
            Dialled::Two(connection) => {
                let session = Session::begin(connection, tell).await?;
                let lease = session.first_stream();
                self.0.sessions.add(peer, session);
                self.0.bound();
                self.sweep_later();
                Ok(Way::Stream(lease))
            }
        }
    }

    /// Connects. Where descriptors or ports have run out, what only waits goes first.
    async fn connected(&self, client: &Client, peer: &Peer, phases: &mut Phases) -> Result<Dialled, Failure> {
        loop {
            match self.0.connect(client, peer, phases).await {
                Err(Failure::Dial(DialError::Ours(_))) if self.0.close_one() => {}
                other => return other,
            }
        }
    }

    fn sweep_later(&self) {
        if !self.0.is_swept.replace(true) {
            actix_rt::spawn(sweep(Rc::downgrade(&self.0)));
        }
    }
}

impl Inner {
    async fn connect(&self, client: &Client, peer: &Peer, phases: &mut Phases) -> Result<Dialled, Failure> {
        let dialled = timeout(self.connect, client.dial.dial(&peer.host, peer.port, phases)).await;
        let (stream, descriptor) = dialled.map_err(|_| Failure::TimedOut)?.map_err(Failure::Dial)?;
        if !peer.tls {
            return Ok(Dialled::One(Connection::plain(stream, descriptor)));
        }
        let no_name = |_| Failure::Tls(std::io::Error::other("no certificate can be for this host"));
        let name = ServerName::try_from(peer.host.clone()).map_err(no_name)?;
        let watch = Stopwatch::start();
        let shaken = timeout(self.connect, client.tls.connect(name, stream)).await;
        let stream = shaken.map_err(|_| Failure::TimedOut)?.map_err(Failure::Tls)?;
        phases.tls_us = Some(watch.micros());
        let is_two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let connection = Connection::tls(stream, descriptor);
        Ok(if is_two { Dialled::Two(connection) } else { Dialled::One(connection) })
    }

    /// Closes one that nobody uses. Says whether there was one.
    fn close_one(&self) -> bool {
        self.idle.borrow_mut().close_oldest() || self.sessions.close_one()
    }

    /// Closes what nobody uses once something else may be dialled than before: it may lead where nothing may go any more.
    fn follow(&self, changes: u64) {
        if self.changes.replace(changes) != changes {
            while self.close_one() {}
        }
    }

    /// Closes those that are too many, as far as nobody uses them.
    fn bound(&self) {
        while self.idle.borrow().len() + self.sessions.len() > self.kept_max && self.close_one() {}
    }

    /// Closes what is over. Says how long nothing more will be; `None`: nothing is left.
    fn close_due(&self) -> Option<Duration> {
        let now = self.watch.elapsed();
        let next = self.idle.borrow_mut().close_due(now);
        let sessions = self.sessions.close_idle(now, IDLE_MAX);
        let next = next.into_iter().chain(sessions.then_some(now + IDLE_MAX)).min()?;
        Some(next.saturating_sub(now).max(SWEEP))
    }
}

/// Closes what nobody uses, as long as there is anything.
async fn sweep(inner: Weak<Inner>) {
    while let Some(patience) = inner.upgrade().and_then(|inner| {
        let patience = inner.close_due();
        inner.is_swept.set(patience.is_some());
        patience
    }) {
        sleep(patience).await;
    }
}
