//! Replies and bodies compared whole: every field, in this order, and no other.

use hookwheel::domain::time;
use serde_json::{Map, Value};

/// Asserts that `actual` has the fields of `expected` in this order, and their values. A text in angle brackets stands
/// for what cannot be known: `<time>` (RFC 3339, whole seconds), `<millis>` (the same with milliseconds), `<uuid>`,
/// `<count>` (a whole number), `<text>`, and `<wh_>` and the like (an id with this prefix).
#[track_caller]
pub fn assert_like(actual: &Value, expected: &Value) {
    if let Err(why) = compare(actual, expected, "") {
        panic!("{why}\n  actual: {actual}\nexpected: {expected}");
    }
}

/// The reply to a test that went well: these ids, and what the endpoint answered.
pub fn tested(mut ids: Value, response_body: &str) -> Value {
    let answer = serde_json::json!({
        "success": true, "status_code": 200, "response_time_ms": "<count>", "error": null,
        "response_body": response_body,
    });
    ids.as_object_mut().expect("an object").extend(answer.as_object().expect("an object").clone());
    ids
}

fn compare(actual: &Value, expected: &Value, path: &str) -> Result<(), String> {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => objects(actual, expected, path),
        (Value::Array(actual), Value::Array(expected)) if actual.len() == expected.len() => {
            let mut both = actual.iter().zip(expected).enumerate();
            both.try_for_each(|(n, (actual, expected))| compare(actual, expected, &format!("{path}[{n}]")))
        }
        (_, Value::String(pattern)) if is_pattern(pattern) => match fits(actual, pattern) {
            true => Ok(()),
            false => Err(format!("{path} is {actual}, not {pattern}")),
        },
        _ if actual == expected => Ok(()),
        _ => Err(format!("{path} is {actual}, not {expected}")),
    }
}

fn objects(actual: &Map<String, Value>, expected: &Map<String, Value>, path: &str) -> Result<(), String> {
    let (has, wants): (Vec<_>, Vec<_>) = (actual.keys().collect(), expected.keys().collect());
    if has != wants {
        return Err(format!("{path} has the fields {has:?}, not {wants:?}"));
    }
    actual.iter().try_for_each(|(key, value)| compare(value, &expected[key], &format!("{path}.{key}")))
}

fn is_pattern(text: &str) -> bool {
    text.starts_with('<') && text.ends_with('>')
}

fn fits(actual: &Value, pattern: &str) -> bool {
    let name = &pattern[1..pattern.len() - 1];
    let text = actual.as_str().unwrap_or_default();
    match name {
        "count" => actual.is_u64(),
        "text" => !text.is_empty(),
        "time" => text.len() == 20 && time::parse(text).is_some(),
        "millis" => text.len() == 24 && time::parse(text).is_some(),
        "uuid" => is_uuid(text),
        prefix if prefix.ends_with('_') => {
            let digits = text.strip_prefix(prefix).unwrap_or_default();
            digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())
        }
        _ => panic!("{pattern} is no pattern"),
    }
}

/// Whether `text` is a UUID with hyphens.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}
