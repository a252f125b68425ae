//! The documented events, each with the body that is really sent for its sample, and the schema of its data.

use std::collections::BTreeMap;

use super::block::{Draft, code, row};
use super::facts;
use super::json::{pretty, pretty_bytes};
use super::sample::Example;
use super::words;
use crate::dialect::{BodyFormat, Dialect, EventType, JsonForm, Types};

/// The whole section.
pub(super) fn write(draft: &mut Draft, dialect: &Dialect, example: &Example<'_>) {
    let groups = groups(dialect);
    let rows = dialect.catalogue.iter().map(|known| row![format!("`{}`", known.name), known.description.as_str()]);
    if dialect.catalogue.is_empty() {
        draft.say("No events are documented.");
    } else {
        let others = match dialect.types {
            Types::Examples => " They are examples: others may be sent.",
            Types::Open => " Others may be sent.",
            Types::Closed => " No others are sent.",
        };
        let filters = filters(dialect);
        draft.say(format!("These types are documented.{others} A webhook names the ones it wants: {filters}."));
        draft.table("Events", &["Type", "When"], rows.collect());
    }
    body(draft, dialect);
    for (name, known) in groups {
        draft.heading(3, format!("{} events", words::capital(&name.replace(['_', '-'], " "))));
        for one in known {
            event(draft, example, one);
        }
    }
}

/// What event filters there are.
pub(super) fn filters(dialect: &Dialect) -> String {
    match dialect.catalogue.iter().find_map(|known| known.name.split_once('.')) {
        Some((stem, _)) => format!("exact types, `{stem}.*` for all that start so, or `*` for all"),
        None => "exact types, or `*` for all".into(),
    }
}

/// What every body looks like.
fn body(draft: &mut Draft, dialect: &Dialect) {
    draft.heading(3, "Body");
    let fields = facts::fields(dialect);
    if fields.is_empty() {
        draft.say("The body is the event's own data, as it stands with each event below.");
    } else {
        draft.say("Every body has these fields:");
        draft.table("Fields of a body", &["Field", "Meaning"], fields);
    }
    if dialect.body.format == BodyFormat::Form {
        draft.say(
            "It is sent as a form: a parameter for each of its fields, texts as they are, nothing for null, lists and \
             objects as JSON. The examples are what is sent.",
        );
        return;
    }
    draft.say(match dialect.body.json {
        JsonForm::Canonical => "The examples are indented for reading. What is sent has no white space between its parts.",
        JsonForm::Verbatim => {
            "The examples are indented for reading. What is sent has the white space of the data as the sender wrote it."
        }
    });
}

fn event(draft: &mut Draft, example: &Example<'_>, event: &EventType) {
    draft.heading(4, format!("`{}`", event.name));
    draft.say(event.description.as_str());
    let body = example.body(event);
    match example.is_form() {
        true => draft.code("text", String::from_utf8_lossy(&body)),
        false => draft.code("json", pretty_bytes(&body)),
    }
    draft.details(
        format!("JSON Schema of the data of `{}`", event.name),
        vec![code("json", pretty(&example.received(event).schema()))],
    );
}

/// Events by the part before the first dot or slash, in the order of the file.
fn groups(dialect: &Dialect) -> Vec<(String, Vec<&EventType>)> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: Vec<(String, Vec<&EventType>)> = Vec::new();
    for known in &dialect.catalogue {
        let name = known.name.split(['.', '/']).next().unwrap_or_default();
        let place = *places.entry(name).or_insert(groups.len());
        if place == groups.len() {
            groups.push((name.to_string(), Vec::new()));
        }
        groups[place].1.push(known);
    }
    groups
}
