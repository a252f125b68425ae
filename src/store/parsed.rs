//! An event's JSON as values, read at most once and only where somebody asks: most webhooks want an event whatever it
//! says.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::NewEvent;

/// An event whose JSON can be looked into.
pub struct Parsed<'a> {
    event: &'a NewEvent,
    /// A list of the one event, since a condition is asked about the rows of a list.
    listed: Option<Value>,
}

impl<'a> Parsed<'a> {
    /// Reads nothing yet.
    pub fn of(event: &'a NewEvent) -> Self {
        Self { event, listed: None }
    }

    /// The event as `{type, data, actor, metadata}`; without `actor` and `metadata` where it has none.
    pub fn value(&mut self) -> &Value {
        &self.listed()[0]
    }

    /// A list of that one value.
    pub fn listed(&mut self) -> &Value {
        let event = self.event;
        self.listed.get_or_insert_with(|| Value::Array(vec![read(event)]))
    }
}

fn read(event: &NewEvent) -> Value {
    let mut fields = Map::with_capacity(4);
    fields.insert("type".into(), Value::String(event.event_type.clone()));
    fields.insert("data".into(), value(&event.data));
    for (name, bytes) in [("actor", &event.actor), ("metadata", &event.metadata)] {
        if let Some(bytes) = bytes {
            fields.insert(name.into(), value(bytes));
        }
    }
    Value::Object(fields)
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
