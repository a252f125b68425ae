//! Statistics in the store: how finished minutes become rows. What stays true:
//!
//! - The current minute of a webhook lies in its `Tally`, that of an account in its `AccountTally`: records that are
//!   written anyway. Only when a minute is over does it cost keys of its own.
//! - A finished minute is added to the rows of its minute, hour and day in the transaction in which its tally begins
//!   the next one; so a crash counts nothing twice and loses nothing.
//! - A webhook's minute is added to its account's rows as well, so an account is read as quickly as a webhook, and what
//!   it did stays true after a webhook is deleted.

mod forget;
mod read;

use std::collections::{BTreeMap, HashMap};

use super::StoreError;
use super::disk::Disk;
use super::ending::OPEN;
use super::layout::{self, Key, Tree};
use super::record;
use super::staging::Staging;
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::stats::{AccountTally, Counts, Minute, Series, Step};
use crate::domain::tally::Tally;
use crate::domain::time::UnixMs;

pub use forget::Forgetting;
pub use read::Stats;

/// The counters that the commit thread holds in memory, as they will be on disk.
#[derive(Default)]
pub struct Tallies {
    pub webhooks: HashMap<WebhookNumber, Tally>,
    pub accounts: HashMap<AccountNumber, AccountTally>,
}

/// A minute that is over, and whose it is.
pub type Finished = (Series, Minute);

impl Staging<'_> {
    /// Counts an event that was accepted.
    pub(super) fn count_event(&mut self, account: AccountNumber) {
        let (now, disk) = (self.now(), self.disk());
        if self.accounts_tallied.last() != Some(&account) {
            self.accounts_tallied.push(account);
        }
        let tally = self.tallies.accounts.entry(account).or_insert_with(|| {
            account_tally(disk, account).unwrap_or_else(|error| {
                tracing::error!(account, %error, "its counters cannot be read; they start again from zero");
                AccountTally::default()
            })
        });
        self.finished.extend(tally.minute.turn(now).map(|minute| (Series::Account(account), minute)));
        tally.accepted += 1;
        tally.minute.counts.accepted += 1;
    }

    /// Stages the counters of the accounts that this group counted for.
    pub(super) fn put_account_tallies(&mut self) {
        let mut accounts = std::mem::take(&mut self.accounts_tallied);
        accounts.sort_unstable();
        accounts.dedup();
        for account in accounts {
            let tally = record::encode(&self.tallies.accounts[&account]);
            self.stage(Tree::AccountTallies, layout::number(account).to_vec(), Some(tally));
        }
    }

    /// Adds the minutes that are over to their rows.
    pub(super) fn bank_minutes(&mut self) -> Result<(), StoreError> {
        let mut rows: BTreeMap<Key, Counts> = BTreeMap::new();
        let mut add = |series, start: UnixMs, counts: &Counts| {
            for step in Step::ALL {
                rows.entry(layout::stats(series, step, step.start_of(start))).or_default().merge(counts);
            }
        };
        for (series, Minute { start, mut counts }) in std::mem::take(&mut self.finished) {
            if let Series::Webhook(number) = series {
                // Since its last change in that minute nothing became of its deliveries: what is open on disk, before
                // this group, is what was open when the minute ended.
                let end = start + Step::Minute.ms();
                counts.queue_age_ms = oldest_open(self.disk(), number)?.and_then(|at| end.checked_sub(at));
                if let Some(account) = self.registry().webhook(number).map(|webhook| webhook.account) {
                    add(Series::Account(account), start, &counts.without_events());
                }
            }
            add(series, start, &counts);
        }
        for (key, mut counts) in rows {
            if let Some(stored) = self.get(Tree::Stats, &key)? {
                counts.merge(&decode(&stored));
            }
            self.put(Tree::Stats, key, &counts);
        }
        Ok(())
    }
}

/// A row. One that cannot be read counts as nothing: failing the group would fail every group from now on.
fn decode(stored: &[u8]) -> Counts {
    record::decode_grown(stored).unwrap_or_else(|error| {
        tracing::error!(%error, "a row of the statistics starts again from zero");
        Counts::default()
    })
}

fn account_tally(disk: &Disk, account: AccountNumber) -> Result<AccountTally, StoreError> {
    let stored = disk.get(Tree::AccountTallies, &layout::number(account))?;
    stored.map_or(Ok(AccountTally::default()), |bytes| record::decode_grown(&bytes))
}

/// When the oldest open delivery of the webhook was made.
fn oldest_open(disk: &Disk, webhook: WebhookNumber) -> Result<Option<UnixMs>, StoreError> {
    let mut oldest = None;
    for tree in OPEN {
        if let Some(row) = disk.prefix(tree, &layout::number(webhook)).next() {
            let made_at = layout::read_delivery(&row?.0).time();
            oldest = Some(oldest.map_or(made_at, |oldest: UnixMs| oldest.min(made_at)));
        }
    }
    Ok(oldest)
}
