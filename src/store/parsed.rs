//! An event's JSON as values, read at most once and only where somebody asks: most webhooks want an event whatever it
//! says.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::message::NewEvent;
use crate::domain::event::Event;

/// An event whose JSON can be looked into.
pub struct Parsed<'a> {
    event_type: &'a str,
    data: &'a Bytes,
    actor: Option<&'a Bytes>,
    metadata: Option<&'a Bytes>,
    /// A list of the one event, since a condition is asked about the rows of a list.
    listed: Option<Value>,
}

impl<'a> Parsed<'a> {
    /// Of an event to accept; reads nothing yet.
    pub fn of(event: &'a NewEvent) -> Self {
        Self::new(&event.event_type, &event.data, event.actor.as_ref(), event.metadata.as_ref())
    }

    /// Of an event that is stored; reads nothing yet.
    pub fn of_stored(event: &'a Event) -> Self {
        Self::new(&event.event_type, &event.data, event.actor.as_ref(), event.metadata.as_ref())
    }

    fn new(event_type: &'a str, data: &'a Bytes, actor: Option<&'a Bytes>, metadata: Option<&'a Bytes>) -> Self {
        Self { event_type, data, actor, metadata, listed: None }
    }

    /// The event as `{type, data, actor, metadata}`; without `actor` and `metadata` where it has none.
    pub fn value(&mut self) -> &Value {
        &self.listed()[0]
    }

    /// A list of that one value.
    pub fn listed(&mut self) -> &Value {
        if self.listed.is_none() {
            self.listed = Some(Value::Array(vec![self.read()]));
        }
        self.listed.as_ref().expect("it was just read")
    }

    fn read(&self) -> Value {
        let mut fields = Map::with_capacity(4);
        fields.insert("type".into(), Value::String(self.event_type.to_string()));
        fields.insert("data".into(), value(self.data));
        for (name, bytes) in [("actor", self.actor), ("metadata", self.metadata)] {
            if let Some(bytes) = bytes {
                fields.insert(name.into(), value(bytes));
            }
        }
        Value::Object(fields)
    }
}

/// `api` has checked that it is JSON. What no value can hold, such as the number 1e999, makes it null.
fn value(json: &Bytes) -> Value {
    serde_json::from_slice(json).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_reads_as_its_parts() {
        let mut event = NewEvent {
            name: None,
            event_type: "a.b".into(),
            created_at: None,
            data: r#"{"n": 18446744073709551615}"#.into(),
            actor: None,
            metadata: Some(r#"{"x":[1.5]}"#.into()),
            test: false,
            fingerprint: None,
        };
        let value = json!({"type": "a.b", "data": {"n": u64::MAX}, "metadata": {"x": [1.5]}});
        assert_eq!(Parsed::of(&event).value(), &value);
        event.data = "[1e999]".into();
        assert_eq!(Parsed::of(&event).value()["data"], Value::Null);
    }
}
