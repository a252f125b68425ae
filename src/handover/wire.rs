//! One conversation between two processes of one user: lines of text, and a socket beside one of them. What stays true: a line is
//! short, and nobody is waited for without an end.

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use rustix::process::geteuid;

use crate::clock::Stopwatch;

/// The longest line.
const LINE_BYTES_MAX: usize = 4096;
/// How long saying something may take: the other side reads, or is gone.
const SAYING: Duration = Duration::from_secs(10);

/// One end.
#[derive(Debug)]
pub struct Wire {
    stream: UnixStream,
    /// The process at the other one.
    pub peer: i32,
}

/// What the other end said.
#[derive(Debug)]
pub struct Heard {
    /// The line, without its end.
    pub line: String,
    /// What came beside it.
    pub socket: Option<OwnedFd>,
}

impl Wire {
    /// Over this stream.
    ///
    /// # Errors
    /// At its other end is a process of another user.
    pub fn over(stream: UnixStream) -> io::Result<Self> {
        let (peer, own) = (socket_peercred(&stream)?, geteuid());
        if peer.uid != own {
            let (peer, own) = (peer.uid.as_raw(), own.as_raw());
            let why = format!("the other process runs as user {peer}, and this one as user {own}: it must be the same");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(SAYING))?;
        Ok(Self { stream, peer: peer.pid.as_raw_nonzero().get() })
    }

    /// Says a line.
    pub fn say(&self, line: &str) -> io::Result<()> {
        (&self.stream).write_all(ended(line).as_bytes())
    }

    /// Says a line, and gives a socket beside it.
    pub fn give(&self, line: &str, socket: impl AsFd) -> io::Result<()> {
        let (line, sockets) = (ended(line), [socket.as_fd()]);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        assert!(beside.push(SendAncillaryMessage::ScmRights(&sockets)), "there is room for one");
        // Of a blocking socket so short a line goes out whole or not at all.
        let sent = sendmsg(&self.stream, &[IoSlice::new(line.as_bytes())], &mut beside, SendFlags::NOSIGNAL)?;
        if sent == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Waits for a line, at most so long.
    ///
    /// # Errors
    /// The other process has gone, said nothing in time, or what it said is no line.
    pub fn hear(&self, limit: Duration) -> io::Result<Heard> {
        let watch = Stopwatch::start();
        let (mut line, mut socket) = (Vec::new(), None);
        loop {
            let left = limit.saturating_sub(watch.elapsed());
            if left.is_zero() {
                return Err(said_nothing(limit));
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.byte(&mut socket) {
                Ok(Some(b'\n')) => break,
                Ok(Some(byte)) if line.len() < LINE_BYTES_MAX => line.push(byte),
                Ok(Some(_)) => return Err(io::Error::new(io::ErrorKind::InvalidData, "it said too much")),
                Ok(None) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has gone")),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(said_nothing(limit)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let line = String::from_utf8(line).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text"))?;
        Ok(Heard { line, socket })
    }

    /// The next byte, and what comes beside it. Byte by byte, since what is read in one go could belong to two lines.
    fn byte(&self, socket: &mut Option<OwnedFd>) -> io::Result<Option<u8>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let received = recvmsg(&self.stream, &mut [IoSliceMut::new(&mut byte)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
        for message in beside.drain() {
            if let RecvAncillaryMessage::ScmRights(sockets) = message {
                sockets.for_each(|one| *socket = Some(one));
            }
        }
        Ok((received.bytes > 0).then_some(byte[0]))
    }
}

/// One line of it, whatever it is.
fn ended(line: &str) -> String {
    let line = line.replace('\n', "; ");
    format!("{}\n", &line[..line.floor_char_boundary(LINE_BYTES_MAX)])
}

fn said_nothing(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("it said nothing for {} seconds", limit.as_secs()))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const SOON: Duration = Duration::from_secs(60);

    fn two() -> (Wire, Wire) {
        let (one, other) = UnixStream::pair().expect("a pair of sockets");
        (Wire::over(one).expect("it is the same user"), Wire::over(other).expect("it is the same user"))
    }

    #[test]
    fn lines_come_as_they_were_said_with_the_socket_that_was_given() {
        let (here, there) = two();
        assert_eq!(here.peer, std::process::id() as i32);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let to = listener.local_addr().expect("it is bound");
        here.say("one\nand two").expect("there is room");
        here.give("socket", &listener).expect("there is room");
        drop(listener);
        let first = there.hear(SOON).expect("it was said");
        assert_eq!((first.line.as_str(), first.socket.is_some()), ("one; and two", false));
        let second = there.hear(SOON).expect("it was said");
        assert_eq!(second.line, "socket");
        let listener = TcpListener::from(second.socket.expect("it was given"));
        let _client = TcpStream::connect(to).expect("it still listens");
        listener.accept().expect("somebody has come");
    }

    #[test]
    fn who_has_gone_or_says_nothing_or_too_much_is_not_waited_for() {
        let (here, there) = two();
        assert_eq!(there.hear(Duration::from_millis(1)).expect_err("nothing").kind(), io::ErrorKind::TimedOut);
        (&here.stream).write_all(&vec![b'x'; LINE_BYTES_MAX + 1]).expect("there is room");
        assert_eq!(there.hear(SOON).expect_err("no line").kind(), io::ErrorKind::InvalidData);
        drop(here);
        assert_eq!(there.hear(SOON).expect_err("nobody").kind(), io::ErrorKind::UnexpectedEof);
    }
}
