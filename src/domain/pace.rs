//! What an endpoint was sent lately, held against its rate limit: the requests of the last period, for how many in all, and
//! an account of how many may go out at once, which its limiter decides. What stays true: no period, wherever it begins, sees more than [`RateLimit::most`], but for
//! what is sent over the limit at somebody's word. However high the limit, it takes a bounded place.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use super::rate_limit::{Allowance, Bucket, RateLimit};
use super::time::UnixMs;

/// Requests are remembered one by one where a period sees at most so many, else in so many groups; a group is over with the
/// last of it.
const GROUPS_MAX: u32 = 64;
/// No limit has a longer period.
const PERIOD_MS_MAX: u64 = 60_000;

/// What was sent; of a new one nothing.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    bucket: Bucket,
    /// When the last of each group was sent, and how many there are in it; the first first.
    groups: VecDeque<(UnixMs, u32)>,
    /// All of them.
    sent: u32,
    /// When the first was sent since the account was last full.
    busy_since: UnixMs,
}

impl Pace {
    /// Whether the period has room for a request at `now`; if not, when. How many may go out at once is not asked here.
    pub fn room(&mut self, limit: RateLimit, now: UnixMs) -> Result<(), UnixMs> {
        self.forget(limit, now);
        self.room_at(limit).map_or(Ok(()), Err)
    }

    /// Counts a request that is made at `now`, whatever the limit says.
    pub fn spend(&mut self, limit: RateLimit, now: UnixMs) {
        self.forget(limit, now);
        if self.bucket.is_full(now) {
            self.busy_since = now;
        }
        self.bucket.owe(limit, now);
        self.count(limit, now);
    }

    /// One that was counted at `at`, of this limit, was not made after all.
    pub fn take_back(&mut self, limit: RateLimit, at: UnixMs, now: UnixMs) {
        self.forget(limit, now);
        // What is taken back leaves groups that are not full; where there are too many, it stays counted until its period is over.
        // And one whose period is over is not counted any more: what is counted is others.
        let may_leave = self.groups.len() < 2 * GROUPS_MAX as usize && at + limit.period_ms() > now;
        if let Some((_, count)) = self.groups.iter_mut().find(|(last, _)| may_leave && at <= *last) {
            (*count, self.sent) = (*count - 1, self.sent - 1);
            self.groups.retain(|(_, count)| *count > 0);
        }
        // What was spent before it was last full has come back already.
        if self.busy_since <= at {
            self.bucket.put_back(limit);
        }
    }

    /// How many requests at once, and when in nanoseconds, leave as much as there is at `now`; none if nothing is spent.
    pub fn spent_at_once(&self, limit: RateLimit, now: UnixMs) -> Option<(NonZeroU32, u64)> {
        self.bucket.taken_at_once(limit, now)
    }

    /// What is left at `now`.
    pub fn allowance(&self, limit: RateLimit, now: UnixMs) -> Allowance {
        let mut seen = self.clone();
        seen.forget(limit, now);
        let of_bucket = seen.bucket.allowance(limit, now);
        let over = seen.groups.back().map_or(now, |(last, _)| last + limit.period_ms());
        Allowance {
            limit: limit.most(),
            remaining: of_bucket.remaining.min(limit.most().saturating_sub(seen.sent)),
            next_at: seen.room_at(limit).unwrap_or(now).max(of_bucket.next_at),
            full_at: over.max(of_bucket.full_at),
        }
    }

    /// Whether nothing of any limit is spent at `now`.
    pub fn is_over(&self, now: UnixMs) -> bool {
        self.bucket.is_full(now) && self.groups.back().is_none_or(|(last, _)| last + PERIOD_MS_MAX <= now)
    }

    fn forget(&mut self, limit: RateLimit, now: UnixMs) {
        while let Some((_, count)) = self.groups.pop_front_if(|(last, _)| *last + limit.period_ms() <= now) {
            self.sent -= count;
        }
    }

    /// When the period sees fewer again, if it has seen all that it may.
    fn room_at(&self, limit: RateLimit) -> Option<UnixMs> {
        let is_full = self.sent >= limit.most();
        self.groups.front().filter(|_| is_full).map(|(last, _)| last + limit.period_ms())
    }

    fn count(&mut self, limit: RateLimit, now: UnixMs) {
        self.sent += 1;
        let of_group = limit.most().div_ceil(GROUPS_MAX);
        match self.groups.back_mut().filter(|(_, count)| *count < of_group) {
            Some((last, count)) => (*last, *count) = (now.max(*last), *count + 1),
            None => self.groups.push_back((now, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: UnixMs = 1_700_000_000_000;

    /// What a limiter does.
    fn take(pace: &mut Pace, limit: RateLimit, now: UnixMs) -> Result<(), UnixMs> {
        let by_bucket = pace.bucket.clone().take(limit, now);
        match (by_bucket, pace.room(limit, now)) {
            (Ok(()), Ok(())) => {
                pace.spend(limit, now);
                Ok(())
            }
            (by_bucket, by_period) => Err(by_bucket.err().max(by_period.err()).unwrap_or(now)),
        }
    }

    fn a_minute(rate: u32, burst: u32) -> RateLimit {
        RateLimit { per_second: None, per_minute: Some(rate), burst }
    }

    #[test]
    fn sixty_a_minute_are_sixty_when_idle_and_sixty_when_busy() {
        let (limit, mut pace) = (a_minute(60, 60), Pace::default());
        assert_eq!(pace.allowance(limit, NOW), Allowance { limit: 60, remaining: 60, next_at: NOW, full_at: NOW });
        (0..60).for_each(|_| take(&mut pace, limit, NOW).unwrap());
        assert_eq!(take(&mut pace, limit, NOW), Err(NOW + 60_000));
        assert_eq!(take(&mut pace, limit, NOW + 59_999), Err(NOW + 60_000), "whatever the bucket has again");
        let left = pace.allowance(limit, NOW + 30_000);
        assert_eq!((left.remaining, left.next_at, left.full_at), (0, NOW + 60_000, NOW + 60_000));
        let mut taken = 0;
        for second in 60..660 {
            taken += (0..9).filter(|_| take(&mut pace, limit, NOW + second * 1_000).is_ok()).count();
        }
        assert_eq!(taken, 600, "in ten minutes");
    }

    #[test]
    fn what_is_sent_over_the_limit_counts() {
        let (limit, mut pace) = (a_minute(2, 2), Pace::default());
        (0..3).for_each(|_| pace.spend(limit, NOW));
        assert_eq!(pace.allowance(limit, NOW).remaining, 0);
        assert!(!pace.is_over(NOW + 59_999) && !pace.is_over(NOW + 60_000), "one more is owed");
        assert!(pace.is_over(NOW + 90_000));
    }

    #[test]
    fn what_is_taken_back_after_its_period_takes_nothing_else_out_of_the_count() {
        let (limit, mut pace, later) = (a_minute(1, 1), Pace::default(), NOW + 61_000);
        [NOW, later].into_iter().for_each(|at| take(&mut pace, limit, at).unwrap());
        pace.take_back(limit, NOW, later);
        assert_eq!(pace.room(limit, later), Err(later + 60_000));
        pace.take_back(limit, later, later + 1);
        assert_eq!(pace.room(limit, later + 1), Ok(()));
    }

    #[test]
    fn a_high_limit_takes_no_more_room_than_a_low_one() {
        let (limit, mut pace) = (a_minute(10_000, 10_000), Pace::default());
        let taken = (0..20_000).filter(|n| take(&mut pace, limit, NOW + n / 10).is_ok()).count();
        assert_eq!(taken, 10_000);
        assert!(pace.groups.len() <= GROUPS_MAX as usize, "{}", pace.groups.len());
    }

    proptest! {
        #[test]
        fn no_period_sees_more_than_the_limit(
            rate in 1..200u32, burst in 1..200u32, gaps in proptest::collection::vec(0..2_000u64, 1..600),
        ) {
            let (limit, mut pace) = (a_minute(rate, burst), Pace::default());
            let (mut now, mut taken) = (NOW, Vec::new());
            for gap in gaps {
                now += gap;
                let left = pace.allowance(limit, now);
                match take(&mut pace, limit, now) {
                    Ok(()) => {
                        prop_assert!(left.remaining > 0);
                        taken.push(now);
                    }
                    Err(at) => prop_assert!(left.remaining == 0 && at == left.next_at && at > now),
                }
            }
            for start in &taken {
                let seen = taken.iter().filter(|at| (*start..*start + 60_000).contains(at)).count();
                prop_assert!(seen <= limit.most() as usize, "{seen} in one minute");
            }
        }
    }
}
