//! The event types that a contract documents, each with a realistic sample. They feed documentation and test events and
//! are no whitelist: an event of any other type is delivered all the same.

use serde::Deserialize;
use serde::de::{self, Deserializer};
use serde_json::value::RawValue;

use super::Dialect;
use crate::domain::{event, json};

/// A documented event type.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventType {
    /// For example `task.created`.
    #[serde(rename = "type", deserialize_with = "event_type")]
    pub name: String,
    /// When it is sent, in a sentence.
    pub description: String,
    /// An example of its `data`: compact JSON.
    #[serde(deserialize_with = "sample")]
    pub sample: Box<RawValue>,
    /// A JSON Schema of its `data`, where the sample alone would mislead.
    #[serde(default, rename = "schema", deserialize_with = "sample_object")]
    pub stated_schema: Option<Box<RawValue>>,
}

impl Dialect {
    /// The documented type of this name.
    pub fn sample(&self, event_type: &str) -> Option<&EventType> {
        self.catalogue.iter().find(|known| known.name == event_type)
    }
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
