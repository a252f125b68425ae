//! Event types out of documents, also of such as mean harm.

use super::*;
use serde_json::json;

fn taken(document: Value) -> Result<Vec<DescribedType>, String> {
    event_types(&document.to_string())
}

fn schema(described: &DescribedType) -> Value {
    serde_json::from_str(described.schema.as_ref().expect("a schema")).expect("JSON")
}

#[test]
fn webhooks_of_openapi_are_types_and_bring_along_what_they_refer_to() {
    let task = json!({"type": "object", "properties": {"id": {"type": "integer"}, "parts": {
        "type": "array", "items": {"$ref": "#/components/schemas/Task"}}, "owner": {"$ref": "#/components/schemas/Owner"}}});
    let body = json!({"type": "object", "properties": {
        "type": {"const": "task.created"}, "data": {"$ref": "#/components/schemas/Task"}}});
    let owner = json!({"type": "string", "nullable": true, "example": "ada"});
    let media = json!({"schema": body, "example": {"type": "task.created", "data": {"id": 1}}});
    let call = json!({"summary": "A task came.", "requestBody": {"content": {"application/json": media}}});
    let plain = json!({"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}});
    let document = json!({"openapi": "3.0.3", "x-webhooks": {"newTask": {"post": call}, "task.done": {"post": plain}},
        "components": {"schemas": {"Task": task, "Owner": owner}}});
    let all = taken(document.clone()).unwrap();
    let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["task.created", "task.done"], "the type of the body goes before the key");
    assert_eq!((all[0].description.as_str(), all[0].sample.as_deref()), ("A task came.", Some(r#"{"id":1}"#)));
    let created = schema(&all[0]);
    assert_eq!(created["properties"]["parts"]["items"]["$ref"], "#/$defs/Task");
    assert_eq!(created["$defs"]["Task"]["properties"]["owner"]["$ref"], "#/$defs/Owner");
    assert_eq!(created["$defs"]["Owner"], json!({"type": ["string", "null"]}));
    assert_eq!(schema(&all[1]), json!({"type": "object"}), "a body without an envelope is the data");

    let mut far = document;
    far["components"]["schemas"]["Owner"] = json!({"$ref": "https://example.com/owner.json"});
    let why = taken(far).unwrap_err();
    assert!(why.starts_with("task.created: ") && why.contains("leads out of the document"), "{why}");
}

#[test]
fn schemas_say_of_which_event_they_are() {
    let components = json!({"Task": {"type": "object"}, "TaskMade": {"x-event-type": "task.made", "type": "object"},
        "task.gone": true, "Done": {"properties": {"event": {"enum": ["task.done"]}}}});
    let openapi = json!({"openapi": "3.1.0", "components": {"schemas": components}});
    let names = |document: Value| taken(document).map(|all| all.into_iter().map(|one| one.name).collect::<Vec<_>>());
    let expected = Ok(["task.made", "task.gone", "task.done"].map(String::from).to_vec());
    assert_eq!(names(openapi), expected);
    assert_eq!(names(json!({"$defs": components})), expected);
    assert_eq!(names(json!({"definitions": components})), expected);
    let one = json!({"$schema": "http://json-schema.org/draft-07/schema#", "title": "task.made",
        "properties": {"n": {"$ref": "#/definitions/N"}}, "definitions": {"N": {"type": "integer"}}});
    let read_one = taken(one).unwrap().remove(0);
    assert_eq!(read_one.name, "task.made");
    let whole = schema(&read_one);
    assert_eq!(whole["$defs"]["N"], json!({"type": "integer"}));
    assert_eq!(whole["$schema"], "http://json-schema.org/draft-07/schema#");
    for (document, expected) in [
        (json!({"title": "A task", "type": "object"}), "describes no event"),
        (json!([]), "must be a JSON object"),
        (json!({"swagger": "2.0"}), "describes no event"),
        (json!({"openapi": "2.0"}), "3.0 and 3.1 are read"),
        (json!({"$defs": {"a": {"x-event-type": "a b"}}}), "is no event type"),
        (json!({"$defs": {"a": {"x-event-type": "a"}, "b": {"x-event-type": "a"}}}), "twice"),
        (json!({"$defs": {"a.b": {"const": " ".repeat(TEXT_BYTES_MAX)}}}), "is longer than"),
    ] {
        let why = taken(document).unwrap_err();
        assert!(why.contains(expected), "{why}");
    }
    let many = (0..=IMPORTED_MAX).map(|n| (format!("a.{n}"), json!(true))).collect::<serde_json::Map<_, _>>();
    assert!(taken(json!({"$defs": many})).unwrap_err().contains("at most 256"));
}

#[test]
fn a_hostile_document_is_refused_before_it_takes_memory_or_time() {
    let refused = |document: Value, expected: &str| {
        let why = taken(document).unwrap_err();
        assert!(why.contains(expected), "{}", why.chars().take(300).collect::<String>());
    };
    let call = json!({"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Big"}}}}}});
    let of = |webhooks: usize, schema: Value| {
        let webhooks: serde_json::Map<_, _> = (0..webhooks).map(|n| (format!("a.{n}"), call.clone())).collect();
        json!({"openapi": "3.1.0", "webhooks": webhooks, "components": {"schemas": {"Big": schema}}})
    };
    refused(of(1, json!({"enum": vec![1; VALUES_MAX]})), "values");
    refused(of(20_000, json!({"enum": vec![1; 20_000]})), "at most 256");
    refused(of(256, json!({"enum": vec![1; 100_000]})), "is longer than 31000 bytes");
    let long = json!({"type": "object", "example": "a".repeat(1 << 20)});
    refused(of(256, long), "a.0: its example is longer than 31000 bytes");
    // Of what is left out no byte is taken, but each word of it is looked at.
    let left_out: serde_json::Map<_, _> = (0..100_000).map(|n| (format!("x-{n}"), json!(1))).collect();
    refused(of(256, Value::Object(left_out)), "takes too long to read");

    let parts = json!({"allOf": vec![json!({"$ref": "#/part"}); 200]});
    let all: serde_json::Map<_, _> = (0..20_000).map(|n| (n.to_string(), json!({"$ref": "#/parts"}))).collect();
    refused(json!({"$defs": all, "part": {}, "parts": parts}), "takes too long to read");
    let far = format!("#/{}", "a".repeat(1 << 20));
    let all: serde_json::Map<_, _> = (0..1_000).map(|n| (n.to_string(), json!({"$ref": "#/far"}))).collect();
    refused(json!({"$defs": all, "far": {"$ref": far}}), "takes too long to read");
    let many: serde_json::Map<_, _> = (0..10_000).map(|n| (n.to_string(), json!({"payload": 1}))).collect();
    let channels: serde_json::Map<_, _> =
        (0..10_000).map(|n| (n.to_string(), json!({"messages": {"$ref": "#/many"}}))).collect();
    let same: serde_json::Map<_, _> = many.keys().map(|key| (key.clone(), json!({"name": "a"}))).collect();
    refused(json!({"asyncapi": "3.0.0", "channels": channels, "many": same}), "takes too long to read");
    refused(json!({"asyncapi": "3.0.0", "channels": channels, "many": many}), "at most 256");
}

#[test]
fn only_what_is_looked_at_is_read_and_nothing_of_it_copied() {
    let webhooks: serde_json::Map<_, _> = (0..1_000)
        .map(|n| {
            (format!("a.{n}"), json!({"post": {"requestBody": {"content": {"a/json": {"schema": {"$ref": "#/a"}}}}}}))
        })
        .collect();
    let document = Document::bounded(json!({"openapi": "3.1.0", "webhooks": webhooks, "a": {}}), 3_000);
    let found = found(&document).unwrap();
    assert_eq!(found.len(), IMPORTED_MAX + 1);
    assert!(!document.is_spent(), "a list of 1,000 and of each of 257 a little");
    let first = document.root["webhooks"]["a.0"].pointer("/post/requestBody/content/a~1json/schema").unwrap();
    assert!(std::ptr::eq(found[0].payload, first));
}

#[test]
fn values_are_counted_before_they_are_read() {
    for (text, expected) in [("1", 1), ("[1,2]", 3), (r#"{"a,[{":"\",,","b":[]}"#, 4), ("[[],{}]", 5)] {
        assert_eq!(values(text), expected, "{text}");
    }
}
