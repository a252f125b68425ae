//! The facts that a dialect can send, and where each can be had. A fact that is not yet known where it is asked for (a
//! body is made before there is an attempt) is refused when the file is loaded, and so is one that is asked for where
//! nothing is filled in: it would go out as it stands in the file.

use serde::Deserialize;
use std::fmt;

use super::nearest::nearest;
use crate::domain::time::TimeForm;

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
    /// `{event.data.NAME}`: one field of the data, or null; also where the data is no object.
    Data(String),
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
    /// `{attempt.time}`: when the attempt is made, in the dialect's form of times.
    AttemptTime,
    /// `{attempt.unix}`: when the attempt is made, in Unix seconds; alone in a body it is a number.
    AttemptUnix,
    /// `{event.time:unix_ms}`, `{attempt.time:http}`: one of both times in a form of its own.
    TimeAs(Moment, TimeForm),
    /// `{attempt.token}`: 50 hexadecimal digits, others for each attempt.
    AttemptToken,
    /// `{attempt.method}`: how the attempt is made, which is always `POST`.
    AttemptMethod,
    /// `{webhook.url}`: as the webhook has it.
    WebhookUrl,
    /// `{header.NAME}`: the value of one of the dialect's own headers.
    Header(HeaderRef),
    /// `{body}`: the exact bytes sent.
    Body,
    /// `{body.sorted}`: the parameters of a form by their names, names and values strung together.
    BodySorted,
    /// `{signature}`: the encoded signature.
    Signature,
    /// `{challenge}`: the random text of an ownership check.
    Challenge,
}

/// Which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// When the event happened.
    Event,
    /// When the attempt is made.
    Attempt,
}

/// One of the dialect's own headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRef {
    /// As the file names it.
    pub name: String,
    /// Its place among the dialect's headers, once all of the file is read.
    pub place: usize,
}

/// Where a template stands; it decides which placeholders are there to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the body.
    Envelope,
    /// In a header: plain ASCII facts only.
    Header,
    /// What is signed.
    Signed,
    /// What carries the signature.
    Signature,
    /// What an endpoint is asked.
    Question,
    /// What it must answer.
    Answer,
}

impl Place {
    /// Whether what stands there is sent as a header.
    pub(super) fn is_header(self) -> bool {
        matches!(self, Self::Header | Self::Signature)
    }

    /// As the reference calls it.
    pub(super) fn called(self) -> &'static str {
        match self {
            Self::Envelope => "the body",
            Self::Header => "a header",
            Self::Signed => "what is signed",
            Self::Signature => "a signature's header",
            Self::Question => "a question",
            Self::Answer => "an answer",
        }
    }
}

const NAMES: [(&str, Placeholder); 25] = [
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
    ("webhook.url", Placeholder::WebhookUrl),
    ("delivery.id", Placeholder::DeliveryId),
    ("delivery.uuid", Placeholder::DeliveryUuid),
    ("attempt.id", Placeholder::AttemptId),
    ("attempt.number", Placeholder::AttemptNumber),
    ("attempt.retry", Placeholder::AttemptRetry),
    ("attempt.time", Placeholder::AttemptTime),
    ("attempt.unix", Placeholder::AttemptUnix),
    ("attempt.token", Placeholder::AttemptToken),
    ("attempt.method", Placeholder::AttemptMethod),
    ("body", Placeholder::Body),
    ("body.sorted", Placeholder::BodySorted),
    ("signature", Placeholder::Signature),
    ("challenge", Placeholder::Challenge),
];

impl Placeholder {
    /// All that have a name, each with where it can stand.
    pub fn everywhere() -> impl Iterator<Item = (&'static Self, Vec<&'static str>)> {
        use Place::{Answer, Envelope, Header, Question, Signature, Signed};
        let places = |slot: &Self| {
            let all = [Envelope, Header, Signed, Signature, Question, Answer];
            all.into_iter().filter(|place| slot.fits(*place)).map(Place::called).collect()
        };
        NAMES.iter().map(move |(_, slot)| (slot, places(slot)))
    }

    /// The names of those that can stand in this place, but for those below.
    pub(super) fn names(place: Place) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(_, slot)| slot.fits(place)).map(|(name, _)| *name)
    }

    /// The names of times in a form of their own that can stand there.
    pub(super) fn timed_names(place: Place) -> impl Iterator<Item = String> {
        let times = Self::names(place).filter(|name| name.ends_with(".time"));
        times.flat_map(|time| TimeForm::NAMED.iter().map(move |(form, _)| format!("{time}:{form}")))
    }

    /// What the names begin with that can stand there and end as one likes.
    pub(super) fn open_names(place: Place) -> impl Iterator<Item = &'static str> {
        let header = Self::Header(HeaderRef { name: String::new(), place: 0 });
        let data = Self::Data(String::new());
        let open = [("actor", Self::Actor(String::new())), ("event.data", data), ("header", header)];
        open.into_iter().filter(move |(_, slot)| slot.fits(place)).map(|(start, _)| start)
    }

    /// Those that stand for a JSON object or null.
    pub(super) fn objects() -> impl Iterator<Item = &'static Self> {
        NAMES.iter().map(|(_, slot)| slot).filter(|slot| slot.is_object())
    }

    /// Whether it stands for a JSON object or null.
    pub(super) fn is_object(&self) -> bool {
        matches!(self, Self::EventMetadata | Self::EventActor)
    }

    /// Which time it is, and in which form; `None` is the dialect's own.
    pub fn moment(&self) -> Option<(Moment, Option<TimeForm>)> {
        match self {
            Self::EventTime => Some((Moment::Event, None)),
            Self::EventUnix => Some((Moment::Event, Some(TimeForm::Unix))),
            Self::AttemptTime => Some((Moment::Attempt, None)),
            Self::AttemptUnix => Some((Moment::Attempt, Some(TimeForm::Unix))),
            Self::TimeAs(moment, form) => Some((*moment, Some(*form))),
            _ => None,
        }
    }

    /// Whether it is a number where it stands alone in a body, and `times` is the dialect's form of times.
    pub fn is_number(&self, times: TimeForm) -> bool {
        match self.moment() {
            Some((_, form)) => form.unwrap_or(times).is_number(),
            None => matches!(self, Self::AttemptNumber | Self::AttemptRetry),
        }
    }

    /// Whether it is known only when an attempt is made, not when a body is made for all webhooks.
    pub(super) fn is_late(&self) -> bool {
        use Placeholder::*;
        match self {
            WebhookId | WebhookUuid | WebhookUrl | DeliveryId | DeliveryUuid | AttemptId | AttemptNumber
            | AttemptRetry | AttemptToken | AttemptMethod | Signature | Challenge => true,
            other => other.moment().is_some_and(|(moment, _)| moment == Moment::Attempt),
        }
    }

    fn fits(&self, place: Place) -> bool {
        use Placeholder::*;
        match self {
            EventData | Data(_) | EventMetadata | EventActor | Actor(_) => place == Place::Envelope,
            AttemptRetry => matches!(place, Place::Header | Place::Envelope),
            AttemptMethod | Header(_) | Body | BodySorted => place == Place::Signed,
            Signature => matches!(place, Place::Signature | Place::Envelope | Place::Answer),
            Challenge => matches!(place, Place::Question | Place::Answer),
            _ => place != Place::Answer,
        }
    }

    fn why_not(place: Place) -> &'static str {
        match place {
            Place::Envelope => "the body holds facts of the event, the delivery and the attempt",
            Place::Header | Place::Signature => "a header holds plain facts",
            Place::Signed => "what is signed holds plain facts and the body",
            Place::Question => "a question is asked before there is an event",
            Place::Answer => "an endpoint can answer only what it was told",
        }
    }

    /// The placeholder of this name, if it can stand in this place; else what can.
    pub(super) fn named(name: &str, place: Place) -> Result<Self, String> {
        let here = || Self::names(place);
        let known = match name.split_once('.') {
            Some(("event", rest)) if rest.strip_prefix("data.").is_some_and(|field| !field.is_empty()) => {
                Some(Self::Data(rest["data.".len()..].to_string()))
            }
            Some(("actor", field)) if !field.is_empty() => Some(Self::Actor(field.to_string())),
            Some(("header", name)) if !name.is_empty() => {
                Some(Self::Header(HeaderRef { name: name.to_string(), place: usize::MAX }))
            }
            _ => match name.split_once(':') {
                Some((time, form)) => Self::timed(time, form)?,
                None => NAMES.iter().find(|(known, _)| *known == name).map(|(_, slot)| slot.clone()),
            },
        };
        let near = || nearest(name, here()).map_or(String::new(), |near| format!("; the nearest is {{{near}}}"));
        let why = match known {
            Some(slot) if slot.fits(place) => return Ok(slot),
            Some(_) => format!(" cannot stand here: {}", Self::why_not(place)),
            None => format!(" is not known{}", near()),
        };
        Err(format!("{{{name}}}{why}; there are: {}", here().collect::<Vec<_>>().join(", ")))
    }

    /// A time in a form of its own; `Ok(None)` if it is no time.
    fn timed(time: &str, form: &str) -> Result<Option<Self>, String> {
        let moment = match time {
            "event.time" => Moment::Event,
            "attempt.time" => Moment::Attempt,
            _ => return Ok(None),
        };
        let forms = || TimeForm::NAMED.iter().map(|(name, _)| *name);
        match TimeForm::NAMED.iter().find(|(name, _)| *name == form) {
            Some((_, TimeForm::Unix)) if moment == Moment::Event => Ok(Some(Self::EventUnix)),
            Some((_, TimeForm::Unix)) => Ok(Some(Self::AttemptUnix)),
            Some((_, form)) => Ok(Some(Self::TimeAs(moment, *form))),
            None => {
                let near = nearest(form, forms()).map_or(String::new(), |near| format!("; the nearest is {near}"));
                let all = forms().collect::<Vec<_>>().join(", ");
                Err(format!("{form:?} is no form of a time{near}; there are: {all}"))
            }
        }
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
                Self::Data(field) => write!(f, "{{event.data.{field}}}"),
                Self::Header(header) => write!(f, "{{header.{}}}", header.name),
                Self::TimeAs(moment, form) => {
                    let time = if *moment == Moment::Event { "event.time" } else { "attempt.time" };
                    let named = TimeForm::NAMED.iter().find(|(_, known)| known == form);
                    write!(f, "{{{time}:{}}}", named.map_or("", |(name, _)| *name))
                }
                _ => unreachable!("every other placeholder is in NAMES"),
            },
        }
    }
}
