//! A lane: what is in memory about one webhook while there is work for it. Pure: it is told the time, handed what was
//! read from disk, and answers what to do. What stays true:
//!
//! - Never more than `max_in_flight` deliveries are out, and none twice at once.
//! - No more are out than its [`Window`] allows, which follows what the endpoint takes.
//! - While the endpoint is in trouble nothing goes out; after that one, and more with each success.
//! - While a rule holds its webhook disabled, one goes out at a time, and only to see whether the endpoint is well.
//! - What is pulled goes out as far as somebody asks for it, who knows best how much of it at once: no window is kept to.
//! - What may not go out yet stays on disk; the lane keeps at most [`BUFFER_MAX`] deliveries.

use std::collections::{HashMap, VecDeque};

use super::limiter::Limiter;
use super::window::Window;
use crate::dialect::Dialect;
use crate::domain::backoff::RETRY_AFTER_MS_MAX;
use crate::domain::delivery::Delivery;
use crate::domain::id::DeliveryId;
use crate::domain::lane::Why;
use crate::domain::rate_limit::RateLimit;
use crate::domain::tally::{Tally, day_of, next_day};
use crate::domain::time::UnixMs;
use crate::domain::webhook::Webhook;
use crate::store::{DueAt, Settled};

mod standing;
mod unsent;

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
    /// Whether they are pulled.
    pub is_pulled: bool,
}

impl Rules {
    /// The rules of a webhook.
    pub fn of(webhook: &Webhook, dialect: &Dialect) -> Self {
        Self {
            active: webhook.is_active(),
            probe_at: webhook.status.probe_at().filter(|_| webhook.ownership.is_settled()),
            max_in_flight: webhook.max_in_flight.unwrap_or(dialect.max_in_flight).max(1) as usize,
            rate_limit: webhook.pace(dialect.rate_limit),
            first_attempts_per_day: dialect.limits.first_attempts_per_day,
            ahead_max: webhook.retry.as_ref().unwrap_or(&dialect.retry).longest_ms().max(RETRY_AFTER_MS_MAX),
            is_pulled: webhook.is_pulled(),
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
    /// It is counted as a first attempt of its day.
    is_first: bool,
    /// It is counted of the rate limit.
    has_token: bool,
}

/// One webhook's state in memory.
pub struct Lane {
    rules: Rules,
    /// Of its rate limit, once it is asked for.
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
    /// Until then.
    limited_until: UnixMs,
    last_was_limited: bool,
    /// What the server lacked for the last that went out.
    lacks: Option<Why>,
    /// Where they are pulled: so many are asked for.
    wanted: usize,
}

impl Lane {
    /// A lane that knows nothing of the disk yet, but for the day's count.
    pub fn new(rules: Rules, tally: &Tally, now: UnixMs) -> Self {
        Self {
            rules,
            limiter: None,
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
            limited_until: 0,
            last_was_limited: false,
            lacks: None,
            wanted: 0,
        }
    }

    /// One that knows that there is nothing on disk for it.
    pub fn at_rest(rules: Rules, tally: &Tally, now: UnixMs) -> Self {
        Self { more_fresh: false, due: Due::None, ..Self::new(rules, tally, now) }
    }

    /// Whether it holds nothing, and nothing is to be done at any time until something happens: then another one that is made
    /// from the store serves as well.
    pub fn rests(&self, now: UnixMs) -> bool {
        let has_nothing = || self.is_quiet(now) && self.wait(now) == Turn::Rest;
        self.out.is_empty() && (self.is_full() || has_nothing())
    }

    /// Whether it has a rate limit and no limiter.
    pub fn wants_limiter(&self) -> bool {
        self.rules.rate_limit.is_some() && self.limiter.is_none()
    }

    /// Takes a limiter that others know too.
    pub fn take_limiter(&mut self, limiter: Limiter) {
        self.limiter = Some(limiter);
    }

    /// New rules. What was read ahead is read again, by the new rules. Says whether something is out that is to be broken off,
    /// since its webhook was paused or disabled.
    pub fn set_rules(&mut self, rules: Rules) -> bool {
        let was = (self.rules.active, self.rules.probe_at.is_some());
        let is_held = !rules.active && (was.0 || (was.1 && rules.probe_at.is_none()));
        if rules.rate_limit != self.rules.rate_limit {
            self.limiter.take().into_iter().for_each(|limiter| limiter.begin_anew());
            self.out.values_mut().for_each(|out| out.has_token = false);
        }
        if rules.active && !self.rules.active {
            self.paused_until = 0;
            self.window.begin_again();
        }
        self.rules = rules;
        self.far_ahead = true;
        self.forget_disk();
        is_held && !self.out.is_empty()
    }

    /// Once after a start and after each change of the rules: how far ahead a retry can be due.
    pub fn take_far_ahead(&mut self) -> Option<u64> {
        std::mem::take(&mut self.far_ahead).then_some(self.rules.ahead_max)
    }

    /// A delivery was made at `now`. It is taken in if it is what would be read next; else it stays on disk for now, as it
    /// does where retries are due: those are read together with it, so that a stream of new ones keeps none waiting.
    pub fn fresh_arrived(&mut self, delivery: Delivery, now: UnixMs) {
        let is_next = !self.more_fresh && self.fresh_after.is_none_or(|after| after < delivery.id);
        let has_room = self.buffer.len() < BUFFER_MAX / 2 && self.may_try_first(now);
        if is_next && has_room && self.wants(now).due == 0 {
            self.fresh_after = Some(delivery.id);
            self.buffer.push_back(delivery);
        } else {
            self.more_fresh();
        }
    }

    /// There are deliveries on disk that were never tried.
    pub fn more_fresh(&mut self) {
        self.more_fresh = true;
    }

    /// Work that was never tried may go out now, from this one on. What was passed over is read again.
    pub fn freed(&mut self, first: DeliveryId) {
        self.fresh_after.take_if(|after| first <= *after);
        self.more_fresh = true;
    }

    /// The webhook was deleted: nothing goes out any more. Says whether something is out, to be broken off.
    pub fn stop(&mut self) -> bool {
        (self.rules.active, self.rules.probe_at) = (false, None);
        self.forget_disk();
        !self.out.is_empty()
    }

    /// What was read is read again.
    pub fn forget_disk(&mut self) {
        self.buffer.clear();
        self.fresh_after = None;
        self.more_fresh = true;
        self.due_after = None;
        self.due = Due::Unknown;
    }

    /// So many are asked for, of deliveries that are pulled.
    pub fn want(&mut self, wanted: usize) {
        self.wanted = wanted;
    }

    /// Whether they are pulled.
    pub fn is_pulled(&self) -> bool {
        self.rules.is_pulled
    }

    /// An attempt is recorded at `now`. Says whether it was out.
    pub fn settled(&mut self, settled: &Settled, now: UnixMs) -> bool {
        if let Some(Out { since, round, .. }) = self.out.get(&settled.delivery).copied() {
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

    /// Whether the last delivery that went out had to wait for the rate limit.
    pub fn last_was_limited(&self) -> bool {
        self.last_was_limited
    }

    /// Whether nothing waits for one that is out to end: nothing else is there to be sent, and there is room if more comes.
    pub fn is_quiet(&self, now: UnixMs) -> bool {
        self.buffer.is_empty() && !self.is_full() && self.wants(now) == Wants { due: 0, fresh: 0 }
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
        self.has_no_room() || self.is_unwanted()
    }

    fn has_no_room(&self) -> bool {
        self.out.len() >= self.cap()
    }

    fn is_unwanted(&self) -> bool {
        self.rules.is_pulled && self.wanted == 0
    }

    fn cap(&self) -> usize {
        match (self.rules.active, self.rules.probe_at) {
            (true, _) if self.rules.is_pulled => self.rules.max_in_flight,
            (true, _) => self.rules.max_in_flight.min(self.window.size()),
            (false, Some(_)) => 1,
            (false, None) => 0,
        }
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
        let limiter = &mut self.limiter;
        let took = self.rules.rate_limit.map(|limit| limiter.get_or_insert_default().take(limit, now));
        if let Some(Err(at)) = took {
            self.limited = self.buffer.front().map(|delivery| delivery.id);
            self.limited_until = at;
            return Turn::Wait(at);
        }
        let delivery = self.buffer.pop_front().expect("the buffer is not empty");
        let is_first = delivery.attempts == 0;
        if is_first {
            self.count_first_attempt(now);
        }
        (self.lacks, self.wanted) = (None, self.wanted.saturating_sub(1));
        self.last_was_limited = self.limited.take_if(|id| *id == delivery.id).is_some();
        let out = Out { since: now, round: self.window.round(), is_first, has_token: took.is_some() };
        let was_out = self.out.insert(delivery.id, out);
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

    /// A first attempt was made that did not go out from here.
    pub fn count_first_attempt(&mut self, now: UnixMs) {
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
mod tests;
