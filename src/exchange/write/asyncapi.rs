//! AsyncAPI 3: one channel, whose address each receiver chooses; a message for each event. Its schemas are those of JSON
//! Schema's draft 7, where a list with a schema for each place is written another way.

use serde_json::{Map, Value, json};

use super::outline::{Words, keys, placed, scheme, scheme_names, with_data};
use crate::exchange::format::MARK;
use crate::exchange::sheet::{Header, Sheet};

pub(super) fn write(sheet: &Sheet, words: &Words) -> Value {
    let keys = keys(sheet);
    let (mut messages, mut schemas) = (Map::new(), Map::new());
    schemas.insert(HEADERS.into(), headers(&sheet.headers));
    for (message, key) in sheet.messages.iter().zip(&keys) {
        let place = format!("#/components/schemas/{key}.data");
        if let Some(data) = &message.data {
            schemas.insert(format!("{key}.data"), placed(&as_draft_7(data), &place));
        }
        let examples: Map<String, Value> = sheet
            .headers
            .iter()
            .filter_map(|header| Some((header.name.clone(), json!(header.example.as_ref()?))))
            .collect();
        let written = json!({
            "name": message.name,
            "title": message.name,
            "summary": message.description,
            "contentType": sheet.media_type,
            "headers": {"$ref": format!("#/components/schemas/{HEADERS}")},
            "payload": with_data(&as_draft_7(&message.payload), &place),
            "examples": [{"headers": examples, "payload": message.example}],
        });
        messages.insert(key.clone(), written);
    }
    let refer = |place: &str| keys.iter().map(|key| json!({"$ref": format!("#/{place}/{key}")})).collect::<Vec<_>>();
    let names = scheme_names(sheet);
    let schemes: Map<String, Value> =
        names.iter().zip(&sheet.proofs).map(|(name, proof)| (name.clone(), scheme(proof, "httpApiKey"))).collect();
    let security: Vec<Value> =
        names.iter().map(|name| json!({"$ref": format!("#/components/securitySchemes/{name}")})).collect();
    let in_channel: Map<String, Value> = keys.iter().cloned().zip(refer("components/messages")).collect();
    let mut deliver = json!({
        "action": "send",
        "channel": {"$ref": "#/channels/webhook"},
        "summary": "Deliver an event",
        "description": words.whole,
        "messages": refer("channels/webhook/messages"),
        "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
    });
    let mut components = json!({"messages": messages, "schemas": schemas});
    if !names.is_empty() {
        deliver["security"] = Value::Array(security);
        components["securitySchemes"] = Value::Object(schemes);
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {"title": sheet.title, "version": "1", "description": sheet.description},
        "defaultContentType": sheet.media_type,
        "channels": {
            "webhook": {"address": null, "description": "The URL of a webhook.", "messages": in_channel},
        },
        "operations": {"deliver": deliver},
        "components": components,
        MARK: sheet.rest,
    })
}

/// No event's schema has this name: theirs end otherwise.
const HEADERS: &str = "headers";

fn headers(headers: &[Header]) -> Value {
    let properties: Map<String, Value> =
        headers.iter().map(|header| (header.name.clone(), header.schema.clone())).collect();
    let required: Vec<&str> =
        headers.iter().filter(|header| header.required).map(|header| header.name.as_str()).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

/// A schema in the words of draft 7.
fn as_draft_7(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut old = Map::new();
            for (name, value) in fields {
                let value = as_draft_7(value);
                match name.as_str() {
                    "prefixItems" if value.is_array() => drop(old.insert("items".into(), value)),
                    "items" if fields.contains_key("prefixItems") => drop(old.insert("additionalItems".into(), value)),
                    _ => drop(old.insert(name.clone(), value)),
                }
            }
            Value::Object(old)
        }
        Value::Array(items) => items.iter().map(as_draft_7).collect(),
        plain => plain.clone(),
    }
}
