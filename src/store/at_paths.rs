//! Values at some paths of a JSON text, found in one pass. What stays true: nothing else is kept, and what lies beside is
//! skipped, however long; of fields with the same name the last one counts, as where all of it is read.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The names of fields that lead to a value, and where that is put.
#[derive(Clone, Copy)]
pub struct Wanted<'p> {
    pub names: &'p [&'p str],
    pub index: usize,
}

/// Puts what the text has at the paths into `found`; nothing if it is no JSON, or there is no such value.
pub fn find(json: &[u8], wanted: Vec<Wanted<'_>>, found: &mut [Option<Value>]) {
    let indexes: Vec<usize> = wanted.iter().map(|one| one.index).collect();
    let read = AtPaths { wanted, found }.deserialize(&mut serde_json::Deserializer::from_slice(json));
    if read.is_err() {
        indexes.into_iter().for_each(|index| found[index] = None);
    }
}

struct AtPaths<'p, 'f> {
    wanted: Vec<Wanted<'p>>,
    found: &'f mut [Option<Value>],
}

impl<'de> DeserializeSeed<'de> for AtPaths<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if self.wanted.iter().all(|one| !one.names.is_empty()) {
            self.wanted.iter().for_each(|one| self.found[one.index] = None);
            return json.deserialize_any(self);
        }
        let value = Value::deserialize(json)?;
        for Wanted { names, index } in self.wanted {
            self.found[index] = names.iter().try_fold(&value, |at, name| at.get(name)).cloned();
        }
        Ok(())
    }
}

/// A path leads through objects only.
impl<'de> Visitor<'de> for AtPaths<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            let below = self.wanted.iter().filter(|one| one.names[0] == name);
            let wanted: Vec<_> = below.map(|one| Wanted { names: &one.names[1..], ..*one }).collect();
            match wanted.is_empty() {
                true => fields.next_value::<IgnoredAny>().map(drop)?,
                false => fields.next_value_seed(AtPaths { wanted, found: &mut *self.found })?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn at(json: &str, paths: &[&[&str]]) -> Vec<Option<Value>> {
        let wanted = paths.iter().enumerate().map(|(index, names)| Wanted { names, index }).collect();
        let mut found = vec![None; paths.len()];
        find(json.as_bytes(), wanted, &mut found);
        found
    }

    #[test]
    fn what_lies_beside_a_path_is_not_looked_at() {
        let json = r#"{"a": 1e999, "b": {"c": [1, {"d": 2}], "c2": "x", "c": 3}, "e": [[]], "f": null}"#;
        let found = at(json, &[&["b", "c"], &["b"], &["b", "c2", "x"], &["e", "d"], &["f", "g"], &["f"], &["none"]]);
        let b = json!({"c": 3, "c2": "x"});
        assert_eq!(found, [Some(json!(3)), Some(b), None, None, None, Some(Value::Null), None]);
        assert_eq!(at(r#"{"a": {"b": 1}, "a": 5}"#, &[&["a", "b"]]), [None], "the last of two fields counts");
        for broken in [r#"{"a": 1e999}"#, r#"{"a": 1, "b"}"#, "", r#"{"a": 1"#] {
            assert_eq!(at(broken, &[&["a"]]), [None], "{broken}");
        }
        for other in ["[1]", "1", "-1", "1.5", "true", "null", r#""a""#] {
            assert_eq!(at(other, &[&["a"]]), [None], "{other}");
            assert_eq!(at(other, &[&[]]), [Some(serde_json::from_str(other).unwrap())]);
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), "[ab]{0,2}".prop_map(Value::from)];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::btree_map("[abc]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_what_a_look_into_the_whole_finds(value in value(), paths in proptest::collection::vec(proptest::collection::vec("[abc]", 0..4), 1..4)) {
            let paths: Vec<Vec<&str>> = paths.iter().map(|names| names.iter().map(String::as_str).collect()).collect();
            let expected: Vec<_> =
                paths.iter().map(|names| names.iter().try_fold(&value, |at, name| at.get(name)).cloned()).collect();
            let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(at(&value.to_string(), &paths), expected);
        }
    }
}
