//! Which cases a contract has room for, and why it has none for the others.

use super::edit;
use super::kind::Kind;
use super::make::unknown_type;
use super::subject::{EVENTS_MAX, Subject};
use crate::dialect::{BodyFormat, Dialect, JsonForm, Moment, Numbers, Placeholder, SignatureRule, Types};
use crate::domain::event::Event;

/// Any time will do where only the form of a body is looked at.
const SOME_TIME: u64 = 1_800_000_000_000;

/// An error says why not.
pub fn applies(kind: Kind, subject: &Subject) -> Result<(), String> {
    let dialect = subject.dialect();
    match kind {
        Kind::Challenge => holds(dialect.challenge.is_some(), "the contract asks nothing before it sends"),
        Kind::ForgedChallenge => {
            let forged = dialect.challenge.as_ref().is_some_and(|rule| rule.forged_status.is_some());
            holds(forged, "the contract asks no wrongly signed question")
        }
        Kind::EventsLeftOut(_) => Err(format!("{EVENTS_MAX} are sent at most; --events chooses which")),
        Kind::Event(_) | Kind::Repeated | Kind::InTime => Ok(()),
        Kind::UnknownField | Kind::UnknownDataField | Kind::UnknownType => grown(kind, subject),
        Kind::UpperCase => holds(dialect.header_keys().next().is_some(), "the contract has no headers of its own"),
        Kind::Big => match dialect.limits.body_bytes_max {
            None => Err("the contract states no greatest body (limits.body_bytes_max)".into()),
            Some(_) => has_text(subject),
        },
        Kind::ExactBytes => {
            written_in_one_way(dialect)?;
            holds(dialect.body.json == JsonForm::Verbatim, "the contract writes JSON in one way only")?;
            has_text(subject)
        }
        _ if dialect.signature.is_empty() => Err("the contract does not sign".into()),
        _ => signed(kind, subject),
    }
}

/// Those of a contract that signs.
fn signed(kind: Kind, subject: &Subject) -> Result<(), String> {
    let dialect = subject.dialect();
    match kind {
        Kind::NoSignature => {
            let why = "the signature is a field of the body; that it is empty is tried";
            holds(dialect.signatures_in_headers().next().is_some(), why)
        }
        Kind::FirstSignature | Kind::SecondSignature => {
            let carries = dialect.signature.iter().all(|rule| rule.several.is_some());
            holds(carries, "the contract's signatures carry one only, also while a secret rotates")?;
            holds(subject.stranger.is_some(), "a second key of this kind cannot be made here")
        }
        Kind::OldSecret => {
            let why = "no --old-secret was given: the one that the receiver takes as well while its secret rotates";
            holds(subject.old.is_some(), why)
        }
        Kind::ChangedBody | Kind::OtherBody | Kind::RespacedBody => body(kind, subject),
        Kind::OldTime | Kind::MovedTime => time(kind, dialect),
        Kind::ChangedId => holds(slots(dialect).any(|slot| is_id(&slot)), "ids are not signed beside the body"),
        Kind::OtherUrl => holds(dialect.signs_url(), "the URL is not signed"),
        _ => Ok(()),
    }
}

/// What a receiver may meet after the contract has grown.
fn grown(kind: Kind, subject: &Subject) -> Result<(), String> {
    let (dialect, event) = (subject.dialect(), subject.event(0, 0));
    let body = |event: Event| subject.body_of(event, SOME_TIME);
    let data = String::from_utf8_lossy(&event.data).into_owned();
    let with_more = edit::with_field(&data).map(|data| body(Event { data: data.into(), ..event.clone() }));
    let is_form = dialect.body.format == BodyFormat::Form;
    match kind {
        Kind::UnknownField => holds(is_form || body(event).starts_with(b"{"), "the body is no object"),
        Kind::UnknownDataField => {
            let with_more = with_more.ok_or("the event's data is no object")?;
            let plain = body(event);
            let same =
                edit::with_field(&String::from_utf8_lossy(&plain)).is_some_and(|text| text.as_bytes() == with_more);
            holds(!same && !is_form, "the body is the event's data, so the case before is this one")?;
            holds(plain != with_more, "the body does not hold the event's data")
        }
        _ => {
            holds(dialect.types != Types::Closed, "the catalogue is closed, so no other type is ever sent")?;
            let other = Event { event_type: unknown_type(&event.event_type), ..event.clone() };
            let in_body = body(event) != body(other);
            let is_type = |slot: &Placeholder| *slot == Placeholder::EventType;
            let in_header = dialect.headers.iter().any(|rule| rule.value.slots().any(is_type));
            holds(in_body || in_header, "requests do not tell an event's type beside its data")
        }
    }
}

fn body(kind: Kind, subject: &Subject) -> Result<(), String> {
    let dialect = subject.dialect();
    let is_signed = dialect.signature.iter().any(SignatureRule::signs_body);
    holds(is_signed, "the body is not signed: nothing vouches for it, so take requests over TLS only")?;
    match kind {
        Kind::OtherBody => {
            holds(subject.events.len() > 1, "one event is sent only; a changed body is tried")?;
            let of = |chosen| subject.body_of(subject.event(0, chosen), SOME_TIME);
            holds(of(0) != of(1), "two events have the same body; a changed one is tried")
        }
        Kind::RespacedBody => {
            written_in_one_way(dialect)?;
            let is_parsed = dialect.body.json == JsonForm::Canonical && dialect.body.numbers != Numbers::Exact;
            holds(!is_parsed, "the contract's body is what JSON.stringify writes, and may be verified so")?;
            let is_list = subject.body_of(subject.event(0, 0), SOME_TIME).starts_with(b"[");
            let is_object = subject.body_of(subject.event(0, 0), SOME_TIME).starts_with(b"{");
            holds(is_list || is_object, "the body is neither an object nor a list")
        }
        _ => Ok(()),
    }
}

fn time(kind: Kind, dialect: &Dialect) -> Result<(), String> {
    let is_time = |slot: Placeholder| matches!(slot.moment(), Some((Moment::Attempt, _)));
    let beside = slots(dialect).any(is_time);
    let in_body = dialect.time_in_body().is_some();
    match kind {
        Kind::OldTime => {
            holds(beside || in_body, "the time of an attempt is not signed, so an old one can be made new")
        }
        _ if in_body => Err("the time stands in the signed body; a changed body is tried".into()),
        _ => holds(beside, "the time of an attempt is not signed"),
    }
}

/// What is signed beside the body, those of headers that are signed whole among them.
fn slots(dialect: &Dialect) -> impl Iterator<Item = Placeholder> {
    let signed = dialect.signature.iter().flat_map(|rule| rule.signed.slots());
    signed.flat_map(|slot| match slot {
        Placeholder::Header(named) => dialect.headers[named.place].value.slots().cloned().collect(),
        other => vec![other.clone()],
    })
}

fn is_id(slot: &Placeholder) -> bool {
    use Placeholder::{AttemptId, DeliveryId, DeliveryUuid, EventId, EventUuid};
    matches!(slot, EventId | EventUuid | DeliveryId | DeliveryUuid | AttemptId)
}

fn written_in_one_way(dialect: &Dialect) -> Result<(), String> {
    holds(dialect.body.format == BodyFormat::Json, "the body is a form")
}

fn has_text(subject: &Subject) -> Result<(), String> {
    let data = &subject.events[0].sample;
    holds(edit::lengthened(data.get(), 0).is_some(), "the first event's sample has no text in it")
}

fn holds(it: bool, else_why: &str) -> Result<(), String> {
    if it { Ok(()) } else { Err(else_why.into()) }
}
