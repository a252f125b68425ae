//! A connection to an endpoint, plain or TLS. What stays true: it holds a descriptor of the budget for as long as it
//! lives, and before it is used again the system itself was asked whether anything is there to read.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::deliver::descriptors::Descriptor;
use crate::deliver::tls;

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// What TLS said when it broke: h2 passes on no more than its text.
    fault: Fault,
    _descriptor: Descriptor,
}

/// A TLS error of a connection, where others can see it.
pub type Fault = Rc<RefCell<Option<rustls::Error>>>;

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// A plain one.
    pub fn plain(stream: TcpStream, descriptor: Descriptor) -> Self {
        Self { stream: Stream::Plain(stream), fault: Fault::default(), _descriptor: descriptor }
    }

    /// One with a TLS session.
    pub fn tls(stream: TlsStream<TcpStream>, descriptor: Descriptor) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), fault: Fault::default(), _descriptor: descriptor }
    }

    /// Where its TLS error will lie, if it has one.
    pub fn fault(&self) -> Fault {
        self.fault.clone()
    }

    /// Whether nothing is there to read: no byte, no end. What the runtime has heard of the socket may be old, so the
    /// system is asked. Over TLS the endpoint may have sent tickets, which are no answer: they are taken in.
    pub fn is_quiet(&mut self) -> bool {
        match &mut self.stream {
            Stream::Plain(stream) => {
                let looked = recv(&*stream, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
                matches!(looked, Err(rustix::io::Errno::AGAIN))
            }
            Stream::Tls(stream) => {
                let (stream, session) = stream.get_mut();
                loop {
                    match session.read_tls(&mut Now(stream)) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(_) | Ok(0) => return false,
                        Ok(_) => match session.process_new_packets() {
                            Ok(_) => {}
                            Err(_) => return false,
                        },
                    }
                }
                let state = session.process_new_packets();
                state.is_ok_and(|state| state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed())
            }
        }
    }

    fn noted<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &polled
            && let Some(error) = tls::tls_error(error)
        {
            self.fault.replace(Some(error.clone()));
        }
        polled
    }
}

/// Reads what is there now.
struct Now<'a>(&'a TcpStream);

impl Read for Now<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let (read, _) = recv(self.0, bytes, RecvFlags::DONTWAIT)?;
        Ok(read)
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, bytes),
        };
        self.noted(read)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bytes),
        };
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        self.noted(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
