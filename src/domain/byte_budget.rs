//! A budget of bytes that accounts share. What stays true: no more is held than there is, but for one body that is alone; and an
//! account may hold only so many times what is free, so nobody takes all of it and something is left for others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::domain::id::AccountNumber;

/// How many times what is free an account may hold: who is alone gets four fifths.
const ALPHA: usize = 4;
/// Less than this costs no more than what holds it, such as a connection, and is not counted.
const COUNTED_MIN: usize = 8 * 1024;

/// The budget.
#[derive(Debug)]
pub struct ByteBudget {
    max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_account: HashMap<AccountNumber, usize>,
}

/// What one body holds of the budget. It is given back when this is dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<ByteBudget>,
    account: AccountNumber,
    bytes: usize,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// The account holds as much as it may while so much is held in all.
    OfAccount,
    /// Others hold it.
    AtAll,
}

/// Whether who holds `own` of something that accounts share may hold more of it, where `left` is left then.
pub fn may_hold_more(own: usize, left: usize) -> bool {
    own < ALPHA * left.max(1)
}

impl ByteBudget {
    /// So many.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, held: Mutex::default() })
    }

    /// Nothing yet, for a body of the account's.
    pub fn charge(self: &Arc<Self>, account: AccountNumber) -> Charge {
        Charge { budget: self.clone(), account, bytes: 0 }
    }

    /// How many bytes there are.
    pub fn max(&self) -> usize {
        self.max
    }

    /// How many are held.
    pub fn held_bytes(&self) -> usize {
        self.held().all
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("no holder of the lock panics")
    }
}

impl Charge {
    /// Holds so many instead of fewer.
    ///
    /// # Errors
    /// There is no room; then it holds what it held.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let Some(more) = self.missing(bytes) else { return Ok(()) };
        let mut held = self.budget.held();
        held.may_hold(self.budget.max, self.account, self.bytes, more)?;
        held.all += more;
        *held.by_account.entry(self.account).or_default() += more;
        self.bytes = bytes;
        Ok(())
    }

    /// Whether it could hold so many now.
    ///
    /// # Errors
    /// As [`Charge::grow_to`].
    pub fn may_grow_to(&self, bytes: usize) -> Result<(), NoRoom> {
        let Some(more) = self.missing(bytes) else { return Ok(()) };
        self.budget.held().may_hold(self.budget.max, self.account, self.bytes, more)
    }

    fn missing(&self, bytes: usize) -> Option<usize> {
        bytes.checked_sub(self.bytes).filter(|more| *more > 0 && bytes >= COUNTED_MIN)
    }
}

impl Held {
    /// Whether one that holds `own` may hold `more` beyond that.
    fn may_hold(&self, max: usize, account: AccountNumber, own: usize, more: usize) -> Result<(), NoRoom> {
        if self.all == own {
            return Ok(());
        }
        let of_account = self.by_account.get(&account).copied().unwrap_or(0);
        match max.checked_sub(self.all + more) {
            Some(left) if may_hold_more(of_account, left) => Ok(()),
            _ if of_account > own => Err(NoRoom::OfAccount),
            _ => Err(NoRoom::AtAll),
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut held = self.budget.held();
        held.all -= self.bytes;
        if let Some(of_account) = held.by_account.get_mut(&self.account) {
            *of_account -= self.bytes;
            if *of_account == 0 {
                held.by_account.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn held(budget: &Arc<ByteBudget>, account: AccountNumber, bytes: usize) -> Result<Charge, NoRoom> {
        let mut charge = budget.charge(account);
        charge.grow_to(bytes).map(|()| charge)
    }

    fn as_many_as_fit(budget: &Arc<ByteBudget>, account: AccountNumber) -> Vec<Charge> {
        std::iter::from_fn(|| held(budget, account, MIB).ok()).take(10_000).collect()
    }

    #[test]
    fn whoever_takes_all_there_is_leaves_something_for_others() {
        let budget = ByteBudget::new(256 * MIB);
        let greedy = as_many_as_fit(&budget, 1);
        assert_eq!(greedy.len(), 204, "four fifths of it");
        assert_eq!(held(&budget, 1, MIB).expect_err("its share is used up"), NoRoom::OfAccount);
        let other = as_many_as_fit(&budget, 2);
        assert!(other.len() >= 40, "{}", other.len());
        let rest = as_many_as_fit(&budget, 3);
        assert_eq!(held(&budget, 4, 256 * MIB).expect_err("others hold it"), NoRoom::AtAll);
        drop((greedy, other, rest));
        assert_eq!((budget.held_bytes(), budget.held().by_account.len()), (0, 0), "all is given back");
    }

    #[test]
    fn what_grows_is_counted_as_it_grows() {
        let budget = ByteBudget::new(10 * MIB);
        let (mut one, mut two) = (budget.charge(1), budget.charge(2));
        assert_eq!(one.grow_to(COUNTED_MIN - 1), Ok(()));
        assert_eq!(budget.held_bytes(), 0, "small ones are not counted");
        assert_eq!((one.grow_to(4 * MIB), one.grow_to(3 * MIB), two.grow_to(4 * MIB)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(budget.held_bytes(), 8 * MIB);
        assert_eq!((one.may_grow_to(7 * MIB), one.grow_to(7 * MIB)), (Err(NoRoom::AtAll), Err(NoRoom::AtAll)));
        assert_eq!(budget.held_bytes(), 8 * MIB, "and it holds what it held");
        drop(two);
        assert_eq!(one.grow_to(7 * MIB), Ok(()));
    }

    #[test]
    fn one_that_is_alone_may_be_larger_than_all_there_is() {
        let budget = ByteBudget::new(MIB);
        let mut large = held(&budget, 1, MIB / 2).expect("there is room");
        assert_eq!(large.grow_to(2 * MIB), Ok(()));
        assert!(held(&budget, 2, COUNTED_MIN).is_err());
        drop(large);
        let _small = held(&budget, 2, COUNTED_MIN).expect("there is room");
        assert!(held(&budget, 1, 2 * MIB).is_err());
    }
}
