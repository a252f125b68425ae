//! Turns at what takes long: between accounts one after the other, so nobody's wait depends on how much another account
//! has to do; and how many bytes may wait. What stays true: an account is at work once at most, and waits once at most
//! among the others; of the room that is free, an account may hold as much as it leaves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::id::AccountNumber;

/// Who waits and who is at work.
pub struct Turns {
    /// As many as are at work at once.
    places: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    bytes_max: usize,
}

#[derive(Default)]
struct Waiting {
    bytes: usize,
    accounts: HashMap<AccountNumber, Account>,
}

struct Account {
    turn: Arc<Semaphore>,
    bytes: usize,
    /// How many stand in its line.
    count: usize,
}

/// Somebody who waits. Dropped, they do not any more.
pub struct InLine {
    turns: Arc<Turns>,
    account: AccountNumber,
    bytes: usize,
    turn: Arc<Semaphore>,
}

/// A turn, until it is dropped. Who has one stands in line for as long.
pub struct Turn {
    _line: Arc<InLine>,
    _own: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Turns {
    /// `places` are at work at once, and bodies of `bytes_max` wait.
    pub fn new(places: usize, bytes_max: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), waiting: Mutex::default(), bytes_max }
    }

    /// Lines up; none if there is no room for it.
    pub fn line_up(self: &Arc<Self>, account: AccountNumber, bytes: usize) -> Option<Arc<InLine>> {
        let mut waiting = self.lock();
        let held = waiting.accounts.get(&account).map_or(0, |account| account.bytes);
        let free = self.bytes_max.saturating_sub(waiting.bytes);
        if waiting.bytes > 0 && held + bytes > free {
            return None;
        }
        waiting.bytes += bytes;
        let new = || Account { turn: Arc::new(Semaphore::new(1)), bytes: 0, count: 0 };
        let own = waiting.accounts.entry(account).or_insert_with(new);
        own.bytes += bytes;
        own.count += 1;
        Some(Arc::new(InLine { turns: self.clone(), account, bytes, turn: own.turn.clone() }))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder of the lock panics")
    }
}

impl InLine {
    /// Waits for a turn: first of the account, then among the accounts. Both lines are in order of arrival.
    pub async fn turn(self: &Arc<Self>) -> Turn {
        let closed = "nobody closes it";
        let own = self.turn.clone().acquire_owned().await.expect(closed);
        let place = self.turns.places.clone().acquire_owned().await.expect(closed);
        Turn { _line: self.clone(), _own: own, _place: place }
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        let mut waiting = self.turns.lock();
        waiting.bytes -= self.bytes;
        let own = waiting.accounts.get_mut(&self.account).expect("it is in its line");
        own.bytes -= self.bytes;
        own.count -= 1;
        if own.count == 0 {
            waiting.accounts.remove(&self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn accounts_take_turns_however_much_one_of_them_has_to_do() {
        let turns = Arc::new(Turns::new(1, 100));
        let [a, b, c, other] = [1, 1, 1, 2].map(|account| turns.line_up(account, 1).expect("there is room"));
        let (mut a, mut b, mut c, mut other) =
            (Box::pin(a.turn()), Box::pin(b.turn()), Box::pin(c.turn()), Box::pin(other.turn()));
        let first = (&mut a).now_or_never().expect("nobody is at work");
        assert!((&mut b).now_or_never().is_none() && (&mut c).now_or_never().is_none());
        assert!((&mut other).now_or_never().is_none(), "one is at work at once");
        drop(first);
        // The other account came last, and is next.
        let second = (&mut other).now_or_never().expect("it is its turn");
        assert!((&mut b).now_or_never().is_none());
        drop(second);
        let third = (&mut b).now_or_never().expect("it is its turn");
        assert!((&mut c).now_or_never().is_none());
        drop(third);
        assert!((&mut c).now_or_never().is_some());
    }

    #[test]
    fn an_account_may_hold_as_much_as_it_leaves() {
        let turns = Arc::new(Turns::new(1, 100));
        let large = turns.line_up(1, 300).expect("alone it is taken, however large");
        assert!(turns.line_up(1, 1).is_none() && turns.line_up(2, 1).is_none());
        drop(large);
        let half = turns.line_up(1, 50).expect("there is room");
        assert!(turns.line_up(1, 1).is_none(), "it would hold more than is free");
        let other = turns.line_up(2, 25).expect("others have room");
        assert!(turns.line_up(2, 1).is_none());
        drop((half, other));
        assert!(turns.lock().accounts.is_empty());
        assert_eq!(turns.lock().bytes, 0);
    }
}
