//! A lane: what is in memory about one webhook while there is work for it. Pure: it is told the time, handed what was
//! read from disk, and answers what to do. What stays true:
//!
//! - Never more than `max_in_flight` deliveries are out, and none twice at once.
//! - No more are out than its [`Window`] allows, which follows what the endpoint takes.
//! - While the endpoint is in trouble nothing goes out; after that one, and more with each success.
//! - While a rule holds its webhook disabled, one goes out at a time, and only to see whether the endpoint is well.
//! - What may not go out yet stays on disk; the lane keeps at most [`BUFFER_MAX`] deliveries.

use std::collections::{HashMap, VecDeque};

use super::limiter::Limiter;
use super::window::Window;
use crate::dialect::Dialect;
use crate::domain::backoff::RETRY_AFTER_MS_MAX;
use crate::domain::delivery::Delivery;
use crate::domain::id::DeliveryId;
use crate::domain::rate_limit::RateLimit;
use crate::domain::tally::{Tally, day_of, next_day};
use crate::domain::time::UnixMs;
use crate::domain::webhook::Webhook;
use crate::store::{DueAt, Settled};

/// Deliveries that are read ahead.
pub const BUFFER_MAX: usize = 32;

/// How a webhook is treated: its own settings, else its dialect's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whether deliveries go out at all.
    pub active: bool,
    /// If they do not: when one goes out nevertheless, to see whether the endpoint is well again.
    pub probe_at: Option<UnixMs>,
    /// Deliveries out at once.
    pub max_in_flight: usize,
    /// Requests a second.
    pub rate_limit: Option<RateLimit>,
    /// First attempts a UTC day.
    pub first_attempts_per_day: Option<u32>,
    /// No retry can be due further ahead, in milliseconds.
    pub ahead_max: u64,
}

impl Rules {
    /// The rules of a webhook.
    pub fn of(webhook: &Webhook, dialect: &Dialect) -> Self {
        Self {
            active: webhook.is_active(),
            probe_at: webhook.status.probe_at().filter(|_| webhook.ownership.is_settled()),
            max_in_flight: webhook.max_in_flight.unwrap_or(dialect.max_in_flight).max(1) as usize,
            rate_limit: webhook.rate_limit.or(dialect.rate_limit),
            first_attempts_per_day: dialect.limits.first_attempts_per_day,
            ahead_max: webhook.retry.as_ref().unwrap_or(&dialect.retry).longest_ms().max(RETRY_AFTER_MS_MAX),
        }
    }
}

/// What a lane does next.
#[derive(Debug, PartialEq)]
pub enum Turn {
    /// Send this.
    Send(Box<Delivery>),
    /// Read on: see [`Lane::wants`].
    Read,
    /// Nothing before then.
    Wait(UnixMs),
    /// Nothing until something happens: work arrives, a delivery comes back, the webhook changes.
    Rest,
}

/// What to read from disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// Up to so many retries that are due.
    pub due: usize,
    /// Up to so many that were never tried, after [`Lane::fresh_after`].
    pub fresh: usize,
}

/// What is known of the earliest retry on disk that is not out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Unknown,
    At(UnixMs),
    None,
}

/// One that is out.
#[derive(Debug, Clone, Copy)]
struct Out {
    since: UnixMs,
    /// The window's round in which it went out.
    round: u64,
}

/// One webhook's state in memory.
pub struct Lane {
    rules: Rules,
    limiter: Option<Limiter>,
    buffer: VecDeque<Delivery>,
    out: HashMap<DeliveryId, Out>,
    fresh_after: Option<DeliveryId>,
    more_fresh: bool,
    /// Retries up to here are out or read, so that reading on does not meet them again.
    due_after: Option<DueAt>,
    due: Due,
    /// Whether somebody should look if retries are due too far ahead.
    far_ahead: bool,
    day: u32,
    first_attempts_on_day: u32,
    /// The endpoint is in trouble: nothing goes out before.
    paused_until: UnixMs,
    window: Window,
    /// The rate limit held this delivery back the last time that it held back any.
    limited: Option<DeliveryId>,
    last_was_limited: bool,
}

impl Lane {
    /// A lane that knows nothing of the disk yet, but for the day's count.
    pub fn new(rules: Rules, tally: &Tally, now: UnixMs) -> Self {
        let limiter = rules.rate_limit.map(Limiter::new);
        Self {
            rules,
            limiter,
            buffer: VecDeque::new(),
            out: HashMap::new(),
            fresh_after: None,
            more_fresh: true,
            due_after: None,
            due: Due::Unknown,
            far_ahead: true,
            day: tally.day,
            first_attempts_on_day: tally.first_attempts_on_day,
            paused_until: tally.backoff.paused_until(now),
            window: Window::default(),
            limited: None,
            last_was_limited: false,
        }
    }

    /// New rules. What was read ahead is read again, by the new rules.
    pub fn set_rules(&mut self, rules: Rules) {
        if rules.rate_limit != self.rules.rate_limit {
            self.limiter = rules.rate_limit.map(Limiter::new);
        }
        if rules.active && !self.rules.active {
            self.paused_until = 0;
            self.window.begin_again();
        }
        self.rules = rules;
        self.far_ahead = true;
        self.forget_disk();
    }

    /// Once after a start and after each change of the rules: how far ahead a retry can be due.
    pub fn take_far_ahead(&mut self) -> Option<u64> {
        std::mem::take(&mut self.far_ahead).then_some(self.rules.ahead_max)
    }

    /// Work that was never tried has arrived.
    pub fn fresh_arrived(&mut self) {
        self.more_fresh = true;
    }

    /// Work that was never tried lies before what was read: it waited behind other work until now.
    pub fn freed(&mut self) {
        self.fresh_after = None;
        self.more_fresh = true;
    }

    /// The webhook was deleted: nothing goes out any more.
    pub fn stop(&mut self) {
        (self.rules.active, self.rules.probe_at) = (false, None);
        self.forget_disk();
    }

    /// What was read is read again.
    pub fn forget_disk(&mut self) {
        self.buffer.clear();
        self.fresh_after = None;
        self.more_fresh = true;
        self.due_after = None;
        self.due = Due::Unknown;
    }

    /// An attempt is recorded at `now`. Says whether it was out.
    pub fn settled(&mut self, settled: &Settled, now: UnixMs) -> bool {
        if let Some(Out { since, round }) = self.out.get(&settled.delivery).copied() {
            let took_ms = u32::try_from(now.saturating_sub(since)).unwrap_or(u32::MAX);
            self.window.note(settled.strain, took_ms, round, self.out.len(), self.rules.max_in_flight);
        }
        if settled.paused_until > self.paused_until {
            self.paused_until = settled.paused_until;
            self.window.close();
        }
        self.came_back(settled.delivery, settled.next_attempt_at)
    }

    /// One that is out takes longer than it should.
    pub fn drags_on(&mut self) {
        self.window.drags_on();
    }

    /// Whether its attempts have lately ended soon.
    pub fn is_quick(&self) -> bool {
        self.window.is_quick()
    }

    /// An attempt is recorded; the next one, if any, is due then. Says whether it was out.
    pub fn came_back(&mut self, id: DeliveryId, next_attempt_at: Option<UnixMs>) -> bool {
        self.due = match (self.due, next_attempt_at) {
            (Due::None, Some(at)) => Due::At(at),
            (Due::At(known), Some(at)) => Due::At(known.min(at)),
            (due, _) => due,
        };
        if next_attempt_at.is_some_and(|at| self.due_after.is_some_and(|after| (at, id) <= after)) {
            self.due_after = None;
        }
        self.out.remove(&id).is_some()
    }

    /// The rate limit that it keeps to.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.rules.rate_limit
    }

    /// Whether the last delivery that went out had to wait for the rate limit.
    pub fn last_was_limited(&self) -> bool {
        self.last_was_limited
    }

    /// Deliveries that are out.
    pub fn out(&self) -> usize {
        self.out.len()
    }

    /// Whether this delivery is out or read already.
    pub fn holds(&self, id: DeliveryId) -> bool {
        self.out.contains_key(&id) || self.buffer.iter().any(|delivery| delivery.id == id)
    }

    /// Where reading of what was never tried goes on.
    pub fn fresh_after(&self) -> Option<DeliveryId> {
        self.fresh_after
    }

    /// Where reading of retries goes on.
    pub fn due_after(&self) -> Option<DueAt> {
        self.due_after
    }

    /// Whether as many are out as may be.
    pub fn is_full(&self) -> bool {
        let cap = match (self.rules.active, self.rules.probe_at) {
            (true, _) => self.rules.max_in_flight.min(self.window.size()),
            (false, Some(_)) => 1,
            (false, None) => 0,
        };
        self.out.len() >= cap
    }

    /// What to do at `now`.
    pub fn turn(&mut self, now: UnixMs) -> Turn {
        if self.is_full() {
            return Turn::Rest;
        }
        let probe_at = self.rules.probe_at.filter(|_| !self.rules.active).unwrap_or(0);
        let not_before = self.paused_until.max(probe_at);
        if now < not_before {
            return Turn::Wait(not_before);
        }
        if !self.may_try_first(now) {
            self.put_back_fresh();
        }
        if self.buffer.is_empty() {
            return match self.wants(now) {
                Wants { due: 0, fresh: 0 } => self.wait(now),
                _ => Turn::Read,
            };
        }
        if let Some(at) = self.limiter.as_ref().and_then(|limiter| limiter.limited_until(now)) {
            self.limited = self.buffer.front().map(|delivery| delivery.id);
            return Turn::Wait(at);
        }
        let delivery = self.buffer.pop_front().expect("the buffer is not empty");
        if delivery.attempts == 0 {
            self.count_first_attempt(now);
        }
        self.last_was_limited = self.limited.take_if(|id| *id == delivery.id).is_some();
        let was_out = self.out.insert(delivery.id, Out { since: now, round: self.window.round() });
        assert!(was_out.is_none(), "a delivery goes out once at a time");
        Turn::Send(Box::new(delivery))
    }

    /// What to read from disk at `now`: retries and first attempts share the buffer, so neither starves the other.
    pub fn wants(&self, now: UnixMs) -> Wants {
        let due = match self.due {
            Due::Unknown => BUFFER_MAX / 2,
            Due::At(at) if at <= now => BUFFER_MAX / 2,
            Due::At(_) | Due::None => 0,
        };
        let fresh = if self.more_fresh && self.may_try_first(now) { BUFFER_MAX / 2 } else { 0 };
        Wants { due, fresh }
    }

    /// Takes in retries that were read; `next` is when the earliest of the others is due.
    pub fn take_due(&mut self, due: Vec<Delivery>, next: Option<UnixMs>) {
        self.due = next.map_or(Due::None, Due::At);
        if let Some(last) = due.last() {
            self.due_after = Some((last.next_attempt_at.expect("a retry has a time"), last.id));
        }
        self.buffer.extend(due);
    }

    /// Takes in deliveries that were never tried; `more`: there may be more of them.
    pub fn take_fresh(&mut self, fresh: Vec<Delivery>, more: bool) {
        self.more_fresh = more;
        if let Some(last) = fresh.last() {
            self.fresh_after = Some(last.id);
        }
        let unknown: Vec<Delivery> = fresh.into_iter().filter(|delivery| !self.holds(delivery.id)).collect();
        self.buffer.extend(unknown);
    }

    fn wait(&self, now: UnixMs) -> Turn {
        let midnight = (self.more_fresh && !self.may_try_first(now)).then(|| next_day(now));
        let due = if let Due::At(at) = self.due { Some(at) } else { None };
        match midnight.into_iter().chain(due).min() {
            Some(at) => Turn::Wait(at),
            None => Turn::Rest,
        }
    }

    fn may_try_first(&self, now: UnixMs) -> bool {
        let today = if self.day == day_of(now) { self.first_attempts_on_day } else { 0 };
        self.rules.first_attempts_per_day.is_none_or(|limit| today < limit)
    }

    fn count_first_attempt(&mut self, now: UnixMs) {
        if self.day != day_of(now) {
            self.day = day_of(now);
            self.first_attempts_on_day = 0;
        }
        self.first_attempts_on_day += 1;
    }

    /// The day's first attempts are used up: what was read ahead stays on disk until tomorrow.
    fn put_back_fresh(&mut self) {
        if self.buffer.iter().any(|delivery| delivery.attempts == 0) {
            self.buffer.retain(|delivery| delivery.attempts > 0);
            self.fresh_after = None;
            self.more_fresh = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::window::START;
    use crate::domain::backoff::{Backoff, Strain};
    use crate::domain::delivery::Cause;
    use crate::domain::id::{EventId, IdSource};
    use crate::domain::time::DAY_MS;

    const NOON: UnixMs = 20_000 * DAY_MS + DAY_MS / 2;

    fn rules() -> Rules {
        Rules {
            active: true,
            probe_at: None,
            max_in_flight: 100,
            rate_limit: None,
            first_attempts_per_day: None,
            ahead_max: DAY_MS,
        }
    }

    /// A lane that has read everything there is: `count` deliveries that were never tried.
    fn lane_with(rules: Rules, count: usize) -> (Lane, Vec<DeliveryId>) {
        let mut ids = IdSource::after(0);
        let fresh: Vec<Delivery> = (0..count)
            .map(|_| {
                let event = EventId(ids.next(NOON, 0, || 0));
                Delivery::fresh(event.delivery_to(1), event, Cause::Accept)
            })
            .collect();
        let known = fresh.iter().map(|delivery| delivery.id).collect();
        let mut lane = Lane::new(rules, &Tally::default(), NOON);
        lane.window = Window::of(64);
        lane.take_due(Vec::new(), None);
        lane.take_fresh(fresh, false);
        (lane, known)
    }

    /// All that goes out at `now`, and what the lane says then.
    fn sent(lane: &mut Lane, now: UnixMs) -> (Vec<DeliveryId>, Turn) {
        let mut sent = Vec::new();
        loop {
            match lane.turn(now) {
                Turn::Send(delivery) => sent.push(delivery.id),
                turn => return (sent, turn),
            }
        }
    }

    #[test]
    fn no_more_are_out_than_allowed_and_each_place_is_used_again() {
        let (mut lane, ids) = lane_with(Rules { max_in_flight: 2, ..rules() }, 3);
        assert_eq!(sent(&mut lane, NOON), (ids[..2].to_vec(), Turn::Rest));
        assert!(lane.came_back(ids[0], None));
        assert!(!lane.came_back(ids[0], None), "a place is given back once");
        assert_eq!(sent(&mut lane, NOON), (ids[2..].to_vec(), Turn::Rest));
    }

    #[test]
    fn a_rate_limit_lets_the_burst_out_and_then_one_at_a_time() {
        let limit = RateLimit { per_second: Some(10), per_minute: None, burst: 2 };
        let (mut lane, ids) = lane_with(Rules { rate_limit: Some(limit), ..rules() }, 4);
        assert_eq!(sent(&mut lane, NOON), (ids[..2].to_vec(), Turn::Wait(NOON + 100)));
        assert_eq!(sent(&mut lane, NOON + 99), (vec![], Turn::Wait(NOON + 100)));
        assert_eq!(sent(&mut lane, NOON + 100), (ids[2..3].to_vec(), Turn::Wait(NOON + 200)));
    }

    #[test]
    fn what_the_rate_limit_held_back_is_known_when_it_goes_out() {
        let limit = RateLimit { per_second: Some(10), per_minute: None, burst: 1 };
        let (mut lane, _) = lane_with(Rules { rate_limit: Some(limit), ..rules() }, 4);
        let mut went = Vec::new();
        for at in [0, 50, 100, 150, 200, 500] {
            if let Turn::Send(_) = lane.turn(NOON + at) {
                went.push((at, lane.last_was_limited()));
            }
        }
        assert_eq!(went, [(0, false), (100, true), (200, true), (500, false)]);
    }

    #[test]
    fn the_days_first_attempts_run_out_until_midnight_and_retries_go_on() {
        let limited = Rules { first_attempts_per_day: Some(2), ..rules() };
        let (mut lane, ids) = lane_with(limited, 3);
        let midnight = NOON + DAY_MS / 2;
        assert_eq!(sent(&mut lane, NOON), (ids[..2].to_vec(), Turn::Wait(midnight)));
        lane.came_back(ids[0], Some(NOON + 5_000));
        assert_eq!(sent(&mut lane, NOON), (vec![], Turn::Wait(NOON + 5_000)));
        assert_eq!(lane.wants(NOON + 5_000), Wants { due: BUFFER_MAX / 2, fresh: 0 });
        assert_eq!(lane.fresh_after(), None, "what was put back is read again");
        assert_eq!(lane.wants(midnight).fresh, BUFFER_MAX / 2);
    }

    #[test]
    fn what_was_counted_before_a_restart_counts() {
        let tally = Tally { day: day_of(NOON), first_attempts_on_day: 2, ..Tally::default() };
        let lane = Lane::new(Rules { first_attempts_per_day: Some(2), ..rules() }, &tally, NOON);
        assert_eq!(lane.wants(NOON).fresh, 0);
        assert_eq!(lane.wants(NOON + DAY_MS).fresh, BUFFER_MAX / 2);
    }

    fn settled(delivery: DeliveryId, strain: Strain, paused_until: UnixMs) -> Settled {
        Settled { delivery, next_attempt_at: None, strain, paused_until }
    }

    #[test]
    fn after_a_pause_one_goes_out_and_one_more_with_each_success() {
        let (mut lane, ids) = lane_with(rules(), 6);
        let Turn::Send(first) = lane.turn(NOON) else { panic!("nothing holds it back") };
        lane.settled(&settled(first.id, Strain::Down, NOON + 1_000), NOON);
        assert_eq!(sent(&mut lane, NOON + 999), (vec![], Turn::Wait(NOON + 1_000)));
        assert_eq!(sent(&mut lane, NOON + 1_000), (ids[1..2].to_vec(), Turn::Rest));
        lane.settled(&settled(ids[1], Strain::Well, 0), NOON + 1_001);
        assert_eq!(sent(&mut lane, NOON + 1_001).0, ids[2..4]);
        lane.settled(&settled(ids[2], Strain::Well, 0), NOON + 1_002);
        lane.settled(&settled(ids[3], Strain::Until(NOON + 5_000), NOON + 5_000), NOON + 1_002);
        assert_eq!(sent(&mut lane, NOON + 5_000).0, ids[4..5], "another pause begins anew");
    }

    #[test]
    fn how_long_an_attempt_was_out_says_whether_the_webhook_is_quick() {
        let quick_after = |took_ms| {
            let (mut lane, ids) = lane_with(rules(), 4);
            sent(&mut lane, NOON);
            ids.iter().for_each(|id| assert!(lane.settled(&settled(*id, Strain::Neutral, 0), NOON + took_ms)));
            lane.is_quick()
        };
        assert!(quick_after(1_000));
        assert!(!quick_after(1_001), "nobody has seen one end soon");
        let (mut lane, ids) = lane_with(rules(), 4);
        ids.iter().for_each(|id| assert!(!lane.settled(&settled(*id, Strain::Neutral, 0), NOON)));
        assert!(!lane.is_quick(), "what was not out says nothing");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_pause_longer() {
        let backoff = Backoff { step: 1, since: NOON, until: NOON + 2_000 };
        let earlier = NOON - 3_600_000;
        for (now, until) in [(NOON + 500, NOON + 2_000), (earlier, earlier + 2_000)] {
            let mut lane = Lane::new(rules(), &Tally { backoff, ..Tally::default() }, now);
            assert_eq!(lane.turn(now), Turn::Wait(until));
        }
    }

    #[test]
    fn it_begins_with_a_few_at_a_start_and_after_a_hold() {
        let (mut lane, _) = lane_with(rules(), 0);
        lane.window = Window::default();
        lane.take_fresh(lane_with(rules(), 20).0.buffer.into(), false);
        assert_eq!(sent(&mut lane, NOON).0.len(), START);
        let (mut lane, _) = lane_with(rules(), 20);
        lane.set_rules(Rules { active: false, ..rules() });
        lane.set_rules(rules());
        lane.take_fresh(lane_with(rules(), 20).0.buffer.into(), false);
        lane.take_due(Vec::new(), None);
        assert_eq!(sent(&mut lane, NOON).0.len(), START, "the end of a hold");
    }

    #[test]
    fn changed_rules_have_somebody_look_how_far_ahead_retries_are_due() {
        let (mut lane, _) = lane_with(rules(), 0);
        assert_eq!((lane.take_far_ahead(), lane.take_far_ahead()), (Some(DAY_MS), None), "once after a start");
        lane.set_rules(Rules { ahead_max: 5, ..rules() });
        assert_eq!((lane.take_far_ahead(), lane.take_far_ahead()), (Some(5), None), "and once after a change");
    }

    #[test]
    fn a_failure_halves_what_may_be_out_and_never_stops_it() {
        let (mut lane, ids) = lane_with(Rules { max_in_flight: 8, ..rules() }, BUFFER_MAX);
        let mut out: VecDeque<DeliveryId> = sent(&mut lane, NOON).0.into();
        assert_eq!(out.len(), 8);
        // Of those that are out so many come back; then all others do, without a word, and as many go out as may.
        let mut may_be_out = |strain, count| {
            for id in out.drain(..count) {
                lane.settled(&settled(id, strain, 0), NOON);
            }
            for id in out.drain(..) {
                assert!(lane.came_back(id, None));
            }
            out.extend(sent(&mut lane, NOON).0);
            out.len()
        };
        assert_eq!(may_be_out(Strain::Down, 3), 4, "half of its rules' cap, once for those that were out together");
        assert_eq!(may_be_out(Strain::Neutral, 1), 4);
        assert_eq!(may_be_out(Strain::Well, 2), 6);
        assert_eq!(may_be_out(Strain::Until(NOON), 1), 3);
        assert_eq!(may_be_out(Strain::Down, 1), 1);
        assert_eq!(may_be_out(Strain::Down, 1), 1);
        assert!(lane.holds(ids[BUFFER_MAX - 1]), "there was always one more to send");
    }

    #[test]
    fn a_lane_that_is_not_active_sends_nothing_and_reads_again_when_it_is() {
        let (mut lane, _) = lane_with(rules(), 2);
        lane.set_rules(Rules { active: false, ..rules() });
        assert_eq!(lane.turn(NOON), Turn::Rest);
        lane.set_rules(rules());
        assert_eq!(lane.turn(NOON), Turn::Read);
    }

    #[test]
    fn a_disabled_webhook_is_tried_with_one_delivery_at_a_time() {
        let (mut lane, ids) = lane_with(rules(), 3);
        let disabled = |probe_at| Rules { active: false, probe_at: Some(probe_at), ..rules() };
        lane.rules = disabled(NOON + 60_000);
        assert_eq!(sent(&mut lane, NOON), (vec![], Turn::Wait(NOON + 60_000)));
        assert_eq!(sent(&mut lane, NOON + 60_000), (ids[..1].to_vec(), Turn::Rest));
        lane.rules = disabled(NOON + 120_000);
        lane.came_back(ids[0], Some(NOON + 61_000));
        assert_eq!(sent(&mut lane, NOON + 61_000), (vec![], Turn::Wait(NOON + 120_000)));
    }

    #[test]
    fn a_retry_due_before_what_was_read_is_found_again() {
        let (mut lane, ids) = lane_with(rules(), 2);
        sent(&mut lane, NOON);
        let retry = |id: DeliveryId, at| Delivery {
            attempts: 1,
            next_attempt_at: Some(at),
            ..Delivery::fresh(id, id.event_at_accept(), Cause::Accept)
        };
        lane.came_back(ids[1], Some(NOON + 10));
        lane.take_due(vec![retry(ids[1], NOON + 10)], None);
        assert_eq!(lane.due_after(), Some((NOON + 10, ids[1])));
        lane.came_back(ids[0], Some(NOON + 5));
        assert_eq!(lane.due_after(), None);
    }

    #[test]
    fn a_rate_limit_that_did_not_change_goes_on_and_another_begins_anew() {
        let limited = |burst| {
            let limit = RateLimit { per_second: Some(10), per_minute: None, burst };
            Rules { rate_limit: Some(limit), ..rules() }
        };
        let (mut lane, ids) = lane_with(limited(1), 3);
        assert_eq!(sent(&mut lane, NOON).0, ids[..1]);
        for (burst, expected) in [(1, &ids[..0]), (2, &ids[1..])] {
            lane.set_rules(limited(burst));
            lane.take_due(Vec::new(), None);
            lane.take_fresh(lane_with(rules(), 3).0.buffer.into(), false);
            assert_eq!(sent(&mut lane, NOON).0, expected);
        }
        assert_eq!(lane.out(), 3);
    }

    #[test]
    fn a_pause_ends_with_a_hold_and_not_with_other_rules() {
        let backoff = Backoff { step: 1, since: NOON, until: NOON + 2_000 };
        let mut lane = Lane::new(rules(), &Tally { backoff, ..Tally::default() }, NOON);
        lane.set_rules(Rules { ahead_max: 5, ..rules() });
        assert_eq!(lane.turn(NOON), Turn::Wait(NOON + 2_000));
        lane.set_rules(Rules { active: false, ..rules() });
        lane.set_rules(rules());
        assert_eq!(lane.turn(NOON), Turn::Read);
        assert_eq!(lane.wants(NOON), Wants { due: BUFFER_MAX / 2, fresh: BUFFER_MAX / 2 });
    }

    #[test]
    fn a_retry_that_was_read_goes_out_also_when_the_days_first_attempts_have_run_out() {
        let (mut lane, ids) = lane_with(Rules { first_attempts_per_day: Some(1), ..rules() }, 2);
        let id = lane_with(rules(), 3).1[2];
        let fresh = Delivery::fresh(id, id.event_at_accept(), Cause::Accept);
        lane.take_due(vec![Delivery { attempts: 1, next_attempt_at: Some(NOON), ..fresh }], None);
        assert_eq!(sent(&mut lane, NOON).0, [ids[0], id]);
    }
}
