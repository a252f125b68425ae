//! How a lane stands, in the order in which it decides what to do: for people who ask why nothing goes out. Looks only.

use super::{Due, Lane, Wants};
use crate::domain::lane::{Standing, Wait, Why};
use crate::domain::tally::next_day;
use crate::domain::time::UnixMs;

impl Lane {
    /// How it stands at `now`.
    pub fn standing(&self, now: UnixMs) -> Standing {
        Standing { window: self.cap(), places: self.out.len(), wanted: self.wanted, wait: self.waits_for(now) }
    }

    /// This server lacks something for a delivery, which came back.
    pub fn lacks(&mut self, what: Option<Why>) {
        self.lacks = what;
    }

    fn waits_for(&self, now: UnixMs) -> Option<Wait> {
        if !self.rules.active {
            let until = self.rules.probe_at.filter(|at| *at > now);
            return Some(Wait { why: Why::Held, until });
        }
        if self.has_no_room() {
            return Some(Why::WindowFull.for_now());
        }
        if now < self.paused_until {
            return Some(Why::Paused.until(self.paused_until));
        }
        let may_try_first = self.may_try_first(now);
        let has_read = self.buffer.iter().any(|delivery| delivery.attempts > 0 || may_try_first);
        if !has_read && self.wants(now) == (Wants { due: 0, fresh: 0 }) {
            return Some(match self.due {
                _ if self.more_fresh => Why::DailyLimit.until(next_day(now)),
                Due::At(at) => Why::RetryLater.until(at),
                Due::Unknown | Due::None => Why::NothingToSend.for_now(),
            });
        }
        if self.is_unwanted() {
            return Some(Why::NotPulled.for_now());
        }
        let limited = Some(self.limited_until).filter(|at| *at > now).map(|at| Why::RateLimited.until(at));
        limited.or(self.lacks.map(Why::for_now))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOON, lane_with, rules, sent};
    use super::*;
    use crate::deliver::lane::{Rules, Turn};
    use crate::domain::backoff::Strain;
    use crate::domain::rate_limit::RateLimit;
    use crate::domain::time::DAY_MS;
    use crate::store::Settled;

    /// Window, places, and what it waits for.
    fn seen(lane: &Lane, now: UnixMs) -> (usize, usize, Option<(&'static str, Option<UnixMs>)>) {
        let Standing { window, places, wait, .. } = lane.standing(now);
        (window, places, wait.map(|wait| (wait.why.word(), wait.until)))
    }

    #[test]
    fn a_lane_says_that_its_window_is_full_and_then_that_there_is_nothing() {
        let (mut lane, ids) = lane_with(Rules { max_in_flight: 2, ..rules() }, 3);
        assert_eq!(seen(&lane, NOON), (2, 0, None), "the first goes out");
        sent(&mut lane, NOON);
        assert_eq!(seen(&lane, NOON), (2, 2, Some(("window_full", None))));
        lane.came_back(ids[0], None);
        lane.came_back(ids[1], None);
        sent(&mut lane, NOON);
        assert_eq!(seen(&lane, NOON), (2, 1, Some(("nothing_to_send", None))));
    }

    #[test]
    fn a_lane_says_that_nobody_asks_for_what_is_pulled() {
        let (mut lane, _) = lane_with(Rules { is_pulled: true, ..rules() }, 2);
        assert_eq!(seen(&lane, NOON).2, Some(("not_pulled", None)));
        lane.want(1);
        assert_eq!((seen(&lane, NOON).2, lane.standing(NOON).wanted), (None, 1));
    }

    #[test]
    fn a_lane_says_which_limit_it_keeps_to_and_until_when() {
        let rate_limit = Some(RateLimit { per_second: Some(1), per_minute: None, burst: 1 });
        let (mut lane, _) = lane_with(Rules { rate_limit, ..rules() }, 2);
        let (_, turn) = sent(&mut lane, NOON);
        assert_eq!(turn, Turn::Wait(NOON + 1_000));
        assert_eq!(seen(&lane, NOON).2, Some(("rate_limited", Some(NOON + 1_000))));
        assert_eq!(seen(&lane, NOON + 1_000).2, None);

        let (mut lane, _) = lane_with(Rules { first_attempts_per_day: Some(1), ..rules() }, 2);
        sent(&mut lane, NOON);
        assert_eq!(seen(&lane, NOON).2, Some(("daily_limit", Some(NOON + DAY_MS / 2))));
    }

    #[test]
    fn a_lane_says_how_long_its_endpoint_is_spared_and_when_the_next_retry_is_due() {
        let (mut lane, ids) = lane_with(rules(), 1);
        sent(&mut lane, NOON);
        let failed = Settled {
            delivery: ids[0],
            next_attempt_at: Some(NOON + 9_000),
            strain: Strain::Down,
            paused_until: NOON + 5_000,
        };
        lane.settled(&failed, NOON);
        assert_eq!(seen(&lane, NOON), (1, 0, Some(("paused", Some(NOON + 5_000)))));
        assert_eq!(seen(&lane, NOON + 5_000), (1, 0, Some(("retry_later", Some(NOON + 9_000)))));
        assert_eq!(seen(&lane, NOON + 9_000).2, None);
    }

    #[test]
    fn a_lane_says_that_it_is_held_and_what_the_server_lacked() {
        let (mut lane, ids) = lane_with(rules(), 1);
        sent(&mut lane, NOON);
        lane.came_back(ids[0], None);
        lane.forget_disk();
        lane.lacks(Some(Why::NoBytes));
        assert_eq!(seen(&lane, NOON).2, Some(("no_bytes", None)));
        lane.set_rules(Rules { active: false, probe_at: Some(NOON + 3), ..rules() });
        assert_eq!(seen(&lane, NOON), (1, 0, Some(("held", Some(NOON + 3)))));
        lane.set_rules(Rules { active: false, probe_at: None, ..rules() });
        assert_eq!(seen(&lane, NOON), (0, 0, Some(("held", None))));
    }
}
