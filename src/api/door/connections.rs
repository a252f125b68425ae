//! Who is connected: bounds on connections, in all and for one address, and an end for those that do nothing. What stays
//! true: where an address has all that it may have, the one of its own that was quiet for longest gives way to a new one, and
//! if none is quiet the new one is closed; and one that asks nothing, or does not take its reply, is shut down after a while,
//! whatever it has sent of a request. When the server stops, what was asked is answered first, and nothing is done of which the
//! answer could not be sent.
//!
//! Each connection's [`Admitted`] goes with its stream and its requests, so it is dropped with them, however that ends. It
//! holds a second descriptor of the socket, since the first belongs to the server's own code.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use futures_util::FutureExt;
use tokio::sync::Notify;

use crate::api::access::limits::Limits;
use crate::api::door::connection::Connection;
use crate::api::door::front::Front;
use crate::api::door::peers::{Open, Peer};
use crate::api::door::proxied::Proxied;
use crate::clock::Stopwatch;

/// How long what is under way may go on once a stop is hastened.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// Between two looks at all connections.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How long a client may go on with a body that was refused.
const LINGER_MS: u64 = 2_000;
/// The server's own code ends a slow first head, with a reply; it gets this much longer.
const HEAD_GRACE_MS: u64 = 2_000;

/// All connections.
pub struct Connections {
    all_max: usize,
    per_address_max: usize,
    head_ms: u64,
    idle_ms: u64,
    watch: Stopwatch,
    open: Mutex<Open>,
    refused: AtomicU64,
    handed_on: AtomicU64,
    is_stopping: AtomicBool,
    /// It is about to.
    will_stop: AtomicBool,
    /// The stop is to be over soon.
    is_hastened: AtomicBool,
    /// While the server stops: a connection has come, has ended, or has become quiet.
    changed: Notify,
    /// The server begins to stop.
    stops: Notify,
}

/// A connection's place among all.
pub struct Admitted {
    of: Arc<Connections>,
    number: u64,
    peer: Peer,
    /// Where its client has found the server.
    pub here: SocketAddr,
    /// Whether it speaks TLS.
    pub is_tls: bool,
    /// What a proxy has said of it.
    pub said: Option<Proxied>,
    connection: Arc<Connection>,
}

/// As long as it is there, the connection is read on, since a body is received.
pub struct Receiving<'a>(&'a Connection);

/// A request under way.
pub struct UnderWay {
    of: Arc<Connections>,
    connection: Arc<Connection>,
    lingers: bool,
    place: Option<Place>,
}

/// Is held until a reply has gone out whole, or never will.
pub struct Place {
    of: Arc<Connections>,
    connection: Arc<Connection>,
}

impl Connections {
    /// None yet.
    pub fn new(limits: &Limits) -> Self {
        let bound = |max: usize| if max == 0 { usize::MAX } else { max };
        Self {
            all_max: bound(limits.connections_max),
            per_address_max: bound(limits.connections_per_address_max),
            head_ms: limits.head_seconds * 1000,
            idle_ms: limits.idle_seconds * 1000,
            watch: Stopwatch::start(),
            open: Mutex::default(),
            refused: AtomicU64::new(0),
            handed_on: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
            will_stop: AtomicBool::new(false),
            is_hastened: AtomicBool::new(false),
            changed: Notify::new(),
            stops: Notify::new(),
        }
    }

    /// Open ones, and how many were refused since the start.
    pub fn counts(&self) -> (usize, u64) {
        (self.lock().count(), self.refused.load(Ordering::Relaxed))
    }

    /// Those that other nodes have handed on since the start.
    pub fn handed_on(&self) -> u64 {
        self.handed_on.load(Ordering::Relaxed)
    }

    /// Shuts down what has been quiet for too long, again and again.
    pub async fn sweep(self: Arc<Self>) {
        loop {
            actix_web::rt::time::sleep(SWEEP_EVERY).await;
            self.sweep_once();
        }
    }

    /// The server is about to stop: whoever asks whether it is ready hears so from now on, and it serves on meanwhile.
    pub fn announce_stop(&self) {
        self.will_stop.store(true, Ordering::SeqCst);
    }

    /// Whether it stops, or is about to.
    pub fn will_stop(&self) -> bool {
        self.will_stop.load(Ordering::SeqCst) || self.is_stopping()
    }

    /// Whether the server stops: then a reply is the last one on its connection.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// Returns once the server stops.
    pub async fn stopping(&self) {
        let mut told = std::pin::pin!(self.stops.notified());
        // From here on it is heard, so a stop in between is seen below.
        told.as_mut().enable();
        if !self.is_stopping() {
            told.await;
        }
    }

    /// The server stops: gives each connection its last reply, and ends those that ask nothing. Returns once `all_ended` is
    /// done, or when `patience` is over; says whether all have ended.
    pub async fn drain(&self, patience: Duration, all_ended: impl Future<Output = ()>) -> bool {
        let (watch, mut patience) = (Stopwatch::start(), patience);
        self.is_stopping.store(true, Ordering::SeqCst);
        self.stops.notify_waiters();
        let mut all_ended = std::pin::pin!(all_ended);
        loop {
            if self.is_hastened.load(Ordering::SeqCst) {
                patience = patience.min(watch.elapsed() + LAST_ANSWERS);
            }
            let next = self.end_quiet().map_or(patience, Duration::from_millis);
            let left = patience.saturating_sub(watch.elapsed());
            if left.is_zero() {
                return all_ended.as_mut().now_or_never().is_some();
            }
            tokio::select! {
                biased;
                () = &mut all_ended => return true,
                () = self.changed.notified() => {}
                // The next moment has come, and nothing before it.
                () = actix_web::rt::time::sleep(next.min(left)) => {}
            }
        }
    }

    /// A stop is to be over soon: what asks nothing ends at once, and what is under way may go on for a moment.
    pub fn hasten(&self) {
        self.is_hastened.store(true, Ordering::SeqCst);
        self.tell_if_stopping();
    }

    /// Ends what has been quiet. Gives the milliseconds until there is more to end; `None` while all others are at it.
    fn end_quiet(&self) -> Option<u64> {
        let (now, is_hastened) = (self.now(), self.is_hastened.load(Ordering::SeqCst));
        self.lock().all().filter_map(|connection| connection.end_if_quiet(now, is_hastened)).min()
    }

    fn tell_if_stopping(&self) {
        if self.is_stopping() {
            self.changed.notify_one();
        }
    }

    fn sweep_once(&self) {
        let now = self.now();
        self.lock().all().for_each(|connection| connection.end_if_over(now));
    }

    /// Takes a connection that has just been made; `None` if there is no room for it. Proxies that are trusted in `front` are not
    /// bounded by address.
    pub fn admit(self: &Arc<Self>, stream: &TcpStream, is_tls: bool, front: &Front) -> Option<Admitted> {
        let between = (stream.peer_addr().ok()?.ip(), stream.local_addr().ok()?);
        self.admit_between(between, stream, is_tls, front)
    }

    /// The same of one that another node has taken, from this address, which has found that node there, and hands on over `stream`.
    pub fn admit_between(
        self: &Arc<Self>,
        (address, here): (IpAddr, SocketAddr),
        stream: &TcpStream,
        is_tls: bool,
        front: &Front,
    ) -> Option<Admitted> {
        let socket = stream.as_fd().try_clone_to_owned().ok()?;
        let now = self.now();
        let connection = Arc::new(Connection::new(socket, now, now + self.head_ms + HEAD_GRACE_MS));
        let (peer, number) = self.place(address, &connection, front, None)?;
        self.handed_on.fetch_add(1, Ordering::Relaxed);
        self.tell_if_stopping();
        Some(Admitted { of: self.clone(), number, peer, here, is_tls, said: None, connection })
    }

    /// A place for a connection from there, if there is room; instead of the one that it has, which it gives up in any case.
    fn place(
        &self,
        address: IpAddr,
        connection: &Arc<Connection>,
        front: &Front,
        instead: Option<(Peer, u64)>,
    ) -> Option<(Peer, u64)> {
        // All that come by a proxy come from its address: only the bound on all counts.
        let (peer, is_proxy) = (Peer::from(address), front.trusts(address));
        let mut open = self.lock();
        if instead.is_some_and(|(peer, number)| !open.remove(peer, number)) {
            // It was quiet, and had to give way.
            return None;
        }
        let of_peer = open.of_peer(peer);
        let is_full = open.count() >= self.all_max || (of_peer >= self.per_address_max && !is_proxy);
        if is_full && !open.end_quietest(peer, self.now()) {
            drop(open);
            self.tell_refused(peer, of_peer, "too many are open");
            return None;
        }
        Some((peer, open.add(peer, connection.clone())))
    }

    /// Says it the first time, the second, the fourth and so on: a flood must not fill the log.
    fn tell_refused(&self, peer: Peer, of_peer: usize, why: &str) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if refused.is_power_of_two() {
            let address = peer.address();
            tracing::warn!(%address, of_address = of_peer, refused, "a connection was refused: {why}");
        }
    }

    fn now(&self) -> u64 {
        self.watch.elapsed().as_millis() as u64
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().expect("no holder of the lock panics")
    }
}

impl Admitted {
    /// Its proxy has said whose it is: it counts among the connections of that client from now on, if there is room for it there.
    pub fn handed_on(mut self, said: &Proxied, front: &Front) -> Option<Self> {
        let place = Some((self.peer, self.number));
        (self.peer, self.number) = self.of.place(said.client.ip(), &self.connection, front, place)?;
        (self.here, self.said) = (said.here, Some(*said));
        Some(self)
    }

    /// Whether its client speaks TLS: here, or with a proxy that has said so.
    pub fn is_by_tls(&self) -> bool {
        self.is_tls || self.said.is_some_and(|said| said.is_tls)
    }

    /// It is refused for what it has sent.
    pub fn tell_refused(&self, why: &str) {
        let of_peer = self.of.lock().of_peer(self.peer);
        self.of.tell_refused(self.peer, of_peer, why);
    }

    /// A request begins.
    pub fn begin(&self) -> UnderWay {
        self.connection.begin(self.of.now());
        let (of, connection) = (self.of.clone(), self.connection.clone());
        let place = Some(Place { of: of.clone(), connection: connection.clone() });
        UnderWay { of, connection, lingers: false, place }
    }

    /// The body of the request that is under way is received, until what is returned is dropped.
    pub fn receive(&self) -> Receiving<'_> {
        self.connection.receive(true);
        Receiving(&self.connection)
    }

    /// Its reply goes on, and the client takes it: it is not over yet.
    pub fn goes_on(&self) {
        self.connection.goes_on(self.of.now() + self.of.idle_ms);
    }

    /// Whether its client has gone.
    pub fn is_left(&self) -> bool {
        self.connection.is_left()
    }

    /// Whether it may be read on.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.poll_readable(cx)
    }
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        self.0.receive(false);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.of.lock().remove(self.peer, self.number);
        self.of.tell_if_stopping();
    }
}

impl UnderWay {
    /// Whether a reply can no more be sent.
    pub fn is_too_late(&self) -> bool {
        self.connection.has_ended()
    }

    /// Goes with the reply.
    pub fn take_place(&mut self) -> Option<Place> {
        self.place.take()
    }

    /// Its body was refused: if the client goes on sending it, the connection ends soon.
    pub fn linger(&mut self) {
        self.lingers = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connection.reply_ends(self.of.now());
        self.of.tell_if_stopping();
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = self.of.now();
        let patience = if self.lingers { LINGER_MS } else { self.of.idle_ms };
        self.connection.request_ends(now, now + patience);
        self.of.tell_if_stopping();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Connections to one listener, as both sides see them.
    struct Met(Vec<(TcpStream, Option<Admitted>)>);

    impl Met {
        async fn with(connections: &Arc<Connections>, count: usize) -> Self {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let mut met = Vec::new();
            for _ in 0..count {
                let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
                let (stream, _) = listener.accept().await.expect("a client comes");
                met.push((client, connections.admit(&stream, false, &Front::default())));
            }
            Self(met)
        }

        fn are_admitted(&self) -> Vec<bool> {
            self.0.iter().map(|(_, admitted)| admitted.is_some()).collect()
        }
    }

    fn bounds(all: usize, per_address: usize) -> Arc<Connections> {
        let limits = Limits { connections_max: all, connections_per_address_max: per_address, ..Limits::default() };
        Arc::new(Connections::new(&limits))
    }

    #[actix_web::test]
    async fn a_place_is_free_again_when_its_connection_ends() {
        let connections = bounds(3, 2);
        let mut met = Met::with(&connections, 2).await;
        let busy: Vec<_> = met.0.iter().map(|(_, admitted)| admitted.as_ref().map(Admitted::begin)).collect();
        assert_eq!(Met::with(&connections, 1).await.are_admitted(), [false], "none of them is quiet");
        assert_eq!(connections.counts(), (2, 1));
        drop(met.0.remove(0));
        assert_eq!(connections.counts().0, 1, "what is dropped is counted no more");
        assert_eq!(Met::with(&connections, 1).await.are_admitted(), [true]);
        drop(busy);
    }

    #[actix_web::test]
    async fn the_one_that_was_quiet_for_longest_gives_way() {
        let connections = bounds(0, 3);
        let met = Met::with(&connections, 3).await;
        let admitted = |n: usize| met.0[n].1.as_ref().expect("there is room");
        let busy = admitted(0).begin();
        let mut more = Met::with(&connections, 1).await;
        assert_eq!((more.are_admitted(), connections.counts()), (vec![true], (3, 0)));
        let ended = |n: usize| admitted(n).connection.has_ended();
        assert_eq!([0, 1, 2].map(ended), [false, true, false], "the first is at it");
        drop(more.0.remove(0));
        assert_eq!(connections.counts().0, 2);
        drop((busy, met));
        assert_eq!(connections.counts().0, 0, "and the one that gave way is not counted twice");
    }

    #[actix_web::test]
    async fn a_stop_waits_for_a_request_and_ends_its_connection_once_it_is_answered() {
        const PATIENCE: Duration = Duration::from_secs(3600);
        let connections = Arc::new(Connections::new(&Limits::default()));
        let mut met = Met::with(&connections, 1).await;
        let (mut client, admitted) = met.0.remove(0);
        let admitted = admitted.expect("there is room");
        let under_way = admitted.begin();
        assert!(!connections.drain(Duration::ZERO, std::future::pending()).await, "it is asked for something");
        let (draining, (ended, all_ended)) = (connections.clone(), tokio::sync::oneshot::channel::<()>());
        let draining =
            actix_web::rt::spawn(async move { draining.drain(PATIENCE, async { drop(all_ended.await) }).await });
        tokio::task::yield_now().await;
        drop(under_way);
        let heard = actix_web::rt::time::timeout(Duration::from_secs(60), client.read_u8()).await;
        assert!(heard.expect("it hears of the answer").is_err(), "an orderly end");
        drop((admitted, ended));
        let drained = actix_web::rt::time::timeout(Duration::from_secs(60), draining).await;
        assert!(drained.expect("it hears of the end").expect("it does not panic"));
    }

    #[actix_web::test]
    async fn a_stop_that_is_hastened_waits_for_nobody_for_long() {
        const PATIENCE: Duration = Duration::from_secs(3600);
        let connections = Arc::new(Connections::new(&Limits::default()));
        let met = Met::with(&connections, 1).await;
        let _under_way = met.0[0].1.as_ref().expect("there is room").begin();
        connections.hasten();
        let drained = connections.drain(PATIENCE, std::future::pending());
        let drained = actix_web::rt::time::timeout(Duration::from_secs(60), drained).await;
        assert_eq!(drained, Ok(false), "it is over before the hour is");
    }
}
