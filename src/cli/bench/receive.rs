//! The receiver: an endpoint on a thread of its own that answers every request at once and notes when it arrived.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::CliError;
use super::http1::{Message, Messages};
use super::produce::{EVENT_DIGITS, EVENT_MARK, SENT_DIGITS, SENT_MARK};
use super::report::latencies;
use crate::clock::Stopwatch;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What arrived.
#[derive(Debug)]
pub struct Received {
    /// Requests, repeated ones left out.
    pub deliveries: u64,
    /// Requests that had arrived before.
    pub repeated: u64,
    /// When the last one arrived, on the bench's clock.
    pub last_us: u64,
    /// From post to arrival, in microseconds.
    pub latency_us: Histogram<u64>,
    seen: HashSet<(u32, u64)>,
    /// What was posted before this does not count.
    since_us: u64,
}

impl Received {
    fn new() -> Self {
        let latency_us = latencies();
        Self { deliveries: 0, repeated: 0, last_us: 0, latency_us, seen: HashSet::new(), since_us: 0 }
    }
}

/// The endpoint of all webhooks of the bench.
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    clock: Stopwatch,
    received: Mutex<Received>,
    arrived: Notify,
}

impl Receiver {
    /// Listens on a free port of this machine.
    pub fn start(clock: Stopwatch) -> Result<Self, CliError> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(CliError::io("no port to receive on"))?;
        let port = listener.local_addr().map_err(CliError::io("no port to receive on"))?.port();
        let shared = Arc::new(Shared { clock, received: Mutex::new(Received::new()), arrived: Notify::new() });
        let serving = shared.clone();
        let serve = move || actix_rt::System::new().block_on(serve(listener, serving));
        std::thread::Builder::new().name("receiver".into()).spawn(serve).map_err(CliError::io("no thread"))?;
        Ok(Self { port, shared })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until so many deliveries have arrived, or none for as long as `patience`.
    pub async fn wait_for(&self, deliveries: u64, patience: Duration) {
        loop {
            // Registered before looking, so that nothing that arrives in between is slept over.
            let arrived = self.shared.arrived.notified();
            if self.shared.lock().deliveries >= deliveries {
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

    /// What has arrived so far.
    pub fn received(&self) -> Received {
        std::mem::replace(&mut *self.shared.lock(), Received::new())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Received> {
        self.received.lock().expect("not poisoned")
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

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let shared = shared.clone();
        actix_rt::spawn(async move {
            if let Err(error) = answer(stream, &shared).await {
                eprintln!("hookwheel: the receiver dropped a connection: {error}");
            }
        });
    }
}

async fn answer(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (from, mut to) = stream.into_split();
    let mut messages = Messages::new(from);
    while let Some(message) = messages.next().await? {
        if let Some((webhook, sent_us, event)) = read(&message) {
            shared.note(webhook, sent_us, event);
        }
        to.write_all(ANSWER).await?;
    }
    Ok(())
}

/// The webhook's number from the path, the time of posting, and a number of the event.
fn read(message: &Message<'_>) -> Option<(u32, u64, u64)> {
    let path = message.head.strip_prefix(b"POST /")?;
    let webhook = number(&path[..memchr::memchr(b' ', path)?])?;
    let digits = |mark: &str, count: usize| {
        let at = memchr::memmem::find(message.body, mark.as_bytes())? + mark.len();
        number(message.body.get(at..at + count)?)
    };
    let (sent_us, event) = (digits(SENT_MARK, SENT_DIGITS)?, digits(EVENT_MARK, EVENT_DIGITS)?);
    Some((u32::try_from(webhook).ok()?, sent_us, event))
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
