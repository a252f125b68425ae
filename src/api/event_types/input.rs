//! What a request for an event type says. What stays true: what it says of a sample and a schema is JSON of bounded length and
//! depth; whether they fit each other is told where the schema is compiled.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::http::setting::Change;
use crate::domain::event_type::{DESCRIPTION_CHARS_MAX, OwnType, Validation};
use crate::domain::time::UnixMs;
use crate::domain::{Invalid, event, json};

/// An event type to write down.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventTypeCreate)]
pub struct EventTypeInput {
    /// 1 to 200 of `A-Z a-z 0-9 _ . : / -`.
    #[schema(example = "task.created", pattern = "^[A-Za-z0-9_.:/-]{1,200}$")]
    pub r#type: String,
    /// When it happens, for people: at most 1,000 characters.
    #[serde(default)]
    #[schema(max_length = 1_000)]
    description: Option<String>,
    /// An example of its data; it must fit the schema.
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    sample: Option<Box<RawValue>>,
    /// A JSON Schema of its data, of 2020-12 unless it says another in `$schema`. References stay within it (`#/$defs/name`).
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    schema: Option<Box<RawValue>>,
    /// What is done with events whose data does not fit; as the account says, if left out.
    #[serde(default)]
    validation: Option<Validation>,
}

/// What to change of an event type: what is left out stays, what is null goes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventTypeChange {
    /// When it happens, for people: at most 1,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1_000)]
    description: Change<String>,
    /// An example of its data; it must fit the schema.
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    sample: Change<Box<RawValue>>,
    /// A JSON Schema of its data, of 2020-12 unless it says another in `$schema`. References stay within it (`#/$defs/name`).
    #[serde(default)]
    #[schema(value_type = serde_json::Value)]
    schema: Change<Box<RawValue>>,
    /// What is done with events whose data does not fit; null: as the account says.
    #[serde(default)]
    #[schema(value_type = Option<Validation>)]
    validation: Change<Validation>,
    /// Whether it is retired: then it can still be published, and the reply warns of it.
    #[serde(default)]
    retired: Option<bool>,
}

/// What to change of all event types.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventTypesChange {
    /// What is done with events whose data does not fit the schema of their type, where the type does not say. With `refuse`
    /// events of types that nobody has written down are refused as well, once the account has written down any; with `warn` the
    /// reply warns of them.
    pub validation: Validation,
}

impl EventTypeInput {
    /// The type that it makes.
    pub fn vet(self) -> Result<OwnType, Invalid> {
        event::check_type(&self.r#type)?;
        Ok(OwnType {
            description: self.description.map_or(Ok(String::new()), vet_description)?,
            sample: self.sample.map(|raw| text("sample", raw)).transpose()?,
            schema: self.schema.map(vet_schema).transpose()?,
            validation: self.validation,
            ..OwnType::named(&self.r#type)
        })
    }
}

/// What is to change of a type, vetted.
#[derive(Debug, Clone)]
pub struct Vetted {
    description: Option<String>,
    sample: Change<String>,
    schema: Change<String>,
    validation: Change<Validation>,
    retired: Option<bool>,
}

impl EventTypeChange {
    /// Checks all of it that can be checked alone.
    pub fn vet(self) -> Result<Vetted, Invalid> {
        Ok(Vetted {
            description: self.description.vet(vet_description)?.or_reset(String::new()),
            sample: self.sample.vet(|raw| text("sample", raw))?,
            schema: self.schema.vet(vet_schema)?,
            validation: self.validation,
            retired: self.retired,
        })
    }
}

impl Vetted {
    /// What the type comes to be.
    pub fn apply(&self, before: &OwnType, now: UnixMs) -> OwnType {
        let mut own = before.clone();
        own.description = self.description.clone().unwrap_or(own.description);
        self.sample.clone().apply(&mut own.sample);
        self.schema.clone().apply(&mut own.schema);
        self.validation.clone().apply(&mut own.validation);
        match self.retired {
            Some(true) => drop(own.retired_at.get_or_insert(now)),
            Some(false) => own.retired_at = None,
            None => {}
        }
        own
    }
}

fn vet_description(text: String) -> Result<String, Invalid> {
    match text.chars().count() <= DESCRIPTION_CHARS_MAX {
        true => Ok(text),
        false => Err(Invalid::new("description", format!("must be at most {DESCRIPTION_CHARS_MAX} characters"))),
    }
}

fn text(field: &str, raw: Box<RawValue>) -> Result<String, Invalid> {
    json::check(raw.get().as_bytes()).map_err(|refusal| Invalid::new(field, refusal.to_string()))?;
    Ok(String::from(Box::<str>::from(raw)))
}

fn vet_schema(raw: Box<RawValue>) -> Result<String, Invalid> {
    let is_schema = raw.get().starts_with('{') || ["true", "false"].contains(&raw.get());
    match is_schema {
        true => text("schema", raw),
        false => Err(Invalid::new("schema", "must be a JSON Schema: an object, true or false")),
    }
}
