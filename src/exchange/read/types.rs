//! The event types that a document describes: what each is about, an example and a schema of its data. What stays true: one
//! rule says which schema is of an event, whatever the document is; and who names an event is never guessed.

use std::io::{self, Write};

use serde_json::Value;

use super::document::{Document, Told};
use super::standalone::Standalone;
use super::{asyncapi, openapi};
use crate::domain::event;
use crate::domain::event_type::{DESCRIPTION_CHARS_MAX, IMPORTED_MAX, TEXT_BYTES_MAX};

/// A document, in bytes: each of its schemas is looked at as a whole.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;
/// Values in it: each takes some hundred bytes of memory.
const VALUES_MAX: usize = 1 << 18;
/// Steps that reading it may take: some tenths of a second.
const STEPS_MAX: usize = 1 << 23;
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
    /// When it happens, cut to [`DESCRIPTION_CHARS_MAX`]; may be empty.
    pub description: String,
    /// An example of its data, as JSON; at most [`TEXT_BYTES_MAX`].
    pub sample: Option<String>,
    /// The JSON Schema of its data, which stands alone; at most [`TEXT_BYTES_MAX`].
    pub schema: Option<String>,
}

/// Reads a document: OpenAPI 3, AsyncAPI or JSON Schema. An error says what is wrong with it.
pub fn event_types(text: &str) -> Result<Vec<DescribedType>, String> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(format!("is longer than {DOCUMENT_BYTES_MAX} bytes; leave out what is not about events"));
    }
    if values(text) > VALUES_MAX {
        return Err(format!("has more than {VALUES_MAX} values; leave out what is not about events"));
    }
    let root: Value = serde_json::from_str(text).map_err(|error| {
        format!("is not JSON: {error}; a document in YAML can be turned into JSON, such as by yq -o json")
    })?;
    if !root.is_object() {
        return Err("must be a JSON object: an OpenAPI, AsyncAPI or JSON Schema document".into());
    }
    let document = Document::bounded(root, STEPS_MAX);
    let all = read(&document);
    if document.is_spent() {
        return Err("takes too long to read: its parts lead to one another too often ($ref, allOf); leave out what is not about \
                    events, or take several documents"
            .into());
    }
    all
}

/// How many values JSON has at most, which is told before any of it is held: one behind each mark that opens or parts some.
fn values(text: &str) -> usize {
    let (mut values, mut in_text, mut is_escaped) = (1, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    values
}

fn read(document: &Document) -> Result<Vec<DescribedType>, String> {
    let found = found(document)?;
    if found.is_empty() {
        return Err(format!(
            "describes no event: OpenAPI has them in webhooks, AsyncAPI in messages; a schema in components, $defs or definitions \
             says of which it is by {MARK}, by a type that can be one text only, or by a name with a dot"
        ));
    }
    if found.len() > IMPORTED_MAX {
        return Err(format!(
            "describes more than {IMPORTED_MAX} event types; at most {IMPORTED_MAX} are taken from one document"
        ));
    }
    let is_openapi_3_0 = document.version("openapi").is_some_and(|version| version.starts_with("3.0"));
    let standalone = Standalone { document, is_openapi_3_0, bytes_max: TEXT_BYTES_MAX };
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

/// What is said to be of an event, one more than may be at most.
fn found(document: &Document) -> Result<Vec<Told<'_>>, String> {
    let most = IMPORTED_MAX + 1;
    let (openapi, asyncapi) = (document.version("openapi"), document.version("asyncapi"));
    let messages: Vec<Told<'_>> = match (openapi, asyncapi) {
        (Some(version), _) if version.starts_with('3') => openapi::all(document).take(most).collect(),
        (None, Some(version)) if version.starts_with(['2', '3']) => asyncapi::all(document).take(most).collect(),
        (None, None) => Vec::new(),
        (Some(version), _) => return Err(format!("is OpenAPI {version}; 3.0 and 3.1 are read")),
        (None, Some(version)) => return Err(format!("is AsyncAPI {version}; 2 and 3 are read")),
    };
    let has_schemas = messages.is_empty() && asyncapi.is_none();
    Ok(if has_schemas { schemas(document, openapi.is_some(), most) } else { messages })
}

/// Those that say which event they are of, where no message does; else a schema that is one as a whole.
fn schemas(document: &Document, is_openapi: bool, most: usize) -> Vec<Told<'_>> {
    let root = &document.root;
    let lists = match is_openapi {
        true => vec![document.get(document.get(root, "components"), "schemas")],
        false => vec![document.get(root, "$defs"), document.get(root, "definitions")],
    };
    let told = |name, payload| Told { name, description: "", payload, example: None };
    let named = lists.into_iter().filter_map(Value::as_object).flatten();
    let of_event = named.filter_map(|(key, schema)| {
        let dotted = || (key.contains('.') && event::check_type(key).is_ok()).then_some(key.as_str());
        Some(told(said(document, schema).or_else(dotted)?, schema))
    });
    let mut found: Vec<Told<'_>> = of_event.take(most).collect();
    if found.is_empty() && !is_openapi {
        let title = || document.text(root, "title").filter(|title| event::check_type(title).is_ok());
        found.extend(said(document, root).or_else(title).map(|name| told(name, root)));
    }
    found
}

/// The event type that a schema says it is of.
fn said<'d>(document: &'d Document, schema: &'d Value) -> Option<&'d str> {
    let joined = document.joined(schema);
    if let Some(mark) = joined.get(MARK).and_then(Value::as_str) {
        return Some(mark);
    }
    let only = |field: &&str| only_text(document.follow(joined.field(field)?));
    TYPE_FIELDS.iter().find_map(only).filter(|only| event::check_type(only).is_ok())
}

/// The one text that fits.
fn only_text(schema: &Value) -> Option<&str> {
    let one = || schema.get("enum").and_then(Value::as_array).filter(|choices| choices.len() == 1)?.first();
    schema.get("const").or_else(one)?.as_str()
}

fn described(standalone: &Standalone<'_>, told: Told<'_>) -> Result<DescribedType, String> {
    let document = standalone.document;
    let name = said(document, told.payload).unwrap_or(told.name);
    event::check_type(name).map_err(|invalid| {
        format!("{name:?} is no event type: {}; a schema can say another name by {MARK}", invalid.message)
    })?;
    let joined = document.joined(told.payload);
    let is_envelope = TYPE_FIELDS.iter().any(|field| joined.field(field).is_some());
    let data = joined.field(DATA_FIELD).filter(|_| is_envelope);
    let inner = data.unwrap_or(told.payload);
    let schema = match inner.is_null() {
        true => None,
        false => {
            let alone = standalone.schema(inner).map_err(|why| format!("{name}: {why}"))?;
            Some(text(&alone).ok_or_else(|| too_long(name, "schema"))?)
        }
    };
    let example = told.example.or_else(|| joined.get("example")).or_else(|| joined.get("examples")?.get(0));
    let sample = match data {
        Some(_) => {
            example.and_then(|example| example.get(DATA_FIELD)).or_else(|| document.joined(inner).get("example"))
        }
        None => example,
    };
    let sample = sample.filter(|sample| !sample.is_null());
    let sample = sample.map(|sample| text(sample).ok_or_else(|| too_long(name, "example"))).transpose()?;
    let words = || joined.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = if told.description.is_empty() { words() } else { told.description };
    let description = description.chars().take(DESCRIPTION_CHARS_MAX).collect();
    Ok(DescribedType { name: name.into(), description, sample, schema })
}

fn too_long(name: &str, what: &str) -> String {
    format!("{name}: its {what} is longer than {TEXT_BYTES_MAX} bytes")
}

/// A value as JSON; none if that is too long, whatever it would come to.
fn text(value: &Value) -> Option<String> {
    let mut text = Bounded(Vec::new());
    serde_json::to_writer(&mut text, value).ok()?;
    String::from_utf8(text.0).ok()
}

/// A text of at most [`TEXT_BYTES_MAX`].
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > TEXT_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
