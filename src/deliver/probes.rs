//! Places for requests that are no deliveries: probes, tests and challenges, for which somebody waits. They have places of
//! their own, and each account its share of them, so that whoever asks endpoints that hang keeps nobody else waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::id::AccountNumber;

/// Whose places an operator's questions have: no account has this number.
pub const OPERATOR: AccountNumber = 0;
/// At once, of one account.
const OF_ACCOUNT: usize = 16;
/// At once, of all accounts together.
const OF_ALL: usize = 1024;
/// Accounts that are known before it is looked which of them ask nothing now.
const ACCOUNTS_MIN: usize = 64;

/// The places.
#[derive(Debug)]
pub struct Probes {
    all: Arc<Semaphore>,
    accounts: Mutex<Accounts>,
}

#[derive(Debug)]
struct Accounts {
    places: HashMap<AccountNumber, Arc<Semaphore>>,
    max: usize,
}

/// A place. It is given back when this is dropped.
#[derive(Debug)]
pub struct ProbePlace {
    _of_account: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for Probes {
    fn default() -> Self {
        let accounts = Mutex::new(Accounts { places: HashMap::new(), max: ACCOUNTS_MIN });
        Self { all: Arc::new(Semaphore::new(OF_ALL)), accounts }
    }
}

impl Probes {
    /// Waits for a place of the account's.
    pub async fn place(&self, account: AccountNumber) -> ProbePlace {
        let of_account = self.accounts.lock().expect("no holder of the lock panics").of(account);
        // First its own: who waits for that holds none of all.
        let of_account = of_account.acquire_owned().await.expect("nobody closes it");
        let of_all = self.all.clone().acquire_owned().await.expect("nobody closes it");
        ProbePlace { _of_account: of_account, _of_all: of_all }
    }
}

impl Accounts {
    fn of(&mut self, account: AccountNumber) -> Arc<Semaphore> {
        if self.places.len() >= self.max {
            // One that is in use has further owners: those who wait, and those who hold a place.
            self.places.retain(|_, places| Arc::strong_count(places) > 1);
            self.max = (self.places.len() * 2).max(ACCOUNTS_MIN);
        }
        self.places.entry(account).or_insert_with(|| Arc::new(Semaphore::new(OF_ACCOUNT))).clone()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn an_account_that_takes_all_it_may_leaves_those_of_others() {
        let probes = Probes::default();
        let take = |account| std::iter::from_fn(|| probes.place(account).now_or_never()).take(100).collect::<Vec<_>>();
        let mut of_one = take(1);
        assert_eq!(of_one.len(), OF_ACCOUNT);
        assert_eq!(take(2).len(), OF_ACCOUNT, "and were given back");
        of_one.pop();
        assert_eq!(take(1).len(), 1);
    }

    #[test]
    fn there_are_so_many_in_all_and_accounts_that_ask_nothing_are_forgotten() {
        let probes = Probes::default();
        let many = OF_ALL as AccountNumber / OF_ACCOUNT as AccountNumber;
        let take = |account| std::iter::from_fn(|| probes.place(account).now_or_never()).take(100).collect::<Vec<_>>();
        let all: Vec<_> = (0..many).flat_map(take).collect();
        assert_eq!(all.len(), OF_ALL);
        assert!(take(many).is_empty());
        drop(all);
        (0..10_000).for_each(|account| drop(take(account)));
        assert!(probes.accounts.lock().expect("it is whole").places.len() <= ACCOUNTS_MIN);
    }
}
