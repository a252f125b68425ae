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
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use rustix::net::{Shutdown, shutdown};

use crate::api::access::limits::Limits;
use crate::clock::Stopwatch;

/// Requests that one connection may have under way, replies that it has not taken included; HTTP/2 would let it have any
/// number.
pub const REQUESTS_AT_ONCE_MAX: usize = 256;
/// Between two looks at all connections.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How long a client may go on with a body that was refused.
const LINGER_MS: u64 = 2_000;
/// How long a connection must have been quiet to be ended by a server that stops, and how long it is still read then: what
/// its client sent before it knew has come by then.
const QUIET_MS: u64 = 300;
/// Between two looks at all connections while the server stops.
const DRAIN_EVERY: Duration = Duration::from_millis(20);
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
    /// Since when the server stops, on the watch; 0 while it does not.
    stopping_since_ms: AtomicU64,
}

#[derive(Default)]
struct Open {
    last: u64,
    by_peer: HashMap<Peer, usize>,
    all: HashMap<u64, Arc<Connection>>,
}

struct Connection {
    socket: OwnedFd,
    /// Requests under way.
    busy: AtomicUsize,
    /// Those, and replies that the client has not taken yet.
    places: AtomicUsize,
    /// The last of them ended at, or the connection began, on the watch.
    quiet_since_ms: AtomicU64,
    /// It is shut down then unless a request is under way.
    until_ms: AtomicU64,
    /// Since when nothing more is sent on it; 0 while replies are.
    ended_since_ms: AtomicU64,
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
pub struct Place(Arc<Connection>);

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
            stopping_since_ms: AtomicU64::new(0),
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
        self.stopping_since_ms.load(Ordering::Acquire) > 0
    }

    /// The server stops: gives each connection its last reply, and ends those that ask nothing. Returns once all have ended,
    /// or when `patience` is over; says whether all have.
    pub async fn drain(&self, patience: Duration) -> bool {
        let watch = Stopwatch::start();
        self.stopping_since_ms.store(self.now().max(1), Ordering::Release);
        while self.counts().0 > 0 && watch.elapsed() < patience {
            actix_web::rt::time::sleep(DRAIN_EVERY).await;
            self.end_quiet();
        }
        self.counts().0 == 0
    }

    /// Ends what has been quiet since the server stops. Its client may be asking right now: so its data is still read, and
    /// the end of ours tells it that there will be no answer; a reset would be taken for a failure.
    fn end_quiet(&self) {
        let (now, stopping_since) = (self.now(), self.stopping_since_ms.load(Ordering::Acquire));
        for connection in self.lock().all.values().filter(|connection| connection.busy.load(Ordering::Acquire) == 0) {
            let quiet_since = connection.quiet_since_ms.load(Ordering::Acquire).max(stopping_since);
            let ended_since = connection.ended_since_ms.load(Ordering::Acquire);
            if ended_since == 0 && now >= quiet_since + QUIET_MS {
                connection.ended_since_ms.store(now, Ordering::SeqCst);
                if connection.busy.load(Ordering::SeqCst) > 0 {
                    // A request came in between. Either it has seen that it is too late, or it gets its answer.
                    connection.ended_since_ms.store(0, Ordering::SeqCst);
                    continue;
                }
                // An error means that it has ended already, here and below.
                let _ = shutdown(&connection.socket, Shutdown::Write);
            } else if ended_since > 0 && now >= ended_since + QUIET_MS {
                let _ = shutdown(&connection.socket, Shutdown::Both);
            }
        }
    }

    fn sweep_once(&self) {
        let now = self.now();
        for connection in self.lock().all.values() {
            let is_over = now >= connection.until_ms.load(Ordering::Acquire);
            if is_over && connection.busy.load(Ordering::Acquire) == 0 {
                // An error means that it has ended already.
                let _ = shutdown(&connection.socket, Shutdown::Both);
            }
        }
    }

    fn admit(self: &Arc<Self>, stream: &TcpStream) -> Option<Admitted> {
        let peer = Peer::from(stream.peer_addr().ok()?.ip());
        let socket = stream.as_fd().try_clone_to_owned().ok()?;
        let now = self.now();
        let connection = Arc::new(Connection {
            socket,
            busy: AtomicUsize::new(0),
            places: AtomicUsize::new(0),
            quiet_since_ms: AtomicU64::new(now),
            until_ms: AtomicU64::new(now + self.head_ms + HEAD_GRACE_MS),
            ended_since_ms: AtomicU64::new(0),
        });
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
        self.connection.busy.fetch_add(1, Ordering::SeqCst);
        let at_once = self.connection.places.fetch_add(1, Ordering::AcqRel) + 1;
        if at_once > 2 * REQUESTS_AT_ONCE_MAX {
            // It asks on and on and takes no reply, not even that there are too many. An error means that it has ended.
            let _ = shutdown(&self.connection.socket, Shutdown::Both);
        }
        let (connection, place) = (self.connection.clone(), Some(Place(self.connection.clone())));
        UnderWay { of: self.of.clone(), connection, at_once, lingers: false, place }
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
    }
}

impl UnderWay {
    /// Whether its connection has more under way than it may.
    pub fn is_one_too_many(&self) -> bool {
        self.at_once > REQUESTS_AT_ONCE_MAX
    }

    /// Whether a reply can no more be sent.
    pub fn is_too_late(&self) -> bool {
        self.connection.ended_since_ms.load(Ordering::SeqCst) > 0
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
        self.0.places.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = self.of.now();
        let patience = if self.lingers { LINGER_MS } else { self.of.idle_ms };
        self.connection.quiet_since_ms.store(now, Ordering::Release);
        self.connection.until_ms.store(now + patience, Ordering::Release);
        self.connection.busy.fetch_sub(1, Ordering::AcqRel);
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
}
