//! What delivery counts since the start. What stays true: to count waits for nobody.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::oldest::Oldest;
use crate::domain::delivery::{Attempt, Delivery, FAILURE_KINDS};
use crate::domain::id::AccountNumber;
use crate::domain::retry::Next;
use crate::domain::trace_context::TraceContext;
use crate::telemetry::histogram::{LONG, REMOTE};
use crate::telemetry::{Example, Histogram, Page, Telemetry};

/// The phases of an attempt, in their order.
const PHASES: [&str; 6] = ["auth", "dns", "connect", "tls", "wait", "body"];

/// Counters.
#[derive(Debug)]
pub struct Meters {
    /// What is shared with the other rooms.
    pub telemetry: Telemetry,
    succeeded: AtomicU64,
    /// Attempts that failed, by kind, in the order of [`FAILURE_KINDS`].
    failed: [AtomicU64; FAILURE_KINDS.len()],
    /// Attempts within which the request was sent once more.
    resent: AtomicU64,
    /// Deliveries that are out now.
    pub out: AtomicUsize,
    /// Webhooks that have a lane.
    pub lanes: AtomicUsize,
    /// From the making of a delivery to the end of the attempt that succeeded.
    end_to_end: Histogram,
    /// Attempts, from begin to end.
    attempts: Histogram,
    /// How long each phase took, in the order of [`PHASES`].
    phases: [Histogram; PHASES.len()],
    /// How long after its time the wheel gave out a webhook.
    pub wheel_lateness: Histogram,
    /// Which delivery has been open for longest.
    pub oldest: Oldest,
    /// Places that are taken, and how many there are, of each pool in their order.
    places: [(AtomicUsize, AtomicUsize); POOLS.len()],
}

/// Who may have a place.
const POOLS: [&str; 3] = ["quick", "slow", "pulled"];

impl Default for Meters {
    fn default() -> Self {
        Self::new(Telemetry::default())
    }
}

impl Meters {
    /// Nothing is counted yet.
    pub fn new(telemetry: Telemetry) -> Self {
        let (succeeded, failed, resent, out, lanes, oldest, places) = Default::default();
        let (end_to_end, attempts) = (Histogram::new(&LONG), Histogram::new(&REMOTE));
        let (phases, wheel_lateness) = (std::array::from_fn(|_| Histogram::new(&REMOTE)), Histogram::new(&LONG));
        Self {
            telemetry,
            succeeded,
            failed,
            resent,
            out,
            lanes,
            end_to_end,
            attempts,
            phases,
            wheel_lateness,
            oldest,
            places,
        }
    }

    /// Counts an attempt.
    pub fn count(&self, attempt: &Attempt, next: Next) {
        let counter = match next {
            Next::Succeeded => &self.succeeded,
            Next::RetryAt(_) | Next::Dead | Next::NotSent => &self.failed[attempt.summary.outcome.kind_index()],
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.resent.fetch_add(attempt.resent.into(), Ordering::Relaxed);
        self.attempts.record(u64::from(attempt.summary.duration_ms) * 1000);
        for (histogram, took) in self.phases.iter().zip(took(attempt)) {
            took.into_iter().for_each(|us| histogram.record(us));
        }
    }

    /// The same of one that belongs to a delivery of the account, and what that says of the delivery; `named`: the trace that
    /// its event's producer named.
    pub fn count_for(
        &self,
        (account, delivery): (AccountNumber, &Delivery),
        (attempt, next): (&Attempt, Next),
        named: Option<TraceContext>,
    ) {
        self.count(attempt, next);
        let success = next == Next::Succeeded;
        self.telemetry.accounts.attempted(account, success, next == Next::Dead);
        if success {
            let (event, at) = (delivery.event, attempt.summary.ended_at());
            let value = at.saturating_sub(delivery.created_at());
            let trace_id = TraceContext::trace_of(event, named);
            self.end_to_end.record_example(Example { event, trace_id, value, at });
        }
    }

    /// Places by pool: who may have them, how many are taken, and how many there are at most.
    pub fn places(&self) -> impl Iterator<Item = (&'static str, usize, usize)> {
        let now = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        POOLS.iter().zip(&self.places).map(move |(pool, (taken, max))| (*pool, now(taken), now(max)))
    }

    /// Places that are taken, and how many there are, of each pool.
    pub fn set_places(&self, pools: [(usize, usize); POOLS.len()]) {
        for ((taken, max), (now, there)) in self.places.iter().zip(pools) {
            taken.store(now, Ordering::Relaxed);
            max.store(there, Ordering::Relaxed);
        }
    }

    /// Puts them onto the page.
    pub fn show(&self, page: &mut Page) {
        let help = "Attempts since the start by outcome.";
        let outcomes = page.counter("hookwheel_attempt_outcomes_total", help);
        let failed = FAILURE_KINDS.into_iter().zip(&self.failed);
        for (kind, count) in std::iter::once(("succeeded", &self.succeeded)).chain(failed) {
            outcomes.with(&[("outcome", kind)], count.load(Ordering::Relaxed));
        }
        let help = "Attempts within which the request was sent once more.";
        page.counter("hookwheel_resent_total", help).one(self.resent.load(Ordering::Relaxed));
        page.gauge("hookwheel_in_flight", "Deliveries that are out now.").one(self.out.load(Ordering::Relaxed));
        page.gauge("hookwheel_lanes", "Webhooks that have a lane in memory.").one(self.lanes.load(Ordering::Relaxed));
        self.show_times(page);
        let taken = page.gauge("hookwheel_places", "Places that are taken; quick and slow deliveries share theirs.");
        for (pool, (now, _)) in POOLS.iter().zip(&self.places) {
            taken.with(&[("pool", pool)], now.load(Ordering::Relaxed));
        }
        let there = page.gauge("hookwheel_places_max", "Places that each pool may take at most.");
        for (pool, (_, max)) in POOLS.iter().zip(&self.places) {
            there.with(&[("pool", pool)], max.load(Ordering::Relaxed));
        }
    }

    fn show_times(&self, page: &mut Page) {
        let help = "From the making of a delivery to the end of the attempt that succeeded.";
        page.histogram("hookwheel_end_to_end_seconds", help, &self.end_to_end);
        page.histogram("hookwheel_attempt_seconds", "Attempts, from begin to end.", &self.attempts);
        let phases = page.histograms("hookwheel_attempt_phase_seconds", "What attempts spent their time on.");
        for (phase, histogram) in PHASES.iter().zip(&self.phases) {
            phases.with(&[("phase", phase)], histogram.recorded());
        }
        let help = "How long after its time the wheel gave out a webhook.";
        page.histogram("hookwheel_wheel_lateness_seconds", help, &self.wheel_lateness);
    }
}

/// How long each of [`PHASES`] took, in microseconds; none where there was none, or where it did not end. The body is what is left of
/// the whole, to the millisecond.
fn took(attempt: &Attempt) -> [Option<u64>; PHASES.len()] {
    let (phases, auth) = (attempt.trace.phases, attempt.trace.auth_us);
    let before = [auth, phases.resolve_us, phases.connect_us, phases.tls_us, phases.first_byte_us];
    let before = before.map(|us| us.map(u64::from));
    let spent: u64 = before.iter().flatten().sum();
    let whole = u64::from(attempt.summary.duration_ms) * 1000;
    let body = phases.first_byte_us.map(|_| whole.saturating_sub(spent));
    let [auth, dns, connect, tls, wait] = before;
    [auth, dns, connect, tls, wait, body]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::{AttemptSummary, Cause, Outcome};
    use crate::domain::id::EventId;
    use crate::domain::trace::{Phases, Trace};
    use crate::telemetry::Format;

    fn attempt(outcome: Outcome, duration_ms: u32, phases: Phases) -> Attempt {
        let summary = AttemptSummary { number: 1, started_at: 1_000, duration_ms, outcome };
        Attempt { summary, trace: Trace { phases, ..Trace::default() }, ..Attempt::not_made(1, "", 0, "") }
    }

    fn text(meters: &Meters) -> String {
        let mut page = Page::default();
        meters.show(&mut page);
        page.written(Format::OpenMetrics)
    }

    #[test]
    fn each_phase_is_counted_that_there_was_and_the_body_is_what_is_left() {
        let phases = Phases { resolve_us: Some(2_000), first_byte_us: Some(30_000), ..Phases::default() };
        assert_eq!(
            took(&attempt(Outcome::Status(200), 40, phases)),
            [None, Some(2_000), None, None, Some(30_000), Some(8_000)]
        );
        let none = took(&attempt(Outcome::TimedOut, 40, Phases { tls_us: Some(9), ..Phases::default() }));
        assert_eq!(none, [None, None, None, Some(9), None, None], "no answer, no body");
        assert_eq!(took(&attempt(Outcome::Status(200), 31, phases))[5], Some(0));
    }

    #[test]
    fn a_success_is_counted_from_the_making_of_its_delivery_with_its_event_and_trace() {
        let event = EventId(500 << 80);
        let delivery = Delivery::fresh(event.delivery_to(1), event, Cause::Accept);
        let meters = Meters::default();
        let (well, ill) =
            (attempt(Outcome::Status(200), 40, Phases::default()), attempt(Outcome::TimedOut, 1, Phases::default()));
        meters.count_for((1, &delivery), (&ill, Next::RetryAt(5)), None);
        meters.count_for((1, &delivery), (&well, Next::Succeeded), None);
        let text = text(&meters);
        let example = format!("# {{trace_id=\"{:032x}\",event_id=\"{event}\"}} 0.54 1.040", event.0);
        for line in [
            &*format!("hookwheel_end_to_end_seconds_bucket{{le=\"1.0\"}} 1 {example}"),
            "hookwheel_end_to_end_seconds_count 1",
            "hookwheel_attempt_seconds_count 2",
            "hookwheel_attempt_outcomes_total{outcome=\"succeeded\"} 1",
            "hookwheel_attempt_outcomes_total{outcome=\"timeout\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn places_are_shown_by_pool() {
        let meters = Meters::default();
        meters.set_places([(1, 8), (2, 6), (3, 100)]);
        let text = text(&meters);
        for line in ["hookwheel_places{pool=\"slow\"} 2", "hookwheel_places_max{pool=\"pulled\"} 100"] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
