//! How many calls a key may make in a minute, publishing aside, and how replies say what is left.

use std::collections::HashMap;
use std::sync::Mutex;

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};

use super::problem::Problem;
use crate::domain::id::KeyId;
use crate::domain::rate_limit::{Allowance, Bucket, RateLimit};
use crate::domain::time::UnixMs;

/// A key may make a minute's calls in this many portions, so the first of them at once.
const PORTIONS: u32 = 10;

/// What keys have spent. There are no more than keys.
#[derive(Debug)]
pub struct KeyLimits {
    limit: Option<RateLimit>,
    spent: Mutex<HashMap<KeyId, Bucket>>,
}

impl KeyLimits {
    /// So many calls a minute and key; 0: no limit.
    pub fn per_minute(calls: u32) -> Self {
        let burst = (calls / PORTIONS).max(1);
        let limit = RateLimit { per_second: None, per_minute: Some(calls.saturating_sub(burst).max(1)), burst };
        Self { limit: (calls > 0).then_some(limit), spent: Mutex::default() }
    }

    /// Counts a call, or refuses it.
    pub fn take(&self, key: KeyId, now: UnixMs) -> Result<(), Problem> {
        let Some(limit) = self.limit else { return Ok(()) };
        let mut spent = self.spent.lock().expect("no holder of the lock panics");
        spent.entry(key).or_default().take(limit, now).map_err(|at| {
            let message = format!("this key has made its {} calls of the minute", limit.most());
            Problem::rate_limited(message, at.saturating_sub(now))
        })
    }

    /// What is left for a key; `None` where there is no limit.
    pub fn left(&self, key: KeyId, now: UnixMs) -> Option<Allowance> {
        let spent = self.spent.lock().expect("no holder of the lock panics");
        self.limit.map(|limit| spent.get(&key).copied().unwrap_or_default().allowance(limit, now))
    }
}

/// Says in a reply what is left. The time is in Unix seconds.
pub fn write(reply: &mut HttpResponse, left: Allowance) {
    let headers = [
        ("x-ratelimit-limit", u64::from(left.limit)),
        ("x-ratelimit-remaining", u64::from(left.remaining)),
        ("x-ratelimit-reset", left.full_at.div_ceil(1000)),
    ];
    for (name, value) in headers {
        reply.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}
