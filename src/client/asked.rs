//! An operation with what it is called with, before it is a request.

use awc::http::Method;
use bytes::Bytes;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::clock::Dice;

/// The header that lets a request be made again.
pub const IDEMPOTENCY_HEADER: &str = "Idempotency-Key";

/// One call, as it goes out.
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// The path, from `/` on.
    pub path: &'a str,
    /// Further headers.
    pub headers: Vec<(&'a str, String)>,
    /// The body and its type.
    pub body: Option<(&'static str, Bytes)>,
}

/// What is asked.
#[derive(Clone)]
pub struct Asked {
    method: Method,
    path: String,
    idempotency_key: Option<String>,
    body: Option<Bytes>,
}

impl Asked {
    /// The operation at `path`, whose `{name}` are filled in.
    pub fn new(method: Method, path: &str, values: &[(&str, &str)]) -> Self {
        let filled = |path: String, (name, value): &(&str, &str)| path.replace(&format!("{{{name}}}"), &segment(value));
        Self { method, path: values.iter().fold(path.to_owned(), filled), idempotency_key: None, body: None }
    }

    /// With a body.
    pub fn with_body(self, body: &Value) -> Self {
        Self { body: Some(body.to_string().into()), ..self }
    }

    /// With a query.
    pub fn with_query(mut self, query: &[(&str, &str)]) -> Self {
        if !query.is_empty() {
            self.path = format!("{}?{}", self.path, Serializer::new(String::new()).extend_pairs(query).finish());
        }
        self
    }

    /// Under a key that lets it be made again: this, or one of its own.
    pub fn once(self, idempotency_key: Option<&str>) -> Self {
        Self { idempotency_key: Some(idempotency_key.map_or_else(key, str::to_owned)), ..self }
    }

    /// Whether it does no harm where it is done twice.
    pub fn is_repeatable(&self) -> bool {
        self.method != Method::POST || self.idempotency_key.is_some()
    }

    /// The call.
    pub fn call(&self) -> Call<'_> {
        let headers = self.idempotency_key.iter().map(|key| (IDEMPOTENCY_HEADER, key.clone())).collect();
        let body = self.body.clone().map(|body| ("application/json", body));
        Call { method: self.method.clone(), path: &self.path, headers, body }
    }
}

/// A key that nobody has.
fn key() -> String {
    let mut dice = Dice::from_system();
    format!("{:016x}{:016x}", dice.bits(), dice.bits())
}

/// A value as one segment of a path.
fn segment(value: &str) -> String {
    let mut url = Url::parse("http://host/").expect("it is one");
    url.path_segments_mut().expect("it has a path").push(value);
    url.path().trim_start_matches('/').to_owned()
}
