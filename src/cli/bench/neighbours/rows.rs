//! The rows: who is beside the one that is well, and how bad they are. What stays true: a row is data, and the same act
//! does its worst in a row of its own and in an hour of all.

use super::acts::{Act, Posts, Sick};
use crate::cli::bench::webhooks::Manner;

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What it is called.
    pub name: &'static str,
    /// Whose the neighbours are.
    pub accounts: Accounts,
    /// What they do.
    pub act: Act,
    /// What is looked at besides.
    pub look: Look,
}

/// Whose the neighbours are.
#[derive(Debug, Clone, Copy)]
pub enum Accounts {
    /// All of one account that is not the measured one's.
    One,
    /// So many accounts.
    Many(u32),
    /// The measured one's own.
    Same,
}

/// What is looked at besides the webhook that is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing.
    Nothing,
    /// How long a `/check` of the healthy webhook takes.
    Check,
    /// The share of so many places that are in use.
    Share(u32),
    /// Webhooks with more open deliveries than so many.
    Behind(u64),
}

/// The time-out of those who hang or are slow, in seconds.
const TIMEOUT: u32 = 20;
/// Events that each of them has waiting from the start.
const EVENTS: u32 = 300;

/// All rows, in the order in which they are measured.
pub const ROWS: &[Row] = &[
    row("none", Accounts::One, Act::Nothing),
    row("hang-20", Accounts::One, hanging(20)),
    row("hang-200", Accounts::One, hanging(200)),
    row("hang-2000", Accounts::One, hanging(2000)),
    row("hang-20-each", Accounts::Many(20), hanging(20)),
    row("hang-200-each", Accounts::Many(200), hanging(200)),
    row("hang-2000-each", Accounts::Many(2000), hanging(2000)),
    row("hang-20-same", Accounts::Same, hanging(20)),
    row("slow-8", Accounts::One, sick(8, Manner::Slow(15_000), None, TIMEOUT, Posts::Before(EVENTS))),
    row("slow-2-large", Accounts::One, sick(2, Manner::Slow(100_000), Some(256), 120, Posts::Before(EVENTS))),
    Row { look: Look::Check, ..row("checks-64", Accounts::One, Act::Checks { webhooks: 64 }) },
    // Always more than 64 places can take.
    Row {
        look: Look::Share(64),
        ..row("alone-5s", Accounts::One, sick(1, Manner::Slow(5000), Some(64), TIMEOUT, Posts::EachSecond(20)))
    },
    // Nine places each hold what three a second take.
    Row {
        look: Look::Behind(18),
        ..row("slow-600", Accounts::One, sick(600, Manner::Slow(3000), None, TIMEOUT, Posts::EachSecond(3)))
    },
    row("filters", Accounts::One, Act::CostlyFilters { webhooks: 10, publishers: 3 }),
    row("tenants-100000", Accounts::One, Act::Tenants { webhooks: 100_000, publishers: 3 }),
    row("batches", Accounts::One, Act::Batches { webhooks: 1000, events: 1000 }),
    row("bodies-50", Accounts::One, Act::UnfinishedBodies { connections: 50 }),
    row("wrong-keys-200", Accounts::One, Act::WrongKeys { connections: 200 }),
];

/// What each of five accounts does in an hour, by turns that dice decide: all of the rows, in such numbers that five of
/// any can go on at once.
pub const HOUR: &[(&str, Act)] = &[
    ("hang-20", hanging(20)),
    ("hang-200", hanging(200)),
    ("hang-1000", hanging(1000)),
    ("slow-8", sick(8, Manner::Slow(15_000), None, TIMEOUT, Posts::Before(EVENTS))),
    ("slow-2-large", sick(2, Manner::Slow(100_000), Some(256), 120, Posts::Before(EVENTS))),
    ("slow-100", sick(100, Manner::Slow(3000), None, TIMEOUT, Posts::EachSecond(3))),
    ("checks-64", Act::Checks { webhooks: 64 }),
    ("filters", Act::CostlyFilters { webhooks: 10, publishers: 1 }),
    ("tenants-5000", Act::Tenants { webhooks: 5000, publishers: 1 }),
    ("batches", Act::Batches { webhooks: 100, events: 1000 }),
    ("bodies-50", Act::UnfinishedBodies { connections: 50 }),
    ("wrong-keys-200", Act::WrongKeys { connections: 200 }),
];

const fn row(name: &'static str, accounts: Accounts, act: Act) -> Row {
    Row { name, accounts, act, look: Look::Nothing }
}

const fn hanging(webhooks: u32) -> Act {
    sick(webhooks, Manner::Hangs, None, TIMEOUT, Posts::Before(EVENTS))
}

const fn sick(webhooks: u32, manner: Manner, max_in_flight: Option<u32>, timeout: u32, posts: Posts) -> Act {
    Act::Sick(Sick { webhooks, manner, max_in_flight, timeout, posts })
}
