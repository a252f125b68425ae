//! What is done to every schema: it gets the name that people would give it, what a reply always has is required, and every
//! field has an example.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::bounds::{bounds, bounds_of_whole};
use super::examples::example;

const PREFIX: &str = "#/components/schemas/";

/// What may be null and may be left out as well.
const AT_TIMES: [(&str, &str); 5] = [
    ("Attempt", "request_body"),
    ("Event", "actor"),
    ("Event", "metadata"),
    ("Event", "deliveries_next_cursor"),
    ("Webhook", "lane"),
];

/// What a frame holds, and how: the frames are written out for each noun, with the noun's own schema in them.
#[derive(Debug, Clone, Copy)]
enum Frame<'n> {
    /// `Reply_Webhook`.
    One(&'n str),
    /// `Reply_Vec_Webhook`.
    Several(&'n str),
    /// `PageReply_Webhook`.
    Page(&'n str),
}

impl<'n> Frame<'n> {
    fn of(name: &'n str) -> Option<Self> {
        let page = name.strip_prefix("PageReply_").map(Self::Page);
        let several = || name.strip_prefix("Reply_Vec_").map(Self::Several);
        page.or_else(several).or_else(|| name.strip_prefix("Reply_").map(Self::One))
    }

    fn noun(self) -> &'n str {
        let (Self::One(noun) | Self::Several(noun) | Self::Page(noun)) = self;
        noun
    }

    fn shown_name(self) -> String {
        match self {
            Self::One(noun) => format!("{noun}Reply"),
            Self::Several(noun) => format!("{noun}sReply"),
            Self::Page(noun) => format!("{noun}Page"),
        }
    }

    /// Puts a reference to the noun into its frame, and gives the schema that was there.
    fn refer(self, schema: &mut Value) -> Value {
        let data = &mut schema["properties"]["data"];
        let place = if matches!(self, Self::One(_)) { data } else { &mut data["items"] };
        std::mem::replace(place, json!({"$ref": format!("{PREFIX}{}", self.noun())}))
    }
}

/// Gives every schema the name that people would give it, wherever it is referred to, and lets each frame refer to its noun:
/// `PageReply_Webhook` is a `WebhookPage` of `Webhook`.
pub fn rename(document: &mut Value) {
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        for (name, mut schema) in std::mem::take(schemas) {
            match Frame::of(&name) {
                Some(frame) => {
                    let noun = frame.refer(&mut schema);
                    schemas.entry(frame.noun()).or_insert(noun);
                    schemas.insert(frame.shown_name(), schema);
                }
                None => drop(schemas.insert(name, schema)),
            }
        }
    }
    walk(document, &mut |object| {
        if let Some(Value::String(to)) = object.get_mut("$ref")
            && let Some(frame) = to.strip_prefix(PREFIX).and_then(Frame::of)
        {
            let name = frame.shown_name();
            *to = format!("{PREFIX}{name}");
        }
    });
}

/// Makes one object of a schema that takes in the fields of another: whoever reads it meets no inheritance.
pub fn merge(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let known = schemas.clone();
    for schema in schemas.values_mut().filter_map(Value::as_object_mut) {
        let Some(Value::Array(parts)) = schema.remove("allOf") else { continue };
        schema.insert("type".into(), "object".into());
        for part in &parts {
            let name = part.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix(PREFIX));
            take_in(name.map_or(part, |name| &known[name]), schema);
        }
    }
}

fn take_in(part: &Value, schema: &mut Map<String, Value>) {
    let properties = part["properties"].as_object().cloned().unwrap_or_default();
    let required = part["required"].as_array().cloned().unwrap_or_default();
    if let Value::Object(all) = schema.entry("properties").or_insert_with(|| json!({})) {
        all.extend(properties);
    }
    if let Value::Array(all) = schema.entry("required").or_insert_with(|| json!([])) {
        all.extend(required);
    }
}

/// Says of what replies hold that it is always there: a field that may be null is never left out. What requests hold stays
/// as it is.
pub fn require(document: &mut Value) {
    let asked = asked(document);
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    for (name, schema) in schemas.iter_mut().filter(|(name, _)| !asked.contains(*name)) {
        walk(schema, &mut |object| require_nullable(name, object));
    }
}

fn require_nullable(of: &str, object: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = object.get("properties") else { return };
    let always = |name: &str| !AT_TIMES.contains(&(of, name));
    let nullable = properties.iter().filter(|(name, schema)| is_nullable(schema) && always(name));
    let names: Vec<Value> = nullable.map(|(name, _)| name.as_str().into()).collect();
    let required = object.entry("required").or_insert_with(|| json!([]));
    let Value::Array(required) = required else { return };
    required.extend(names.into_iter().filter(|name| !required.contains(name)).collect::<Vec<_>>());
    if required.is_empty() {
        object.remove("required");
    }
}

fn is_nullable(schema: &Value) -> bool {
    let is_null = |one: &Value| one["type"] == "null";
    let types = schema["type"].as_array().is_some_and(|types| types.contains(&"null".into()));
    types || schema["oneOf"].as_array().is_some_and(|all| all.iter().any(is_null))
}

/// The schemas that requests refer to, and those that these refer to.
fn asked(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<Value> = Vec::new();
    walk(&mut document["paths"].clone(), &mut |object| open.extend(object.remove("requestBody")));
    while let Some(mut value) = open.pop() {
        walk(&mut value, &mut |object| {
            let name = object.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix(PREFIX));
            if let Some(name) = name.filter(|name| found.insert(name.to_string())) {
                open.push(document["components"]["schemas"][name].clone());
            }
        });
    }
    found
}

/// Gives every field its bounds and an example.
pub fn detail(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    for (name, schema) in schemas {
        if let (Some(Value::Object(bounds)), Value::Object(schema)) = (bounds_of_whole(name), &mut *schema) {
            schema.extend(bounds);
        }
        walk(schema, &mut |object| {
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                for (field, schema) in properties {
                    if let (Some(Value::Object(bounds)), Value::Object(schema)) = (bounds(name, field), &mut *schema) {
                        schema.extend(bounds);
                    }
                    exemplify(name, field, schema);
                }
            }
        });
    }
}

fn exemplify(of: &str, field: &str, schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    if let Some(one) = schema.remove("example") {
        schema.insert("examples".into(), json!([one]));
    }
    let is_named = schema.contains_key("$ref") || schema.contains_key("oneOf");
    let is_of_named = schema.get("items").is_some_and(|items| items.get("$ref").is_some());
    if is_named || is_of_named || schema.contains_key("examples") {
        return;
    }
    let is_flag = schema.get("type").is_some_and(|kind| *kind == "boolean" || *kind == json!(["boolean", "null"]));
    let is_time = schema.get("format").is_some_and(|format| format == "date-time");
    let flag = is_flag.then(|| json!(true));
    let time = || is_time.then(|| json!("2026-01-15T09:30:00.000Z"));
    if let Some(one) = flag.or_else(|| example(of, field)).or_else(time) {
        schema.insert("examples".into(), json!([one]));
    }
}

/// What stands in a schema and is none.
const VALUES: [&str; 4] = ["default", "enum", "example", "examples"];

/// Calls `change` for every object in a value that is not one of a schema's values, the outer ones first.
pub fn walk(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            change(object);
            let inner = object.iter_mut().filter(|(name, value)| !VALUES.contains(&name.as_str()) || value.is_object());
            inner.for_each(|(_, value)| walk(value, change));
        }
        Value::Array(all) => all.iter_mut().for_each(|value| walk(value, change)),
        _ => {}
    }
}
