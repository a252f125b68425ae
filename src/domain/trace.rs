//! What more is kept of an attempt, so that it can be seen whole: the headers of the answer, how long each phase took, and by
//! what the body that was sent is known again. Pure.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::endpoint::{MASK, is_credential};
use super::sent_headers::SentHeaders;
use super::time::UnixMs;

/// Headers of an answer that are kept.
pub const HEADERS_KEPT_MAX: usize = 32;
/// Names and values of all of them together, in bytes: they lie in one record with the start of the answer's body.
pub const HEADERS_KEPT_BYTES_MAX: usize = 2048;

/// What more is kept of an attempt. Of one that an older version made there is none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Headers of the answer, at most [`HEADERS_KEPT_MAX`]; of one that lets its holder in, only that it came.
    pub response_headers: SentHeaders,
    /// How long it took.
    pub phases: Phases,
    /// What was sent, or was about to be.
    pub body: Option<SentBody>,
    /// How long fetching an access token for it took, in microseconds; `None`: none was fetched.
    pub auth_us: Option<u32>,
    /// The endpoint answered 401, and the request was made once more with a token that was fetched anew.
    pub reauthorized: bool,
}

/// How long the phases of an attempt took, in microseconds. `None`: there was no such phase, since a connection was there
/// already, or it did not end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Until the name was resolved.
    pub resolve_us: Option<u32>,
    /// Then until there was a connection.
    pub connect_us: Option<u32>,
    /// Then until TLS was made.
    pub tls_us: Option<u32>,
    /// From there, or from the start with a connection that was kept, until the first byte of the answer came.
    pub first_byte_us: Option<u32>,
}

/// By what the body that was sent is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentBody {
    /// When it was made, by the wall clock: a body can say so.
    pub at: UnixMs,
    /// The first half of its SHA-256.
    hash: [u8; 16],
}

impl SentBody {
    /// Of this body, made then.
    pub fn of(body: &[u8], at: UnixMs) -> Self {
        Self { at, hash: half_hash(body) }
    }

    /// The same body, made then.
    pub fn made(self, at: UnixMs) -> Self {
        Self { at, ..self }
    }

    /// Whether it is this body, to the byte.
    pub fn is(&self, body: &[u8]) -> bool {
        self.hash == half_hash(body)
    }
}

fn half_hash(body: &[u8]) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(body).into();
    *digest.first_chunk().expect("a digest has 32 bytes")
}

/// What is kept of an answer's headers: those that there is room for, in their order.
pub fn kept_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> SentHeaders {
    let (mut kept, mut count, mut room) = (SentHeaders::with_room_for(8), 0, HEADERS_KEPT_BYTES_MAX);
    for (name, value) in headers {
        if count == HEADERS_KEPT_MAX {
            break;
        }
        let value = if is_secret(name) { MASK.into() } else { String::from_utf8_lossy(value) };
        let left = room.checked_sub(name.len() + value.len());
        if let Some(left) = left {
            (count, room) = (count + 1, left);
            kept.push(name, &value);
        }
    }
    kept
}

/// Whether an answer's header of this name is likely to let its holder in. What nearly every answer has is known at once.
fn is_secret(name: &str) -> bool {
    const PLAIN: [&str; 10] = [
        "content-type",
        "content-length",
        "date",
        "server",
        "connection",
        "keep-alive",
        "transfer-encoding",
        "cache-control",
        // These ask for a key and hold none.
        "www-authenticate",
        "proxy-authenticate",
    ];
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    !PLAIN.into_iter().any(is) && (is("set-cookie") || is_credential(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_known_again_to_the_byte() {
        let sent = SentBody::of(b"{\"a\":1}", 5);
        assert!(sent.is(b"{\"a\":1}") && !sent.is(b"{\"a\": 1}") && !sent.is(b""));
    }

    #[test]
    fn headers_are_kept_as_far_as_there_is_room_and_without_what_lets_in() {
        let long = "x".repeat(HEADERS_KEPT_BYTES_MAX);
        let answer =
            [("Server", "a"), ("X-Long", &*long), ("Set-Cookie", "b=c"), ("X-Token", "d"), ("X-Bad", "\u{fffd}")];
        let kept = kept_headers(answer.iter().map(|(name, value)| (*name, value.as_bytes())));
        let expected = [("server", "a"), ("set-cookie", MASK), ("x-token", MASK), ("x-bad", "\u{fffd}")];
        assert_eq!(kept.iter().collect::<Vec<_>>(), expected);
        let asking = kept_headers([("WWW-Authenticate", &b"Basic"[..])].into_iter());
        assert_eq!(asking.iter().collect::<Vec<_>>(), [("www-authenticate", "Basic")]);
        let many = kept_headers((0..100).map(|_| ("a", &b"b"[..])));
        assert_eq!(many.iter().len(), HEADERS_KEPT_MAX);
        let exact = "x".repeat(HEADERS_KEPT_BYTES_MAX - 1);
        assert_eq!(kept_headers([("a", exact.as_bytes()), ("b", b"")].into_iter()).iter().len(), 1, "it is full");
    }
}
