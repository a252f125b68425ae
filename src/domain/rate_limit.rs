//! Rate limits: how they are stated, and how much of one is left. What is left is one number, the time at which nothing is
//! spent any more (GCRA); it limits API calls, and says how many requests an endpoint gets at once (`pace`).

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Invalid;
use super::time::UnixMs;

/// Requests, or a burst of them, that a limit can name.
pub const REQUESTS_MAX: u32 = 10_000;

/// Requests to an endpoint: so many a second or a minute, of which `burst` may go out at once. No second, or minute,
/// wherever it begins, sees more than so many, or than the burst where that is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Requests a second, 1–10,000. Either this or `per_minute`.
    #[schemars(range(min = 1, max = REQUESTS_MAX), example = 10)]
    pub per_second: Option<u32>,
    /// Requests a minute, 1–10,000.
    #[schemars(range(min = 1, max = REQUESTS_MAX), example = 100)]
    pub per_minute: Option<u32>,
    /// Requests that may go out at once after a quiet time, 1–10,000; left out: `per_second`, or 1.
    #[serde(default)]
    #[schemars(range(max = REQUESTS_MAX), example = 10, transform = without_default)]
    pub burst: u32,
}

/// The number that stands for "left out" means nothing to people.
fn without_default(schema: &mut schemars::Schema) {
    schema.remove("default");
}

impl RateLimit {
    /// Checks the bounds and fills in the burst.
    pub fn checked(self) -> Result<Self, Invalid> {
        let (field, rate) = match (self.per_second, self.per_minute) {
            (Some(rate), None) => ("rate_limit.per_second", rate),
            (None, Some(rate)) => ("rate_limit.per_minute", rate),
            _ => return Err(Invalid::new("rate_limit", "needs either per_second or per_minute")),
        };
        for (field, n) in [(field, rate), ("rate_limit.burst", self.burst.max(1))] {
            if !(1..=REQUESTS_MAX).contains(&n) {
                return Err(Invalid::new(field, format!("must be between 1 and {REQUESTS_MAX}")));
            }
        }
        let burst = if self.burst == 0 { self.per_second.unwrap_or(1) } else { self.burst };
        Ok(Self { burst, ..self })
    }

    /// How many tokens come back in how many milliseconds.
    pub fn refill(self) -> (u32, u64) {
        match self.per_minute {
            Some(rate) => (rate.max(1), 60_000),
            None => (self.per_second.unwrap_or(1).max(1), 1_000),
        }
    }

    /// A second or a minute, in milliseconds.
    pub fn period_ms(self) -> u64 {
        self.refill().1
    }

    /// Requests that one period can see at most.
    pub fn most(self) -> u32 {
        self.refill().0.max(self.burst)
    }
}

/// What is left of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests that one period (a second or a minute) can see at most.
    pub limit: u32,
    /// Requests that may be made now.
    pub remaining: u32,
    /// When one may be made, if none is left.
    pub next_at: UnixMs,
    /// When nothing is spent any more.
    pub full_at: UnixMs,
}

/// A bucket; a new one is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at_ns: u64,
}

impl Bucket {
    /// Takes a token at `now`. With none left, says when there is one.
    pub fn take(&mut self, limit: RateLimit, now: UnixMs) -> Result<(), UnixMs> {
        self.take_many(limit, 1, now)
    }

    /// Takes `n` tokens at once, or none. More than the burst are taken from a full bucket only, and are owed then. With
    /// too few left, says when there are enough.
    pub fn take_many(&mut self, limit: RateLimit, n: u32, now: UnixMs) -> Result<(), UnixMs> {
        let (token, burst) = (token_ns(limit), limit.burst.max(1));
        let spent = self.full_at_ns.saturating_sub(ns(now));
        let over = (spent + u64::from(n.min(burst)) * token).saturating_sub(u64::from(burst) * token);
        if over > 0 {
            return Err(now + over.div_ceil(1_000_000));
        }
        self.full_at_ns = self.full_at_ns.max(ns(now)) + u64::from(n) * token;
        Ok(())
    }

    /// Takes a token at `now` that need not be there: it is owed then.
    pub fn owe(&mut self, limit: RateLimit, now: UnixMs) {
        self.full_at_ns = self.full_at_ns.max(ns(now)) + token_ns(limit);
    }

    /// Puts a token back that was taken since it was last full.
    pub fn put_back(&mut self, limit: RateLimit) {
        self.full_at_ns = self.full_at_ns.saturating_sub(token_ns(limit));
    }

    /// So many tokens, at most a burst, taken at once at this time in nanoseconds, leave it as it is at `now`; none if it is full.
    pub fn taken_at_once(self, limit: RateLimit, now: UnixMs) -> Option<(NonZeroU32, u64)> {
        let (token, burst) = (token_ns(limit), u64::from(limit.burst.max(1)));
        let spent = self.full_at_ns.saturating_sub(ns(now));
        let tokens = spent.div_ceil(token).min(burst);
        Some((NonZeroU32::new(tokens as u32)?, self.full_at_ns.saturating_sub(tokens * token)))
    }

    /// What is left at `now`.
    pub fn allowance(self, limit: RateLimit, now: UnixMs) -> Allowance {
        let (token, burst) = (token_ns(limit), u64::from(limit.burst.max(1)));
        let spent = self.full_at_ns.saturating_sub(ns(now));
        let room = (burst * token).saturating_sub(spent);
        let wait = (spent + token).saturating_sub(burst * token);
        Allowance {
            limit: limit.most(),
            remaining: (room / token) as u32,
            next_at: now + wait.div_ceil(1_000_000),
            full_at: now + spent.div_ceil(1_000_000),
        }
    }

    /// Whether it is full at `now`, and so as good as a new one.
    pub fn is_full(self, now: UnixMs) -> bool {
        self.full_at_ns <= ns(now)
    }
}

fn ns(ms: UnixMs) -> u64 {
    ms.saturating_mul(1_000_000)
}

/// How long one token takes to come back.
fn token_ns(limit: RateLimit) -> u64 {
    let (rate, milliseconds) = limit.refill();
    milliseconds * 1_000_000 / u64::from(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: UnixMs = 1_700_000_000_000;

    #[test]
    fn a_token_comes_back_after_a_while_and_is_there_no_sooner() {
        let limit = RateLimit { per_second: None, per_minute: Some(50), burst: 10 };
        let mut bucket = Bucket::default();
        assert_eq!(bucket.allowance(limit, NOW), Allowance { limit: 50, remaining: 10, next_at: NOW, full_at: NOW });
        (0..9).for_each(|_| bucket.take(limit, NOW).unwrap());
        assert_eq!(bucket.allowance(limit, NOW).next_at, NOW, "one is left");
        bucket.take(limit, NOW).unwrap();
        assert_eq!(bucket.allowance(limit, NOW).next_at, NOW + 1_200);
        assert_eq!(bucket.take(limit, NOW), Err(NOW + 1_200));
        let left = bucket.allowance(limit, NOW + 1_200);
        assert_eq!((left.remaining, left.full_at), (1, NOW + 12_000));
        assert!(bucket.is_full(NOW + 12_000) && !bucket.is_full(NOW + 11_999));
    }

    #[test]
    fn more_than_the_burst_is_taken_from_a_full_bucket_and_owed() {
        let limit = RateLimit { per_second: Some(100), per_minute: None, burst: 100 };
        let mut bucket = Bucket::default();
        bucket.take_many(limit, 250, NOW).unwrap();
        assert_eq!(bucket.allowance(limit, NOW).remaining, 0);
        assert_eq!(bucket.take(limit, NOW), Err(NOW + 1_510), "150 are owed, and one is wanted");
        assert_eq!(bucket.take_many(limit, 101, NOW + 2_499), Err(NOW + 2_500), "not before it is full again");
        bucket.take_many(limit, 101, NOW + 2_500).unwrap();
        let mut bucket = Bucket::default();
        bucket.take_many(limit, 60, NOW).unwrap();
        assert_eq!(bucket.take_many(limit, 60, NOW), Err(NOW + 200));
        bucket.take_many(limit, 40, NOW).unwrap();
    }

    proptest! {
        #[test]
        fn no_period_sees_more_than_rate_and_burst(
            rate in 1..100u32, burst in 1..20u32, gaps in proptest::collection::vec(0..3_000u64, 1..300),
        ) {
            let limit = RateLimit { per_second: None, per_minute: Some(rate), burst };
            let (mut bucket, mut now, mut taken) = (Bucket::default(), NOW, Vec::new());
            for gap in gaps {
                now += gap;
                if bucket.take(limit, now).is_ok() {
                    taken.push(now);
                }
            }
            for start in &taken {
                let seen = taken.iter().filter(|at| (*start..*start + 60_000).contains(at)).count();
                prop_assert!(seen <= (rate + burst) as usize, "{seen} in one minute");
            }
        }
    }
}
