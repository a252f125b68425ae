//! Holds the JSON Schema of dialect files to the reader: both know the same keys, and what one takes or refuses the other does.

use std::collections::BTreeMap;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;
use toml::{Table, Value as Toml};

use super::broken::{FILE, Mistake};
use super::*;
use crate::dialect::SCHEMA;

/// The schema, ready to judge files.
struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("dialect.json", SCHEMA.clone()).unwrap();
        let index = compiler.compile("dialect.json", &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
        Self { schemas, index }
    }

    /// What an editor says of a file.
    fn check(&self, text: &str) -> Result<(), String> {
        let file: Toml = toml::from_str(text).map_err(|error| error.to_string())?;
        let json = serde_json::to_value(file).unwrap();
        self.schemas.validate(&json, self.index).map_err(|error| format!("{error:#}"))
    }
}

/// All keys that the schema states, by their paths, and all tables whose keys it states.
fn keys() -> (BTreeMap<String, &'static Value>, Vec<String>) {
    fn walk(path: &str, schema: &'static Value, keys: &mut BTreeMap<String, &'static Value>, tables: &mut Vec<String>) {
        let schema = schema.get("items").unwrap_or(schema);
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        if schema["additionalProperties"] == Value::Bool(false) {
            tables.push(path.to_string());
        }
        for (key, inner) in properties {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            walk(&path, inner, keys, tables);
            keys.insert(path, inner);
        }
    }
    let (mut keys, mut tables) = (BTreeMap::new(), Vec::new());
    walk("", &SCHEMA, &mut keys, &mut tables);
    (keys, tables)
}

/// All files that there are to try a key in.
fn files() -> Vec<String> {
    let dialects = Dialects::shipped();
    let other = FILE
        .replace("send = { type = \"hello\", challenge = \"{challenge}\" }\n", "")
        .replace("query = { kind = \"{event.type}\" }", "query = { asked = \"{challenge}\" }")
        .replace("per_minute", "per_second")
        .replace("[envelope]", "[shape]\ndrop = [\"@.data.none\"]\n\n[envelope]");
    dialects.iter().map(|dialect| dialect.source.clone()).chain([FILE.to_string(), other]).collect()
}

/// The file with `value` at `path`; in a list, in its first table. `None` where nothing is there to hold it.
fn with(file: &str, path: &str, value: Toml) -> Option<String> {
    let mut file: Table = toml::from_str(file).unwrap();
    let mut table = &mut file;
    let (above, key) = path.rsplit_once('.').unwrap_or(("", path));
    for step in above.split('.').filter(|step| !step.is_empty()) {
        table = match table.get_mut(step)? {
            Toml::Table(inner) => inner,
            Toml::Array(items) => items.first_mut()?.as_table_mut()?,
            _ => return None,
        };
    }
    table.insert(key.to_string(), value);
    Some(toml::to_string(&file).unwrap())
}

#[test]
fn every_shipped_dialect_fits() {
    let judge = Judge::new();
    for file in files() {
        judge.check(&file).unwrap_or_else(|error| panic!("{error}\n{file}"));
    }
}

#[test]
fn every_key_says_what_it_is_and_its_example_is_taken() {
    let (judge, files, (keys, _)) = (Judge::new(), files(), keys());
    assert!(keys.len() > 80, "only {} keys", keys.len());
    for (path, schema) in keys {
        // What is spread says itself what it takes.
        if path.ends_with("...") {
            continue;
        }
        assert!(schema["description"].is_string(), "{path} says nothing: {schema}");
        let example = schema["examples"].get(0).unwrap_or_else(|| panic!("{path} has no example"));
        let example = Toml::try_from(example).unwrap();
        let mut refused = String::new();
        let mut tried = files.iter().filter_map(|file| with(file, &path, example.clone()));
        let taken = tried.find(|text| {
            let read = Dialect::parse("any.toml", text).map(|_| ());
            read.map_err(|error| refused.push_str(&format!("{error}\n"))).is_ok()
        });
        let text = taken.unwrap_or_else(|| panic!("{path} = {example} is taken nowhere:\n{refused}"));
        judge.check(&text).unwrap_or_else(|error| panic!("{path} = {example}: {error}"));
    }
}

#[test]
fn a_key_that_is_not_known_is_refused_by_both() {
    let (judge, files, (_, tables)) = (Judge::new(), files(), keys());
    assert!(tables.len() > 15, "only {} tables", tables.len());
    for table in tables {
        let path = if table.is_empty() { "zz".to_string() } else { format!("{table}.zz") };
        let text = files.iter().find_map(|file| with(file, &path, 1.into()));
        let text = text.unwrap_or_else(|| panic!("no file has [{table}]"));
        let error = Dialect::parse("any.toml", &text).expect_err(&path);
        assert!(error.message.contains("unknown"), "{path}: {error}");
        judge.check(&text).expect_err(&path);
    }
}

/// A key that the reader takes and the schema does not know would be refused in the files above; this one is about mistakes.
#[test]
fn every_mistake_is_refused_that_a_schema_can_tell() {
    let judge = Judge::new();
    judge.check(FILE).unwrap();
    for Mistake { right, wrong, beyond_schema, .. } in Mistake::all() {
        let text = FILE.replacen(&right, &wrong, 1);
        match (judge.check(&text), beyond_schema) {
            (Ok(()), None) => panic!("taken:\n{wrong}\ninstead of\n{right}"),
            (Err(error), Some(why)) => panic!("{why}, but it was told:\n{wrong}\n{error}"),
            _ => {}
        }
    }
}
