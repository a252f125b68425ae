//! The queues in front of the commit thread: requests, bounded by number and by bytes and refused when full; and
//! outcomes, never refused, bounded by the deliveries in flight, taken first. What stays true: accounts take turns, each by
//! the work that its requests are, and none may fill the queue; where both wait, outcomes and requests share a group.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::message::Settlement;
use super::request::Request;
use crate::domain::byte_budget::may_hold_more;
use crate::domain::id::AccountNumber;

/// Work that an account may have done in a turn: some small requests. One that is more work waits for several turns.
const TURN_WORK: usize = 64;
/// What an outcome is in work, and so is a publish with one delivery.
const OUTCOME_WORK: usize = 2;
/// Outcomes that nobody waits for have company by then, or go alone: what comes meanwhile shares a flush with them, which costs as
/// much as several events. A crash that loses them repeats their attempts, as one a moment earlier would have.
pub const COMPANY: Duration = Duration::from_millis(20);
/// So many are company enough for each other.
const COMPANY_MAX: usize = 64;

/// One group for the commit thread.
#[derive(Default)]
pub struct Group {
    /// What came of attempts.
    pub settlements: Vec<Settlement>,
    /// What callers wait for.
    pub requests: Vec<Request>,
}

impl Group {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.settlements.is_empty() && self.requests.is_empty()
    }
}

/// The bounds.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Requests that may wait.
    pub requests_max: usize,
    /// Bytes of events that may wait.
    pub bytes_max: usize,
    /// Outcomes, or publishes with one delivery, in one group.
    pub group_operations_max: usize,
    /// Bytes of events in one group; a larger one comes alone.
    pub group_bytes_max: usize,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// Something waits.
    Work,
    /// The limit has passed.
    Idle,
    /// The queue is closed and nothing waits.
    Closed,
}

/// Both queues behind one lock.
pub struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    bounds: Bounds,
}

#[derive(Default)]
struct Waiting {
    settlements: VecDeque<Settlement>,
    accounts: HashMap<AccountNumber, OfAccount>,
    /// Whose turn it is, and who comes then.
    turns: VecDeque<AccountNumber>,
    requests: usize,
    bytes: usize,
    closed: bool,
    /// Of an outcome that is there the end is waited for.
    is_awaited: bool,
    /// Who waits for work looks again only after more than [`COMPANY`].
    is_patient: bool,
}

/// Requests of an account that wait.
#[derive(Default)]
struct OfAccount {
    requests: VecDeque<Request>,
    bytes: usize,
    /// Work that it may have done by now.
    credit: usize,
}

/// Why a request was not taken; the request comes back.
pub enum NotTaken {
    /// The queue is full.
    Full,
    /// The store is shutting down.
    Closed,
}

impl Queue {
    /// Empty queues.
    pub fn new(bounds: Bounds) -> Self {
        Self { waiting: Mutex::default(), arrived: Condvar::new(), bounds }
    }

    /// Adds a request unless the queue is full, or its account has too much in it.
    pub fn request(&self, request: Request) -> Result<(), NotTaken> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(NotTaken::Closed);
        }
        if !waiting.has_room(&request, &self.bounds) {
            return Err(NotTaken::Full);
        }
        waiting.add(request);
        self.arrived.notify_one();
        Ok(())
    }

    /// Adds an outcome.
    pub fn settle(&self, settlement: Settlement) {
        let mut waiting = self.lock();
        waiting.settlements.push_back(settlement);
        waiting.is_awaited = true;
        self.arrived.notify_one();
    }

    /// Adds an outcome that nobody waits for.
    pub fn settle_in_company(&self, settlement: Settlement) {
        let mut waiting = self.lock();
        waiting.settlements.push_back(settlement);
        if waiting.is_patient || waiting.has_work() {
            self.arrived.notify_one();
        }
    }

    /// Puts outcomes back that could not be written, in front.
    pub fn settle_again(&self, settlements: Vec<Settlement>) {
        let mut waiting = self.lock();
        for settlement in settlements.into_iter().rev() {
            waiting.settlements.push_front(settlement);
            waiting.is_awaited = true;
        }
    }

    /// Takes no more requests; what waits is still served.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Requests and outcomes that wait.
    pub fn depth(&self) -> (usize, usize) {
        let waiting = self.lock();
        (waiting.requests, waiting.settlements.len())
    }

    /// Waits until something arrives, at most `limit`; outcomes that nobody waits for are given a moment for company.
    pub fn wait(&self, limit: Duration) -> Woken {
        let mut waiting = self.lock();
        while !waiting.has_work() {
            let is_empty = waiting.settlements.is_empty();
            if waiting.closed && is_empty {
                return Woken::Closed;
            }
            let limit = if is_empty { limit } else { limit.min(COMPANY) };
            waiting.is_patient = limit > COMPANY;
            let (held, result) = self.arrived.wait_timeout(waiting, limit).expect("no holder of the lock panics");
            waiting = held;
            if result.timed_out() {
                return if waiting.settlements.is_empty() { Woken::Idle } else { Woken::Work };
            }
        }
        Woken::Work
    }

    /// Takes one outcome, or one request if there is none.
    pub fn take_one(&self) -> Group {
        let mut waiting = self.lock();
        let settlements: Vec<_> = waiting.settlements.pop_front().into_iter().collect();
        waiting.are_left();
        let request = if settlements.is_empty() { waiting.next(|_| true) } else { None };
        Group { settlements, requests: request.into_iter().collect() }
    }

    /// Takes the next group; empty if nothing waits.
    pub fn take(&self) -> Group {
        let mut waiting = self.lock();
        let work_max = self.bounds.group_operations_max * OUTCOME_WORK;
        // Half of it is for outcomes, and what either leaves for the others.
        let for_outcomes = (OUTCOME_WORK * waiting.settlements.len()).min(work_max / 2);
        let mut work = work_max - for_outcomes;
        let (mut requests, mut bytes) = (Vec::new(), self.bounds.group_bytes_max);
        // One that is more than a group comes alone.
        while let Some(request) =
            waiting.next(|one| requests.is_empty() || (one.work() <= work && one.written_bytes() <= bytes))
        {
            (work, bytes) = (work.saturating_sub(request.work()), bytes.saturating_sub(request.written_bytes()));
            requests.push(request);
        }
        let settled = ((work + for_outcomes) / OUTCOME_WORK).max(1).min(waiting.settlements.len());
        let settlements = waiting.settlements.drain(..settled).collect();
        waiting.are_left();
        Group { settlements, requests }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of the lock panics")
    }
}

impl Waiting {
    /// Whether something is not to wait for company, or has enough of it.
    fn has_work(&self) -> bool {
        let outcomes = self.settlements.len();
        self.requests > 0 || outcomes >= COMPANY_MAX || (outcomes > 0 && (self.is_awaited || self.closed))
    }

    /// What is left of the outcomes was there already: it has waited.
    fn are_left(&mut self) {
        self.is_awaited = !self.settlements.is_empty();
    }

    fn has_room(&self, request: &Request, bounds: &Bounds) -> bool {
        let of = self.accounts.get(&request.account());
        let (held, held_bytes) = of.map_or((0, 0), |of| (of.requests.len(), of.bytes));
        let may_hold = |held, max: usize, then| max.checked_sub(then).is_some_and(|left| may_hold_more(held, left));
        let bytes = request.bytes();
        let is_alone = bytes == 0 || self.bytes == 0;
        may_hold(held, bounds.requests_max, self.requests + 1)
            && (is_alone || may_hold(held_bytes, bounds.bytes_max, self.bytes + bytes))
    }

    fn add(&mut self, request: Request) {
        let account = request.account();
        let of = self.accounts.entry(account).or_default();
        if of.requests.is_empty() {
            self.turns.push_back(account);
        }
        of.bytes += request.bytes();
        self.bytes += request.bytes();
        self.requests += 1;
        of.requests.push_back(request);
    }

    /// The next request, if it `fits`: that of the account whose turn it is, or of the next one if its credit is used up. One
    /// that does not fit keeps its turn, so that whoever asks for much is not passed over for ever.
    fn next(&mut self, fits: impl Fn(&Request) -> bool) -> Option<Request> {
        loop {
            let account = *self.turns.front()?;
            let of = self.accounts.get_mut(&account).expect("who has a turn has requests");
            let first = of.requests.front().expect("who has a turn has requests");
            let work = first.work();
            if of.credit < work {
                // Nobody else waits: then there is nobody to take turns with.
                let turns = if self.turns.len() == 1 { (work - of.credit).div_ceil(TURN_WORK) } else { 1 };
                of.credit += turns * TURN_WORK;
                self.turns.rotate_left(1);
                continue;
            }
            if !fits(first) {
                return None;
            }
            let request = of.requests.pop_front()?;
            of.credit -= work;
            of.bytes -= request.bytes();
            self.bytes -= request.bytes();
            self.requests -= 1;
            if of.requests.is_empty() {
                self.turns.pop_front();
                self.accounts.remove(&account);
            }
            return Some(request);
        }
    }
}

#[cfg(test)]
mod tests;
