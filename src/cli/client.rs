//! A client of the API. What stays true: a call that may be repeated is repeated only when the server said "not now" or
//! could not be reached, and for no longer than it was told to.

use std::time::Duration;

use awc::http::{Method, StatusCode, header};
use bytes::Bytes;
use serde_json::Value;

use super::error::{CallError, CliError};
use super::server::ServerArgs;
use crate::clock::{Dice, Stopwatch};

/// A reply longer than this is no reply of Hookwheel's.
const REPLY_BYTES_MAX: usize = 16 << 20;
/// The deadline of one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// The waits between tries grow from this …
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// … to this, unless the server names one, which may be shorter than the first, but never nothing.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// One server, one key.
pub struct Api {
    http: awc::Client,
    base: String,
    account: Option<String>,
}

/// One call.
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

impl CallError {
    /// How long to wait before the same call may succeed; `None` if it will not. `pause` is our own back-off.
    fn pause(&self, pause: Duration) -> Option<Duration> {
        let later = |status: &StatusCode| {
            [StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE].contains(status)
        };
        match self {
            Self::Unreachable { .. } => Some(pause),
            Self::Refused { status, retry_after, .. } => later(status).then(|| retry_after.unwrap_or(pause)),
            Self::Strange { status, .. } => later(status).then_some(pause),
        }
    }
}

impl Api {
    /// A client of `server`.
    pub fn new(server: &ServerArgs) -> Result<Self, CliError> {
        let base = server.url.trim_end_matches('/').to_owned();
        if !(base.starts_with("http://") || base.starts_with("https://")) {
            return Err(CliError::Failed(format!("--url must start with http:// or https://, but is {base}")));
        }
        let mut http = awc::Client::builder().disable_redirects().timeout(CALL_TIMEOUT);
        if let Some(key) = &server.key {
            http = http.bearer_auth(key);
        }
        Ok(Self { http: http.finish(), base, account: None })
    }

    /// The same client acting for this account; its key must be an admin's.
    pub fn acting_for(&self, account: &str) -> Self {
        Self { http: self.http.clone(), base: self.base.clone(), account: Some(account.to_owned()) }
    }

    /// Makes one call, once.
    ///
    /// # Errors
    /// No answer, an error as answer, or an answer that is not JSON.
    pub async fn call(&self, call: &Call<'_>) -> Result<Value, CallError> {
        let url = format!("{}{}", self.base, call.path);
        let mut request = self.http.request(call.method.clone(), &url);
        if let Some(account) = &self.account {
            request = request.insert_header(("Hookwheel-Account", account.as_str()));
        }
        for (name, value) in &call.headers {
            request = request.insert_header((*name, value.as_str()));
        }
        let sent = match &call.body {
            Some((content_type, body)) => request.content_type(*content_type).send_body(body.clone()),
            None => request.send(),
        };
        let mut response =
            sent.await.map_err(|error| CallError::Unreachable { url: url.clone(), why: error.to_string() })?;
        let status = response.status();
        let retry_after =
            response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let strange = |why: String| CallError::Strange { url: url.clone(), status, why };
        let body = response.body().limit(REPLY_BYTES_MAX).await.map_err(|error| strange(error.to_string()))?;
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let reply: Value = serde_json::from_slice(&body).map_err(|error| strange(error.to_string()))?;
        if status.is_success() {
            return Ok(reply);
        }
        let text = |name: &str| reply["error"][name].as_str().map(str::to_owned);
        match text("message") {
            Some(message) => Err(CallError::Refused {
                status,
                field: text("field"),
                message,
                retry_after: retry_after.map(Duration::from_secs),
            }),
            None => Err(strange("an error without a message".into())),
        }
    }

    /// Makes a call that is safe to repeat, again and again for up to `patience`. `waiting` hears of every wait.
    ///
    /// # Errors
    /// As [`Api::call`]; the last error when the patience has run out.
    pub async fn call_patiently(
        &self,
        call: &Call<'_>,
        patience: Duration,
        mut waiting: impl FnMut(&CallError, Duration),
    ) -> Result<Value, CallError> {
        let (begun, mut pause, mut dice) = (Stopwatch::start(), PAUSE_MIN, Dice::from_system());
        loop {
            let error = match self.call(call).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let Some(wait) = error.pause(pause.mul_f64(0.5 + dice.fraction())) else { return Err(error) };
            let wait = wait.max(PAUSE_MIN / 10);
            if begun.elapsed() + wait > patience {
                return Err(error);
            }
            waiting(&error, wait);
            actix_rt::time::sleep(wait).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}
