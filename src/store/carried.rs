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

/// The counters that the commit thread holds in memory, as they will be on disk.
#[derive(Default)]
pub struct Tallies {
    pub webhooks: HashMap<WebhookNumber, Counted>,
    pub accounts: HashMap<AccountNumber, AccountTally>,
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
