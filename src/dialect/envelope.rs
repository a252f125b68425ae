//! The shape of a body as a dialect file states it: a tree of templates, checked when it is read.

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

use super::canonical::array_index;
use super::placeholder::{Place, Placeholder, Plain};
use super::template::{Template, TemplateAt};

/// The body's shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Envelope {
    /// A placeholder alone is its JSON value (null where absent); any other text is a string.
    Text(Template),
    /// A number, `true` or `false`: the same in every body.
    Constant(String),
    /// A JSON array.
    Array(Vec<Envelope>),
    /// A JSON object, in this order. The fields of what is spread (`"..."`) come where it stands; a field of the same
    /// name that comes later replaces the value and keeps the place.
    Object(Vec<Member>),
}

/// A part of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Member {
    /// A field.
    Field(String, Envelope),
    /// All fields of an object.
    Spread(Placeholder),
}

impl Member {
    fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Field(_, value) => value.templates(),
            Self::Spread(_) => Vec::new(),
        }
    }
}

/// A step from a value to one inside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To a field of an object.
    Key(String),
    /// To an item of an array.
    Item(usize),
}

impl Envelope {
    /// All texts in it.
    pub(super) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Text(template) => vec![template],
            Self::Constant(_) => Vec::new(),
            Self::Array(items) => items.iter().flat_map(Self::templates).collect(),
            Self::Object(members) => members.iter().flat_map(Member::templates).collect(),
        }
    }

    /// Whether this placeholder stands anywhere in it.
    pub(super) fn has(&self, slot: &Placeholder) -> bool {
        self.templates().iter().any(|template| template.slots().any(|known| known == slot))
    }

    /// The way to a placeholder that stands alone; `None` where what is spread beside it may take its place.
    pub fn path_of(&self, slot: &Placeholder) -> Option<Vec<Step>> {
        let (step, mut rest) = match self {
            Self::Text(template) => return (template.only() == Some(slot)).then(Vec::new),
            Self::Constant(_) => return None,
            Self::Array(items) => {
                items.iter().enumerate().find_map(|(n, item)| Some((Step::Item(n), item.path_of(slot)?)))?
            }
            Self::Object(members) if members.iter().any(|member| matches!(member, Member::Spread(_))) => return None,
            Self::Object(members) => members.iter().find_map(|member| match member {
                Member::Field(key, value) => Some((Step::Key(key.clone()), value.path_of(slot)?)),
                Member::Spread(_) => None,
            })?,
        };
        rest.insert(0, step);
        Some(rest)
    }

    /// Puts the fields in the order in which JavaScript lists them. Objects with a spread are ordered when they are
    /// written: only then are their keys known.
    pub(super) fn order_canonically(&mut self) {
        match self {
            Self::Text(_) | Self::Constant(_) => {}
            Self::Array(items) => items.iter_mut().for_each(Self::order_canonically),
            Self::Object(members) => {
                if !members.iter().any(|member| matches!(member, Member::Spread(_))) {
                    members.sort_by_key(|member| match member {
                        Member::Field(key, _) => array_index(key.as_bytes()).unwrap_or(u32::MAX),
                        Member::Spread(_) => u32::MAX,
                    });
                }
                for member in members {
                    if let Member::Field(_, value) = member {
                        value.order_canonically();
                    }
                }
            }
        }
    }
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EnvelopeAt(Place::Envelope).deserialize(deserializer)
    }
}

/// Reads JSON whose texts are templates that stand in a given place.
#[derive(Debug, Clone, Copy)]
pub(super) struct EnvelopeAt(pub Place);

impl<'de> DeserializeSeed<'de> for EnvelopeAt {
    type Value = Envelope;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Envelope, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeAt {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a template, a number, true, false, a list or a table")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Envelope, E> {
        Template::parse(text, self.0).map(Envelope::Text).map_err(E::custom)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Envelope, E> {
        Ok(Envelope::Constant(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Envelope, E> {
        match value.unsigned_abs() {
            0..=0x1f_ffff_ffff_ffff => Ok(Envelope::Constant(value.to_string())),
            _ => Err(E::custom("is beyond what every receiver can hold (2^53 - 1); write it as text")),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Envelope, E> {
        if value.is_finite() {
            Ok(Envelope::Constant(ryu_js::Buffer::new().format_finite(value).to_string()))
        } else {
            Err(E::custom("is no JSON number"))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Envelope, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Envelope::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        let mut members = Vec::new();
        while let Some(Plain(key)) = map.next_key()? {
            members.push(match key.as_str() {
                "..." if self.0 == Place::Envelope => Member::Spread(map.next_value_seed(Spread)?),
                "$__toml_private_datetime" => return Err(de::Error::custom("is a date; write it as text")),
                _ => Member::Field(key, map.next_value_seed(self)?),
            });
        }
        Ok(Envelope::Object(members))
    }
}

/// Reads what `"..."` spreads: something that is always an object or absent.
struct Spread;

impl<'de> DeserializeSeed<'de> for Spread {
    type Value = Placeholder;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Placeholder, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Spread {
    type Value = Placeholder;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{event.metadata} or {event.actor}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Placeholder, E> {
        let template = TemplateAt(Place::Envelope).visit_str::<E>(text)?;
        match template.alone() {
            Some(slot) if slot.is_object() => Ok(slot.clone()),
            _ => Err(E::custom("\"...\" spreads an object: {event.metadata} or {event.actor}")),
        }
    }
}
