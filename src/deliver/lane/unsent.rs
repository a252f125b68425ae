//! What was on its way out and did not go: nobody saw it, so it is counted nowhere.

use super::Lane;
use crate::domain::id::DeliveryId;
use crate::domain::tally::day_of;
use crate::domain::time::UnixMs;

impl Lane {
    /// One that is out comes back, and nothing of it has left this server: neither its day nor the rate limit counts it.
    pub fn unsent(&mut self, id: DeliveryId, now: UnixMs) {
        if let Some(out) = self.out.get(&id).copied() {
            if out.is_first && day_of(out.since) == self.day {
                self.first_attempts_on_day = self.first_attempts_on_day.saturating_sub(1);
            }
            if let (true, Some(limit), Some(limiter)) = (out.has_token, self.rules.rate_limit, &self.limiter) {
                limiter.give_back(limit, out.since, now);
            }
        }
        self.cut_off(id);
    }

    /// One that is out comes back, and may have been seen: nothing is known of it but that it is tried again.
    pub fn cut_off(&mut self, id: DeliveryId) {
        self.came_back(id, None);
        self.forget_disk();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOON, lane_with, rules, sent};
    use crate::deliver::lane::{Rules, Turn};
    use crate::domain::rate_limit::RateLimit;
    use crate::domain::time::DAY_MS;

    const LIMIT: RateLimit = RateLimit { per_second: None, per_minute: Some(1), burst: 2 };

    #[test]
    fn what_did_not_go_out_is_counted_neither_of_the_day_nor_of_the_rate_limit() {
        let limited = Rules { first_attempts_per_day: Some(2), rate_limit: Some(LIMIT), ..rules() };
        let (mut lane, ids) = lane_with(limited, 2);
        assert_eq!(sent(&mut lane, NOON).0, ids);
        assert!(!lane.may_try_first(NOON));
        ids.iter().for_each(|id| lane.unsent(*id, NOON + 5));
        assert!(lane.may_try_first(NOON + 5) && lane.out() == 0);
        let limiter = lane.limiter.clone().expect("it has one");
        assert_eq!(limiter.allowance(LIMIT, NOON + 5).remaining, 2);
        lane.unsent(ids[0], NOON + 5);
        assert_eq!(lane.first_attempts_on_day, 0, "each comes back once");
    }

    #[test]
    fn what_may_have_been_seen_stays_counted() {
        let limited = Rules { first_attempts_per_day: Some(1), rate_limit: Some(LIMIT), ..rules() };
        let (mut lane, ids) = lane_with(limited, 1);
        sent(&mut lane, NOON);
        lane.cut_off(ids[0]);
        assert!(!lane.may_try_first(NOON) && lane.out() == 0);
        assert_eq!(lane.limiter.as_ref().expect("it has one").allowance(LIMIT, NOON).remaining, 1);
    }

    #[test]
    fn another_day_and_another_limit_have_nothing_to_give_back() {
        let limited = Rules { first_attempts_per_day: Some(5), rate_limit: Some(LIMIT), ..rules() };
        let (mut lane, ids) = lane_with(limited.clone(), 1);
        sent(&mut lane, NOON);
        lane.count_first_attempt(NOON + DAY_MS);
        let other = RateLimit { burst: 1, ..LIMIT };
        lane.set_rules(Rules { rate_limit: Some(other), ..limited });
        lane.take_limiter(Default::default());
        lane.limiter.as_ref().expect("it has one").take(other, NOON).expect("it may");
        lane.unsent(ids[0], NOON + DAY_MS);
        assert_eq!(lane.first_attempts_on_day, 1);
        assert_eq!(lane.limiter.as_ref().expect("it has one").allowance(other, NOON).remaining, 0);
        assert!(matches!(lane.turn(NOON + DAY_MS), Turn::Read), "and it is read again");
    }
}
