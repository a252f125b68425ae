//! A contract as both formats see it: what stands in their fields, and the rest.

use serde_json::{Map, Value};

/// A contract, between a dialect and a document.
#[derive(Debug, Clone, Default)]
pub(super) struct Sheet {
    pub title: String,
    pub description: String,
    /// The `Content-Type`.
    pub media_type: String,
    /// Statuses and ranges, such as `2xx`.
    pub success: Vec<String>,
    /// `User-Agent` among them; no signatures.
    pub headers: Vec<Header>,
    pub proofs: Vec<Proof>,
    pub messages: Vec<Message>,
    /// Keys of a dialect file that no field of a format has a place for.
    pub rest: Map<String, Value>,
}

/// A header.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub name: String,
    pub required: bool,
    pub schema: Value,
    pub example: Option<String>,
}

/// An event.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub name: String,
    pub description: String,
    /// The schema of the whole body.
    pub payload: Value,
    /// A whole body.
    pub example: Option<Value>,
    /// The schema of its data, which the payload refers to; none where a document was read.
    pub data: Option<Value>,
}

/// A proof of who sends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Proof {
    pub scheme: Scheme,
    /// In words.
    pub words: String,
}

/// What a proof is to the formats.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scheme {
    /// `Authorization: Bearer` and the secret.
    Bearer,
    /// `Authorization: Basic` and the secret.
    Basic,
    /// A header of its own; how it is made, which the formats cannot say.
    Header { name: String, rule: Option<Map<String, Value>> },
}
