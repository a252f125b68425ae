//! How deliveries that were pulled are shown, and where their leases stand.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use crate::domain::byte_budget::Charge;
use crate::domain::pull::{LeaseId, Leased, Pulled};
use crate::domain::time;

/// How a body is written in JSON: as text, or in base64 where it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "text")]
enum BodyEncoding {
    Text,
    Base64,
}

/// A delivery that was pulled: what a request to an endpoint would have carried, and how long you have.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Lease)]
pub struct LeaseView {
    /// What to acknowledge, refuse or extend. It is another each time that the delivery is handed out.
    #[schema(example = "01980e5a-3c1f-7a2b-8c4d-000000000001_1_5f0c2b1e")]
    lease: String,
    /// The delivery, the same in each of its attempts.
    delivery_id: String,
    /// The event: the own id of its producer where it gave one, else ours.
    event_id: String,
    /// The event's type.
    event_type: String,
    /// Which attempt of the delivery this is, from 1.
    #[schema(minimum = 1)]
    attempt: u16,
    /// When the lease runs out. Then this attempt has failed, and the delivery comes again by its schedule.
    #[schema(format = DateTime)]
    expires_at: String,
    /// The headers of the request, the signature among them.
    #[schema(example = json!({"webhook-id": "order-1042", "webhook-timestamp": "1768469400", "webhook-signature": "v1,…"}))]
    headers: BTreeMap<String, String>,
    /// The body of the request: verify the signature over exactly this.
    #[schema(example = "{\"type\":\"task.created\",\"data\":{\"id\":1}}")]
    body: String,
    /// How it is written here.
    body_encoding: BodyEncoding,
}

impl LeaseView {
    /// As it is shown, and what its body holds of the budget until it has been.
    pub fn of(pulled: Pulled) -> (Self, Charge) {
        let (body, body_encoding) = match String::from_utf8(pulled.body.into()) {
            Ok(text) => (text, BodyEncoding::Text),
            Err(not_text) => (BASE64_STANDARD.encode(not_text.as_bytes()), BodyEncoding::Base64),
        };
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in pulled.headers {
            headers.entry(name).and_modify(|known| *known = format!("{known}, {value}")).or_insert(value);
        }
        let view = Self {
            lease: pulled.lease.to_string(),
            delivery_id: pulled.lease.attempt.delivery.to_string(),
            event_id: pulled.event,
            event_type: pulled.event_type,
            attempt: pulled.lease.attempt.number,
            expires_at: time::rfc3339(pulled.expires_at),
            headers,
            body,
            body_encoding,
        };
        (view, pulled.charge)
    }
}

/// Where a lease stands: `acked` and `nacked` are recorded, `extended` goes on, `lost` is none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "acked")]
enum LeaseState {
    Acked,
    Nacked,
    Extended,
    Lost,
}

/// Where a lease stands after something was said of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = LeaseAnswer)]
pub struct AnswerView {
    /// The lease.
    #[schema(example = "01980e5a-3c1f-7a2b-8c4d-000000000001_1_5f0c2b1e")]
    lease: String,
    /// Where it stands. The first word counts: of one that was acknowledged it stays `acked`, whatever is said later.
    state: LeaseState,
    /// When it runs out, where it goes on.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

impl AnswerView {
    /// How it is shown.
    pub fn of(lease: LeaseId, stands: Leased) -> Self {
        let (state, until) = match stands {
            Leased::Acked => (LeaseState::Acked, None),
            Leased::Nacked => (LeaseState::Nacked, None),
            Leased::Until(at) => (LeaseState::Extended, Some(at)),
            Leased::Lost | Leased::Unrecorded => (LeaseState::Lost, None),
        };
        Self { lease: lease.to_string(), state, expires_at: until.map(time::rfc3339) }
    }
}
