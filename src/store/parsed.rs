//! An event's JSON, read only where somebody asks: most webhooks want an event whatever it says.

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::at_paths::{self, Wanted};
use super::message::NewEvent;
use crate::domain::condition::Node;
use crate::domain::event::Event;
use crate::domain::order::{KeyPath, OrderKeys};

/// An event whose JSON can be looked into.
pub struct Parsed<'a> {
    event_type: &'a str,
    channels: &'a [String],
    data: &'a Bytes,
    actor: Option<&'a Bytes>,
    metadata: Option<&'a Bytes>,
    tree: Option<Node<'a>>,
}

impl<'a> Parsed<'a> {
    /// Of an event to accept; reads nothing yet.
    pub fn of(event: &'a NewEvent) -> Self {
        let (data, actor, metadata) = (&event.data, event.actor.as_ref(), event.metadata.as_ref());
        Self { event_type: &event.event_type, channels: &event.channels, data, actor, metadata, tree: None }
    }

    /// Of an event that is stored; reads nothing yet.
    pub fn of_stored(event: &'a Event) -> Self {
        let (data, actor, metadata) = (&event.data, event.actor.as_ref(), event.metadata.as_ref());
        Self { event_type: &event.event_type, channels: &event.channels, data, actor, metadata, tree: None }
    }

    /// Its type.
    pub fn event_type(&self) -> &'a str {
        self.event_type
    }

    /// Its channels.
    pub fn channels(&self) -> &'a [String] {
        self.channels
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
    pub fn learn_order_keys<'p>(&self, keys: &mut OrderKeys, paths: impl IntoIterator<Item = &'p KeyPath>) {
        let paths: Vec<&KeyPath> = paths.into_iter().filter(|path| !keys.knows(path)).collect();
        for (path, found) in paths.iter().zip(self.at_paths(&paths)) {
            keys.learn((*path).clone(), found.filter(|value| !value.is_null()).as_ref().map(hash));
        }
    }

    /// What it says at each of them.
    fn at_paths(&self, paths: &[&KeyPath]) -> Vec<Option<Value>> {
        let names: Vec<Vec<&str>> = paths.iter().map(|path| path.names()).collect();
        let mut found: Vec<_> =
            names.iter().map(|names| (names[0] == "type").then(|| Value::from(self.event_type))).collect();
        for (part, json) in parts(self.data, self.actor, self.metadata) {
            let of_part = names.iter().enumerate().filter(|(_, names)| names[0] == part);
            let wanted: Vec<_> = of_part.map(|(index, names)| Wanted { names: &names[1..], index }).collect();
            if !wanted.is_empty() {
                at_paths::find(json, wanted, &mut found);
            }
        }
        found
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

/// What deliveries of this order key have as their place: the text may stand for itself, or for JSON such as a number.
pub fn order_key_hashes(text: &str) -> Vec<u64> {
    let json = serde_json::from_str(text).ok().filter(|value: &Value| !value.is_null());
    [Some(Value::from(text)), json].iter().flatten().map(hash).collect()
}

fn hash(value: &Value) -> u64 {
    let digest: [u8; 32] = Sha256::digest(value.to_string()).into();
    let (first, _) = digest.split_first_chunk::<8>().expect("a digest has 32 bytes");
    u64::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::{OnDead, Order};
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
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
        };
        let paths = ["type", "data.n", "metadata.x", "actor.id", "data.x"].map(|path| KeyPath::parse(path).unwrap());
        let found = Parsed::of(&event).at_paths(&paths.each_ref());
        assert_eq!(found, [Some(json!("a.b")), Some(json!(u64::MAX)), Some(json!([1.5])), None, None]);
        let read = Node::read(br#"{"type": "a.b", "data": {"n": 18446744073709551615}, "metadata": {"x":[1.5]}}"#);
        assert_eq!(Parsed::of(&event).tree(), &read);
        event.data = "[1e999]".into();
        assert_eq!(Parsed::of(&event).tree().field("data"), Some(&Node::Null));
        event.data = r#"{"n": null}"#.into();
        let mut keys = OrderKeys::default();
        Parsed::of(&event).learn_order_keys(&mut keys, &paths);
        let key = |path: &KeyPath| {
            keys.place(&Order { key: Some(path.clone()), on_dead: OnDead::Skip }).map(|place| place.key)
        };
        assert_eq!(paths.each_ref().map(key), [Some(hash(&json!("a.b"))), None, Some(hash(&json!([1.5]))), None, None]);
        for (path, text) in [(&paths[0], "a.b"), (&paths[2], "[1.5]")] {
            assert!(order_key_hashes(text).contains(&key(path).unwrap()), "{text}");
        }
    }
}
