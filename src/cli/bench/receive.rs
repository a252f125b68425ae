//! The receiver: the endpoints of all webhooks, on a thread of its own. Those that are well answer every request at once,
//! and it is noted when it arrived; the sick cost as little as can be. What stays true: what is measured is what the
//! well ones saw, and connections are bounded.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix_rt::time::sleep;
use hdrhistogram::Histogram;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, Semaphore};

use super::http1::Messages;
use super::latency::latencies;
use super::produce::{EVENT_DIGITS, EVENT_MARK, SENT_DIGITS, SENT_MARK};
use super::webhooks::Manner;
use crate::cli::error::CliError;
use crate::cli::terminal::note;
use crate::clock::Stopwatch;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const FAILURE: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
/// Connections at once, hanging ones included; further ones wait to be taken in.
const CONNECTIONS_MAX: u32 = 16 << 10;

/// What arrived.
#[derive(Debug)]
pub struct Received {
    /// Requests to endpoints that are well, repeated ones left out.
    pub deliveries: u64,
    /// Requests that had arrived before.
    pub repeated: u64,
    /// When the last one arrived, on the bench's clock.
    pub last_us: u64,
    /// From post to arrival, in microseconds.
    pub latency_us: Histogram<u64>,
    /// Requests that were left without an answer.
    pub hung: u64,
    /// Requests that were answered with 500 by endpoints that always do.
    pub failed: u64,
    /// When requests arrived at the endpoints that fail once, by webhook.
    pub fails_once_us: HashMap<u32, Vec<u64>>,
    seen: HashSet<(u32, u64)>,
    /// What was posted before this does not count.
    since_us: u64,
}

impl Received {
    fn new() -> Self {
        Self {
            deliveries: 0,
            repeated: 0,
            last_us: 0,
            latency_us: latencies(),
            hung: 0,
            failed: 0,
            fails_once_us: HashMap::new(),
            seen: HashSet::new(),
            since_us: 0,
        }
    }
}

/// The endpoints of all webhooks of the bench.
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    clock: Stopwatch,
    received: Mutex<Received>,
    arrived: Notify,
    held: AtomicU32,
}

/// What an endpoint does with a request.
enum Answer {
    Now(&'static [u8]),
    /// A success, after so long.
    After(Duration),
    Never,
}

/// A request that waits for its answer.
struct Held<'a>(&'a AtomicU32);

impl Receiver {
    /// Listens on a free port of this machine.
    pub fn start(clock: Stopwatch) -> Result<Self, CliError> {
        let listener = listen().map_err(CliError::io("no port to receive on"))?;
        let port = listener.local_addr().map_err(CliError::io("no port to receive on"))?.port();
        let (received, held) = (Mutex::new(Received::new()), AtomicU32::new(0));
        let shared = Arc::new(Shared { clock, received, arrived: Notify::new(), held });
        let serving = shared.clone();
        let serve = move || actix_rt::System::new().block_on(serve(listener, serving));
        std::thread::Builder::new().name("receiver".into()).spawn(serve).map_err(CliError::io("no thread"))?;
        Ok(Self { port, shared })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until so many deliveries have arrived where all is well, or nothing for as long as `patience`.
    pub async fn wait_for(&self, deliveries: u64, patience: Duration) {
        self.wait_until(patience, |received| received.deliveries >= deliveries).await;
    }

    /// Waits until `enough` has arrived, or nothing for as long as `patience`.
    pub async fn wait_until(&self, patience: Duration, enough: impl Fn(&Received) -> bool) {
        loop {
            // Registered before looking, so that nothing that arrives in between is slept over.
            let arrived = self.shared.arrived.notified();
            if enough(&self.shared.lock()) {
                return;
            }
            if actix_rt::time::timeout(patience, arrived).await.is_err() {
                return;
            }
        }
    }

    /// Starts counting anew; what is posted from now on counts.
    pub fn forget(&self) {
        let mut received = self.shared.lock();
        *received = Received::new();
        received.since_us = self.shared.clock.elapsed().as_micros() as u64;
    }

    /// What has arrived so far, and counting begins anew.
    pub fn received(&self) -> Received {
        std::mem::replace(&mut *self.shared.lock(), Received::new())
    }

    /// What has arrived so far, and latencies since this was last asked.
    pub fn lately(&self) -> (u64, Histogram<u64>) {
        let mut received = self.shared.lock();
        (received.deliveries, std::mem::replace(&mut received.latency_us, latencies()))
    }

    /// How many requests endpoints that hang or are slow keep waiting.
    pub fn held(&self) -> u32 {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// Looks at what has arrived so far.
    pub fn look<T>(&self, look: impl FnOnce(&Received) -> T) -> T {
        look(&self.shared.lock())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Received> {
        self.received.lock().expect("not poisoned")
    }

    fn hold(&self) -> Held<'_> {
        self.held.fetch_add(1, Ordering::Relaxed);
        Held(&self.held)
    }

    /// Takes in a request.
    fn take_in(&self, head: &[u8], body: &[u8]) -> Answer {
        let (manner, webhook) = asked(head).unwrap_or((Manner::Well, 0));
        match manner {
            Manner::Well => {
                if let Some((sent_us, event)) = posted(body) {
                    self.note(webhook, sent_us, event);
                }
                Answer::Now(OK)
            }
            Manner::Hangs => {
                self.lock().hung += 1;
                Answer::Never
            }
            Manner::Fails => {
                self.lock().failed += 1;
                self.arrived.notify_one();
                Answer::Now(FAILURE)
            }
            Manner::Slow(ms) => Answer::After(Duration::from_millis(ms.into())),
            Manner::FailsOnce => {
                let now_us = self.clock.elapsed().as_micros() as u64;
                let mut received = self.lock();
                let arrived_us = received.fails_once_us.entry(webhook).or_default();
                arrived_us.push(now_us);
                let answer = if arrived_us.len() == 1 { FAILURE } else { OK };
                drop(received);
                self.arrived.notify_one();
                Answer::Now(answer)
            }
        }
    }

    /// Notes a delivery of the event of this number, posted at `sent_us`, to the webhook of this number.
    fn note(&self, webhook: u32, sent_us: u64, event: u64) {
        let now_us = self.clock.elapsed().as_micros() as u64;
        let mut received = self.lock();
        if sent_us < received.since_us {
            return;
        }
        if !received.seen.insert((webhook, event)) {
            received.repeated += 1;
            return;
        }
        received.deliveries += 1;
        received.last_us = now_us;
        received.latency_us.saturating_record(now_us.saturating_sub(sent_us));
        drop(received);
        self.arrived.notify_one();
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A listener whose queue holds all connections that a sender may open at once: one that finds it full tries again after
/// a second only, which would be measured.
fn listen() -> io::Result<std::net::TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    socket.listen(CONNECTIONS_MAX)?.into_std()
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
    loop {
        let place = places.clone().acquire_owned().await.expect("nobody closes it");
        let (stream, _) = listener.accept().await?;
        let shared = shared.clone();
        actix_rt::spawn(async move {
            let _place = place;
            let answered = answer(stream, &shared).await;
            // A peer that resets has given up, or is no more.
            if let Err(error) = answered.or_else(|error| if is_reset(&error) { Ok(()) } else { Err(error) }) {
                note(format_args!("hookwheel: the receiver dropped a connection: {error}"));
            }
        });
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

async fn answer(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (from, mut to) = stream.into_split();
    let mut messages = Messages::new(from);
    while let Some(message) = messages.next().await? {
        match shared.take_in(message.head, message.body) {
            Answer::Now(answer) => to.write_all(answer).await?,
            Answer::After(time) => {
                let _held = shared.hold();
                sleep(time).await;
                to.write_all(OK).await?;
            }
            Answer::Never => {
                let _held = shared.hold();
                // What comes next is that the peer gives up, in whatever way.
                let _ = messages.next().await;
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The manner of the endpoint and the number of the webhook, from the path.
fn asked(head: &[u8]) -> Option<(Manner, u32)> {
    let path = head.strip_prefix(b"POST /")?;
    let path = &path[..memchr::memchr(b' ', path)?];
    let slash = memchr::memchr(b'/', path)?;
    Some((Manner::of(&path[..slash])?, u32::try_from(number(&path[slash + 1..])?).ok()?))
}

/// The time of posting, and the number of the event.
fn posted(body: &[u8]) -> Option<(u64, u64)> {
    let digits = |mark: &str, count: usize| {
        let at = memchr::memmem::find(body, mark.as_bytes())? + mark.len();
        number(body.get(at..at + count)?)
    };
    Some((digits(SENT_MARK, SENT_DIGITS)?, digits(EVENT_MARK, EVENT_DIGITS)?))
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
