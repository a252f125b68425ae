//! The queues in front of the commit thread: requests, bounded by number and by bytes and refused when full; and
//! outcomes, never refused, bounded by the deliveries in flight, taken first. What stays true: accounts take turns, each by
//! the work that its requests are, and none may fill the queue; where both wait, outcomes and requests share a group.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::message::Settlement;
use super::request::Request;
use crate::domain::id::AccountNumber;

/// Work that an account may have done in a turn: some small requests. One that is more work waits for several turns.
const TURN_WORK: usize = 64;
/// What an outcome is in work, and so is a publish with one delivery.
const OUTCOME_WORK: usize = 2;
/// How many times what is free an account may hold of the queue: who is alone gets four fifths.
const ALPHA: usize = 4;

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
        self.lock().settlements.push_back(settlement);
        self.arrived.notify_one();
    }

    /// Puts outcomes back that could not be written, in front.
    pub fn settle_again(&self, settlements: Vec<Settlement>) {
        let mut waiting = self.lock();
        for settlement in settlements.into_iter().rev() {
            waiting.settlements.push_front(settlement);
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

    /// Waits until something arrives, at most `limit`.
    pub fn wait(&self, limit: Duration) -> Woken {
        let mut waiting = self.lock();
        while waiting.settlements.is_empty() && waiting.requests == 0 {
            if waiting.closed {
                return Woken::Closed;
            }
            let (held, result) = self.arrived.wait_timeout(waiting, limit).expect("no holder of the lock panics");
            waiting = held;
            if result.timed_out() {
                return Woken::Idle;
            }
        }
        Woken::Work
    }

    /// Takes one outcome, or one request if there is none.
    pub fn take_one(&self) -> Group {
        let mut waiting = self.lock();
        let settlements: Vec<_> = waiting.settlements.pop_front().into_iter().collect();
        let request = if settlements.is_empty() { waiting.next(|_| true) } else { None };
        Group { settlements, requests: request.into_iter().collect() }
    }

    /// Takes the next group; empty if nothing waits.
    pub fn take(&self) -> Group {
        let mut waiting = self.lock();
        let outcomes_max = self.bounds.group_operations_max;
        let outcomes_max = if waiting.requests > 0 { outcomes_max / 2 } else { outcomes_max };
        let settled = waiting.settlements.len().min(outcomes_max.max(1));
        let settlements: Vec<_> = waiting.settlements.drain(..settled).collect();
        let mut work = (self.bounds.group_operations_max * OUTCOME_WORK).saturating_sub(settled * OUTCOME_WORK);
        let (mut requests, mut bytes) = (Vec::new(), self.bounds.group_bytes_max);
        // One that is more than a group comes alone.
        while let Some(request) =
            waiting.next(|one| requests.is_empty() || (one.work() <= work && one.bytes() <= bytes))
        {
            (work, bytes) = (work.saturating_sub(request.work()), bytes.saturating_sub(request.bytes()));
            requests.push(request);
        }
        Group { settlements, requests }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of the lock panics")
    }
}

impl Waiting {
    fn has_room(&self, request: &Request, bounds: &Bounds) -> bool {
        let of = self.accounts.get(&request.account());
        let (held, held_bytes) = of.map_or((0, 0), |of| (of.requests.len(), of.bytes));
        let free = bounds.requests_max.saturating_sub(self.requests);
        let free_bytes = bounds.bytes_max.saturating_sub(self.bytes);
        let bytes = request.bytes();
        let has_bytes = bytes <= free_bytes && held_bytes + bytes <= ALPHA * free_bytes;
        free > 0 && held < ALPHA * free && (bytes == 0 || self.bytes == 0 || has_bytes)
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
mod tests {
    use super::*;
    use crate::domain::backoff::Strain;
    use crate::domain::delivery::{Attempt, AttemptSummary, Outcome};
    use crate::domain::disable::DisableRule;
    use crate::domain::id::DeliveryId;
    use crate::domain::retry::Next;
    use crate::store::request::Load;

    const BOUNDS: Bounds = Bounds { requests_max: 4, bytes_max: 100, group_operations_max: 3, group_bytes_max: 60 };

    fn add(queue: &Queue, bytes: usize) -> bool {
        add_of(queue, bytes as AccountNumber + 1_000, bytes)
    }

    fn add_of(queue: &Queue, account: AccountNumber, bytes: usize) -> bool {
        queue.request(request(account, bytes, 1)).is_ok()
    }

    fn request(account: AccountNumber, bytes: usize, deliveries: usize) -> Request {
        Request::new(Load { account, bytes, deliveries }, |_| Ok(())).0
    }

    fn settlement(id: u128) -> Settlement {
        let summary = AttemptSummary { number: 1, started_at: 0, duration_ms: 0, outcome: Outcome::Status(200) };
        let attempt = Attempt {
            summary,
            url: String::new(),
            request_headers: Vec::new(),
            response_body: Vec::new(),
            resent: false,
        };
        let (disable, strain) = (DisableRule::default(), Strain::Well);
        let (delivery, next) = (DeliveryId(id), Next::Succeeded);
        Settlement { delivery, attempt, next, disable, strain, dice: 0.0, rate_limited: false }
    }

    fn ids(group: &Group) -> Vec<u128> {
        group.settlements.iter().map(|one| one.delivery.0).collect()
    }

    /// How many outcomes, and how large the requests are.
    fn sizes(group: &Group) -> (usize, Vec<usize>) {
        (group.settlements.len(), group.requests.iter().map(Request::bytes).collect())
    }

    #[test]
    fn what_waits_is_bounded_by_number() {
        let queue = Queue::new(BOUNDS);
        assert_eq!([0; 5].map(|bytes| add(&queue, bytes)), [true, true, true, true, false]);
        assert_eq!(queue.depth(), (4, 0));
        assert_eq!(queue.take().requests.len(), 3);
        assert!(add(&queue, 0), "there is room again");
    }

    #[test]
    fn what_waits_is_bounded_by_bytes_and_one_that_is_larger_waits_alone() {
        let queue = Queue::new(BOUNDS);
        assert_eq!([60, 40, 1].map(|bytes| add(&queue, bytes)), [true, true, false]);
        assert!(add(&queue, 0), "what has no bytes takes no room");
        assert_eq!(sizes(&queue.take()), (0, vec![60]));
        assert_eq!([61, 60].map(|bytes| add(&queue, bytes)), [false, true], "what was taken makes room, and no more");
        while !queue.take().is_empty() {}
        assert_eq!([101, 1].map(|bytes| add(&queue, bytes)), [true, false]);
    }

    #[test]
    fn a_group_is_bounded_and_a_larger_request_comes_alone() {
        let queue = Queue::new(BOUNDS);
        assert!([30, 30, 1].into_iter().all(|bytes| add(&queue, bytes)));
        assert_eq!(sizes(&queue.take()), (0, vec![30, 30]));
        assert_eq!(sizes(&queue.take()), (0, vec![1]));
        assert!([61, 1].into_iter().all(|bytes| add(&queue, bytes)));
        assert_eq!(sizes(&queue.take()), (0, vec![61]));
        assert_eq!(sizes(&queue.take()), (0, vec![1]));
    }

    #[test]
    fn outcomes_come_first_are_never_refused_and_share_a_group_with_requests() {
        let queue = Queue::new(Bounds { group_operations_max: 4, ..BOUNDS });
        (1..=9).for_each(|id| queue.settle(settlement(id)));
        assert_eq!(ids(&queue.take()), [1, 2, 3, 4]);
        assert!([0; 3].into_iter().all(|bytes| add(&queue, bytes)));
        let half = queue.take();
        assert_eq!((ids(&half), half.requests.len()), (vec![5, 6], 2));
        // They could not be written.
        queue.settle_again(half.settlements);
        let again = queue.take();
        assert_eq!((ids(&again), again.requests.len()), (vec![5, 6], 1));
        assert_eq!(ids(&queue.take()), [7, 8, 9]);
        assert!(queue.take().is_empty());
    }

    /// Whose requests the next group has, in order.
    fn accounts(queue: &Queue) -> Vec<AccountNumber> {
        queue.take().requests.iter().map(Request::account).collect()
    }

    #[test]
    fn accounts_take_turns_by_the_work_that_they_ask_for() {
        let bounds =
            Bounds { requests_max: 10_000, bytes_max: 1 << 30, group_operations_max: 64, group_bytes_max: 1 << 30 };
        let queue = Queue::new(bounds);
        for _ in 0..1_000 {
            assert!(queue.request(request(1, 0, 1)).is_ok());
        }
        for _ in 0..8 {
            assert!(queue.request(request(2, 0, 31)).is_ok());
        }
        assert!(queue.request(request(3, 0, 1)).is_ok());
        let count = |group: &[AccountNumber], of| group.iter().filter(|account| **account == of).count();
        // 128 in work: as much for one as for the other.
        let groups = [(); 2].map(|()| accounts(&queue));
        assert_eq!([1, 2, 3].map(|of| count(&groups[0], of)), [32, 2, 0]);
        assert_eq!(count(&groups[1], 3), 1);
    }

    #[test]
    fn whoever_asks_for_much_waits_for_several_turns_and_is_not_passed_over() {
        let bounds =
            Bounds { requests_max: 10_000, bytes_max: 1 << 30, group_operations_max: 64, group_bytes_max: 1 << 20 };
        let queue = Queue::new(bounds);
        assert!(queue.request(request(1, 10 << 20, 1)).is_ok());
        let (mut groups, mut met) = (0, false);
        while !met {
            for _ in 0..128 {
                assert!(queue.request(request(2, 0, 1)).is_ok());
            }
            let group = queue.take();
            met = group.requests.iter().any(|one| one.account() == 1);
            assert!(!met || group.requests.len() == 1, "it comes alone");
            groups += 1;
        }
        // 2,562 in work, of which one turn is 64, and a group of the others 128: two turns.
        assert!((15..=60).contains(&groups), "{groups}");
        let queue = Queue::new(bounds);
        assert!(queue.request(request(1, 10 << 20, 1)).is_ok());
        assert_eq!(accounts(&queue), [1], "alone it waits for nobody");
    }

    #[test]
    fn an_account_leaves_room_for_others() {
        let bounds = Bounds { requests_max: 100, bytes_max: 1_000, ..BOUNDS };
        let queue = Queue::new(bounds);
        let taken = (0..200).filter(|_| add_of(&queue, 1, 0)).count();
        assert_eq!(taken, 80);
        assert!(add_of(&queue, 2, 0));
        let queue = Queue::new(bounds);
        let taken = (0..200).filter(|_| add_of(&queue, 1, 10)).count();
        assert!((78..=81).contains(&taken), "{taken}");
        assert!(add_of(&queue, 2, 150), "of what is left another may have most");
    }

    #[test]
    fn a_closed_queue_takes_no_requests_and_serves_what_waits() {
        let queue = Queue::new(BOUNDS);
        assert!(add(&queue, 1) && !queue.is_closed());
        queue.close();
        assert!(queue.is_closed());
        assert!(matches!(queue.request(request(1, 0, 1)), Err(NotTaken::Closed)));
        assert_eq!(queue.wait(Duration::MAX), Woken::Work);
        queue.settle(settlement(1));
        assert_eq!(sizes(&queue.take()), (1, vec![1]));
        assert_eq!(queue.wait(Duration::MAX), Woken::Closed);
    }

    #[test]
    fn a_wait_ends_with_its_limit_or_when_something_arrives() {
        let queue = Queue::new(BOUNDS);
        assert_eq!(queue.wait(Duration::ZERO), Woken::Idle);
        std::thread::scope(|scope| {
            let woken = scope.spawn(|| queue.wait(Duration::MAX));
            queue.settle(settlement(1));
            assert_eq!(woken.join().expect("no panic"), Woken::Work);
        });
    }

    #[test]
    fn one_at_a_time_outcomes_come_first_too() {
        let queue = Queue::new(BOUNDS);
        assert!([60, 40].into_iter().all(|bytes| add(&queue, bytes)));
        [1, 2].into_iter().for_each(|id| queue.settle(settlement(id)));
        assert_eq!([(); 2].map(|()| ids(&queue.take_one())), [[1], [2]]);
        assert_eq!(sizes(&queue.take_one()), (0, vec![60]));
        assert!(add(&queue, 60), "it makes room");
        assert_eq!(sizes(&queue.take_one()), (0, vec![40]));
    }
}
