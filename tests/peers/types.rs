//! Rows about event types.

use serde_json::{Value, json};

use super::kit::{column, list};
use super::support::Stage;

const TYPES: &str = "/api/v1/event-types";

/// Writes one down whose data must have a number of a title.
fn written(stage: &mut Stage) -> Value {
    let schema = json!({
        "type": "object", "required": ["title"], "properties": {"title": {"type": "string"}},
    });
    let body = json!({
        "type": "parcel.sent", "description": "A parcel is on its way", "sample": {"title": "P-1"}, "schema": schema,
        "validation": "refuse",
    });
    stage.client.post(TYPES, &body).data(201)
}

/// What comes of publishing this data: the status, and how many warnings there are.
fn published(stage: &mut Stage, data: Value) -> (u16, usize) {
    let reply = stage.client.post("/api/v1/events", &json!({"type": "parcel.sent", "data": data}));
    (reply.status, reply.json()["warnings"].as_array().map_or(0, Vec::len))
}

fn change(stage: &mut Stage, fields: Value) -> Value {
    stage.client.request("PATCH", &format!("{TYPES}/parcel.sent"), fields.to_string().as_bytes()).data(200)
}

pub fn list_event_types(stage: &mut Stage) {
    let before = list(&mut stage.client, TYPES).len();
    written(stage);
    let names = column(&mut stage.client, TYPES, "type");
    assert_eq!((&names[0], names.len()), (&json!("parcel.sent"), before + 1), "the newest first");
    assert_eq!(column(&mut stage.client, &format!("{TYPES}?retired=true"), "type"), [Value::Null; 0]);
}

pub fn look_at_an_event_type(stage: &mut Stage) {
    let made = written(stage);
    let shown = stage.client.get(&format!("{TYPES}/parcel.sent")).data(200);
    assert_eq!(shown, made);
    assert_eq!((&shown["sample"], &shown["schema"]["required"]), (&json!({"title": "P-1"}), &json!(["title"])));
    assert_eq!(stage.client.get(&format!("{TYPES}/parcel.eaten")).status, 404);
}

pub fn describe_an_event_type(stage: &mut Stage) {
    written(stage);
    assert_eq!(published(stage, json!({"title": "P-2"})).0, 202);
    assert_eq!(published(stage, json!({"title": 2})).0, 422, "it does not fit");
    assert_eq!(list(&mut stage.client, "/api/v1/events").len(), 1);
}

pub fn change_an_event_type(stage: &mut Stage) {
    written(stage);
    let changed = change(stage, json!({"validation": "off", "description": "It left"}));
    assert_eq!((&changed["validation"], &changed["description"]), (&json!("off"), &json!("It left")));
    assert_eq!(changed["sample"], json!({"title": "P-1"}), "what is left out stays");
    assert_eq!(published(stage, json!({"title": 2})).0, 202);
}

pub fn retire_an_event_type(stage: &mut Stage) {
    written(stage);
    let before = published(stage, json!({"title": "P-2"}));
    assert!(change(stage, json!({"retired": true}))["retired_at"].is_string());
    let after = published(stage, json!({"title": "P-3"}));
    assert_eq!(after, (202, before.1 + 1), "it is taken, and warned of");
    assert_eq!(column(&mut stage.client, &format!("{TYPES}?retired=true"), "type"), ["parcel.sent"]);
    assert_eq!(stage.client.request("DELETE", &format!("{TYPES}/parcel.sent"), b"").status, 204);
    assert_eq!(stage.client.get(&format!("{TYPES}/parcel.sent")).status, 404);
}

/// What brings a document of one event whose data must have a title.
pub fn document() -> Value {
    let schema = json!({"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}}});
    json!({"document": {
        "openapi": "3.1.0", "info": {"title": "Parcels", "version": "1"},
        "webhooks": {"parcel.sent": {"post": {
            "description": "A parcel is on its way",
            "requestBody": {"content": {"application/json": {"schema": schema}}},
            "responses": {"200": {"description": "taken"}},
        }}},
    }})
}

pub fn import_event_types_from_openapi(stage: &mut Stage) {
    let path = format!("{TYPES}/import");
    let loaded = stage.client.post(&path, &document()).data(200);
    assert_eq!(loaded["created"], json!(["parcel.sent"]));
    let shown = stage.client.get(&format!("{TYPES}/parcel.sent")).data(200);
    assert_eq!(shown["schema"]["required"], json!(["title"]));
    change(stage, json!({"validation": "refuse"}));
    assert_eq!(["P-1".into(), Value::Null].map(|title| published(stage, json!({"title": title})).0), [202, 422]);
    assert_eq!(stage.client.post(&path, &document()).data(200)["unchanged"], json!(["parcel.sent"]));
}
