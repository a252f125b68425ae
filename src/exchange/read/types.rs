//! The event types that a document describes: what each is about, an example and a schema of its data. What stays true: one
//! rule says which schema is of an event, whatever the document is; and who names an event is never guessed.

use serde_json::Value;

use super::document::Document;
use super::standalone::Standalone;
use super::{asyncapi, openapi};
use crate::domain::event;
use crate::domain::event_type::{IMPORTED_MAX, TEXT_BYTES_MAX};

/// A document, in bytes: each of its schemas is looked at as a whole.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;
/// Says in a schema which event type it is of.
const MARK: &str = "x-event-type";
/// What the field is called that says of which type an event is.
const TYPE_FIELDS: [&str; 3] = ["type", "event_type", "event"];
/// What the field beside it is called that holds the data.
const DATA_FIELD: &str = "data";

/// An event type, as a document describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedType {
    /// For example `task.created`.
    pub name: String,
    /// When it happens; may be empty.
    pub description: String,
    /// An example of its data, as JSON.
    pub sample: Option<String>,
    /// The JSON Schema of its data, which stands alone.
    pub schema: Option<String>,
}

/// A schema that is said to be of an event.
struct Found<'d> {
    name: String,
    description: String,
    schema: &'d Value,
    example: Option<&'d Value>,
}

/// Reads a document: OpenAPI 3, AsyncAPI or JSON Schema. An error says what is wrong with it.
pub fn event_types(text: &str) -> Result<Vec<DescribedType>, String> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(format!("is longer than {DOCUMENT_BYTES_MAX} bytes; leave out what is not about events"));
    }
    let root: Value = serde_json::from_str(text).map_err(|error| {
        format!("is not JSON: {error}; a document in YAML can be turned into JSON, such as by yq -o json")
    })?;
    if !root.is_object() {
        return Err("must be a JSON object: an OpenAPI, AsyncAPI or JSON Schema document".into());
    }
    let document = Document(root);
    let (openapi, asyncapi) = (document.version("openapi"), document.version("asyncapi"));
    let sheet = match (openapi, asyncapi) {
        (Some(version), _) if version.starts_with('3') => openapi::read(&document),
        (None, Some(version)) if version.starts_with(['2', '3']) => asyncapi::read(&document),
        (None, None) => Default::default(),
        (Some(version), _) => return Err(format!("is OpenAPI {version}; 3.0 and 3.1 are read")),
        (None, Some(version)) => return Err(format!("is AsyncAPI {version}; 2 and 3 are read")),
    };
    let of_message = sheet.messages.iter().map(|message| Found {
        name: message.name.clone(),
        description: message.description.clone(),
        schema: &message.payload,
        example: message.example.as_ref(),
    });
    let mut found: Vec<Found<'_>> = of_message.collect();
    if found.is_empty() && asyncapi.is_none() {
        found = schemas(&document, openapi.is_some());
    }
    if found.is_empty() {
        return Err(format!(
            "describes no event: OpenAPI has them in webhooks, AsyncAPI in messages; a schema in components, $defs or definitions \
             says of which it is by {MARK}, by a type that can be one text only, or by a name with a dot"
        ));
    }
    if found.len() > IMPORTED_MAX {
        return Err(format!(
            "describes {} event types; at most {IMPORTED_MAX} are taken from one document",
            found.len()
        ));
    }
    let is_openapi_3_0 = openapi.is_some_and(|version| version.starts_with("3.0"));
    let standalone = Standalone { document: &document, is_openapi_3_0, bytes_max: TEXT_BYTES_MAX };
    let mut all: Vec<DescribedType> = Vec::with_capacity(found.len());
    for one in found {
        let described = described(&standalone, one)?;
        if all.iter().any(|known| known.name == described.name) {
            return Err(format!("describes {:?} twice", described.name));
        }
        all.push(described);
    }
    Ok(all)
}

/// Those that say which event they are of, where no message does; else a schema that is one as a whole.
fn schemas(document: &Document, is_openapi: bool) -> Vec<Found<'_>> {
    let root = &document.0;
    let lists = match is_openapi {
        true => vec![document.get(document.get(root, "components"), "schemas")],
        false => vec![document.get(root, "$defs"), document.get(root, "definitions")],
    };
    let named = lists.into_iter().filter_map(Value::as_object).flatten();
    let mut found: Vec<Found<'_>> = named
        .filter_map(|(key, schema)| {
            let dotted = || (key.contains('.') && event::check_type(key).is_ok()).then(|| key.clone());
            let name = said(document, schema).or_else(dotted)?;
            Some(Found { name, description: String::new(), schema, example: None })
        })
        .collect();
    if found.is_empty() && !is_openapi {
        let title = || document.text(root, "title").filter(|title| event::check_type(title).is_ok()).map(String::from);
        let name = said(document, root).or_else(title);
        found.extend(name.map(|name| Found { name, description: String::new(), schema: root, example: None }));
    }
    found
}

/// The event type that a schema says it is of.
fn said(document: &Document, schema: &Value) -> Option<String> {
    let joined = document.schema(schema);
    if let Some(mark) = joined.get(MARK).and_then(Value::as_str) {
        return Some(mark.into());
    }
    let fields = joined.get("properties")?;
    let only = TYPE_FIELDS.iter().find_map(|field| only_text(document.get(fields, field)))?;
    event::check_type(only).is_ok().then(|| only.to_string())
}

/// The one text that fits.
fn only_text(schema: &Value) -> Option<&str> {
    let one = || schema.get("enum").and_then(Value::as_array).filter(|choices| choices.len() == 1)?.first();
    schema.get("const").or_else(one)?.as_str()
}

fn described(standalone: &Standalone<'_>, found: Found<'_>) -> Result<DescribedType, String> {
    let document = standalone.document;
    let name = said(document, found.schema).unwrap_or(found.name);
    event::check_type(&name).map_err(|invalid| {
        format!("{name:?} is no event type: {}; a schema can say another name by {MARK}", invalid.message)
    })?;
    let joined = document.schema(found.schema);
    let fields = joined.get("properties");
    let is_envelope = |fields: &Value| TYPE_FIELDS.iter().any(|field| fields.get(field).is_some());
    let data = fields.filter(|fields| is_envelope(fields)).and_then(|fields| fields.get(DATA_FIELD));
    let inner = data.unwrap_or(found.schema);
    let schema = match inner.is_null() {
        true => None,
        false => Some(standalone.schema(inner).map_err(|why| format!("{name}: {why}"))?.to_string()),
    };
    let example = found.example.or_else(|| joined.get("example")).or_else(|| joined.get("examples")?.get(0));
    let of_data = || document.schema(inner).get("example").cloned();
    let sample = match data {
        Some(_) => example.and_then(|example| example.get(DATA_FIELD)).cloned().or_else(of_data),
        None => example.cloned(),
    };
    let words = || joined.get("description").and_then(Value::as_str).unwrap_or_default().to_string();
    let description = if found.description.is_empty() { words() } else { found.description };
    let sample = sample.filter(|sample| !sample.is_null()).map(|sample| sample.to_string());
    Ok(DescribedType { name, description, sample, schema })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(document: Value) -> Result<Vec<DescribedType>, String> {
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
        let all = read(document.clone()).unwrap();
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
        let why = read(far).unwrap_err();
        assert!(why.starts_with("task.created: ") && why.contains("leads out of the document"), "{why}");
    }

    #[test]
    fn schemas_say_of_which_event_they_are() {
        let components = json!({"Task": {"type": "object"}, "TaskMade": {"x-event-type": "task.made", "type": "object"},
            "task.gone": true, "Done": {"properties": {"event": {"enum": ["task.done"]}}}});
        let openapi = json!({"openapi": "3.1.0", "components": {"schemas": components}});
        let names = |document: Value| read(document).map(|all| all.into_iter().map(|one| one.name).collect::<Vec<_>>());
        let expected = Ok(["task.made", "task.gone", "task.done"].map(String::from).to_vec());
        assert_eq!(names(openapi), expected);
        assert_eq!(names(json!({"$defs": components})), expected);
        assert_eq!(names(json!({"definitions": components})), expected);
        let one = json!({"$schema": "http://json-schema.org/draft-07/schema#", "title": "task.made",
            "properties": {"n": {"$ref": "#/definitions/N"}}, "definitions": {"N": {"type": "integer"}}});
        let read_one = read(one).unwrap().remove(0);
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
            let why = read(document).unwrap_err();
            assert!(why.contains(expected), "{why}");
        }
        let many = (0..=IMPORTED_MAX).map(|n| (format!("a.{n}"), json!(true))).collect::<serde_json::Map<_, _>>();
        assert!(read(json!({"$defs": many})).unwrap_err().contains("at most 256"));
    }
}
