//! What one client may ask for: bounds on its requests, how many calls and events a key has left, and how many events its
//! account has.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::api::http::problem::Problem;
use crate::domain::id::{AccountNumber, KeyId};
use crate::domain::rate_limit::{Allowance, Bucket, RateLimit};
use crate::domain::time::UnixMs;

/// A key may make a minute's calls in this many portions, so the first of them at once.
const PORTIONS: u32 = 10;

/// Bounds that keep one client from harming the others.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Calls that a key may make in a minute, publishing aside; 0: no limit.
    pub calls_per_minute: u32,
    /// Events that a key may publish in a second; 0: no limit.
    pub events_per_second: u32,
    /// The path and the query of a request, in bytes.
    pub url_bytes_max: usize,
    /// Headers of a request.
    pub headers_max: usize,
    /// Names and values of a request's headers, in bytes.
    pub header_bytes_max: usize,
    /// Seconds in which the first head must have come.
    pub head_seconds: u64,
    /// Seconds in which a body must have come.
    pub body_seconds: u64,
    /// Seconds after which a connection without a request ends.
    pub idle_seconds: u64,
    /// Connections; 0: no limit.
    pub connections_max: usize,
    /// Connections of one address; 0: no limit.
    pub connections_per_address_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_minute: 30_000,
            events_per_second: 20_000,
            url_bytes_max: 8192,
            headers_max: 64,
            header_bytes_max: 32_768,
            head_seconds: 10,
            body_seconds: 30,
            idle_seconds: 60,
            connections_max: 4096,
            connections_per_address_max: 256,
        }
    }
}

/// What keys have spent of one limit. There are no more than keys.
#[derive(Debug)]
pub struct KeyLimits {
    /// What one period can see at most, as replies show it; 0: no limit.
    shown: AtomicU32,
    /// The limit that such a number makes.
    limit: fn(u32) -> RateLimit,
    of_what: &'static str,
    spent: Mutex<HashMap<KeyId, Bucket>>,
}

impl KeyLimits {
    /// So many calls a minute and key; 0: no limit.
    pub fn calls_per_minute(calls: u32) -> Self {
        Self::new(calls, a_minute, "calls of the minute")
    }

    /// So many events a second and key, all of them at once; 0: no limit.
    pub fn events_per_second(events: u32) -> Self {
        Self::new(events, a_second, "events of the second")
    }

    fn new(setting: u32, limit: fn(u32) -> RateLimit, of_what: &'static str) -> Self {
        Self { shown: AtomicU32::new(setting), limit, of_what, spent: Mutex::default() }
    }

    /// From now on so many; what was spent stays so.
    pub fn apply(&self, setting: u32) {
        self.shown.store(setting, Ordering::Relaxed);
    }

    /// The limit in force, with the number that it is made of.
    fn limit(&self) -> Option<(RateLimit, u32)> {
        let shown = self.shown.load(Ordering::Relaxed);
        (shown > 0).then(|| ((self.limit)(shown), shown))
    }

    /// Counts so many, or refuses them. More than may be made at once are taken from who has spent nothing.
    pub fn take(&self, key: KeyId, count: usize, now: UnixMs) -> Result<(), Problem> {
        let Some((limit, shown)) = self.limit() else { return Ok(()) };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let mut spent = self.spent.lock().expect("no holder of the lock panics");
        let bucket = spent.entry(key).or_default();
        bucket.take_many(limit, count, now).map_err(|at| {
            let message = format!("this key has made its {shown} {}", self.of_what);
            let left = Allowance { limit: shown, ..bucket.allowance(limit, now) };
            Problem::rate_limited(message, at.saturating_sub(now)).with_allowance(left)
        })
    }

    /// What is left for a key; `None` where there is no limit.
    pub fn left(&self, key: KeyId, now: UnixMs) -> Option<Allowance> {
        let spent = self.spent.lock().expect("no holder of the lock panics");
        let bucket = spent.get(&key).copied().unwrap_or_default();
        self.limit().map(|(limit, shown)| Allowance { limit: shown, ..bucket.allowance(limit, now) })
    }

    /// The key is gone.
    pub fn forget(&self, key: KeyId) {
        self.spent.lock().expect("no holder of the lock panics").remove(&key);
    }
}

/// What accounts have spent of the events that each may publish in a second. There are no more than accounts.
#[derive(Debug, Default)]
pub struct AccountEvents {
    spent: Mutex<HashMap<AccountNumber, Bucket>>,
}

impl AccountEvents {
    /// Counts so many of an account that may publish `max` in a second, or refuses them; 0: any number. More than `max` are
    /// taken from who has spent nothing.
    pub fn take(&self, account: AccountNumber, max: u32, count: usize, now: UnixMs) -> Result<(), Problem> {
        if max == 0 {
            return Ok(());
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let mut spent = self.spent.lock().expect("no holder of the lock panics");
        let bucket = spent.entry(account).or_default();
        bucket.take_many(a_second(max), count, now).map_err(|at| {
            let message = format!(
                "the account has published its {max} events of the second (limits.events_per_second); publish fewer at once, or \
                 let the operator raise it"
            );
            Problem::rate_limited(message, at.saturating_sub(now)).with_allowance(bucket.allowance(a_second(max), now))
        })
    }

    /// The account is gone.
    pub fn forget(&self, account: AccountNumber) {
        self.spent.lock().expect("no holder of the lock panics").remove(&account);
    }

    /// How many of `max` an account has spent; none where there is no limit, since nobody counts then.
    pub fn spent(&self, account: AccountNumber, max: u32, now: UnixMs) -> Option<u32> {
        let spent = self.spent.lock().expect("no holder of the lock panics");
        let bucket = spent.get(&account).copied().unwrap_or_default();
        (max > 0).then(|| max - bucket.allowance(a_second(max), now).remaining.min(max))
    }
}

/// So many a minute, a part of them at once.
fn a_minute(calls: u32) -> RateLimit {
    let burst = (calls / PORTIONS).max(1);
    RateLimit { per_second: None, per_minute: Some(calls.saturating_sub(burst).max(1)), burst }
}

/// So many a second, all of them at once.
fn a_second(events: u32) -> RateLimit {
    RateLimit { per_second: Some(events), per_minute: None, burst: events }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_events_of_the_second_whatever_others_spend() {
        let events = AccountEvents::default();
        assert_eq!(events.spent(1, 5, 1_000), Some(0));
        assert_eq!(events.take(1, 5, 4, 1_000), Ok(()));
        assert_eq!((events.spent(1, 5, 1_000), events.spent(2, 5, 1_000)), (Some(4), Some(0)));
        assert!(events.take(1, 5, 2, 1_000).is_err());
        assert_eq!((events.take(2, 5, 2, 1_000), events.take(1, 5, 2, 1_200)), (Ok(()), Ok(())));
        assert_eq!((events.take(3, 0, 1_000_000, 0), events.spent(3, 0, 0)), (Ok(()), None), "there is no limit");
    }
}
