//! What an examination has to know before it meets the rows: accounts, and of each webhook whose it is. That is what grows with
//! the people who use a server and not with their events, and a server holds more of it in memory.

use std::collections::BTreeMap;

use crate::domain::account::{Account, ApiKey};
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::webhook::Webhook;
use crate::store::error::StoreError;
use crate::store::late;
use crate::store::layout::{FORMAT_VERSION, Tree};
use crate::store::record;
use crate::store::seal::MasterKeys;
use crate::store::trees::Trees;

/// Accounts and webhooks.
#[derive(Debug, Default)]
pub struct Known {
    /// Each account, and whether it is served: not while it is being deleted.
    accounts: BTreeMap<AccountNumber, bool>,
    /// Each webhook that can be read: its account, and whether it is there for good.
    webhooks: BTreeMap<WebhookNumber, (AccountNumber, bool)>,
    /// The store is of an older format: what is kept of each account may not be counted before the next start does it.
    is_older: bool,
}

impl Known {
    /// What can be read of them.
    pub fn read(trees: &Trees, keys: &MasterKeys) -> Result<Self, StoreError> {
        let mut known = Self::default();
        for row in trees.all(Tree::Accounts) {
            let account = row.and_then(|(key, value)| record::read_grown::<Account>(Tree::Accounts, &key, &value));
            if let Some(account) = readable(account)? {
                known.accounts.insert(account.number, account.deleted_at.is_none());
            }
        }
        for row in trees.all(Tree::Webhooks) {
            let webhook = row.and_then(|(key, value)| {
                let number = key.first_chunk().map_or(0, |number| u32::from_be_bytes(*number));
                Ok((number, keys.open::<Webhook>(Tree::Webhooks, &key, &value)?))
            });
            if let Some((number, webhook)) = readable(webhook)? {
                known.webhooks.insert(number, (webhook.account, !webhook.is_deleted()));
            }
        }
        Ok(known)
    }

    /// The same of a store of this format.
    pub fn of_format(self, format: Option<u32>) -> Self {
        Self { is_older: format.is_some_and(|found| found < FORMAT_VERSION), ..self }
    }

    /// Finds deliveries whose rows are not written yet.
    pub fn find_late(&self, trees: &Trees) -> Result<(), StoreError> {
        late::find(trees, self.accounts.keys().copied(), |webhook| self.webhooks.contains_key(&webhook))
    }

    /// Whether there is this account, and nobody has deleted it.
    pub fn is_served(&self, account: AccountNumber) -> bool {
        self.accounts.get(&account).copied().unwrap_or(false)
    }

    /// Whether there is this account.
    pub fn has_account(&self, account: AccountNumber) -> bool {
        self.accounts.contains_key(&account)
    }

    /// The account of a webhook that is there for good, and so is its account.
    pub fn account_of(&self, webhook: WebhookNumber) -> Option<AccountNumber> {
        let (account, is_kept) = *self.webhooks.get(&webhook)?;
        (is_kept && self.is_served(account)).then_some(account)
    }

    /// The account that a webhook names, if it can be read.
    pub fn account_in_webhook(&self, webhook: WebhookNumber) -> Option<AccountNumber> {
        self.webhooks.get(&webhook).map(|(account, _)| *account)
    }

    /// The account that a key names, if it can be read.
    pub fn account_in_key(&self, key: &[u8], value: &[u8]) -> Option<AccountNumber> {
        record::read_grown::<ApiKey>(Tree::Keys, key, value).ok().map(|key| key.account)
    }

    /// The webhooks that can be read.
    pub fn webhooks(&self) -> impl Iterator<Item = WebhookNumber> + '_ {
        self.webhooks.keys().copied()
    }

    /// The accounts that are served, and of which what is kept is counted.
    pub fn counted(&self) -> impl Iterator<Item = AccountNumber> + '_ {
        self.accounts.iter().filter(|(_, is_served)| **is_served && !self.is_older).map(|(account, _)| *account)
    }
}

/// `None` where a row cannot be read: that is told where the pass meets it.
pub fn readable<T>(found: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Err(StoreError::Damaged(_)) => Ok(None),
        found => found.map(Some),
    }
}
