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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_700_000_000_000;
    /// What was spent has come back by then.
    const FULL: UnixMs = NOW + 1_000;
    const LIMIT: RateLimit = RateLimit { per_second: Some(1), per_minute: None, burst: 2 };

    #[test]
    fn what_was_spent_is_missing_until_it_has_come_back() {
        let all = Allowances::default();
        all.spend(7, LIMIT, NOW);
        assert_eq!([NOW, FULL].map(|now| all.left(7, LIMIT, now).remaining), [1, 2]);
        assert_eq!(all.left(8, LIMIT, NOW).remaining, 2, "it is another's");
    }

    #[test]
    fn of_many_webhooks_those_that_have_nothing_spent_are_let_go() {
        let all = Allowances::default();
        let kept = || all.0.lock().unwrap().len();
        let many = KEPT_MAX as WebhookNumber;
        (0..many).for_each(|webhook| all.spend(webhook, LIMIT, NOW));
        all.spend(0, LIMIT, FULL);
        assert_eq!(kept(), KEPT_MAX, "one that is known takes no more room");
        all.spend(many, LIMIT, FULL);
        assert_eq!(kept(), 2);
        assert_eq!([0, many].map(|webhook| all.left(webhook, LIMIT, FULL).remaining), [1, 1]);
    }
}
