//! Which webhooks want something else than they did: who has asked ahead of the commit asks again for those alone. What
//! stays true: one entry a webhook and a bounded number of them, and versions only grow, also when the registry is read anew.

use std::collections::{BTreeMap, HashMap};

use crate::domain::id::{AccountNumber, WebhookNumber};

/// What was known at some moment of who wants what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u64);

/// Webhooks that are remembered one by one: who asks ahead is told soon, before so many have changed.
const WEBHOOKS_MAX: usize = 1024;

/// Those of an account that changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Changed {
    /// These, without those that are gone.
    These(Vec<WebhookNumber>),
    /// It is not remembered which: any may have.
    Any,
}

/// When each webhook changed last.
#[derive(Debug, Default)]
pub struct Changes {
    version: u64,
    /// What changed up to then is remembered by account only.
    floor: u64,
    /// Of each account, those that are forgotten included.
    accounts: HashMap<AccountNumber, u64>,
    webhooks: HashMap<WebhookNumber, u64>,
    in_order: BTreeMap<(AccountNumber, u64), WebhookNumber>,
}

impl Changes {
    /// What is known now.
    pub fn version(&self) -> Version {
        Version(self.version)
    }

    /// A webhook wants something else.
    pub fn note(&mut self, account: AccountNumber, number: WebhookNumber) {
        self.forget(account, number);
        self.webhooks.insert(number, self.version);
        self.in_order.insert((account, self.version), number);
        if self.webhooks.len() > WEBHOOKS_MAX {
            (self.webhooks, self.in_order) = Default::default();
            self.floor = self.version;
        }
    }

    /// A webhook is gone.
    pub fn forget(&mut self, account: AccountNumber, number: WebhookNumber) {
        self.version += 1;
        self.accounts.insert(account, self.version);
        if let Some(before) = self.webhooks.remove(&number) {
            self.in_order.remove(&(account, before));
        }
    }

    /// Goes on from another: all that is known here came later.
    pub fn follow(&mut self, before: &Changes) {
        debug_assert_eq!(self.version, 0, "nothing is noted yet");
        self.version = before.version;
        // Those that it knows and this one never will are gone.
        for account in before.accounts.keys() {
            self.version += 1;
            self.accounts.insert(*account, self.version);
        }
    }

    /// The account's webhooks that changed since then, if there was any change.
    pub fn since(&self, account: AccountNumber, then: Version) -> Option<Changed> {
        if self.accounts.get(&account).is_none_or(|latest| *latest <= then.0) {
            return None;
        }
        if then.0 < self.floor {
            return Some(Changed::Any);
        }
        let later = self.in_order.range((account, then.0 + 1)..=(account, u64::MAX));
        Some(Changed::These(later.map(|(_, number)| *number).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_since_is_known_by_account() {
        let mut changes = Changes::default();
        let start = changes.version();
        changes.note(1, 10);
        changes.note(2, 20);
        let then = changes.version();
        assert_eq!((changes.since(1, then), changes.since(2, then), changes.since(3, start)), (None, None, None));
        changes.note(1, 11);
        changes.note(1, 10);
        let these = |numbers: &[WebhookNumber]| Some(Changed::These(numbers.to_vec()));
        assert_eq!(changes.since(1, then), these(&[11, 10]), "each once");
        assert_eq!(changes.since(2, then), None, "others' changes do not count");
        let later = changes.version();
        changes.forget(1, 11);
        assert_eq!((changes.since(1, later), changes.since(1, start)), (these(&[]), these(&[10])));
    }

    #[test]
    fn of_very_many_changes_it_is_remembered_that_there_were_some() {
        let mut changes = Changes::default();
        let start = changes.version();
        let most = WEBHOOKS_MAX as WebhookNumber;
        (1..=most).for_each(|number| changes.note(1, number));
        let before = changes.version();
        changes.note(2, most + 1);
        assert_eq!(changes.since(1, start), Some(Changed::Any));
        assert_eq!(changes.since(1, before), None, "others' changes do not count");
        let then = changes.version();
        changes.note(1, 7);
        assert_eq!(changes.since(1, then), Some(Changed::These(vec![7])));
        assert_eq!(changes.since(1, before), Some(Changed::Any));
    }

    #[test]
    fn what_was_known_before_is_old_when_all_is_read_anew() {
        let mut before = Changes::default();
        before.note(1, 10);
        before.note(2, 20);
        let then = before.version();
        let mut changes = Changes::default();
        changes.follow(&before);
        changes.note(1, 10);
        let these = |numbers: &[WebhookNumber]| Some(Changed::These(numbers.to_vec()));
        assert_eq!((changes.since(1, then), changes.since(2, then)), (these(&[10]), these(&[])));
        assert!(changes.version() > then);
    }
}
