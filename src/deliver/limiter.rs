//! One webhook's rate limit: governor, told the time instead of asking for it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::domain::rate_limit::RateLimit;
use crate::domain::time::UnixMs;

/// Lets requests out at a rate, and a burst at once.
pub struct Limiter {
    limiter: RateLimiter<NotKeyed, InMemoryState, ToldClock, NoOpMiddleware<Nanos>>,
    clock: ToldClock,
}

impl Limiter {
    /// With nothing spent.
    pub fn new(limit: RateLimit) -> Self {
        let clock = ToldClock::default();
        let (rate, milliseconds) = limit.refill();
        let period = Duration::from_millis(milliseconds) / rate;
        let quota = Quota::with_period(period).expect("no rate has a period of nothing");
        let quota = quota.allow_burst(NonZeroU32::new(limit.burst).unwrap_or(NonZeroU32::MIN));
        Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock }
    }

    /// When the next request may go out, if not at `now`. Asking counts as sending.
    pub fn limited_until(&self, now: UnixMs) -> Option<UnixMs> {
        self.clock.0.store(now, Ordering::Relaxed);
        let not_until = self.limiter.check().err()?;
        let wait = not_until.wait_time_from(self.clock.now());
        Some(now + (wait.as_nanos() as u64).div_ceil(1_000_000).max(1))
    }
}

/// The time that the limiter was last told, in milliseconds.
#[derive(Debug, Clone, Default)]
struct ToldClock(Arc<AtomicU64>);

impl Clock for ToldClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.load(Ordering::Relaxed).saturating_mul(1_000_000))
    }
}
