//! The descriptors that outgoing connections may have, over all senders. What stays true: some are left for the API, the
//! store and the resolver, whatever endpoints do; and being short of them is our failure, never an endpoint's.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::clock::Stopwatch;
use crate::telemetry::Page;

/// What the store, the resolvers, the threads' runtimes and the standard streams may need.
const RESERVE: usize = 128;
/// Where not even that is there: the fewest connections that are tried.
const LEAST: usize = 8;
/// So long after descriptors or ports ran out the server says so.
const SHORT_FOR: Duration = Duration::from_secs(10);

/// The budget.
#[derive(Debug)]
pub struct Descriptors {
    max: usize,
    open: AtomicUsize,
    watch: Stopwatch,
    /// When they last ran out, in milliseconds of `watch`; 0: never.
    short_at: AtomicU64,
    handed_back: AtomicU64,
}

/// A descriptor of the budget. It is given back when this is dropped.
#[derive(Debug)]
pub struct Descriptor(Arc<Descriptors>);

impl Descriptors {
    /// What this process may open, but for what its listener may hold and a reserve.
    pub fn of_this_process(listener: usize) -> Arc<Self> {
        let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
        Self::new(outgoing(limit.unwrap_or(usize::MAX), listener))
    }

    /// So many.
    pub fn new(max: usize) -> Arc<Self> {
        let watch = Stopwatch::start();
        Arc::new(Self { max, open: 0.into(), watch, short_at: 0.into(), handed_back: 0.into() })
    }

    /// One of them, if one is left.
    pub fn take(self: &Arc<Self>) -> Option<Descriptor> {
        let more = |open| (open < self.max).then_some(open + 1);
        let taken = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.ok().map(|_| Descriptor(self.clone()))
    }

    /// Descriptors or ports have run out, and a delivery is handed back for it.
    pub fn ran_out(&self) {
        if !self.is_short() {
            tracing::warn!(open = self.open(), max = self.max, "no connection can be opened: deliveries wait");
        }
        let now = u64::try_from(self.watch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.short_at.store(now.max(1), Ordering::Relaxed);
        self.handed_back.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether they ran out lately.
    pub fn is_short(&self) -> bool {
        self.is_short_at(self.watch.elapsed())
    }

    fn is_short_at(&self, now: Duration) -> bool {
        let at = self.short_at.load(Ordering::Relaxed);
        at > 0 && now < Duration::from_millis(at) + SHORT_FOR
    }

    /// Whether so few are left that nothing should be kept for later.
    pub fn are_scarce(&self) -> bool {
        self.open() > self.max / 4 * 3
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// How many there are.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Puts what is counted onto the page.
    pub fn show(&self, page: &mut Page) {
        let help = "Deliveries that waited for want of descriptors or ports.";
        page.counter("hookwheel_handed_back_total", help).one(self.handed_back.load(Ordering::Relaxed));
        page.gauge("hookwheel_connections_out", "Connections to endpoints, kept ones too.").one(self.open());
        page.gauge("hookwheel_connections_out_max", "Connections to endpoints that there may be.").one(self.max);
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many of `limit` descriptors may go out, where the listener may hold `listener`. With few the listener counts for
/// half at most: a limit that was set low is to be shared.
fn outgoing(limit: usize, listener: usize) -> usize {
    let reserve = RESERVE.min(limit / 4);
    (limit - listener.min(limit / 2) - reserve).max(LEAST)
}

/// Whether descriptors or memory of the kernel were wanting.
pub fn is_want(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// Whether a connection to `to` failed for want of something of ours: descriptors, memory of the kernel, or ports.
pub fn is_ours(error: &io::Error, to: SocketAddr) -> bool {
    match Errno::from_io_error(error) {
        _ if is_want(error) => true,
        // The same is said where this machine has no address to come from: a socket without ports of its own is asked
        // whether it has. Nothing is sent.
        Some(Errno::ADDRNOTAVAIL) => {
            let from: SocketAddr =
                if to.is_ipv4() { ([0; 4], 0).into() } else { (std::net::Ipv6Addr::UNSPECIFIED, 0).into() };
            UdpSocket::bind(from).is_ok_and(|socket| socket.connect(to).is_ok())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Format;

    #[test]
    fn some_descriptors_are_left_for_others() {
        assert_eq!(outgoing(1 << 20, 8192), (1 << 20) - 8192 - RESERVE);
        assert_eq!(outgoing(1024, 8192), 1024 - 512 - RESERVE, "a listener that may hold more counts for half");
        assert_eq!(outgoing(64, 8192), 64 - 32 - 16);
        assert_eq!(outgoing(4, usize::MAX), LEAST);
        assert_eq!(outgoing(usize::MAX, usize::MAX), usize::MAX - usize::MAX / 2 - RESERVE);
    }

    #[test]
    fn who_drops_one_gives_it_back() {
        let all = Descriptors::new(2);
        let (one, two) = (all.take(), all.take());
        assert!(one.is_some() && two.is_some() && all.take().is_none());
        drop(one);
        assert!(all.take().is_some() && all.open() == 1);
    }

    #[test]
    fn that_they_ran_out_is_told_for_a_while() {
        let all = Descriptors::new(8);
        assert!(!all.is_short());
        all.ran_out();
        assert!(all.is_short());
        all.short_at.store(5_000, Ordering::Relaxed);
        let end = Duration::from_secs(5) + SHORT_FOR;
        assert!(all.is_short_at(end - Duration::from_millis(1)) && !all.is_short_at(end));
    }

    #[test]
    fn they_are_scarce_when_more_than_three_quarters_are_open() {
        let all = Descriptors::new(8);
        let mut taken: Vec<_> = (0..6).map(|_| all.take()).collect();
        assert!(!all.are_scarce());
        taken.push(all.take());
        assert!(all.are_scarce());
    }

    #[test]
    fn metrics_say_how_many_are_open_how_many_there_may_be_and_who_waited_for_one() {
        let all = Descriptors::new(8);
        let _taken = [all.take(), all.take()];
        (0..3).for_each(|_| all.ran_out());
        let mut page = Page::default();
        all.show(&mut page);
        let text = page.written(Format::Classic);
        let rows: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected =
            ["hookwheel_handed_back_total 3", "hookwheel_connections_out 2", "hookwheel_connections_out_max 8"];
        assert_eq!(rows, expected);
    }

    #[test]
    fn an_address_that_cannot_be_reached_is_not_our_want() {
        let here: SocketAddr = ([127, 0, 0, 1], 9).into();
        let error = |errno: Errno| io::Error::from(errno);
        assert!(is_ours(&error(Errno::MFILE), here) && is_ours(&error(Errno::ADDRNOTAVAIL), here));
        assert!(!is_ours(&error(Errno::CONNREFUSED), here) && !is_ours(&error(Errno::NETUNREACH), here));
        // A machine without this network has no address to come from, and one with it may reach it.
        let elsewhere = "[fe80::1]:9".parse().unwrap();
        assert!(!is_ours(&error(Errno::ADDRNOTAVAIL), elsewhere), "no interface is named");
        assert!(!is_ours(&io::Error::new(io::ErrorKind::AddrNotAvailable, "not of the published family"), here));
    }
}
