//! A document with references inside of it. What stays true: it may be anybody's, so nothing that is followed goes on for
//! ever, and nothing outside of it is fetched.

use std::cell::Cell;

use serde_json::{Map, Value};

use crate::exchange::format::MARK;
use crate::exchange::sheet::Message;

/// References that lead to references.
const HOPS_MAX: usize = 16;
/// How deep parts of a schema are put together; deeper, or where it holds itself, it says nothing.
const DEPTH_MAX: usize = 12;
/// How many parts are.
const PARTS_MAX: usize = 200;
/// Steps that a part takes: it is followed, and asked for some words.
const PART_STEPS: usize = 16;

/// A document.
#[derive(Debug)]
pub(super) struct Document {
    pub root: Value,
    /// Steps that may still be taken in it; none once they were used up.
    left: Cell<usize>,
}

/// An event, as a document tells of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'d> {
    pub name: &'d str,
    /// May be empty.
    pub description: &'d str,
    /// The schema of the whole body; null if it says none.
    pub payload: &'d Value,
    /// A whole body.
    pub example: Option<&'d Value>,
}

impl From<Told<'_>> for Message {
    fn from(told: Told<'_>) -> Self {
        Self {
            name: told.name.into(),
            description: told.description.into(),
            payload: told.payload.clone(),
            example: told.example.cloned(),
            data: None,
        }
    }
}

/// A schema of one piece, of which nothing is copied: itself, and the parts that its `allOf` puts together. What is in conflict
/// is the first one's.
#[derive(Debug)]
pub(super) struct Joined<'d>(Vec<&'d Map<String, Value>>);

impl<'d> Joined<'d> {
    /// What it says under a word, of those that parts do not put together.
    pub fn get(&self, word: &str) -> Option<&'d Value> {
        self.0.iter().find_map(|part| part.get(word))
    }

    /// The schema of a field.
    pub fn field(&self, name: &str) -> Option<&'d Value> {
        self.0.iter().find_map(|part| part.get("properties")?.get(name))
    }
}

impl Document {
    /// One that its owner reads, who may wait.
    pub fn of(root: Value) -> Self {
        Self::bounded(root, usize::MAX)
    }

    /// One that may be anybody's: once so many steps were taken, nothing is found in it any more. A step is an entry of a list, or a
    /// byte of a reference that is followed.
    pub fn bounded(root: Value, steps: usize) -> Self {
        Self { root, left: Cell::new(steps) }
    }

    /// Takes steps; whether there were as many left.
    pub fn spend(&self, steps: usize) -> bool {
        let left = self.left.get().checked_sub(steps);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Whether all steps were used up, so that what was read of it may lack something.
    pub fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// The version of a format, if the document is of it.
    pub fn version(&self, format: &str) -> Option<&str> {
        self.root.get(format)?.as_str()
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
        if !self.spend(1 + reference.len()) {
            return None;
        }
        reference.strip_prefix('#').and_then(|pointer| self.root.pointer(&decoded(pointer)))
    }

    /// All of a list or all values of an object, each followed, with its name.
    pub fn all<'v>(&'v self, value: &'v Value) -> Vec<(&'v str, &'v Value)> {
        match value {
            Value::Array(items) if self.spend(items.len()) => {
                items.iter().map(|item| ("", self.follow(item))).collect()
            }
            Value::Object(fields) if self.spend(fields.len()) => {
                fields.iter().map(|(name, item)| (name.as_str(), self.follow(item))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A schema of one piece, to be looked at: as [`Self::schema`], of which nothing is copied.
    pub fn joined<'v>(&'v self, schema: &'v Value) -> Joined<'v> {
        let mut parts = Vec::new();
        self.join(schema, 0, &mut parts);
        Joined(parts)
    }

    fn join<'v>(&'v self, schema: &'v Value, depth: usize, parts: &mut Vec<&'v Map<String, Value>>) {
        if parts.len() > PARTS_MAX || !self.spend(PART_STEPS) {
            return;
        }
        let Some(part) = self.follow(schema).as_object() else { return };
        parts.push(part);
        if let Some(Value::Array(all)) = part.get("allOf").filter(|_| depth < DEPTH_MAX) {
            // What is no object takes a step as well, and no place.
            all.iter().take(PARTS_MAX).for_each(|one| self.join(one, depth + 1, parts));
        }
    }

    /// A schema of one piece: references followed, `allOf` put together. What is in conflict is the first one's.
    pub fn schema(&self, schema: &Value) -> Map<String, Value> {
        let mut left = PARTS_MAX;
        self.put_together(schema, 0, &mut left)
    }

    fn put_together(&self, schema: &Value, depth: usize, left: &mut usize) -> Map<String, Value> {
        let mut joined = self.follow(schema).as_object().cloned().unwrap_or_default();
        let Some(Value::Array(parts)) = joined.shift_remove("allOf") else { return joined };
        if depth >= DEPTH_MAX {
            return joined;
        }
        for part in &parts {
            let Some(fewer) = left.checked_sub(1) else { break };
            *left = fewer;
            let part = self.put_together(part, depth + 1, left);
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
