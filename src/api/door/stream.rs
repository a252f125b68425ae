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

#[cfg(test)]
mod tests {
    use actix_web::rt::net::TcpStream;
    use futures_util::task::noop_waker_ref;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::api::access::limits::Limits;
    use crate::api::door::connections::Connections;
    use crate::api::door::front::Front;

    /// A client that has sent so many bytes, and what is read of them.
    async fn sent(bytes: usize) -> (DuplexStream, Paced) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let _client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a client comes");
        let connections = Arc::new(Connections::new(&Limits::default()));
        let admitted = connections.admit(&stream, false, &Front::default()).expect("there is room");
        let (mut client, wire) = duplex(64 * 1024);
        client.write_all(&vec![b'x'; bytes]).await.expect("there is room");
        (client, Paced::new(wire, admitted))
    }

    /// How many bytes are handed over now.
    fn handed(paced: &mut Paced) -> Option<usize> {
        let mut buffer = [0; 32 * 1024];
        let mut to = ReadBuf::new(&mut buffer);
        match Pin::new(paced).poll_read(&mut Context::from_waker(noop_waker_ref()), &mut to) {
            Poll::Ready(read) => read.map(|()| to.filled().len()).ok(),
            Poll::Pending => None,
        }
    }

    #[actix_web::test]
    async fn little_is_handed_over_at_once() {
        let (_client, mut paced) = sent(AT_ONCE + 100).await;
        assert_eq!([(); 4].map(|()| handed(&mut paced)), [Some(AT_ONCE), None, Some(100), None]);
    }

    #[actix_web::test]
    async fn nothing_is_read_while_a_request_is_under_way_but_a_body_that_is_received() {
        let (mut client, mut paced) = sent(10).await;
        let admitted = paced.admitted.clone();
        let mut under_way = admitted.begin();
        assert_eq!(handed(&mut paced), None);
        let receiving = admitted.receive();
        assert_eq!(handed(&mut paced), Some(10));
        drop(receiving);
        client.write_all(b"more").await.expect("there is room");
        assert_eq!(handed(&mut paced), None);
        let reply = under_way.take_place();
        drop(under_way);
        assert_eq!(handed(&mut paced), None, "its reply has not gone out");
        drop(reply);
        assert_eq!(handed(&mut paced), Some(4));
    }

    #[actix_web::test]
    async fn nothing_is_read_while_nothing_can_be_sent() {
        let (mut client, mut paced) = sent(10).await;
        let mut cx = Context::from_waker(noop_waker_ref());
        let send = |paced: &mut Paced, cx: &mut Context<'_>| Pin::new(paced).poll_write(cx, &[0; 48 * 1024]).is_ready();
        assert!(send(&mut paced, &mut cx) && send(&mut paced, &mut cx) && !send(&mut paced, &mut cx));
        assert_eq!(handed(&mut paced), None);
        client.read_exact(&mut [0; 64 * 1024]).await.expect("all that could be sent");
        assert!(send(&mut paced, &mut cx));
        assert_eq!(handed(&mut paced), Some(10));
    }
}
