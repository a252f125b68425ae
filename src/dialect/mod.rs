//! A product's whole webhook contract as data: one TOML file, compiled into plain Rust values when it is loaded. What
//! stays true: no code anywhere asks for a product's name, nothing is looked up by string while events are sent, and
//! the same values sign, verify and document, so these cannot drift apart.

mod answer;
mod body;
mod canonical;
mod catalogue;
mod challenge;
mod check;
mod diff;
mod encoding;
mod envelope;
mod error;
mod face;
mod file_schema;
mod forged;
mod form;
mod headers;
mod ids;
mod keys;
mod library;
mod mac;
mod maker;
mod native;
mod nearest;
mod number;
mod ordered;
mod pairs;
mod pattern;
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
pub use catalogue::{EventType, Types, check_types, nearest_type};
pub use challenge::{AnswerSignature, Challenge, ChallengeRule};
pub use check::HEALTH_CHECK_BODY;
pub use diff::{Change, Kind as ChangeKind, Side, changes};
pub use encoding::Encoding;
pub use envelope::{Envelope, Member, Step};
pub use error::DialectError;
pub use face::{DeliveriesRule, Face, ListRule, Only, Page, Paging, Rows};
pub use file_schema::{SCHEMA, as_toml};
pub use forged::{Harm, Proof};
pub use form::BodyFormat;
pub use headers::{AttemptFacts, ContentType, HeaderKey, HeaderRule, UserAgent};
pub use keys::{PairKind, PublicForm};
pub use library::Dialects;
pub use mac::{Algorithm, SigningKey};
pub use native::{Ids, Kind, Naming, Spelling};
pub use nearest::{Search, nearest};
pub use pairs::PairRule;
pub use placeholder::{Moment, Placeholder};
pub use received::Received;
pub use refusal::VerifyError;
pub use routes::{Endpoint, FaceMatch, OWN_PATHS, Operation, Operations, Route};
pub use schema::{DRAFT, derived};
pub use secrets::{KeyForm, SecretRule, Signing};
pub use shelf::Shelf;
pub use signature::SignatureRule;
pub use template::{Part, Template};
pub use view::{TestBody, View};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::path::Path;

use crate::domain::Invalid;
use crate::domain::disable::{DisableRule, WrittenRule};
use crate::domain::rate_limit::RateLimit;
use crate::domain::retry::{RETRIES_MAX, RetrySchedule, SuccessRule};
use crate::domain::shape::{Shape, Written};
use crate::domain::time::TimeForm;
use crate::domain::webhook::{MAX_IN_FLIGHT_MAX, TIMEOUT_SECONDS_MAX};

/// A webhook contract. The fields are the keys of its file, and what is said of them here is what its reference says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// Its file's name without `.toml`: 1–64 of `[a-z0-9_-]`.
    #[serde(skip)]
    pub name: String,
    /// The text of its file.
    #[serde(skip)]
    pub source: String,
    /// For people, such as the product's name.
    #[schemars(example = &"Parcels")]
    pub title: String,
    /// For people, a sentence or two.
    #[schemars(example = &"The webhooks of Parcels.")]
    pub description: String,

    /// Which statuses are a success.
    #[serde(default)]
    #[schemars(example = ["2xx"])]
    pub success: SuccessRule,
    /// The deadline of one attempt, in seconds.
    #[schemars(range(min = 1, max = TIMEOUT_SECONDS_MAX), example = 10)]
    pub timeout_seconds: u32,
    /// When to try again after a failure.
    // All that the file says when it is read, then as many as `retries` says.
    #[schemars(example = json!({ "delays": [5, 300, 3600] }))]
    pub retry: RetrySchedule,
    /// How many of the delays are used unless a webhook asks for another number; left out: all.
    #[schemars(range(max = RETRIES_MAX), example = 2)]
    pub retries: Option<usize>,
    /// All delays, for webhooks that ask for more or fewer.
    #[serde(skip)]
    all_delays: Vec<u64>,
    /// When failures disable a webhook.
    #[serde(skip)]
    pub disable: DisableRule,
    /// When failures disable a webhook; left out: never.
    // What the file says; `disable` is the same, checked.
    #[serde(default, rename = "disable")]
    #[schemars(example = json!({ "gone": true, "failing_seconds": 86400 }))]
    written_disable: WrittenRule,
    /// Deliveries of one webhook in flight at once.
    #[serde(default = "default_max_in_flight")]
    #[schemars(range(min = 1, max = MAX_IN_FLIGHT_MAX), example = 8)]
    pub max_in_flight: u32,
    /// Requests to one endpoint; left out: as many as go.
    #[schemars(example = json!({ "per_minute": 100 }))]
    pub rate_limit: Option<RateLimit>,
    /// What an account may ask for.
    #[serde(default)]
    #[schemars(example = json!({ "webhooks_per_account": 10, "body_bytes_max": 65536 }))]
    pub limits: Limits,

    /// What a secret looks like.
    #[schemars(example = json!({ "key": "utf8", "bytes_min": 16, "bytes_max": 256 }))]
    pub secrets: SecretRule,
    /// Whether the URL of a webhook is a secret, as with the incoming webhooks of chats: keys that may not manage see only its host.
    #[serde(default)]
    #[schemars(example = true)]
    pub url_is_secret: bool,
    /// What an endpoint is asked before it gets deliveries; left out: nothing.
    #[schemars(example = json!({
        "send": { "type": "url_verification", "challenge": "{challenge}" },
        "expect": { "challenge": "{challenge}" },
    }))]
    pub challenge: Option<ChallengeRule>,
    /// How ids are spelled.
    #[serde(default, deserialize_with = "ids::ids")]
    #[schemars(with = "ids::Prefixes", example = json!({ "webhook": "wh_", "event": "evt_", "delivery": "del_" }))]
    pub ids: Ids,
    /// How times are written where a fact does not say it itself.
    #[serde(default = "default_times")]
    #[schemars(example = &"millis")]
    pub times: TimeForm,
    /// How the body is written.
    #[serde(default)]
    #[schemars(example = json!({ "json": "canonical", "numbers": "js" }))]
    pub body: BodyRule,
    /// What is made of an event's data before the body is; left out: nothing.
    #[serde(skip)]
    pub shape: Option<Shape>,
    /// What is made of an event's data before the body is made of it; left out: nothing. Paths are those of a webhook's filter:
    /// `@` is the event, `{type, data, actor, metadata}`, as it was published. A webhook's own shape comes behind it.
    // What the file says; `shape` is the same, vetted.
    #[serde(default, rename = "shape")]
    #[schemars(example = json!({ "drop": ["@.data.internal"], "rename": { "@.data.id": "parcel_id" } }))]
    written_shape: Option<Written>,
    /// What the body is: JSON of any shape. A fact that stands alone in a text is its JSON value; else it is filled into the
    /// text. The key `"..."` puts the fields of an object in its place.
    #[schemars(with = "pattern::Shape<pattern::InBody>")]
    #[schemars(example = json!({ "type": "{event.type}", "data": "{event.data}" }))]
    pub envelope: Envelope,
    /// The `User-Agent` of its requests.
    #[serde(default)]
    #[schemars(regex(pattern = pattern::PLAIN_ASCII), length(min = 1), example = &"Parcels-Webhooks/1.0")]
    pub user_agent: UserAgent,
    /// The headers of its requests, by name, beside `Content-Type`, `User-Agent` and those of signatures.
    #[serde(default, deserialize_with = "headers::header_rules")]
    #[schemars(schema_with = "headers::table_schema")]
    #[schemars(example = json!({ "X-Event": "{event.type}", "X-Delivery": "{delivery.id}" }))]
    pub headers: Vec<HeaderRule>,
    /// How requests prove who sends them: a list, so there may be several.
    #[serde(default)]
    #[schemars(example = json!([{
        "header": "X-Signature",
        "algorithm": "sha256",
        "encoding": "hex",
        "signed": "{body}",
        "value": "sha256={signature}",
    }]))]
    pub signature: Vec<SignatureRule>,

    /// The product's own API, if it has one beside the native one.
    #[schemars(example = Face::example())]
    pub face: Option<Face>,
    /// What it means that an event is of none of the types below.
    #[serde(default, rename = "event_types")]
    #[schemars(example = &"closed")]
    pub types: Types,
    /// The documented event types: a list.
    #[serde(default, rename = "event")]
    #[schemars(example = json!([{
        "type": "parcel.sent",
        "description": "A parcel has left the shop.",
        "sample": "{\"id\": 1}",
    }]))]
    pub catalogue: Vec<EventType>,
    /// The actor of test and sample events: a JSON object, as text.
    #[serde(default, deserialize_with = "catalogue::sample_object")]
    #[schemars(with = "Option<String>", regex(pattern = pattern::JSON_OBJECT), example = &"{\"name\": \"Ada\"}")]
    pub sample_actor: Option<Box<RawValue>>,
}

/// What an account may ask for; what is left out has no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Webhooks of this dialect in one account.
    #[schemars(example = 10)]
    pub webhooks_per_account: Option<u32>,
    /// First attempts of one webhook on one UTC day; what is over waits.
    #[schemars(example = 1000)]
    pub first_attempts_per_day: Option<u32>,
    /// The body that is sent, in bytes.
    #[schemars(example = 65536)]
    pub body_bytes_max: Option<usize>,
}

fn default_max_in_flight() -> u32 {
    64
}

fn default_times() -> TimeForm {
    TimeForm::Seconds
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
        self.shape = self.written_shape.clone().map(Shape::of).transpose()?;
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
            self.check_sample(known)?;
        }
        Ok(())
    }
}
