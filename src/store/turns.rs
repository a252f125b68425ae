//! Turns at what takes long: between accounts one after the other, so nobody's wait depends on how much another account
//! has to do; and how many bytes may wait. What stays true: an account is at work once at most, and waits once at most
//! among the others; room is shared as a [`ByteBudget`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::byte_budget::{ByteBudget, Charge};
use crate::domain::id::AccountNumber;

/// Who waits and who is at work.
pub struct Turns {
    /// As many as are at work at once.
    places: Arc<Semaphore>,
    accounts: Mutex<HashMap<AccountNumber, Account>>,
    room: Arc<ByteBudget>,
}

struct Account {
    turn: Arc<Semaphore>,
    /// How many stand in its line.
    count: usize,
}

/// Somebody who waits. Dropped, they do not any more.
pub struct InLine {
    turns: Arc<Turns>,
    account: AccountNumber,
    turn: Arc<Semaphore>,
    _room: Charge,
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
        let (places, room) = (Arc::new(Semaphore::new(places)), ByteBudget::new(bytes_max));
        Self { places, accounts: Mutex::default(), room }
    }

    /// Lines up; none if there is no room for it.
    pub fn line_up(self: &Arc<Self>, account: AccountNumber, bytes: usize) -> Option<Arc<InLine>> {
        let mut room = self.room.charge(account);
        room.grow_to(bytes).ok()?;
        let mut accounts = self.accounts();
        let new = || Account { turn: Arc::new(Semaphore::new(1)), count: 0 };
        let own = accounts.entry(account).or_insert_with(new);
        own.count += 1;
        Some(Arc::new(InLine { turns: self.clone(), account, turn: own.turn.clone(), _room: room }))
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<AccountNumber, Account>> {
        self.accounts.lock().expect("no holder of the lock panics")
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
        let mut accounts = self.turns.accounts();
        let own = accounts.get_mut(&self.account).expect("it is in its line");
        own.count -= 1;
        if own.count == 0 {
            accounts.remove(&self.account);
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
    fn who_waits_holds_room_for_as_long() {
        let turns = Arc::new(Turns::new(1, 1 << 20));
        let large = turns.line_up(1, 3 << 20).expect("alone it is taken, however large");
        assert!(turns.line_up(1, 10_000).is_none() && turns.line_up(2, 10_000).is_none());
        assert!(turns.line_up(2, 0).is_some(), "what is small needs none");
        let turn = large.turn().now_or_never().expect("nobody is at work");
        drop(large);
        assert!(turns.line_up(2, 10_000).is_none(), "who has a turn holds it too");
        drop(turn);
        assert!(turns.line_up(2, 10_000).is_some());
        assert!(turns.accounts().is_empty());
    }
}
