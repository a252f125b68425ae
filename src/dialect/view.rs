//! What one field of a face shows: a native field under another name, a constant, or a word for each native value.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use std::fmt;

use super::native::{self, Kind, Known, Spelling};
use super::nearest::nearest;
use super::ordered::ordered;
use super::pattern;
use super::placeholder::{Plain, refuse_any};

/// What one field of a face shows.
#[derive(Debug, Clone, PartialEq)]
pub enum View {
    /// `"created_at"`: a native field; `"error?"`: left out where it is null, unknown or an empty object. `secret` is
    /// always left out where it may not be shown: `"secret"` shows it in every reply to create, `"secret?"` only where
    /// it was generated.
    Native {
        /// Its native name.
        field: &'static str,
        /// How it is spelled.
        kind: Kind,
        /// Left out where it is null or empty.
        optional: bool,
    },
    /// `{ of = "success", true = "success", false = "failed" }`: a word for each value of a native field; a value
    /// without a word is shown as it is.
    Word {
        /// Its native name.
        field: &'static str,
        /// The native value as text, and what is shown for it.
        words: Vec<(String, Value)>,
    },
    /// `{ constant = … }`: always the same.
    Constant(Value),
}

/// Shows a native object through a face's fields.
pub(super) fn show(fields: &[(String, View)], native: &Map<String, Value>, spelling: &Spelling) -> Value {
    let shown = fields.iter().filter_map(|(name, view)| Some((name.clone(), view.show(native, spelling)?)));
    Value::Object(shown.collect())
}

impl View {
    fn show(&self, native: &Map<String, Value>, spelling: &Spelling) -> Option<Value> {
        let value = |field: &str| native.get(field).unwrap_or(&Value::Null);
        match self {
            Self::Native { field, optional: true, .. } if is_absent(value(field)) => None,
            Self::Native { field: "secret", .. } if value("secret").is_null() => None,
            Self::Native { field, kind, .. } => Some(spelling.spell(*kind, value(field))),
            Self::Word { field, words } => {
                let value = value(field);
                let text = value.as_str().map_or_else(|| value.to_string(), String::from);
                let word = words.iter().find(|(of, _)| *of == text).map(|(_, word)| word);
                Some(word.unwrap_or(value).clone())
            }
            Self::Constant(value) => Some(value.clone()),
        }
    }
}

fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}

pub(super) fn webhook_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, View)>, D::Error> {
    named(deserializer, ViewOf(native::WEBHOOK))
}

pub(super) fn row_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, View)>, D::Error> {
    named(deserializer, ViewOf(native::ROW))
}

pub(super) fn request_fields<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<(String, &'static str)>, D::Error> {
    named(d, NameOf(native::REQUEST))
}

pub(super) fn webhook_schema(_: &mut SchemaGenerator) -> Schema {
    views(native::WEBHOOK)
}

pub(super) fn row_schema(_: &mut SchemaGenerator) -> Schema {
    views(native::ROW)
}

pub(super) fn request_schema(_: &mut SchemaGenerator) -> Schema {
    names(native::REQUEST)
}

pub(super) fn test_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [names(native::TEST), { "const": "data" }] })
}

/// A table of native fields.
fn names(known: &'static Known) -> Schema {
    let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
    table(&json_schema!({ "title": "a native field", "enum": names }))
}

/// A table of what is shown.
fn views(known: &'static Known) -> Schema {
    let names: Vec<_> = known.iter().map(|(name, _)| name.to_string()).collect();
    let optional = names.iter().map(|name| format!("{name}?"));
    let all: Vec<_> = names.iter().cloned().chain(optional).collect();
    let plain = json!({ "if": { "type": "string" }, "then": { "pattern": pattern::PLAIN } });
    table(&json_schema!({
        "title": "what is shown",
        "anyOf": [
            { "title": "a native field", "enum": all },
            {
                "type": "object",
                "properties": { "constant": plain },
                "required": ["constant"],
                "additionalProperties": false,
            },
            {
                "type": "object",
                "properties": { "of": { "enum": names } },
                "required": ["of"],
                "minProperties": 2,
                "additionalProperties": plain,
            },
        ],
    }))
}

fn table(of: &Schema) -> Schema {
    json_schema!({ "type": "object", "propertyNames": { "pattern": pattern::PLAIN }, "additionalProperties": of })
}

/// Entries by name.
fn named<'de, D, S>(deserializer: D, seed: S) -> Result<Vec<(String, S::Value)>, D::Error>
where
    D: Deserializer<'de>,
    S: DeserializeSeed<'de> + Copy,
{
    let entries = ordered::<D, Plain, S>(deserializer, seed)?;
    Ok(entries.into_iter().map(|(Plain(name), value)| (name, value)).collect())
}

/// The body of a test call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestBody {
    /// Fields: the face's name, the native name.
    Fields(Vec<(String, &'static str)>),
    /// The whole body is the data to send.
    Data,
}

impl Default for TestBody {
    fn default() -> Self {
        Self::Fields(Vec::new())
    }
}

pub(super) fn test_body<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TestBody, D::Error> {
    deserializer.deserialize_any(AnyTestBody)
}

fn find(known: &'static Known, name: &str) -> Result<(&'static str, Kind), String> {
    let names = || known.iter().map(|(name, _)| *name);
    known.iter().find(|(known, _)| *known == name).copied().ok_or_else(|| {
        let near = nearest(name, names()).map_or(String::new(), |near| format!("the nearest is {near:?}; "));
        format!("{name:?} is no native field; {near}there are: {}", names().collect::<Vec<_>>().join(", "))
    })
}

#[derive(Clone, Copy)]
struct NameOf(&'static Known);

impl<'de> DeserializeSeed<'de> for NameOf {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameOf {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a native field")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        find(self.0, text).map(|(name, _)| name).map_err(E::custom)
    }
}

#[derive(Clone, Copy)]
struct ViewOf(&'static Known);

impl<'de> DeserializeSeed<'de> for ViewOf {
    type Value = View;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<View, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ViewOf {
    type Value = View;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a native field, { constant = … } or { of = \"field\", value = \"word\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<View, E> {
        let (name, optional) = text.strip_suffix('?').map_or((text, false), |name| (name, true));
        let (field, kind) = find(self.0, name).map_err(E::custom)?;
        Ok(View::Native { field, kind, optional })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<View, A::Error> {
        let mut of = None;
        let mut words = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "of" => of = Some(map.next_value_seed(NameOf(self.0))?),
                _ => {
                    let word = map.next_value::<Value>()?;
                    word.as_str().map_or(Ok(()), refuse_any).map_err(de::Error::custom)?;
                    words.push((key, word));
                }
            }
        }
        match (of, words.as_slice()) {
            (Some(field), [_, ..]) => Ok(View::Word { field, words }),
            (None, [(key, value)]) if key == "constant" => Ok(View::Constant(value.clone())),
            _ => Err(de::Error::custom("must be { constant = … } or { of = \"field\", value = \"word\", … }")),
        }
    }
}

struct AnyTestBody;

impl<'de> Visitor<'de> for AnyTestBody {
    type Value = TestBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of fields, or \"data\" where the whole body is the data to send")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TestBody, E> {
        match text {
            "data" => Ok(TestBody::Data),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TestBody, A::Error> {
        named(de::value::MapAccessDeserializer::new(map), NameOf(native::TEST)).map(TestBody::Fields)
    }
}
