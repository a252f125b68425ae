//! What is counted over time: by minute, hour and day, in UTC. What stays true:
//!
//! - What is counted goes into the minute that is current, and a clock that goes back does not make an older one so:
//!   nothing is lost, and no finished minute changes.
//! - Merging is adding: an hour is its minutes together, and an account its webhooks.

use serde::{Deserialize, Serialize};

use super::delivery::{AttemptSummary, Cause, FAILURE_KINDS};
use super::id::{AccountNumber, WebhookNumber};
use super::latency::Latencies;
use super::time::{DAY_MS, UnixMs};
use super::words::words;

/// Points that one question may have.
pub const POINTS_MAX: u64 = 1_500;
/// Up to so many points the finer step is taken, if none is asked for.
const POINTS_UNASKED_MAX: u64 = 360;

/// How long each point lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A minute, kept for 3 days.
    Minute,
    /// An hour, kept for 90 days.
    Hour,
    /// A day, kept for 3 years.
    Day,
}

words!(Step {
    Self::Minute => "minute",
    Self::Hour => "hour",
    Self::Day => "day",
});

impl Step {
    /// All, the finest first. The order is that of the store's keys.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// The step of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.word() == word)
    }

    /// In milliseconds.
    pub fn ms(self) -> u64 {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 60 * 60_000,
            Self::Day => DAY_MS,
        }
    }

    /// How long after its start a point is forgotten, in milliseconds.
    pub fn kept_ms(self) -> u64 {
        match self {
            Self::Minute => 3 * DAY_MS,
            Self::Hour => 90 * DAY_MS,
            Self::Day => 3 * 365 * DAY_MS,
        }
    }

    /// When the point starts that `at` lies in.
    pub fn start_of(self, at: UnixMs) -> UnixMs {
        at / self.ms() * self.ms()
    }

    /// How many points there are if nobody says from when.
    fn points_unasked(self) -> u64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 24,
            Self::Day => 30,
        }
    }
}

/// Whose numbers they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Series {
    /// A webhook's.
    Webhook(WebhookNumber),
    /// An account's: its events, and what its webhooks did together, those included that were deleted since.
    Account(AccountNumber),
}

/// Which points are asked for: whole steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// How long each lasts.
    pub step: Step,
    /// When the first starts.
    pub from: UnixMs,
    /// When the last ends; after `from`.
    pub to: UnixMs,
}

/// Why there is no such span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSpan {
    /// It would end before it starts.
    Backward,
    /// It would have so many points.
    TooMany(u64),
}

impl Span {
    /// The span from `from` to before `to`, widened to whole steps. What is left out is filled in: until now, the last
    /// hour by minute, 24 hours by hour or 30 days by day; and the finest step that gives at most 360 points.
    pub fn new(step: Option<Step>, from: Option<UnixMs>, to: Option<UnixMs>, now: UnixMs) -> Result<Self, NoSpan> {
        // Without an end, the current point is the last.
        let end = to.unwrap_or(now + 1);
        let fits = |step: &Step| from.is_none_or(|from| end.saturating_sub(from) / step.ms() <= POINTS_UNASKED_MAX);
        let step = step.or_else(|| Step::ALL.into_iter().find(fits)).unwrap_or(Step::Day);
        let to = end.div_ceil(step.ms()) * step.ms();
        if from.is_some_and(|from| from >= end) || to == 0 {
            return Err(NoSpan::Backward);
        }
        let from = from.map_or(to.saturating_sub(step.points_unasked() * step.ms()), |from| step.start_of(from));
        match (to - from) / step.ms() {
            points if points > POINTS_MAX => Err(NoSpan::TooMany(points)),
            _ => Ok(Self { step, from, to }),
        }
    }

    /// When its points start, the first first.
    pub fn starts(self) -> impl Iterator<Item = UnixMs> {
        (self.from..self.to).step_by(self.step.ms() as usize)
    }

    /// The start of the point that `at` lies in, if it is one of them.
    pub fn point_of(self, at: UnixMs) -> Option<UnixMs> {
        (self.from..self.to).contains(&at).then(|| self.step.start_of(at))
    }
}

/// What was counted within some time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events: of an account those accepted, of a webhook those that it wanted. Tests included, duplicates not.
    pub accepted: u64,
    /// Deliveries made, replays and tests included.
    pub deliveries: u64,
    /// Attempts that ended well.
    pub succeeded: u64,
    /// Attempts that did not: places in [`FAILURE_KINDS`], and how many of each; ascending, none of them 0.
    failed: Vec<(u8, u64)>,
    /// Attempts after a delivery's first.
    pub retried: u64,
    /// Attempts whose delivery had to wait for its webhook's rate limit.
    pub rate_limited: u64,
    /// How long answers took, failures included; attempts without an answer are not in it.
    pub answers: Latencies,
    /// The greatest age of the oldest open delivery, in milliseconds, of those looked at at a minute's end.
    pub queue_age_ms: Option<u64>,
}

impl Counts {
    /// Counts a delivery that was made. A replay brings no event with it.
    pub fn count_delivery(&mut self, cause: Cause) {
        self.deliveries += 1;
        self.accepted += u64::from(!matches!(cause, Cause::Replay(_)));
    }

    /// Counts an attempt. `rate_limited`: its delivery had to wait for the rate limit.
    pub fn count_attempt(&mut self, attempt: &AttemptSummary, success: bool, rate_limited: bool) {
        self.retried += u64::from(attempt.number > 1);
        self.rate_limited += u64::from(rate_limited);
        if attempt.outcome.status().is_some() {
            self.answers.count(attempt.duration_ms);
        }
        if success {
            self.succeeded += 1;
        } else {
            self.add_failed(attempt.outcome.kind_index() as u8, 1);
        }
    }

    /// Counts all of `other` as well.
    pub fn merge(&mut self, other: &Self) {
        // All fields are named, so that a new one is not forgotten.
        let Self { accepted, deliveries, succeeded, failed, retried, rate_limited, answers, queue_age_ms } = other;
        self.accepted += accepted;
        self.deliveries += deliveries;
        self.succeeded += succeeded;
        self.retried += retried;
        self.rate_limited += rate_limited;
        failed.iter().for_each(|(kind, count)| self.add_failed(*kind, *count));
        self.answers.merge(answers);
        self.queue_age_ms = self.queue_age_ms.max(*queue_age_ms);
    }

    /// What a webhook's counts add to its account's: all but the events, which the account counts itself.
    pub fn without_events(&self) -> Self {
        Self { accepted: 0, ..self.clone() }
    }

    /// Attempts that failed, by kind.
    pub fn failed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.failed.iter().filter_map(|(kind, count)| Some((*FAILURE_KINDS.get(usize::from(*kind))?, *count)))
    }

    /// Attempts that failed.
    pub fn failures(&self) -> u64 {
        self.failed.iter().map(|(_, count)| count).sum()
    }

    /// HTTP requests.
    pub fn attempts(&self) -> u64 {
        self.succeeded + self.failures()
    }

    fn add_failed(&mut self, kind: u8, count: u64) {
        match self.failed.binary_search_by_key(&kind, |(kind, _)| *kind) {
            Ok(index) => self.failed[index].1 += count,
            Err(index) => self.failed.insert(index, (kind, count)),
        }
    }
}

/// The minute that is being counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minute {
    /// When it started.
    pub start: UnixMs,
    /// What was counted in it so far.
    pub counts: Counts,
}

impl Minute {
    /// What is counted from here on belongs to `now`. Gives back the minute before if that is over and not empty.
    pub fn turn(&mut self, now: UnixMs) -> Option<Self> {
        let start = Step::Minute.start_of(now);
        if start <= self.start {
            return None;
        }
        let over = std::mem::replace(self, Self { start, counts: Counts::default() });
        (!over.is_empty()).then_some(over)
    }

    /// Whether nothing was counted in it.
    pub fn is_empty(&self) -> bool {
        self.counts == Counts::default()
    }

    /// When it ends.
    pub fn end(&self) -> UnixMs {
        self.start + Step::Minute.ms()
    }
}

/// What is counted about an account, beside what its webhooks count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTally {
    /// Events accepted, tests included.
    pub accepted: u64,
    /// The current minute.
    pub minute: Minute,
    /// Bytes that the store keeps of its events.
    pub event_bytes: u64,
    /// New events that were published in this day; tests and notices are none.
    pub today: Today,
    /// The UTC day (since 1970) on which it was last told that more is kept than may be.
    pub kept_told_on: u32,
    /// The day at whose end it may publish again, of those on which it was last told that it may publish no more.
    pub day_told_on: u32,
}

/// Events of a day, UTC. A clock that goes back begins no other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Today {
    start: UnixMs,
    events: u64,
}

impl Today {
    /// So many more.
    pub fn count(&mut self, now: UnixMs, events: u64) {
        *self = Self { start: self.start_at(now), events: self.events(now) + events };
    }

    /// How many there were.
    pub fn events(self, now: UnixMs) -> u64 {
        if self.start == self.start_at(now) { self.events } else { 0 }
    }

    /// When the day ends.
    pub fn ends_at(self, now: UnixMs) -> UnixMs {
        self.start_at(now) + DAY_MS
    }

    fn start_at(self, now: UnixMs) -> UnixMs {
        Step::Day.start_of(now).max(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::Outcome;
    use proptest::prelude::*;

    const NOON: UnixMs = 20_000 * DAY_MS + DAY_MS / 2;
    const HOUR_MS: u64 = 60 * 60_000;

    fn outcomes() -> Vec<Outcome> {
        let text = String::new;
        vec![
            Outcome::Status(500),
            Outcome::TimedOut,
            Outcome::Dns(text()),
            Outcome::Refused(text()),
            Outcome::Connect(text()),
            Outcome::Tls(text()),
            Outcome::Broken(text()),
            Outcome::Unsendable(text()),
            Outcome::TooLarge(1, 1),
            Outcome::Auth(text()),
            Outcome::ShapeTooCostly(String::new()),
            Outcome::Nacked(text()),
            Outcome::LeaseRanOut,
            Outcome::Acked,
        ]
    }

    fn attempt(number: u16, outcome: Outcome, duration_ms: u32) -> AttemptSummary {
        AttemptSummary { number, started_at: NOON, duration_ms, outcome }
    }

    #[test]
    fn failures_are_counted_by_their_kind() {
        let mut counts = Counts::default();
        outcomes().into_iter().for_each(|outcome| counts.count_attempt(&attempt(1, outcome, 7), false, false));
        counts.count_attempt(&attempt(2, Outcome::Status(200), 9), true, true);
        assert_eq!(counts.failed().collect::<Vec<_>>(), FAILURE_KINDS.map(|kind| (kind, 1)));
        assert_eq!((counts.attempts(), counts.succeeded, counts.failures(), counts.retried), (15, 1, 14, 1));
        assert_eq!((counts.answers.len(), counts.rate_limited), (2, 1), "only answers have a response time");
    }

    #[test]
    fn a_minute_is_given_back_once_and_a_clock_set_back_loses_nothing() {
        let mut minute = Minute::default();
        assert_eq!(minute.turn(NOON + 59_999), None, "there was nothing before");
        minute.counts.accepted = 1;
        assert_eq!(minute.turn(NOON - DAY_MS), None);
        assert_eq!((minute.start, minute.counts.accepted), (NOON, 1));
        let over = minute.turn(NOON + 60_000).unwrap();
        assert_eq!((over.start, over.end(), over.counts.accepted), (NOON, NOON + 60_000, 1));
        assert_eq!(minute.turn(NOON + 180_000), None, "nothing was counted in it");
    }

    #[test]
    fn what_is_left_out_of_a_span_is_filled_in() {
        let span = |step, from, to| Span::new(step, from, to, NOON + 5);
        let minutes = Span { step: Step::Minute, from: NOON - 59 * 60_000, to: NOON + 60_000 };
        assert_eq!(span(None, None, None), Ok(minutes));
        assert_eq!(minutes.starts().count(), 60);
        let hours = Span { step: Step::Hour, from: NOON - 23 * HOUR_MS, to: NOON + HOUR_MS };
        assert_eq!(span(Some(Step::Hour), None, None), Ok(hours));
        assert_eq!(span(None, Some(NOON - 6 * HOUR_MS), None).unwrap().step, Step::Minute);
        assert_eq!(span(None, Some(NOON - 7 * HOUR_MS), None).unwrap().step, Step::Hour);
        assert_eq!(span(None, Some(NOON - 16 * DAY_MS), None).unwrap().step, Step::Day);
        let one = span(Some(Step::Minute), Some(NOON + 7), Some(NOON + 8)).unwrap();
        assert_eq!(one, Span { step: Step::Minute, from: NOON, to: NOON + 60_000 });
        assert_eq!((one.point_of(NOON + 59_999), one.point_of(NOON + 60_000)), (Some(NOON), None));
    }

    #[test]
    fn a_span_goes_forward_and_has_so_many_points() {
        for (from, to) in [(NOON, NOON), (NOON + 1, NOON), (NOON + 5_000, NOON + 4_000), (0, 0)] {
            let span = Span::new(Some(Step::Day), Some(from), Some(to), NOON);
            assert_eq!(span, Err(NoSpan::Backward), "{from} to {to}");
        }
        let minutes = |n| Span::new(Some(Step::Minute), Some(NOON), Some(NOON + n * 60_000), NOON);
        assert_eq!(minutes(POINTS_MAX).unwrap().starts().count() as u64, POINTS_MAX);
        assert_eq!(minutes(POINTS_MAX + 1), Err(NoSpan::TooMany(POINTS_MAX + 1)));
        let far = Span::new(None, Some(0), Some(253_402_207_200_999), NOON);
        assert!(matches!(far, Err(NoSpan::TooMany(_))));
        assert_eq!(Span::new(None, None, None, 0).unwrap().from, 0, "a clock at its start");
    }

    #[test]
    fn a_day_counts_until_midnight_and_a_clock_set_back_does_not_begin_it_again() {
        let (mut today, midnight) = (Today::default(), NOON + DAY_MS / 2);
        assert_eq!((today.events(NOON), today.ends_at(NOON)), (0, midnight));
        today.count(NOON, 2);
        today.count(midnight - 1, 3);
        assert_eq!((today.events(midnight - 1), today.events(midnight)), (5, 0));
        today.count(midnight, 1);
        today.count(NOON, 1);
        assert_eq!((today.events(NOON), today.events(midnight), today.ends_at(NOON)), (2, 2, midnight + DAY_MS));
    }

    fn counts() -> impl Strategy<Value = Counts> {
        let made = (1..4u16, 0..9usize, 0..60_000u32, any::<bool>());
        let attempts = proptest::collection::vec(made, 0..20);
        (attempts, 0..5u64, proptest::option::of(0..9u64)).prop_map(|(attempts, accepted, queue_age_ms)| {
            let mut counts = Counts { accepted, queue_age_ms, ..Counts::default() };
            for (number, kind, took, success) in attempts {
                let outcome = if success { Outcome::Status(200) } else { outcomes()[kind].clone() };
                counts.count_attempt(&attempt(number, outcome, took), success, kind == 0);
            }
            counts
        })
    }

    fn merged(one: &Counts, two: &Counts) -> Counts {
        let mut merged = one.clone();
        merged.merge(two);
        merged
    }

    proptest! {
        #[test]
        fn merging_is_adding(a in counts(), b in counts(), c in counts()) {
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&a, &Counts::default()), a.clone());
            prop_assert_eq!(merged(&a, &b).attempts(), a.attempts() + b.attempts());
        }

        #[test]
        fn minutes_that_are_given_back_hold_all_that_was_counted(
            times in proptest::collection::vec(0..NOON, 1..50),
        ) {
            let (mut minute, mut over) = (Minute::default(), Vec::new());
            for now in &times {
                over.extend(minute.turn(*now));
                minute.counts.accepted += 1;
            }
            over.push(minute);
            prop_assert_eq!(over.iter().map(|one| one.counts.accepted).sum::<u64>(), times.len() as u64);
            prop_assert!(over.windows(2).all(|pair| pair[0].end() <= pair[1].start));
        }
    }

    #[test]
    fn points_are_kept_the_longer_the_wider_they_are() {
        let kept_days = [Step::Minute, Step::Hour, Step::Day].map(|step| step.kept_ms() / DAY_MS);
        assert_eq!(kept_days, [3, 90, 1095]);
    }
}
