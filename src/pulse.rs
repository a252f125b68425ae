//! Whether the threads live that the server cannot do without. What stays true: one that panics ends the process at once,
//! in words and with its own exit code, since nobody would notice that events are taken and not delivered, and whoever
//! supervises the process starts it again over what is on disk; and one that is stuck is known by its pulse, to a watchdog
//! and, of a server that takes events, to the readiness.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use thiserror::Error;
use tokio::sync::{Notify, oneshot};

use crate::clock::Stopwatch;

/// The exit code of a process that ends because a thread panicked ("internal software error" in sysexits.h).
pub const EXIT_CODE: u8 = 70;

/// See [`before_end`].
static BEFORE_END: OnceLock<fn()> = OnceLock::new();
/// A thread that is at one thing for so long is stuck. The longest thing is a group commit on a slow disk.
pub const STUCK_AFTER: Duration = Duration::from_secs(10);

/// Runs what the server cannot do without. If it panics, the process ends.
pub fn or_end<T>(thread: &str, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| end(thread))
}

/// The same for a task.
pub async fn or_end_task<T>(thread: &str, work: impl Future<Output = T>) -> T {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| end(thread))
}

/// What comes of work that waits, on a thread of its own: whoever needs it goes on meanwhile, and the end of the process does not
/// wait for it.
///
/// # Errors
/// The thread could not be started, or it panicked.
pub async fn apart<T: Send + 'static>(thread: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, is_done) = oneshot::channel();
    // Whoever asked may have gone meanwhile.
    std::thread::Builder::new().name(thread.into()).spawn(move || drop(done.send(work())))?;
    is_done.await.map_err(|_| io::Error::other("it panicked"))
}

/// The thread has panicked, which the log has told: ends the process.
pub fn end(thread: &str) -> ! {
    tracing::error!("the {thread} thread panicked, and the server cannot do without it; the server ends");
    exit()
}

/// Ends the process, whose log has told why.
pub fn exit() -> ! {
    if let Some(last) = BEFORE_END.get() {
        last();
    }
    std::process::exit(EXIT_CODE.into())
}

/// What is done before the process ends by itself: once set, it stays.
pub fn before_end(last: fn()) {
    // An error means that there is one.
    let _ = BEFORE_END.set(last);
}

/// Since when a thread has been at one thing: two stores a thing, and no timer.
#[derive(Debug)]
pub struct Pulse {
    thread: String,
    watch: Stopwatch,
    /// Milliseconds after the watch began, and one; 0 while the thread rests.
    since: AtomicU64,
}

/// A thread that has been at one thing for too long.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the {thread} thread has been at one thing for {} seconds", .since.as_secs())]
pub struct Stuck {
    /// Which thread.
    pub thread: String,
    /// For how long.
    pub since: Duration,
}

impl Pulse {
    /// The pulse of a thread that rests.
    pub fn of(thread: impl Into<String>) -> Self {
        Self { thread: thread.into(), watch: Stopwatch::start(), since: AtomicU64::new(0) }
    }

    /// Which thread's it is.
    pub fn thread(&self) -> &str {
        &self.thread
    }

    /// The thread begins something.
    pub fn beat(&self) {
        self.since.store(self.now(), Ordering::Relaxed);
    }

    /// The thread has done what it was at, and waits.
    pub fn rest(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// Somebody asks the thread for a sign, which is its [`Pulse::rest`]. Says whether it was asked before, and owes one.
    pub fn ask(&self) -> bool {
        self.since.compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed).is_err()
    }

    /// How long the thread has been at what it is at; `None` while it rests.
    pub fn busy_for(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.watch.elapsed().saturating_sub(Duration::from_millis(since)))
    }

    /// Whether it is stuck.
    pub fn stuck(&self) -> Option<Stuck> {
        self.busy_beyond(STUCK_AFTER)
    }

    fn busy_beyond(&self, limit: Duration) -> Option<Stuck> {
        let since = self.busy_for().filter(|busy| *busy >= limit)?;
        Some(Stuck { thread: self.thread.clone(), since })
    }

    fn now(&self) -> u64 {
        self.watch.elapsed().as_millis() as u64 + 1
    }
}

/// The threads that turn tasks and are asked for a sign, for as long as each of them lives.
#[derive(Debug, Clone, Default)]
pub struct Pulses(Arc<Mutex<Vec<Weak<Asked>>>>);

/// A thread that gives signs.
#[derive(Debug)]
struct Asked {
    pulse: Pulse,
    for_a_sign: Notify,
}

impl Pulses {
    /// A thread is one of them while it turns this.
    pub fn give(&self, thread: String) -> impl Future<Output = ()> + use<> {
        let asked = Arc::new(Asked { pulse: Pulse::of(thread), for_a_sign: Notify::new() });
        self.0.lock().expect("no holder of the lock panics").push(Arc::downgrade(&asked));
        async move {
            loop {
                asked.for_a_sign.notified().await;
                asked.pulse.rest();
            }
        }
    }

    /// One that is stuck. Each is asked for a sign, which it owes until the next call.
    pub fn stuck(&self) -> Option<Stuck> {
        self.busy_beyond(STUCK_AFTER)
    }

    fn busy_beyond(&self, limit: Duration) -> Option<Stuck> {
        let mut all = self.0.lock().expect("no holder of the lock panics");
        all.retain(|asked| asked.strong_count() > 0);
        let all: Vec<_> = all.iter().filter_map(Weak::upgrade).collect();
        for asked in all.iter().filter(|asked| !asked.pulse.ask()) {
            asked.for_a_sign.notify_one();
        }
        all.iter().find_map(|asked| asked.pulse.busy_beyond(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_busy_from_a_beat_or_a_question_to_its_rest() {
        let pulse = Pulse::of("engine");
        assert_eq!(pulse.busy_for(), None);
        pulse.beat();
        assert!(pulse.busy_for().is_some());
        pulse.rest();
        assert_eq!((pulse.busy_for(), pulse.stuck()), (None, None));
        assert!(!pulse.ask(), "it is asked for the first time");
        assert!(pulse.ask(), "it owes an answer");
        pulse.rest();
        assert!(!pulse.ask());
        assert_eq!(pulse.stuck(), None, "it was asked just now");
    }

    #[test]
    fn a_thread_that_is_at_one_thing_beyond_the_limit_is_stuck() {
        let pulse = Pulse::of("commit");
        assert_eq!(pulse.busy_beyond(Duration::ZERO), None);
        pulse.beat();
        let stuck = pulse.busy_beyond(Duration::ZERO).expect("it is at something");
        assert_eq!(
            Stuck { since: STUCK_AFTER, ..stuck }.to_string(),
            "the commit thread has been at one thing for 10 seconds"
        );
    }

    #[test]
    fn a_thread_that_turns_nothing_any_more_is_stuck_until_it_does_or_ends() {
        let pulses = Pulses::default();
        let mut one = Box::pin(pulses.give("carrying".into()));
        let is_stuck = || pulses.busy_beyond(Duration::ZERO).is_some();
        assert!(is_stuck() && is_stuck(), "it was asked, and says nothing");
        assert_eq!((&mut one).now_or_never(), None);
        assert!(pulses.0.lock().unwrap()[0].upgrade().unwrap().pulse.busy_for().is_none(), "it gave a sign");
        assert_eq!((is_stuck(), pulses.stuck()), (true, None), "it was asked again just now");
        drop(one);
        assert!(!is_stuck(), "it is over");
    }
}
