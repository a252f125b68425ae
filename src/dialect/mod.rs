//! A product's whole webhook contract as data: one TOML file, compiled into plain Rust values when it is loaded. What
//! stays true: no code anywhere asks for a product's name, nothing is looked up by string while events are sent, and
//! the same values sign, verify and document, so these cannot drift apart.

mod answer;
mod body;
mod canonical;
mod catalogue;
mod challenge;
mod check;
mod encoding;
mod envelope;
mod error;
mod face;
mod form;
mod headers;
mod keys;
mod library;
mod mac;
mod maker;
mod native;
mod number;
mod ordered;
mod pairs;
mod placeholder;
mod proofs;
mod received;
mod refusal;
mod routes;
mod schema;
mod secrets;
mod secrets_check;
mod shelf;
mod signature;
mod template;
mod verify;
mod view;
mod wording;

#[cfg(test)]
mod tests;

pub use answer::Asked;
pub use body::{BodyRule, Prepared};
pub use canonical::{JsonForm, LostNumber, Numbers, canonical, first_lost_number, lost_numbers};
pub use catalogue::{EventType, Types, check_types};
pub use challenge::{AnswerSignature, Challenge, ChallengeRule};
pub use check::HEALTH_CHECK_BODY;
pub use encoding::Encoding;
pub use envelope::{Envelope, Member, Step};
pub use error::DialectError;
pub use face::{DeliveriesRule, Face, ListRule, Only, Page, Paging, Rows};
pub use form::BodyFormat;
pub use headers::{AttemptFacts, ContentType, HeaderKey, HeaderRule, UserAgent};
pub use keys::{PairKind, PublicForm};
pub use library::Dialects;
pub use mac::{Algorithm, SigningKey};
pub use native::{Ids, Kind, Naming, Spelling};
pub use placeholder::{Moment, Placeholder};
pub use received::Received;
pub use refusal::VerifyError;
pub use routes::{Endpoint, FaceMatch, OWN_PATHS, Operation, Operations, Route};
pub use secrets::{KeyForm, SecretRule, Signing};
pub use shelf::Shelf;
pub use signature::SignatureRule;
pub use template::{Part, Template};
pub use view::{TestBody, View};
pub use wording::nearest;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::path::Path;

use crate::domain::Invalid;
use crate::domain::disable::{DisableRule, WrittenRule};
use crate::domain::id::IdForm;
use crate::domain::rate_limit::RateLimit;
use crate::domain::retry::{RetrySchedule, SuccessRule};
use crate::domain::time::TimeForm;
use crate::domain::webhook::{MAX_IN_FLIGHT_MAX, TIMEOUT_SECONDS_MAX};

/// A webhook contract. The fields are the keys of its file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// Its file's name without `.toml`: 1–64 of `[a-z0-9_-]`.
    #[serde(skip)]
    pub name: String,
    /// The text of its file.
    #[serde(skip)]
    pub source: String,
    /// For people, such as the product's name.
    pub title: String,
    /// For people, a sentence or two.
    pub description: String,

    /// Which answers are a success.
    #[serde(default)]
    pub success: SuccessRule,
    /// The deadline of one attempt, 1–120 seconds.
    pub timeout_seconds: u32,
    /// When to try again: all that the file says when it is read, then as many as `retries` says.
    pub retry: RetrySchedule,
    /// How many of the delays are used unless a webhook asks for another number; left out: all.
    pub retries: Option<usize>,
    /// All delays, for webhooks that ask for more or fewer.
    #[serde(skip)]
    all_delays: Vec<u64>,
    /// When failures disable a webhook.
    #[serde(skip)]
    pub disable: DisableRule,
    /// The same as the file says it.
    #[serde(default, rename = "disable")]
    written_disable: WrittenRule,
    /// Deliveries of one webhook in flight at once, 1–256.
    #[serde(default = "default_max_in_flight")]
    pub max_in_flight: u32,
    /// Requests to one endpoint.
    pub rate_limit: Option<RateLimit>,
    /// What an account may ask for.
    #[serde(default)]
    pub limits: Limits,

    /// What a secret looks like.
    pub secrets: SecretRule,
    /// What an endpoint is asked before it gets deliveries; left out: nothing.
    pub challenge: Option<ChallengeRule>,
    /// How ids are spelled.
    #[serde(default, deserialize_with = "ids")]
    pub ids: Ids,
    /// How times are spelled.
    #[serde(default = "default_times")]
    pub times: TimeForm,
    /// How the body is written.
    #[serde(default)]
    pub body: BodyRule,
    /// What the body is.
    pub envelope: Envelope,
    /// The `User-Agent` of its requests.
    #[serde(default)]
    pub user_agent: UserAgent,
    /// The headers of its requests.
    #[serde(default, deserialize_with = "headers::header_rules")]
    pub headers: Vec<HeaderRule>,
    /// How they are signed.
    #[serde(default)]
    pub signature: Vec<SignatureRule>,

    /// The product's own API, if it has one beside ours.
    pub face: Option<Face>,
    /// Whether events of other types than those may be sent.
    #[serde(default, rename = "event_types")]
    pub types: Types,
    /// The documented event types.
    #[serde(default, rename = "event")]
    pub catalogue: Vec<EventType>,
    /// The actor of test and sample events.
    #[serde(default, deserialize_with = "catalogue::sample_object")]
    pub sample_actor: Option<Box<RawValue>>,
}

/// What an account may ask for; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Webhooks of this dialect in one account.
    pub webhooks_per_account: Option<u32>,
    /// First attempts of one webhook on one UTC day; what is over waits.
    pub first_attempts_per_day: Option<u32>,
    /// The body that is sent, in bytes.
    pub body_bytes_max: Option<usize>,
}

fn default_max_in_flight() -> u32 {
    64
}

fn default_times() -> TimeForm {
    TimeForm::Seconds
}

fn ids<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ids, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Prefixes {
        webhook: String,
        event: String,
        delivery: String,
    }
    let form = |prefix: String| IdForm { prefix };
    let Prefixes { webhook, event, delivery } = Prefixes::deserialize(deserializer)?;
    Ok(Ids { webhook: form(webhook), event: form(event), delivery: form(delivery) })
}

impl Dialect {
    /// Reads a dialect file. Its name is that of `file` without directory and `.toml`.
    pub fn parse(file: &str, text: &str) -> Result<Self, DialectError> {
        let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        if !(1..=64).contains(&stem.len()) || !stem.bytes().all(plain) {
            return Err(DialectError::whole(file, "the file's name must be 1 to 64 of a-z 0-9 _ - before .toml"));
        }
        let mut dialect: Self = toml::from_str(text).map_err(|error| DialectError::from_toml(file, text, &error))?;
        dialect.name = stem.to_string();
        dialect.source = text.to_string();
        dialect.finish().map_err(|invalid| DialectError::from_check(file, text, invalid))?;
        Ok(dialect)
    }

    /// Checks what one key cannot know of another, and fills in what follows from several.
    fn finish(&mut self) -> Result<(), Invalid> {
        self.check_bounds()?;
        self.check_ids()?;
        self.secrets.check(&self.signature)?;
        self.check_proofs()?;
        self.check_challenge()?;
        self.check_catalogue()?;
        self.disable = self.written_disable.try_into()?;
        if let Some(limit) = self.rate_limit {
            self.rate_limit = Some(limit.checked()?);
        }
        match self.body.json {
            JsonForm::Canonical => self.envelope.order_canonically(),
            JsonForm::Verbatim if self.body.numbers == Numbers::Js => {
                return Err(Invalid::new("body.numbers", "\"js\" rewrites numbers, so it needs json = \"canonical\""));
            }
            JsonForm::Verbatim => {}
        }
        if let Some(face) = &mut self.face {
            face.check()?;
            face.spelling = Spelling { ids: self.ids.clone(), times: self.times, names: face.names };
        }
        Ok(())
    }

    /// The schedule with this many retries.
    pub fn schedule(&self, retries: usize) -> Result<RetrySchedule, Invalid> {
        let message = || format!("must be between 0 and {}", self.all_delays.len());
        let delays = self.all_delays.get(..retries).ok_or_else(|| Invalid::new("max_retries", message()))?;
        Ok(RetrySchedule { delay_seconds: delays.to_vec(), jitter_percent: self.retry.jitter_percent })
    }

    /// Keeps all delays for [`Self::schedule`], and the usual ones in `retry`.
    fn split_delays(&mut self) -> Result<(), Invalid> {
        self.retry.check()?;
        self.all_delays = self.retry.delay_seconds.clone();
        if let Some(usual) = self.retries {
            let wrong =
                |invalid: Invalid| Invalid::new("retries", format!("{}, the delays there are", invalid.message));
            self.retry = self.schedule(usual).map_err(wrong)?;
        }
        Ok(())
    }

    fn check_bounds(&mut self) -> Result<(), Invalid> {
        self.split_delays()?;
        if !(1..=TIMEOUT_SECONDS_MAX).contains(&self.timeout_seconds) {
            return Err(Invalid::new("timeout_seconds", format!("must be between 1 and {TIMEOUT_SECONDS_MAX}")));
        }
        if !(1..=MAX_IN_FLIGHT_MAX).contains(&self.max_in_flight) {
            return Err(Invalid::new("max_in_flight", format!("must be between 1 and {MAX_IN_FLIGHT_MAX}")));
        }
        Ok(())
    }

    /// A prefix must let ids be read back, and end up in headers and paths.
    fn check_ids(&self) -> Result<(), Invalid> {
        let Ids { webhook, event, delivery } = &self.ids;
        for (key, form) in [("webhook", webhook), ("event", event), ("delivery", delivery)] {
            let stem = form.prefix.strip_suffix('_').unwrap_or_default();
            let fits = !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !form.prefix.is_empty() && (!fits || stem.len() > 31) {
                let message = "must be up to 32 of A-Z a-z 0-9 _ and end in _, such as \"wh_\"; \"\" is a plain UUID";
                return Err(Invalid::new(format!("ids.{key}"), message));
            }
        }
        Ok(())
    }

    fn check_catalogue(&self) -> Result<(), Invalid> {
        if self.types == Types::Closed && self.catalogue.is_empty() {
            return Err(Invalid::new(
                "event_types",
                "is \"closed\", so no event could be sent: write [[event]] for each type",
            ));
        }
        for (n, known) in self.catalogue.iter().enumerate() {
            if self.catalogue[..n].iter().any(|before| before.name == known.name) {
                return Err(Invalid::new(format!("event[{n}].type"), format!("{:?} is there twice", known.name)));
            }
        }
        Ok(())
    }
}
