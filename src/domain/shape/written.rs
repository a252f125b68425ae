//! A shape as people write it, in JSON or in a dialect file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A shape as compact JSON, in bytes.
pub const SHAPE_BYTES_MAX: usize = 8 * 1024;
/// Paths in one shape.
pub const PATHS_MAX: usize = 64;

/// What is made of an event's `data` before it is sent. Paths are those of a filter: `@` is the event, `{type, data, actor,
/// metadata}`, as it was published, so what one verb does changes nothing for the others. Everything that is taken over stays as
/// the producer wrote it, in its order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Shape)]
pub struct Written {
    /// Only what these paths lead to is kept of `data`; an empty list keeps nothing, left out it is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false, max_items = 64, example = json!(["@.data.id", "@.data.customer"]))]
    #[schemars(length(max = PATHS_MAX), example = ["@.data.id", "@.data.customer"])]
    pub pick: Option<Vec<String>>,
    /// What these paths lead to is left out of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 64, example = json!(["@.data.customer.email", "@.data.items[*].cost"]))]
    #[schemars(length(max = PATHS_MAX), example = ["@.data.customer.email"])]
    pub drop: Vec<String>,
    /// By path of a field of `data`: another name for it, in its place. A field that has that name already gives way.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({"@.data.customer.name": "full_name"}))]
    #[schemars(example = json!({ "@.data.customer.name": "full_name" }))]
    pub rename: BTreeMap<String, String>,
    /// By path of a value in `data`: what stands there instead, by the text of the value. One that is not listed stays.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({"@.data.status": {"1": "open", "2": "closed"}}))]
    #[schemars(with = "BTreeMap<String, BTreeMap<String, Plain>>")]
    #[schemars(example = json!({ "@.data.status": { "1": "open", "2": "closed" } }))]
    pub map: BTreeMap<String, BTreeMap<String, Value>>,
    /// Fields that `data` gets behind its own, or in the place of one of the same name: JSON of any form, in whose texts
    /// `{@.data.id}` is filled in. Alone in a text it is the value itself; a path with `*` or a slice gives a list.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = serde_json::Map<String, serde_json::Value>, required = false)]
    #[schema(example = json!({"source": "shop", "text": "Order {@.data.id}", "total": "{@.data.amount.total}"}))]
    #[schemars(with = "BTreeMap<String, AnyForm>")]
    #[schemars(example = json!({ "source": "shop", "text": "Order {@.data.id}", "total": "{@.data.amount.total}" }))]
    pub set: Map<String, Value>,
    /// What becomes of a field of `set` whose path leads to nothing.
    #[serde(default, skip_serializing_if = "Missing::is_usual")]
    #[schemars(example = &"null")]
    pub missing: Missing,
}

/// What becomes of what is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ShapeMissing)]
pub enum Missing {
    /// It is left out.
    #[default]
    Omit,
    /// It is null.
    Null,
}

impl Missing {
    fn is_usual(&self) -> bool {
        *self == Self::Omit
    }
}

impl Written {
    /// As compact JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("it is JSON")
    }
}

/// A value that is neither a list nor a table, for the schema of dialect files.
#[derive(JsonSchema)]
#[schemars(untagged, title = "a text, a number, true or false")]
#[expect(dead_code, reason = "it stands in the schema only")]
enum Plain {
    Text(String),
    Number(f64),
    Flag(bool),
}

/// JSON of any form, for the schema of dialect files.
#[derive(JsonSchema)]
#[schemars(transparent, title = "JSON, with what paths lead to in its texts")]
#[expect(dead_code, reason = "it stands in the schema only")]
struct AnyForm(Value);
