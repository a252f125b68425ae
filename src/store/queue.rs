//! The queues in front of the commit thread: requests, bounded by number and by bytes and refused when full; and
//! outcomes, never refused, bounded by the deliveries in flight, taken first.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::message::Settlement;
use super::request::Request;

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
    /// Operations in one group.
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
    requests: VecDeque<Request>,
    bytes: usize,
    closed: bool,
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

    /// Adds a request unless the queue is full.
    pub fn request(&self, request: Request) -> Result<(), NotTaken> {
        let mut waiting = self.lock();
        let bytes = request.bytes();
        if waiting.closed {
            return Err(NotTaken::Closed);
        }
        let full = waiting.requests.len() >= self.bounds.requests_max
            || (waiting.bytes + bytes > self.bounds.bytes_max && waiting.bytes > 0);
        if full {
            return Err(NotTaken::Full);
        }
        waiting.bytes += bytes;
        waiting.requests.push_back(request);
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
        (waiting.requests.len(), waiting.settlements.len())
    }

    /// Waits until something arrives, at most `limit`.
    pub fn wait(&self, limit: Duration) -> Woken {
        let mut waiting = self.lock();
        while waiting.settlements.is_empty() && waiting.requests.is_empty() {
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
        let request = if settlements.is_empty() { waiting.requests.pop_front() } else { None };
        waiting.bytes -= request.as_ref().map_or(0, Request::bytes);
        Group { settlements, requests: request.into_iter().collect() }
    }

    /// Takes the next group; empty if nothing waits.
    pub fn take(&self) -> Group {
        self.group(&mut self.lock())
    }

    fn group(&self, waiting: &mut Waiting) -> Group {
        let settled = waiting.settlements.len().min(self.bounds.group_operations_max);
        let settlements: Vec<_> = waiting.settlements.drain(..settled).collect();
        let (mut requests, mut bytes) = (Vec::new(), 0);
        while let Some(request) = waiting.requests.front() {
            let size = request.bytes();
            let fits = bytes + size <= self.bounds.group_bytes_max || requests.is_empty();
            if !fits || settlements.len() + requests.len() >= self.bounds.group_operations_max.max(settled + 1) {
                break;
            }
            bytes += size;
            waiting.bytes -= size;
            requests.extend(waiting.requests.pop_front());
        }
        Group { settlements, requests }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of the lock panics")
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

    const BOUNDS: Bounds = Bounds { requests_max: 4, bytes_max: 100, group_operations_max: 3, group_bytes_max: 60 };

    fn add(queue: &Queue, bytes: usize) -> bool {
        queue.request(Request::new(bytes, |_| Ok(())).0).is_ok()
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
    fn outcomes_come_first_are_never_refused_and_leave_room_for_a_request() {
        let queue = Queue::new(BOUNDS);
        assert!([0, 0].into_iter().all(|bytes| add(&queue, bytes)));
        (1..=7).for_each(|id| queue.settle(settlement(id)));
        let first = queue.take();
        assert_eq!((ids(&first), first.requests.len()), (vec![1, 2, 3], 1));
        // They could not be written.
        queue.settle_again(first.settlements);
        assert_eq!(ids(&queue.take()), [1, 2, 3]);
        assert_eq!(ids(&queue.take()), [4, 5, 6]);
        assert_eq!(sizes(&queue.take()), (1, vec![]));
        assert!(queue.take().is_empty());
    }

    #[test]
    fn a_closed_queue_takes_no_requests_and_serves_what_waits() {
        let queue = Queue::new(BOUNDS);
        assert!(add(&queue, 1) && !queue.is_closed());
        queue.close();
        assert!(queue.is_closed());
        assert!(matches!(queue.request(Request::new(0, |_| Ok(())).0), Err(NotTaken::Closed)));
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
