//! How long a database takes to answer this node, by what it is asked.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Stopwatch;
use crate::telemetry::Histogram;
use crate::telemetry::histogram::SHORT;

/// Since the process was started. What was not answered counts too, for as long as it was waited for.
#[derive(Debug)]
pub struct Answers {
    /// Rows that are not near.
    pub reads: Histogram,
    /// Groups that are written.
    pub groups: Histogram,
    /// Leases that are renewed without one.
    pub renewals: Histogram,
    /// How often this node began to own the store.
    pub taken: AtomicU64,
}

impl Default for Answers {
    fn default() -> Self {
        let new = || Histogram::new(&SHORT);
        Self { reads: new(), groups: new(), renewals: new(), taken: AtomicU64::new(0) }
    }
}

impl Answers {
    /// This node owns the store now.
    pub fn took(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks, and records how long that took.
    pub fn timed<T>(&self, of: fn(&Self) -> &Histogram, ask: impl FnOnce() -> T) -> T {
        let watch = Stopwatch::start();
        let answer = ask();
        of(self).record_time(watch.elapsed());
        answer
    }
}
