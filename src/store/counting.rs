//! Statistics in the store: how finished minutes become rows. What stays true:
//!
//! - The current minute of a webhook lies in its `Tally`, that of an account in its `AccountTally`: records that are
//!   written anyway. Only when a minute is over does it cost keys of its own.
//! - A finished minute is added to the rows of its minute, hour and day in the transaction in which its tally begins
//!   the next one; so a crash counts nothing twice and loses nothing.
//! - A webhook's minute is added to its account's rows as well, so an account is read as quickly as a webhook, and what
//!   it did stays true after a webhook is deleted.

use std::collections::BTreeMap;

use super::carried::Tallies;
use super::error::StoreError;
use super::layout::{self, Key, Tree};
use super::staging::Staging;
use super::trees::Trees;
use super::{record, rows};
use crate::domain::id::AccountNumber;
use crate::domain::stats::{AccountTally, Counts, Minute, Series, Step, Today};
use crate::domain::tally::day_of;
use crate::domain::time::UnixMs;

impl Staging<'_> {
    /// Counts an event that was accepted.
    pub(super) fn count_event(&mut self, account: AccountNumber) {
        let tally = self.account_tally(account);
        tally.accepted += 1;
        tally.minute.counts.accepted += 1;
    }

    /// The counters of an account; they are written with this group.
    pub(super) fn account_tally(&mut self, account: AccountNumber) -> &mut AccountTally {
        let (now, trees) = (self.now(), self.trees());
        if self.accounts_tallied.last() != Some(&account) {
            self.accounts_tallied.push(account);
        }
        let tally = held(&mut self.carried.tallies, trees, account);
        self.finished.extend(tally.minute.turn(now).map(|minute| (Series::Account(account), minute)));
        tally
    }

    /// What an account has published in this day; this writes nothing.
    pub(super) fn today(&mut self, account: AccountNumber) -> Today {
        let trees = self.trees();
        held(&mut self.carried.tallies, trees, account).today
    }

    /// Whether it is told today for the first time that more is kept of the account than may be; then it counts as told.
    pub(super) fn begins_to_keep_too_much(&mut self, account: AccountNumber) -> bool {
        let (trees, today) = (self.trees(), day_of(self.now()));
        let is_told = held(&mut self.carried.tallies, trees, account).kept_told_on == today;
        if !is_told {
            self.account_tally(account).kept_told_on = today;
        }
        !is_told
    }

    /// Whether it is told for the first time in this day that the account may publish no more in it; then it counts as told.
    pub(super) fn begins_to_publish_too_much(&mut self, account: AccountNumber) -> bool {
        let (trees, now) = (self.trees(), self.now());
        let tally = held(&mut self.carried.tallies, trees, account);
        let day = day_of(tally.today.ends_at(now));
        let is_told = tally.day_told_on == day;
        if !is_told {
            self.account_tally(account).day_told_on = day;
        }
        !is_told
    }

    /// Stages the counters of the accounts that this group counted for.
    pub(super) fn put_account_tallies(&mut self) {
        let mut accounts = std::mem::take(&mut self.accounts_tallied);
        accounts.sort_unstable();
        accounts.dedup();
        for account in accounts {
            let tally = record::encode(&self.carried.tallies.accounts[&account]);
            self.stage(Tree::AccountTallies, layout::number(account).to_vec(), Some(tally));
        }
    }

    /// Stages the counters of an account once more, if they are held in memory.
    pub(super) fn put_account_tally_again(&mut self, account: AccountNumber) {
        if self.carried.tallies.accounts.contains_key(&account) {
            self.accounts_tallied.push(account);
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
                counts.queue_age_ms = rows::oldest_open(self.trees(), number)?.and_then(|at| end.checked_sub(at));
                if let Some(account) = self.registry().account_of_webhook(number) {
                    add(Series::Account(account), start, &counts.without_events());
                }
            }
            add(series, start, &counts);
        }
        for (key, mut counts) in rows {
            let stored = self
                .get(Tree::Stats, &key)
                .and_then(|stored| stored.map(|stored| rows::counts(&key, &stored)).transpose());
            if let Some(stored) = self.trees().readable(stored)?.flatten() {
                counts.merge(&stored);
            }
            self.put(Tree::Stats, key, &counts);
        }
        Ok(())
    }
}

/// The counters of an account, read when they are first asked for.
fn held<'a>(tallies: &'a mut Tallies, trees: &Trees, account: AccountNumber) -> &'a mut AccountTally {
    tallies.accounts.entry(account).or_insert_with(|| {
        // Counters that cannot be read start again from zero.
        trees.readable(rows::account_tally(trees, account)).ok().flatten().unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::Bench;

    #[test]
    fn an_event_counts_in_its_account_and_in_its_minute() {
        let mut bench = Bench::new();
        bench.publish();
        bench.turn(Step::Minute.ms());
        let counted = |bench: &Bench| {
            let tally = rows::account_tally(&bench.trees(), 1).unwrap();
            (tally.accepted, tally.minute.counts.accepted)
        };
        assert_eq!(counted(&bench), (1, 1));
        bench.publish();
        assert_eq!(counted(&bench), (2, 1));
        bench.publish();
        assert_eq!(counted(&bench), (3, 2));
        bench.turn(Step::Minute.ms());
        bench.publish();
        let hour = layout::stats(Series::Account(1), Step::Hour, Step::Hour.start_of(bench.clock.now()));
        let told = bench.trees().get(Tree::Stats, &hour).unwrap().unwrap();
        assert_eq!(rows::counts(&hour, &told).unwrap().accepted, 3, "what is over is told");
    }
}
