//! A document with references inside of it. What stays true: it may be anybody's, so nothing that is followed goes on for
//! ever, and nothing outside of it is fetched.

use serde_json::{Map, Value};

use crate::exchange::format::MARK;

/// References that lead to references.
const HOPS_MAX: usize = 16;
/// How deep parts of a schema are put together; deeper, or where it holds itself, it says nothing.
const DEPTH_MAX: usize = 12;
/// How many parts are.
const PARTS_MAX: usize = 200;

/// A document.
#[derive(Debug)]
pub(super) struct Document(pub Value);

impl Document {
    /// The version of a format, if the document is of it.
    pub fn version(&self, format: &str) -> Option<&str> {
        self.0.get(format)?.as_str()
    }

    /// What stands at `key`, references followed.
    pub fn get<'v>(&'v self, value: &'v Value, key: &str) -> &'v Value {
        self.follow(value.get(key).unwrap_or(&Value::Null))
    }

    /// The text at `key`.
    pub fn text<'v>(&'v self, value: &'v Value, key: &str) -> Option<&'v str> {
        self.get(value, key).as_str()
    }

    /// What a reference leads to; anything else as it is, and what leads nowhere or outside as null.
    pub fn follow<'v>(&'v self, value: &'v Value) -> &'v Value {
        let mut at = value;
        for _ in 0..HOPS_MAX {
            let Some(Value::String(reference)) = at.get("$ref") else { return at };
            let Some(next) = self.at(reference) else { return &Value::Null };
            at = next;
        }
        &Value::Null
    }

    /// What stands at the place in the document that a reference names.
    pub fn at(&self, reference: &str) -> Option<&Value> {
        reference.strip_prefix('#').and_then(|pointer| self.0.pointer(&decoded(pointer)))
    }

    /// All of a list or all values of an object, each followed, with its name.
    pub fn all<'v>(&'v self, value: &'v Value) -> Vec<(&'v str, &'v Value)> {
        match value {
            Value::Array(items) => items.iter().map(|item| ("", self.follow(item))).collect(),
            Value::Object(fields) => fields.iter().map(|(name, item)| (name.as_str(), self.follow(item))).collect(),
            _ => Vec::new(),
        }
    }

    /// A schema of one piece: references followed, `allOf` put together. What is in conflict is the first one's.
    pub fn schema(&self, schema: &Value) -> Map<String, Value> {
        let mut left = PARTS_MAX;
        self.joined(schema, 0, &mut left)
    }

    fn joined(&self, schema: &Value, depth: usize, left: &mut usize) -> Map<String, Value> {
        let mut joined = self.follow(schema).as_object().cloned().unwrap_or_default();
        let Some(Value::Array(parts)) = joined.shift_remove("allOf") else { return joined };
        if depth >= DEPTH_MAX {
            return joined;
        }
        for part in &parts {
            let Some(fewer) = left.checked_sub(1) else { break };
            *left = fewer;
            let part = self.joined(part, depth + 1, left);
            for (word, value) in part {
                match (joined.get_mut(&word), value) {
                    (Some(Value::Object(there)), Value::Object(more)) if word == "properties" => {
                        more.into_iter().for_each(|(name, value)| {
                            there.entry(name).or_insert(value);
                        });
                    }
                    (Some(Value::Array(there)), Value::Array(more)) if word == "required" => there.extend(more),
                    (Some(_), _) => {}
                    (None, value) => drop(joined.insert(word, value)),
                }
            }
        }
        joined
    }

    /// A schema that stands alone: references are replaced by what they lead to, our own marks are gone, and lists are
    /// written as 2020-12 does. Where it holds itself, anything fits. `None` if it is longer than `bytes_max` then.
    pub fn alone(&self, schema: &Value, bytes_max: usize) -> Option<Value> {
        Copier { document: self, inside: Vec::new(), left: bytes_max }.copy(schema)
    }
}

/// Copies a schema with what it refers to.
struct Copier<'d> {
    document: &'d Document,
    /// The references that lead to what is being copied.
    inside: Vec<String>,
    left: usize,
}

impl Copier<'_> {
    fn copy(&mut self, schema: &Value) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { return self.copy_plain(schema) };
        if self.inside.len() > DEPTH_MAX || self.inside.iter().any(|known| known == reference) {
            return Some(Value::Bool(true));
        }
        self.inside.push(reference.to_string());
        let document = self.document;
        let copy = self.copy_plain(document.follow(schema));
        self.inside.pop();
        copy
    }

    fn copy_plain(&mut self, schema: &Value) -> Option<Value> {
        match schema {
            Value::Object(fields) => {
                let mut copy = Map::new();
                for (name, value) in fields {
                    self.left = self.left.checked_sub(name.len())?;
                    let value = self.copy(value)?;
                    match name.as_str() {
                        MARK => {}
                        "items" if value.is_array() => drop(copy.insert("prefixItems".into(), value)),
                        _ => drop(copy.insert(name.clone(), value)),
                    }
                }
                Some(Value::Object(copy))
            }
            Value::Array(items) => items.iter().map(|item| self.copy(item)).collect::<Option<_>>().map(Value::Array),
            plain => {
                self.left = self.left.checked_sub(plain.as_str().map_or(8, str::len))?;
                Some(plain.clone())
            }
        }
    }
}

/// A JSON Pointer as it stands in a URL.
fn decoded(pointer: &str) -> String {
    // The names in a pointer have no & and no =, so a pair's name is what was before its %.
    let plain = pointer.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(plain.as_bytes()).next().map_or(String::new(), |(text, _)| text.into_owned())
}
