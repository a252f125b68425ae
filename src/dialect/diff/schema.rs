//! What the data of an event may be, before and after, by its JSON Schema. A receiver takes all that the old one let
//! through; so whatever lets more through is breaking, and what lets less through is not. What cannot be judged is taken
//! for breaking.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::change::{Found, Kind, Side};

/// For people, or for tools: it lets nothing through and keeps nothing out.
const WORDS: [&str; 9] =
    ["$schema", "$id", "$comment", "title", "description", "examples", "default", "deprecated", "readOnly"];

/// Compares two schemas; `key` is the event's.
pub(super) fn compare(found: &mut Found, key: &str, old: &Value, new: &Value) {
    at(found, key, "", old, new);
}

fn at(found: &mut Found, key: &str, path: &str, old: &Value, new: &Value) {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        if old != new {
            breaking(found, key, path, "another schema, which cannot be compared with the old one".into());
        }
        return;
    };
    let words: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for word in words.into_iter().filter(|word| old.get(*word) != new.get(*word)) {
        match word.as_str() {
            "properties" => properties(found, key, path, old, new),
            "required" => required(found, key, path, old, new),
            "type" | "enum" => choices(found, key, path, word, old, new),
            "items" => match (old.get("items"), new.get("items")) {
                (Some(old), Some(new)) => at(found, key, &format!("{path}[]"), old, new),
                (None, _) => compatible(found, key, path, "what its items are is said".into()),
                (_, None) => breaking(found, key, path, "its items can be anything".into()),
            },
            "format" if !old.contains_key("format") => {
                compatible(found, key, path, format!("it is a {} always", shown(new.get("format"))));
            }
            "additionalProperties" => compatible(found, key, path, "fields beside those that are named differ".into()),
            word if WORDS.contains(&word) => {
                compatible(found, key, path, format!("{word} differs, which is for people"))
            }
            word => {
                let what = format!("{word}: {} → {}", shown(old.get(word)), shown(new.get(word)));
                breaking(found, key, path, what);
            }
        }
    }
}

fn properties(found: &mut Found, key: &str, path: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
    let none = Map::new();
    let of = |schema: &Map<String, Value>| schema.get("properties").and_then(Value::as_object).cloned();
    let (old, new) = (of(old).unwrap_or(none.clone()), of(new).unwrap_or(none));
    for (name, schema) in &old {
        let path = under(path, name);
        match new.get(name) {
            Some(now) => at(found, key, &path, schema, now),
            None => put(found, Kind::Removed, key, &path, "a receiver that reads it finds nothing".into(), false),
        }
    }
    for name in new.keys().filter(|name| !old.contains_key(*name)) {
        put(found, Kind::Added, key, &under(path, name), "another field, which nobody has to read".into(), true);
    }
}

/// Which fields are always there. What was never there, or is no more, is told of already.
fn required(found: &mut Found, key: &str, path: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
    let names = |schema: &Map<String, Value>| -> BTreeSet<String> {
        let names = schema.get("required").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(|name| name.as_str().map(String::from)).collect()
    };
    let has =
        |schema: &Map<String, Value>, name: &str| schema.get("properties").is_some_and(|all| all.get(name).is_some());
    let (before, now) = (names(old), names(new));
    for name in before.difference(&now).filter(|name| has(new, name) || !has(old, name)) {
        breaking(found, key, &under(path, name), "it can be missing".into());
    }
    for name in now.difference(&before).filter(|name| has(old, name)) {
        compatible(found, key, &under(path, name), "it is always there".into());
    }
}

/// Values or types of which one must be it.
fn choices(found: &mut Found, key: &str, path: &str, word: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
    let set = |schema: &Map<String, Value>| -> Option<BTreeSet<String>> {
        let mut set: BTreeSet<String> = match schema.get(word)? {
            Value::Array(all) => all.iter().map(Value::to_string).collect(),
            one => BTreeSet::from([one.to_string()]),
        };
        if word == "type" && set.contains("\"number\"") {
            set.insert("\"integer\"".into());
        }
        Some(set)
    };
    let wider = match (set(old), set(new)) {
        (None, _) => false,
        (_, None) => true,
        (Some(old), Some(new)) => !new.is_subset(&old),
    };
    let what = format!("{word}: {} → {}", shown(old.get(word)), shown(new.get(word)));
    if wider { breaking(found, key, path, what) } else { compatible(found, key, path, what) }
}

fn under(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or("any".into(), Value::to_string)
}

fn breaking(found: &mut Found, key: &str, path: &str, what: String) {
    put(found, Kind::Changed, key, path, what, false);
}

fn compatible(found: &mut Found, key: &str, path: &str, what: String) {
    put(found, Kind::Changed, key, path, what, true);
}

fn put(found: &mut Found, kind: Kind, key: &str, path: &str, what: String, compatible: bool) {
    let key = if path.is_empty() { format!("{key}.data") } else { format!("{key}.data.{path}") };
    found.put(Side::Receivers, kind, key, what, compatible);
}
