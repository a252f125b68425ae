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
