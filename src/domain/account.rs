//! Accounts (tenants) and the keys that act for them.

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::event_type::Validation;
use super::id::{AccountNumber, KeyId};
use super::portal::Portal;
use super::time::UnixMs;
use super::webhook::{MAX_IN_FLIGHT_MAX, TIMEOUT_SECONDS_MAX};
use super::words::words;

/// The header with which an admin key names the account that it acts for.
pub const ACCOUNT_HEADER: &str = "Hookwheel-Account";
/// The account that exists from the start.
pub const DEFAULT_ACCOUNT: &str = "default";
/// The account whose events are the server's own notices; it exists from the start.
pub const OPERATOR_ACCOUNT: &str = "operator";
/// An account's name, in characters.
pub const NAME_CHARS_MAX: usize = 200;

/// A tenant: nothing of one account can be reached with another's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its number in the store.
    pub number: AccountNumber,
    /// Its id in the API: 1–64 of `[A-Za-z0-9_-]`.
    pub id: String,
    /// For people.
    pub name: String,
    /// The dialect of webhooks that are created without one.
    pub dialect: String,
    /// When it was created.
    pub created_at: UnixMs,
    /// What the operator set for it.
    pub limits: AccountLimits,
    /// When it was deleted: nothing of it is served from then on, and what is left of it goes.
    pub deleted_at: Option<UnixMs>,
    /// For the operator's own lists and broadcasts; ascending.
    pub tags: Vec<String>,
    /// What is done with events whose data does not fit the schema of their type, where the type does not say.
    pub validation: Validation,
    /// Event types of its own that it may write down, in place of what the server's `limits` say; 0: any number. It stands here and
    /// not among `limits`, since an account grows at its end.
    pub event_types_max: Option<u32>,
    /// How its portal looks, and who may frame it.
    pub portal: Portal,
}

/// Webhooks or keys, as a limit.
const COUNT_MAX: u64 = 10_000_000;
/// Kept bytes, as a limit (1 TiB).
const KEPT_BYTES_MAX: u64 = 1 << 40;
/// Events of a second, as a limit.
pub const EVENTS_PER_SECOND_MAX: u32 = 1_000_000;
/// Events of a day, as a limit.
pub const EVENTS_PER_DAY_MAX: u64 = 100_000_000_000;
/// Kept days, as a limit.
pub const KEPT_DAYS_MAX: u32 = 36_500;

/// What an account may have in place of what the server's `limits` say; `None`: what they say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLimits {
    /// Webhooks; 0: any number.
    pub webhooks_max: Option<u32>,
    /// API keys; 0: any number.
    pub keys_max: Option<u32>,
    /// The most that its own keys may give a webhook.
    pub max_in_flight: Option<u32>,
    /// The longest time-out that they may, in seconds.
    pub timeout: Option<u32>,
    /// Bytes of events, deliveries and attempts that are kept; 0: any number.
    pub kept_bytes_max: Option<u64>,
    /// Events that may be published in a second, all of them at once; 0: any number.
    pub events_per_second: Option<u32>,
    /// New events that may be published in a day, UTC; 0: any number.
    pub events_per_day: Option<u64>,
    /// Days that events are kept, in place of `retention.event_days`; 0: for ever.
    pub kept_days_max: Option<u32>,
}

impl Account {
    /// Whether it has this tag, if one is asked for.
    pub fn is_tagged(&self, tag: Option<&str>) -> bool {
        tag.is_none_or(|tag| self.tags.iter().any(|own| own == tag))
    }

    /// Asserts that each of its limits is what the server's own could be.
    pub fn vet_limits(&self) -> Result<(), Invalid> {
        vet_limit("event_types_max", self.event_types_max.map(u64::from), 0, COUNT_MAX)?;
        self.limits.vet()
    }

    /// The names of the limits that are not as `before`, as the API calls them.
    pub fn changed_limits(&self, before: &Self) -> Vec<String> {
        let mut changed = self.limits.changed(&before.limits);
        changed.extend((self.event_types_max != before.event_types_max).then(|| "limits.event_types_max".to_string()));
        changed
    }
}

fn vet_limit(name: &str, value: Option<u64>, min: u64, max: u64) -> Result<(), Invalid> {
    match value.is_none_or(|value| (min..=max).contains(&value)) {
        true => Ok(()),
        false => Err(Invalid::new(format!("limits.{name}"), format!("must be between {min} and {max}"))),
    }
}

impl AccountLimits {
    fn vet(&self) -> Result<(), Invalid> {
        let of = |value: Option<u32>| value.map(u64::from);
        let all = [
            ("webhooks_max", of(self.webhooks_max), 0, COUNT_MAX),
            ("keys_max", of(self.keys_max), 0, COUNT_MAX),
            ("max_in_flight", of(self.max_in_flight), 1, MAX_IN_FLIGHT_MAX.into()),
            ("timeout", of(self.timeout), 1, TIMEOUT_SECONDS_MAX.into()),
            ("kept_bytes_max", self.kept_bytes_max, 0, KEPT_BYTES_MAX),
            ("events_per_second", of(self.events_per_second), 0, EVENTS_PER_SECOND_MAX.into()),
            ("events_per_day", self.events_per_day, 0, EVENTS_PER_DAY_MAX),
            ("kept_days_max", of(self.kept_days_max), 0, KEPT_DAYS_MAX.into()),
        ];
        all.into_iter().try_for_each(|(name, value, min, max)| vet_limit(name, value, min, max))
    }

    fn changed(&self, before: &Self) -> Vec<String> {
        let all = [
            ("webhooks_max", self.webhooks_max != before.webhooks_max),
            ("keys_max", self.keys_max != before.keys_max),
            ("max_in_flight", self.max_in_flight != before.max_in_flight),
            ("timeout", self.timeout != before.timeout),
            ("kept_bytes_max", self.kept_bytes_max != before.kept_bytes_max),
            ("events_per_second", self.events_per_second != before.events_per_second),
            ("events_per_day", self.events_per_day != before.events_per_day),
            ("kept_days_max", self.kept_days_max != before.kept_days_max),
        ];
        all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| format!("limits.{name}")).collect()
    }
}

/// Checks an account id: 1–64 of `[A-Za-z0-9_-]`.
pub fn check_id(id: &str) -> Result<(), Invalid> {
    let fits = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fits { Ok(()) } else { Err(Invalid::new("id", "must be 1 to 64 of the characters A-Z a-z 0-9 _ -")) }
}

/// What a key may do. `admin` may do everything, for every account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everything, for every account; makes accounts and keys.
    Admin,
    /// Post events.
    Publish,
    /// Create, change, test and replay webhooks; implies `read` and `consume`.
    Manage,
    /// See webhooks, events, deliveries.
    Read,
    /// Pull the deliveries of webhooks that are pulled, and say what became of them; nothing else.
    Consume,
}

words!(Scope {
    Self::Admin => "admin",
    Self::Publish => "publish",
    Self::Manage => "manage",
    Self::Read => "read",
    Self::Consume => "consume",
});

/// A key of an account. The key's text is never stored, only its SHA-256, which is its place in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Names the key without revealing it.
    pub id: KeyId,
    /// Whom it acts for.
    pub account: AccountNumber,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// For people.
    pub name: Option<String>,
    /// It is refused from then on.
    pub expires_at: Option<UnixMs>,
    /// When it was created.
    pub created_at: UnixMs,
    /// When it was last used, as far as that is written down: to the minute or so.
    pub last_used_at: Option<UnixMs>,
}

impl ApiKey {
    /// Whether it may do what `needed` allows at `now`.
    pub fn allows(&self, needed: Scope) -> bool {
        let implied = matches!(needed, Scope::Read | Scope::Consume);
        let gives = |scope: Scope| scope == Scope::Admin || scope == needed || (scope == Scope::Manage && implied);
        self.scopes.iter().copied().any(gives)
    }

    /// Whether it has expired at `now`.
    pub fn expired(&self, now: UnixMs) -> bool {
        self.expires_at.is_some_and(|at| now >= at)
    }
}
