//! A schema out of a document, with all that it refers to there under its own `$defs`. What stays true: it means what it meant in
//! the document, also where it holds itself; what leads out of the document is an error; and it is never longer than it may be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

use super::document::Document;

/// Words whose values are data, and no schemas.
const DATA: [&str; 3] = ["const", "enum", "default"];
/// Words whose values are schemas under names of somebody's choice.
const NAMED: [&str; 4] = ["properties", "patternProperties", "dependentSchemas", "dependencies"];
/// Words that say nothing of what fits; and parts, which are copied where something refers to them.
const LEFT_OUT: [&str; 8] =
    ["example", "examples", "xml", "externalDocs", "discriminator", "nullable", "$defs", "definitions"];

/// Copies schemas out of a document.
pub(super) struct Standalone<'d> {
    pub document: &'d Document,
    /// Whether the document is of OpenAPI 3.0, whose schemas say some things in words of their own.
    pub is_openapi_3_0: bool,
    /// Bytes that a schema may have.
    pub bytes_max: usize,
}

impl Standalone<'_> {
    /// The schema by itself; an error says what cannot be taken with it.
    pub fn schema(&self, schema: &Value) -> Result<Value, String> {
        let mut copier = Copier {
            of: self,
            names: BTreeMap::new(),
            taken: BTreeSet::new(),
            numbers: BTreeMap::new(),
            open: VecDeque::new(),
            left: self.bytes_max,
        };
        // What leads nowhere, or out of the document, is told of where it is copied.
        let followed = self.document.follow(schema);
        let mut copy = copier.copy(if followed.is_null() { schema } else { followed })?;
        let mut parts = Map::new();
        while let Some((name, reference)) = copier.open.pop_front() {
            let Some(part) = self.document.at(&reference) else {
                return Err(format!("nothing is at {reference:?} in the document"));
            };
            parts.insert(name, copier.copy(part)?);
        }
        if let (Value::Object(copy), false) = (&mut copy, parts.is_empty()) {
            copy.insert("$defs".into(), Value::Object(parts));
        }
        let draft = self.document.root.get("$schema").filter(|draft| draft.is_string());
        if let (Value::Object(copy), Some(draft)) = (&mut copy, draft) {
            copy.entry("$schema").or_insert(draft.clone());
        }
        Ok(copy)
    }
}

struct Copier<'d> {
    of: &'d Standalone<'d>,
    /// References, and what each is called under `$defs`.
    names: BTreeMap<String, String>,
    taken: BTreeSet<String>,
    /// How often a name was wanted.
    numbers: BTreeMap<String, usize>,
    /// What is yet to be copied: its name there, and the reference.
    open: VecDeque<(String, String)>,
    left: usize,
}

impl Copier<'_> {
    fn copy(&mut self, schema: &Value) -> Result<Value, String> {
        self.spend(2)?;
        match schema {
            Value::Object(fields) => self.copy_object(fields),
            Value::Array(items) => items.iter().map(|item| self.copy(item)).collect::<Result<_, _>>().map(Value::Array),
            plain => self.copy_data(plain),
        }
    }

    fn copy_object(&mut self, fields: &Map<String, Value>) -> Result<Value, String> {
        self.step(fields.len())?;
        let mut copy = Map::new();
        for (word, value) in fields.iter().filter(|(word, _)| !is_left_out(word)) {
            self.spend(word.len() + 4)?;
            let value = match (word.as_str(), value) {
                ("$ref", Value::String(reference)) => Value::String(self.reference(reference)?),
                (word, Value::Object(named)) if NAMED.contains(&word) => {
                    let mut all = Map::new();
                    for (name, schema) in named {
                        self.spend(name.len() + 4)?;
                        all.insert(name.clone(), self.copy(schema)?);
                    }
                    Value::Object(all)
                }
                (word, data) if DATA.contains(&word) => self.copy_data(data)?,
                (_, value) => self.copy(value)?,
            };
            copy.insert(word.clone(), value);
        }
        if self.of.is_openapi_3_0 {
            as_later(&mut copy, fields.get("nullable") == Some(&Value::Bool(true)));
        }
        Ok(Value::Object(copy))
    }

    fn copy_data(&mut self, data: &Value) -> Result<Value, String> {
        let bytes = match data {
            Value::String(text) => text.len() + 2,
            Value::Array(_) | Value::Object(_) => data.to_string().len(),
            _ => 4,
        };
        self.spend(bytes)?;
        Ok(data.clone())
    }

    /// Where what it refers to is in the copy.
    fn reference(&mut self, reference: &str) -> Result<String, String> {
        if !reference.starts_with('#') {
            return Err(format!(
                "{reference:?} leads out of the document, and nothing is fetched; bundle it into one first"
            ));
        }
        self.step(reference.len())?;
        if let Some(name) = self.names.get(reference) {
            return Ok(format!("#/$defs/{name}"));
        }
        let last = reference.rsplit(['/', '#']).next().unwrap_or_default();
        let plain: String =
            last.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')).collect();
        let plain = if plain.is_empty() { "root".to_string() } else { plain };
        let number = self.numbers.entry(plain.clone()).or_insert(1);
        let mut name = if *number == 1 { plain.clone() } else { format!("{plain}_{number}") };
        while !self.taken.insert(name.clone()) {
            *number += 1;
            name = format!("{plain}_{number}");
        }
        *number += 1;
        self.spend(name.len() + 4)?;
        self.names.insert(reference.into(), name.clone());
        self.open.push_back((name.clone(), reference.into()));
        Ok(format!("#/$defs/{name}"))
    }

    /// Steps in the document; once they are used up, whoever reads it says so.
    fn step(&self, steps: usize) -> Result<(), String> {
        if self.of.document.spend(steps) { Ok(()) } else { Err("takes too long to be read".into()) }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), String> {
        let max = self.of.bytes_max;
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| format!("is longer than {max} bytes with all that it refers to"))?;
        Ok(())
    }
}

fn is_left_out(word: &str) -> bool {
    LEFT_OUT.contains(&word) || word.starts_with("x-")
}

/// What OpenAPI 3.0 says otherwise than JSON Schema: `nullable`, and bounds that are left out of a range.
fn as_later(schema: &mut Map<String, Value>, nullable: bool) {
    if nullable && let Some(Value::String(one)) = schema.get("type") {
        let both = json!([one, "null"]);
        schema.insert("type".into(), both);
        if let Some(Value::Array(choices)) = schema.get_mut("enum")
            && !choices.contains(&Value::Null)
        {
            choices.push(Value::Null);
        }
    }
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        match schema.get(exclusive) {
            Some(Value::Bool(true)) => {
                let bound = schema.shift_remove(bound).unwrap_or(Value::Null);
                schema.shift_remove(exclusive);
                if bound.is_number() {
                    schema.insert(exclusive.into(), bound);
                }
            }
            Some(Value::Bool(false)) => drop(schema.shift_remove(exclusive)),
            _ => {}
        }
    }
}
