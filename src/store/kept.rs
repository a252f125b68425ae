//! Bytes that are kept of each account, so that where too much is kept it goes from whoever keeps most. What stays true: of
//! an account that keeps no more than its share nothing goes because others keep much.

use std::collections::{BTreeSet, HashMap};

use super::error::StoreError;
use super::layout::{self, Tree};
use super::record;
use super::registry::Registry;
use super::rows;
use super::trees::{Trees, Writes};
use crate::domain::id::AccountNumber;
use crate::domain::stats::AccountTally;
use crate::domain::tally::Tally;

/// Of all accounts: what is kept of their events, ended deliveries and attempts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeptBy {
    bytes: HashMap<AccountNumber, u64>,
    /// The same by size, without those of which nothing is kept.
    by_size: BTreeSet<(u64, AccountNumber)>,
}

impl KeptBy {
    /// As the counters of accounts and webhooks say.
    pub fn of(trees: &Trees, registry: &Registry) -> Result<Self, StoreError> {
        let mut kept = Self::default();
        for row in trees.all(Tree::AccountTallies) {
            let tally =
                row.and_then(|(key, value)| Ok((layout::read_number(&key), rows::read_account_tally(&key, &value)?)));
            let Some((account, tally)) = trees.readable(tally)? else { continue };
            kept.change(account, tally.event_bytes as i64);
        }
        for row in trees.all(Tree::Tallies) {
            let tally = row.and_then(|(key, value)| {
                Ok((layout::read_number(&key), record::read_grown::<Tally>(Tree::Tallies, &key, &value)?))
            });
            let Some((webhook, tally)) = trees.readable(tally)? else { continue };
            let account = registry.account_of_webhook(webhook);
            if let Some(account) = account {
                kept.change(account, tally.bytes as i64);
            }
        }
        Ok(kept)
    }

    /// What is kept of an account.
    pub fn of_account(&self, account: AccountNumber) -> u64 {
        self.bytes.get(&account).copied().unwrap_or(0)
    }

    /// So many bytes more, or fewer. Gives what it comes to.
    pub fn change(&mut self, account: AccountNumber, change: i64) -> u64 {
        let before = self.of_account(account);
        let now = before.saturating_add_signed(change);
        self.by_size.remove(&(before, account));
        match now {
            0 => drop(self.bytes.remove(&account)),
            now => {
                self.bytes.insert(account, now);
                self.by_size.insert((now, account));
            }
        }
        now
    }

    /// Accounts and what is kept of them, the largest first.
    pub fn largest(&self) -> impl Iterator<Item = (u64, AccountNumber)> + '_ {
        self.by_size.iter().rev().copied()
    }

    /// What each account may keep if all of them keep `bound`: who keeps less leaves the rest to the others.
    pub fn share(&self, bound: u64) -> u64 {
        let (mut left, mut accounts) = (bound, self.by_size.len() as u64);
        for (bytes, _) in &self.by_size {
            if bytes * accounts >= left {
                return left / accounts;
            }
            (left, accounts) = (left - bytes, accounts - 1);
        }
        u64::MAX
    }
}

/// Counts what is kept of each account's events where that was not counted as they came: in a store from before, and after
/// counters were lost.
pub fn count_events(trees: &Trees) -> Result<(), StoreError> {
    let (last_id, event_bytes) = rows::last_id_and_event_bytes(trees)?;
    // `None`: it cannot be read. It is put aside soon, and another is begun; the next start counts again.
    let mut tallies: HashMap<AccountNumber, Option<AccountTally>> = HashMap::new();
    for key in trees.all(Tree::AccountTallies).keys() {
        let account = layout::read_number(&key?);
        tallies.insert(account, trees.readable(rows::account_tally(trees, account))?);
    }
    if tallies.values().flatten().map(|tally| tally.event_bytes).sum::<u64>() == event_bytes {
        return Ok(());
    }
    tracing::warn!("what is kept of each account's events is counted once, which may take a while");
    tallies.values_mut().flatten().for_each(|tally| tally.event_bytes = 0);
    for tree in [Tree::Events, Tree::Chunks] {
        for row in trees.all(tree) {
            let Some((key, value)) = trees.readable(row)? else { continue };
            let tally = tallies.entry(layout::read_number(&key)).or_insert_with(|| Some(AccountTally::default()));
            tally.iter_mut().for_each(|tally| tally.event_bytes += (key.len() + value.len()) as u64);
        }
    }
    let mut writes = Writes::default();
    for (account, tally) in tallies.into_iter().filter_map(|(account, tally)| Some((account, tally?))) {
        writes.push(Tree::AccountTallies, layout::number(account).to_vec(), Some(record::encode(&tally)));
    }
    // Each write has it: the trees add to it what they know of themselves.
    let last = [last_id.to_be_bytes().as_slice(), &event_bytes.to_be_bytes()].concat();
    writes.push(Tree::Meta, layout::META_LAST_ID.to_vec(), Some(last));
    trees.write(&writes)?;
    trees.sync()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::retry::Next;
    use crate::store::bench::{Bench, START, event};
    use crate::store::message::NewEvent;

    fn kept(all: &[u64]) -> KeptBy {
        let mut kept = KeptBy::default();
        for (bytes, account) in all.iter().zip(1..) {
            assert_eq!(kept.change(account, *bytes as i64), *bytes);
        }
        kept
    }

    #[test]
    fn who_keeps_less_than_its_share_leaves_the_rest_to_the_others() {
        assert_eq!(kept(&[]).share(100), u64::MAX);
        assert_eq!(kept(&[1_000]).share(100), 100);
        assert_eq!(kept(&[1_000, 1_000]).share(100), 50);
        assert_eq!(kept(&[10, 1_000, 1_000]).share(100), 45);
        assert_eq!(kept(&[10, 20, 30]).share(100), u64::MAX, "there is room for all");
        assert_eq!(kept(&[0, 5, 95]).share(100), 95, "one that keeps nothing takes no share");
    }

    #[test]
    fn the_largest_comes_first_however_it_came_to_be_so() {
        let mut kept = kept(&[10, 30, 20]);
        assert_eq!(kept.largest().collect::<Vec<_>>(), [(30, 2), (20, 3), (10, 1)]);
        kept.change(1, 15);
        kept.change(2, -30);
        assert_eq!(kept.largest().collect::<Vec<_>>(), [(25, 1), (20, 3)]);
    }

    #[test]
    fn what_is_held_is_what_the_counters_say_and_a_store_from_before_is_counted_once() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        let long = vec![b'1'; 3 * layout::VALUE_BYTES_MAX];
        let large = bench.publish_as(NewEvent { data: long.into(), ..event() });
        bench.settle(large.delivery_to(webhook), 1, Next::RetryAt(START + 1));
        bench.settle(large.delivery_to(webhook), 2, Next::Dead);
        let of = |bench: &Bench| KeptBy::of(&bench.trees(), &bench.store.registry()).unwrap();
        let counted = of(&bench);
        assert_eq!(&counted, bench.committer.kept_by());
        assert_eq!(counted.of_account(1), bench.store.kept_bytes());

        let before = rows::account_tally(&bench.trees(), 1).unwrap();
        let none = AccountTally { event_bytes: 0, ..before.clone() };
        bench.put(Tree::AccountTallies, layout::number(1).to_vec(), record::encode(&none));
        assert_ne!(of(&bench), counted);
        count_events(&bench.trees()).unwrap();
        assert_eq!((of(&bench), rows::account_tally(&bench.trees(), 1)), (counted, Ok(before)));
        bench.damage(Tree::AccountTallies, &layout::number(1));
        count_events(&bench.trees()).unwrap();
        assert!(
            rows::account_tally(&bench.trees(), 1).is_err(),
            "what cannot be read is left to whoever puts it aside"
        );
    }
}
