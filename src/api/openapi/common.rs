//! What operations have in common, as components of the document: the header that names an account, error replies, the ids in
//! paths. What stays true: which errors an operation can give follows from its shape, and only what is particular about one
//! stands at its route.

use serde_json::{Map, Value, json};

use crate::domain::account::ACCOUNT_HEADER;

/// Where the schema of error replies is.
pub const ERROR_SCHEMA: &str = "#/components/schemas/ErrorReply";

/// What an operation is like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// It needs a key.
    pub has_key: bool,
    /// It has a body.
    pub has_body: bool,
    /// It names a thing in its path.
    pub has_path_id: bool,
    /// It has parameters in its query.
    pub has_query: bool,
}

/// An error that operations can give.
struct Common {
    status: &'static str,
    name: &'static str,
    description: &'static str,
    can_come: fn(Shape) -> bool,
}

const fn common(
    status: &'static str,
    name: &'static str,
    can_come: fn(Shape) -> bool,
    description: &'static str,
) -> Common {
    Common { status, name, description, can_come }
}

const ERRORS: &[Common] = &[
    common("400", "BadRequest", |of| of.has_key || of.has_query, "A field, a parameter or a header cannot be taken"),
    common("401", "Unauthorized", |of| of.has_key, "No key, or one that is not known or has expired"),
    common("403", "Forbidden", |of| of.has_key, "The key lacks the scope, or may not do this"),
    common("404", "NotFound", |of| of.has_path_id, "There is no such thing, or it is not the account's"),
    common("408", "SlowBody", |of| of.has_body, "The body did not arrive in time"),
    common("413", "BodyTooLarge", |of| of.has_body, "The body is longer than the server takes"),
    common("414", "UrlTooLong", |_| true, "Path and query are longer than the server takes"),
    common("415", "EncodedBody", |of| of.has_body, "The body is compressed"),
    common("429", "TooMuch", |of| of.has_key, "More than the key, or its account, may ask for now"),
    common("431", "HeadersTooLarge", |_| true, "There are too many headers, or too much in them"),
    common("500", "Failed", |_| true, "The server failed; its log says why"),
    common("503", "NotNow", |_| true, "Not now: the code says why, and `Retry-After` when to come back"),
    common("508", "LoopDetected", |of| of.has_key, "The request is itself a delivery of a webhook"),
];

/// The statuses that an operation of this shape can reply with beside its own, each with where it is described.
pub fn errors_of(shape: Shape) -> impl Iterator<Item = (&'static str, Value)> {
    let can_come = ERRORS.iter().filter(move |error| (error.can_come)(shape));
    can_come.map(|error| (error.status, json!({"$ref": format!("#/components/responses/{}", error.name)})))
}

/// The components of the replies.
pub fn responses() -> Map<String, Value> {
    ERRORS.iter().map(|error| (error.name.to_string(), error_reply(error.status, error.description))).collect()
}

/// The components of the parameters.
pub fn parameters() -> Map<String, Value> {
    let account = json!({
        "name": ACCOUNT_HEADER,
        "in": "header",
        "required": false,
        "description": "The id of the account that an admin key acts for; `default` if left out. Other keys act for their \
                        own account only.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$", "maxLength": 64, "default": "default"},
        "example": "acme",
    });
    Map::from_iter([("Account".to_string(), account)])
}

/// Where the header that names an account is described.
pub fn account_parameter() -> Value {
    json!({"$ref": "#/components/parameters/Account"})
}

/// An error reply with this status.
pub fn error_reply(status: &str, description: &str) -> Value {
    let mut reply = json!({
        "description": description,
        "content": {"application/json": {"schema": {"$ref": ERROR_SCHEMA}}},
    });
    if matches!(status, "429" | "503") {
        reply["headers"] = json!({"Retry-After": {
            "description": "Seconds after which it is worth another try",
            "schema": {"type": "integer", "minimum": 1, "examples": [1]},
        }});
    }
    reply
}

/// What a part of a path that stands for a thing means: by the segment before it.
pub fn path_id(before: &str) -> &'static str {
    match before {
        "events" => "The event's own id where its producer gave it one, else ours, in any spelling",
        "webhooks" => "The webhook's id, or the own id (`uid`) that its account gave it",
        "deliveries" | "replay" => "The delivery's id, in any spelling",
        "jobs" => "The job's id",
        "accounts" => "The account's id",
        "event-types" => "The event type, such as `task.created`; a `/` in it is written `%2F`",
        "keys" => "The key's id; it is not the key",
        "users" => "The user's id",
        "sessions" => "The session's id; it is not what its cookie holds",
        "dialects" => "The dialect's name",
        _ => "",
    }
}
