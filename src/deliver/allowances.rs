//! Where the limiter of each endpoint is found, by its lane in the engine's thread and by others. Holds one only while a lane
//! has it or something of its limit is spent.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use super::limiter::Limiter;
use crate::domain::id::WebhookNumber;
use crate::domain::rate_limit::{Allowance, RateLimit};
use crate::domain::time::UnixMs;

/// Webhooks that are kept before it is looked which of them are in use.
const KEPT_MIN: usize = 1024;

/// The limiters, by webhook.
#[derive(Debug, Default)]
pub struct Allowances(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    limiters: HashMap<WebhookNumber, Limiter>,
    max: usize,
}

impl Allowances {
    /// The webhook's limiter.
    pub fn limiter(&self, webhook: WebhookNumber, now: UnixMs) -> Limiter {
        let mut kept = self.kept();
        if kept.limiters.len() >= kept.max.max(KEPT_MIN) && !kept.limiters.contains_key(&webhook) {
            kept.limiters.retain(|_, limiter| limiter.is_in_use(now));
            kept.max = kept.limiters.len() * 2;
        }
        kept.limiters.entry(webhook).or_default().clone()
    }

    /// What is left at `now`.
    pub fn left(&self, webhook: WebhookNumber, limit: RateLimit, now: UnixMs) -> Allowance {
        self.kept().limiters.get(&webhook).cloned().unwrap_or_default().allowance(limit, now)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_700_000_000_000;
    /// What was spent has come back by then, of any limit.
    const FULL: UnixMs = NOW + 60_000;
    const LIMIT: RateLimit = RateLimit { per_second: Some(1), per_minute: None, burst: 2 };

    fn spend(all: &Allowances, webhook: WebhookNumber, now: UnixMs) {
        all.limiter(webhook, now).take(LIMIT, now).expect("it may");
    }

    #[test]
    fn what_was_spent_is_missing_until_it_has_come_back() {
        let all = Allowances::default();
        spend(&all, 7, NOW);
        assert_eq!([NOW, FULL].map(|now| all.left(7, LIMIT, now).remaining), [1, 2]);
        assert_eq!(all.left(8, LIMIT, NOW).remaining, 2, "it is another's");
    }

    #[test]
    fn of_many_webhooks_those_that_have_nothing_spent_are_let_go() {
        let all = Allowances::default();
        let kept = || all.kept().limiters.len();
        let many = KEPT_MIN as WebhookNumber;
        let of_lane = all.limiter(1, NOW);
        (0..many).for_each(|webhook| spend(&all, webhook, NOW));
        spend(&all, 0, FULL);
        assert_eq!(kept(), KEPT_MIN, "one that is known takes no more room");
        spend(&all, many, FULL);
        assert_eq!(kept(), 3, "two have something spent, and a lane has one");
        of_lane.take(LIMIT, FULL).unwrap();
        assert_eq!([0, 1, many].map(|webhook| all.left(webhook, LIMIT, FULL).remaining), [1, 1, 1]);
    }
}
