//! OpenAPI 3.1: `webhooks`, one for each event; what all have in common is a component.

use serde_json::{Map, Value, json};

use super::outline::{Words, keys, placed, scheme, scheme_names, with_data};
use crate::exchange::format::MARK;
use crate::exchange::sheet::{Header, Sheet};

pub(super) fn write(sheet: &Sheet, words: &Words) -> Value {
    let keys = keys(sheet);
    let (mut webhooks, mut schemas) = (Map::new(), Map::new());
    for (message, key) in sheet.messages.iter().zip(&keys) {
        let place = format!("#/components/schemas/{key}");
        if let Some(data) = &message.data {
            schemas.insert(key.clone(), placed(data, &place));
        }
        let body = json!({"schema": with_data(&message.payload, &place), "example": message.example});
        let call = json!({
            "summary": message.description,
            "parameters": (0..sheet.headers.len()).map(|n| json!({"$ref": format!("#/components/parameters/{}", header_key(n))})).collect::<Vec<_>>(),
            "requestBody": {"required": true, "content": {&sheet.media_type: body}},
            "responses": responses(sheet, words),
        });
        webhooks.insert(message.name.clone(), json!({"post": call}));
    }
    let parameters: Map<String, Value> =
        sheet.headers.iter().enumerate().map(|(n, header)| (header_key(n), parameter(header))).collect();
    let names = scheme_names(sheet);
    let schemes: Map<String, Value> =
        names.iter().zip(&sheet.proofs).map(|(name, proof)| (name.clone(), scheme(proof, "apiKey"))).collect();
    let answers = json!({"taken": {"description": words.taken}, "failed": {"description": words.failed}});
    let mut components = json!({"parameters": parameters, "responses": answers, "schemas": schemas});
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {"title": sheet.title, "version": "1", "description": sheet.description},
        "webhooks": webhooks,
    });
    if !names.is_empty() {
        // In one object: all of them, not one of them.
        document["security"] = json!([names.iter().map(|name| (name.clone(), json!([]))).collect::<Map<_, _>>()]);
        components["securitySchemes"] = Value::Object(schemes);
    }
    document["components"] = components;
    document[MARK] = Value::Object(sheet.rest.clone());
    document
}

fn header_key(n: usize) -> String {
    format!("header{}", n + 1)
}

fn parameter(header: &Header) -> Value {
    let Header { name, required, schema, example } = header;
    let mut parameter = json!({"name": name, "in": "header", "required": required, "schema": schema});
    if let Some(example) = example {
        parameter["example"] = json!(example);
    }
    parameter
}

/// What is a success, and what becomes of anything else.
fn responses(sheet: &Sheet, words: &Words) -> Map<String, Value> {
    let mut responses = Map::new();
    for status in sheet.success.iter().flat_map(|range| statuses(range)) {
        // Everybody else takes four and five hundreds for failures.
        let response = match status.starts_with(['2', '3']) {
            true => json!({"$ref": "#/components/responses/taken"}),
            false => json!({"description": words.taken, MARK: "success"}),
        };
        responses.insert(status, response);
    }
    responses.insert("default".into(), json!({"$ref": "#/components/responses/failed"}));
    responses
}

/// A status or a range as OpenAPI writes them: it has whole hundreds only.
fn statuses(range: &str) -> Vec<String> {
    match range.split_once('-').and_then(|(low, high)| Some((low.parse::<u16>().ok()?, high.parse::<u16>().ok()?))) {
        Some((low, high)) => (low..=high).map(|status| status.to_string()).collect(),
        None => vec![range.to_ascii_uppercase()],
    }
}
