//! How long endpoints took to answer: counts in buckets that grow with the time, so that a quantile is never further
//! off than [`ERROR_PERCENT_MAX`], however many were counted. Only buckets that hold something are kept: a record in
//! the store stays short.

use std::sync::LazyLock;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// How far a quantile may be off, in per cent of it, and at most half a millisecond where that is more.
pub const ERROR_PERCENT_MAX: u64 = 6;

/// The scale of the buckets: one significant digit. Nothing is ever counted in it.
static SCALE: LazyLock<Histogram<u64>> =
    LazyLock::new(|| Histogram::new_with_bounds(1, u64::from(u32::MAX), 1).expect("the bounds are right"));

/// Times in milliseconds, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies {
    sum_ms: u64,
    max_ms: u32,
    /// The start of a bucket in milliseconds, and how many are in it; ascending.
    buckets: Vec<(u32, u64)>,
}

impl Latencies {
    /// Counts one.
    pub fn count(&mut self, ms: u32) {
        self.sum_ms += u64::from(ms);
        self.max_ms = self.max_ms.max(ms);
        let start = SCALE.lowest_equivalent(u64::from(ms)) as u32;
        self.add(start, 1);
    }

    /// Counts all of `other` as well.
    pub fn merge(&mut self, other: &Self) {
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        self.max_ms = self.max_ms.max(other.max_ms);
        other.buckets.iter().for_each(|(start, count)| self.add(*start, *count));
    }

    /// How many were counted.
    pub fn len(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// Whether none was counted.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The average in milliseconds, exact; `None` of nothing.
    pub fn average(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.sum_ms as f64 / self.len() as f64)
    }

    /// The longest, exact; `None` of nothing.
    pub fn max(&self) -> Option<u32> {
        (!self.is_empty()).then_some(self.max_ms)
    }

    /// The time within which this share of them lies, 0.0 to 1.0; `None` of nothing.
    pub fn quantile(&self, share: f64) -> Option<u32> {
        let rank = ((self.len() as f64 * share).ceil() as u64).max(1);
        let mut below = 0;
        let bucket = self.buckets.iter().find(|(_, count)| {
            below += count;
            below >= rank
        });
        let middle = SCALE.median_equivalent(u64::from(bucket.or(self.buckets.last())?.0)) as u32;
        Some(middle.min(self.max_ms))
    }

    fn add(&mut self, start: u32, count: u64) {
        match self.buckets.binary_search_by_key(&start, |(start, _)| *start) {
            Ok(index) => self.buckets[index].1 += count,
            Err(index) => self.buckets.insert(index, (start, count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(times: &[u32]) -> Latencies {
        let mut latencies = Latencies::default();
        times.iter().for_each(|ms| latencies.count(*ms));
        latencies
    }

    #[test]
    fn of_nothing_there_is_no_average() {
        let none = Latencies::default();
        assert_eq!((none.average(), none.max(), none.quantile(0.5)), (None, None, None));
    }

    #[test]
    fn short_times_are_exact() {
        let latencies = of(&[0, 1, 2, 3, 30]);
        assert_eq!((latencies.average(), latencies.max()), (Some(7.2), Some(30)));
        assert_eq!([0.0, 0.2, 0.5, 0.99, 1.0].map(|share| latencies.quantile(share)), [0, 0, 2, 30, 30].map(Some));
    }

    #[test]
    fn a_record_stays_short_whatever_is_counted() {
        let mut latencies = Latencies::default();
        (0..32).for_each(|bit| (0..64u32).for_each(|n| latencies.count((1u32 << bit) + (1u32 << bit) / 64 * n)));
        assert!(latencies.buckets.len() < 500, "{}", latencies.buckets.len());
    }

    proptest! {
        #[test]
        fn quantiles_are_within_the_stated_error(
            mut times in proptest::collection::vec(0..200_000u32, 1..200),
            share in 0.0..=1.0f64,
        ) {
            let found = f64::from(of(&times).quantile(share).unwrap());
            times.sort_unstable();
            let rank = ((times.len() as f64 * share).ceil() as usize).max(1);
            let exact = f64::from(times[rank - 1]);
            let allowed = (exact * ERROR_PERCENT_MAX as f64 / 100.0).max(0.5);
            prop_assert!((found - exact).abs() <= allowed, "{found} for {exact}");
        }

        #[test]
        fn merging_is_counting_together(
            one in proptest::collection::vec(any::<u32>(), 0..50),
            two in proptest::collection::vec(any::<u32>(), 0..50),
        ) {
            let mut merged = of(&one);
            merged.merge(&of(&two));
            prop_assert_eq!(merged, of(&[one, two].concat()));
        }
    }
}
