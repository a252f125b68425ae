//! Distributions of latencies, as the bench measures and prints them.

use hdrhistogram::Histogram;
use serde::Serialize;

/// A distribution, in milliseconds.
#[derive(Debug, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// Latencies in microseconds, to three digits, up to an hour; a longer one counts as an hour.
pub fn latencies() -> Histogram<u64> {
    const HOUR_US: u64 = 60 * 60 * 1_000_000;
    Histogram::new_with_bounds(1, HOUR_US, 3).expect("bounds that a histogram takes")
}

impl Latency {
    /// The distribution of these microseconds.
    pub fn of(micros: &Histogram<u64>) -> Self {
        let at = |quantile| micros.value_at_quantile(quantile) as f64 / 1e3;
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: micros.max() as f64 / 1e3 }
    }

    /// The median, 90, 99 and 99.9 per cent, and the longest.
    pub fn quantiles(&self) -> [f64; 5] {
        [self.p50, self.p90, self.p99, self.p999, self.max]
    }
}
