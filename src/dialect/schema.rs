//! JSON Schema (2020-12) of an event's data, worked out from its sample where the dialect states none. What stays true:
//! the sample itself always fits its schema, and nothing is forbidden that the sample merely does not show: a null says
//! nothing of a type, and further fields are allowed.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::EventType;
use crate::domain::time;

/// The dialect of JSON Schema that is written.
pub const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

impl EventType {
    /// The schema of its data: the stated one, else one derived from the sample.
    pub fn schema(&self) -> Value {
        let stated = self.stated_schema.as_ref().and_then(|stated| serde_json::from_str(stated.get()).ok());
        stated.unwrap_or_else(|| derived(&self.sample))
    }
}

/// A schema that fits `sample` and what looks like it.
///
/// # Panics
/// If `sample` is not JSON, which its type promises.
pub fn derived(sample: &RawValue) -> Value {
    let sample: Value = serde_json::from_str(sample.get()).expect("a raw value is JSON");
    let mut schema = Map::from_iter([("$schema".to_string(), json!(DRAFT))]);
    if let Value::Object(found) = of(&sample) {
        schema.extend(found);
    }
    Value::Object(schema)
}

fn of(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(number) if number.is_f64() => json!({"type": "number"}),
        Value::Number(_) => json!({"type": "integer"}),
        Value::String(text) => match format(text) {
            Some(format) => json!({"type": "string", "format": format}),
            None => json!({"type": "string"}),
        },
        Value::Array(items) => match items.iter().map(of).reduce(either) {
            Some(items) => json!({"type": "array", "items": items}),
            None => json!({"type": "array"}),
        },
        Value::Object(fields) => {
            let properties: Map<String, Value> = fields.iter().map(|(name, value)| (name.clone(), of(value))).collect();
            let required: Vec<&String> = fields.keys().collect();
            json!({"type": "object", "properties": properties, "required": required})
        }
    }
}

/// What a text is, where its form leaves no doubt.
fn format(text: &str) -> Option<&'static str> {
    let is_date = |text: &str| {
        let digits = |part: &str, n| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
        let parts: Vec<&str> = text.split('-').collect();
        matches!(parts.as_slice(), [y, m, d] if digits(y, 4) && digits(m, 2) && digits(d, 2))
    };
    if time::parse(text).is_some() {
        Some("date-time")
    } else if is_date(text) {
        Some("date")
    } else if text.len() == 36 && Uuid::try_parse(text).is_ok() {
        Some("uuid")
    } else if ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme)) && Url::parse(text).is_ok() {
        Some("uri")
    } else {
        is_email(text).then_some("email")
    }
}

fn is_email(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._%+-".contains(&b);
    text.split_once('@').is_some_and(|(name, host)| {
        let labels: Vec<&str> = host.split('.').collect();
        let label = |label: &&str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        !name.is_empty() && name.bytes().all(plain) && labels.len() > 1 && labels.iter().all(label)
    })
}

/// A schema for what fits either of two.
fn either(one: Value, other: Value) -> Value {
    let kind = |schema: &Value| schema["type"].as_str().map(str::to_owned);
    match (kind(&one).as_deref(), kind(&other).as_deref()) {
        _ if one == other => one,
        (None, _) | (_, None) => json!({}),
        (Some("object"), Some("object")) => either_object(one, other),
        (Some("integer"), Some("number")) => other,
        (Some("number"), Some("integer")) => one,
        (Some(a), Some(b)) if a == b => json!({"type": a}),
        _ => json!({}),
    }
}

/// What only one of two objects has is not required.
fn either_object(mut one: Value, other: Value) -> Value {
    let names = |schema: &Value| -> Vec<Value> { schema["required"].as_array().cloned().unwrap_or_default() };
    let both: Vec<Value> = names(&one).into_iter().filter(|name| names(&other).contains(name)).collect();
    if let (Value::Object(to), Value::Object(from)) = (one["properties"].take(), other["properties"].clone()) {
        let mut properties = to;
        for (name, schema) in from {
            let merged = match properties.get(&name) {
                Some(known) => either(known.clone(), schema),
                None => schema,
            };
            properties.insert(name, merged);
        }
        one["properties"] = Value::Object(properties);
    }
    one["required"] = Value::Array(both);
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(text: &str) -> Value {
        let mut schema = derived(&RawValue::from_string(text.to_string()).unwrap());
        assert_eq!(schema["$schema"].take(), json!(DRAFT));
        schema.as_object_mut().unwrap().shift_remove("$schema");
        schema
    }

    #[test]
    fn a_schema_says_what_the_sample_shows_and_forbids_nothing_else() {
        let schema = of_text(r#"{"id":"x","n":1,"r":1.5,"on":true,"gone":null,"none":[],"tags":["a"]}"#);
        let properties = json!({
            "id": {"type": "string"}, "n": {"type": "integer"}, "r": {"type": "number"}, "on": {"type": "boolean"},
            "gone": {}, "none": {"type": "array"}, "tags": {"type": "array", "items": {"type": "string"}},
        });
        let required = ["id", "n", "r", "on", "gone", "none", "tags"];
        assert_eq!(schema, json!({"type": "object", "properties": properties, "required": required}));
        assert_eq!(of_text("3"), json!({"type": "integer"}));
    }

    #[test]
    fn formats_are_named_where_they_are_plain() {
        for (text, format) in [
            ("2024-02-10T16:45:22Z", Some("date-time")),
            ("2024-02-10", Some("date")),
            ("550e8400-e29b-41d4-a716-446655440000", Some("uuid")),
            ("https://example.com/a?b=c", Some("uri")),
            ("ada@example.com", Some("email")),
            ("@ada", None),
            ("a@b", None),
            ("24-02-10", None),
            ("task_abc", None),
        ] {
            assert_eq!(super::format(text), format, "{text}");
        }
    }

    #[test]
    fn items_of_several_kinds_are_one_schema() {
        let items = |text: &str| of_text(text)["items"].clone();
        assert_eq!(items("[1, 2.5]"), json!({"type": "number"}));
        assert_eq!(items(r#"["a", 1]"#), json!({}));
        assert_eq!(items(r#"["2024-02-10", "x"]"#), json!({"type": "string"}));
        let merged = items(r#"[{"a":1,"b":2},{"b":"x","c":3}]"#);
        assert_eq!(merged["required"], json!(["b"]));
        assert_eq!(merged["properties"], json!({"a": {"type": "integer"}, "b": {}, "c": {"type": "integer"}}));
    }
}
