//! Requests for which somebody waits, made once and at once. A probe is no delivery, and not stored: whether an endpoint wants
//! deliveries (the ownership check), or how it is (the health check). A test is one.

use bytes::Bytes;
use ipnet::IpNet;

use super::delivery::{Attempt, Outcome};
use super::endpoint::EndpointUrl;
use super::id::{AccountNumber, WebhookNumber};
use super::oauth2::OAuth2;
use super::tls::Tls;

/// How a request is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// As all deliveries are.
    #[default]
    Post,
    /// As some contracts ask their questions.
    Get,
}

impl Method {
    /// As HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
        }
    }
}

/// A request to make.
#[derive(Debug, Clone)]
pub struct Probe {
    /// How it is made.
    pub method: Method,
    /// For whom: no connection serves two accounts.
    pub account: AccountNumber,
    /// Where to.
    pub url: EndpointUrl,
    /// All headers but `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// Whether names of headers are written in upper case, as something on the way may do; HTTP/2 knows none.
    pub upper_case: bool,
    /// The exact bytes.
    pub body: Bytes,
    /// The deadline of all of it.
    pub timeout_seconds: u32,
    /// What was opened for it: see [`Webhook::allow`](super::webhook::Webhook).
    pub allow: Vec<IpNet>,
    /// Its own TLS.
    pub tls: Option<Tls>,
    /// So much is read of the answer's body; of an endpoint's [`super::delivery::RESPONSE_BODY_BYTES_MAX`].
    pub answer_bytes_max: usize,
    /// How tokens for it are granted, and for which webhook, where it is to show one.
    pub oauth2: Option<(WebhookNumber, OAuth2)>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// Never an error: see [`Outcome`].
    pub outcome: Outcome,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
    /// The start of the answer's body, at most [`Probe::answer_bytes_max`].
    pub answer: Vec<u8>,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The attempt.
    pub attempt: Attempt,
    /// Whether its webhook takes that for a success.
    pub success: bool,
}
