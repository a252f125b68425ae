//! What is known of each event: a byte, so that an hour of them fits into memory.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::support::DEADLINE;

const ACCEPTED: u8 = 1;
const ARRIVED: u8 = 2;
/// Events that may be published and not yet delivered: the load is as fast as the server, and no faster.
const AHEAD_MAX: usize = 1_000;

/// Who was promised what.
pub struct Ledger {
    /// People take this long between two rounds, at least: what they do is kept for months (audit log, jobs).
    pub between_rounds: Duration,
    known: Mutex<Known>,
    moved: Condvar,
}

#[derive(Default)]
struct Known {
    events: Vec<u8>,
    /// Posted without an answer, to be posted again.
    unanswered: Vec<usize>,
    arrived: usize,
    /// Each request that an endpoint got.
    requests: usize,
    stopped: bool,
}

impl Ledger {
    /// An empty one.
    pub fn new(between_rounds: Duration) -> Self {
        Self { between_rounds, known: Mutex::default(), moved: Condvar::new() }
    }

    /// The next event to post: one without an answer, else a new one. `None` once the load is to stop, when only
    /// `new` ones are left.
    pub fn next(&self, new: bool) -> Option<usize> {
        let too_far = |known: &mut Known| !known.stopped && known.events.len() > known.arrived + AHEAD_MAX;
        let waited = self.moved.wait_timeout_while(self.lock(), DEADLINE, too_far);
        let (mut known, timeout) = waited.expect("not poisoned");
        assert!(!timeout.timed_out(), "nothing arrives: {} of {}", known.arrived, known.events.len());
        if new && known.stopped {
            return None;
        }
        if let Some(n) = known.unanswered.pop() {
            return Some(n);
        }
        new.then(|| {
            known.events.push(0);
            known.events.len() - 1
        })
    }

    /// It was answered 202, or nobody knows.
    pub fn posted(&self, n: usize, accepted: bool) {
        let mut known = self.lock();
        match accepted {
            true => known.events[n] |= ACCEPTED,
            false => known.unanswered.push(n),
        }
        self.moved.notify_all();
    }

    /// The endpoint that is well has taken it.
    pub fn arrived(&self, name: &str) {
        let Some(n) = number(name) else { return };
        let mut known = self.lock();
        known.arrived += usize::from(known.events[n] & ARRIVED == 0);
        known.events[n] |= ARRIVED;
        self.moved.notify_all();
    }

    /// An endpoint got a request. Gives how many there were before.
    pub fn count_request(&self) -> usize {
        let mut known = self.lock();
        known.requests += 1;
        known.requests - 1
    }

    /// Events posted, and requests made of them.
    pub fn counts(&self) -> (usize, usize) {
        let known = self.lock();
        (known.events.len(), known.requests)
    }

    /// Begins or ends the load.
    pub fn set_stopped(&self, stopped: bool) {
        self.lock().stopped = stopped;
        self.moved.notify_all();
    }

    /// Waits until `n` events were posted in all. Says whether the load goes on.
    pub fn wait_for(&self, n: usize) -> bool {
        let waiting = self.moved.wait_while(self.lock(), |known| !known.stopped && known.events.len() < n);
        !waiting.expect("not poisoned").stopped
    }

    /// Every event that was answered 202, in the order of their posting.
    pub fn accepted(&self) -> Vec<String> {
        let known = self.lock();
        let accepted = known.events.iter().enumerate().filter(|(_, event)| *event & ACCEPTED != 0);
        accepted.map(|(n, _)| name(n)).collect()
    }

    /// Whatever was answered 202 has arrived.
    pub fn check_all_arrived(&self) {
        let known = self.lock();
        assert!(known.unanswered.is_empty(), "{} were never answered", known.unanswered.len());
        let lost: HashSet<usize> = (0..known.events.len()).filter(|n| known.events[*n] == ACCEPTED).collect();
        assert!(lost.is_empty(), "accepted, and never delivered: {lost:?}");
        assert!(!known.events.is_empty(), "nothing was accepted");
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("not poisoned")
    }
}

/// The id of the event `n`.
pub fn name(n: usize) -> String {
    format!("e-{n}")
}

fn number(name: &str) -> Option<usize> {
    name.strip_prefix("e-")?.parse().ok()
}
