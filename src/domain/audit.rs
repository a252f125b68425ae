//! The audit log: who changed what, when and from where. An entry is written together with the change that it tells of, and
//! never changed.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::id::{AccountNumber, AuditId, KeyId, UserId, WebhookId};

/// Who did it: a key or a person, and where the request came from. All are missing where the server did it by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The key.
    pub key: Option<KeyId>,
    /// The key's name at that time.
    pub key_name: Option<String>,
    /// The address that the request came from: a proxy's, if there is one before the server.
    pub address: Option<IpAddr>,
    /// On whose side the key stands. In the store it lies at the end of the entry.
    #[serde(skip)]
    pub side: Side,
    /// The person, where it was one and no key. It lies at the end of the entry, too.
    #[serde(skip)]
    pub person: Option<Person>,
}

/// A person, as the log keeps one: what is said here stays true when the user is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Which user; none: a guest of the portal.
    pub user: Option<UserId>,
    /// The user's address at that time, or whom the guest is known as.
    pub name: String,
}

/// On whose side an actor stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// Nobody wrote it down.
    #[default]
    Unknown,
    /// It is a key or a user of the account, or a guest.
    Account,
    /// It is a key of the operator, which may act for every account, or one of the server's own people.
    Operator,
}

/// What was done. It holds no values, so no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// Whose thing it was done to.
    pub account: AccountNumber,
    /// What, such as `webhook.changed`: a noun, a dot, a verb.
    pub action: String,
    /// The id of what it was done to.
    pub target: String,
    /// The settings that changed, or what a bulk call selects by; by their names in the API.
    pub fields: Vec<String>,
}

impl Deed {
    /// What was done to `target` of `account`.
    pub fn new(account: AccountNumber, action: &str, target: impl ToString) -> Self {
        Self { account, action: action.into(), target: target.to_string(), fields: Vec::new() }
    }

    /// What was done to a webhook.
    pub fn to_webhook(account: AccountNumber, action: &str, webhook: WebhookId) -> Self {
        Self::new(account, &format!("webhook.{action}"), webhook)
    }

    /// The same with the settings that changed, or what a bulk call selects by.
    pub fn with_fields(self, fields: Vec<String>) -> Self {
        Self { fields, ..self }
    }
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Given by the commit thread; it tells when.
    pub id: AuditId,
    /// Who.
    pub by: Actor,
    /// What.
    pub deed: Deed,
    /// On whose side who did it stands.
    pub side: Side,
    /// The person who did it, where it was one.
    pub person: Option<Person>,
}
