//! Webhooks by the ids that their accounts have given them.

use std::collections::HashMap;

use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::webhook::Webhook;

/// The own ids of all webhooks that were not deleted.
#[derive(Debug, Default)]
pub struct Uids(HashMap<AccountNumber, HashMap<Box<str>, WebhookNumber>>);

impl Uids {
    /// The account's webhook of this own id.
    pub fn find(&self, account: AccountNumber, uid: &str) -> Option<WebhookNumber> {
        self.0.get(&account)?.get(uid).copied()
    }

    /// Enters a webhook, if it has one.
    pub fn learn(&mut self, webhook: &Webhook) {
        if let Some(uid) = &webhook.uid {
            self.0.entry(webhook.account).or_default().insert(uid.as_str().into(), webhook.number());
        }
    }

    /// Takes out a webhook that was entered so.
    pub fn forget(&mut self, webhook: &Webhook) {
        let (Some(uid), Some(own)) = (&webhook.uid, self.0.get_mut(&webhook.account)) else { return };
        own.remove(uid.as_str());
        if own.is_empty() {
            self.0.remove(&webhook.account);
        }
    }
}
