//! The bytes of the bodies that are out, over all senders. What stays true: they are bounded, however many places there are
//! and however large events are; and as with places (`shares`), an account may hold only so many times what is free, so that
//! something is left for others.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::domain::id::AccountNumber;

/// How many times what is free an account may hold.
const ALPHA: usize = 4;
/// Smaller bodies are bounded by the number of places.
const COUNTED_MIN: usize = 8 * 1024;

/// The budget.
#[derive(Debug)]
pub struct BodyBytes {
    max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_account: HashMap<AccountNumber, usize>,
}

/// Bytes of the budget. They are given back when this is dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<BodyBytes>,
    account: AccountNumber,
    bytes: usize,
}

impl BodyBytes {
    /// So many.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, held: Mutex::default() })
    }

    /// Takes so many for a body of the account's; `None` if it has to wait. One body may go out whatever its size, if no
    /// other is out.
    pub fn take(self: &Arc<Self>, account: AccountNumber, bytes: usize) -> Option<Charge> {
        let bytes = if bytes < COUNTED_MIN { 0 } else { bytes };
        if bytes > 0 {
            let mut held = self.held();
            if !held.may_take(self.max, account, bytes) {
                return None;
            }
            held.all += bytes;
            *held.by_account.entry(account).or_default() += bytes;
        }
        Some(Charge { budget: self.clone(), account, bytes })
    }

    /// Whether a body of so many would have to wait.
    pub fn has_no_room(&self, account: AccountNumber, bytes: usize) -> bool {
        bytes >= COUNTED_MIN && !self.held().may_take(self.max, account, bytes)
    }

    /// Whether so much is out that it is worth asking for an event's size before it is read.
    pub fn is_tight(&self) -> bool {
        self.held().all > self.max / 2
    }

    /// Writes how much is out in the Prometheus text format.
    pub fn write_metrics(&self, out: &mut String) {
        let rows = [
            ("bodies_out_bytes", "Bytes of the larger bodies that are out.", self.held().all),
            ("bodies_out_bytes_max", "Bytes of bodies that may be out.", self.max),
        ];
        for (name, help, value) in rows {
            write!(out, "# HELP hookwheel_{name} {help}\n# TYPE hookwheel_{name} gauge\nhookwheel_{name} {value}\n")
                .expect("writing to memory cannot fail");
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("no holder of the lock panics")
    }
}

impl Held {
    fn may_take(&self, max: usize, account: AccountNumber, bytes: usize) -> bool {
        let of_account = self.by_account.get(&account).copied().unwrap_or(0);
        let left = max.checked_sub(self.all + bytes);
        self.all == 0 || left.is_some_and(|left| of_account < ALPHA * left.max(1))
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

    fn take_all(budget: &Arc<BodyBytes>, account: AccountNumber, bytes: usize) -> Vec<Charge> {
        std::iter::from_fn(|| budget.take(account, bytes)).take(10_000).collect()
    }

    #[test]
    fn whoever_takes_all_there_is_leaves_something_for_others() {
        let budget = BodyBytes::new(256 * MIB);
        let greedy = take_all(&budget, 1, MIB);
        assert_eq!(greedy.len(), 204, "four fifths of it");
        let other = take_all(&budget, 2, MIB);
        assert!(other.len() >= 40, "{}", other.len());
        assert!(budget.take(1, MIB).is_none());
        drop((greedy, other));
        let held = budget.held();
        assert_eq!((held.all, held.by_account.len()), (0, 0), "all is given back");
    }

    #[test]
    fn small_ones_are_not_counted_and_one_that_is_too_large_goes_out_alone() {
        let budget = BodyBytes::new(MIB);
        let all = take_all(&budget, 1, COUNTED_MIN - 1);
        assert_eq!(all.len(), 10_000);
        let large = budget.take(1, 2 * MIB).expect("no other is out");
        assert!(budget.take(2, COUNTED_MIN).is_none());
        drop(large);
        let _small = budget.take(2, COUNTED_MIN).expect("there is room");
        assert!(budget.take(1, 2 * MIB).is_none());
    }
}
