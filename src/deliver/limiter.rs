//! One webhook's rate limit: governor, told the time instead of asking for it, decides how many go out at once; no period sees
//! more than the limit ([`Pace`]). Its lane takes from it, and so does who tests the webhook by hand, from another thread: the
//! endpoint has one limit.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::domain::pace::Pace;
use crate::domain::rate_limit::{Allowance, RateLimit};
use crate::domain::time::UnixMs;

/// What a webhook's endpoint was sent lately; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Limiter(Arc<Mutex<Sent>>);

#[derive(Debug, Default)]
struct Sent {
    pace: Pace,
    /// Of the limit that was last asked for.
    burst: Option<Burst>,
}

impl Limiter {
    /// Counts a request that goes out at `now`; if none may, says when.
    pub fn take(&self, limit: RateLimit, now: UnixMs) -> Result<(), UnixMs> {
        let mut sent = self.sent();
        sent.pace.room(limit, now)?;
        sent.burst(limit).take(now)?;
        sent.pace.spend(limit, now);
        Ok(())
    }

    /// Counts a request that goes out at `now` whatever the limit says.
    pub fn spend(&self, limit: RateLimit, now: UnixMs) {
        let mut sent = self.sent();
        // Where nothing is left, the account owes it.
        let _ = sent.burst(limit).take(now);
        sent.pace.spend(limit, now);
    }

    /// A request that was counted at `at`, of this limit, did not go out.
    pub fn give_back(&self, limit: RateLimit, at: UnixMs, now: UnixMs) {
        let mut sent = self.sent();
        sent.pace.take_back(limit, at, now);
        // governor takes nothing back: it begins anew where the pace stands now.
        let spent = sent.pace.spent_at_once(limit, now);
        sent.burst = Some(Burst::with(limit, spent));
    }

    /// What is left at `now`.
    pub fn allowance(&self, limit: RateLimit, now: UnixMs) -> Allowance {
        self.sent().pace.allowance(limit, now)
    }

    /// The limit is another: it begins with nothing spent.
    pub fn begin_anew(&self) {
        *self.sent() = Sent::default();
    }

    /// Whether somebody else has it too, or something is spent at `now`.
    pub fn is_in_use(&self, now: UnixMs) -> bool {
        Arc::strong_count(&self.0) > 1 || !self.sent().pace.is_over(now)
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

impl Sent {
    fn burst(&mut self, limit: RateLimit) -> &Burst {
        if self.burst.as_ref().is_none_or(|burst| burst.limit != limit) {
            self.burst = Some(Burst::of(limit));
        }
        self.burst.as_ref().expect("it is there now")
    }
}

/// How many go out at once, and how soon the next.
#[derive(Debug)]
struct Burst {
    limit: RateLimit,
    limiter: RateLimiter<NotKeyed, InMemoryState, ToldClock, NoOpMiddleware<Nanos>>,
    clock: ToldClock,
}

impl Burst {
    fn of(limit: RateLimit) -> Self {
        let clock = ToldClock::default();
        let (rate, milliseconds) = limit.refill();
        let period = Duration::from_millis(milliseconds) / rate;
        let quota = Quota::with_period(period).expect("no rate has a period of nothing");
        let quota = quota.allow_burst(NonZeroU32::new(limit.burst).unwrap_or(NonZeroU32::MIN));
        Self { limit, limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock }
    }

    /// One out of which so many were taken at once, then, in nanoseconds.
    fn with(limit: RateLimit, taken: Option<(NonZeroU32, u64)>) -> Self {
        let this = Self::of(limit);
        if let Some((tokens, at_ns)) = taken {
            this.clock.0.store(at_ns, Ordering::Relaxed);
            // It is full, and no more than a burst is taken.
            let _ = this.limiter.check_n(tokens);
        }
        this
    }

    fn take(&self, now: UnixMs) -> Result<(), UnixMs> {
        self.clock.0.store(now.saturating_mul(1_000_000), Ordering::Relaxed);
        self.limiter.check().map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            now + (wait.as_nanos() as u64).div_ceil(1_000_000).max(1)
        })
    }
}

/// The time that the limiter was last told, in nanoseconds.
#[derive(Debug, Clone, Default)]
struct ToldClock(Arc<AtomicU64>);

impl Clock for ToldClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_700_000_000_000;

    #[test]
    fn what_is_shown_is_what_governor_and_the_period_let_out() {
        for limit in [
            RateLimit { per_second: Some(7), per_minute: None, burst: 3 },
            RateLimit { per_second: None, per_minute: Some(60), burst: 60 },
            RateLimit { per_second: None, per_minute: Some(30), burst: 5 },
        ] {
            let limiter = Limiter::default();
            for step in 0..4_000 {
                let now = NOW + step * 37;
                let left = limiter.allowance(limit, now);
                match limiter.take(limit, now) {
                    Ok(()) => assert!(left.remaining > 0, "{limit:?} after {step} steps"),
                    Err(at) => assert!(left.remaining == 0 && at > now, "{limit:?} after {step} steps"),
                }
                // Some did not go out.
                if left.remaining > 0 && step % 3 == 0 {
                    limiter.give_back(limit, now, now);
                    assert_eq!(limiter.allowance(limit, now).remaining, left.remaining, "{limit:?} after {step} steps");
                }
            }
        }
    }

    #[test]
    fn another_limit_begins_with_its_own_burst() {
        let (limiter, limit) = (Limiter::default(), RateLimit { per_second: Some(1), per_minute: None, burst: 1 });
        assert_eq!([(); 2].map(|()| limiter.take(limit, NOW).is_ok()), [true, false]);
        limiter.begin_anew();
        let other = RateLimit { burst: 2, ..limit };
        assert_eq!([(); 3].map(|()| limiter.take(other, NOW).is_ok()), [true, true, false]);
    }

    #[test]
    fn what_did_not_go_out_may_go_out_again_and_no_more() {
        let (limiter, limit) = (Limiter::default(), RateLimit { per_second: None, per_minute: Some(2), burst: 2 });
        let takes = |now| limiter.take(limit, now).is_ok();
        assert_eq!([NOW, NOW + 10, NOW + 20].map(takes), [true, true, false]);
        limiter.give_back(limit, NOW + 10, NOW + 20);
        assert_eq!([NOW + 20, NOW + 20].map(takes), [true, false], "the other stays counted");
        let later = NOW + 600_000;
        limiter.give_back(limit, NOW, later);
        assert_eq!([later, later, later].map(takes), [true, true, false], "what has come back by itself is no more");
    }
}
