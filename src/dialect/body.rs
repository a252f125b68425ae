//! The bytes of a request: what a dialect makes of an event, once an event and dialect. What is known only at the attempt,
//! where a contract has it in the body (the webhook's id, the time, the signature itself), is filled in then. A body
//! without such facts is the same for all webhooks and all attempts.

use std::borrow::Cow;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Dialect;
use super::canonical::{JsonForm, LostNumber, Numbers, lost_numbers};
use super::envelope::Envelope;
use super::form::{self, BodyFormat};
use super::headers::{AttemptFacts, ContentType};
use super::mac::SigningKey;
use super::maker::{Maker, inside_string};
use super::placeholder::{Moment, Placeholder};
use super::signature::Fill;
use super::template::Template;
use crate::domain::Invalid;
use crate::domain::event::Event;
use crate::domain::shape::{Budget, Facts, Shape, Unshaped};
use crate::domain::time::UnixMs;
use crate::domain::webhook::Webhook;

/// How the body is written.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BodyRule {
    /// JSON or a form.
    #[serde(default)]
    #[schemars(example = &"form")]
    pub format: BodyFormat,
    /// The `Content-Type`; left out: that of the format.
    #[schemars(example = &"application/vnd.parcels+json; charset=utf-8")]
    pub content_type: Option<ContentType>,
    /// How its JSON is written.
    #[serde(default)]
    #[schemars(example = &"canonical")]
    pub json: JsonForm,
    /// What becomes of numbers that JavaScript cannot hold.
    #[serde(default)]
    #[schemars(example = &"refuse")]
    pub numbers: Numbers,
}

/// A body that may still lack what is known only at the attempt.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// JSON if it lacks something, else as it is sent.
    bytes: Bytes,
    /// Where in `bytes` such a fact goes, ascending.
    holes: Vec<(usize, Placeholder)>,
}

impl Prepared {
    /// Whether all webhooks get the very same bytes.
    pub fn is_whole(&self) -> bool {
        self.holes.is_empty()
    }

    /// The JSON with all facts in it.
    pub(super) fn filled(&self, fill: Fill<'_>) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.bytes.len() + 64 * self.holes.len());
        let mut from = 0;
        let mut text = String::new();
        for (at, slot) in &self.holes {
            body.extend_from_slice(&self.bytes[from..*at]);
            text.clear();
            fill(slot, &mut text);
            inside_string(&mut body, &text);
            from = *at;
        }
        body.extend_from_slice(&self.bytes[from..]);
        body
    }
}

impl Dialect {
    /// Makes the body of an accepted event, but for what is known only at the attempt. Done once an event.
    ///
    /// # Panics
    /// If the event's `data`, `actor` or `metadata` is not JSON that `domain::json` lets through, or is too much for the
    /// dialect's shape: then [`Self::prepare_for`] says so.
    pub fn prepare(&self, event: &Event, account_id: &str) -> Prepared {
        self.prepare_for(event, account_id, None).expect("the event is not too much for the dialect's shape")
    }

    /// The same for a webhook with a shape of its own.
    ///
    /// # Errors
    /// The event is too much for a shape.
    ///
    /// # Panics
    /// If the event's `data`, `actor` or `metadata` is not JSON that `domain::json` lets through.
    pub fn prepare_for(&self, event: &Event, account_id: &str, own: Option<&Shape>) -> Result<Prepared, Unshaped> {
        self.prepare_within(event, account_id, own, Budget::of(facts(event, &event.data).bytes()))
    }

    /// The same where others wait: what takes long to shape ends as [`Unshaped::Steps`], and is to be prepared elsewhere.
    ///
    /// # Errors
    /// The event is too much for a shape, or for a moment.
    ///
    /// # Panics
    /// If the event's `data`, `actor` or `metadata` is not JSON that `domain::json` lets through.
    pub fn prepare_at_once(&self, event: &Event, account_id: &str, own: Option<&Shape>) -> Result<Prepared, Unshaped> {
        self.prepare_within(event, account_id, own, Budget::at_once(facts(event, &event.data).bytes()))
    }

    fn prepare_within(
        &self,
        event: &Event,
        account_id: &str,
        own: Option<&Shape>,
        mut budget: Budget,
    ) -> Result<Prepared, Unshaped> {
        let data = self.shaped(event, own, &mut budget)?;
        let mut prepared = self.write(&self.envelope, (event, &data), account_id);
        if prepared.is_whole() {
            prepared.bytes = self.formatted(prepared.bytes);
        }
        Ok(prepared)
    }

    /// An event's data as it is sent: as the dialect shapes it, and then the webhook. So what a contract leaves out is gone
    /// whatever a webhook asks for. Both have one budget, that of the event as it was published.
    pub fn shaped<'e>(
        &self,
        event: &'e Event,
        own: Option<&Shape>,
        budget: &mut Budget,
    ) -> Result<Cow<'e, [u8]>, Unshaped> {
        let mut data = Cow::Borrowed(&event.data[..]);
        for shape in self.shape.iter().chain(own) {
            let shaped = shape.apply(&facts(event, &data), budget)?;
            data = Cow::Owned(shaped);
        }
        Ok(data)
    }

    /// The JSON of any envelope, of an event and the data that is sent of it.
    pub(super) fn write(&self, envelope: &Envelope, (event, data): (&Event, &[u8]), account_id: &str) -> Prepared {
        let (bytes, holes) = Maker::make(self, envelope, (event, data), account_id);
        Prepared { bytes: bytes.into(), holes }
    }

    /// The body of one attempt: a cheap clone where it depends on nothing that is known only then.
    pub fn body(&self, prepared: &Prepared, what: &AttemptFacts<'_>, keys: &[SigningKey]) -> Bytes {
        if prepared.is_whole() {
            return prepared.bytes.clone();
        }
        let json = prepared.filled(&|slot, out| match slot {
            Placeholder::Signature => out.push_str(&self.signature_in_body(what, keys)),
            other => self.fact(what, other, out),
        });
        self.formatted(json.into())
    }

    pub(super) fn formatted(&self, json: Bytes) -> Bytes {
        match self.body.format {
            BodyFormat::Json => json,
            BodyFormat::Form => form::encode(&json).into(),
        }
    }

    /// Whether the attempts of one delivery have different bodies.
    pub fn body_varies(&self) -> bool {
        use Placeholder::{AttemptId, AttemptNumber, AttemptRetry, AttemptToken, Signature};
        let varies = |slot: &Placeholder| {
            let is_new = matches!(slot, AttemptId | AttemptNumber | AttemptRetry | AttemptToken | Signature);
            is_new || matches!(slot.moment(), Some((Moment::Attempt, _)))
        };
        self.envelope.templates().into_iter().flat_map(Template::slots).any(varies)
    }

    /// The body of a first attempt at `now`, without a signature in it.
    ///
    /// # Errors
    /// The event is too much for the dialect's shape, or for this one of the webhook's.
    pub fn first_body(
        &self,
        (event, now): (&Event, UnixMs),
        webhook: &Webhook,
        own: Option<&Shape>,
        account_id: &str,
    ) -> Result<Bytes, Unshaped> {
        let delivery = event.id.delivery_to(webhook.number());
        let first = AttemptFacts { event, webhook, account_id, delivery, attempt: 1, now };
        Ok(self.body(&self.prepare_for(event, account_id, own)?, &first, &[]))
    }

    /// The event's id as receivers see it: the producer's own as it is, ours in this dialect's form.
    pub fn event_id(&self, event: &Event) -> String {
        event.name.clone().unwrap_or_else(|| self.ids.event.spell(event.id.uuid()))
    }

    /// Looks for numbers in `json` (valid, the value of the event's `field`) that JavaScript cannot hold. A dialect with
    /// `numbers = "refuse"` refuses the first with its path; one with `"js"` hands back warnings that say what they become.
    pub fn check_numbers(&self, field: &str, json: &[u8]) -> Result<Vec<String>, Invalid> {
        let lost = if self.body.numbers == Numbers::Exact { Vec::new() } else { lost_numbers(json) };
        let warning = |LostNumber { path, becomes }| {
            let (path, name) = (format!("{field}{path}"), &self.name);
            match self.body.numbers {
                Numbers::Refuse => {
                    Err(Invalid::new(path, "is a number that JavaScript cannot hold; send it as a string"))
                }
                _ => Ok(format!("{path} is a number that JavaScript cannot hold; {name} webhooks get {becomes}")),
            }
        };
        lost.into_iter().map(warning).collect()
    }
}

/// What a shape sees of an event with this data.
fn facts<'e>(event: &'e Event, data: &'e [u8]) -> Facts<'e> {
    Facts::of(&event.event_type, data, event.actor.as_deref(), event.metadata.as_deref())
}
