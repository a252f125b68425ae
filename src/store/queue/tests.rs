//! What waits, for how long it waits, and whose turn it is.

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
    Request::new(Load { account, bytes, deliveries, ..Load::default() }, |_| Ok(())).0
}

fn settlement(id: u128) -> Settlement {
    let summary = AttemptSummary { number: 1, started_at: 0, duration_ms: 0, outcome: Outcome::Status(200) };
    let attempt = Attempt {
        summary,
        url: String::new(),
        request_headers: Default::default(),
        response_body: Vec::new(),
        resent: false,
        trace: Default::default(),
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
    assert_eq!((ids(&again), again.requests.len()), (vec![5, 6, 7], 1), "what one leaves the others have");
    assert_eq!(ids(&queue.take()), [8, 9]);
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
fn an_outcome_that_nobody_waits_for_goes_with_what_comes_next() {
    let queue = Queue::new(BOUNDS);
    queue.settle_in_company(settlement(1));
    assert!(!queue.lock().has_work(), "it waits for company");
    assert!(add(&queue, 1) && queue.lock().has_work(), "a request is company");
    assert_eq!(sizes(&queue.take()), (1, vec![1]));
    queue.settle_in_company(settlement(2));
    queue.settle(settlement(3));
    assert!(queue.lock().has_work(), "so is an outcome that is waited for");
    assert_eq!(ids(&queue.take()), [2, 3]);
    (4..4 + COMPANY_MAX as u128).for_each(|id| queue.settle_in_company(settlement(id)));
    assert!(queue.lock().has_work(), "so many are company for each other");
    assert_eq!(ids(&queue.take_one()), [4]);
    assert!(queue.lock().has_work(), "what was left has waited");
}

#[test]
fn an_outcome_that_nobody_waits_for_goes_alone_in_the_end() {
    let queue = Queue::new(BOUNDS);
    queue.settle_in_company(settlement(1));
    assert_eq!(queue.wait(Duration::MAX), Woken::Work, "its time is over");
    assert_eq!(ids(&queue.take()), [1]);
    std::thread::scope(|scope| {
        let woken = scope.spawn(|| queue.wait(Duration::MAX));
        queue.settle_in_company(settlement(2));
        assert_eq!(woken.join().expect("no panic"), Woken::Work, "who waits for ever looks again in time");
    });
    queue.close();
    assert!(queue.lock().has_work(), "nothing else comes");
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
