//! What delivery counts since the start.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::domain::delivery::{Attempt, FAILURE_KINDS};
use crate::domain::retry::Next;

/// Counters.
#[derive(Debug, Default)]
pub struct Meters {
    succeeded: AtomicU64,
    /// Attempts that failed, by kind, in the order of [`FAILURE_KINDS`].
    failed: [AtomicU64; FAILURE_KINDS.len()],
    /// Attempts within which the request was sent once more.
    resent: AtomicU64,
    /// Deliveries that are out now.
    pub out: AtomicUsize,
    /// Webhooks that have a lane.
    pub lanes: AtomicUsize,
}

impl Meters {
    /// Counts an attempt.
    pub fn count(&self, attempt: &Attempt, next: Next) {
        let counter = match next {
            Next::Succeeded => &self.succeeded,
            Next::RetryAt(_) | Next::Dead | Next::NotSent => &self.failed[attempt.summary.outcome.kind_index()],
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.resent.fetch_add(attempt.resent.into(), Ordering::Relaxed);
    }

    /// Writes them in the Prometheus text format.
    pub fn write(&self, out: &mut String) {
        let mut line = |text: std::fmt::Arguments<'_>| out.write_fmt(text).expect("writing to memory cannot fail");
        line(format_args!(
            "# HELP hookwheel_attempt_outcomes_total Attempts since the start by outcome.\n# TYPE hookwheel_attempt_outcomes_total counter\n"
        ));
        let failed = FAILURE_KINDS.into_iter().zip(&self.failed);
        for (kind, count) in std::iter::once(("succeeded", &self.succeeded)).chain(failed) {
            let count = count.load(Ordering::Relaxed);
            line(format_args!("hookwheel_attempt_outcomes_total{{outcome=\"{kind}\"}} {count}\n"));
        }
        let resent = self.resent.load(Ordering::Relaxed);
        line(format_args!(
            "# HELP hookwheel_resent_total Attempts within which the request was sent once more.\n# TYPE hookwheel_resent_total counter\nhookwheel_resent_total {resent}\n"
        ));
        let gauges = [
            ("in_flight", "Deliveries that are out now.", self.out.load(Ordering::Relaxed)),
            ("lanes", "Webhooks that have a lane in memory.", self.lanes.load(Ordering::Relaxed)),
        ];
        for (name, help, value) in gauges {
            line(format_args!(
                "# HELP hookwheel_{name} {help}\n# TYPE hookwheel_{name} gauge\nhookwheel_{name} {value}\n"
            ));
        }
    }
}
