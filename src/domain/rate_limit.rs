//! A token bucket in one number: the time at which it is full again (GCRA). It limits API calls, and shows how much of
//! an endpoint's rate limit is left.

use super::time::UnixMs;
use super::webhook::RateLimit;

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
        let left = self.allowance(limit, now);
        if left.remaining == 0 {
            return Err(left.next_at);
        }
        self.full_at_ns = self.full_at_ns.max(ns(now)) + token_ns(limit);
        Ok(())
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
    fn a_minute_never_sees_more_than_the_limit() {
        let limit = RateLimit { per_second: None, per_minute: Some(50), burst: 10 };
        let mut bucket = Bucket::default();
        assert_eq!(bucket.allowance(limit, NOW), Allowance { limit: 60, remaining: 10, next_at: NOW, full_at: NOW });
        (0..10).for_each(|_| bucket.take(limit, NOW).unwrap());
        assert_eq!(bucket.take(limit, NOW), Err(NOW + 1_200));
        let left = bucket.allowance(limit, NOW + 1_200);
        assert_eq!((left.remaining, left.full_at), (1, NOW + 12_000));
        assert!(bucket.is_full(NOW + 12_000) && !bucket.is_full(NOW + 11_999));
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
                prop_assert!(seen <= limit.most() as usize, "{seen} in one minute");
            }
        }
    }
}
