//! How much of each endpoint's rate limit is left, for others to see: the lane that limits is in the engine's thread.
//! Holds a webhook only while something of its limit is spent.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::domain::id::WebhookNumber;
use crate::domain::rate_limit::{Allowance, Bucket, RateLimit};
use crate::domain::time::UnixMs;

/// Webhooks that may be kept before those that have nothing spent are let go.
const KEPT_MAX: usize = 1024;

/// What is spent, by webhook.
#[derive(Debug, Default)]
pub struct Allowances(Mutex<HashMap<WebhookNumber, Bucket>>);

impl Allowances {
    /// A request went out.
    pub fn spend(&self, webhook: WebhookNumber, limit: RateLimit, now: UnixMs) {
        let mut kept = self.0.lock().expect("no holder of the lock panics");
        if kept.len() >= KEPT_MAX && !kept.contains_key(&webhook) {
            kept.retain(|_, bucket| !bucket.is_full(now));
        }
        // The lane's limiter has let it out; this one only keeps the account of it.
        let _ = kept.entry(webhook).or_default().take(limit, now);
    }

    /// What is left at `now`.
    pub fn left(&self, webhook: WebhookNumber, limit: RateLimit, now: UnixMs) -> Allowance {
        let kept = self.0.lock().expect("no holder of the lock panics");
        kept.get(&webhook).copied().unwrap_or_default().allowance(limit, now)
    }
}
