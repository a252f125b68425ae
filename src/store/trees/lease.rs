//! Until when a node owns what it reads and writes, by its own time alone: that counts from before the database was asked, and ends before
//! what the database has written down. What stays true: who finds its lease held here is the owner at that moment, however far apart the
//! clocks are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Clock;
use crate::store::error::StoreError;

/// For how long the database writes a lease down.
pub const TERM: Duration = Duration::from_secs(4);
/// The owner lets go so much earlier: for what it has begun, and for a clock that goes slower than the database's.
const MARGIN: Duration = Duration::from_secs(1);
/// How old a lease is when it is renewed.
const RENEWED_AFTER: Duration = Duration::from_secs(1);
/// Between two looks whether it is to be renewed, where nothing is written meanwhile.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// A lease, which is not held before it is taken.
#[derive(Debug)]
pub struct Lease {
    clock: Clock,
    /// When it was asked for that is held: milliseconds since the machine was started, and one; 0: never.
    asked_ms: AtomicU64,
}

/// The moment at which one is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked(Duration);

impl Lease {
    /// One that nobody has given, by the clock of this machine: not the time that it shows counts, but what has passed, the time in which
    /// the machine slept included.
    pub fn by(clock: Clock) -> Self {
        Self { clock, asked_ms: AtomicU64::new(0) }
    }

    /// To be called before the database is asked.
    pub fn ask(&self) -> Asked {
        Asked(self.clock.up())
    }

    /// The database has written it down. Of two who asked the later one counts.
    pub fn given(&self, asked: Asked) {
        self.asked_ms.fetch_max(asked.0.as_millis() as u64 + 1, Ordering::Relaxed);
    }

    /// It is over, whatever its time.
    pub fn lost(&self) {
        self.asked_ms.store(0, Ordering::Relaxed);
    }

    /// How long it is held yet.
    pub fn left(&self) -> Duration {
        self.left_at(self.clock.up())
    }

    /// An error, once it is not held any more.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.left().is_zero() { Err(StoreError::Unavailable) } else { Ok(()) }
    }

    /// How long until it is to be renewed.
    pub fn due_in(&self) -> Duration {
        self.due_in_at(self.clock.up())
    }

    fn left_at(&self, now: Duration) -> Duration {
        self.asked().map_or(Duration::ZERO, |asked| (asked + TERM).saturating_sub(now + MARGIN))
    }

    fn due_in_at(&self, now: Duration) -> Duration {
        self.asked().map_or(Duration::ZERO, |asked| (asked + RENEWED_AFTER).saturating_sub(now))
    }

    fn asked(&self) -> Option<Duration> {
        self.asked_ms.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_millis)
    }
}

/// A lease that is kept, by a thread of its own, for as long as this is there.
pub struct KeptLease {
    is_there: Option<mpsc::Sender<()>>,
    keeping: Option<JoinHandle<()>>,
}

impl KeptLease {
    /// `renew` renews it, if it is time to; where it cannot, nothing more is tried: that shows at the next question.
    pub fn by(renew: impl Fn() -> bool + Send + 'static) -> Self {
        let (is_there, gone) = mpsc::channel::<()>();
        let keep = move || while gone.recv_timeout(LOOK_PAUSE) == Err(RecvTimeoutError::Timeout) && renew() {};
        Self { is_there: Some(is_there), keeping: Some(std::thread::spawn(keep)) }
    }
}

impl Drop for KeptLease {
    fn drop(&mut self) {
        self.is_there = None;
        // A panic of it has been told, and the lease shows what it is.
        let _ = self.keeping.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_before_the_database_gives_it_to_another_and_is_renewed_well_before() {
        let (lease, second) = (Lease::by(Clock::real()), Duration::from_secs);
        assert_eq!((lease.left_at(second(0)), lease.due_in_at(second(0))), (second(0), second(0)));
        assert_eq!(lease.check(), Err(StoreError::Unavailable), "nobody has given it");
        lease.given(Asked(second(10)));
        assert_eq!((lease.left_at(second(10)), lease.due_in_at(second(10))), (second(3), second(1)));
        assert_eq!((lease.left_at(second(12)), lease.due_in_at(second(12))), (second(1), second(0)));
        assert_eq!(lease.left_at(second(13)), second(0));
        assert_eq!(lease.left_at(second(1000)), second(0));
        lease.lost();
        lease.given(lease.ask());
        assert_eq!(lease.check(), Ok(()));
        lease.lost();
        assert_eq!(lease.check(), Err(StoreError::Unavailable));
    }

    #[test]
    fn a_lease_is_kept_until_what_keeps_it_is_gone_or_cannot() {
        let (tell, told) = mpsc::channel();
        let kept = KeptLease::by(move || tell.send(()).is_ok());
        (0..2).for_each(|_| told.recv().unwrap());
        drop(kept);
        told.try_iter().for_each(drop);
        assert_eq!(told.try_recv(), Err(mpsc::TryRecvError::Disconnected), "nobody looks any more");
        let (tell, told) = mpsc::channel();
        let _kept = KeptLease::by(move || tell.send(()).is_err());
        told.recv().unwrap();
        assert!(told.recv().is_err(), "it is not tried again");
    }
}
