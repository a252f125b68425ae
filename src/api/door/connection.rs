//! One connection: what is under way on it, since when it is quiet, and how it ends. What stays true: while a request or its
//! reply is under way it is not ended by us.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{Shutdown, shutdown};

/// How long a connection must have been quiet to be ended by a server that stops: so long that a client which asks one
/// thing after the other, from afar too, would have asked. At most, and where its pauses are short, at least.
const QUIET_MS: u64 = 300;
const QUIET_MS_MIN: u64 = 100;
/// How long it is still read then, unless its client ends it as well: what was sent before the client knew has come by then.
const LAST_WORDS_MS: u64 = 50;

/// The one of a client. Times are those of one watch, in milliseconds.
pub struct Connection {
    /// A second descriptor: the first belongs to the server's own code.
    socket: OwnedFd,
    /// Requests under way.
    busy: AtomicUsize,
    /// Those, and replies that the client has not taken yet.
    places: AtomicUsize,
    /// Whether the body of one of them is being received.
    receives: AtomicBool,
    /// Who waits to read on.
    reader: AtomicWaker,
    /// The last of all these ended at, or the connection began.
    quiet_since: AtomicU64,
    /// How long it must have been quiet to be ended, as its pauses were.
    quiet_for: AtomicU64,
    /// It is shut down then unless a request is under way.
    until: AtomicU64,
    /// Since when nothing more is sent on it; 0 while replies are.
    ended_since: AtomicU64,
}

impl Connection {
    /// One that has begun.
    pub fn new(socket: OwnedFd, now: u64, until: u64) -> Self {
        Self {
            socket,
            busy: AtomicUsize::new(0),
            places: AtomicUsize::new(0),
            receives: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            quiet_since: AtomicU64::new(now),
            quiet_for: AtomicU64::new(QUIET_MS),
            until: AtomicU64::new(until),
            ended_since: AtomicU64::new(0),
        }
    }

    /// A request begins.
    pub fn begin(&self, now: u64) {
        self.busy.fetch_add(1, Ordering::SeqCst);
        if self.places.fetch_add(1, Ordering::SeqCst) == 0 {
            self.asked_after(now.saturating_sub(self.quiet_since.load(Ordering::Acquire)));
        }
    }

    /// Its body is received from now on, or no more.
    pub fn receive(&self, receives: bool) {
        self.receives.store(receives, Ordering::SeqCst);
        if receives {
            self.reader.wake();
        }
    }

    /// Whether it may be read on: while nothing is under way, or a body is received.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let is_readable = || self.places.load(Ordering::SeqCst) == 0 || self.receives.load(Ordering::SeqCst);
        if is_readable() {
            return Poll::Ready(());
        }
        self.reader.register(cx.waker());
        // What has changed meanwhile has woken nobody.
        if is_readable() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Its client asks after a pause that began with the last reply. A long one is not forgotten at once.
    fn asked_after(&self, pause: u64) {
        let before = self.quiet_for.load(Ordering::Acquire);
        self.quiet_for.store((pause * 3).max(before / 2).clamp(QUIET_MS_MIN, QUIET_MS), Ordering::Release);
    }

    /// A request is done, but perhaps for its reply.
    pub fn request_ends(&self, now: u64, until: u64) {
        self.quiet_since.store(now, Ordering::Release);
        self.until.store(until, Ordering::Release);
        self.busy.fetch_sub(1, Ordering::SeqCst);
    }

    /// A reply goes on until then.
    pub fn goes_on(&self, until: u64) {
        self.until.fetch_max(until, Ordering::AcqRel);
    }

    /// A reply has gone out whole, or never will.
    pub fn reply_ends(&self, now: u64) {
        self.quiet_since.store(now, Ordering::Release);
        self.places.fetch_sub(1, Ordering::SeqCst);
        self.reader.wake();
    }

    /// Whether nothing more can be sent on it.
    pub fn has_ended(&self) -> bool {
        self.ended_since.load(Ordering::SeqCst) > 0
    }

    /// Whether its client has ended its side, or all of it is broken. While a request is under way nothing is read, so nobody
    /// else sees that.
    pub fn is_left(&self) -> bool {
        let mut asked = [PollFd::new(&self.socket, PollFlags::RDHUP)];
        let looked = poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        looked.is_ok() && asked[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
    }

    /// Ends it whatever is under way. An error means that it has ended already, here and below.
    pub fn cut(&self) {
        let _ = shutdown(&self.socket, Shutdown::Both);
    }

    /// Since when it has been quiet; `None` while it is not.
    pub fn quiet_since(&self) -> Option<u64> {
        (!self.is_at_it() && !self.has_ended()).then(|| self.quiet_since.load(Ordering::Acquire))
    }

    /// Ends it if it is quiet, for another that has no room. Says whether it has.
    pub fn yield_if_quiet(&self, now: u64) -> bool {
        let ends = self.end_unless_at_it(now);
        if ends {
            self.cut();
        }
        ends
    }

    /// Ends it if it has done nothing for too long.
    pub fn end_if_over(&self, now: u64) {
        if now >= self.until.load(Ordering::Acquire) && self.busy.load(Ordering::Acquire) == 0 {
            self.cut();
        }
    }

    /// The server stops: ends it if it has been quiet for long enough, before the stop or since. Its client may be asking
    /// right now: so its data is still read for a moment, and the end of ours tells it that there will be no answer; a reset
    /// would be taken for a failure. Gives the milliseconds until it is to be looked at again; `None`: not before it changes.
    /// Where the stop is hastened it need not have been quiet for long.
    pub fn end_if_quiet(&self, now: u64, is_hastened: bool) -> Option<u64> {
        if self.is_at_it() {
            return None;
        }
        let ended_since = self.ended_since.load(Ordering::Acquire);
        let ends_at = match ended_since {
            0 if is_hastened => now,
            0 => self.quiet_since.load(Ordering::Acquire) + self.quiet_for.load(Ordering::Acquire),
            since => since + LAST_WORDS_MS,
        };
        if now < ends_at {
            return Some(ends_at - now);
        }
        if ended_since > 0 {
            self.cut();
            return None;
        }
        if !self.end_unless_at_it(now) {
            return None;
        }
        let _ = shutdown(&self.socket, Shutdown::Write);
        Some(LAST_WORDS_MS)
    }

    /// Has nothing more sent on it, unless a request or a reply is under way.
    fn end_unless_at_it(&self, now: u64) -> bool {
        self.ended_since.store(now.max(1), Ordering::SeqCst);
        let is_at_it = self.is_at_it();
        if is_at_it {
            // A request came in between. Either it has seen that it is too late, or it gets its answer.
            self.ended_since.store(0, Ordering::SeqCst);
        }
        !is_at_it
    }

    /// Whether a request is under way, or a reply.
    fn is_at_it(&self) -> bool {
        self.busy.load(Ordering::SeqCst) > 0 || self.places.load(Ordering::SeqCst) > 0
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind::WouldBlock, Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn a_connection() -> (Connection, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        theirs.set_nonblocking(true).expect("it can be asked");
        (Connection::new(ours.into(), 1000, u64::MAX), theirs)
    }

    #[test]
    fn what_was_quiet_before_the_stop_ends_at_once_and_is_read_for_a_moment_more() {
        let (connection, mut client) = a_connection();
        let mut heard = [0; 1];
        assert_eq!(connection.end_if_quiet(1000 + QUIET_MS - 1, false), Some(1), "a millisecond is left");
        assert_eq!(client.read(&mut heard).expect_err("it goes on").kind(), WouldBlock);
        assert_eq!(connection.end_if_quiet(1000 + QUIET_MS, false), Some(LAST_WORDS_MS));
        assert_eq!(client.read(&mut heard).expect("an orderly end"), 0);
        assert_eq!(connection.end_if_quiet(1000 + QUIET_MS + LAST_WORDS_MS - 1, false), Some(1));
        client.write_all(b"?").expect("it is still read");
        assert_eq!(connection.end_if_quiet(1000 + QUIET_MS + LAST_WORDS_MS, false), None);
        assert!(client.write_all(b"?").is_err(), "and no more");
    }

    #[test]
    fn what_is_quiet_ends_at_once_where_the_stop_is_hastened() {
        let (connection, mut client) = a_connection();
        connection.begin(1000);
        assert_eq!((connection.end_if_quiet(1000, true), connection.has_ended()), (None, false), "it is asked");
        connection.request_ends(1000, u64::MAX);
        connection.reply_ends(1000);
        assert_eq!(connection.end_if_quiet(1000, true), Some(LAST_WORDS_MS));
        assert_eq!(client.read(&mut [0; 1]).expect("an orderly end"), 0);
    }

    #[test]
    fn who_asks_one_thing_after_the_other_is_waited_for_as_long_as_its_pauses_were() {
        let (connection, _client) = a_connection();
        let after = |pause| {
            connection.asked_after(pause);
            connection.quiet_for.load(Ordering::SeqCst)
        };
        assert_eq!([after(0), after(80), after(0), after(1)], [150, 240, 120, QUIET_MS_MIN]);
        assert_eq!(after(1_000_000), QUIET_MS);
    }

    #[test]
    fn whose_client_has_ended_its_side_is_left() {
        let (connection, mut client) = a_connection();
        client.write_all(b"more than is read").expect("it is there");
        assert!(!connection.is_left());
        client.shutdown(std::net::Shutdown::Write).expect("it was open");
        assert!(connection.is_left(), "though there is more to read");
    }

    #[test]
    fn what_is_asked_or_answered_is_not_quiet() {
        let (connection, _client) = a_connection();
        connection.begin(1000);
        assert_eq!((connection.end_if_quiet(9000, false), connection.has_ended()), (None, false), "it is asked");
        connection.request_ends(9000, u64::MAX);
        assert_eq!(
            (connection.end_if_quiet(19_000, false), connection.has_ended()),
            (None, false),
            "its reply is under way"
        );
        connection.reply_ends(20_000);
        assert_eq!(connection.end_if_quiet(20_000, false), Some(QUIET_MS / 2), "it has just been answered");
        assert_eq!(connection.end_if_quiet(20_000 + QUIET_MS, false), Some(LAST_WORDS_MS));
        assert!(connection.has_ended());
    }
}
