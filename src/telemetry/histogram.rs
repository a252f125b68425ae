//! A histogram with fixed buckets that any thread may record into. What stays true: recording is a look at a score of bounds
//! and two additions that wait for nobody, so it may stand on the way of every event; an example that somebody is at just then
//! is left out, and nobody waits for it either.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::id::EventId;
use crate::domain::time::UnixMs;

/// The most buckets, the last one included, which has no bound.
const BUCKETS_MAX: usize = 24;

/// What is recorded, in which unit, and where its buckets end.
#[derive(Debug)]
pub struct Scale {
    /// The ends of the buckets, ascending, in what is recorded.
    pub bounds: &'static [u64],
    /// How much of what is recorded is one of what is shown.
    pub per_shown: f64,
}

/// Microseconds, shown in seconds: of what takes no longer than some seconds here.
pub static SHORT: Scale = Scale {
    bounds: &[
        50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
        2_500_000, 10_000_000,
    ],
    per_shown: 1e6,
};
/// Microseconds, shown in seconds: of what waits for an endpoint.
pub static REMOTE: Scale = Scale {
    bounds: &[
        1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
        10_000_000, 30_000_000, 60_000_000,
    ],
    per_shown: 1e6,
};
/// Milliseconds, shown in seconds: up to days, as deliveries take that are tried again.
pub static LONG: Scale = Scale {
    bounds: &[
        5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000,
        21_600_000, 86_400_000,
    ],
    per_shown: 1e3,
};
/// Numbers of things.
pub static COUNT: Scale = Scale { bounds: &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096], per_shown: 1.0 };

/// The histogram.
#[derive(Debug)]
pub struct Histogram {
    scale: &'static Scale,
    buckets: [AtomicU64; BUCKETS_MAX],
    sum: AtomicU64,
    /// The latest example of each bucket.
    examples: [Mutex<Option<Example>>; BUCKETS_MAX],
}

/// One of those that were counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Example {
    /// The event.
    pub event: EventId,
    /// Its trace.
    pub trace_id: u128,
    /// What was recorded.
    pub value: u64,
    /// When.
    pub at: UnixMs,
}

/// What was recorded so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The end of each bucket in what is shown, the last one's infinite, and how many are in it.
    pub buckets: Vec<(f64, u64)>,
    /// The sum of all, in what is shown.
    pub sum: f64,
    /// Examples, by the index of their bucket; their values in what is shown.
    pub examples: Vec<(usize, Example, f64)>,
}

impl Histogram {
    /// Nothing is recorded yet.
    pub fn new(scale: &'static Scale) -> Self {
        assert!(scale.bounds.len() < BUCKETS_MAX, "there is room for the last bucket");
        let examples = std::array::from_fn(|_| Mutex::default());
        Self { scale, buckets: std::array::from_fn(|_| AtomicU64::new(0)), sum: AtomicU64::new(0), examples }
    }

    /// Records one.
    pub fn record(&self, value: u64) {
        self.buckets[self.bucket(value)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Records how long something took; in a scale of microseconds.
    pub fn record_time(&self, took: Duration) {
        self.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Records one, and which one that was.
    pub fn record_example(&self, example: Example) {
        self.record(example.value);
        if let Ok(mut latest) = self.examples[self.bucket(example.value)].try_lock() {
            *latest = Some(example);
        }
    }

    /// What was recorded so far.
    pub fn recorded(&self) -> Recorded {
        let shown = |value: u64| value as f64 / self.scale.per_shown;
        let bounds = self.scale.bounds.iter().map(|bound| shown(*bound)).chain([f64::INFINITY]);
        let buckets = bounds.zip(&self.buckets).map(|(end, count)| (end, count.load(Ordering::Relaxed))).collect();
        let latest = |of: &Mutex<Option<Example>>| *of.lock().expect("no holder panics");
        let examples = self.examples.iter().enumerate().filter_map(|(n, of)| Some((n, latest(of)?)));
        let examples = examples.map(|(n, example)| (n, example, shown(example.value))).collect();
        Recorded { buckets, sum: shown(self.sum.load(Ordering::Relaxed)), examples }
    }

    fn bucket(&self, value: u64) -> usize {
        self.scale.bounds.partition_point(|bound| *bound < value)
    }
}

impl Recorded {
    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_in_the_first_bucket_that_does_not_end_before_it() {
        let histogram = Histogram::new(&COUNT);
        for value in [0, 1, 2, 3, 4, 5, 4_096, 4_097, u64::from(u32::MAX)] {
            histogram.record(value);
        }
        let recorded = histogram.recorded();
        let full: Vec<(f64, u64)> = recorded.buckets.iter().copied().filter(|(_, count)| *count > 0).collect();
        assert_eq!(full, [(1.0, 2), (2.0, 1), (4.0, 2), (8.0, 1), (4_096.0, 1), (f64::INFINITY, 2)]);
        assert_eq!((recorded.count(), recorded.buckets.len()), (9, COUNT.bounds.len() + 1));
    }

    #[test]
    fn times_are_shown_in_seconds() {
        let histogram = Histogram::new(&SHORT);
        histogram.record_time(Duration::from_micros(1_500));
        let recorded = histogram.recorded();
        assert_eq!((recorded.sum, recorded.buckets[0].0), (0.0015, 0.00005));
        assert_eq!(recorded.buckets.iter().find(|(_, count)| *count > 0), Some(&(0.0025, 1)));
    }

    #[test]
    fn the_latest_example_of_a_bucket_is_kept_and_nobody_waits_for_who_is_at_it() {
        let histogram = Histogram::new(&LONG);
        let example = |value, at| Example { event: EventId(u128::from(at) << 80), trace_id: 7, value, at };
        histogram.record_example(example(6, 1));
        histogram.record_example(example(7, 2));
        histogram.record_example(example(70, 3));
        let held = histogram.examples[histogram.bucket(70)].lock().expect("nobody panicked");
        histogram.record_example(example(71, 4));
        drop(held);
        let recorded = histogram.recorded();
        assert_eq!(recorded.examples, [(1, example(7, 2), 0.007), (4, example(70, 3), 0.07)]);
        assert_eq!(recorded.count(), 4, "it is counted all the same");
    }

    #[test]
    fn the_bounds_of_all_scales_ascend_and_leave_room() {
        for scale in [&SHORT, &REMOTE, &LONG, &COUNT] {
            assert!(scale.bounds.is_sorted_by(|a, b| a < b) && scale.bounds.len() < BUCKETS_MAX);
        }
    }

    #[test]
    fn many_threads_record_at_once_and_nothing_is_lost() {
        let histogram = Histogram::new(&COUNT);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|n| histogram.record(n % 100)));
            }
        });
        assert_eq!((histogram.recorded().count(), histogram.recorded().sum), (40_000, 4.0 * 100.0 * 4_950.0));
    }
}
