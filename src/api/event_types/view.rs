//! How event types are shown: those of an account's own and those of a contract alike.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::api::http::list::ListRow;
use crate::api::http::problem::Problem;
use crate::dialect::{Dialect, EventType};
use crate::domain::event_type::{OwnType, Validation};
use crate::domain::time;

/// An event type.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = EventType)]
pub struct EventTypeView {
    /// The type.
    pub r#type: String,
    /// When it happens; may be empty.
    pub description: String,
    /// An example of its data; null: none is written down.
    #[schema(value_type = serde_json::Value)]
    pub sample: Option<Box<RawValue>>,
    /// The JSON Schema of its data; null: none is written down.
    #[schema(value_type = serde_json::Value)]
    pub schema: Option<Box<RawValue>>,
    /// The contract that documents it; null: the account has written it down itself.
    pub dialect: Option<String>,
    /// What is done with events whose data does not fit the schema; null: as the account says, and nothing where a contract
    /// documents it.
    pub validation: Option<Validation>,
    /// Since when nobody should publish it any more; null: it is in use.
    #[schema(format = DateTime)]
    pub retired_at: Option<String>,
    /// When it was written down; null where a contract documents it.
    #[schema(format = DateTime)]
    pub created_at: Option<String>,
    /// When it was last changed; null where a contract documents it.
    #[schema(format = DateTime)]
    pub updated_at: Option<String>,
}

impl ListRow for EventTypeView {}

/// One of an account's own.
pub fn own(own: &OwnType) -> Result<EventTypeView, Problem> {
    let json = |text: &Option<String>| text.clone().map(RawValue::from_string).transpose().map_err(Problem::internal);
    Ok(EventTypeView {
        r#type: own.name.clone(),
        description: own.description.clone(),
        sample: json(&own.sample)?,
        schema: json(&own.schema)?,
        dialect: None,
        validation: own.validation,
        retired_at: own.retired_at.map(time::rfc3339),
        created_at: Some(time::rfc3339(own.created_at)),
        updated_at: Some(time::rfc3339(own.updated_at)),
    })
}

/// One that a contract documents.
pub fn documented(dialect: &Dialect, known: &EventType) -> Result<EventTypeView, Problem> {
    Ok(EventTypeView {
        r#type: known.name.clone(),
        description: known.description.clone(),
        sample: Some(known.sample.clone()),
        schema: Some(to_raw_value(&known.schema()).map_err(Problem::internal)?),
        dialect: Some(dialect.name.clone()),
        validation: None,
        retired_at: None,
        created_at: None,
        updated_at: None,
    })
}
