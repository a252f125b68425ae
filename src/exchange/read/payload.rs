//! From the schema of a body to an envelope: what is marked is taken as it is, what is the same in every body as well; the
//! rest is a guess by its name, or lost.

use serde_json::Value;
use toml::Value as Toml;

use super::document::Document;
use super::guess;
use crate::exchange::format::MARK;

/// How deep an envelope is.
const DEPTH_MAX: usize = 8;
/// How deep fields are guessed at.
const GUESSED_DEPTH_MAX: usize = 3;
/// How many fields of a body are looked at.
const FIELDS_MAX: usize = 1_000;

/// What was made of a body.
#[derive(Debug)]
pub(super) struct Body {
    /// As a dialect file has it.
    pub envelope: Toml,
    /// Fields that nothing fills, and what was made of others.
    pub lost: Vec<String>,
    pub guessed: Vec<String>,
}

/// Reads the schema of a body; `name` is the event's.
pub(super) fn read(document: &Document, schema: &Value, example: Option<&Value>, name: &str) -> Body {
    let is_marked = has_mark(document, schema);
    let left = FIELDS_MAX;
    let mut reader = Reader { document, name, is_marked, left, lost: Vec::new(), guessed: Vec::new() };
    let envelope = reader.value(schema, example, &[]);
    // Where no field holds the data, all of the body is the data.
    let envelope = envelope.filter(|envelope| is_marked || has_data(envelope));
    let Reader { mut lost, mut guessed, .. } = reader;
    let envelope = envelope.unwrap_or_else(|| {
        (lost, guessed) = (Vec::new(), vec!["envelope: all of a body is taken for the event's data".into()]);
        Toml::String("{event.data}".into())
    });
    Body { envelope, lost, guessed }
}

/// Whether an envelope holds the data.
fn has_data(envelope: &Toml) -> bool {
    way_to_data(envelope).is_some()
}

/// A step from a value to one inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

/// The way from a body to its data.
pub(super) fn way_to_data(envelope: &Toml) -> Option<Vec<Step>> {
    let further = |step: Step, inner: &Toml| {
        let mut way = way_to_data(inner)?;
        way.insert(0, step);
        Some(way)
    };
    match envelope {
        Toml::String(text) => (text == "{event.data}").then(Vec::new),
        Toml::Array(items) => items.iter().enumerate().find_map(|(n, item)| further(Step::Item(n), item)),
        Toml::Table(fields) => fields.iter().find_map(|(name, value)| further(Step::Key(name.clone()), value)),
        _ => None,
    }
}

struct Reader<'d> {
    document: &'d Document,
    name: &'d str,
    is_marked: bool,
    left: usize,
    lost: Vec<String>,
    guessed: Vec<String>,
}

impl Reader<'_> {
    fn value(&mut self, schema: &Value, example: Option<&Value>, path: &[String]) -> Option<Toml> {
        self.left = self.left.checked_sub(1)?;
        let schema = self.document.schema(schema);
        let deepest = if self.is_marked { DEPTH_MAX } else { GUESSED_DEPTH_MAX };
        match schema.get(MARK) {
            Some(Value::String(template)) => return Some(Toml::String(template.clone())),
            _ if path.len() >= deepest => return None,
            _ => {}
        }
        if let Some(constant) = constant(&schema) {
            // The type of the event is the same in all bodies of one event.
            let is_type = !self.is_marked && constant.as_str() == Some(self.name);
            return if is_type { Some(Toml::String("{event.type}".into())) } else { fixed(constant) };
        }
        if !self.is_marked
            && let Some(last) = path.last()
        {
            let meant = guess::field(last, &schema, example, self.name, path.len());
            if let Some(template) = meant {
                self.guessed.push(format!("envelope.{}: {template}", path.join(".")));
                return Some(Toml::String(template));
            }
        }
        let list = schema.get("prefixItems").or_else(|| schema.get("items").filter(|items| items.is_array()));
        if let Some(Value::Array(items)) = list {
            let item = |(n, item): (usize, &Value)| {
                self.value(item, example.and_then(|all| all.get(n)), &under(path, &format!("[{n}]")))
            };
            return items.iter().enumerate().map(item).collect::<Option<Vec<_>>>().map(Toml::Array);
        }
        let Some(Value::Object(properties)) = schema.get("properties") else { return None };
        let told = self.lost.len();
        let mut table = toml::Table::new();
        let spread = |after: Option<&str>| {
            let marks = schema.get(MARK).and_then(Value::as_array).into_iter().flatten();
            let here = marks.filter(move |mark| mark["after"].as_str() == after);
            here.filter_map(|mark| mark["spread"].as_str().map(String::from)).collect::<Vec<_>>()
        };
        // A table has one "..." at most, as a file has.
        spread(None).into_iter().for_each(|slot| drop(table.insert("...".into(), Toml::String(slot))));
        for (name, inner) in properties {
            let inside = under(path, name);
            match self.value(inner, example.and_then(|all| all.get(name)), &inside) {
                Some(value) => drop(table.insert(name.clone(), value)),
                None => self.lost.push(format!("the body's {}: no fact fills it", inside.join("."))),
            }
            spread(Some(name)).into_iter().for_each(|slot| drop(table.insert("...".into(), Toml::String(slot))));
        }
        if table.is_empty() && !properties.is_empty() {
            // It is lost as a whole, which whoever asked tells.
            self.lost.truncate(told);
            return None;
        }
        Some(Toml::Table(table))
    }
}

fn under(path: &[String], name: &str) -> Vec<String> {
    [path, &[name.to_string()]].concat()
}

/// The value that is the only one.
fn constant(schema: &serde_json::Map<String, Value>) -> Option<&Value> {
    let only = || match schema.get("enum") {
        Some(Value::Array(choices)) if choices.len() == 1 => choices.first(),
        _ => None,
    };
    schema.get("const").or_else(only)
}

/// A value as an envelope can have it; there is no null, and no text with braces.
fn fixed(value: &Value) -> Option<Toml> {
    match value {
        Value::Bool(flag) => Some(Toml::Boolean(*flag)),
        Value::Number(number) => number.as_i64().map(Toml::Integer).or_else(|| number.as_f64().map(Toml::Float)),
        Value::String(text) if !text.contains('{') => Some(Toml::String(text.clone())),
        Value::Array(items) if items.is_empty() => Some(Toml::Array(Vec::new())),
        _ => None,
    }
}

/// Whether anything in a schema of a body is marked.
fn has_mark(document: &Document, schema: &Value) -> bool {
    let mut open = vec![schema.clone()];
    for _ in 0..FIELDS_MAX {
        let Some(schema) = open.pop().map(|schema| document.schema(&schema)) else { return false };
        if schema.contains_key(MARK) {
            return true;
        }
        for key in ["properties", "prefixItems", "items"] {
            match schema.get(key) {
                Some(Value::Object(fields)) => open.extend(fields.values().cloned()),
                Some(Value::Array(items)) => open.extend(items.iter().cloned()),
                _ => {}
            }
        }
    }
    false
}
