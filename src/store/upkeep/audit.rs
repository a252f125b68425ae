//! Forgets entries of the audit log that are too old, or more than an account may have, of one account after the other. What
//! stays true: the oldest go first; and an account that has too many is found by a pass, and has no more after the next one,
//! which follows at once.

use std::collections::BTreeMap;

use super::sweep::{Fate, Swept, sweep_rows};
use crate::domain::id::{AccountNumber, first_id_at};
use crate::store::error::StoreError;
use crate::store::layout::{self, Key, Tree, end_of};
use crate::store::settings::Retention;
use crate::store::staging::Staging;

/// The entries of the audit log.
pub struct OldEntries {
    keep_ms: Option<u64>,
    entries_max: Option<u64>,
    counted: Counted,
}

/// How many entries accounts have, as far as a pass has come.
#[derive(Default)]
struct Counted {
    /// Where it is, and how many entries it has seen there that stay.
    account: Option<AccountNumber>,
    entries: u64,
    /// How many more than they may have accounts had when they were counted last.
    surplus: BTreeMap<AccountNumber, u64>,
}

impl OldEntries {
    /// Those that are more or older than retention says.
    pub fn new(retention: &Retention) -> Self {
        let (keep_ms, entries_max) = (retention.audit_ms, retention.audit_entries_max);
        Self { keep_ms, entries_max, counted: Counted::default() }
    }
}

impl Swept for OldEntries {
    type Place = Key;

    fn is_wanted(&self) -> bool {
        self.keep_ms.is_some() || self.entries_max.is_some()
    }

    fn some(&mut self, staging: &mut Staging<'_>, from: Key) -> Result<Option<Key>, StoreError> {
        let first_kept = self.keep_ms.map_or(0, |keep_ms| first_id_at(staging.keeping().saturating_sub(keep_ms)));
        let next = sweep_rows(staging, Tree::Audit, from, |_, key, _| {
            let account = layout::read_number(key);
            if layout::read_id(key) < first_kept {
                return Ok(Fate::Goes);
            }
            let Some(max) = self.entries_max else { return Ok(Fate::StaysWithAllBefore(end_of(account))) };
            Ok(if self.counted.is_surplus(account, max) { Fate::Goes } else { Fate::Stays })
        })?;
        let is_over = next.is_none() && self.counted.end(self.entries_max.unwrap_or(u64::MAX));
        Ok(if is_over { Some(Key::default()) } else { next })
    }
}

impl Counted {
    /// Whether an entry of the account, the next one, is of those that it has too many.
    fn is_surplus(&mut self, account: AccountNumber, max: u64) -> bool {
        if self.account != Some(account) {
            self.end(max);
            self.account = Some(account);
        }
        match self.surplus.get_mut(&account) {
            Some(surplus) if *surplus > 0 => {
                *surplus -= 1;
                true
            }
            _ => {
                self.entries += 1;
                false
            }
        }
    }

    /// No more of its entries come. Says whether any account has too many.
    fn end(&mut self, max: u64) -> bool {
        if let Some(account) = self.account.take() {
            self.surplus.insert(account, self.entries.saturating_sub(max));
            self.entries = 0;
        }
        self.surplus.retain(|_, surplus| *surplus > 0);
        !self.surplus.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::domain::audit::{Actor, Deed};
    use crate::domain::time::{DAY_MS, HOUR_MS};
    use crate::store::bench::Bench;

    #[test]
    fn an_entry_is_kept_for_its_time_and_goes_after_it() {
        for audit_ms in [None, Some(10 * DAY_MS)] {
            let retention = Retention { audit_ms, ..Retention::default() };
            assert_eq!(OldEntries::new(&retention).is_wanted(), audit_ms.is_some());
            let mut bench = Bench::keeping(retention);
            for account in [1, 2] {
                bench.now(move |staging| {
                    staging.note_deed(Actor::default(), Deed::new(account, "webhook.changed", "it"));
                    Ok(())
                });
            }
            bench.turn(10 * DAY_MS);
            assert_eq!(bench.keys(Tree::Audit).len(), 2);
            bench.turn(HOUR_MS);
            assert_eq!(bench.keys(Tree::Audit).is_empty(), audit_ms.is_some());
        }
    }

    #[test]
    fn a_time_that_is_set_while_the_store_is_open_counts_at_once_and_one_that_is_unset_does_no_more() {
        let mut bench = Bench::keeping(Retention::default());
        let note = |bench: &mut Bench| {
            bench.now(|staging| {
                staging.note_deed(Actor::default(), Deed::new(1, "webhook.changed", "it"));
                Ok(())
            });
        };
        let keep = |bench: &mut Bench, audit_ms| {
            let store = bench.store.clone();
            let mut applied = Box::pin(store.apply(Retention { audit_ms, ..Retention::default() }, None));
            assert!((&mut applied).now_or_never().is_none(), "the commit thread has to hear of it");
            bench.rest();
            applied.now_or_never().expect("it has heard").expect("it is in force");
        };
        note(&mut bench);
        bench.turn(20 * DAY_MS);
        assert_eq!(bench.keys(Tree::Audit).len(), 1);
        keep(&mut bench, Some(10 * DAY_MS));
        bench.turn(HOUR_MS);
        assert!(bench.keys(Tree::Audit).is_empty());
        note(&mut bench);
        keep(&mut bench, None);
        bench.turn(20 * DAY_MS);
        assert_eq!(bench.keys(Tree::Audit).len(), 1);
    }

    #[test]
    fn an_account_has_so_many_of_the_newest_and_another_has_its_own() {
        // More than a step looks at.
        const MAX: u64 = 300;
        let mut bench = Bench::keeping(Retention { audit_entries_max: Some(MAX), ..Retention::default() });
        let note = |account: AccountNumber, count: usize, bench: &mut Bench| {
            bench.now(move |staging| {
                for n in 0..count {
                    staging.note_deed(Actor::default(), Deed::new(account, "webhook.changed", n));
                }
                Ok(())
            });
        };
        note(1, 1000, &mut bench);
        note(2, 10, &mut bench);
        note(3, 301, &mut bench);
        let before = bench.keys(Tree::Audit);
        bench.turn(HOUR_MS);
        let of = |keys: &[Key], account| keys.iter().filter(|key| layout::read_number(key) == account).count() as u64;
        let kept = bench.keys(Tree::Audit);
        assert_eq!([1, 2, 3].map(|account| of(&kept, account)), [MAX, 10, MAX]);
        assert_eq!(kept[..300], before[700..1000], "the newest");
        note(1, 5, &mut bench);
        bench.turn(HOUR_MS);
        let kept = bench.keys(Tree::Audit);
        assert_eq!([1, 2, 3].map(|account| of(&kept, account)), [MAX, 10, MAX]);
    }
}
