//! A field that a shape adds: JSON of any form, in whose texts `{@.data.id}` is what that path leads to. Alone in a text it is
//! the value itself, as the producer wrote it; among others it is text.

use serde_json::Value;

use super::facts::Facts;
use super::scan::inside;
use super::seek::find;
use super::spend::{Budget, Unshaped};
use crate::domain::condition::Path;

/// Arrays and objects inside of each other.
pub(super) const DEPTH_MAX: usize = 8;
/// What a double holds exactly: 2^53 - 1.
const INTEGER_MAX: f64 = 9_007_199_254_740_991.0;

/// What a field is made of.
#[derive(Debug, Clone)]
pub(super) enum Template {
    /// JSON.
    Constant(String),
    /// The value there.
    Lookup(Path),
    /// Text, with values in it.
    Text(Vec<Part>),
    List(Vec<Template>),
    Object(Vec<(String, Template)>),
}

/// A part of a text.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// As it stands inside of a JSON text.
    Text(String),
    Lookup(Path),
}

impl Template {
    /// Reads one. An error says what is wrong with it.
    pub fn read(value: &Value, depth: usize) -> Result<Self, String> {
        if depth > DEPTH_MAX {
            return Err(format!("holds more than {DEPTH_MAX} lists and objects inside of each other"));
        }
        Ok(match value {
            Value::String(text) => Self::text(text)?,
            Value::Array(items) => {
                Self::List(items.iter().map(|item| Self::read(item, depth + 1)).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) if fields.contains_key("$__toml_private_datetime") => {
                return Err("is a date; write it as text".into());
            }
            Value::Object(fields) => {
                let read = |(name, value): (&String, &Value)| Ok((quoted(name), Self::read(value, depth + 1)?));
                Self::Object(fields.iter().map(read).collect::<Result<_, String>>()?)
            }
            Value::Number(number) if number.as_f64().is_some_and(|n| n.fract() == 0.0 && n.abs() > INTEGER_MAX) => {
                return Err("is beyond what every receiver can hold (2^53 - 1); write it as text".into());
            }
            plain => Self::Constant(plain.to_string()),
        })
    }

    fn text(text: &str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find("{@") {
            let (before, from) = rest.split_at(at);
            let wrong = || {
                format!("has no path at {:?}; write it like {{@.data.id}}", from.chars().take(20).collect::<String>())
            };
            let (path, behind) = Path::at_start(&from[1..]).map_err(|_| wrong())?;
            rest = behind.strip_prefix('}').ok_or_else(wrong)?;
            parts.extend((!before.is_empty()).then(|| Part::Text(escaped(before))));
            parts.push(Part::Lookup(path));
        }
        parts.extend((!rest.is_empty()).then(|| Part::Text(escaped(rest))));
        Ok(match parts.as_slice() {
            [] => Self::Constant("\"\"".into()),
            [Part::Text(text)] => Self::Constant(format!("\"{text}\"")),
            [Part::Lookup(path)] => Self::Lookup(path.clone()),
            _ => Self::Text(parts),
        })
    }

    /// All paths in it.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Lookup(path) => vec![path],
            Self::Text(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Part::Lookup(path) => Some(path),
                    Part::Text(_) => None,
                })
                .collect(),
            Self::List(items) => items.iter().flat_map(Self::paths).collect(),
            Self::Object(fields) => fields.iter().flat_map(|(_, value)| value.paths()).collect(),
        }
    }
}

/// Fills templates in for an event.
pub(super) struct Filling<'f, 'e, 'b> {
    pub facts: &'f Facts<'e>,
    pub budget: &'b mut Budget,
    /// Whether what is not there is written as null.
    pub null: bool,
    pub out: Vec<u8>,
}

impl Filling<'_, '_, '_> {
    /// Writes it; false: nothing is there, and nothing was written.
    pub fn write(&mut self, template: &Template) -> Result<bool, Unshaped> {
        match template {
            Template::Constant(json) => self.out.extend_from_slice(json.as_bytes()),
            Template::Lookup(path) => {
                let found = find(self.facts, path, self.budget)?;
                match found.as_slice() {
                    [] if path.is_single() && self.null => self.out.extend_from_slice(b"null"),
                    [] if path.is_single() => return Ok(false),
                    [one] if path.is_single() => self.out.extend_from_slice(one),
                    several => list_of(several, &mut self.out),
                }
            }
            Template::Text(parts) => {
                self.out.push(b'"');
                parts.iter().try_for_each(|part| self.part(part))?;
                self.out.push(b'"');
            }
            Template::List(items) => {
                let start = self.begin(b'[');
                for item in items {
                    let before = self.comma(start);
                    if !self.write(item)? {
                        self.out.truncate(before);
                    }
                }
                self.out.push(b']');
            }
            Template::Object(fields) => {
                let start = self.begin(b'{');
                for (name, value) in fields {
                    let before = self.comma(start);
                    self.out.extend_from_slice(name.as_bytes());
                    self.out.push(b':');
                    if !self.write(value)? {
                        self.out.truncate(before);
                    }
                }
                self.out.push(b'}');
            }
        }
        self.budget.fits(self.out.len())?;
        Ok(true)
    }

    fn part(&mut self, part: &Part) -> Result<(), Unshaped> {
        match part {
            Part::Text(text) => self.out.extend_from_slice(text.as_bytes()),
            Part::Lookup(path) => {
                let found = find(self.facts, path, self.budget)?;
                match found.as_slice() {
                    [] | [b"null"] if path.is_single() => {}
                    // What stands between quotes stands there in this text too.
                    [one] if path.is_single() && one.first() == Some(&b'"') => self.out.extend_from_slice(inside(one)),
                    [one] if path.is_single() => escape(one, &mut self.out),
                    several => {
                        let mut list = Vec::new();
                        list_of(several, &mut list);
                        self.budget.fits(self.out.len() + list.len())?;
                        escape(&list, &mut self.out);
                    }
                }
            }
        }
        self.budget.fits(self.out.len())
    }

    fn begin(&mut self, bracket: u8) -> usize {
        self.out.push(bracket);
        self.out.len()
    }

    /// Writes a comma, but before the first, and says where the next one begins.
    fn comma(&mut self, start: usize) -> usize {
        let before = self.out.len();
        if before > start {
            self.out.push(b',');
        }
        before
    }
}

fn list_of(values: &[&[u8]], out: &mut Vec<u8>) {
    out.push(b'[');
    for (n, value) in values.iter().enumerate() {
        out.extend_from_slice(if n > 0 { b"," } else { b"" });
        out.extend_from_slice(value);
    }
    out.push(b']');
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be written")
}

/// What stands inside of its quotes.
fn escaped(text: &str) -> String {
    let quoted = quoted(text);
    quoted[1..quoted.len() - 1].to_string()
}

/// Writes JSON into a text.
fn escape(json: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(escaped(&String::from_utf8_lossy(json)).as_bytes());
}
