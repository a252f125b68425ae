//! How accounts and keys are shown: never with a key's text, but in the reply that makes it.

use serde::Serialize;

use super::look::{PortalView, portal_view};
use crate::api::Api;
use crate::api::http::list::ListRow;
use crate::domain::account::{Account, AccountLimits, ApiKey, Scope};
use crate::domain::event_type::Validation;
use crate::domain::time;

/// An account.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Account)]
pub struct AccountView {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// What its webhooks speak where they do not say.
    pub dialect: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// What was set for it in place of the server's `limits`.
    pub limits: AccountLimitsView,
    /// The operator's words for it, in order.
    #[schema(example = json!(["beta", "plan/pro"]))]
    pub tags: Vec<String>,
    /// What is done with events whose data does not fit the schema of their type, where the type does not say.
    pub validation: Validation,
    /// How its portal looks, and on whose pages it may stand in a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = PortalView, required = false)]
    pub portal: Option<PortalView>,
}

/// What an account may have; null: what the server's `limits` say.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AccountLimits)]
pub struct AccountLimitsView {
    /// Webhooks; 0: any number.
    pub webhooks_max: Option<u32>,
    /// API keys; 0: any number.
    pub keys_max: Option<u32>,
    /// The most that its own keys may give a webhook.
    pub max_in_flight: Option<u32>,
    /// The longest time-out that they may, in seconds.
    pub timeout: Option<u32>,
    /// Bytes of events, deliveries and attempts that are kept; above it the oldest go. 0: any number.
    pub kept_bytes_max: Option<u64>,
    /// Events that may be published in a second; 0: any number.
    #[schema(example = 100)]
    pub events_per_second: Option<u32>,
    /// New events that may be published in a day, UTC; 0: any number.
    #[schema(example = 1_000_000)]
    pub events_per_day: Option<u64>,
    /// Days that events are kept, in place of the server's `retention.event_days`; 0: for ever.
    #[schema(example = 30)]
    pub kept_days_max: Option<u32>,
    /// Event types of its own that it may write down; 0: any number, of 2 MiB together.
    #[schema(example = 500)]
    pub event_types_max: Option<u32>,
}

/// A key.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Key)]
pub struct KeyView {
    /// Names the key; it is not the key.
    pub id: String,
    /// The key itself: shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub key: Option<String>,
    /// Whose it is.
    pub account: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// For people.
    pub name: Option<String>,
    /// From when on it is refused; null: never.
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// To the minute or so; null if it never was.
    #[schema(format = DateTime)]
    pub last_used_at: Option<String>,
}

impl ListRow for AccountView {
    const ALONE: &'static [&'static str] = &["portal"];
}

impl ListRow for KeyView {
    const ALONE: &'static [&'static str] = &["key"];
}

pub fn account_view(account: &Account) -> AccountView {
    // All are named, so that a new one is not forgotten.
    let AccountLimits {
        webhooks_max,
        keys_max,
        max_in_flight,
        timeout,
        kept_bytes_max,
        events_per_second,
        events_per_day,
        kept_days_max,
    } = account.limits;
    AccountView {
        id: account.id.clone(),
        name: account.name.clone(),
        dialect: account.dialect.clone(),
        created_at: time::rfc3339(account.created_at),
        limits: AccountLimitsView {
            webhooks_max,
            keys_max,
            max_in_flight,
            timeout,
            kept_bytes_max,
            events_per_second,
            events_per_day,
            kept_days_max,
            event_types_max: account.event_types_max,
        },
        tags: account.tags.clone(),
        validation: account.validation,
        portal: Some(portal_view(&account.portal)),
    }
}

/// An account in a list: logos are long.
pub fn account_row(account: &Account) -> AccountView {
    AccountView { portal: None, ..account_view(account) }
}

pub fn key_view(api: &Api, account: &Account, key: &ApiKey, text: Option<String>) -> KeyView {
    KeyView {
        id: key.id.to_string(),
        key: text,
        account: account.id.clone(),
        scopes: key.scopes.clone(),
        name: key.name.clone(),
        expires_at: key.expires_at.map(time::rfc3339),
        created_at: time::rfc3339(key.created_at),
        last_used_at: api.uses.last(key).map(time::rfc3339),
    }
}
