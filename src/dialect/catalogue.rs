//! The event types that a contract documents, each with a realistic sample. They feed documentation and test events, and
//! tell who writes another type which one was meant. What stays true: only a catalogue that says that it is closed refuses
//! anything; else an event of any other type is delivered all the same.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Dialect;
use super::nearest::Search;
use super::pattern;
use crate::domain::shape::{Budget, Facts, Unshaped};
use crate::domain::webhook::EventFilter;
use crate::domain::{Invalid, event, json};

/// What it means that a type is not documented.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Types {
    /// Nothing: those that are documented are examples.
    Examples,
    /// Most likely a mistake: it is taken, with a warning.
    #[default]
    Open,
    /// A mistake: it is refused.
    Closed,
}

/// A documented event type.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventType {
    /// For example `task.created`.
    #[serde(rename = "type", deserialize_with = "event_type")]
    #[schemars(schema_with = "pattern::event_type", example = &"parcel.sent")]
    pub name: String,
    /// When it is sent, in a sentence.
    #[schemars(example = &"When it is sent.")]
    pub description: String,
    /// An example of its `data`: JSON, as text, which keeps nulls and the order of keys.
    #[serde(deserialize_with = "sample")]
    #[schemars(with = "String", length(min = 1), example = &"{\"id\": 1}")]
    pub sample: Box<RawValue>,
    /// A JSON Schema of its `data`, as text, where the sample alone would mislead; left out: what the sample says.
    #[serde(default, rename = "schema", deserialize_with = "sample_object")]
    #[schemars(with = "Option<String>", regex(pattern = pattern::JSON_OBJECT), example = &"{\"type\": \"object\"}")]
    pub stated_schema: Option<Box<RawValue>>,
}

impl Dialect {
    /// Whether its catalogue says which types there are.
    pub fn tells_types(&self) -> bool {
        self.types != Types::Examples && !self.catalogue.is_empty()
    }

    /// A documented type as receivers get it: its sample is shaped, and so is its schema.
    pub fn received<'e>(&self, event: &'e EventType) -> Cow<'e, EventType> {
        let Some(shaped) = self.shaped_sample(event).ok().flatten() else { return Cow::Borrowed(event) };
        Cow::Owned(EventType { sample: shaped, stated_schema: None, ..event.clone() })
    }

    /// Asserts that a sample can be shaped, as examples show it.
    pub(super) fn check_sample(&self, event: &EventType) -> Result<(), Invalid> {
        let shaped = self.shaped_sample(event);
        let wrong = |why| Invalid::new("shape", format!("is too much for the sample of {}: {why}", event.name));
        shaped.map(drop).map_err(wrong)
    }

    /// What is sent of a sample; none where nothing is shaped.
    fn shaped_sample(&self, event: &EventType) -> Result<Option<Box<RawValue>>, Unshaped> {
        let Some(shape) = &self.shape else { return Ok(None) };
        let actor = self.sample_actor.as_ref().map(|actor| actor.get().as_bytes());
        let facts = Facts::of(&event.name, event.sample.get().as_bytes(), actor, None);
        let shaped = shape.apply(&facts, &mut Budget::of(facts.bytes()))?;
        let text = String::from_utf8(shaped).expect("a shape makes JSON of JSON");
        Ok(Some(RawValue::from_string(text).expect("a shape makes JSON of JSON")))
    }

    /// The documented type of this name.
    pub fn sample(&self, event_type: &str) -> Option<&EventType> {
        self.catalogue.iter().find(|known| known.name == event_type)
    }
}

/// What to tell of an event type, or of a filter for some, that no catalogue of these contracts has: a warning, or an error
/// where all of them are closed. Contracts that document nothing, or examples only, say nothing of it.
pub fn check_types(
    dialects: &[&Dialect],
    field: &str,
    wanted: &EventFilter,
    search: &Search,
) -> Result<Option<String>, Invalid> {
    let mut telling = dialects.iter().filter(|dialect| dialect.tells_types()).peekable();
    if *wanted == EventFilter::All || telling.peek().is_none() {
        return Ok(None);
    }
    let telling: Vec<&Dialect> = telling.copied().collect();
    let types = || telling.iter().flat_map(|dialect| &dialect.catalogue).map(|known| known.name.as_str());
    if types().any(|name| wanted.matches(name)) {
        return Ok(None);
    }
    let found = Invalid::new(field, not_documented(&telling, wanted, types(), search));
    if telling.iter().all(|dialect| dialect.types == Types::Closed) { Err(found) } else { Ok(Some(found.to_string())) }
}

fn not_documented<'d>(
    dialects: &[&Dialect],
    wanted: &EventFilter,
    types: impl Iterator<Item = &'d str>,
    search: &Search,
) -> String {
    let written = wanted.to_string();
    let names = dialects.iter().map(|dialect| dialect.name.as_str()).collect::<Vec<_>>();
    let more = match nearest_type(wanted, types, search) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("GET /api/v1/event-types?dialect={} lists what there is", names[0]),
    };
    format!("{written:?} is not among the event types of {}; {more}", names.join(", "))
}

/// What looks most like an event type, or a filter for some, among these types; none once the search is over.
pub fn nearest_type<'d>(wanted: &EventFilter, types: impl Iterator<Item = &'d str>, search: &Search) -> Option<String> {
    if search.is_over() {
        return None;
    }
    let mut like_it = BTreeSet::new();
    for name in types {
        let words = match wanted {
            EventFilter::Prefix(_) => stems(name).collect(),
            _ => vec![name.to_string()],
        };
        if !words.iter().all(|word| search.take_up(word)) {
            return None;
        }
        like_it.extend(words);
    }
    search.nearest(&wanted.to_string(), like_it.iter().map(String::as_str)).map(String::from)
}

/// The filters for all that starts like a type: `a.*` and `a.b.*` of `a.b.c`.
fn stems(name: &str) -> impl Iterator<Item = String> {
    name.match_indices('.').map(|(dot, _)| format!("{}.*", &name[..dot]))
}

fn event_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    event::check_type(&text).map_err(|invalid| de::Error::custom(invalid.message))?;
    Ok(text)
}

/// Reads JSON that stands as text in the file (which keeps nulls and the order of keys), and takes out its white space.
fn sample<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<RawValue>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let not_json = |error: serde_json::Error| de::Error::custom(format!("is not JSON: {error}"));
    // Strings are looked into only when the check, which names what is wrong with them, has passed.
    serde_json::from_str::<&RawValue>(&text).map_err(not_json)?;
    json::check(text.as_bytes()).map_err(de::Error::custom)?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(not_json)?;
    Ok(serde_json::value::to_raw_value(&value).expect("a JSON value can be written"))
}

/// As [`sample`], for a JSON object.
pub(super) fn sample_object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    let raw = sample(deserializer)?;
    match raw.get().starts_with('{') {
        true => Ok(Some(raw)),
        false => Err(de::Error::custom("must be a JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialects;

    #[test]
    fn the_nearest_documented_type_is_named_and_only_a_closed_catalogue_refuses() {
        let shipped = Dialects::shipped();
        let of = |name: &str| shipped.get(name).expect("it is shipped").as_ref();
        let told = |dialects: &[&Dialect], text: &str| {
            check_types(dialects, "events[0]", &EventFilter::parse(text).expect("a filter"), &Search::of_request())
        };
        let warned = |dialects: &[&Dialect], text: &str| told(dialects, text).expect("no catalogue is closed");
        let (taskflow, cathcr, standard) = (of("taskflow"), of("cathcr"), of("standard"));
        for known in ["task.created", "task.*", "*"] {
            assert_eq!(told(&[taskflow], known), Ok(None), "{known}");
        }
        let warning = warned(&[taskflow], "task.creatd").expect("a warning");
        let expected =
            "events[0]: \"task.creatd\" is not among the event types of taskflow; did you mean \"task.created\"?";
        assert_eq!(warning, expected);
        assert!(warned(&[taskflow], "taks.*").is_some_and(|text| text.ends_with("did you mean \"task.*\"?")));
        assert!(warned(&[taskflow], "zzz").is_some_and(|text| text.contains("event-types?dialect=taskflow")));
        // Another contract of the same account may document it, and examples tell nothing.
        assert_eq!(told(&[taskflow, cathcr], "thought.created"), Ok(None));
        assert_eq!(told(&[standard], "task.creatd"), Ok(None));
        assert_eq!(told(&[], "task.creatd"), Ok(None));
        let closed = Dialect { types: Types::Closed, ..taskflow.clone() };
        let refused = told(&[&closed, standard], "task.creatd").expect_err("it is closed");
        assert_eq!((refused.field.as_str(), refused.message.contains("\"task.created\"?")), ("events[0]", true));
        assert!(warned(&[&closed, cathcr], "task.creatd").is_some(), "one of the two is open");
    }
}
