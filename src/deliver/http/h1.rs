//! One request and its answer over HTTP/1.1. What stays true: the connection is taken by value, and given back only
//! after one whole request and one whole answer with nothing behind it. Whoever stops waiting drops the connection with
//! the future, so an answer that comes late has nobody left to be taken for.

use std::fmt::Write;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::buf::Chain;
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::framing::{Progress, Reading};
use super::{Failure, Heard, Request};
use crate::clock::Stopwatch;

/// Bytes of an answer that are read at once.
const READ_BYTES: usize = 4 * 1024;

/// A connection that may be used again.
#[derive(Debug)]
pub struct Reusable<S> {
    /// The connection.
    pub stream: S,
    /// How long the endpoint says that it keeps it.
    pub idle_max: Option<Duration>,
}

/// Sends the request and reads the start of the answer. Gives the connection back if it may be used again.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: &Request<'_>,
    heard: &mut Heard,
) -> (Result<u16, Failure>, Option<Reusable<S>>) {
    let out = head(request).chain(request.body.clone());
    let mut wire = Wire { stream, out, is_flushed: false, failed: None, received: BytesMut::new() };
    let mut reading = Reading::new();
    let status = wire.answer(&mut reading, heard).await;
    let is_reusable = status.is_ok() && reading.keeps() && wire.is_at_rest();
    let stream = is_reusable.then_some(Reusable { stream: wire.stream, idle_max: reading.idle_max() });
    (status, stream)
}

/// The request's head. Every value was vetted: none holds a line end.
fn head(request: &Request<'_>) -> Bytes {
    let (method, mut text) = (request.method.as_str(), String::with_capacity(512));
    let written = write!(text, "{method} {} HTTP/1.1\r\nhost: {}\r\n", request.to.path(), request.to.authority)
        .and_then(|()| {
            // An endpoint may count on it, also where it is 0.
            write!(text, "content-length: {}\r\n", request.body.len())
        });
    written.expect("writing to memory cannot fail");
    let mut bytes = text.into_bytes();
    for (name, value) in request.headers {
        let at = bytes.len();
        bytes.extend_from_slice(name.as_str().as_bytes());
        if request.upper_case {
            bytes[at..].make_ascii_uppercase();
        }
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.into()
}

/// A connection with what goes out and what came in.
struct Wire<S> {
    stream: S,
    out: Chain<Bytes, Bytes>,
    is_flushed: bool,
    /// Why no more can be written.
    failed: Option<io::Error>,
    received: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    async fn answer(&mut self, reading: &mut Reading, heard: &mut Heard) -> Result<u16, Failure> {
        let watch = Stopwatch::start();
        loop {
            match reading.take(&mut self.received, heard).map_err(Failure::Broken)? {
                Progress::Whole | Progress::Full => break,
                Progress::Missing => {}
            }
            match self.more().await {
                Ok(0) => {
                    reading.closed(heard).map_err(|why| self.ended(heard, why))?;
                    break;
                }
                Ok(_) => _ = heard.phases.first_byte_us.get_or_insert_with(|| watch.micros()),
                // Over TLS: closed without the word that it is closed, which many do.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    reading.closed(heard).map_err(|why| self.ended(heard, why))?;
                    break;
                }
                Err(error) => return Err(Failure::Io(error)),
            }
        }
        Ok(heard.status.expect("an answer that is there has a status"))
    }

    /// The failure of a connection that was closed before an answer: if it broke while we wrote, that says more.
    fn ended(&mut self, heard: &Heard, why: String) -> Failure {
        match self.failed.take() {
            Some(error) if !heard.any => Failure::Io(error),
            _ => Failure::Broken(why),
        }
    }

    /// Waits for more of the answer, and writes meanwhile: an endpoint may answer before it has read everything. Says how
    /// many bytes came; 0: the peer has closed.
    async fn more(&mut self) -> io::Result<usize> {
        poll_fn(|cx| {
            if let Poll::Ready(Err(error)) = self.poll_send(cx) {
                // Whatever it has answered can still be read.
                self.failed = Some(error);
            }
            self.received.reserve(READ_BYTES);
            pin!(self.stream.read_buf(&mut self.received)).poll(cx)
        })
        .await
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.failed.is_some() || self.is_flushed {
            return Poll::Ready(Ok(()));
        }
        while self.out.has_remaining() {
            match pin!(self.stream.write_buf(&mut self.out)).poll(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(_)) => {}
                other => return other.map_ok(|_| ()),
            }
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.is_flushed = matches!(flushed, Poll::Ready(Ok(())));
        flushed
    }

    /// Whether everything was sent, and nothing lies behind the answer.
    fn is_at_rest(&self) -> bool {
        self.is_flushed && self.failed.is_none() && self.received.is_empty()
    }
}
