//! One request and its answer over HTTP/2, on a session that others share. What stays true: the stream says whose the
//! answer is; whoever stops waiting resets the stream and leaves the session to those who are on it; and what the
//! endpoint says that it did not look at is told apart from what may have been delivered.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ::h2::Reason;
use ::h2::client::{Builder, SendRequest};
use actix_web::http::header::RETRY_AFTER;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::sync::{oneshot, watch};

use super::connection::{Connection, Fault};
use super::{Failure, Heard, Request};
use crate::clock::Stopwatch;
use crate::domain::probe;
use crate::domain::trace::kept_headers;

/// How many streams a session may have before the endpoint has said it.
const UNKNOWN: usize = usize::MAX - 1;
/// Bytes that may be on their way on one stream, and on a session.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const SESSION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes of the headers of an answer.
const HEADER_BYTES_MAX: u32 = 64 * 1024;
/// How long a session that nobody uses any more may take to say good-bye.
const LINGER: Duration = Duration::from_secs(2);

/// A session, as those who share it see it.
pub struct Session {
    send: SendRequest<Bytes>,
    state: Rc<State>,
}

#[derive(Debug)]
struct State {
    /// Streams that the endpoint takes at once.
    streams_max: Cell<usize>,
    streams: Cell<usize>,
    /// An answer has come on it.
    has_answered: Cell<bool>,
    /// Nothing more is to be sent on it.
    is_retired: Cell<bool>,
    fault: Fault,
    /// Dropped with the last who uses the session.
    _in_use: oneshot::Sender<()>,
}

impl Session {
    /// Begins a session. `opened` is told once the endpoint has said how many streams it takes, and dropped if it never
    /// does.
    pub async fn begin(connection: Connection, opened: Option<watch::Sender<()>>) -> Result<Self, Failure> {
        let fault = connection.fault();
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_max_send_streams(UNKNOWN)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(SESSION_WINDOW_BYTES)
            .max_header_list_size(HEADER_BYTES_MAX);
        let (send, driven) = builder.handshake(connection).await.map_err(Failure::H2)?;
        let (in_use, left) = oneshot::channel();
        let state = Rc::new(State {
            streams_max: UNKNOWN.into(),
            streams: 0.into(),
            has_answered: false.into(),
            is_retired: false.into(),
            fault,
            _in_use: in_use,
        });
        actix_rt::spawn(drive(driven, Rc::downgrade(&state), opened, left));
        Ok(Self { send, state })
    }

    /// A stream of it, if the endpoint takes one more.
    pub fn stream(&self) -> Option<Lease> {
        let max = self.state.streams_max.get();
        (max != UNKNOWN && self.state.streams.get() < max).then(|| self.first_stream())
    }

    /// Its first stream, before the endpoint has said how many it takes: it always takes one.
    pub fn first_stream(&self) -> Lease {
        self.state.streams.update(|streams| streams + 1);
        let was_used = self.state.has_answered.get();
        Lease { send: self.send.clone(), state: self.state.clone(), was_used, has_ended: false }
    }

    /// Whether more may be sent on it: it has not ended, and the endpoint has not said that it takes no more.
    pub fn is_open(&mut self) -> bool {
        let ready = self.send.poll_ready(&mut Context::from_waker(Waker::noop()));
        !matches!(ready, Poll::Ready(Err(_))) && !self.state.is_retired.get()
    }

    /// Whether nobody uses it.
    pub fn is_idle(&self) -> bool {
        self.state.streams.get() == 0
    }
}

/// A stream of a session. Whoever drops it before its end has given up waiting: then the session may be dead, and gets
/// no further requests.
pub struct Lease {
    send: SendRequest<Bytes>,
    state: Rc<State>,
    was_used: bool,
    has_ended: bool,
}

impl Lease {
    /// Whether an answer had come on the session before this stream.
    pub fn was_used(&self) -> bool {
        self.was_used
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.state.streams.update(|streams| streams - 1);
        if !self.has_ended {
            self.state.is_retired.set(true);
        }
    }
}

/// Sends the request and reads the start of the answer.
pub async fn exchange(mut lease: Lease, request: &Request<'_>, heard: &mut Heard) -> Result<u16, Failure> {
    let answered = answer(&mut lease, request, heard).await;
    // A stream that was reset is an end as well; a session that broke says so itself.
    lease.has_ended = true;
    answered.map_err(|error| match lease.state.fault.take() {
        Some(fault) => Failure::Io(std::io::Error::other(fault)),
        None => Failure::H2(error),
    })
}

async fn answer(lease: &mut Lease, request: &Request<'_>, heard: &mut Heard) -> Result<u16, ::h2::Error> {
    let watch = Stopwatch::start();
    poll_fn(|cx| lease.send.poll_ready(cx)).await?;
    let (answer, mut body) = lease.send.send_request(head(request), request.body.is_empty())?;
    if !request.body.is_empty() {
        // An error means that the endpoint has ended the stream: the answer says how.
        let _ = body.send_data(request.body.clone(), true);
    }
    let answer = answer.await?;
    lease.state.has_answered.set(true);
    let status = answer.status().as_u16();
    let asked = answer.headers().get(RETRY_AFTER.as_str()).and_then(|value| value.to_str().ok());
    (heard.any, heard.status, heard.retry_after) = (true, Some(status), asked.map(str::to_string));
    heard.phases.first_byte_us = Some(watch.micros());
    heard.headers = kept_headers(answer.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    let mut pieces = answer.into_body();
    while !heard.is_full() {
        match pieces.data().await {
            Some(Ok(piece)) => {
                heard.keep(&piece);
                pieces.flow_control().release_capacity(piece.len())?;
            }
            // It wants no more of the request, which it has answered (RFC 9113, 8.1).
            Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => break,
            Some(Err(error)) => return Err(error),
            None => break,
        }
    }
    Ok(status)
}

fn head(request: &Request<'_>) -> http::Request<()> {
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 1);
    headers.insert(CONTENT_LENGTH, request.body.len().into());
    for (name, value) in request.headers {
        // Both were vetted when they were set, by the same rules.
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let is_sensitive = value.is_sensitive();
        if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            value.set_sensitive(is_sensitive);
            headers.append(name, value);
        }
    }
    let mut head = http::Request::new(());
    *head.method_mut() = match request.method {
        probe::Method::Post => Method::POST,
        probe::Method::Get => Method::GET,
    };
    *head.uri_mut() = request.to.uri.clone();
    *head.version_mut() = http::Version::HTTP_2;
    *head.headers_mut() = headers;
    head
}

/// Whether the endpoint has not looked at the request: it may be sent again whatever it does.
pub fn is_unseen(error: &::h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM))
}

/// Reads and writes for everybody on a session, until it ends.
async fn drive(
    mut driven: ::h2::client::Connection<Connection, Bytes>,
    state: Weak<State>,
    mut opened: Option<watch::Sender<()>>,
    left: oneshot::Receiver<()>,
) {
    let mut running = pin!(poll_fn(|cx| {
        let polled = Pin::new(&mut driven).poll(cx);
        let streams_max = driven.max_concurrent_send_streams();
        if let Some(state) = state.upgrade().filter(|_| streams_max != UNKNOWN) {
            state.streams_max.set(streams_max);
            // Nobody may be waiting.
            let _ = opened.take().map(|opened| opened.send(()));
        }
        polled
    }));
    tokio::select! {
        // Whoever is on it hears of an error on the stream.
        _ = &mut running => {}
        _ = left => drop(actix_rt::time::timeout(LINGER, running).await),
    }
    if let Some(state) = state.upgrade() {
        state.is_retired.set(true);
    }
}
