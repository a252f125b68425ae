//! How an endpoint in trouble is spared: all of its webhook's deliveries wait, not only the one that failed. Pure: what
//! follows an attempt is a function of what is known, the attempt and one throw of dice.

use serde::{Deserialize, Serialize};

use super::time::UnixMs;

/// The first pause; each further one is twice as long.
pub const PAUSE_MS_MIN: u64 = 1_000;
/// The longest pause that nobody asked for.
pub const PAUSE_MS_MAX: u64 = 60_000;
/// The longest pause that an endpoint can ask for with `Retry-After`.
pub const RETRY_AFTER_MS_MAX: u64 = 60 * 60 * 1_000;
/// Up to this share of a pause is added at random, in per cent, so that webhooks of one host do not come back together.
const JITTER_PERCENT: f64 = 25.0;

/// What an attempt says of the endpoint as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strain {
    /// It took the delivery.
    Well,
    /// It is there, but did not take this delivery: no reason to hold back others.
    Neutral,
    /// It is not there, or asked for a pause without saying how long.
    Down,
    /// It asked for a pause until then.
    Until(UnixMs),
}

/// What is known of an endpoint's trouble.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// Pauses since the last success.
    pub step: u8,
    /// When the last one began: attempts that were out by then say nothing new.
    pub since: UnixMs,
    /// Nothing is sent before.
    pub until: UnixMs,
}

impl Backoff {
    /// How long the last pause is, seen from its beginning.
    pub fn pause_ms(&self) -> u64 {
        self.until.saturating_sub(self.since)
    }

    /// What is known after an attempt. `dice` is even in 0.0..1.0.
    pub fn after(self, strain: Strain, started_at: UnixMs, ended_at: UnixMs, dice: f64) -> Self {
        let is_news = started_at >= self.since;
        match strain {
            Strain::Well if is_news => Self::default(),
            Strain::Until(asked) => {
                let until = self.until.max(asked.min(ended_at + RETRY_AFTER_MS_MAX));
                let step = if is_news { self.step.saturating_add(1) } else { self.step };
                Self { step, since: ended_at.max(self.since), until }
            }
            Strain::Down if is_news => {
                let pause = (PAUSE_MS_MIN << self.step.min(16)).min(PAUSE_MS_MAX);
                let jitter = (pause as f64 * JITTER_PERCENT / 100.0 * dice) as u64;
                let until = self.until.max(ended_at + pause + jitter);
                Self { step: self.step.saturating_add(1), since: ended_at, until }
            }
            Strain::Well | Strain::Neutral | Strain::Down => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const T: UnixMs = 1_700_000_000_000;

    #[test]
    fn pauses_double_up_to_a_minute_and_a_success_ends_them() {
        let mut backoff = Backoff::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let at = backoff.until.max(T);
            backoff = backoff.after(Strain::Down, at, at + 10, 0.0);
            pauses.push((backoff.until - at - 10) / 1000);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.after(Strain::Well, backoff.until, backoff.until + 5, 0.0), Backoff::default());
    }

    #[test]
    fn many_that_were_out_together_count_once() {
        let first = Backoff::default().after(Strain::Down, T, T + 10, 0.0);
        let second = first.after(Strain::Down, T, T + 12, 0.0);
        assert_eq!(first, second);
        assert_eq!(first.after(Strain::Well, T, T + 12, 0.0), first, "it was out before the trouble began");
        assert_eq!(first.after(Strain::Neutral, T + 2_000, T + 2_010, 0.0), first);
    }

    #[test]
    fn an_endpoint_can_ask_for_an_hour_at_most() {
        let asked = |ms| Backoff::default().after(Strain::Until(T + ms), T, T, 0.9).until;
        assert_eq!(asked(5_000), T + 5_000);
        assert_eq!(asked(u64::MAX / 2), T + RETRY_AFTER_MS_MAX);
    }

    proptest! {
        #[test]
        fn a_pause_is_never_shortened_but_by_a_success(
            steps in proptest::collection::vec((0..4u8, 0..5_000u64, 0..100_000u64, 0.0..1.0f64), 1..60),
        ) {
            let (mut backoff, mut now) = (Backoff::default(), T);
            for (kind, took, asked, dice) in steps {
                let strain = match kind {
                    0 => Strain::Well,
                    1 => Strain::Neutral,
                    2 => Strain::Down,
                    _ => Strain::Until(now + asked),
                };
                let next = backoff.after(strain, now, now + took, dice);
                prop_assert!(next.until >= backoff.until || next == Backoff::default());
                prop_assert!(next.until <= (now + took + RETRY_AFTER_MS_MAX).max(backoff.until));
                (backoff, now) = (next, now + took + dice as u64);
            }
        }
    }
}
