//! What a request for an account or a key says. What stays true: it is vetted whole before anything is made.

use serde::Deserialize;

use super::look::PortalInput;
use crate::api::Api;
use crate::api::http::request::{Object, vet_text};
use crate::api::http::setting::Change;
use crate::domain::Invalid;
use crate::domain::account::{Account, ApiKey, NAME_CHARS_MAX, Scope};
use crate::domain::event_type::Validation;
use crate::domain::id::KeyId;
use crate::domain::time;

/// An account to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountCreate)]
pub struct AccountInput {
    /// 1 to 64 of `A-Z a-z 0-9 _ -`; made up if left out.
    #[serde(default)]
    #[schema(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    pub id: Option<String>,
    /// For people, at most 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// What its webhooks speak where they do not say; that of account `default` if left out.
    #[serde(default)]
    pub dialect: Option<String>,
    /// What it may have in place of the server's `limits`.
    #[serde(default)]
    #[schema(value_type = Option<AccountLimitsInput>)]
    pub limits: Option<Object<AccountLimitsInput>>,
    /// For your own lists, and to broadcast events to those that have one: at most 16, each 1 to 64 of
    /// `A-Z a-z 0-9 _ . : / -`.
    #[serde(default)]
    #[schema(max_items = 16, example = json!(["beta", "plan/pro"]))]
    pub tags: Option<Vec<String>>,
    /// What is done with events whose data does not fit the schema of their type, where the type does not say; `off` if left
    /// out.
    #[serde(default)]
    pub validation: Option<Validation>,
    /// How its portal looks, and on whose pages it may stand in a frame.
    #[serde(default)]
    #[schema(value_type = Option<PortalInput>)]
    pub portal: Option<Object<PortalInput>>,
}

/// What to change of an account: what is left out stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// For people, at most 200 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// What its webhooks speak from now on where they do not say; those that are there keep theirs.
    #[serde(default)]
    pub dialect: Option<String>,
    /// What it may have in place of the server's `limits`; null: what they say.
    #[serde(default)]
    #[schema(value_type = Option<AccountLimitsInput>)]
    pub limits: Change<Object<AccountLimitsInput>>,
    /// All of its tags from now on; null: none.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 16, example = json!(["beta", "plan/pro"]))]
    pub tags: Change<Vec<String>>,
    /// What is done with events whose data does not fit the schema of their type, where the type does not say. Its own keys
    /// change it with `PATCH /event-types`.
    #[serde(default)]
    pub validation: Option<Validation>,
    /// How its portal looks, and on whose pages it may stand in a frame; null: as the server's configuration says.
    #[serde(default)]
    #[schema(value_type = Option<PortalInput>)]
    pub portal: Change<Object<PortalInput>>,
}

/// What an account may have: what is left out stays, null goes back to what the server's `limits` say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountLimitsChange)]
pub struct AccountLimitsInput {
    /// Webhooks; 0: any number.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 10_000_000)]
    webhooks_max: Change<u32>,
    /// API keys; 0: any number.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 10_000_000)]
    keys_max: Change<u32>,
    /// The most that its own keys may give a webhook, 1 to 256.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 256)]
    max_in_flight: Change<u32>,
    /// The longest time-out that they may, 1 to 120 seconds.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 120)]
    timeout: Change<u32>,
    /// Bytes of events, deliveries and attempts that are kept; above it the oldest go. 0: any number.
    #[serde(default)]
    #[schema(value_type = Option<u64>, minimum = 0, maximum = 1_099_511_627_776_u64)]
    kept_bytes_max: Change<u64>,
    /// Events that may be published in a second, all of them at once; above it: 429. 0: any number.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 1_000_000, example = 100)]
    events_per_second: Change<u32>,
    /// New events that may be published in a day, UTC; above it: 429 until the next. 0: any number.
    #[serde(default)]
    #[schema(value_type = Option<u64>, minimum = 0, maximum = 100_000_000_000_u64, example = 1_000_000)]
    events_per_day: Change<u64>,
    /// Days that events are kept, with their deliveries and attempts, in place of the server's `retention.event_days`; 0: for
    /// ever.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 36_500, example = 30)]
    kept_days_max: Change<u32>,
    /// Event types of its own that it may write down; 0: any number, of 2 MiB together.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 10_000_000, example = 500)]
    event_types_max: Change<u32>,
}

impl AccountLimitsInput {
    /// What the limits of the account come to be.
    pub fn apply(self, account: &mut Account) -> Result<(), Invalid> {
        self.event_types_max.apply(&mut account.event_types_max);
        let to = &mut account.limits;
        self.webhooks_max.apply(&mut to.webhooks_max);
        self.keys_max.apply(&mut to.keys_max);
        self.max_in_flight.apply(&mut to.max_in_flight);
        self.timeout.apply(&mut to.timeout);
        self.kept_bytes_max.apply(&mut to.kept_bytes_max);
        self.events_per_second.apply(&mut to.events_per_second);
        self.events_per_day.apply(&mut to.events_per_day);
        self.kept_days_max.apply(&mut to.kept_days_max);
        account.vet_limits()
    }
}

/// A key to make.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyCreate)]
pub struct KeyInput {
    /// What it may do; at least one.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// For people, at most 200 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// RFC 3339; it never expires if left out.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
}

pub fn vet_key(api: &Api, account: u32, mut input: KeyInput) -> Result<ApiKey, Invalid> {
    if input.scopes.is_empty() {
        return Err(Invalid::new("scopes", "must name at least one of admin, publish, manage, read, consume"));
    }
    let mut seen = Vec::new();
    input.scopes.retain(|scope| !seen.contains(scope) && (seen.push(*scope), true).1);
    let name = input.name.map(|name| vet_text("name", name, NAME_CHARS_MAX)).transpose()?;
    let wrong = || Invalid::new("expires_at", "must be a time to come in RFC 3339, such as 2030-01-01T00:00:00Z");
    let to_come = |text: &String| time::parse(text).filter(|at| *at > api.clock.wall()).ok_or_else(wrong);
    let expires_at = input.expires_at.as_ref().map(to_come).transpose()?;
    Ok(ApiKey { id: KeyId(0), account, scopes: input.scopes, name, expires_at, created_at: 0, last_used_at: None })
}
