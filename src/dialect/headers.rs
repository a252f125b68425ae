//! The headers of an attempt, and the facts of it. Names and constant values are made when the dialect is loaded; an attempt only fills in
//! the facts. All facts are visible ASCII (ids, numbers, times, event types), so a header can always be written.

use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

use super::Dialect;
use super::encoding::hex;
use super::form::BodyFormat;
use super::mac::{Algorithm, SigningKey};
use super::ordered::ordered;
use super::pattern;
use super::placeholder::{Moment, Place, Placeholder, refuse_any};
use super::template::{Template, TemplateAt};
use crate::domain::endpoint::HOP_HEADER;
use crate::domain::event::Event;
use crate::domain::id::{AttemptId, DeliveryId};
use crate::domain::time::{self, UnixMs};
use crate::domain::webhook::Webhook;

/// How deliveries are made.
pub(super) const METHOD: &str = "POST";
/// The length of `{attempt.token}`.
const TOKEN_DIGITS: usize = 50;
/// Headers that HTTP or Hookwheel sets, so a dialect cannot.
pub(super) const RESERVED: [&str; 8] =
    ["host", "content-length", "content-type", "transfer-encoding", "connection", "user-agent", "upgrade", HOP_HEADER];

/// A header's name, as it is sent and as the contract spells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HeaderKey {
    /// As it is sent (HTTP does not tell upper from lower case).
    pub name: HeaderName,
    /// As the contract spells it.
    pub spelled: String,
}

impl TryFrom<String> for HeaderKey {
    type Error = String;

    fn try_from(spelled: String) -> Result<Self, String> {
        let name = HeaderName::from_bytes(spelled.as_bytes()).map_err(|_| format!("{spelled:?} is no header name"))?;
        if RESERVED.contains(&name.as_str()) {
            let keys = "user_agent and body.content_type have keys of their own";
            return Err(format!("{spelled} is set by Hookwheel; {keys}"));
        }
        Ok(Self { name, spelled })
    }
}

impl JsonSchema for HeaderKey {
    fn schema_name() -> Cow<'static, str> {
        "HeaderKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        name_schema()
    }
}

fn name_schema() -> Schema {
    let any_case = |name: &&str| -> String {
        let both =
            |c: char| if c.is_ascii_alphabetic() { format!("[{}{c}]", c.to_ascii_uppercase()) } else { c.into() };
        name.chars().map(both).collect()
    };
    let reserved = RESERVED.iter().map(any_case).collect::<Vec<_>>().join("|");
    json_schema!({
        "type": "string",
        "title": "the name of a header",
        "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        "not": { "pattern": format!("^({reserved})$") },
    })
}

/// A header that a dialect sends with every attempt.
#[derive(Debug, Clone)]
pub struct HeaderRule {
    /// Its name.
    pub key: HeaderKey,
    /// Its value.
    pub value: Template,
    pub(super) constant: Option<HeaderValue>,
}

impl HeaderRule {
    /// Whether the first attempt goes without it.
    pub fn retries_only(&self) -> bool {
        self.value.slots().any(|slot| *slot == Placeholder::AttemptRetry)
    }
}

/// The `User-Agent` of a dialect.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct UserAgent(HeaderValue);

impl UserAgent {
    /// The header's text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("it was made of visible ASCII")
    }
}

impl TryFrom<String> for UserAgent {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() || !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err("must be visible ASCII, such as \"Product-Webhooks/1.0\"".into());
        }
        refuse_any(&text)?;
        Ok(Self(HeaderValue::from_str(&text).expect("visible ASCII is a header value")))
    }
}

impl From<UserAgent> for String {
    fn from(agent: UserAgent) -> Self {
        agent.as_str().to_string()
    }
}

impl Default for UserAgent {
    fn default() -> Self {
        Self(HeaderValue::from_static(concat!("Hookwheel/", env!("CARGO_PKG_VERSION"))))
    }
}

/// The `Content-Type` of a dialect.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("pattern" = pattern::MEDIA_TYPE))]
pub struct ContentType(HeaderValue);

impl ContentType {
    /// What a body of this format is.
    fn of(format: BodyFormat) -> Self {
        Self(HeaderValue::from_static(match format {
            BodyFormat::Json => "application/json",
            BodyFormat::Form => "application/x-www-form-urlencoded",
        }))
    }

    /// The header's text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("it was made of visible ASCII")
    }
}

impl TryFrom<String> for ContentType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let token =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b));
        let essence = text.split(';').next().unwrap_or_default().trim_end();
        let is_type = essence.split_once('/').is_some_and(|(one, other)| token(one) && token(other));
        if !is_type || !text.bytes().all(|b| (0x20..0x7f).contains(&b) && !b"{}".contains(&b)) {
            return Err("must be a media type, such as \"application/cloudevents+json; charset=utf-8\"".into());
        }
        Ok(Self(HeaderValue::from_str(&text).expect("visible ASCII is a header value")))
    }
}

/// Reads the table of headers.
pub(super) fn header_rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HeaderRule>, D::Error> {
    let entries = ordered::<D, HeaderKey, _>(deserializer, TemplateAt(Place::Header))?;
    let rule = |(key, value): (HeaderKey, Template)| {
        let constant = value.constant().map(header_value);
        HeaderRule { key, value, constant }
    };
    Ok(entries.into_iter().map(rule).collect())
}

/// What an attempt is about.
#[derive(Debug, Clone, Copy)]
pub struct AttemptFacts<'a> {
    /// What is delivered.
    pub event: &'a Event,
    /// Where it goes.
    pub webhook: &'a Webhook,
    /// Whose both are.
    pub account_id: &'a str,
    /// The delivery; the same for all its attempts.
    pub delivery: DeliveryId,
    /// From 1.
    pub attempt: u16,
    /// When the attempt is made.
    pub now: UnixMs,
}

impl Dialect {
    /// What its bodies are.
    pub fn content_type(&self) -> ContentType {
        self.body.content_type.clone().unwrap_or_else(|| ContentType::of(self.body.format))
    }

    /// Appends the headers of an attempt: content type, user agent, the dialect's own, and the signatures of `body`
    /// with `keys`, the newest first. A signature rule that cannot carry several uses the first. Without keys nothing is
    /// signed.
    pub fn headers(
        &self,
        what: &AttemptFacts<'_>,
        body: &[u8],
        keys: &[SigningKey],
        out: &mut Vec<(HeaderName, HeaderValue)>,
    ) {
        out.push((CONTENT_TYPE, self.content_type().0));
        out.push((USER_AGENT, self.user_agent.0.clone()));
        let mut text = String::new();
        for rule in self.headers.iter().filter(|rule| what.attempt > 1 || !rule.retries_only()) {
            let value = rule.constant.clone().unwrap_or_else(|| {
                text.clear();
                rule.value.write(&mut text, |slot, out| self.fact(what, slot, out));
                header_value(&text)
            });
            out.push((rule.key.name.clone(), value));
        }
        if keys.is_empty() {
            return;
        }
        for (rule, key) in self.signatures_in_headers() {
            let value = rule.header_text(keys, body, &|slot, out| self.fact(what, slot, out));
            out.push((key.name.clone(), header_value(&value)));
        }
    }

    /// Whether the dialect sets this header itself, so that a webhook's custom headers may not.
    pub fn sets_header(&self, name: &str) -> bool {
        self.header_keys().any(|key| name.eq_ignore_ascii_case(key.name.as_str()))
    }

    /// The headers that it sets, those of signatures last.
    pub fn header_keys(&self) -> impl Iterator<Item = &HeaderKey> {
        self.headers.iter().map(|rule| &rule.key).chain(self.signatures_in_headers().map(|(_, key)| key))
    }

    /// Whether this header shows a secret as it is, so that nobody else may see it.
    pub fn shows_secret(&self, name: &HeaderName) -> bool {
        self.signatures_in_headers().any(|(rule, key)| key.name == *name && rule.algorithm == Algorithm::Secret)
    }

    pub(super) fn fact(&self, what: &AttemptFacts<'_>, slot: &Placeholder, out: &mut String) {
        match slot {
            Placeholder::EventId => out.push_str(&self.event_id(what.event)),
            Placeholder::EventUuid => out.push_str(&what.event.id.to_string()),
            Placeholder::EventType => out.push_str(&what.event.event_type),
            Placeholder::AccountId => out.push_str(what.account_id),
            Placeholder::WebhookId => out.push_str(&self.ids.webhook.spell(what.webhook.id.uuid())),
            Placeholder::WebhookUuid => out.push_str(&what.webhook.id.to_string()),
            Placeholder::WebhookUrl => out.push_str(what.webhook.url.as_str()),
            Placeholder::DeliveryId => out.push_str(&self.ids.delivery.spell(what.delivery.uuid())),
            Placeholder::DeliveryUuid => out.push_str(&what.delivery.to_string()),
            Placeholder::AttemptId => {
                let id = AttemptId { delivery: what.delivery, number: what.attempt };
                out.push_str(&self.ids.delivery.spell_attempt(id));
            }
            Placeholder::AttemptNumber => out.push_str(&what.attempt.to_string()),
            Placeholder::AttemptRetry => out.push_str(&(what.attempt - 1).to_string()),
            Placeholder::AttemptMethod => out.push_str(METHOD),
            Placeholder::AttemptToken => out.push_str(&what.token()),
            Placeholder::Header(header) => {
                self.headers[header.place].value.write(out, |slot, out| self.fact(what, slot, out));
            }
            _ => match slot.moment() {
                Some((Moment::Event, form)) => {
                    out.push_str(&time::write(what.event.created_at, form.unwrap_or(self.times)));
                }
                Some((Moment::Attempt, form)) => out.push_str(&time::write(what.now, form.unwrap_or(self.times))),
                None => unreachable!("{slot} is no fact of an attempt"),
            },
        }
    }
}

impl AttemptFacts<'_> {
    /// Text that no other attempt has. It is no secret.
    fn token(&self) -> String {
        let hash = Sha256::new()
            .chain_update(self.delivery.uuid().as_bytes())
            .chain_update(self.attempt.to_be_bytes())
            .chain_update(self.now.to_be_bytes());
        hex(&hash.finalize())[..TOKEN_DIGITS].to_string()
    }
}

/// What a table of headers is.
pub(super) fn table_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "propertyNames": name_schema(), "additionalProperties": pattern::header(generator) })
}

pub(super) fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("templates of headers and the facts of an accepted event are visible ASCII")
}
