//! A delivery as it was handed over, and what the contract says of it.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::Value;

use crate::cli::error::CliError;
use crate::clock::Clock;
use crate::dialect::{Dialect, Received};
use crate::domain::secret::Secret;

/// A delivery that was handed over: what a request would have carried, and its lease.
#[derive(Debug, Clone)]
pub struct Taken {
    /// What to say what became of it with.
    pub lease: String,
    /// The delivery.
    pub delivery: String,
    /// The event's type.
    pub event_type: String,
    /// Which attempt it is, from 1.
    pub attempt: u64,
    /// The headers that a request would have.
    pub headers: Vec<(String, String)>,
    /// The exact bytes.
    pub body: Bytes,
}

impl Taken {
    /// Reads one as the API shows it.
    pub fn read(shown: &Value) -> Result<Self, CliError> {
        let text = |name: &str| shown[name].as_str().map(str::to_owned);
        let body = || match shown["body_encoding"].as_str()? {
            "base64" => BASE64_STANDARD.decode(shown["body"].as_str()?).ok().map(Bytes::from),
            _ => text("body").map(Bytes::from),
        };
        let headers = || -> Option<Vec<_>> {
            let headers = shown["headers"].as_object()?;
            headers.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        };
        let read = || {
            Some(Self {
                lease: text("lease")?,
                delivery: text("delivery_id")?,
                event_type: text("event_type")?,
                attempt: shown["attempt"].as_u64()?,
                headers: headers()?,
                body: body()?,
            })
        };
        read().ok_or_else(|| CliError::Failed("the server hands over something that is no delivery".into()))
    }

    /// The value of a header, its name in any case.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    }
}

/// What deliveries are held against: the dialect and the webhook's secret, where both are known here.
pub enum Contract {
    /// Both are.
    Known(Arc<Dialect>, Secret),
    /// Why nothing can be verified.
    Unknown(&'static str),
}

impl Contract {
    /// Of a webhook that was just made.
    pub fn of(dialect: Option<Arc<Dialect>>, secret: Option<Secret>) -> Self {
        match (dialect, secret) {
            (None, _) => Self::Unknown("the dialect's file is not here (deliver.dialects)"),
            (Some(dialect), _) if dialect.signs_url() => {
                Self::Unknown("the contract signs the webhook's URL, and what is pulled has none")
            }
            (_, None) => Self::Unknown("the contract has no secret"),
            (Some(dialect), Some(secret)) => Self::Known(dialect, secret),
        }
    }

    /// Whether the signature is right, in words.
    pub fn verdict(&self, taken: &Taken) -> String {
        match self {
            Self::Unknown(why) => format!("signature not checked: {why}"),
            Self::Known(dialect, secret) => {
                let received = Received { header: &|name| taken.header(name), url: None, body: &taken.body };
                match dialect.verify(received, std::slice::from_ref(secret), Clock::real().wall(), None) {
                    Ok(()) => "signature valid".into(),
                    Err(error) => format!("signature NOT valid: {error}"),
                }
            }
        }
    }
}
