//! Requests that one node gives another to make, and what came of them, as they lie on the way between the two. What stays true: whoever
//! makes a request needs nothing of the store for it; and a frame has a bound.
//!
//! A frame is eight bytes of a number, four of the length of a head, the head as JSON, and a body as it is. The number says which request
//! it is about. Heads grow: what one side does not know it leaves out.

use std::fmt;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::http::Heard;
use crate::domain::delivery::Outcome;
use crate::domain::id::AccountNumber;
use crate::domain::probe::Method;
use crate::domain::sent_headers::SentHeaders;
use crate::domain::trace::Phases;

/// A body that is longer is sent by whoever has it: it would hold up what is behind it on the way.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Heads are of headers that were vetted, and of what is kept of an answer.
const HEAD_BYTES_MAX: usize = 256 * 1024;
/// What stands before a head.
const FIXED_BYTES: usize = 12;

/// A request to make, but for its body.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// For whom: no connection serves two accounts.
    pub account: AccountNumber,
    /// How it is made.
    pub method: Method,
    /// Where to.
    pub url: String,
    /// All headers but `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// Whether their names are written in upper case over HTTP/1.1.
    pub upper_case: bool,
    /// So much is read of the answer's body.
    pub answer_bytes_max: usize,
    /// How long all of it may take, in milliseconds.
    pub limit_ms: u64,
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL and a header may let somebody in.
        f.debug_struct("Parcel").field("account", &self.account).finish_non_exhaustive()
    }
}

/// What is said to whoever makes requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// It is still wanted.
    Alive,
    /// Make it.
    Make(Parcel),
    /// Nobody waits for it any more.
    LetGo,
}

/// What whoever makes requests says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It is here, under this name.
    Here { node: String },
    /// It is still here.
    Alive,
    /// It takes no more: what it has comes yet.
    Leaving,
    /// What came of one.
    Came(Came),
}

/// What came of a request, but for the start of the answer's body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Came {
    /// `None`: whoever was to make it lacks something for it.
    pub outcome: Option<Outcome>,
    /// Whether there was a connection by which the endpoint may have got it.
    pub reached: bool,
    /// Whether anything of an answer has come.
    pub any: bool,
    /// `Retry-After` as it was sent.
    pub retry_after: Option<String>,
    /// The answer's headers, as far as they are kept.
    pub headers: SentHeaders,
    /// How long the phases took that have ended.
    pub phases: Phases,
    /// It was sent once more, on a fresh connection.
    pub resent: bool,
}

impl Came {
    /// What came of it, and what was heard, whose body goes beside this.
    pub fn of(outcome: Option<Outcome>, reached: bool, heard: Heard) -> (Self, Bytes) {
        let Heard { any, retry_after, headers, body, phases, resent, .. } = heard;
        (Self { outcome, reached, any, retry_after, headers, phases, resent }, body.into())
    }

    /// Both in one again, as this node said.
    pub fn heard(self, body: &[u8], by: Arc<str>, before: &Heard) -> Heard {
        let Self { outcome, any, retry_after, headers, phases, resent, .. } = self;
        let body = body[..body.len().min(before.body_bytes_max)].to_vec();
        let (status, body_bytes_max) = (outcome.as_ref().and_then(Outcome::status), before.body_bytes_max);
        let resent = resent || before.resent;
        Heard { any, status, retry_after, headers, body, body_bytes_max, phases, resent, by: Some(by) }
    }
}

/// A connection between two nodes, frame by frame.
pub type Link<S> = Framed<S, LengthDelimitedCodec>;

/// Frame by frame over this.
pub fn link<S: AsyncRead + AsyncWrite>(stream: S) -> Link<S> {
    let codec =
        LengthDelimitedCodec::builder().max_frame_length(FIXED_BYTES + HEAD_BYTES_MAX + BODY_BYTES_MAX).new_codec();
    Framed::new(stream, codec)
}

/// A frame; `None` if its head is too long.
pub fn frame(number: u64, head: &impl Serialize, body: &[u8]) -> Option<Bytes> {
    let mut frame = BytesMut::with_capacity(FIXED_BYTES + 1024 + body.len()).writer();
    frame.get_mut().put_slice(&[0; FIXED_BYTES]);
    serde_json::to_writer(&mut frame, head).expect("a head is JSON, and memory takes it");
    let mut frame = frame.into_inner();
    let head_bytes = frame.len() - FIXED_BYTES;
    (&mut frame[..8]).put_u64(number);
    (&mut frame[8..FIXED_BYTES]).put_u32(u32::try_from(head_bytes).ok()?);
    frame.put_slice(body);
    (head_bytes <= HEAD_BYTES_MAX).then(|| frame.freeze())
}

/// What a frame says; `None` if it is none.
pub fn read<T: DeserializeOwned>(mut frame: Bytes) -> Option<(u64, T, Bytes)> {
    let number = frame.try_get_u64().ok()?;
    let head_bytes = usize::try_from(frame.try_get_u32().ok()?).ok()?;
    if head_bytes > frame.len() {
        return None;
    }
    let head = frame.split_to(head_bytes);
    Some((number, serde_json::from_slice(&head).ok()?, frame))
}
