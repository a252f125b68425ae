//! The facts that a dialect can send, and where each can be had. A fact that is not yet known where it is asked for (a
//! body is made before there is an attempt) is refused when the file is loaded, and so is one that is asked for where
//! nothing is filled in: it would go out as it stands in the file.

use serde::Deserialize;
use std::fmt;

use super::wording::nearest;

/// A fact that a dialect can send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// `{event.id}`: the producer's own id, else ours in the dialect's form.
    EventId,
    /// `{event.uuid}`: our id as a plain UUID.
    EventUuid,
    /// `{event.type}`
    EventType,
    /// `{event.time}`: when it happened, in the dialect's form of times.
    EventTime,
    /// `{event.unix}`: when it happened, in Unix seconds; alone in a body it is a number.
    EventUnix,
    /// `{event.data}`: any JSON.
    EventData,
    /// `{event.metadata}`: a JSON object or null.
    EventMetadata,
    /// `{event.actor}`: a JSON object or null.
    EventActor,
    /// `{actor.NAME}`: one field of the actor or null.
    Actor(String),
    /// `{account.id}`
    AccountId,
    /// `{webhook.id}`: in the dialect's form.
    WebhookId,
    /// `{webhook.uuid}`
    WebhookUuid,
    /// `{delivery.id}`: in the dialect's form; stable over a delivery's attempts.
    DeliveryId,
    /// `{delivery.uuid}`
    DeliveryUuid,
    /// `{attempt.id}`: its delivery's in the dialect's form, `_` and its number; another in each attempt.
    AttemptId,
    /// `{attempt.number}`: from 1.
    AttemptNumber,
    /// `{attempt.retry}`: which retry it is, from 1; a header with it is left out of the first attempt.
    AttemptRetry,
    /// `{attempt.unix}`: when the attempt is made, in Unix seconds.
    AttemptUnix,
    /// `{body}`: the exact bytes sent.
    Body,
    /// `{signature}`: the encoded HMAC.
    Signature,
}

/// Where a template stands; it decides which placeholders are there to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the body, which is made once an event and so cannot know the delivery or the attempt.
    Envelope,
    /// In a header: plain ASCII facts only.
    Header,
    /// What is signed.
    Signed,
    /// The header that carries the signature.
    Signature,
}

impl Place {
    /// Whether what stands there is sent as a header.
    pub(super) fn is_header(self) -> bool {
        matches!(self, Self::Header | Self::Signature)
    }
}

const NAMES: [(&str, Placeholder); 19] = [
    ("event.id", Placeholder::EventId),
    ("event.uuid", Placeholder::EventUuid),
    ("event.type", Placeholder::EventType),
    ("event.time", Placeholder::EventTime),
    ("event.unix", Placeholder::EventUnix),
    ("event.data", Placeholder::EventData),
    ("event.metadata", Placeholder::EventMetadata),
    ("event.actor", Placeholder::EventActor),
    ("account.id", Placeholder::AccountId),
    ("webhook.id", Placeholder::WebhookId),
    ("webhook.uuid", Placeholder::WebhookUuid),
    ("delivery.id", Placeholder::DeliveryId),
    ("delivery.uuid", Placeholder::DeliveryUuid),
    ("attempt.id", Placeholder::AttemptId),
    ("attempt.number", Placeholder::AttemptNumber),
    ("attempt.retry", Placeholder::AttemptRetry),
    ("attempt.unix", Placeholder::AttemptUnix),
    ("body", Placeholder::Body),
    ("signature", Placeholder::Signature),
];

impl Placeholder {
    /// Whether it stands for a JSON object or null.
    pub(super) fn is_object(&self) -> bool {
        matches!(self, Self::EventMetadata | Self::EventActor)
    }

    fn fits(&self, place: Place) -> bool {
        use Placeholder::*;
        match self {
            EventId | EventUuid | EventType | EventTime | EventUnix | AccountId | WebhookId | WebhookUuid => true,
            EventData | EventMetadata | EventActor | Actor(_) => place == Place::Envelope,
            DeliveryId | DeliveryUuid | AttemptId | AttemptNumber | AttemptUnix => place != Place::Envelope,
            AttemptRetry => place == Place::Header,
            Body => place == Place::Signed,
            Signature => place == Place::Signature,
        }
    }

    fn why_not(place: Place) -> &'static str {
        match place {
            Place::Envelope => "the body is made once an event, before there is an attempt",
            Place::Header | Place::Signature => "a header holds plain facts",
            Place::Signed => "what is signed holds plain facts and the body",
        }
    }

    /// The placeholder of this name, if it can stand in this place; else what can.
    pub(super) fn named(name: &str, place: Place) -> Result<Self, String> {
        let here = || NAMES.iter().filter(|(_, slot)| slot.fits(place)).map(|(name, _)| *name);
        let known = match name.strip_prefix("actor.") {
            Some(field) if !field.is_empty() => Some(Self::Actor(field.to_string())),
            _ => NAMES.iter().find(|(known, _)| *known == name).map(|(_, slot)| slot.clone()),
        };
        let near = || nearest(name, here()).map_or(String::new(), |near| format!("; the nearest is {{{near}}}"));
        let why = match known {
            Some(slot) if slot.fits(place) => return Ok(slot),
            Some(_) => format!(" cannot stand here: {}", Self::why_not(place)),
            None => format!(" is not known{}", near()),
        };
        Err(format!("{{{name}}}{why}; there are: {}", here().collect::<Vec<_>>().join(", ")))
    }
}

/// Text of a dialect file in which nothing is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Plain(pub String);

impl TryFrom<String> for Plain {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        refuse_any(&text).map(|()| Self(text))
    }
}

/// Refuses text with a placeholder in it, where none can be had.
pub(super) fn refuse_any(text: &str) -> Result<(), String> {
    match text.split_once('{').and_then(|(_, after)| after.split_once('}')) {
        Some((name, _)) => Err(format!("{{{name}}} cannot stand here: nothing is filled in; write it as it is sent")),
        None => Ok(()),
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, slot)| slot == self) {
            Some((name, _)) => write!(f, "{{{name}}}"),
            None => match self {
                Self::Actor(field) => write!(f, "{{actor.{field}}}"),
                _ => unreachable!("every other placeholder is in NAMES"),
            },
        }
    }
}
