//! The file of a first dialect.

use serde_json::{Map, Value, json};
use toml::Value as Toml;

use super::document::Document;
use super::file::{Draft, toml_of};
use super::guess::{self, Meaning};
use super::payload::{self, Body, Step};
use super::sample;
use crate::dialect::derived;
use crate::domain::event;
use crate::exchange::format::{DATA_OF_EVENTS, MARK};
use crate::exchange::sheet::{Header, Message, Proof, Scheme, Sheet};

/// A schema that is longer stays in the document.
const SCHEMA_BYTES_MAX: usize = 32 * 1024;
/// What a first dialect has where the document says nothing: key, TOML.
const USUAL: [(&str, &str); 3] = [
    ("timeout_seconds", "20"),
    ("retry", "{ delays = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400] }"),
    ("secrets", "{ key = \"utf8\", bytes_min = 16, bytes_max = 256 }"),
];
/// The order of a file: plain keys, then tables.
const PLAIN: [&str; 5] = ["event_types", "timeout_seconds", "retries", "times", "sample_actor"];
const TABLES: [&str; 4] = ["retry", "secrets", "ids", "body"];

/// The text of the file, what was guessed, and what was lost.
pub(super) fn of(document: &Document, mut sheet: Sheet) -> (String, Vec<String>, Vec<String>) {
    let mut draft = Draft::default();
    let is_marked = !sheet.rest.is_empty();
    name_by_type(document, &mut sheet);
    let (body, same) = envelope(document, &sheet, &mut draft);
    let rest = rest(&sheet, &mut draft);
    draft.put("title", &Toml::String(or(&sheet.title, "Imported")));
    draft.put("description", &Toml::String(or(&sheet.description, "Made of a document.")));
    for key in PLAIN {
        if let Some(value) = rest.get(key) {
            draft.json(key, value);
        }
    }
    if !sheet.success.is_empty() && sheet.success != ["2xx"] {
        draft.json("success", &json!(sheet.success));
    }
    let agent = sheet.headers.iter().find(|header| header.name.eq_ignore_ascii_case("user-agent"));
    if let Some(agent) = agent.and_then(|header| header.schema.get("const")).and_then(Value::as_str) {
        draft.put("user_agent", &Toml::String(agent.to_string()));
    }
    if !body.envelope.is_table() {
        draft.put("envelope", &body.envelope);
    }
    for key in TABLES {
        if let Some(Value::Object(table)) = rest.get(key) {
            draft.table(key, table.iter().filter_map(|(name, value)| Some((name.as_str(), toml_of(value)?))));
        }
    }
    if let Some(fields) = body.envelope.as_table() {
        draft.table("envelope", fields.iter().map(|(name, value)| (name.as_str(), value.clone())));
    }
    headers(&sheet, is_marked, &mut draft);
    signatures(&sheet, is_marked, &mut draft);
    let mut made_up: Vec<&str> = Vec::new();
    for (n, message) in sheet.messages.iter().enumerate() {
        let way = payload::way_to_data(&body.envelope).filter(|_| same.contains(&n));
        let told = rest.get(DATA_OF_EVENTS).and_then(|all| all.get(&message.name));
        if event(document, message, way.as_deref(), told, &mut draft) == Shown::MadeUp {
            made_up.push(&message.name);
        }
    }
    if !made_up.is_empty() {
        draft.guessed.push(format!("the samples of {}: made up from their schemas", some(&made_up)));
    }
    (draft.text, draft.guessed, draft.lost)
}

fn or(text: &str, usual: &str) -> String {
    if text.trim().is_empty() { usual.to_string() } else { text.trim().to_string() }
}

/// Where bodies say another type than the document calls the event, receivers know it by that.
fn name_by_type(document: &Document, sheet: &mut Sheet) {
    for message in &mut sheet.messages {
        let schema = document.schema(&message.payload);
        let properties = schema.get("properties").cloned().unwrap_or_default();
        let known = ["type", "event", "event_type", "eventType", "event_name", "topic"];
        let of = |key: &&str| {
            let field = document.schema(properties.get(*key)?);
            let only = field.get("enum").filter(|all| all.as_array().is_some_and(|all| all.len() == 1));
            let value = field.get("const").or_else(|| only.and_then(|all| all.get(0)))?;
            value.as_str().filter(|name| event::check_type(name).is_ok()).map(String::from)
        };
        if let Some(name) = known.iter().find_map(of).filter(|_| sheet.rest.is_empty()) {
            message.name = name;
        }
    }
    let names: Vec<String> = sheet.messages.iter().map(|message| message.name.clone()).collect();
    // A type that several have in common is no name.
    let is_double = (1..names.len()).any(|n| names[..n].contains(&names[n]));
    if is_double {
        for (n, message) in sheet.messages.iter_mut().enumerate() {
            if names[..n].contains(&names[n]) {
                message.name = format!("{}.{}", names[n], n + 1);
            }
        }
    }
}

/// Names of events: some of them, if there are many.
fn some(names: &[&str]) -> String {
    match names {
        [first, second, third, _, ..] => format!("{} events ({first}, {second}, {third}, …)", names.len()),
        few => few.join(", "),
    }
}

/// The envelope that most bodies have, and which events have it.
fn envelope(document: &Document, sheet: &Sheet, draft: &mut Draft) -> (Body, Vec<usize>) {
    let bodies: Vec<Body> = sheet
        .messages
        .iter()
        .map(|message| payload::read(document, &message.payload, message.example.as_ref(), &message.name))
        .collect();
    let like = |body: &Body| bodies.iter().filter(|other| other.envelope == body.envelope).count();
    let best = (0..bodies.len()).rev().max_by_key(|n| like(&bodies[*n])).unwrap_or(0);
    let same: Vec<usize> = (0..bodies.len()).filter(|n| bodies[*n].envelope == bodies[best].envelope).collect();
    let others: Vec<&str> =
        (0..bodies.len()).filter(|n| !same.contains(n)).map(|n| sheet.messages[n].name.as_str()).collect();
    if !others.is_empty() {
        draft
            .lost
            .push(format!("the bodies of {}: they have another form, and a dialect has one envelope", some(&others)));
    }
    let body = bodies.into_iter().nth(best).expect("there is an event");
    draft.guessed.extend(body.guessed.iter().cloned());
    draft.lost.extend(body.lost.iter().cloned());
    (body, same)
}

/// The keys that no field of a format has, with what is usual where the document has none.
fn rest(sheet: &Sheet, draft: &mut Draft) -> Map<String, Value> {
    let mut rest = sheet.rest.clone();
    for (key, usual) in USUAL {
        if !rest.contains_key(key) {
            let table: toml::Table = format!("value = {usual}").parse().expect("it is TOML");
            rest.insert(key.into(), serde_json::to_value(&table["value"]).expect("TOML can be JSON"));
            draft.guessed.push(format!("{key} = {usual}"));
        }
    }
    let essence = sheet.media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_form = essence == "application/x-www-form-urlencoded";
    let mut body = rest.get("body").and_then(Value::as_object).cloned().unwrap_or_default();
    if is_form {
        body.insert("format".into(), json!("form"));
    }
    let usual = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
    if !sheet.media_type.is_empty() && sheet.media_type != usual {
        body.insert("content_type".into(), json!(sheet.media_type));
    }
    if !body.is_empty() {
        rest.insert("body".into(), Value::Object(body));
    }
    rest
}

fn headers(sheet: &Sheet, is_marked: bool, draft: &mut Draft) {
    let first = sheet.messages.first().map_or("", |message| message.name.as_str());
    let mut rows: Vec<(&str, Toml)> = Vec::new();
    for Header { name, schema, example, .. } in &sheet.headers {
        if name.eq_ignore_ascii_case("user-agent") {
            continue;
        }
        let constant = schema.get("const").and_then(Value::as_str).map(String::from);
        let marked = schema.get(MARK).and_then(Value::as_str).map(String::from).or(constant);
        if let Some(template) = marked {
            rows.push((name, Toml::String(template)));
            continue;
        }
        match guess::header(name, example.as_deref(), first) {
            Meaning::Template(template) if !is_marked => {
                draft.guessed.push(format!("headers.{name}: {template}"));
                rows.push((name, Toml::String(template)));
            }
            Meaning::Transport => {}
            // It is told of where signatures are.
            Meaning::Signature if !is_marked => {}
            _ => draft.lost.push(format!("the header {name}: no fact fills it")),
        }
    }
    draft.table("headers", rows.into_iter());
}

fn signatures(sheet: &Sheet, is_marked: bool, draft: &mut Draft) {
    let mut rules: Vec<Map<String, Value>> = Vec::new();
    let named = |name: &str, rule: Map<String, Value>| {
        let mut whole = Map::from_iter([("header".to_string(), json!(name))]);
        whole.extend(rule);
        whole
    };
    let words = |pairs: &[(&str, &str)]| -> Map<String, Value> {
        pairs.iter().map(|(key, value)| ((*key).to_string(), json!(value))).collect()
    };
    let in_body = sheet.rest.get("signature").and_then(Value::as_object).cloned();
    rules.extend(in_body);
    for Proof { scheme, words: said } in &sheet.proofs {
        match scheme {
            Scheme::Bearer => rules.push(named(
                "Authorization",
                words(&[("algorithm", "secret"), ("encoding", "plain"), ("value", "Bearer {signature}")]),
            )),
            Scheme::Basic => rules.push(named(
                "Authorization",
                words(&[("algorithm", "secret"), ("encoding", "base64"), ("value", "Basic {signature}")]),
            )),
            Scheme::Header { name, rule: Some(rule) } => rules.push(named(name, rule.clone())),
            Scheme::Header { name, rule: None } => rules.push(named(name, guessed(sheet, name, said, None, draft))),
        }
    }
    for Header { name, schema, example, .. } in sheet.headers.iter().filter(|_| !is_marked) {
        let is_there =
            rules.iter().any(|rule| rule["header"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(name)));
        if !is_there && guess::header(name, example.as_deref(), "") == Meaning::Signature {
            let said = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            rules.push(named(name, guessed(sheet, name, said, example.as_deref(), draft)));
        }
    }
    for rule in rules {
        draft.text.push_str("\n[[signature]]\n");
        for (key, value) in &rule {
            draft.json(key, value);
        }
    }
}

fn guessed(sheet: &Sheet, name: &str, said: &str, example: Option<&str>, draft: &mut Draft) -> Map<String, Value> {
    let has = |wanted: &str| sheet.headers.iter().any(|header| header.name.eq_ignore_ascii_case(wanted));
    let is_standard = name.eq_ignore_ascii_case("webhook-signature") && has("webhook-id") && has("webhook-timestamp");
    let rule = guess::signature(name, said, example, is_standard);
    let shown: Vec<String> = rule.iter().map(|(key, value)| format!("{key} = {value:?}")).collect();
    draft.guessed.push(format!("the signature in {name}: {}", shown.join(", ")));
    rule.into_iter().map(|(key, value)| (key.to_string(), json!(value))).collect()
}

/// Whether a document shows an event's data.
#[derive(PartialEq)]
enum Shown {
    Yes,
    MadeUp,
}

/// Writes an event; `told` is what the document says of its data where the body does not show it.
fn event(
    document: &Document,
    message: &Message,
    way: Option<&[Step]>,
    told: Option<&Value>,
    draft: &mut Draft,
) -> Shown {
    let Message { name, description, payload, example, .. } = message;
    if let Err(wrong) = event::check_type(name) {
        draft.lost.push(format!("the event {name:?}: its type {}", wrong.message));
        return Shown::Yes;
    }
    let way = way.unwrap_or_default();
    let schema = match told {
        Some(told) => told.get("schema").cloned().unwrap_or(Value::Null),
        None => schema_at(document, payload, way),
    };
    let told = told.and_then(|told| told.get("sample"));
    let found = told.or(example.as_ref().and_then(|example| value_at(example, way)));
    let shown = if found.is_some() { Shown::Yes } else { Shown::MadeUp };
    let sample = found.cloned().unwrap_or_else(|| sample::of(document, &schema));
    draft.text.push_str("\n[[event]]\n");
    draft.put("type", &Toml::String(name.clone()));
    draft.put("description", &Toml::String(or(description, name)));
    draft.pretty("sample", &sample);
    match document.alone(&schema, SCHEMA_BYTES_MAX) {
        Some(Value::Object(stated)) if !says_nothing(&stated) => {
            let mut whole = Map::from_iter([("$schema".to_string(), json!(crate::dialect::DRAFT))]);
            whole.extend(stated);
            let whole = Value::Object(whole);
            if whole != derived(&serde_json::value::to_raw_value(&sample).expect("JSON can be written")) {
                draft.pretty("schema", &whole);
            }
        }
        Some(_) => {}
        None => draft.lost.push(format!("the schema of {name}: it is longer than {SCHEMA_BYTES_MAX} bytes")),
    }
    shown
}

/// Whether a schema is only words.
fn says_nothing(schema: &Map<String, Value>) -> bool {
    schema.keys().all(|key| matches!(key.as_str(), "description" | "title" | "example" | "examples"))
}

fn value_at<'v>(value: &'v Value, way: &[Step]) -> Option<&'v Value> {
    way.iter().try_fold(value, |at, step| match step {
        Step::Key(name) => at.get(name),
        Step::Item(n) => at.get(n),
    })
}

/// The schema of what a way leads to; what only carries our mark is passed through.
fn schema_at(document: &Document, schema: &Value, way: &[Step]) -> Value {
    let at = match way.split_first() {
        None => return bare(document, schema),
        Some((Step::Key(name), rest)) => (document.schema(schema)["properties"].get(name).cloned(), rest),
        Some((Step::Item(n), rest)) => {
            let schema = document.schema(schema);
            let items = schema.get("prefixItems").or_else(|| schema.get("items"));
            (items.and_then(|items| items.get(*n)).cloned(), rest)
        }
    };
    at.0.map_or(Value::Null, |inner| schema_at(document, &inner, at.1))
}

/// `{"allOf": [schema], "x-hookwheel": …}` is the schema.
fn bare(document: &Document, schema: &Value) -> Value {
    let schema = document.follow(schema);
    match (schema.get(MARK), schema.get("allOf")) {
        (Some(_), Some(Value::Array(parts))) if parts.len() == 1 => document.follow(&parts[0]).clone(),
        _ => schema.clone(),
    }
}
