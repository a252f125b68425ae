//! The bytes of a connection, paced by its answers. What stays true: little is read ahead of what is done.
//!
//! The server's own code reads what comes, makes requests of it, and keeps them until it is their turn, however many they are;
//! and it goes on though no reply is taken. So it is handed nothing while a request or its reply is under way, but for a body
//! that somebody receives, nor while nothing more can be sent; and otherwise little at a time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::api::door::connections::Admitted;

/// So much is handed over before what is done of it shows.
const AT_ONCE: usize = 4 * 1024;

/// What bytes come from and go to: a socket, or TLS over one.
pub trait Wire: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire for T {}

/// An admitted connection's bytes.
pub struct Paced {
    wire: Box<dyn Wire>,
    /// Whose place ends with it.
    pub admitted: Arc<Admitted>,
    /// What was handed over since the last pause.
    handed: usize,
    /// What was to be sent could not be.
    is_full: bool,
}

impl Paced {
    /// Of `wire`.
    pub fn new(wire: impl Wire + 'static, admitted: Admitted) -> Self {
        Self { wire: Box::new(wire), admitted: Arc::new(admitted), handed: 0, is_full: false }
    }

    fn wire(&mut self) -> Pin<&mut dyn Wire> {
        Pin::new(&mut *self.wire)
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Who waits until more can be sent is woken then.
        if self.is_full || self.admitted.poll_readable(cx).is_pending() {
            return Poll::Pending;
        }
        let room = to.remaining().min(AT_ONCE - self.handed);
        if room == 0 && to.remaining() > 0 {
            self.handed = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut part = ReadBuf::new(to.initialize_unfilled_to(room));
        let read = self.wire().poll_read(cx, &mut part);
        let count = part.filled().len();
        if read.is_pending() {
            self.handed = 0;
        }
        ready!(read)?;
        self.handed += count;
        to.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.wire().poll_write(cx, bytes);
        if std::mem::replace(&mut self.is_full, written.is_pending()) && written.is_ready() {
            cx.waker().wake_by_ref();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire().poll_shutdown(cx)
    }
}
