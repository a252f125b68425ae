//! An event's JSON as values, read at most once and only where somebody asks: most webhooks want an event whatever it
//! says.

use bytes::Bytes;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::message::NewEvent;
use crate::domain::condition::Node;
use crate::domain::event::Event;
use crate::domain::order::{KeyPath, OrderKeys};

/// An event whose JSON can be looked into.
pub struct Parsed<'a> {
    event_type: &'a str,
    data: &'a Bytes,
    actor: Option<&'a Bytes>,
    metadata: Option<&'a Bytes>,
    tree: Option<Node<'a>>,
    value: Option<Value>,
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
        Self { event_type, data, actor, metadata, tree: None, value: None }
    }

    /// Its type.
    pub fn event_type(&self) -> &'a str {
        self.event_type
    }

    /// Bytes of its JSON.
    pub fn bytes(&self) -> usize {
        parts(self.data, self.actor, self.metadata).map(|(_, json)| json.len()).sum()
    }

    /// The event as `{type, data, actor, metadata}`, for conditions; without `actor` and `metadata` where it has none.
    pub fn tree(&mut self) -> &Node<'a> {
        self.tree.get_or_insert_with(|| {
            let mut fields = vec![("type".into(), Node::Text(self.event_type.into()))];
            for (name, json) in parts(self.data, self.actor, self.metadata) {
                fields.push((name.into(), Node::read(json)));
            }
            Node::object(fields)
        })
    }

    /// Learns what it says at those of the paths of which that is not known.
    pub fn learn_order_keys<'p>(&mut self, keys: &mut OrderKeys, paths: impl IntoIterator<Item = &'p KeyPath>) {
        for path in paths {
            if !keys.knows(path) {
                keys.learn(path.clone(), path.value(self.value()).map(hash));
            }
        }
    }

    /// The same as values, their fields in the order in which they were sent.
    fn value(&mut self) -> &Value {
        self.value.get_or_insert_with(|| {
            let mut fields = Map::with_capacity(4);
            fields.insert("type".into(), Value::String(self.event_type.to_string()));
            for (name, json) in parts(self.data, self.actor, self.metadata) {
                fields.insert(name.into(), value(json));
            }
            Value::Object(fields)
        })
    }
}

fn parts<'a>(
    data: &'a Bytes,
    actor: Option<&'a Bytes>,
    metadata: Option<&'a Bytes>,
) -> impl Iterator<Item = (&'static str, &'a Bytes)> {
    let optional = [("actor", actor), ("metadata", metadata)];
    [("data", data)].into_iter().chain(optional.into_iter().filter_map(|(name, json)| Some((name, json?))))
}

fn hash(value: &Value) -> u64 {
    let digest: [u8; 32] = Sha256::digest(value.to_string()).into();
    let (first, _) = digest.split_first_chunk::<8>().expect("a digest has 32 bytes");
    u64::from_be_bytes(*first)
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
        let read = Node::read(br#"{"type": "a.b", "data": {"n": 18446744073709551615}, "metadata": {"x":[1.5]}}"#);
        assert_eq!(Parsed::of(&event).tree(), &read);
        event.data = "[1e999]".into();
        assert_eq!(Parsed::of(&event).tree().field("data"), Some(&Node::Null));
        assert_eq!(Parsed::of(&event).value()["data"], Value::Null);
    }
}
