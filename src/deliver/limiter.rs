//! One webhook's rate limit, told the time instead of asking for it. Its lane takes from it, and so does who tests the
//! webhook by hand, from another thread: the endpoint has one limit.

use std::sync::{Arc, Mutex};

use crate::domain::pace::Pace;
use crate::domain::rate_limit::{Allowance, RateLimit};
use crate::domain::time::UnixMs;

/// What a webhook's endpoint was sent lately; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Limiter(Arc<Mutex<Pace>>);

impl Limiter {
    /// Counts a request that goes out at `now`; if none may, says when.
    pub fn take(&self, limit: RateLimit, now: UnixMs) -> Result<(), UnixMs> {
        self.with(|pace| pace.take(limit, now))
    }

    /// Counts a request that goes out at `now` whatever the limit says.
    pub fn spend(&self, limit: RateLimit, now: UnixMs) {
        self.with(|pace| pace.spend(limit, now));
    }

    /// What is left at `now`.
    pub fn allowance(&self, limit: RateLimit, now: UnixMs) -> Allowance {
        self.with(|pace| pace.allowance(limit, now))
    }

    /// The limit is another: it begins with nothing spent.
    pub fn begin_anew(&self) {
        self.with(|pace| *pace = Pace::default());
    }

    /// Whether somebody else has it too, or something is spent at `now`.
    pub fn is_in_use(&self, now: UnixMs) -> bool {
        Arc::strong_count(&self.0) > 1 || self.with(|pace| !pace.is_over(now))
    }

    fn with<T>(&self, see: impl FnOnce(&mut Pace) -> T) -> T {
        see(&mut self.0.lock().expect("no holder of the lock panics"))
    }
}
