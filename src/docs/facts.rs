//! What the facts are that a dialect sends, in words, and where receivers find each.

use super::block::{Text, row};
use super::words;
use crate::dialect::{Dialect, Envelope, Member, Moment, Placeholder, SignatureRule, Step, Template};
use crate::domain::time::TimeForm;

/// Whether requests are signed.
pub(super) fn signs(dialect: &Dialect) -> bool {
    !dialect.signature.is_empty()
}

/// A fact's short name, such as `timestamp`.
pub(super) fn name(slot: &Placeholder) -> String {
    match slot {
        Placeholder::WebhookUrl => "url".into(),
        time if matches!(time.moment(), Some((Moment::Attempt, _))) => "timestamp".into(),
        Placeholder::Signature => "signature".into(),
        Placeholder::Body => "body".into(),
        other => other.to_string().trim_matches(['{', '}']).replace(['.', '_', ':'], "-"),
    }
}

/// What a fact is.
pub fn meaning(slot: &Placeholder) -> String {
    match slot {
        Placeholder::EventId | Placeholder::EventUuid => "the event's id: the same in every attempt and every replay",
        Placeholder::EventType => "the event's type: what happened",
        Placeholder::EventData => "the event's own data: see the events below",
        Placeholder::Data(field) => return format!("the `{field}` of the event's own data, or null"),
        Placeholder::EventMetadata => "what the sender adds to the event, or null",
        Placeholder::EventActor => "who did it, or null",
        Placeholder::Actor(field) => return format!("the `{field}` of who did it, or null"),
        Placeholder::AccountId => "the id of the account that the event belongs to",
        Placeholder::WebhookId | Placeholder::WebhookUuid => "the id of the webhook that this request is for",
        Placeholder::DeliveryId | Placeholder::DeliveryUuid => {
            "the delivery's id: the same in every attempt of one delivery, another in a replay"
        }
        Placeholder::AttemptId => "the attempt's id: another in each attempt, also of one delivery",
        Placeholder::AttemptNumber => "the number of the attempt, from 1",
        Placeholder::AttemptRetry => "which retry it is, from 1",
        Placeholder::AttemptToken => "text that no other attempt has",
        Placeholder::AttemptMethod => "`POST`",
        Placeholder::WebhookUrl => "the URL of the webhook, as it was registered",
        Placeholder::Header(named) => return format!("the value of the header `{}`", named.name),
        Placeholder::Body => "the raw body",
        Placeholder::BodySorted => {
            "the parameters of the form, decoded and sorted by name, each name followed by its value, with nothing between"
        }
        Placeholder::Signature => "the signature",
        Placeholder::Challenge => "random text",
        Placeholder::EventTime
        | Placeholder::EventUnix
        | Placeholder::AttemptTime
        | Placeholder::AttemptUnix
        | Placeholder::TimeAs(..) => return time(slot),
    }
    .into()
}

/// What a time is, and in which form.
fn time(slot: &Placeholder) -> String {
    let Some((moment, form)) = slot.moment() else { return String::new() };
    let when = match moment {
        Moment::Event => "when it happened",
        Moment::Attempt => "when this attempt was made",
    };
    let form = match form {
        None | Some(TimeForm::Seconds | TimeForm::Millis | TimeForm::Micros) => "in UTC",
        Some(TimeForm::Unix) => "in Unix seconds",
        Some(TimeForm::UnixMs) => "in Unix milliseconds",
        Some(TimeForm::Http) => "as HTTP writes dates",
    };
    format!("{when}, {form}")
}

/// Where a receiver finds a fact: a header that tells it.
pub(super) fn told_in(dialect: &Dialect, slot: &Placeholder) -> String {
    let tells = |template: &Template| template.slots().any(|known| known == slot);
    let in_own = |rule: &&SignatureRule| tells(&rule.value) || rule.before.as_ref().is_some_and(tells);
    let own = dialect.signature.iter().find(in_own).and_then(|rule| rule.header.as_ref());
    let header = own.or_else(|| dialect.headers.iter().find(|header| tells(&header.value)).map(|header| &header.key));
    match header {
        Some(key) => format!("in the header `{}`", key.spelled),
        None => match dialect.envelope.path_of(slot) {
            Some(path) => format!("`{}` of the body", place(&path)),
            None => meaning(slot),
        },
    }
}

/// A place in the body, such as `signature.token`.
pub(super) fn place(path: &[Step]) -> String {
    path.iter().fold(String::new(), |text, step| match step {
        Step::Key(name) if text.is_empty() => name.clone(),
        Step::Key(name) => format!("{text}.{name}"),
        Step::Item(n) => format!("{text}[{n}]"),
    })
}

/// The header whose whole value is one of these facts.
pub(super) fn header_of<'d>(dialect: &'d Dialect, slots: &[Placeholder]) -> Option<&'d str> {
    let is = |template: &Template| template.alone().is_some_and(|slot| slots.contains(slot));
    dialect.headers.iter().find(|header| is(&header.value)).map(|header| header.key.spelled.as_str())
}

/// The field of the body whose whole value is one of these facts.
pub(super) fn field_of(dialect: &Dialect, slots: &[Placeholder]) -> Option<String> {
    let mut found = None;
    walk(&dialect.envelope, "", &mut |path, value| {
        if let Value::Template(template) = value
            && template.alone().is_some_and(|slot| slots.contains(slot))
            && !path.is_empty()
        {
            found.get_or_insert(path.to_string());
        }
    });
    found
}

/// A row for each field of the body; none where the body is the data itself.
pub(super) fn fields(dialect: &Dialect) -> Vec<Vec<Text>> {
    let mut rows = Vec::new();
    walk(&dialect.envelope, "", &mut |path, value| {
        if path.is_empty() {
            return;
        }
        let said = match value {
            Value::Template(template) => match template.only() {
                Some(slot) => meaning(slot),
                None => format!("`{template}`"),
            },
            Value::Spread(slot) => format!("{}, field by field", meaning(slot)),
            Value::Constant(text) => format!("always `{text}`"),
        };
        rows.push(row![Text::code(path), said]);
    });
    rows
}

/// A leaf of the envelope.
enum Value<'e> {
    Template(&'e Template),
    Spread(&'e Placeholder),
    Constant(&'e str),
}

fn walk(envelope: &Envelope, path: &str, visit: &mut impl FnMut(&str, Value<'_>)) {
    match envelope {
        Envelope::Text(template) => visit(path, Value::Template(template)),
        Envelope::Constant(text) => visit(path, Value::Constant(text)),
        Envelope::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| walk(item, &format!("{path}[{n}]"), visit));
        }
        Envelope::Object(members) => {
            let under = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            for member in members {
                match member {
                    Member::Field(name, value) => walk(value, &under(name), visit),
                    Member::Spread(slot) => visit(&under("…"), Value::Spread(slot)),
                }
            }
        }
    }
}

/// The rule of success in words, such as `2xx`.
pub fn statuses(dialect: &Dialect) -> String {
    let ticked: Vec<String> =
        Vec::<String>::from(dialect.success.clone()).into_iter().map(|range| format!("`{range}`")).collect();
    words::list(&ticked)
}
