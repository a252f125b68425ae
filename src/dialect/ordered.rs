//! Reads a TOML table as a list, because the order of a contract's fields and headers is part of the contract.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Reads a table's entries in the order they are written, each value by `seed`.
pub(super) fn ordered<'de, D, K, S>(deserializer: D, seed: S) -> Result<Vec<(K, S::Value)>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de>,
    S: DeserializeSeed<'de> + Copy,
{
    deserializer.deserialize_map(Entries { seed, key: PhantomData })
}

struct Entries<K, S> {
    seed: S,
    key: PhantomData<K>,
}

impl<'de, K: Deserialize<'de>, S: DeserializeSeed<'de> + Copy> Visitor<'de> for Entries<K, S> {
    type Value = Vec<(K, S::Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key()? {
            entries.push((key, map.next_value_seed(self.seed)?));
        }
        Ok(entries)
    }
}
