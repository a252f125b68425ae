//! Which webhooks have deliveries that are still to be made: what comes later for one of them must not overtake. What stays
//! true: a webhook may be held to have some a little longer than it has, never shorter.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::error::StoreError;
use super::layout::{self, Tree};
use super::rows;
use super::trees::Trees;
use crate::domain::id::{AccountNumber, EventId, WebhookNumber};

/// Of all accounts.
#[derive(Debug, Default)]
pub struct ToCome {
    /// Deliveries that are made in a step, or with their event.
    pub step_max: usize,
    accounts: BTreeMap<AccountNumber, OfAccount>,
    /// All of it together.
    deliveries: u64,
}

#[derive(Debug)]
struct OfAccount {
    deliveries: u64,
    /// The first event of which some are to be made.
    first: EventId,
    /// The latest event, and who wanted it: those of a batch often want all the same.
    latest: (EventId, Vec<WebhookNumber>),
    /// The last event before that for which each webhook waits, or waited.
    last: HashMap<WebhookNumber, EventId>,
    /// Up to this event, which was there at the start, any may wait.
    all_until: Option<EventId>,
}

impl ToCome {
    /// What is on the disk. To whom it goes need not be read: until it is made, all webhooks of the account are held to have
    /// some.
    pub fn read(trees: &Trees, step_max: usize) -> Result<Self, StoreError> {
        let mut to_come = Self { step_max, ..Self::default() };
        for key in trees.all(Tree::FanOut).keys() {
            let key = key?;
            let part = trees.get(Tree::FanOut, &key);
            let part = part.and_then(|value| value.map(|value| rows::part(&key, &value)).transpose());
            let count = trees.readable(part)?.flatten().map_or(0, |part| part.count);
            let (event_key, _) = layout::read_fan_out(&key);
            let (account, event) = (layout::read_number(event_key), layout::read_event(event_key));
            let of = to_come.accounts.entry(account).or_insert_with(|| OfAccount::from(event));
            of.all_until = Some(event);
            of.deliveries += u64::from(count);
            to_come.deliveries += u64::from(count);
        }
        Ok(to_come)
    }

    /// Deliveries of all accounts.
    pub fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Deliveries of an account.
    pub fn of(&self, account: AccountNumber) -> u64 {
        self.accounts.get(&account).map_or(0, |of| of.deliveries)
    }

    /// The account that comes after this one, round and round, of those that may.
    pub fn next_account(&self, last: AccountNumber, may: impl Fn(&AccountNumber) -> bool) -> Option<AccountNumber> {
        let behind = self.accounts.range((Bound::Excluded(last), Bound::Unbounded));
        let mut all = behind.chain(self.accounts.range(..=last)).map(|(account, _)| *account);
        all.find(may)
    }

    /// Whether any of these webhooks of the account has some.
    pub fn holds_any(&self, account: AccountNumber, webhooks: &[WebhookNumber]) -> bool {
        let Some(of) = self.accounts.get(&account) else { return false };
        webhooks.iter().any(|webhook| of.holds(*webhook))
    }

    /// Those of a further event, which is not older than any before.
    pub fn add(&mut self, account: AccountNumber, event: EventId, webhooks: &[WebhookNumber]) {
        let of = self.accounts.entry(account).or_insert_with(|| OfAccount::from(event));
        if of.latest.1 != webhooks {
            let (before, waiting) = std::mem::replace(&mut of.latest, (event, webhooks.to_vec()));
            of.last.extend(waiting.into_iter().map(|webhook| (webhook, before)));
        }
        of.latest.0 = event;
        of.deliveries += webhooks.len() as u64;
        self.deliveries += webhooks.len() as u64;
    }

    /// So many were made, and `first` is the first event of which some are left; none if there is none.
    pub fn made(&mut self, account: AccountNumber, deliveries: usize, first: Option<EventId>) {
        let Some(of) = self.accounts.get_mut(&account) else { return };
        let made = of.deliveries.min(deliveries as u64);
        of.deliveries -= made;
        self.deliveries -= made;
        match first {
            Some(first) => of.first = first,
            None => {
                self.deliveries -= of.deliveries;
                self.accounts.remove(&account);
            }
        }
    }
}

impl OfAccount {
    fn from(first: EventId) -> Self {
        Self { deliveries: 0, first, latest: (first, Vec::new()), last: HashMap::new(), all_until: None }
    }

    fn holds(&self, webhook: WebhookNumber) -> bool {
        self.all_until.is_some_and(|last| last >= self.first)
            || self.latest.1.binary_search(&webhook).is_ok()
            || self.last.get(&webhook).is_some_and(|last| *last >= self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> EventId {
        EventId(n << 32)
    }

    #[test]
    fn a_webhook_has_some_until_its_last_event_is_laid_out() {
        let mut to_come = ToCome::default();
        to_come.add(1, id(1), &[1, 2]);
        to_come.add(1, id(2), &[2, 3]);
        to_come.add(1, id(3), &[2, 3]);
        to_come.add(2, id(4), &[9]);
        let holds = |to_come: &ToCome| [1, 2, 3, 4].map(|webhook| to_come.holds_any(1, &[webhook]));
        assert_eq!(holds(&to_come), [true, true, true, false]);
        assert!(to_come.holds_any(1, &[4, 3]) && !to_come.holds_any(2, &[3]));
        assert_eq!((to_come.of(1), to_come.of(2), to_come.deliveries()), (6, 1, 7));
        to_come.made(1, 2, Some(id(2)));
        assert_eq!((holds(&to_come), to_come.of(1)), ([false, true, true, false], 4));
        to_come.made(1, 2, Some(id(3)));
        assert_eq!(holds(&to_come), [false, true, true, false]);
        to_come.made(1, 2, None);
        assert_eq!((holds(&to_come), to_come.deliveries()), ([false; 4], 1));
    }

    #[test]
    fn accounts_take_turns() {
        let mut to_come = ToCome::default();
        [2, 5, 7].iter().for_each(|account| to_come.add(*account, id(1), &[1]));
        let next = |last, may: fn(&AccountNumber) -> bool| to_come.next_account(last, may);
        assert_eq!([0, 2, 5, 7, 9].map(|last| next(last, |_| true)), [2, 5, 7, 2, 2].map(Some));
        assert_eq!([2, 5, 7].map(|last| next(last, |account| *account == 5)), [Some(5); 3]);
        assert_eq!((next(2, |_| false), ToCome::default().next_account(1, |_| true)), (None, None));
    }
}
