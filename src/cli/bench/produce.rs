//! The producers: each a connection that posts one event at a time, as fast as it is accepted or at a given rate. With
//! a rate, a producer that is late counts its latency from when it should have posted, so a server that stalls cannot
//! hide it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use actix_rt::time::sleep;
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::http1::Messages;
use super::latency::latencies;
use super::webhooks::{TYPE_DIGITS, Webhooks};
use crate::cli::error::CliError;
use crate::cli::server::ServerArgs;
use crate::clock::Stopwatch;

/// What marks the time of posting in an event's data, and how many digits follow: microseconds of the bench's clock.
pub const SENT_MARK: &str = "\"sent\":\"";
/// The digits of the time of posting.
pub const SENT_DIGITS: usize = 14;
/// What marks the number of an event in its data, unlike any other of this bench, and how many digits follow.
pub const EVENT_MARK: &str = "\"event\":\"";
/// The digits of an event's number.
pub const EVENT_DIGITS: usize = 12;
/// What follows an event's type.
const TYPE_END: &str = "\",\"data\":{";
/// A producer that is told "not now" waits this long.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// When to stop posting.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    events_max: u64,
    time_max: Duration,
}

impl Bounds {
    /// After so many events.
    pub fn events(events_max: u64) -> Self {
        Self { events_max, time_max: Duration::MAX }
    }
    /// After so long.
    pub fn time(time_max: Duration) -> Self {
        Self { events_max: u64::MAX, time_max }
    }
}

/// What the producers saw.
#[derive(Debug)]
pub struct Posted {
    /// Answered with 202.
    pub accepted: u64,
    /// Deliveries of those to endpoints that are well.
    pub wanted: u64,
    /// Other answers, by status.
    pub refused: BTreeMap<u16, u64>,
    /// From the first post to the last answer.
    pub time: Duration,
    /// When the first was posted, on the bench's clock.
    pub begun_us: u64,
    /// From post to answer, in microseconds.
    pub latency_us: Histogram<u64>,
}

/// The connected producers.
pub struct Load {
    clock: Stopwatch,
    webhooks: Webhooks,
    producers: Vec<Producer>,
    seen: Rc<RefCell<Seen>>,
}

/// A look at producers while they post.
pub struct Watch(Rc<RefCell<Seen>>);

struct Producer {
    to: OwnedWriteHalf,
    from: Messages<OwnedReadHalf>,
    request: Vec<u8>,
    /// Where the number of the webhook lies in the request, if the event's type has one.
    turn_at: usize,
    /// Where the time of posting lies in the request.
    sent_at: usize,
    /// Where the event's number lies in the request.
    event_at: usize,
}

impl Load {
    /// Connected producers for events that `webhooks` want, whose request bodies have `bytes` bytes.
    pub fn new(
        server: &ServerArgs,
        clock: Stopwatch,
        webhooks: Webhooks,
        producers: u32,
        bytes: u32,
    ) -> Result<Self, CliError> {
        let authority = server.url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let authority = authority.filter(|rest| !rest.contains('/'));
        let authority =
            authority.ok_or_else(|| CliError::Failed("the bench needs a --url like http://127.0.0.1:7080".into()))?;
        let address = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        let event_type = webhooks.event_type(0);
        let connect = |producer| {
            let request = request(authority, server.key.as_deref(), &event_type, bytes as usize, producer);
            Producer::connect(&address, request).map_err(CliError::io(format!("cannot connect to {address}")))
        };
        let producers = (0..producers).map(connect).collect::<Result<_, _>>()?;
        Ok(Self { clock, webhooks, producers, seen: Rc::default() })
    }

    /// Looks on while they post.
    pub fn watch(&self) -> Watch {
        Watch(self.seen.clone())
    }

    /// Posts until the bounds, at `rate` events a second over all producers if one is given.
    pub async fn post(&mut self, bounds: Bounds, rate: Option<u32>) -> Result<Posted, CliError> {
        let begun = self.clock.elapsed();
        let run = Run { clock: self.clock, webhooks: self.webhooks, begun, bounds, taken: Rc::default() };
        let pace = rate.map(|rate| Duration::from_secs_f64(1.0 / f64::from(rate)));
        self.seen.take();
        let (count, seen) = (self.producers.len() as u32, &self.seen);
        let posting = self.producers.iter_mut().enumerate().map(|(number, producer)| {
            let pace = pace.map(|pace| (begun + pace * number as u32, pace * count));
            producer.post(run.clone(), pace, seen.clone())
        });
        try_join_all(posting).await.map_err(CliError::io("the server closed a connection"))?;
        let time = self.clock.elapsed() - begun;
        let seen = self.seen.take();
        Ok(Posted {
            accepted: seen.accepted,
            wanted: seen.wanted,
            refused: seen.refused,
            time,
            begun_us: begun.as_micros() as u64,
            latency_us: seen.latency_us,
        })
    }
}

impl Watch {
    /// How many were accepted so far, and latencies since this was last asked.
    pub fn lately(&self) -> (u64, Histogram<u64>) {
        let mut seen = self.0.borrow_mut();
        (seen.accepted, std::mem::replace(&mut seen.latency_us, latencies()))
    }
}

struct Seen {
    accepted: u64,
    wanted: u64,
    latency_us: Histogram<u64>,
    refused: BTreeMap<u16, u64>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { accepted: 0, wanted: 0, latency_us: latencies(), refused: BTreeMap::new() }
    }
}

/// One stretch of posting, shared by the producers.
#[derive(Clone)]
struct Run {
    clock: Stopwatch,
    webhooks: Webhooks,
    begun: Duration,
    bounds: Bounds,
    taken: Rc<Cell<u64>>,
}

impl Run {
    /// The number of one more event, if one may be posted at `now`.
    fn take(&self, now: Duration) -> Option<u64> {
        let taken = self.taken.get();
        self.taken.set(taken + 1);
        (taken < self.bounds.events_max && now - self.begun < self.bounds.time_max).then_some(taken)
    }
}

impl Producer {
    fn connect(address: &str, request: Vec<u8>) -> io::Result<Self> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let (from, to) = TcpStream::from_std(stream)?.into_split();
        let after = |mark: &str| {
            memchr::memmem::find(&request, mark.as_bytes()).expect("the request has its marks") + mark.len()
        };
        let (sent_at, event_at) = (after(SENT_MARK), after(EVENT_MARK));
        // The type ends with it.
        let turn_at = after(TYPE_END) - TYPE_END.len() - TYPE_DIGITS;
        Ok(Self { to, from: Messages::new(from), request, turn_at, sent_at, event_at })
    }

    /// Posts at its `pace`: the time of its first event, and the time from one to the next.
    async fn post(
        &mut self,
        run: Run,
        mut pace: Option<(Duration, Duration)>,
        seen: Rc<RefCell<Seen>>,
    ) -> io::Result<()> {
        loop {
            let mut sent = run.clock.elapsed();
            if let Some((due, every)) = &mut pace {
                if sent < *due {
                    sleep(*due - sent).await;
                    sent = run.clock.elapsed();
                } else {
                    sent = *due;
                }
                *due += *every;
            }
            let Some(event) = run.take(sent) else { return Ok(()) };
            let status = self.post_one(sent, event, run.webhooks.turn_of(event)).await?;
            let took = run.clock.elapsed() - sent;
            if status == 202 {
                let mut seen = seen.borrow_mut();
                seen.accepted += 1;
                seen.wanted += run.webhooks.wanted(event);
                seen.latency_us.saturating_record(took.as_micros() as u64);
                continue;
            }
            *seen.borrow_mut().refused.entry(status).or_default() += 1;
            sleep(BUSY_PAUSE).await;
        }
    }

    async fn post_one(&mut self, sent: Duration, event: u64, turn: Option<u32>) -> io::Result<u16> {
        if let Some(webhook) = turn {
            let webhook = format!("{webhook:0TYPE_DIGITS$}");
            self.request[self.turn_at..][..TYPE_DIGITS].copy_from_slice(webhook.as_bytes());
        }
        let sent = format!("{:0SENT_DIGITS$}", sent.as_micros());
        self.request[self.sent_at..][..SENT_DIGITS].copy_from_slice(sent.as_bytes());
        let event = format!("{event:0EVENT_DIGITS$}");
        self.request[self.event_at..][..EVENT_DIGITS].copy_from_slice(event.as_bytes());
        self.to.write_all(&self.request).await?;
        match self.from.next().await? {
            Some(response) => response.status(),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A request of this producer with an event of this type, whose body has `bytes` bytes.
fn request(authority: &str, key: Option<&str>, event_type: &str, bytes: usize, producer: u32) -> Vec<u8> {
    let body = |pad: &str| {
        let (sent, event) =
            (format_args!("{SENT_MARK}{:0SENT_DIGITS$}\"", 0), format_args!("{EVENT_MARK}{:0EVENT_DIGITS$}\"", 0));
        format!("{{\"type\":\"{event_type}{TYPE_END}{sent},{event},\"pad\":\"{pad}\"}}}}")
    };
    let body = body(&text(bytes.saturating_sub(body("").len()), producer));
    let key = key.map_or(String::new(), |key| format!("Authorization: Bearer {key}\r\n"));
    let length = body.len();
    format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: {authority}\r\n{key}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// So many bytes that can be pressed about as well as what products say: words, and between them ids and amounts, which cannot.
fn text(bytes: usize, producer: u32) -> String {
    const WORDS: &str = "customer invoice order paid amount currency total status created updated address street city country \
                         email name phone items price quantity discount tax shipped pending succeeded subscription plan trial";
    let words: Vec<_> = WORDS.split(' ').collect();
    let mut state = u64::from(producer) + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut text = String::with_capacity(bytes + 32);
    while text.len() < bytes {
        text.push_str(words[next() as usize % words.len()]);
        match next() % 3 {
            0 => text.push_str(&format!(" {:08x} ", next() & 0xffff_ffff)),
            _ => text.push_str(": "),
        }
    }
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_size_that_was_asked_for() {
        let request = String::from_utf8(request("host:1", Some("key"), "a.b.0000", 1024, 7)).expect("is text");
        let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
        assert_eq!(body.len(), 1024);
        assert!(head.ends_with("Content-Length: 1024"), "{head}");
        let event: serde_json::Value = serde_json::from_str(body).expect("is JSON");
        assert_eq!(event["type"], "a.b.0000");
        assert_eq!(event["data"]["sent"].as_str().map(str::len), Some(SENT_DIGITS));
    }
}
