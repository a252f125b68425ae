//! What of a dialect stands in which field of a document.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::payload::{self, DATA};
use crate::dialect::{Algorithm, Dialect, Encoding, EventType, SignatureRule};
use crate::docs;
use crate::exchange::format::{DATA_OF_EVENTS, Format, MARK};
use crate::exchange::sheet::{Header, Message, Proof, Scheme, Sheet};

/// Keys of a dialect file that both formats have no field for.
const REST: [&str; 9] =
    ["event_types", "timeout_seconds", "retries", "retry", "times", "secrets", "ids", "sample_actor", "body"];

/// What a document says of answers and retries, for people.
pub(super) struct Words {
    /// Of an answer that is a success.
    pub taken: String,
    /// Of any other.
    pub failed: String,
    /// Of both.
    pub whole: String,
}

pub(super) fn words(dialect: &Dialect) -> Words {
    let timeout = docs::duration(dialect.timeout_seconds.into());
    let mut runs: Vec<(u64, usize)> = Vec::new();
    for delay in &dialect.retry.delay_seconds {
        match runs.last_mut() {
            Some((last, times)) if last == delay => *times += 1,
            _ => runs.push((*delay, 1)),
        }
    }
    let said = |(delay, times): (u64, usize)| match times {
        1 => docs::after(delay),
        _ => format!("{times} times {}", docs::after(delay)),
    };
    let delays: Vec<String> = runs.into_iter().map(said).collect();
    let tried = match delays.as_slice() {
        [] => "It is not tried again.".to_string(),
        delays => format!(
            "It is tried again {}, each counted from the end of the attempt before and up to {} % later.",
            docs::list(delays),
            dialect.retry.jitter_percent
        ),
    };
    let statuses = Vec::<String>::from(dialect.success.clone()).join(", ");
    Words {
        taken: format!("The delivery is taken. The answer must come within {timeout}."),
        failed: format!("The delivery failed: any other answer, none within {timeout}, or no connection. {tried}"),
        whole: format!(
            "An answer of {statuses} within {timeout} is a success. Any other answer, none in time, or no connection is a \
             failure. {tried}"
        ),
    }
}

pub(super) fn of(dialect: &Dialect, format: Format) -> Sheet {
    let table: toml::Table = dialect.source.parse().expect("a dialect was read from it");
    let file: Map<String, Value> = match serde_json::to_value(table) {
        Ok(Value::Object(file)) => file,
        _ => unreachable!("a TOML table is a JSON object"),
    };
    let mut rest: Map<String, Value> =
        REST.iter().filter_map(|key| Some(((*key).to_string(), file.get(*key)?.clone()))).collect();
    if let Some(Value::Object(body)) = rest.get_mut("body") {
        // The media type says them.
        body.shift_remove("content_type");
        body.shift_remove("format");
    }
    rest.retain(|_, value| *value != json!({}));
    if !payload::shows_data(&dialect.envelope) {
        rest.insert(DATA_OF_EVENTS.into(), dialect.catalogue.iter().map(data).collect());
    }
    if format == Format::AsyncApi {
        rest.insert("success".into(), json!(Vec::<String>::from(dialect.success.clone())));
    }
    let rules = file.get("signature").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut proofs = Vec::new();
    for (rule, written) in dialect.signature.iter().zip(rules) {
        match proof(dialect, rule, &written) {
            Some(proof) => proofs.push(proof),
            None => drop(rest.insert("signature".into(), written)),
        }
    }
    Sheet {
        title: dialect.title.clone(),
        description: dialect.description.clone(),
        media_type: dialect.content_type().as_str().to_string(),
        success: dialect.success.clone().into(),
        headers: headers(dialect, file.contains_key("user_agent")),
        proofs,
        messages: dialect.catalogue.iter().map(|event| message(dialect, event)).collect(),
        rest,
    }
}

/// What the body of an event is made of, where the body does not show it.
fn data(event: &EventType) -> (String, Value) {
    let read = |text: &RawValue| serde_json::from_str::<Value>(text.get()).expect("it is JSON");
    let mut data = json!({"sample": read(&event.sample)});
    if let Some(stated) = &event.stated_schema {
        data["schema"] = read(stated);
    }
    (event.name.clone(), data)
}

/// A signature in a header; `None` for one in the body.
fn proof(dialect: &Dialect, rule: &SignatureRule, written: &Value) -> Option<Proof> {
    let header = rule.header.as_ref()?;
    let is_best = docs::best_rule(dialect).is_some_and(|best| std::ptr::eq(best, rule));
    let words = match is_best {
        true => docs::signature_in_words(dialect),
        false => format!("The header `{}` proves the same another way.", header.spelled),
    };
    let is_plain = rule.before.is_none() && rule.several.is_none() && rule.algorithm == Algorithm::Secret;
    let in_authorization = header.spelled == "Authorization" && is_plain;
    let scheme = match (rule.value.to_string().as_str(), rule.encoding) {
        ("Bearer {signature}", Encoding::Plain) if in_authorization => Scheme::Bearer,
        ("Basic {signature}", Encoding::Base64) if in_authorization => Scheme::Basic,
        _ => {
            let mut rule = written.as_object().cloned().unwrap_or_default();
            rule.shift_remove("header");
            Scheme::Header { name: header.spelled.clone(), rule: Some(rule) }
        }
    };
    Some(Proof { scheme, words })
}

fn headers(dialect: &Dialect, names_program: bool) -> Vec<Header> {
    let first = dialect.catalogue.first().map(|event| docs::example(dialect, event, 2).0).unwrap_or_default();
    let example = |name: &str| first.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let agent = dialect.user_agent.as_str();
    let schema = match names_program {
        true => json!({"type": "string", "const": agent}),
        // The server's own, which has its version.
        false => json!({"type": "string"}),
    };
    let program = Header { name: "User-Agent".into(), required: true, schema, example: Some(agent.to_string()) };
    let own = dialect.headers.iter().map(|rule| Header {
        name: rule.key.spelled.clone(),
        required: !rule.retries_only(),
        schema: payload::header(&rule.value, dialect),
        example: example(&rule.key.spelled),
    });
    std::iter::once(program).chain(own).collect()
}

fn message(dialect: &Dialect, event: &EventType) -> Message {
    let mut data = dialect.received(event).schema();
    if let Some(data) = data.as_object_mut() {
        // It is the one that both formats read.
        data.shift_remove("$schema");
    }
    Message {
        name: event.name.clone(),
        description: event.description.clone(),
        payload: payload::schema(dialect),
        example: Some(docs::example(dialect, event, 1).1),
        data: Some(data),
    }
}

/// `schema` with `reference` in the place of what refers to the data.
pub(super) fn with_data(schema: &Value, reference: &str) -> Value {
    match schema {
        Value::Object(fields) if fields.get("$ref") == Some(&json!(DATA)) => json!({"$ref": reference}),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), with_data(value, reference))).collect()
        }
        Value::Array(items) => items.iter().map(|item| with_data(item, reference)).collect(),
        plain => plain.clone(),
    }
}

/// A schema that stands at `place` of the document: what it refers to inside of itself is there too.
pub(super) fn placed(schema: &Value, place: &str) -> Value {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match (name.as_str(), value.as_str().and_then(|text| text.strip_prefix('#'))) {
                ("$ref", Some(inside)) => (name.clone(), json!(format!("{place}{inside}"))),
                _ => (name.clone(), placed(value, place)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(|item| placed(item, place)).collect(),
        plain => plain.clone(),
    }
}

/// Names that can be keys of a document's components, one for each event.
pub(super) fn keys(sheet: &Sheet) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for message in &sheet.messages {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let mut key: String = message.name.chars().map(plain).collect();
        while keys.contains(&key) {
            key.push('_');
        }
        keys.push(key);
    }
    keys
}

/// A security scheme; `own` is what the format calls a header of its own.
pub(super) fn scheme(proof: &Proof, own: &str) -> Value {
    match &proof.scheme {
        Scheme::Bearer => json!({"type": "http", "scheme": "bearer", "description": proof.words}),
        Scheme::Basic => json!({"type": "http", "scheme": "basic", "description": proof.words}),
        Scheme::Header { name, rule } => {
            json!({"type": own, "in": "header", "name": name, "description": proof.words, MARK: rule})
        }
    }
}

/// The names of the security schemes.
pub(super) fn scheme_names(sheet: &Sheet) -> Vec<String> {
    let name = |n: usize| if n == 0 { "signature".to_string() } else { format!("signature{}", n + 1) };
    (0..sheet.proofs.len()).map(name).collect()
}
