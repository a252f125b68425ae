//! The parts of a schema and how they lead to one another: what asks the same value on, and what asks the values inside of it.
//! What stays true: every part that can ever be asked is in it, since what would lead elsewhere is refused: references out of
//! the schema, and words that choose a part only while data is looked at.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::patterns::{self, Patterns};

/// Parts of a schema that are looked at.
const PARTS_MAX: usize = 10_000;
/// Patterns of a schema: each takes a hundred kilobytes at most once it is compiled.
const PATTERNS_MAX: usize = 32;
/// What is listed in a part (properties, choices, needed names) and so many bytes of a pattern weigh as much as a check.
const LISTED_A_CHECK: usize = 16;

/// Words that hold a list of parts that ask the same value.
const SAME_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Words that hold one.
const SAME_ONES: [&str; 4] = ["not", "if", "then", "else"];
/// Words that hold several under names.
const SAME_MAPS: [&str; 2] = ["dependentSchemas", "dependencies"];
/// Words that hold one that asks any field, or its name.
const ANY_FIELDS: [&str; 2] = ["additionalProperties", "propertyNames"];
/// Words that hold one or several that ask items.
const ITEMS: [&str; 4] = ["items", "prefixItems", "additionalItems", "contains"];
/// Words with which nobody can say ahead how much is asked.
const REFUSED: [(&str, &str); 4] = [
    ("$dynamicRef", "use $ref"),
    ("$recursiveRef", "use $ref"),
    ("unevaluatedProperties", "use additionalProperties"),
    ("unevaluatedItems", "use items"),
];
/// Words that list things which are compared one by one.
const LISTS: [&str; 5] = ["enum", "required", "properties", "patternProperties", "dependentRequired"];

/// A part of a schema: what it leads to, by index.
#[derive(Debug, Default)]
pub struct Part<'s> {
    /// What it is of a check by itself.
    pub weight: u64,
    /// Parts that ask the same value.
    pub same: Vec<usize>,
    /// Parts that ask the field of this name.
    pub fields: Vec<(&'s str, usize)>,
    /// Parts that may ask any field.
    pub any_field: Vec<usize>,
    /// Parts that ask items.
    pub items: Vec<usize>,
}

/// All parts that the schema leads to; it is the first itself.
#[derive(Debug)]
pub struct Graph<'s> {
    pub parts: Vec<Part<'s>>,
    /// Those of all of them.
    pub patterns: Patterns,
}

impl<'s> Graph<'s> {
    /// Of a schema; an error says what cannot be taken, and where.
    pub fn of(schema: &'s Value) -> Result<Self, String> {
        let mut reader = Reader {
            root: schema,
            parts: Vec::new(),
            known: HashMap::new(),
            open: Vec::new(),
            patterns: Patterns::default(),
        };
        reader.part(String::new(), schema)?;
        while let Some((index, pointer, object)) = reader.open.pop() {
            reader.read(index, &pointer, object)?;
        }
        Ok(Self { parts: reader.parts, patterns: reader.patterns })
    }
}

struct Reader<'s> {
    root: &'s Value,
    parts: Vec<Part<'s>>,
    /// By the JSON Pointer to it.
    known: HashMap<String, usize>,
    open: Vec<(usize, String, &'s Map<String, Value>)>,
    patterns: Patterns,
}

impl<'s> Reader<'s> {
    /// The part at this place, which is read later if it is new.
    fn part(&mut self, pointer: String, schema: &'s Value) -> Result<usize, String> {
        if let Some(known) = self.known.get(&pointer) {
            return Ok(*known);
        }
        let index = self.parts.len();
        if index >= PARTS_MAX {
            return Err(format!("has more than {PARTS_MAX} parts; make it smaller"));
        }
        self.parts.push(Part { weight: 1, ..Part::default() });
        self.known.insert(pointer.clone(), index);
        match schema {
            Value::Object(object) => self.open.push((index, pointer, object)),
            Value::Bool(_) => {}
            _ => return Err(format!("at #{pointer}: must be a schema: an object, true or false")),
        }
        Ok(index)
    }

    fn read(&mut self, index: usize, pointer: &str, object: &'s Map<String, Value>) -> Result<(), String> {
        if let Some((word, instead)) = REFUSED.iter().find(|(word, _)| object.contains_key(*word)) {
            return Err(format!("at #{pointer}/{word}: {word} is not supported; {instead}"));
        }
        if index > 0 && object.get("$id").or(object.get("id")).is_some_and(Value::is_string) {
            return Err(format!("at #{pointer}/$id: only the whole schema may have an $id; name its parts in $defs"));
        }
        if let Some(reference) = object.get("$ref") {
            let target = self.reference(&format!("{pointer}/$ref"), reference)?;
            self.parts[index].same.push(target);
        }
        for word in SAME_LISTS {
            for (n, schema) in object.get(word).and_then(Value::as_array).into_iter().flatten().enumerate() {
                let part = self.part(format!("{pointer}/{word}/{n}"), schema)?;
                self.parts[index].same.push(part);
            }
        }
        for word in SAME_ONES {
            if let Some(schema) = object.get(word) {
                let part = self.part(format!("{pointer}/{word}"), schema)?;
                self.parts[index].same.push(part);
            }
        }
        for word in SAME_MAPS {
            // Lists of names in `dependencies` are no schemas.
            for (name, schema) in named(object, word).filter(|(_, schema)| !schema.is_array()) {
                let part = self.part(format!("{pointer}/{word}/{}", escaped(name)), schema)?;
                self.parts[index].same.push(part);
            }
        }
        self.read_fields(index, pointer, object)?;
        self.read_items(index, pointer, object)?;
        let listed = LISTS.iter().filter_map(|word| object.get(*word)).map(length).sum::<usize>();
        let patterns = object.get("pattern").and_then(Value::as_str).map_or(0, str::len);
        let of_names = named(object, "patternProperties").map(|(name, _)| name.len()).sum::<usize>();
        let names = named(object, "patternProperties").map(|(name, _)| name);
        self.patterns.add(pointer, object.get("pattern").and_then(Value::as_str).into_iter().chain(names))?;
        if self.patterns.count > PATTERNS_MAX {
            return Err(format!("at #{pointer}: it has more than {PATTERNS_MAX} patterns in all; leave some out"));
        }
        self.parts[index].weight += ((listed + patterns + of_names) / LISTED_A_CHECK) as u64;
        Ok(())
    }

    fn read_fields(&mut self, index: usize, pointer: &str, object: &'s Map<String, Value>) -> Result<(), String> {
        for (name, schema) in named(object, "properties") {
            let part = self.part(format!("{pointer}/properties/{}", escaped(name)), schema)?;
            self.parts[index].fields.push((name, part));
        }
        for (name, schema) in named(object, "patternProperties") {
            let part = self.part(format!("{pointer}/patternProperties/{}", escaped(name)), schema)?;
            self.parts[index].any_field.push(part);
        }
        for word in ANY_FIELDS {
            if let Some(schema) = object.get(word) {
                let part = self.part(format!("{pointer}/{word}"), schema)?;
                self.parts[index].any_field.push(part);
            }
        }
        Ok(())
    }

    fn read_items(&mut self, index: usize, pointer: &str, object: &'s Map<String, Value>) -> Result<(), String> {
        for word in ITEMS {
            match object.get(word) {
                Some(Value::Array(several)) => {
                    for (n, schema) in several.iter().enumerate() {
                        let part = self.part(format!("{pointer}/{word}/{n}"), schema)?;
                        self.parts[index].items.push(part);
                    }
                }
                Some(schema) => {
                    let part = self.part(format!("{pointer}/{word}"), schema)?;
                    self.parts[index].items.push(part);
                }
                None => {}
            }
        }
        Ok(())
    }

    /// The part that a reference leads to.
    fn reference(&mut self, at: &str, reference: &Value) -> Result<usize, String> {
        let Some(text) = reference.as_str() else { return Err(format!("at #{at}: must be a text")) };
        let Some(fragment) = text.strip_prefix('#') else {
            return Err(format!(
                "at #{at}: {text:?} leads out of the schema, and nothing is fetched; put what it leads to under $defs, and \
                 write \"#/$defs/name\""
            ));
        };
        let pointer = unescaped_url(fragment);
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(format!("at #{at}: {text:?} must say a place, such as \"#/$defs/name\""));
        }
        if let Some(name) = through_pattern(&pointer) {
            return Err(format!(
                "at #{at}: {text:?} leads through the pattern {name:?}, which is compiled with other groups; put what it leads to under \
                 $defs, and write \"#/$defs/name\""
            ));
        }
        let root = self.root;
        let target = root.pointer(&pointer).ok_or_else(|| format!("at #{at}: nothing is at {text:?}"))?;
        self.part(pointer, target)
    }
}

fn named<'s>(object: &'s Map<String, Value>, word: &str) -> impl Iterator<Item = (&'s str, &'s Value)> + use<'s> {
    let map = object.get(word).and_then(Value::as_object);
    map.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema))
}

/// How many things a list has, or a map with lists.
fn length(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.values().map(|field| 1 + field.as_array().map_or(0, Vec::len)).sum(),
        _ => 0,
    }
}

/// The first pattern on the way that is not compiled as it stands there.
fn through_pattern(pointer: &str) -> Option<String> {
    let steps = pointer.split('/').zip(pointer.split('/').skip(1));
    let mut names = steps.filter(|(word, _)| *word == "patternProperties").map(|(_, name)| unescaped(name));
    names.find(|name| patterns::written(name) != *name)
}

/// A step of a JSON Pointer as a name.
fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// A name as a step of a JSON Pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What stands in a URL with `%` and two digits, as it is.
fn unescaped_url(fragment: &str) -> String {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = || std::str::from_utf8(after.get(..2)?).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (*first == b'%').then(code).flatten() {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
