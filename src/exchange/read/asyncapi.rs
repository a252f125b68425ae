//! AsyncAPI: the messages of channels, as versions 2 and 3 have them.

use serde_json::Value;

use super::document::Document;
use super::openapi::{proof, put};
use crate::exchange::format::MARK;
use crate::exchange::sheet::{Header, Message, Sheet};

pub(super) fn read(document: &Document) -> Sheet {
    let root = &document.0;
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
    for (_, channel) in document.all(document.get(root, "channels")) {
        for (key, message) in document.all(document.get(channel, "messages")) {
            event(document, key, message, &mut sheet);
        }
        for way in ["publish", "subscribe"] {
            let message = document.get(document.get(channel, way), "message");
            let several = document.all(document.get(message, "oneOf"));
            let messages = if several.is_empty() { vec![("", message)] } else { several };
            messages.into_iter().for_each(|(key, message)| event(document, key, message, &mut sheet));
        }
    }
    for (_, operation) in document.all(document.get(root, "operations")) {
        for (_, scheme) in document.all(document.get(operation, "security")) {
            sheet.proofs.extend(proof(document, scheme).filter(|proof| !sheet.proofs.contains(proof)));
        }
    }
    sheet
}

fn event(document: &Document, key: &str, message: &Value, sheet: &mut Sheet) {
    if !message.is_object() {
        return;
    }
    let name = ["name", "messageId", "title"].iter().find_map(|key| document.text(message, key)).unwrap_or(key);
    if sheet.messages.iter().any(|known| known.name == name) {
        return;
    }
    // A payload in a format of its own has it inside.
    let payload = document.get(message, "payload");
    let payload = if payload.get("schemaFormat").is_some() { document.get(payload, "schema") } else { payload };
    let examples = document.all(document.get(message, "examples"));
    let example = examples.first().map_or(&Value::Null, |(_, example)| *example);
    let words = ["summary", "description", "title"].iter().find_map(|key| document.text(message, key));
    sheet.messages.push(Message {
        name: name.to_string(),
        description: words.unwrap_or_default().to_string(),
        payload: payload.clone(),
        example: Some(document.get(example, "payload")).filter(|example| !example.is_null()).cloned(),
        data: None,
    });
    if sheet.media_type.is_empty() {
        let stated = document.text(message, "contentType").or_else(|| document.text(&document.0, "defaultContentType"));
        sheet.media_type = stated.unwrap_or_default().to_string();
    }
    let headers = document.schema(document.get(message, "headers"));
    let required = headers.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let shown = document.get(example, "headers");
    for (name, schema) in document.all(headers.get("properties").unwrap_or(&Value::Null)) {
        let shown = shown.get(name).or_else(|| schema.get("example"));
        let example = shown.map(|value| value.as_str().map_or_else(|| value.to_string(), String::from));
        let is_required = required.iter().any(|known| known == name);
        put(sheet, Some(Header { name: name.to_string(), required: is_required, schema: schema.clone(), example }));
    }
}
