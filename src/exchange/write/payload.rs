//! The schema of what is sent: the envelope as JSON Schema. What is the same in every body is a `const`; what a fact fills
//! has its template beside it.

use serde_json::{Map, Value, json};

use crate::dialect::{Dialect, Envelope, Member, Placeholder, Template};
use crate::docs;
use crate::domain::time::TimeForm;
use crate::exchange::format::MARK;

/// The reference that a schema of a body leaves for the schema of the event's data.
pub(super) const DATA: &str = "data";

/// The schema of a body; what refers to the event's data has the reference [`DATA`].
pub(super) fn schema(dialect: &Dialect) -> Value {
    of(&dialect.envelope, dialect)
}

/// Whether a body of this form holds the event's data as a whole, so that it can be read from an example.
pub(super) fn shows_data(envelope: &Envelope) -> bool {
    match envelope {
        Envelope::Text(template) => template.alone() == Some(&Placeholder::EventData),
        Envelope::Constant(_) => false,
        Envelope::Array(items) => items.iter().any(shows_data),
        Envelope::Object(members) => members.iter().any(|member| match member {
            Member::Field(_, value) => shows_data(value),
            Member::Spread(slot) => *slot == Placeholder::EventData,
        }),
    }
}

fn of(envelope: &Envelope, dialect: &Dialect) -> Value {
    match envelope {
        Envelope::Text(template) => text(template, dialect),
        Envelope::Constant(json) => {
            let value: Value = serde_json::from_str(json).expect("a constant is JSON");
            json!({"const": value})
        }
        Envelope::Array(items) if items.is_empty() => json!({"const": []}),
        Envelope::Array(items) => {
            let items: Vec<Value> = items.iter().map(|item| of(item, dialect)).collect();
            json!({"type": "array", "prefixItems": items, "minItems": items.len(), "maxItems": items.len()})
        }
        Envelope::Object(members) => object(members, dialect),
    }
}

fn object(members: &[Member], dialect: &Dialect) -> Value {
    let (mut properties, mut spread) = (Map::new(), Vec::new());
    for member in members {
        match member {
            Member::Field(name, value) => drop(properties.insert(name.clone(), of(value, dialect))),
            Member::Spread(slot) => {
                spread.push(json!({"after": properties.keys().next_back(), "spread": slot.to_string()}));
            }
        }
    }
    let required: Vec<&String> = properties.keys().collect();
    let mut schema = json!({"type": "object", "required": required, "properties": properties});
    if !spread.is_empty() {
        schema[MARK] = Value::Array(spread);
    }
    schema
}

fn text(template: &Template, dialect: &Dialect) -> Value {
    match (template.alone(), template.constant()) {
        (_, Some(text)) => json!({"type": "string", "const": text}),
        (Some(Placeholder::EventData), _) => json!({"allOf": [{"$ref": DATA}], MARK: template.to_string()}),
        (Some(Placeholder::EventMetadata | Placeholder::EventActor), _) => {
            filled(json!({"type": ["object", "null"]}), template)
        }
        (Some(Placeholder::Actor(_)), _) => filled(json!({}), template),
        (Some(slot), _) if slot.is_number(dialect.times) => filled(json!({"type": "integer"}), template),
        _ => header(template, dialect),
    }
}

/// The schema of a text, as all headers are.
pub(super) fn header(template: &Template, dialect: &Dialect) -> Value {
    if let Some(text) = template.constant() {
        return json!({"type": "string", "const": text});
    }
    let format = match template.only() {
        Some(Placeholder::EventUuid | Placeholder::WebhookUuid | Placeholder::DeliveryUuid) => Some("uuid"),
        Some(Placeholder::WebhookUrl) => Some("uri"),
        Some(slot) => match slot.moment() {
            Some((_, form)) => match form.unwrap_or(dialect.times) {
                TimeForm::Seconds | TimeForm::Millis | TimeForm::Micros => Some("date-time"),
                TimeForm::Unix | TimeForm::UnixMs | TimeForm::Http => None,
            },
            None => None,
        },
        None => None,
    };
    filled(format.map_or(json!({"type": "string"}), |format| json!({"type": "string", "format": format})), template)
}

/// With what it means and what fills it.
fn filled(mut schema: Value, template: &Template) -> Value {
    if let Some(slot) = template.only() {
        schema["description"] = json!(docs::capital(&docs::meaning(slot)));
    }
    schema[MARK] = json!(template.to_string());
    schema
}
