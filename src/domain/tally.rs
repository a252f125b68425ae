//! What is counted about a webhook. One small record in the store, written in the same commit as what it counts, so a
//! reply never has to scan; nor for the sums over all of them, which change as each changes.

use serde::{Deserialize, Serialize};

use super::backoff::{Backoff, Recent, Strain};
use super::delivery::{AttemptSummary, DeliveryState};
use super::notice::{FAILING_ATTEMPTS_MIN, FAILING_MS_MIN};
use super::stats::Minute;
use super::time::{DAY_MS, UnixMs};

/// A webhook's counters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Deliveries made, replays and tests included.
    pub deliveries: u64,
    /// Deliveries that ended well.
    pub succeeded: u64,
    /// Deliveries that used up their retries.
    pub dead: u64,
    /// Deliveries that were cancelled.
    pub cancelled: u64,
    /// HTTP requests made.
    pub attempts: u64,
    /// HTTP requests that failed.
    pub failed_attempts: u64,
    /// Failed attempts since the last success or enabling.
    pub consecutive_failures: u64,
    /// When the first of them ended.
    pub failing_since: Option<UnixMs>,
    /// When the webhook was last enabled.
    pub enabled_at: Option<UnixMs>,
    /// When the last attempt ended.
    pub last_attempt_at: Option<UnixMs>,
    /// When the last attempt succeeded.
    pub last_success_at: Option<UnixMs>,
    /// The UTC day (since 1970) that `first_attempts_on_day` counts.
    pub day: u32,
    /// First attempts made on that day; what a dialect's daily limit counts.
    pub first_attempts_on_day: u32,
    /// How its endpoint is spared.
    pub backoff: Backoff,
    /// Bytes that the store keeps of its ended deliveries and their attempts.
    pub bytes: u64,
    /// When the operator was told that held deliveries will be cancelled.
    pub hold_warned_at: Option<UnixMs>,
    /// What was counted in the current minute.
    pub minute: Minute,
    /// What its latest attempts said of its endpoint.
    pub recent: Recent,
    /// When it was told that its endpoint keeps failing, until that is over.
    pub failing_told_at: Option<UnixMs>,
}

/// The sums over the counters of many webhooks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Deliveries made, replays and tests included.
    pub deliveries: u64,
    /// Deliveries that ended well.
    pub succeeded: u64,
    /// Deliveries that used up their retries.
    pub dead: u64,
    /// Deliveries that were cancelled.
    pub cancelled: u64,
    /// HTTP requests made.
    pub attempts: u64,
    /// HTTP requests that failed.
    pub failed_attempts: u64,
}

impl Totals {
    /// What one webhook adds.
    pub fn of(tally: &Tally) -> Self {
        let Tally { deliveries, succeeded, dead, cancelled, attempts, failed_attempts, .. } = *tally;
        Self { deliveries, succeeded, dead, cancelled, attempts, failed_attempts }
    }

    /// What a webhook adds is now this.
    pub fn change(&mut self, before: Self, now: Self) {
        let change = |sum: &mut u64, before: u64, now: u64| *sum = (*sum + now).saturating_sub(before);
        change(&mut self.deliveries, before.deliveries, now.deliveries);
        change(&mut self.succeeded, before.succeeded, now.succeeded);
        change(&mut self.dead, before.dead, now.dead);
        change(&mut self.cancelled, before.cancelled, now.cancelled);
        change(&mut self.attempts, before.attempts, now.attempts);
        change(&mut self.failed_attempts, before.failed_attempts, now.failed_attempts);
    }

    /// Deliveries that have not ended.
    pub fn open(&self) -> u64 {
        self.deliveries.saturating_sub(self.succeeded + self.dead + self.cancelled)
    }
}

/// The UTC day of a time, counted from 1970.
pub fn day_of(at: UnixMs) -> u32 {
    (at / DAY_MS) as u32
}

/// When the UTC day after that of `now` begins.
pub fn next_day(now: UnixMs) -> UnixMs {
    (now / DAY_MS + 1) * DAY_MS
}

impl Tally {
    /// Adds what is a sum in `other`.
    pub fn add(&mut self, other: &Self) {
        self.deliveries += other.deliveries;
        self.succeeded += other.succeeded;
        self.dead += other.dead;
        self.cancelled += other.cancelled;
        self.attempts += other.attempts;
        self.failed_attempts += other.failed_attempts;
    }

    /// Deliveries that have not ended. Counters that were lost count from zero: deliveries may then end that were
    /// never counted as made.
    pub fn open(&self) -> u64 {
        Totals::of(self).open()
    }

    /// Succeeded of ended deliveries, 0–1; 0 before the first has ended.
    pub fn success_rate(&self) -> f64 {
        match self.succeeded + self.dead {
            0 => 0.0,
            ended => self.succeeded as f64 / ended as f64,
        }
    }

    /// First attempts made on the day of `now`.
    pub fn first_attempts_today(&self, now: UnixMs) -> u32 {
        if self.day == day_of(now) { self.first_attempts_on_day } else { 0 }
    }

    /// Counts one attempt.
    pub fn count_attempt(&mut self, attempt: &AttemptSummary, success: bool) {
        self.count_request(attempt, success);
        if success {
            (self.consecutive_failures, self.failing_since) = (0, None);
            self.last_success_at = Some(attempt.ended_at());
        } else if attempt.outcome.is_of_endpoint() {
            // No rule disables a webhook for what its endpoint did not do.
            self.consecutive_failures += 1;
            self.failing_since.get_or_insert(attempt.ended_at());
        }
    }

    /// Counts that an attempt was made, and nothing that a rule goes by.
    pub fn count_request(&mut self, attempt: &AttemptSummary, success: bool) {
        self.attempts += 1;
        self.last_attempt_at = Some(attempt.ended_at());
        self.failed_attempts += u64::from(!success);
        if attempt.number == 1 {
            let day = day_of(attempt.started_at);
            if day > self.day {
                self.day = day;
                self.first_attempts_on_day = 0;
            }
            self.first_attempts_on_day += u32::from(day == self.day);
        }
    }

    /// Takes in what an attempt says of the endpoint. `dice` is even in 0.0..1.0.
    pub fn count_strain(&mut self, strain: Strain, attempt: &AttemptSummary, dice: f64) {
        let (started_at, ended_at) = (attempt.started_at, attempt.ended_at());
        (self.backoff, self.recent) = self.backoff.after(self.recent, strain, started_at, ended_at, dice);
    }

    /// A person or a probe says that the endpoint is well: what it failed before counts no more.
    pub fn forgive(&mut self, now: UnixMs) {
        (self.backoff, self.recent) = (Backoff::default(), Recent::default());
        (self.consecutive_failures, self.failing_since, self.failing_told_at) = (0, None, None);
        self.enabled_at = Some(now);
    }

    /// When the webhook was last well, as far as anybody knows.
    pub fn last_well_at(&self) -> UnixMs {
        self.last_success_at.max(self.enabled_at).unwrap_or(0)
    }

    /// Whether its endpoint has failed for so long, as of an attempt that ended at `now`, that somebody should know, and nobody
    /// was told. It counts as told then.
    pub fn begins_to_be_failing(&mut self, now: UnixMs) -> bool {
        let is_long = self.failing_since.is_some_and(|since| now.saturating_sub(since) >= FAILING_MS_MIN);
        let begins = is_long && self.consecutive_failures >= FAILING_ATTEMPTS_MIN && self.failing_told_at.is_none();
        if begins {
            self.failing_told_at = Some(now);
        }
        begins
    }

    /// When it was told that the endpoint keeps failing, which is over now.
    pub fn ends_to_be_failing(&mut self) -> Option<UnixMs> {
        self.failing_told_at.take()
    }

    /// Counts the end of a delivery.
    pub fn count_end(&mut self, state: DeliveryState) {
        match state {
            DeliveryState::Succeeded => self.succeeded += 1,
            DeliveryState::Dead => self.dead += 1,
            DeliveryState::Cancelled => self.cancelled += 1,
            DeliveryState::Pending | DeliveryState::Scheduled => unreachable!("an open delivery has not ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::Outcome;

    const NOON: UnixMs = 20_000 * DAY_MS + DAY_MS / 2;

    fn attempt(number: u16, started_at: UnixMs) -> AttemptSummary {
        AttemptSummary { number, started_at, duration_ms: 7, outcome: Outcome::Status(500) }
    }

    #[test]
    fn attempts_are_counted_since_when_they_fail_and_first_ones_by_day() {
        let mut tally = Tally::default();
        [attempt(1, NOON), attempt(2, NOON + 10), attempt(1, NOON + 20)]
            .iter()
            .for_each(|failed| tally.count_attempt(failed, false));
        assert_eq!((tally.attempts, tally.failed_attempts, tally.consecutive_failures), (3, 3, 3));
        assert_eq!((tally.failing_since, tally.last_attempt_at), (Some(NOON + 7), Some(NOON + 27)));
        assert_eq!((tally.first_attempts_today(NOON), tally.first_attempts_today(NOON + DAY_MS)), (2, 0));
        tally.count_attempt(&attempt(1, NOON + DAY_MS), true);
        assert_eq!((tally.consecutive_failures, tally.failing_since), (0, None));
        assert_eq!((tally.first_attempts_today(NOON + DAY_MS), tally.last_well_at()), (1, NOON + DAY_MS + 7));
        tally.count_attempt(&attempt(1, NOON), false);
        assert_eq!(tally.first_attempts_today(NOON + DAY_MS), 1, "one of the day before that ends late");
        assert_eq!((tally.attempts, tally.failed_attempts), (5, 4));
    }

    #[test]
    fn what_is_our_fault_is_no_failure_of_the_endpoint() {
        let mut tally = Tally::default();
        for outcome in [Outcome::Unsendable("a panic".into()), Outcome::TooLarge(2, 1)] {
            tally.count_attempt(&AttemptSummary { outcome, ..attempt(1, NOON) }, false);
        }
        assert_eq!((tally.failed_attempts, tally.consecutive_failures, tally.failing_since), (2, 0, None));
    }

    #[test]
    fn an_endpoint_is_failing_once_it_has_failed_often_and_for_long() {
        let mut tally = Tally::default();
        let mut fails_at = |at| {
            tally.count_attempt(&attempt(2, at), false);
            tally.begins_to_be_failing(at + 7)
        };
        assert!(!fails_at(NOON) && !fails_at(NOON + FAILING_MS_MIN), "not often enough");
        assert!(!fails_at(NOON + FAILING_MS_MIN) && !fails_at(NOON + FAILING_MS_MIN));
        assert!(fails_at(NOON + FAILING_MS_MIN) && !fails_at(NOON + FAILING_MS_MIN), "once");
        assert_eq!(tally.ends_to_be_failing(), Some(NOON + FAILING_MS_MIN + 7));
        assert_eq!(tally.ends_to_be_failing(), None);
        let mut soon = Tally { consecutive_failures: 99, failing_since: Some(NOON), ..Tally::default() };
        assert!(!soon.begins_to_be_failing(NOON + FAILING_MS_MIN - 1), "not for long enough");
        assert!(soon.begins_to_be_failing(NOON + FAILING_MS_MIN));
        soon.forgive(NOON + FAILING_MS_MIN);
        assert_eq!(soon.failing_told_at, None);
    }

    #[test]
    fn who_is_said_to_be_well_begins_anew() {
        let mut tally = Tally::default();
        assert_eq!(tally.last_well_at(), 0);
        let failed = attempt(1, NOON);
        tally.count_attempt(&failed, false);
        tally.count_strain(Strain::Until(NOON + 60_000), &failed, 0.0);
        assert_eq!(tally.backoff.until, NOON + 60_000);
        tally.forgive(NOON + 100);
        assert_eq!((tally.backoff, tally.consecutive_failures, tally.failing_since), (Backoff::default(), 0, None));
        assert_eq!((tally.last_well_at(), tally.failed_attempts), (NOON + 100, 1));
    }

    #[test]
    fn sums_are_sums_and_the_rate_is_a_share() {
        let one = Tally {
            deliveries: 9,
            succeeded: 3,
            dead: 1,
            cancelled: 3,
            attempts: 6,
            failed_attempts: 3,
            ..Tally::default()
        };
        assert_eq!((one.open(), one.success_rate()), (2, 0.75));
        assert_eq!((Tally::default().success_rate(), Tally { succeeded: 1, ..Tally::default() }.open()), (0.0, 0));
        let mut all = one.clone();
        all.add(&one);
        let twice = Tally {
            deliveries: 18,
            succeeded: 6,
            dead: 2,
            cancelled: 6,
            attempts: 12,
            failed_attempts: 6,
            ..one.clone()
        };
        assert_eq!(all, twice);
        let mut totals = Totals::of(&all);
        assert_eq!(totals.open(), 4);
        totals.change(Totals::of(&one), Totals::default());
        assert_eq!(totals, Totals::of(&one));
        totals.change(Totals::default(), Totals::of(&one));
        assert_eq!(totals, Totals::of(&all));
    }
}
