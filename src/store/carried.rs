//! What the commit thread carries from one group to the next.

use std::collections::HashMap;

use super::journal::Rows;
use super::kept::KeptBy;
use super::sums::Sums;
use super::to_come::ToCome;
use crate::clock::Dice;
use crate::domain::id::{AccountNumber, IdSource, WebhookNumber};
use crate::domain::stats::{AccountTally, Minute, Series};
use crate::domain::tally::{Tally, Totals};

/// All of it.
pub struct Carried {
    /// The source of ids, which only grow.
    pub ids: IdSource,
    /// The source of chance.
    pub dice: Dice,
    /// Counters.
    pub tallies: Tallies,
    /// Over all of them, as of the last commit.
    pub sums: Sums,
    /// Bytes that are kept of each account, as of the last commit.
    pub kept_by: KeptBy,
    /// Deliveries that are still to be made.
    pub to_come: ToCome,
    /// The rows of the journal.
    pub journal: Rows,
    /// Whether there is no space for new events.
    pub is_space_low: bool,
}

/// Webhooks, or accounts, whose counters are held in memory, some half a KiB each.
const TALLIES_MAX: usize = 4096;

/// The counters that the commit thread holds in memory, as they will be on disk.
#[derive(Default)]
pub struct Tallies {
    pub webhooks: HashMap<WebhookNumber, Counted>,
    pub accounts: HashMap<AccountNumber, AccountTally>,
}

impl Tallies {
    /// Lets go of them where there are many, once they are on disk: they are read again when they are next asked for.
    pub fn let_go_of_many(&mut self) {
        if self.webhooks.len() > TALLIES_MAX {
            self.webhooks = HashMap::new();
        }
        if self.accounts.len() > TALLIES_MAX {
            self.accounts = HashMap::new();
        }
    }
}

/// A webhook's counters, and what the sums have of them.
pub struct Counted {
    pub tally: Tally,
    pub in_sums: Totals,
}

impl Counted {
    /// As they are on disk.
    pub fn of(tally: Tally) -> Self {
        Self { in_sums: Totals::of(&tally), tally }
    }
}

/// A minute that is over, and whose it is.
pub type Finished = (Series, Minute);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::Bench;

    #[test]
    fn counters_of_very_many_webhooks_are_let_go_once_they_are_on_disk() {
        let mut bench = Bench::new();
        let many = TALLIES_MAX as WebhookNumber;
        bench.now(move |staging| {
            (1..=many + 1).for_each(|number| staging.tally(number).attempts += u64::from(number));
            Ok(())
        });
        let last = bench.now(move |staging| {
            staging.tally(many + 1).attempts += 1;
            Ok(staging.carried.tallies.webhooks.len())
        });
        assert_eq!(last, 1);
        assert_eq!(bench.store.tally(many + 1).expect("it is read").attempts, u64::from(many) + 2);
        assert_eq!(bench.store.tally(1).expect("it is read").attempts, 1);
    }
}
