//! What a body says of events: one, an array, or one a line. What stays true: the producer's bytes of `data`,
//! `actor` and `metadata` are kept as they came, never re-written, and hold no body of which they are little; and what is wrong
//! with one of a thousand events is named by its index, its field and its line.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::api::http::batch::{self, Of, line_of};
pub use crate::api::http::batch::{Form, at};
use crate::api::http::problem::Problem;
use crate::api::http::request::Object;
use crate::domain::time::{self, UnixMs};
use crate::domain::{Invalid, event, json, labels};
use crate::store::NewEvent;

/// Events of one batch.
pub const BATCH_EVENTS_MAX: usize = 1000;

/// An event to publish.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventPublish)]
pub struct EventInput<'a> {
    /// 1 to 200 of `A-Z a-z 0-9 _ . : / -`.
    #[schema(example = "task.created", pattern = "^[A-Za-z0-9_.:/-]{1,200}$")]
    pub(super) r#type: String,
    /// Any JSON; receivers get it as it is written here.
    #[serde(borrow)]
    #[schema(value_type = serde_json::Value)]
    pub(super) data: &'a RawValue,
    /// Who did it, such as `user_id` and `email`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    pub(super) actor: Option<&'a RawValue>,
    /// Anything else about it.
    #[serde(borrow, default)]
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    pub(super) metadata: Option<&'a RawValue>,
    /// Your own id, 1 to 128 of `A-Z a-z 0-9 _ -`: the same event posted twice is accepted once.
    #[serde(default)]
    #[schema(pattern = "^[A-Za-z0-9_-]{1,128}$")]
    pub(super) id: Option<String>,
    /// When it happened, RFC 3339; now, if left out.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub(super) created_at: Option<String>,
    /// Webhooks with channels hear of it only if they share one of these; those without any hear of it too. At most 10, each 1 to
    /// 128 of `A-Z a-z 0-9 _ . : / -`.
    #[serde(default)]
    #[schema(max_items = 10, example = json!(["project/7"]))]
    pub(super) channels: Option<Vec<String>>,
    /// A test event goes to webhooks in test mode only; those get no others.
    #[serde(default)]
    pub(super) test: bool,
    /// Which account's event it is; for admin keys.
    #[serde(default)]
    pub account: Option<String>,
}

/// Reads the body without copying what it holds. What is wrong with it is found by a second, slower reading.
pub fn read(body: &[u8], ndjson: bool) -> Result<(Form, Vec<EventInput<'_>>), Problem> {
    let of = Of { noun: "event", max: BATCH_EVENTS_MAX };
    let (form, events) = batch::read::<Object<EventInput<'_>>>(body, ndjson, of)?;
    Ok((form, events.into_iter().map(|event| event.0).collect()))
}

/// Checks events and makes them ready for the store.
pub fn vet_all(body: &Bytes, form: Form, inputs: Vec<EventInput<'_>>) -> Result<Vec<NewEvent>, Problem> {
    let from = Keeping::of(body, &inputs);
    let mut events = Vec::with_capacity(inputs.len());
    for (index, input) in inputs.into_iter().enumerate() {
        let start = input.data.get().as_ptr() as usize - body.as_ptr() as usize;
        events.push(vet(&from, input).map_err(|invalid| {
            let problem = Problem::from(Invalid::new(at(form, index, &invalid.field), invalid.message));
            if form == Form::Lines {
                let line = line_of(body, start);
                problem.with_message(|message| format!("line {line}: {message}"))
            } else {
                problem
            }
        })?);
    }
    Ok(events)
}

fn vet(from: &Keeping<'_>, mut input: EventInput<'_>) -> Result<NewEvent, Invalid> {
    event::check_type(&input.r#type)?;
    let channels = labels::vet_channels(input.channels.take().unwrap_or_default())?;
    if let Some(name) = &input.id {
        event::check_name(name)?;
    }
    let created_at = input.created_at.as_deref().map(created_at).transpose()?;
    let fingerprint = input.id.is_some().then(|| fingerprint(&input, &channels, created_at));
    Ok(NewEvent {
        data: from.kept("data", input.data)?,
        actor: input.actor.map(|raw| from.kept_object("actor", raw)).transpose()?,
        metadata: input.metadata.map(|raw| from.kept_object("metadata", raw)).transpose()?,
        name: input.id,
        event_type: input.r#type,
        created_at,
        test: input.test,
        channels,
        fingerprint,
        trace: None,
    })
}

fn created_at(text: &str) -> Result<UnixMs, Invalid> {
    let wrong = || Invalid::new("created_at", "must be a time in RFC 3339, such as 2024-02-10T16:45:22Z");
    time::parse(text).ok_or_else(wrong)
}

/// How the bytes of events are kept: as parts of the body, or, where they are little of it, copied, so that what waits for the
/// store never holds more than twice what it says.
struct Keeping<'a> {
    body: &'a Bytes,
    copies: bool,
}

impl<'a> Keeping<'a> {
    fn of(body: &'a Bytes, inputs: &[EventInput<'_>]) -> Self {
        let length = |raw: Option<&RawValue>| raw.map_or(0, |raw| raw.get().len());
        let of_one = |input: &EventInput<'_>| length(Some(input.data)) + length(input.actor) + length(input.metadata);
        let kept: usize = inputs.iter().map(of_one).sum();
        Self { body, copies: kept < body.len() / 2 }
    }

    fn kept(&self, field: &str, raw: &RawValue) -> Result<Bytes, Invalid> {
        let bytes = raw.get().as_bytes();
        json::check(bytes).map_err(|refusal| Invalid::new(field, refusal.to_string()))?;
        Ok(if self.copies { Bytes::copy_from_slice(bytes) } else { self.body.slice_ref(bytes) })
    }

    fn kept_object(&self, field: &str, raw: &RawValue) -> Result<Bytes, Invalid> {
        let is_object = raw.get().starts_with('{');
        if is_object { self.kept(field, raw) } else { Err(Invalid::new(field, "must be a JSON object")) }
    }
}

/// A hash of all that makes an event the same event. Each part follows its length, so that none can pass for another.
fn fingerprint(input: &EventInput<'_>, channels: &[String], created_at: Option<UnixMs>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: Option<&[u8]>| {
        hash.update(bytes.map_or(u64::MAX, |bytes| bytes.len() as u64).to_be_bytes());
        hash.update(bytes.unwrap_or_default());
    };
    part(Some(input.r#type.as_bytes()));
    part(Some(input.data.get().as_bytes()));
    part(input.actor.map(|raw| raw.get().as_bytes()));
    part(input.metadata.map(|raw| raw.get().as_bytes()));
    part(input.test.then_some(b"test"));
    part(created_at.map(u64::to_be_bytes).as_ref().map(|bytes| bytes.as_slice()));
    // Behind all that is there in every event, so that one without channels is the same as before there were any.
    channels.iter().for_each(|channel| part(Some(channel.as_bytes())));
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the data that is kept of the event in `body` is a part of it.
    fn is_part(body: String) -> bool {
        let body = Bytes::from(body);
        let (form, inputs) = read(&body, false).expect("an event");
        let kept = vet_all(&body, form, inputs).expect("a good one").remove(0).data;
        assert!(kept.starts_with(b"\"data"));
        body.as_ptr_range().contains(&kept.as_ptr())
    }

    #[test]
    fn what_is_little_of_a_body_does_not_hold_all_of_it() {
        let event = |data: &str, rest: &str| format!(r#"{{"type":"a.b","data":"{data}"}}{rest}"#);
        let large = "data".repeat(1000);
        assert!(is_part(event(&large, "")));
        assert!(is_part(event(&large, &" ".repeat(3000))), "half of it");
        assert!(!is_part(event(&large, &" ".repeat(6000))));
        assert!(!is_part(event("data", &" ".repeat(1 << 20))));
    }
}
