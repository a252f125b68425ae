//! Order between the deliveries of a webhook: in accept order, all of them or those of one key. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::id::DeliveryId;

/// A path to the order key, in bytes.
pub const KEY_PATH_BYTES_MAX: usize = 200;

/// How a webhook's deliveries are ordered: of each key one is out at a time, in accept order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Where the key is, such as `data.task_id`; without it all have the same key. What has no key is not ordered.
    pub key: Option<KeyPath>,
    /// What follows a delivery that used up its retries.
    pub on_dead: OnDead,
}

/// What becomes of the deliveries behind one that used up its retries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnDead {
    /// The next one goes out.
    #[default]
    Skip,
    /// They wait until somebody replays or discards it.
    Hold,
}

/// A path into an event: `data`, `actor`, `metadata` or `type`, then names of fields, with dots between.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyPath(String);

impl KeyPath {
    /// Reads a path.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut names = text.split('.');
        let known = names.next().is_some_and(|first| ["data", "actor", "metadata", "type"].contains(&first));
        let deep_enough = text == "type" || (names.clone().count() > 0 && !text.starts_with("type"));
        if text.len() > KEY_PATH_BYTES_MAX || !known || !deep_enough || names.any(str::is_empty) {
            let message = "must be a path into the event such as \"data.task_id\", at most 200 bytes";
            return Err(Invalid::new("order_key", message));
        }
        Ok(Self(text.to_string()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names of fields that lead there, in an event of the form `{type, data, actor, metadata}`.
    pub fn names(&self) -> Vec<&str> {
        self.0.split('.').collect()
    }
}

/// What an event says at the paths of its account's order keys: a hash of each value, and none where it has no such value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderKeys(BTreeMap<KeyPath, Option<u64>>);

impl OrderKeys {
    /// What it says at this path.
    pub fn learn(&mut self, path: KeyPath, hash: Option<u64>) {
        self.0.insert(path, hash);
    }

    /// Whether it is known what it says there.
    pub fn knows(&self, path: &KeyPath) -> bool {
        self.0.contains_key(path)
    }

    /// The place of the event's delivery in `order`; none if the event does not have the key.
    pub fn place(&self, order: &Order) -> Option<Place> {
        let key = order.key.as_ref().map_or(Some(0), |path| self.0.get(path).copied().flatten())?;
        Some(Place { key, instead_of: None })
    }
}

/// The place of a delivery in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// A hash of the key's value: deliveries of one webhook with the same go out one after the other.
    pub key: u64,
    /// It stands where that delivery stood, which used up its retries; without it at its own place.
    pub instead_of: Option<DeliveryId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn paths_lead_into_the_event() {
        let path = KeyPath::parse("data.task.id").unwrap();
        assert_eq!((path.as_str(), path.names()), ("data.task.id", vec!["data", "task", "id"]));
        assert_eq!(KeyPath::parse("type").unwrap().names(), ["type"]);
        assert!(KeyPath::parse(&format!("data.{}", "x".repeat(KEY_PATH_BYTES_MAX - 5))).is_ok());
        for bad in
            ["", "data", "id.x", "data.", "data..x", "type.x", &format!("data.{}", "x".repeat(KEY_PATH_BYTES_MAX - 4))]
        {
            assert_eq!(KeyPath::parse(bad).unwrap_err().field, "order_key", "{bad}");
        }
    }
}
