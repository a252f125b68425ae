//! Schemas in words, and an example of what one describes.

use serde_json::{Map, Value, json};

use super::document::{Reference, described, text};
use crate::docs::block::{Block, Text, row};
use crate::docs::words;

/// Examples of objects in objects are made down to here; schemas may lead back to themselves.
const DEPTH_MAX: usize = 6;

/// What is meant by a schema: behind its `$ref`, without the null that it may be, and of several forms the first.
pub(super) fn meant<'r>(reference: &'r Reference, schema: &'r Value) -> &'r Value {
    let mut schema = reference.resolved(schema);
    for _ in 0..DEPTH_MAX {
        let forms = ["oneOf", "anyOf", "allOf"].iter().find_map(|key| schema[*key].as_array());
        let is_null = |form: &&Value| form["type"] == "null";
        match forms.and_then(|forms| forms.iter().find(|form| !is_null(form))) {
            // A list of constants is what it is.
            Some(first) if first.get("const").is_none() => schema = reference.resolved(first),
            _ => break,
        }
    }
    schema
}

/// A table of the fields of an object, and below it one for each field that is an object itself.
pub(super) fn fields(reference: &Reference, schema: &Value, caption: &str) -> Vec<Block> {
    let object = meant(reference, schema);
    let mut blocks = vec![table(reference, object, caption)];
    for (name, schema) in properties(object) {
        let within = items(reference, meant(reference, schema));
        if properties(within).next().is_some() {
            let summary = Text::from("Fields of ").and(Text::code(name.as_str()));
            blocks
                .push(Block::Details { summary, blocks: vec![table(reference, within, &format!("Fields of {name}"))] });
        }
    }
    blocks
}

fn table(reference: &Reference, object: &Value, caption: &str) -> Block {
    let required = object["required"].as_array();
    let rows = properties(object).map(|(name, schema)| {
        let must = required.is_some_and(|names| names.iter().any(|known| known == name));
        let resolved = meant(reference, schema);
        let said = match described(schema) {
            said if said.is_empty() => described(schema["oneOf"].get(0).unwrap_or(resolved)),
            said => said,
        };
        let said = if said.is_empty() { described(resolved) } else { said };
        let mut kind = kind(reference, schema);
        if must {
            kind.push_str("; always there");
        }
        row![Text::code(name.as_str()), said, kind]
    });
    let head = ["Field", "Meaning", "What it is"].map(String::from).to_vec();
    Block::Table { caption: caption.into(), head, rows: rows.collect() }
}

/// What a value may be, in words.
pub(super) fn kind(reference: &Reference, schema: &Value) -> String {
    let resolved = meant(reference, schema);
    let types: Vec<&str> = match &resolved["type"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let nullable = types.contains(&"null")
        || schema["oneOf"].as_array().is_some_and(|forms| forms.iter().any(|form| form["type"] == "null"));
    let known: Vec<String> =
        resolved["enum"].as_array().into_iter().flatten().map(|value| format!("`{}`", bare(value))).collect();
    let mut said = if known.is_empty() {
        match types.iter().find(|known| **known != "null") {
            Some(&"array") => {
                format!(
                    "a list{}; each: {}",
                    between(resolved, "minItems", "maxItems", ""),
                    kind(reference, &resolved["items"])
                )
            }
            Some(&"object") => "an object".into(),
            Some(&"boolean") => "true or false".into(),
            Some(&"integer") => format!("a whole number{}", between(resolved, "minimum", "maximum", "")),
            Some(&"number") => "a number".into(),
            Some(&"string") if resolved["format"] == "date-time" => "a time (RFC 3339)".into(),
            Some(&"string") => format!("text{}", between(resolved, "minLength", "maxLength", " characters")),
            _ => "any JSON".into(),
        }
    } else {
        either(&known)
    };
    if nullable {
        said.push_str(", or null");
    }
    match schema.get("default").or(resolved.get("default")) {
        Some(default) if !default.is_null() => format!("{said}; else `{}`", bare(default)),
        _ => said,
    }
}

fn either(names: &[String]) -> String {
    match names {
        [some @ .., last] if !some.is_empty() => format!("{} or {last}", some.join(", ")),
        all => words::list(all),
    }
}

/// A constant as one writes it in a sentence.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn between(schema: &Value, least: &str, most: &str, unit: &str) -> String {
    match (schema[least].as_u64().filter(|least| *least > 0), schema[most].as_u64()) {
        (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        (None, Some(most)) => format!(", at most {most}{unit}"),
        (Some(1), None) if unit.is_empty() => ", at least 1".into(),
        _ => String::new(),
    }
}

/// The fields of an object.
pub(super) fn properties(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object["properties"].as_object().into_iter().flat_map(Map::iter)
}

fn items<'r>(reference: &'r Reference, schema: &'r Value) -> &'r Value {
    schema.get("items").map_or(schema, |items| meant(reference, items))
}

/// What a schema describes, as it could be: the fields that must be there, those that are named, and else the first one.
pub(super) fn example(reference: &Reference, schema: &Value, wanted: &[&str]) -> Value {
    sample(reference, schema, wanted, DEPTH_MAX)
}

fn sample(reference: &Reference, schema: &Value, wanted: &[&str], depth: usize) -> Value {
    let resolved = meant(reference, schema);
    let given = schema["examples"].get(0).or(resolved["examples"].get(0));
    if let (Some(given), true) = (given, wanted.is_empty() || properties(resolved).next().is_none()) {
        return given.clone();
    }
    if depth == 0 {
        return Value::Null;
    }
    if let Some(first) = resolved["enum"].get(0) {
        return first.clone();
    }
    let kind = match &resolved["type"] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        one => one.as_str(),
    };
    match kind {
        Some("array") => json!([sample(reference, &resolved["items"], wanted, depth - 1)]),
        Some("object") => object(reference, resolved, wanted, depth),
        Some("boolean") => json!(true),
        Some("integer" | "number") => json!(1),
        Some("string") => json!("…"),
        _ => json!({}),
    }
}

fn object(reference: &Reference, schema: &Value, wanted: &[&str], depth: usize) -> Value {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let is_chosen = |name: &str| required.contains(&name) || wanted.contains(&name);
    let any = properties(schema).any(|(name, _)| is_chosen(name));
    let chosen = properties(schema).enumerate().filter(|(n, (name, _))| is_chosen(name) || (!any && *n == 0));
    let fields = chosen.map(|(_, (name, schema))| (name.clone(), sample(reference, schema, &[], depth - 1)));
    Value::Object(fields.collect())
}

/// The example of a parameter, as text.
pub(super) fn example_of_parameter(parameter: &Value) -> Option<String> {
    let given = parameter.get("example").or(parameter["schema"]["examples"].get(0))?;
    Some(text(parameter, "example").map_or_else(|| bare(given), str::to_owned))
}
