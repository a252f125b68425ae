//! How an endpoint in trouble is spared: all of its webhook's deliveries wait, not only the one that failed. One failure
//! among many is no trouble: it is the delivery's own, which is tried again. Pure: what follows an attempt is a function of
//! what is known, the attempt and one throw of dice.

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
/// So many failures with no success in between are trouble.
pub const DOWN_IN_A_ROW: u32 = 5;
/// The attempts that are looked back at; half of them failed is trouble too.
pub const LOOKED_BACK: u32 = 20;
/// Fewer say nothing about a share.
pub const LOOKED_BACK_MIN: u32 = 10;

/// Attempts are recorded in the order in which they ended, but for so much.
const ORDER_MS_MAX: u64 = 1_000;

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

/// What the latest attempts said of the endpoint, since its last trouble ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// How many are known, at most [`LOOKED_BACK`].
    seen: u8,
    /// A bit for each, the latest lowest: whether it was down.
    down: u32,
}

impl Recent {
    fn and(self, down: bool) -> Self {
        let kept = (1 << LOOKED_BACK) - 1;
        Self { seen: (self.seen + 1).min(LOOKED_BACK as u8), down: (self.down << 1 | u32::from(down)) & kept }
    }

    fn is_trouble(self) -> bool {
        let (seen, down) = (u32::from(self.seen), self.down.count_ones());
        self.down.trailing_ones() >= DOWN_IN_A_ROW || (seen >= LOOKED_BACK_MIN && down * 2 >= seen)
    }
}

impl Backoff {
    /// Until when nothing is sent, seen at a start: a clock that was set back makes no pause longer.
    pub fn paused_until(self, now: UnixMs) -> UnixMs {
        self.until.min(now + self.until.saturating_sub(self.since))
    }

    /// What is known after an attempt. `dice` is even in 0.0..1.0.
    pub fn after(
        self,
        recent: Recent,
        strain: Strain,
        started_at: UnixMs,
        ended_at: UnixMs,
        dice: f64,
    ) -> (Self, Recent) {
        if self.since > ended_at + ORDER_MS_MAX {
            // The clock was set back since, and this attempt came after the pause.
            return Self { since: 0, until: 0, ..self }.after(recent, strain, started_at, ended_at, dice);
        }
        let is_news = started_at > self.since;
        match strain {
            Strain::Until(asked) => {
                let until = self.until.max(asked.min(ended_at + RETRY_AFTER_MS_MAX));
                let step = if is_news { self.step.saturating_add(1) } else { self.step };
                (Self { step, since: ended_at.max(self.since), until }, Recent::default())
            }
            Strain::Well if is_news && self.step > 0 => {
                (Self { since: self.since, ..Self::default() }, Recent::default())
            }
            Strain::Well if is_news => (self, recent.and(false)),
            // Whoever was in trouble already has to succeed first.
            Strain::Down if is_news && (self.step > 0 || recent.and(true).is_trouble()) => {
                let pause = (PAUSE_MS_MIN << self.step.min(16)).min(PAUSE_MS_MAX);
                let jitter = (pause as f64 * JITTER_PERCENT / 100.0 * dice) as u64;
                let until = self.until.max(ended_at + pause + jitter);
                (Self { step: self.step.saturating_add(1), since: ended_at, until }, Recent::default())
            }
            Strain::Down if is_news => (self, recent.and(true)),
            Strain::Well | Strain::Neutral | Strain::Down => (self, recent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const T: UnixMs = 1_700_000_000_000;

    /// An endpoint, and the attempts that it gets: one after the other, each some milliseconds long.
    #[derive(Debug, Clone, Copy)]
    struct Endpoint {
        backoff: Backoff,
        recent: Recent,
        now: UnixMs,
    }

    impl Endpoint {
        fn new() -> Self {
            Self { backoff: Backoff::default(), recent: Recent::default(), now: T }
        }

        fn attempt(&mut self, strain: Strain, started_at: UnixMs, ended_at: UnixMs, dice: f64) {
            (self.backoff, self.recent) = self.backoff.after(self.recent, strain, started_at, ended_at, dice);
        }

        /// The next attempt, once one may go out. Gives how long a pause it led to.
        fn next(&mut self, strain: Strain) -> u64 {
            let started_at = self.now.max(self.backoff.until);
            self.now = started_at + 10;
            self.attempt(strain, started_at, self.now, 0.0);
            self.backoff.until.saturating_sub(self.now)
        }

        fn pauses(&mut self, strains: &[Strain]) -> Vec<u64> {
            strains.iter().map(|strain| self.next(*strain)).collect()
        }

        fn in_trouble() -> Self {
            let mut endpoint = Self::new();
            endpoint.pauses(&[Strain::Down; DOWN_IN_A_ROW as usize]);
            assert_eq!(endpoint.backoff.step, 1);
            endpoint
        }
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_a_success_ends_them() {
        let mut endpoint = Endpoint::new();
        assert_eq!(endpoint.pauses(&[Strain::Down; 5]), [0, 0, 0, 0, 1_000]);
        assert_eq!(endpoint.pauses(&[Strain::Down; 7]), [2, 4, 8, 16, 32, 60, 60].map(|seconds| seconds * 1000));
        assert_eq!(endpoint.next(Strain::Well), 0);
        assert_eq!((endpoint.backoff.step, endpoint.backoff.until), (0, 0));
        assert_eq!(endpoint.pauses(&[Strain::Down; 5]), [0, 0, 0, 0, 1_000], "then all begins anew");
    }

    #[test]
    fn what_is_not_taken_for_other_reasons_neither_ends_a_row_nor_adds_to_it() {
        let mut endpoint = Endpoint::new();
        endpoint.pauses(&[Strain::Down, Strain::Down, Strain::Neutral, Strain::Down, Strain::Down, Strain::Neutral]);
        assert_eq!(endpoint.backoff, Backoff::default());
        assert_eq!(endpoint.next(Strain::Down), 1_000);
        assert_eq!(endpoint.next(Strain::Neutral), 0);
        assert_eq!(endpoint.backoff.step, 1, "only a success ends trouble");
    }

    #[test]
    fn half_of_the_latest_attempts_failed_is_trouble_and_less_is_none() {
        let (well, down) = (Strain::Well, Strain::Down);
        let mut endpoint = Endpoint::new();
        assert_eq!(endpoint.pauses(&[well, down].repeat(5)), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1_000]);
        let mut endpoint = Endpoint::new();
        let less = [well, well, well, down, down].repeat(100);
        assert_eq!(endpoint.pauses(&less).into_iter().max(), Some(0));
        assert_eq!(endpoint.backoff, Backoff::default());
        // Twenty are looked back at, of which eight failed: two more make ten.
        assert_eq!(endpoint.pauses(&[down, down]), [0, 1_000]);
    }

    #[test]
    fn many_that_were_out_together_count_once() {
        let first = Endpoint::in_trouble();
        let began = first.backoff.since;
        let after = |strain| {
            let mut endpoint = first;
            endpoint.attempt(strain, began, began + 2, 0.0);
            endpoint.backoff
        };
        assert_eq!(after(Strain::Down), first.backoff);
        assert_eq!(after(Strain::Well), first.backoff, "it was out before the trouble began");
        // Nor do they say anything once the trouble is over.
        let mut endpoint = first;
        endpoint.next(Strain::Well);
        let well = endpoint;
        (0..60).for_each(|_| endpoint.attempt(Strain::Down, began, endpoint.now + 1, 0.0));
        assert_eq!((endpoint.backoff, endpoint.recent), (well.backoff, well.recent));
        endpoint.attempt(Strain::Well, began, endpoint.now + 1, 0.0);
        assert_eq!(endpoint.recent, well.recent);
    }

    #[test]
    fn a_pause_is_up_to_a_quarter_longer_by_chance() {
        let pause = |dice| {
            let mut endpoint = Endpoint::in_trouble();
            let at = endpoint.backoff.until;
            endpoint.attempt(Strain::Down, at, at, dice);
            endpoint.backoff.until - at
        };
        assert_eq!([0.0, 0.5, 0.99].map(pause), [2_000, 2_250, 2_495]);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_pause_longer() {
        const HOUR: u64 = 3_600_000;
        let mut endpoint = Endpoint::in_trouble();
        assert_eq!(endpoint.backoff.paused_until(endpoint.now + 500), endpoint.backoff.until);
        let now = endpoint.now - HOUR;
        assert_eq!(endpoint.backoff.paused_until(now), now + 1_000);
        let mut failed = endpoint;
        failed.attempt(Strain::Down, now + 1_000, now + 1_010, 0.0);
        assert_eq!(failed.backoff.until, now + 1_010 + 2_000, "what happens then is news");
        endpoint.attempt(Strain::Well, now + 1_000, now + 1_010, 0.0);
        assert_eq!((endpoint.backoff.step, endpoint.backoff.until), (0, 0));
        // Two that end together are recorded in any order.
        let mut endpoint = Endpoint::in_trouble();
        let before = endpoint.backoff;
        endpoint.attempt(Strain::Well, before.since - 5_000, before.since - ORDER_MS_MAX, 0.0);
        assert_eq!(endpoint.backoff, before);
        endpoint.attempt(Strain::Well, before.since - 5_000, before.since - ORDER_MS_MAX - 1, 0.0);
        assert_eq!(endpoint.backoff.step, 0, "that much earlier it was another clock");
    }

    #[test]
    fn an_endpoint_can_ask_for_an_hour_at_most() {
        let asked = |ms| {
            let mut endpoint = Endpoint::new();
            endpoint.attempt(Strain::Until(T.saturating_add(ms)), T, T, 0.9);
            endpoint.backoff
        };
        assert_eq!((asked(5_000).until, asked(5_000).step), (T + 5_000, 1));
        assert_eq!(asked(u64::MAX).until, T + RETRY_AFTER_MS_MAX);
    }

    proptest! {
        #[test]
        fn a_pause_is_never_shortened_but_by_a_success(
            steps in proptest::collection::vec((0..4u8, 0..5_000u64, 0..100_000u64, 0.0..1.0f64), 1..60),
        ) {
            let mut endpoint = Endpoint::new();
            for (kind, took, asked, dice) in steps {
                let strain = match kind {
                    0 => Strain::Well,
                    1 => Strain::Neutral,
                    2 => Strain::Down,
                    _ => Strain::Until(endpoint.now + asked),
                };
                let (before, now) = (endpoint.backoff, endpoint.now);
                endpoint.attempt(strain, now, now + took, dice);
                let after = endpoint.backoff;
                prop_assert!(after.until >= before.until || (strain == Strain::Well && after.step == 0));
                prop_assert!(after.until <= (now + took + RETRY_AFTER_MS_MAX).max(before.until));
                endpoint.now = now + took + dice as u64;
            }
        }
    }
}
