//! Who is connected: bounds on connections, in all and for one address, and an end for those that do nothing. What stays
//! true: one that is over a bound is shut down and nothing that it asks for is done, and one that asks nothing, or does not take
//! its reply, is shut down after a while, whatever version of HTTP it speaks and whatever it has sent of a request. When the
//! server stops, what was asked is answered first, and nothing is done of which the answer could not be sent.
//!
//! Each connection's [`Admitted`] lives in its extensions, so it is dropped with the connection, however that ends. It holds
//! a second descriptor of the socket, since the first belongs to the server's own code.

use std::any::Any;
use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use rustix::net::{Shutdown, shutdown};
use tokio::sync::Notify;

use crate::api::access::limits::Limits;
use crate::api::door::connection::Connection;
use crate::clock::Stopwatch;

/// Requests that one connection may have under way, replies that it has not taken included; HTTP/2 would let it have any
/// number.
pub const REQUESTS_AT_ONCE_MAX: usize = 256;
/// Between two looks at all connections.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How long a client may go on with a body that was refused.
const LINGER_MS: u64 = 2_000;
/// The server's own code ends a slow first head, with a reply; it gets this much longer.
const HEAD_GRACE_MS: u64 = 2_000;

/// Whom a bound is kept for: an IPv4 address, or the half of an IPv6 address that names a subscriber (/64).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(IpAddr);

impl Peer {
    /// All those together for whom there is no room.
    pub const OTHERS: Self = Self(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED));
}

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
            v4 => v4,
        })
    }
}

/// All connections.
pub struct Connections {
    all_max: usize,
    per_address_max: usize,
    head_ms: u64,
    idle_ms: u64,
    watch: Stopwatch,
    open: Mutex<Open>,
    refused: AtomicU64,
    is_stopping: AtomicBool,
    /// While the server stops: a connection has ended, or has become quiet.
    changed: Notify,
}

#[derive(Default)]
struct Open {
    last: u64,
    by_peer: HashMap<Peer, usize>,
    all: HashMap<u64, Arc<Connection>>,
}

/// A connection's place among all.
pub struct Admitted {
    of: Arc<Connections>,
    number: u64,
    peer: Peer,
    connection: Arc<Connection>,
}

/// A connection that there was no room for.
pub struct Refused;

/// A request under way.
pub struct UnderWay {
    of: Arc<Connections>,
    connection: Arc<Connection>,
    at_once: usize,
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
            is_stopping: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// Takes a connection that has just been made, or shuts it down. `stream` is what the server hands out then.
    pub fn meet(self: &Arc<Self>, stream: &dyn Any, extensions: &mut Extensions) {
        type Tls = actix_tls::accept::rustls_0_23::TlsStream<TcpStream>;
        let beneath = || stream.downcast_ref::<Tls>().map(|tls| tls.get_ref().0);
        let Some(stream) = stream.downcast_ref::<TcpStream>().or_else(beneath) else { return };
        match self.admit(stream) {
            Some(admitted) => drop(extensions.insert(admitted)),
            // What the client sent with its connect is read all the same; the gate lets none of it through. An error means
            // that it has ended already.
            None => {
                extensions.insert(Refused);
                let _ = shutdown(stream, Shutdown::Both);
            }
        }
    }

    /// Open ones, and how many were refused since the start.
    pub fn counts(&self) -> (usize, u64) {
        (self.lock().all.len(), self.refused.load(Ordering::Relaxed))
    }

    /// Shuts down what has been quiet for too long, again and again.
    pub async fn sweep(self: Arc<Self>) {
        loop {
            actix_web::rt::time::sleep(SWEEP_EVERY).await;
            self.sweep_once();
        }
    }

    /// Whether the server stops: then a reply is the last one on its connection.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// The server stops: gives each connection its last reply, and ends those that ask nothing. Returns once all have ended,
    /// or when `patience` is over; says whether all have.
    pub async fn drain(&self, patience: Duration) -> bool {
        let watch = Stopwatch::start();
        self.is_stopping.store(true, Ordering::SeqCst);
        while self.counts().0 > 0 {
            let next = self.end_quiet().map_or(patience, Duration::from_millis);
            let left = patience.saturating_sub(watch.elapsed());
            if left.is_zero() {
                return false;
            }
            // An error means that the next moment has come, and nothing before it.
            let _ = actix_web::rt::time::timeout(next.min(left), self.changed.notified()).await;
        }
        true
    }

    /// Ends what has been quiet. Gives the milliseconds until there is more to end; `None` while all others are at it.
    fn end_quiet(&self) -> Option<u64> {
        let now = self.now();
        self.lock().all.values().filter_map(|connection| connection.end_if_quiet(now)).min()
    }

    fn tell_if_stopping(&self) {
        if self.is_stopping() {
            self.changed.notify_one();
        }
    }

    fn sweep_once(&self) {
        let now = self.now();
        self.lock().all.values().for_each(|connection| connection.end_if_over(now));
    }

    fn admit(self: &Arc<Self>, stream: &TcpStream) -> Option<Admitted> {
        let peer = Peer::from(stream.peer_addr().ok()?.ip());
        let socket = stream.as_fd().try_clone_to_owned().ok()?;
        let now = self.now();
        let connection = Arc::new(Connection::new(socket, now, now + self.head_ms + HEAD_GRACE_MS));
        let mut open = self.lock();
        let of_peer = open.by_peer.get(&peer).copied().unwrap_or_default();
        if open.all.len() >= self.all_max || of_peer >= self.per_address_max {
            drop(open);
            self.tell_refused(peer, of_peer);
            return None;
        }
        open.by_peer.insert(peer, of_peer + 1);
        open.last += 1;
        let number = open.last;
        open.all.insert(number, connection.clone());
        Some(Admitted { of: self.clone(), number, peer, connection })
    }

    /// Says it the first time, the second, the fourth and so on: a flood must not fill the log.
    fn tell_refused(&self, peer: Peer, of_peer: usize) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if refused.is_power_of_two() {
            let address = peer.0;
            tracing::warn!(%address, of_address = of_peer, refused, "a connection was refused: too many are open");
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
    /// A request begins.
    pub fn begin(&self) -> UnderWay {
        let at_once = self.connection.begin(self.of.now());
        if at_once > 2 * REQUESTS_AT_ONCE_MAX {
            // It asks on and on and takes no reply, not even that there are too many.
            self.connection.cut();
        }
        let (of, connection) = (self.of.clone(), self.connection.clone());
        let place = Some(Place { of: of.clone(), connection: connection.clone() });
        UnderWay { of, connection, at_once, lingers: false, place }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.of.lock();
        open.all.remove(&self.number);
        match open.by_peer.get_mut(&self.peer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.by_peer.remove(&self.peer)),
        }
        drop(open);
        self.of.tell_if_stopping();
    }
}

impl UnderWay {
    /// Whether its connection has more under way than it may.
    pub fn is_one_too_many(&self) -> bool {
        self.at_once > REQUESTS_AT_ONCE_MAX
    }

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
    use super::*;

    fn peer(text: &str) -> Peer {
        Peer::from(text.parse::<IpAddr>().expect("an address"))
    }

    #[test]
    fn an_ipv6_subscriber_is_one_peer_and_a_mapped_address_is_what_it_maps() {
        assert_eq!(peer("2001:db8:1:2::1"), peer("2001:db8:1:2:ffff::9"));
        assert_ne!(peer("2001:db8:1:2::1"), peer("2001:db8:1:3::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }

    #[actix_web::test]
    async fn a_place_is_free_again_when_its_connection_ends() {
        let limits = Limits { connections_max: 3, connections_per_address_max: 2, ..Limits::default() };
        let connections = Arc::new(Connections::new(&limits));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut clients = Vec::new();
        let mut met = Vec::new();
        for _ in 0..3 {
            clients.push(TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens"));
            let (stream, _) = listener.accept().await.expect("a client comes");
            let mut extensions = Extensions::new();
            connections.meet(&stream, &mut extensions);
            met.push((stream, extensions));
        }
        let taken: Vec<bool> = met.iter().map(|(_, extensions)| extensions.contains::<Admitted>()).collect();
        assert_eq!((taken, connections.counts()), (vec![true, true, false], (2, 1)));
        drop(met.remove(0));
        assert_eq!(connections.counts().0, 1);
        assert!(connections.admit(&met[0].0).is_some(), "there is room for one more");
        assert_eq!(connections.counts(), (1, 1), "and what is dropped is counted no more");
    }

    #[actix_web::test]
    async fn a_stop_waits_for_a_request_and_hears_when_its_connection_ends() {
        const PATIENCE: Duration = Duration::from_secs(3600);
        let connections = Arc::new(Connections::new(&Limits::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let _client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a client comes");
        let admitted = connections.admit(&stream).expect("there is room");
        let under_way = admitted.begin();
        assert!(!connections.drain(Duration::ZERO).await, "it is asked for something");
        let draining = connections.clone();
        let draining = actix_web::rt::spawn(async move { draining.drain(PATIENCE).await });
        tokio::task::yield_now().await;
        drop((under_way, admitted));
        let drained = actix_web::rt::time::timeout(Duration::from_secs(60), draining).await;
        assert!(drained.expect("it hears of the end").expect("it does not panic"));
    }
}
