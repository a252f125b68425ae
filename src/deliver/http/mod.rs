//! HTTP over the connections that our guard dials: one request, one answer (`h1`, `h2`), and what is kept to be used
//! again (`idle`, `sessions`). What stays true: an answer belongs to its request. Over HTTP/1.1 whoever asks owns the
//! connection, and gives it back only after one whole request and one whole answer with nothing behind it; over HTTP/2 the
//! stream says whose the answer is. And a connection serves one account only.

mod client;
mod connection;
mod framing;
mod h1;
mod h2;
mod idle;
mod sessions;
#[cfg(test)]
mod tests;

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use http::Uri;

use super::clients::Profile;
use super::dial::DialError;
use crate::domain::delivery::RESPONSE_BODY_BYTES_MAX;
use crate::domain::id::AccountNumber;
use crate::domain::probe::Method;
use crate::domain::sent_headers::SentHeaders;
use crate::domain::trace::Phases;
pub use client::Http;
pub use connection::Connection;

/// Whom a connection serves, and where and how it leads: it is used again only where all of this is the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Of one account: nothing of an answer can then reach another.
    pub account: AccountNumber,
    /// The openings and the TLS that it was made with.
    pub profile: Option<Profile>,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Whom it is sent to.
    pub peer: Rc<Peer>,
    /// The same as the peer is told: the value of `Host`.
    authority: String,
    /// The whole URL.
    uri: Uri,
}

impl Destination {
    /// Reads a URL that was vetted when it was set.
    pub fn of(url: &str, account: AccountNumber, profile: Option<Profile>) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
        let host = uri.host().ok_or("the URL has no host")?;
        let tls = uri.scheme_str() == Some("https");
        let usual = if tls { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        let authority = if port == usual { host.to_string() } else { format!("{host}:{port}") };
        let peer = Rc::new(Peer { account, profile, tls, host: super::dial::bare(host).to_string(), port });
        Ok(Self { peer, authority, uri })
    }

    /// The whole URL.
    pub fn url(&self) -> String {
        self.uri.to_string()
    }

    fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }
}

/// A request that is posted.
pub struct Request<'a> {
    /// How it is made.
    pub method: Method,
    /// Where to.
    pub to: &'a Destination,
    /// All headers but `Host` and `Content-Length`.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// Whether their names are written in upper case over HTTP/1.1.
    pub upper_case: bool,
    /// The exact bytes.
    pub body: Bytes,
}

/// What was heard of an answer so far: it stays when the deadline passes amid it.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    /// Whether anything has come.
    pub any: bool,
    /// The status, once the answer has begun.
    pub status: Option<u16>,
    /// `Retry-After` as it was sent.
    pub retry_after: Option<String>,
    /// Its headers, as far as they are kept.
    pub headers: SentHeaders,
    /// The start of the body, at most [`Heard::body_bytes_max`].
    pub body: Vec<u8>,
    /// So much is read of it: [`RESPONSE_BODY_BYTES_MAX`] of an endpoint's.
    pub body_bytes_max: usize,
    /// How long the phases took that have ended.
    pub phases: Phases,
    /// The request was sent once more, on a fresh connection.
    pub resent: bool,
    /// The node that made the request, where it was another one.
    pub by: Option<Arc<str>>,
}

impl Default for Heard {
    fn default() -> Self {
        Self {
            any: false,
            status: None,
            retry_after: None,
            headers: SentHeaders::default(),
            body: Vec::new(),
            body_bytes_max: RESPONSE_BODY_BYTES_MAX,
            phases: Phases::default(),
            resent: false,
            by: None,
        }
    }
}

impl Heard {
    /// Nothing yet, of an answer of which so much is read.
    pub fn up_to(body_bytes_max: usize) -> Self {
        Self { body_bytes_max, ..Self::default() }
    }

    /// Nothing yet, of another answer to the same.
    pub fn anew(&self) -> Self {
        Self { resent: self.resent, ..Self::up_to(self.body_bytes_max) }
    }

    /// Keeps what there is room for. Says whether that is all of it.
    fn keep(&mut self, piece: &[u8]) -> bool {
        let room = self.body_bytes_max - self.body.len();
        self.body.extend_from_slice(&piece[..piece.len().min(room)]);
        piece.len() <= room
    }

    fn is_full(&self) -> bool {
        self.body.len() == self.body_bytes_max
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// No connection.
    Dial(DialError),
    /// No connection, or no TLS session, within the time for it.
    TimedOut,
    /// No TLS session.
    Tls(io::Error),
    /// A connection that was there ended or broke.
    Io(io::Error),
    /// The answer is not HTTP, or broke off.
    Broken(String),
    /// The same, of HTTP/2.
    H2(::h2::Error),
}

impl Failure {
    /// Whether there was a connection: the endpoint may have got something.
    pub fn is_of_endpoint(&self) -> bool {
        !matches!(self, Self::Dial(_) | Self::TimedOut | Self::Tls(_))
    }

    /// Whether the connection has ended, as one may that was kept. A stream that the endpoint resets is its answer.
    fn is_end(&self) -> bool {
        match self {
            Self::H2(error) => error.is_io() || (error.is_go_away() && error.is_remote()),
            _ => true,
        }
    }
}
