//! Just enough HTTP/1.1 to measure with: messages on a connection that stays open, bodies with a `Content-Length`.
//! Whatever else a peer sends is an error that says so, never a wrong figure.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The start line and headers of a message, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Reads messages from one side of a connection.
pub struct Messages<R> {
    from: R,
    buffer: BytesMut,
    /// The message last handed out, still in the buffer.
    taken: usize,
}

/// A message.
pub struct Message<'a> {
    /// The start line and the headers.
    pub head: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl<R: AsyncRead + Unpin> Messages<R> {
    /// Reads from `from`.
    pub fn new(from: R) -> Self {
        Self { from, buffer: BytesMut::with_capacity(16 << 10), taken: 0 }
    }

    /// The next message; `None` when the peer has closed between two messages.
    pub async fn next(&mut self) -> io::Result<Option<Message<'_>>> {
        self.buffer.advance(std::mem::take(&mut self.taken));
        let head = loop {
            if let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(invalid("a message head is too long"));
            }
            if !self.read().await? {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        };
        let end = head + content_length(&self.buffer[..head])?;
        while self.buffer.len() < end {
            self.buffer.reserve(end - self.buffer.len());
            if !self.read().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.taken = end;
        Ok(Some(Message { head: &self.buffer[..head], body: &self.buffer[head..end] }))
    }

    async fn read(&mut self) -> io::Result<bool> {
        Ok(self.from.read_buf(&mut self.buffer).await? > 0)
    }
}

impl Message<'_> {
    /// The status of a response.
    pub fn status(&self) -> io::Result<u16> {
        let digits = self.head.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        status.ok_or_else(|| invalid("no HTTP/1.1 response"))
    }
}

fn content_length(head: &[u8]) -> io::Result<usize> {
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            return length.ok_or_else(|| invalid("a Content-Length that is no number"));
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Err(invalid("a body in chunks, which the bench does not read"));
        }
    }
    Ok(0)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_one_after_another() {
        let wire = b"POST /3 HTTP/1.1\r\nA: b\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 202 Accepted\r\n\r\nPO";
        actix_rt::System::new().block_on(async {
            let mut messages = Messages::new(&wire[..]);
            assert_eq!(messages.next().await.expect("reads").expect("there").body, b"hello");
            let response = messages.next().await.expect("reads").expect("there");
            assert_eq!((response.status().expect("a status"), response.body), (202, &b""[..]));
            assert!(messages.next().await.is_err(), "half a message");
            let mut chunked = Messages::new(&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"[..]);
            assert!(chunked.next().await.is_err());
            assert!(Messages::new(&b""[..]).next().await.expect("ends").is_none());
        });
    }
}
