//! Holds the dialects to their contracts: exact bytes, published signature vectors, faces as the guides show them, and
//! errors that name line and key.

mod broken;
mod canonical;
mod chats;
mod faces;
mod lookalikes;
mod mistakes;
mod other;
mod proofs;
mod published;
mod schema;
mod sending;
mod shapes;
mod signing;

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;

use super::{AttemptFacts, Dialect, Dialects, Received, VerifyError};
use crate::domain::endpoint::EndpointUrl;
use crate::domain::event::Event;
use crate::domain::id::{EventId, IdSource, WebhookId};
use crate::domain::secret::Secret;
use crate::domain::webhook::{EventFilter, Webhook};

/// 2024-02-10T16:45:22.123Z
const NOW: u64 = 1_707_583_522_123;

fn shipped(name: &str) -> std::sync::Arc<Dialect> {
    Dialects::shipped().get(name).unwrap().clone()
}

fn event(data: &str, actor: Option<&str>, metadata: Option<&str>) -> Event {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    Event {
        id: EventId(IdSource::after(0).next(NOW, 0, || 7)),
        account: 1,
        name: None,
        event_type: "task.created".into(),
        created_at: NOW,
        data: bytes(data),
        actor: actor.map(bytes),
        metadata: metadata.map(bytes),
        test: false,
        webhooks: vec![1],
        channels: Vec::new(),
        fingerprint: None,
        trace: None,
    }
}

fn webhook() -> Webhook {
    let url = EndpointUrl::parse("https://example.com/hook", false).unwrap();
    Webhook { id: WebhookId(IdSource::after(0).next(NOW, 1, || 9)), ..Webhook::new(1, "", url, vec![EventFilter::All]) }
}

/// What a receiver gets.
struct Request {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Request {
    fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(known, _)| known.as_str().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_str().unwrap().to_string())
    }
}

/// Makes a first attempt of `event` at `now`, signed with `secrets`.
fn send(dialect: &Dialect, event: &Event, secrets: &[&str], now: u64) -> Request {
    send_attempt(dialect, event, secrets, now, 1)
}

fn send_attempt(dialect: &Dialect, event: &Event, secrets: &[&str], now: u64, attempt: u16) -> Request {
    let webhook = webhook();
    let keys: Vec<_> = secrets.iter().map(|text| dialect.signing_key(&Secret::new(*text)).unwrap()).collect();
    let what = facts(event, &webhook, now, attempt);
    let body = dialect.body(&dialect.prepare(event, what.account_id), &what, &keys);
    let mut headers = Vec::new();
    dialect.headers(&what, &body, &keys, &mut headers);
    Request { headers, body }
}

fn facts<'a>(event: &'a Event, webhook: &'a Webhook, now: u64, attempt: u16) -> AttemptFacts<'a> {
    AttemptFacts { event, webhook, account_id: "acc_123", delivery: event.id.delivery_to(1), attempt, now }
}

/// Verifies a request with these headers, sent to the webhook's URL.
fn check(
    dialect: &Dialect,
    header: &dyn Fn(&str) -> Option<String>,
    body: &[u8],
    secrets: &[Secret],
    (now, tolerance): (u64, Option<u64>),
) -> Result<(), VerifyError> {
    let webhook = webhook();
    dialect.verify(Received { header, url: Some(webhook.url.as_str()), body }, secrets, now, tolerance)
}
