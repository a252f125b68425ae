//! How a call is made. What stays true: a call that may be repeated is repeated only when the server said "not now" or
//! could not be reached, and for no longer than it was told to.

use std::sync::Arc;
use std::time::Duration;

use actix_rt::time::timeout;
use awc::error::PayloadError;
use awc::http::{StatusCode, header};
use awc::{ClientResponse, Connector, SendClientRequest};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use super::asked::{Asked, Call};
use super::error::Error;
use crate::clock::{Dice, Stopwatch};

/// A reply longer than this is no reply of Hookwheel's.
const REPLY_BYTES_MAX: usize = 16 << 20;
/// The deadline of one call: until its reply begins, and from then until its end.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// The deadline of a reply that is a file, until it begins.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// Who says nothing for so long, in the midst of a reply that may be long, is gone.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(120);
/// How long a call that may be repeated is repeated, unless it is said.
const PATIENCE: Duration = Duration::from_secs(60);
/// The waits between tries grow from this …
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// … to this, unless the server names one, which may be shorter than the first, but never nothing.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// One server, one key.
#[derive(Clone)]
pub struct Client {
    http: awc::Client,
    base: String,
    account: Option<String>,
    patience: Duration,
}

impl Client {
    /// A client of the server at `url`, such as `http://127.0.0.1:7080`.
    ///
    /// # Errors
    /// An address that is none.
    pub fn new(url: &str, key: Option<&str>) -> Result<Self, Error> {
        Self::made(url, key, None)
    }

    /// The same of a server whose certificate one of these authorities has signed, PEM, and no other.
    ///
    /// # Errors
    /// An address that is none, or no certificate.
    pub fn trusting(url: &str, key: Option<&str>, authorities: &[u8]) -> Result<Self, Error> {
        Self::made(url, key, Some(tls(authorities)?))
    }

    fn made(url: &str, key: Option<&str>, tls: Option<Arc<ClientConfig>>) -> Result<Self, Error> {
        let base = url.trim_end_matches('/').to_owned();
        if !(base.starts_with("http://") || base.starts_with("https://")) {
            return Err(Error::Address(base));
        }
        let mut http = awc::Client::builder().disable_redirects().timeout(CALL_TIMEOUT);
        if let Some(key) = key {
            http = http.bearer_auth(key);
        }
        let http = match tls {
            Some(tls) => http.connector(Connector::new().rustls_0_23(tls)).finish(),
            None => http.finish(),
        };
        Ok(Self { http, base, account: None, patience: PATIENCE })
    }

    /// The same client acting for this account; its key must be an admin's.
    pub fn acting_for(&self, account: &str) -> Self {
        Self { account: Some(account.to_owned()), ..self.clone() }
    }

    /// The same client, repeating what may be repeated for so long; a minute is usual.
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// Makes one call, once.
    ///
    /// # Errors
    /// No answer, an error as answer, or an answer that is not JSON.
    pub async fn call(&self, call: &Call<'_>) -> Result<Value, Error> {
        let url = self.address(call);
        match self.request(call).await {
            Ok(response) => read(&url, response.timeout(CALL_TIMEOUT)).await,
            Err(error) => Err(Error::Unreachable { url, why: error.to_string() }),
        }
    }

    /// Reads a reply that is a file, piece by piece, for as long as `take` says so. It may take a day.
    ///
    /// # Errors
    /// No answer, an error as answer, or an answer that is broken off.
    pub async fn download(&self, path: &str, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), Error> {
        let url = format!("{}{path}", self.base);
        let sent = self.http.get(&url).timeout(DOWNLOAD_TIMEOUT).send().await;
        let mut response = sent.map_err(|error| Error::Unreachable { url: url.clone(), why: error.to_string() })?;
        if !response.status().is_success() {
            return read(&url, response).await.map(drop);
        }
        let broken = |why: String| Error::Unreachable { url: url.clone(), why };
        loop {
            let next = timeout(SILENCE_MAX, response.next()).await;
            let Some(bytes) = next.map_err(|_| broken("it stopped in the midst of its reply".into()))? else { break };
            let bytes = bytes
                .map_err(|error| broken(format!("the reply was broken off, and the server's log says why: {error}")))?;
            if !take(&bytes) {
                break;
            }
        }
        Ok(())
    }

    /// Where a call goes.
    pub(super) fn address(&self, call: &Call<'_>) -> String {
        format!("{}{}", self.base, call.path)
    }

    /// The request of a call.
    pub(super) fn request(&self, call: &Call<'_>) -> SendClientRequest {
        let mut request = self.http.request(call.method.clone(), self.address(call));
        if let Some(account) = &self.account {
            request = request.insert_header(("Hookwheel-Account", account.as_str()));
        }
        for (name, value) in &call.headers {
            request = request.insert_header((*name, value.as_str()));
        }
        match &call.body {
            Some((content_type, body)) => request.content_type(*content_type).send_body(body.clone()),
            None => request.send(),
        }
    }

    /// Makes a call that is safe to repeat, again and again for up to `patience`. `waiting` hears of every wait.
    ///
    /// # Errors
    /// As [`Client::call`]; the last error when the patience has run out.
    pub async fn call_patiently(
        &self,
        call: &Call<'_>,
        patience: Duration,
        mut waiting: impl FnMut(&Error, Duration),
    ) -> Result<Value, Error> {
        let (begun, mut pause, mut dice) = (Stopwatch::start(), PAUSE_MIN, Dice::from_system());
        loop {
            let error = match self.call(call).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let Some(wait) = error.pause(pause.mul_f64(0.5 + dice.fraction())) else { return Err(error) };
            let wait = wait.max(PAUSE_MIN / 10);
            if begun.elapsed().saturating_add(wait) > patience {
                return Err(error);
            }
            waiting(&error, wait);
            actix_rt::time::sleep(wait).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// The whole reply of an operation.
    pub(super) async fn whole(&self, asked: &Asked) -> Result<Value, Error> {
        let call = asked.call();
        if asked.is_repeatable() {
            self.call_patiently(&call, self.patience, |_, _| ()).await
        } else {
            self.call(&call).await
        }
    }

    /// What the reply of an operation holds.
    pub(super) async fn ask(&self, asked: Asked) -> Result<Value, Error> {
        let mut reply = self.whole(&asked).await?;
        Ok(reply.get_mut("data").map_or(Value::Null, Value::take))
    }
}

/// Reads an answer to its end.
pub(super) async fn read<S>(url: &str, mut response: ClientResponse<S>) -> Result<Value, Error>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let status = response.status();
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let strange = |why: String| Error::Strange { url: url.to_owned(), status, why };
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
        Some(message) => Err(Error::Refused {
            status,
            code: text("code").unwrap_or_default(),
            field: text("field"),
            message,
            retry_after: retry_after.map(Duration::from_secs),
        }),
        None => Err(strange("an error without a message".into())),
    }
}

/// Sessions with who shows a certificate of these authorities.
fn tls(authorities: &[u8]) -> Result<Arc<ClientConfig>, Error> {
    let wrong = |why: String| Error::Authority(why);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("it holds no certificate in PEM".into()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.expect("ring has the suites of TLS 1.2 and 1.3").with_root_certificates(roots);
    Ok(Arc::new(config.with_no_client_auth()))
}
