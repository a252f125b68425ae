//! Receivers in axum: right ones, and some with a planted mistake. POST /CONTRACT/MISTAKE; "none" is a right one. They run
//! in this process, on a thread of their own.

use std::collections::{BTreeMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

const TOLERANCE_SECONDS: u64 = 300;

/// The secrets of each contract, the new one first; of key pairs the public key.
pub type Secrets = BTreeMap<String, Vec<String>>;

struct Receivers {
    secrets: Secrets,
    seen: Mutex<HashSet<(String, String)>>,
}

/// What the contract has now, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what is read is not looked at")]
struct Closed {
    r#type: String,
    timestamp: String,
    data: Value,
}

/// Starts them; they end with the process.
pub fn start(secrets: Secrets) -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("it can be waited for");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let receivers = Arc::new(Receivers { secrets, seen: Mutex::default() });
            let app = Router::new().route("/{contract}/{mistake}", post(receive)).with_state(receivers);
            let listener = tokio::net::TcpListener::from_std(listener).expect("it listens");
            axum::serve(listener, app.layer(DefaultBodyLimit::max(30_000_000))).await.expect("it serves");
        });
    });
    address
}

async fn receive(
    State(receivers): State<Arc<Receivers>>,
    Path((contract, mistake)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mistake = mistake.as_str();
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    let is_question = contract == "discord" && event["type"] == 0;
    let is_taken_unseen = mistake == "no_verification" || (mistake == "believes_questions" && is_question);
    if !is_taken_unseen && !receivers.is_genuine(&contract, mistake, &headers, &body) {
        return StatusCode::UNAUTHORIZED;
    }
    if mistake == "closed_schema" && serde_json::from_slice::<Closed>(&body).is_err() {
        return StatusCode::UNPROCESSABLE_ENTITY;
    }
    let id = text(&headers, "webhook-id").unwrap_or_default().to_owned();
    let is_new = receivers.seen.lock().expect("nobody panics with it").insert((mistake.to_owned(), id));
    if mistake == "refuses_repeated" && !is_new {
        return StatusCode::CONFLICT;
    }
    StatusCode::NO_CONTENT
}

impl Receivers {
    fn is_genuine(&self, contract: &str, mistake: &str, headers: &HeaderMap, body: &[u8]) -> bool {
        let (signature, time) = match contract {
            "standard" => ("webhook-signature", "webhook-timestamp"),
            _ => ("x-signature-ed25519", "x-signature-timestamp"),
        };
        let Some(given) = text(headers, signature) else { return mistake == "unsigned_too" };
        let Some(time) = text(headers, time).filter(|time| mistake == "any_age" || is_near(time)) else { return false };
        let written_again = || serde_json::from_slice::<Value>(body).map(|value| value.to_string().into_bytes());
        let parsed = if mistake == "parsed_body" { written_again().ok() } else { None };
        let body = parsed.as_deref().unwrap_or(body);
        let known = &self.secrets[contract];
        let known = if mistake == "new_secret_only" { &known[..1] } else { &known[..] };
        let id = text(headers, "webhook-id").unwrap_or_default();
        known.iter().any(|secret| match contract {
            "standard" => {
                let prefix = if mistake == "without_time" { format!("{id}.") } else { format!("{id}.{time}.") };
                let mut parts: Vec<&str> = given.split(' ').map(|part| part.trim_start_matches("v1,")).collect();
                parts.truncate(if mistake == "first_signature_only" { 1 } else { parts.len() });
                parts.into_iter().any(|part| has_signed(secret, &prefix, body, part))
            }
            _ => has_signed_ed25519(secret, time, body, given),
        })
    }
}

fn has_signed(secret: &str, prefix: &str, body: &[u8], given: &str) -> bool {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).expect("base64");
    let mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length will do");
    let given = STANDARD.decode(given).unwrap_or_default();
    mac.chain_update(prefix).chain_update(body).verify_slice(&given).is_ok()
}

fn has_signed_ed25519(public: &str, time: &str, body: &[u8], given: &str) -> bool {
    let bytes = |text: &str| -> Option<Vec<u8>> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
    };
    let key = bytes(public).and_then(|bytes| bytes.try_into().ok()).expect("32 bytes");
    let key = VerifyingKey::from_bytes(&key).expect("a public key");
    let signature = bytes(given).and_then(|bytes| Signature::from_slice(&bytes).ok());
    signature.is_some_and(|signature| key.verify_strict(&[time.as_bytes(), body].concat(), &signature).is_ok())
}

fn is_near(time: &str) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    time.parse::<u64>().is_ok_and(|time| now.abs_diff(time) <= TOLERANCE_SECONDS)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
