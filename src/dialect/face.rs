//! A product's API as data: which calls there are and what their bodies look like. A face only renames and reshapes;
//! what a field means and whether it is right is decided on the native names behind it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::native::{Naming, Spelling};
use super::nearest::nearest;
use super::pattern;
use super::placeholder::refuse_any;
use super::routes::{self, Operations};
use super::view::{self, TestBody, View};
use crate::domain::Invalid;

/// A product's API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Face {
    /// The path at which it starts. No two dialects' overlap, and none is one of Hookwheel's own.
    #[schemars(schema_with = "routes::base_schema", example = &"/v2/webhooks")]
    pub base: String,
    /// Its calls: each a method and a path below the base, or a list of such.
    #[schemars(example = json!({ "create": "POST /", "get": "GET /{id}" }))]
    pub operations: Operations,
    /// Replies about one webhook stand under this key; left out: bare.
    #[schemars(regex(pattern = pattern::PLAIN), example = &"webhook")]
    pub wrap: Option<String>,
    /// What create and update read: names of the product's own, each with the native field that it is.
    #[serde(deserialize_with = "view::request_fields")]
    #[schemars(schema_with = "view::request_schema", example = json!({ "url": "url", "events": "events" }))]
    pub request: Vec<(String, &'static str)>,
    /// What a test call reads: fields as above, or `"data"` where the whole body is the data to send.
    #[serde(default, deserialize_with = "view::test_body")]
    #[schemars(schema_with = "view::test_schema", example = json!({ "event": "event_type" }))]
    pub test: TestBody,
    /// What a reply about a webhook shows, in order: names of the product's own, each with a native field (`"name?"` is left out
    /// where it is empty), a constant, or a word for each value of a native field.
    #[serde(deserialize_with = "view::webhook_fields")]
    #[schemars(schema_with = "view::webhook_schema", example = json!({ "id": "id", "url": "url" }))]
    pub webhook: Vec<(String, View)>,
    /// How webhooks are listed.
    #[schemars(example = json!({ "key": "data" }))]
    pub list: ListRule,
    /// How the history is listed.
    #[schemars(example = json!({ "rows": "attempt", "list": { "key": "data" }, "fields": { "id": "id" } }))]
    pub deliveries: DeliveriesRule,
    /// How it writes the names that are not stated here: inside of `retry`, `rate_limit` and `attempt_log`, and in the
    /// replies to test, replay and check calls.
    #[serde(default)]
    #[schemars(example = &"camel")]
    pub names: Naming,
    /// Whether replies say how much of the rate limit is left (`X-RateLimit-*`).
    #[serde(default)]
    #[schemars(example = true)]
    pub rate_limit_headers: bool,
    #[serde(skip)]
    pub(super) spelling: Spelling,
}

/// Items on a page that a list can have where the caller does not say.
const LIMIT_DEFAULT_MAX: u32 = 1000;

/// How a list is given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRule {
    /// The list stands under this key.
    #[schemars(regex(pattern = pattern::PLAIN), example = &"data")]
    pub key: String,
    /// How the next page is found.
    #[serde(default)]
    #[schemars(example = &"offset")]
    pub paging: Paging,
    /// Items on a page when the caller does not say.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = LIMIT_DEFAULT_MAX), example = 20)]
    pub limit_default: u32,
}

fn default_limit() -> u32 {
    50
}

/// How the next page of a list is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Paging {
    /// `limit` and `cursor`; a list with more to come has a `cursor` beside it.
    #[default]
    Cursor,
    /// `limit` and `offset`; every list has `pagination: {total, limit, offset}` beside it.
    Offset,
}

/// How the history of a webhook is listed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliveriesRule {
    /// What a row is.
    #[schemars(example = &"attempt")]
    pub rows: Rows,
    /// Which deliveries are listed.
    #[serde(default)]
    #[schemars(example = &"tried")]
    pub only: Only,
    /// The list around the rows.
    #[schemars(example = json!({ "key": "data" }))]
    pub list: ListRule,
    /// What a row shows, in order, as `webhook` above.
    #[serde(deserialize_with = "view::row_fields")]
    #[schemars(schema_with = "view::row_schema", example = json!({ "id": "id", "success": "success" }))]
    pub fields: Vec<(String, View)>,
}

/// What a row of the history is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rows {
    /// One attempt.
    Attempt,
    /// One delivery with its latest attempt.
    Delivery,
}

/// Which deliveries a history lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Only {
    /// All.
    #[default]
    All,
    /// Those that were tried or have ended: from the first attempt on.
    Tried,
    /// Those that succeeded or are dead.
    Finished,
}

/// Where a list stands in the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// There is more behind this cursor, or no more.
    Cursor(Option<String>),
    /// Of `total` items, at most `limit` from `offset` on.
    Offset {
        /// All items.
        total: u64,
        /// At most this many are shown.
        limit: u32,
        /// This many are skipped.
        offset: u64,
    },
}

impl Face {
    /// A face of few calls, as an example.
    pub(super) fn example() -> Value {
        json!({
            "base": "/v2/webhooks",
            "request": { "url": "url", "events": "events" },
            "operations": { "create": "POST /", "get": "GET /{id}" },
            "webhook": { "id": "id", "url": "url" },
            "list": { "key": "data" },
            "deliveries": { "rows": "attempt", "list": { "key": "data" }, "fields": { "id": "id" } },
        })
    }

    /// Reads the body of a create or update into native names. What the face shows but does not take (such as its
    /// `id`) is passed over, so that a client can send back what it was given.
    pub fn read(&self, body: Map<String, Value>) -> Result<Map<String, Value>, Invalid> {
        let shown = |name: &str| self.webhook.iter().any(|(face, _)| face == name);
        let native = rename(&self.request, body, &shown)?;
        Ok(native
            .into_iter()
            .map(|(name, value)| {
                let value = self.spelling.read(&name, value);
                (name, value)
            })
            .collect())
    }

    /// Reads the body of a test call into `event_type` and `data`.
    pub fn read_test(&self, body: Value) -> Result<Map<String, Value>, Invalid> {
        match (&self.test, body) {
            (TestBody::Data, Value::Null) => Ok(Map::new()),
            (TestBody::Data, data) => Ok(Map::from_iter([("data".to_string(), data)])),
            (TestBody::Fields(_), Value::Null) => Ok(Map::new()),
            (TestBody::Fields(fields), Value::Object(body)) => rename(fields, body, &|_| false),
            (TestBody::Fields(_), _) => Err(Invalid::new("body", "must be a JSON object")),
        }
    }

    /// Puts an error about a native field in the face's words.
    pub fn in_its_words(&self, mut invalid: Invalid) -> Invalid {
        let end = invalid.field.find(['.', '[']).unwrap_or(invalid.field.len());
        let test = match &self.test {
            TestBody::Fields(fields) => fields.as_slice(),
            TestBody::Data => &[],
        };
        if let Some((name, _)) = self.request.iter().chain(test).find(|(_, native)| *native == &invalid.field[..end]) {
            invalid.field = format!("{name}{}", self.names.write(&invalid.field[end..]));
        }
        invalid
    }

    /// A reply about one webhook.
    pub fn webhook(&self, native: &Map<String, Value>) -> Value {
        self.wrapped(view::show(&self.webhook, native, &self.spelling))
    }

    /// Whether its history calls each attempt by an id of its own; then so do its other replies.
    pub fn names_attempts(&self) -> bool {
        let is_attempts = |view: &View| matches!(view, View::Native { field: "attempt_id", .. });
        self.deliveries.fields.iter().any(|(_, view)| is_attempts(view))
    }

    /// A reply whose fields the file does not state.
    pub fn reply(&self, native: &Value) -> Value {
        self.wrapped(self.spelling.nested(native))
    }

    fn wrapped(&self, shown: Value) -> Value {
        match &self.wrap {
            Some(key) => json!({ key: shown }),
            None => shown,
        }
    }

    /// A list of webhooks.
    pub fn webhooks(&self, natives: &[Map<String, Value>], page: &Page) -> Value {
        list(&self.list, natives.iter().map(|native| view::show(&self.webhook, native, &self.spelling)), page)
    }

    /// The history of a webhook.
    pub fn rows(&self, natives: &[Map<String, Value>], page: &Page) -> Value {
        let rule = &self.deliveries;
        list(&rule.list, natives.iter().map(|native| view::show(&rule.fields, native, &self.spelling)), page)
    }

    /// Checks what one key cannot know of another; `Invalid` names the key in the file.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        for (n, (name, native)) in self.request.iter().enumerate() {
            if self.request[..n].iter().any(|(_, before)| before == native) {
                return Err(Invalid::new(format!("face.request.{name}"), format!("{native} has a name already")));
            }
        }
        if let Some(wrap) = &self.wrap {
            refuse_any(wrap).map_err(|message| Invalid::new("face.wrap", message))?;
        }
        for (key, list) in [("face.list", &self.list), ("face.deliveries.list", &self.deliveries.list)] {
            refuse_any(&list.key).map_err(|message| Invalid::new(format!("{key}.key"), message))?;
            if !(1..=LIMIT_DEFAULT_MAX).contains(&list.limit_default) {
                let message = format!("must be between 1 and {LIMIT_DEFAULT_MAX}");
                return Err(Invalid::new(format!("{key}.limit_default"), message));
            }
        }
        if self.deliveries.only != Only::All && self.deliveries.list.paging == Paging::Offset {
            let message = "needs the list's paging = \"cursor\": only \"all\" can be counted";
            return Err(Invalid::new("face.deliveries.only", message));
        }
        super::routes::check_base(&self.base)?;
        self.operations.check()
    }
}

fn rename(
    fields: &[(String, &'static str)],
    body: Map<String, Value>,
    passed_over: &dyn Fn(&str) -> bool,
) -> Result<Map<String, Value>, Invalid> {
    let mut native = Map::new();
    for (name, value) in body {
        if let Some((_, known)) = fields.iter().find(|(face, _)| *face == name) {
            native.insert((*known).to_string(), value);
        } else if !passed_over(&name) {
            let names = || fields.iter().map(|(face, _)| face.as_str());
            let near = nearest(&name, names()).map_or(String::new(), |near| format!("did you mean {near}? "));
            let all = names().collect::<Vec<_>>().join(", ");
            return Err(Invalid::new(name, format!("is not known here; {near}There are: {all}")));
        }
    }
    Ok(native)
}

fn list(rule: &ListRule, items: impl Iterator<Item = Value>, page: &Page) -> Value {
    let mut reply = Map::new();
    reply.insert(rule.key.clone(), Value::Array(items.collect()));
    match page {
        Page::Cursor(None) => {}
        Page::Cursor(Some(cursor)) => {
            reply.insert("cursor".into(), json!(cursor));
        }
        Page::Offset { total, limit, offset } => {
            reply.insert("pagination".into(), json!({ "total": total, "limit": limit, "offset": offset }));
        }
    }
    Value::Object(reply)
}
