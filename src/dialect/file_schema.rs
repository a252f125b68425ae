//! The JSON Schema of dialect files (draft 7, which editors know), made from the types that read them. What stays true: it
//! refuses nothing that `dialect check` takes; what hangs together between distant keys is left to that.

use std::sync::LazyLock;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Value, json};

use super::Dialect;

/// The schema of a dialect file.
pub static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.with_transform(ForToml).into_generator().into_root_schema_for::<Dialect>();
    schema.insert("title".into(), "A Hookwheel dialect".into());
    let mut schema = schema.to_value();
    for (path, rule) in rules() {
        let table = find_mut(&mut schema, path).expect("a rule is about a key that there is");
        table["allOf"] = rule;
    }
    schema
});

/// A value as TOML writes it on one line.
///
/// # Panics
/// If it is null, which TOML has not.
pub fn as_toml(value: &Value) -> String {
    toml::Value::try_from(value).expect("every value of the schema can stand in a file").to_string()
}

/// An example of the key at `path`, such as `retry.delays`, as its line in the file.
pub(super) fn example_of(path: &str) -> Option<String> {
    let mut schema = &*SCHEMA;
    for key in path.split('.') {
        schema = inside(schema).get("properties")?.get(key.split('[').next()?)?;
    }
    let key = path.rsplit('.').next()?;
    Some(format!("{key} = {}", as_toml(schema["examples"].get(0)?)))
}

/// What the tables of a list are, else `schema` itself.
fn inside(schema: &Value) -> &Value {
    schema.get("items").unwrap_or(schema)
}

fn find_mut<'s>(schema: &'s mut Value, path: &str) -> Option<&'s mut Value> {
    path.split('.').filter(|key| !key.is_empty()).try_fold(schema, |schema, key| {
        let found = schema.get_mut("properties")?.get_mut(key)?;
        if found.get("items").is_some() { found.get_mut("items") } else { Some(found) }
    })
}

/// What of a table one key says of another.
fn rules() -> Vec<(&'static str, Value)> {
    let is = |key: &str, value: Value| json!({ "properties": { key: value }, "required": [key] });
    let none_of = |keys: &[&str]| {
        let none = keys.iter().map(|key| ((*key).to_string(), Value::Bool(false)));
        json!({ "properties": none.collect::<serde_json::Map<_, _>>() })
    };
    let shown = is("algorithm", json!({ "const": "secret" }));
    let body = r"\{body(\.sorted)?\}";
    let in_body = json!({ "properties": {
        "value": { "const": "{signature}" }, "before": false, "several": false, "signed": { "not": { "pattern": body } },
    }});
    vec![
        ("", json!([{ "if": is("event_types", json!({ "const": "closed" })), "then": { "required": ["event"] } }])),
        (
            "disable",
            json!([{
                "if": is("after", json!({ "const": "attempts" })),
                "then": { "required": ["failures"] },
                "else": none_of(&["failures"]),
            }]),
        ),
        ("rate_limit", json!([{ "oneOf": [{ "required": ["per_second"] }, { "required": ["per_minute"] }] }])),
        (
            "body",
            json!([{
                "if": is("numbers", json!({ "const": "js" })), "then": is("json", json!({ "const": "canonical" })),
            }]),
        ),
        (
            "secrets",
            json!([{
                "if": is("key", json!({ "const": "pkcs8" })),
                "then": none_of(&["bytes_min", "bytes_max", "ed25519"]),
                "else": { "required": ["bytes_min", "bytes_max"] },
            }]),
        ),
        (
            "challenge",
            json!([
                { "anyOf": [{ "required": ["expect"] }, { "required": ["forged_status"] }] },
                { "if": is("method", json!({ "const": "GET" })), "then": none_of(&["send"]) },
                {
                    "if": { "not": { "required": ["forged_status"] } },
                    "then": { "properties": { "expect": { "pattern": r"\{(challenge|signature)\}" } } },
                },
            ]),
        ),
        (
            "challenge.signature",
            json!([{ "properties": {
                "algorithm": { "enum": ["sha1", "sha256", "sha512"] }, "encoding": { "not": { "const": "plain" } },
            }}]),
        ),
        (
            "signature",
            json!([
                {
                    "if": shown,
                    "then": { "required": ["header"], "properties": { "signed": { "const": "" }, "several": false, "ed25519": false } },
                    "else": { "required": ["signed"], "properties": { "encoding": { "not": { "const": "plain" } } } },
                },
                {
                    "if": { "required": ["header"], "not": shown },
                    "then": { "properties": { "signed": { "pattern": body } } },
                },
                { "if": { "not": { "required": ["header"] } }, "then": in_body },
            ]),
        ),
        (
            "face.deliveries",
            json!([{
                "if": is("only", json!({ "not": { "const": "all" } })),
                "then": { "properties": { "list": { "properties": { "paging": { "const": "cursor" } } } } },
            }]),
        ),
    ]
}

/// Takes out what means nothing in TOML, and what nobody reads: nulls, widths of numbers, and defaults of tables, which are those
/// of their keys.
#[derive(Debug, Clone)]
struct ForToml;

impl Transform for ForToml {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let is_width = |format: &Value| format.as_str().is_some_and(|format| format.starts_with("uint"));
        if schema.get("format").is_some_and(is_width) {
            schema.remove("format");
        }
        if schema.get("default").is_some_and(|default| default.is_object() || default.is_null()) {
            schema.remove("default");
        }
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|name| name != "null");
            if let [one] = types.as_slice() {
                let one = one.clone();
                object.insert("type".into(), one);
            }
        }
        if let Some(Value::Array(one_of)) = object.get_mut("anyOf") {
            one_of.retain(|of| of["type"] != "null");
            if let [Value::Object(one)] = one_of.as_mut_slice() {
                let one = std::mem::take(one);
                object.remove("anyOf");
                for (key, value) in one {
                    object.entry(key).or_insert(value);
                }
            }
        }
    }
}
