//! OpenAPI 3: `webhooks`, or `x-webhooks` as documents of version 3.0 have them.

use serde_json::{Map, Value};

use super::document::{Document, Told};
use crate::exchange::format::MARK;
use crate::exchange::sheet::{Header, Message, Proof, Scheme, Sheet};

const METHODS: [&str; 4] = ["post", "put", "patch", "get"];

pub(super) fn read(document: &Document) -> Sheet {
    let root = &document.root;
    let info = document.get(root, "info");
    let mut sheet = Sheet {
        title: document.text(info, "title").unwrap_or_default().to_string(),
        description: document.text(info, "description").unwrap_or_default().to_string(),
        rest: root.get(MARK).and_then(Value::as_object).cloned().unwrap_or_default(),
        ..Sheet::default()
    };
    for (name, webhook, call) in calls(document) {
        event(document, name, webhook, call, &mut sheet);
    }
    sheet
}

/// The events, one by one.
pub(super) fn all(document: &Document) -> impl Iterator<Item = Told<'_>> {
    calls(document).map(move |(name, _, call)| told(document, name, call))
}

/// The webhooks that call somebody: the name, the webhook, and the call.
fn calls(document: &Document) -> impl Iterator<Item = (&str, &Value, &Value)> {
    let lists = ["webhooks", "x-webhooks"].into_iter();
    let all = lists.flat_map(move |key| document.all(document.get(&document.root, key)));
    all.filter_map(move |(name, webhook)| {
        let mut calls = METHODS.iter().map(|method| document.get(webhook, method));
        Some((name, webhook, calls.find(|call| call.is_object())?))
    })
}

fn told<'d>(document: &'d Document, name: &'d str, call: &'d Value) -> Told<'d> {
    let (_, body) = body(document, call);
    let words = ["summary", "description"].iter().find_map(|key| document.text(call, key));
    Told {
        name,
        description: words.unwrap_or_default(),
        payload: body.get("schema").unwrap_or(&Value::Null),
        example: example(document, body),
    }
}

/// The media type of a call, and what is said of its body.
fn body<'d>(document: &'d Document, call: &'d Value) -> (&'d str, &'d Value) {
    let content = document.get(document.get(call, "requestBody"), "content");
    let Some(content) = content.as_object().filter(|content| document.spend(content.len())) else {
        return ("", &Value::Null);
    };
    let json = content.iter().find(|(media, _)| media.contains("json"));
    json.or(content.iter().next()).map_or(("", &Value::Null), |(media, body)| (media, body))
}

fn event(document: &Document, name: &str, webhook: &Value, call: &Value, sheet: &mut Sheet) {
    sheet.messages.push(Message::from(told(document, name, call)));
    if sheet.media_type.is_empty() {
        sheet.media_type = body(document, call).0.to_string();
    }
    for list in [webhook, call] {
        for (_, parameter) in document.all(document.get(list, "parameters")) {
            put(sheet, header(document, parameter));
        }
    }
    let own = document.get(call, "security");
    for proof in proofs(document, if own.is_array() { own } else { document.get(&document.root, "security") }) {
        if !sheet.proofs.contains(&proof) {
            sheet.proofs.push(proof);
        }
    }
    if sheet.success.is_empty() {
        sheet.success = success(document, document.get(call, "responses"));
    }
}

/// The example of a media type, however it is given.
fn example<'d>(document: &'d Document, body: &'d Value) -> Option<&'d Value> {
    let first =
        || document.all(document.get(body, "examples")).first().map(|(_, example)| document.get(example, "value"));
    let found = body.get("example").or_else(first);
    let in_schema = || document.get(body, "schema").get("example");
    found.or_else(in_schema).filter(|example| !example.is_null())
}

/// Adds a header that is not there yet.
pub(super) fn put(sheet: &mut Sheet, header: Option<Header>) {
    if let Some(header) = header
        && !sheet.headers.iter().any(|known| known.name.eq_ignore_ascii_case(&header.name))
    {
        sheet.headers.push(header);
    }
}

fn header(document: &Document, parameter: &Value) -> Option<Header> {
    if document.text(parameter, "in") != Some("header") {
        return None;
    }
    let mut schema: Map<String, Value> = document.schema(document.get(parameter, "schema"));
    if let Some(words) = parameter.get("description") {
        schema.entry("description").or_insert(words.clone());
    }
    let first =
        || document.all(document.get(parameter, "examples")).first().map(|(_, example)| document.get(example, "value"));
    let example = parameter.get("example").or_else(|| schema.get("example")).or_else(first).cloned();
    Some(Header {
        name: document.text(parameter, "name")?.to_string(),
        required: parameter["required"] == true,
        schema: Value::Object(schema),
        example: example.map(|value| value.as_str().map_or_else(|| value.to_string(), String::from)),
    })
}

/// The proofs that all must be there; of several ways to prove, the first.
fn proofs(document: &Document, security: &Value) -> Vec<Proof> {
    let schemes = document.get(document.get(&document.root, "components"), "securitySchemes");
    let names = security.get(0).and_then(Value::as_object).map(|names| names.keys().collect::<Vec<_>>());
    names.unwrap_or_default().into_iter().filter_map(|name| proof(document, document.get(schemes, name))).collect()
}

/// A security scheme, if it is a proof that a request carries.
pub(super) fn proof(document: &Document, scheme: &Value) -> Option<Proof> {
    let text = |key| document.text(scheme, key);
    let scheme_of = match (text("type")?, text("scheme").map(str::to_ascii_lowercase).as_deref()) {
        ("http", Some("bearer")) => Scheme::Bearer,
        ("http", Some("basic")) => Scheme::Basic,
        ("apiKey" | "httpApiKey", _) if text("in") == Some("header") => {
            let rule = scheme.get(MARK).and_then(Value::as_object).cloned();
            Scheme::Header { name: text("name")?.to_string(), rule }
        }
        _ => return None,
    };
    Some(Proof { scheme: scheme_of, words: text("description").unwrap_or_default().to_string() })
}

/// The answers that are a success: what is in the two and three hundreds, and what is marked. Neighbours are one range.
fn success(document: &Document, responses: &Value) -> Vec<String> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for (status, response) in document.all(responses) {
        let range = match status.strip_suffix("XX").or_else(|| status.strip_suffix("xx")) {
            Some(class) => class.parse::<u16>().ok().map(|class| (class * 100, class * 100 + 99)),
            None => status.parse::<u16>().ok().map(|status| (status, status)),
        };
        let Some(range) = range.filter(|(low, _)| matches!(low / 100, 2 | 3) || response[MARK] == "success") else {
            continue;
        };
        match ranges.last_mut() {
            Some((_, high)) if *high + 1 == range.0 && range.0 == range.1 => *high = range.1,
            _ => ranges.push(range),
        }
    }
    let word = |(low, high): (u16, u16)| match (low, high) {
        (low, high) if low == high => low.to_string(),
        (low, high) if low % 100 == 0 && high == low + 99 => format!("{}xx", low / 100),
        (low, high) => format!("{low}-{high}"),
    };
    ranges.into_iter().map(word).collect()
}
