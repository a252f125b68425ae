//! AsyncAPI: the messages of channels, as versions 2 and 3 have them.

use std::collections::HashSet;

use serde_json::Value;

use super::document::{Document, Told};
use super::openapi::{proof, put};
use crate::exchange::format::MARK;
use crate::exchange::sheet::{Header, Message, Sheet};

pub(super) fn read(document: &Document) -> Sheet {
    let root = &document.root;
    let info = document.get(root, "info");
    let mut sheet = Sheet {
        title: document.text(info, "title").unwrap_or_default().to_string(),
        description: document.text(info, "description").unwrap_or_default().to_string(),
        rest: root.get(MARK).and_then(Value::as_object).cloned().unwrap_or_default(),
        ..Sheet::default()
    };
    if let Some(Value::Array(success)) = sheet.rest.shift_remove("success") {
        sheet.success = success.iter().filter_map(|range| range.as_str().map(String::from)).collect();
    }
    for (message, told) in messages(document) {
        event(document, message, told, &mut sheet);
    }
    for (_, operation) in document.all(document.get(root, "operations")) {
        for (_, scheme) in document.all(document.get(operation, "security")) {
            sheet.proofs.extend(proof(document, scheme).filter(|proof| !sheet.proofs.contains(proof)));
        }
    }
    sheet
}

/// The events, one by one.
pub(super) fn all(document: &Document) -> impl Iterator<Item = Told<'_>> {
    messages(document).map(|(_, told)| told)
}

/// The messages of all channels, of each name the first.
fn messages(document: &Document) -> impl Iterator<Item = (&Value, Told<'_>)> {
    let channels = document.all(document.get(&document.root, "channels")).into_iter();
    let all =
        channels.flat_map(move |(_, channel)| of_channel(document, channel)).filter(|(_, message)| message.is_object());
    let mut seen = HashSet::new();
    all.map(move |(key, message)| (message, told(document, key, message)))
        .filter(move |(_, told)| document.spend(told.name.len()) && seen.insert(told.name))
}

fn of_channel<'d>(document: &'d Document, channel: &'d Value) -> Vec<(&'d str, &'d Value)> {
    let mut all = document.all(document.get(channel, "messages"));
    for way in ["publish", "subscribe"] {
        let message = document.get(document.get(channel, way), "message");
        let several = document.all(document.get(message, "oneOf"));
        all.extend(if several.is_empty() { vec![("", message)] } else { several });
    }
    all
}

fn told<'d>(document: &'d Document, key: &'d str, message: &'d Value) -> Told<'d> {
    let name = ["name", "messageId", "title"].iter().find_map(|key| document.text(message, key)).unwrap_or(key);
    // A payload in a format of its own has it inside.
    let payload = document.get(message, "payload");
    let payload = if payload.get("schemaFormat").is_some() { document.get(payload, "schema") } else { payload };
    let words = ["summary", "description", "title"].iter().find_map(|key| document.text(message, key));
    let example = document.get(example(document, message), "payload");
    Told {
        name,
        description: words.unwrap_or_default(),
        payload,
        example: Some(example).filter(|example| !example.is_null()),
    }
}

/// The first example of a message.
fn example<'d>(document: &'d Document, message: &'d Value) -> &'d Value {
    document.all(document.get(message, "examples")).first().map_or(&Value::Null, |(_, example)| *example)
}

fn event(document: &Document, message: &Value, told: Told<'_>, sheet: &mut Sheet) {
    sheet.messages.push(Message::from(told));
    if sheet.media_type.is_empty() {
        let stated =
            document.text(message, "contentType").or_else(|| document.text(&document.root, "defaultContentType"));
        sheet.media_type = stated.unwrap_or_default().to_string();
    }
    let headers = document.schema(document.get(message, "headers"));
    let required = headers.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let shown = document.get(example(document, message), "headers");
    for (name, schema) in document.all(headers.get("properties").unwrap_or(&Value::Null)) {
        let shown = shown.get(name).or_else(|| schema.get("example"));
        let example = shown.map(|value| value.as_str().map_or_else(|| value.to_string(), String::from));
        let is_required = required.iter().any(|known| known == name);
        put(sheet, Some(Header { name: name.to_string(), required: is_required, schema: schema.clone(), example }));
    }
}
