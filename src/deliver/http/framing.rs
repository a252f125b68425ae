//! Where an answer of HTTP/1.1 begins and ends. Pure: it is fed what has arrived, and says whether the answer is whole.
//! What stays true: an answer ends where RFC 9112 says, everything that can grow is bounded, and a connection is
//! called reusable only if there is no doubt where the next answer would begin.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use httparse::{EMPTY_HEADER, Header, Status};

use super::Heard;
use crate::domain::trace::kept_headers;

/// Bytes that the heads of an answer may have, those of the answers before it (1xx) too.
pub(super) const HEAD_BYTES_MAX: usize = 128 * 1024;
/// Headers of one head.
const HEADERS_MAX: usize = 128;
/// Bytes of the line before a chunk, and of all that follows the last one.
pub(super) const CHUNK_LINE_BYTES_MAX: usize = 1024;
pub(super) const TRAILER_BYTES_MAX: usize = 16 * 1024;
const SWITCHING_PROTOCOLS: u16 = 101;

/// An answer that is being read.
pub struct Reading {
    at: At,
    /// Bytes of the heads that were read.
    head_bytes: usize,
    /// Bytes of this head that were looked through for its end, and those that were parsed in vain.
    looked: usize,
    parsed: usize,
    /// So far nothing speaks against another request on this connection.
    keeps: bool,
    idle_max: Option<Duration>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Head,
    /// So many bytes of the body.
    Length(u64),
    /// A body that ends with the connection.
    Rest,
    ChunkLine,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    /// What follows the last chunk; so many bytes of it were read.
    Trailers(usize),
    End,
}

/// Whether an answer is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Some of it is missing.
    Missing,
    /// All of it was read.
    Whole,
    /// As much as is kept was read; there is more.
    Full,
}

/// Why an answer is none.
pub type Broken = String;

impl Reading {
    /// Nothing was read yet.
    pub fn new() -> Self {
        Self { at: At::Head, head_bytes: 0, looked: 0, parsed: 0, keeps: true, idle_max: None }
    }

    /// Takes what has arrived out of `bytes`, as far as it belongs to the answer.
    pub fn take(&mut self, bytes: &mut BytesMut, heard: &mut Heard) -> Result<Progress, Broken> {
        heard.any |= !bytes.is_empty();
        while self.at != At::End {
            let (left, at) = (bytes.len(), self.at);
            self.step(bytes, heard)?;
            if bytes.len() == left && self.at == at {
                return Ok(if heard.is_full() { Progress::Full } else { Progress::Missing });
            }
        }
        Ok(Progress::Whole)
    }

    /// The peer has closed the connection. A body that breaks off counts by its status, as it always did: the endpoint
    /// has said what it thinks of the request.
    pub fn closed(&mut self, heard: &Heard) -> Result<(), Broken> {
        self.keeps = false;
        match self.at {
            At::Head if heard.any => Err("the connection was closed amid the answer's headers".into()),
            At::Head => Err("the connection was closed without an answer".into()),
            _ => Ok(()),
        }
    }

    /// Whether the next answer would begin right behind this one, which is whole.
    pub fn keeps(&self) -> bool {
        self.keeps && self.at == At::End
    }

    /// How long the endpoint says that it keeps the connection.
    pub fn idle_max(&self) -> Option<Duration> {
        self.idle_max
    }

    /// One part of the answer, if all of it is there.
    fn step(&mut self, bytes: &mut BytesMut, heard: &mut Heard) -> Result<(), Broken> {
        self.at = match self.at {
            At::Head => self.head(bytes, heard)?,
            At::Length(left) => match self.keep(bytes, left, heard) {
                0 => At::End,
                left => At::Length(left),
            },
            At::Rest => {
                self.keep(bytes, u64::MAX, heard);
                At::Rest
            }
            At::ChunkLine => chunk_line(bytes)?,
            At::Chunk(left) => match self.keep(bytes, left, heard) {
                0 => At::ChunkEnd,
                left => At::Chunk(left),
            },
            At::ChunkEnd => chunk_end(bytes)?,
            At::Trailers(read) => trailer(bytes, read)?,
            At::End => At::End,
        };
        Ok(())
    }

    /// A head, if it is whole. That of an answer before the answer says nothing.
    fn head(&mut self, bytes: &mut BytesMut, heard: &mut Heard) -> Result<At, Broken> {
        self.skip_empty_lines(bytes);
        let room = HEAD_BYTES_MAX - self.head_bytes;
        if !self.is_worth_parsing(bytes) && bytes.len() < room {
            return Ok(At::Head);
        }
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head.parse(bytes).map_err(|error| format!("the answer is not HTTP ({error})"))?;
        let length = match parsed {
            Status::Complete(length) if length <= room => length,
            Status::Partial if bytes.len() < room => return Ok(At::Head),
            _ => return Err(format!("the answer's headers are longer than {HEAD_BYTES_MAX} bytes")),
        };
        let status = head.code.unwrap_or_default();
        if status < 100 {
            return Err(format!("the answer is not HTTP (there is no status {status})"));
        }
        let told = Told::by(head.headers);
        let is_interim = status < 200 && status != SWITCHING_PROTOCOLS;
        let at = match is_interim || matches!(status, SWITCHING_PROTOCOLS | 204 | 304) {
            // These have no body. One that is announced all the same may come or not.
            true => {
                self.keeps &= !told.body && status != SWITCHING_PROTOCOLS;
                if is_interim { At::Head } else { At::End }
            }
            false => self.body(&told)?,
        };
        self.keeps &= head.version == Some(1) && !told.close;
        self.idle_max = told.idle_max;
        (self.head_bytes, self.looked, self.parsed) = (self.head_bytes + length, 0, 0);
        if !is_interim {
            heard.status = Some(status);
            heard.retry_after = told.retry_after;
            heard.headers = kept_headers(head.headers.iter().map(|header| (header.name, header.value)));
        }
        bytes.advance(length);
        Ok(at)
    }

    /// Before a head there may be empty lines.
    fn skip_empty_lines(&mut self, bytes: &mut BytesMut) {
        let room = HEAD_BYTES_MAX - self.head_bytes;
        let empty = bytes.iter().take(room).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.head_bytes += empty;
        bytes.advance(empty);
    }

    /// Whether a head may be whole, or has doubled since it was parsed: what comes byte by byte is not parsed as often, and
    /// what is no HTTP is still seen early.
    pub(super) fn is_worth_parsing(&mut self, bytes: &[u8]) -> bool {
        let new = &bytes[self.looked.saturating_sub(2)..];
        let mut lines = memchr::memchr_iter(b'\n', new).map(|at| &new[at + 1..]);
        let ends = lines.any(|rest| rest.starts_with(b"\n") || rest.starts_with(b"\r\n"));
        self.looked = bytes.len();
        let is_worth = ends || bytes.len() >= self.parsed * 2;
        if is_worth {
            self.parsed = bytes.len();
        }
        is_worth
    }

    /// Takes up to `left` bytes of a body and keeps what there is room for. Says what is left.
    fn keep(&mut self, bytes: &mut BytesMut, left: u64, heard: &mut Heard) -> u64 {
        let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        // An endpoint that says more than anyone wants to hear is not asked again here.
        self.keeps &= heard.keep(&bytes[..here]);
        bytes.advance(here);
        left - here as u64
    }

    /// Where the body ends (RFC 9112, 6.3).
    fn body(&mut self, told: &Told) -> Result<At, Broken> {
        if let Some(coding) = told.coding {
            // Two words about the length: whoever wrote them may mean either.
            self.keeps &= coding == Coding::Chunked && told.length.is_none();
            return Ok(if coding == Coding::Other { At::Rest } else { At::ChunkLine });
        }
        match &told.length {
            None => {
                self.keeps = false;
                Ok(At::Rest)
            }
            Some(Ok(0)) => Ok(At::End),
            Some(Ok(length)) => Ok(At::Length(*length)),
            Some(Err(why)) => Err((*why).into()),
        }
    }
}

/// What headers say of the connection and the body.
struct Told {
    length: Option<Result<u64, &'static str>>,
    coding: Option<Coding>,
    /// A body is announced.
    body: bool,
    close: bool,
    idle_max: Option<Duration>,
    retry_after: Option<String>,
}

/// How a body is coded for the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Chunked,
    /// In chunks, and in something else before.
    LastChunked,
    Other,
}

impl Told {
    fn by(headers: &[Header<'_>]) -> Self {
        let mut told =
            Self { length: None, coding: None, body: false, close: false, idle_max: None, retry_after: None };
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                items(header.value).for_each(|item| told.add_length(item));
            } else if is("transfer-encoding") {
                items(header.value).for_each(|item| told.add_coding(item));
            } else if is("connection") {
                told.close |= items(header.value).any(|item| item.eq_ignore_ascii_case(b"close"));
            } else if is("keep-alive") {
                told.idle_max = items(header.value).find_map(timeout).or(told.idle_max);
            } else if is("retry-after") && told.retry_after.is_none() {
                told.retry_after = std::str::from_utf8(header.value).ok().map(str::to_string);
            }
        }
        told.body = told.coding.is_some() || !matches!(told.length, None | Some(Ok(0)));
        told
    }

    fn add_length(&mut self, item: &[u8]) {
        let digits = std::str::from_utf8(item).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let length = digits.and_then(|text| text.parse().ok()).ok_or("the answer's length is no number");
        self.length = match self.length {
            Some(Ok(other)) if Ok(other) != length => Some(length.and(Err("the answer has two lengths"))),
            Some(Err(why)) => Some(Err(why)),
            _ => Some(length),
        };
    }

    fn add_coding(&mut self, item: &[u8]) {
        if item.eq_ignore_ascii_case(b"identity") {
            // Old servers mean no coding by it; they are not trusted with another request.
            self.close = true;
            return;
        }
        self.coding = Some(match (self.coding, item.eq_ignore_ascii_case(b"chunked")) {
            (None, true) => Coding::Chunked,
            (Some(_), true) => Coding::LastChunked,
            (_, false) => Coding::Other,
        });
    }
}

/// The items of a list.
fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// The time of a `Keep-Alive: timeout=5`, but for a second that the closing may be on its way.
fn timeout(item: &[u8]) -> Option<Duration> {
    let seconds: u64 = std::str::from_utf8(item).ok()?.strip_prefix("timeout=")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.saturating_sub(1)))
}

fn chunk_line(bytes: &mut BytesMut) -> Result<At, Broken> {
    const NOT_CHUNKED: &str = "the answer's body is not in chunks";
    // httparse takes no digit at all for a zero.
    if bytes.first().is_some_and(|first| !first.is_ascii_hexdigit()) {
        return Err(NOT_CHUNKED.into());
    }
    match httparse::parse_chunk_size(bytes).map_err(|_| NOT_CHUNKED)? {
        Status::Complete((length, size)) if length <= CHUNK_LINE_BYTES_MAX => {
            bytes.advance(length);
            Ok(if size == 0 { At::Trailers(0) } else { At::Chunk(size) })
        }
        Status::Partial if bytes.len() < CHUNK_LINE_BYTES_MAX => Ok(At::ChunkLine),
        _ => Err(format!("a line before a chunk of the answer is longer than {CHUNK_LINE_BYTES_MAX} bytes")),
    }
}

fn chunk_end(bytes: &mut BytesMut) -> Result<At, Broken> {
    match bytes.as_ref() {
        [b'\r', b'\n', ..] => {
            bytes.advance(2);
            Ok(At::ChunkLine)
        }
        [] | [b'\r'] => Ok(At::ChunkEnd),
        _ => Err("a chunk of the answer is longer than it says".into()),
    }
}

/// A line after the last chunk; an empty one is the end.
fn trailer(bytes: &mut BytesMut, read: usize) -> Result<At, Broken> {
    let line = memchr::memchr(b'\n', bytes).map(|end| end + 1);
    let read = read + line.unwrap_or(bytes.len());
    if read > TRAILER_BYTES_MAX {
        return Err(format!("what follows the answer's last chunk is longer than {TRAILER_BYTES_MAX} bytes"));
    }
    let Some(length) = line else { return Ok(At::Trailers(read - bytes.len())) };
    let is_end = bytes[..length] == *b"\r\n";
    bytes.advance(length);
    Ok(if is_end { At::End } else { At::Trailers(read) })
}
