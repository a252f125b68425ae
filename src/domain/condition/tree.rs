//! An event's JSON as conditions look at it. What stays true: texts are borrowed from the bytes that were read, and a
//! value takes a few dozen bytes, so an event of small values takes several times its length and not a hundred times.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A value, and all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(Cow<'a, str>),
    /// An array.
    List(Box<[Node<'a>]>),
    /// An object, its fields in the order of their names, each name once.
    Object(Box<[(Cow<'a, str>, Node<'a>)]>),
}

impl<'a> Node<'a> {
    /// Reads JSON. What no value can hold, such as the number 1e999, makes it null.
    pub fn read(json: &'a [u8]) -> Self {
        serde_json::from_slice(json).unwrap_or(Node::Null)
    }

    /// An object; of fields with the same name the last one counts.
    pub fn object(mut fields: Vec<(Cow<'a, str>, Node<'a>)>) -> Self {
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        fields.dedup_by(|next, kept| {
            let again = next.0 == kept.0;
            if again {
                std::mem::swap(next, kept);
            }
            again
        });
        Node::Object(fields.into_boxed_slice())
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Node<'a>> {
        let Node::Object(fields) = self else { return None };
        let at = fields.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        Some(&fields[at].1)
    }

    /// The element at this place.
    pub fn element(&self, index: usize) -> Option<&Node<'a>> {
        let Node::List(elements) = self else { return None };
        elements.get(index)
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reading)
    }
}

struct Reading;

/// A name, borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Reading {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Owned(value.to_string())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Node::List(list.into_boxed_slice()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((Name(name), value)) = entries.next_entry()? {
            fields.push((name, value));
        }
        Ok(Node::object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_fields_with_the_same_name_the_last_one_counts() {
        let read = Node::read(br#"{"b": 1, "a": [null, true], "b": 2, "a\n": "x", "b": 3}"#);
        assert_eq!(read.field("b"), Some(&Node::Number(3.into())));
        assert_eq!(read.field("a").and_then(|list| list.element(1)), Some(&Node::Bool(true)));
        assert_eq!(read.field("a\n"), Some(&Node::Text("x".into())));
        assert_eq!((read.field("c"), read.element(0), Node::Null.field("a")), (None, None, None));
        assert_eq!(Node::read(b"[1e999]"), Node::Null);
    }

    #[test]
    fn a_value_takes_a_few_dozen_bytes() {
        assert_eq!(size_of::<Node<'_>>(), 24);
    }
}
