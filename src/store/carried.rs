//! What the commit thread carries from one group to the next.

use std::collections::HashMap;

use super::rows::Kept;
use super::to_come::ToCome;
use crate::clock::Dice;
use crate::domain::id::{AccountNumber, IdSource, WebhookNumber};
use crate::domain::stats::{AccountTally, Minute, Series};
use crate::domain::tally::Tally;

/// All of it.
pub struct Carried {
    /// The source of ids, which only grow.
    pub ids: IdSource,
    /// The source of chance.
    pub dice: Dice,
    /// Counters.
    pub tallies: Tallies,
    /// Bytes that are kept of what retention can take.
    pub kept: Kept,
    /// Deliveries that are still to be made.
    pub to_come: ToCome,
}

/// The counters that the commit thread holds in memory, as they will be on disk.
#[derive(Default)]
pub struct Tallies {
    pub webhooks: HashMap<WebhookNumber, Tally>,
    pub accounts: HashMap<AccountNumber, AccountTally>,
}

/// A minute that is over, and whose it is.
pub type Finished = (Series, Minute);
