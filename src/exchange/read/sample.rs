//! A sample of data that a schema lets through, for events whose document shows none.

use serde_json::{Map, Value, json};

use super::document::Document;

/// How deep a sample is.
const DEPTH_MAX: usize = 5;
/// How many fields a sample has at most, in all.
const FIELDS_MAX: usize = 400;

pub(super) fn of(document: &Document, schema: &Value) -> Value {
    let mut left = FIELDS_MAX;
    value(document, schema, 0, &mut left)
}

fn value(document: &Document, schema: &Value, depth: usize, left: &mut usize) -> Value {
    if depth > DEPTH_MAX * 2 {
        return Value::Null;
    }
    let schema = document.schema(schema);
    for key in ["const", "example", "default"] {
        if let Some(value) = schema.get(key) {
            return value.clone();
        }
    }
    for key in ["examples", "enum"] {
        if let Some(first) = schema.get(key).and_then(|all| all.get(0)) {
            return first.clone();
        }
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(first) = schema.get(key).and_then(|all| all.get(0)) {
            return value(document, first, depth + 1, left);
        }
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        kind => kind.and_then(Value::as_str),
    };
    match (kind, schema.get("format").and_then(Value::as_str)) {
        (Some("object"), _) | (None, _) if schema.contains_key("properties") => {
            let mut fields = Map::new();
            for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if depth >= DEPTH_MAX || *left == 0 {
                    break;
                }
                *left -= 1;
                fields.insert(name.clone(), value(document, inner, depth + 1, left));
            }
            Value::Object(fields)
        }
        (Some("object"), _) => json!({}),
        (Some("array"), _) => match schema.get("items").filter(|items| items.is_object() && depth < DEPTH_MAX) {
            Some(items) => Value::Array(vec![value(document, items, depth + 1, left)]),
            None => json!([]),
        },
        (Some("integer"), _) => json!(1),
        (Some("number"), _) => json!(1.5),
        (Some("boolean"), _) => json!(true),
        (Some("string"), Some("date-time")) => json!("2024-02-10T16:45:22Z"),
        (Some("string"), Some("date")) => json!("2024-02-10"),
        (Some("string"), Some("uuid")) => json!("550e8400-e29b-41d4-a716-446655440000"),
        (Some("string"), Some("uri" | "url")) => json!("https://example.com/"),
        (Some("string"), Some("email")) => json!("ada@example.com"),
        (Some("string"), _) => json!("text"),
        _ => Value::Null,
    }
}
