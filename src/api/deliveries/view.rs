//! How one delivery is shown, with all of its attempts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::history::is_success;
use super::rendered::RequestBodyView;
use crate::domain::delivery::{Attempt, Delivery};
use crate::domain::time;
use crate::store::Store;

/// A delivery with all of its attempts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DeliveryView {
    pub id: String,
    pub event_id: String,
    pub event_type: Option<String>,
    pub webhook_id: String,
    /// `pending`, `scheduled`, `held`, `succeeded`, `dead` or `cancelled`.
    pub state: &'static str,
    /// Why it exists: `accept`, `test`, `replay`, or `missed`: a bulk replay made it for an event that had none.
    pub cause: &'static str,
    /// The delivery that it replays.
    pub replay_of: Option<String>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
    /// Why it was cancelled (`too_large`: its body is over what the dialect allows), or is dead without an attempt:
    /// `filter_too_costly`, and what to do.
    pub reason: Option<String>,
    /// The first first.
    pub attempts: Vec<AttemptView>,
}

/// One HTTP request of a delivery.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AttemptView {
    /// From 1.
    pub number: u16,
    #[schema(format = DateTime)]
    pub started_at: String,
    pub response_time_ms: u32,
    pub url: String,
    /// As they were sent; of one that lets its holder in, only that it was.
    pub request_headers: BTreeMap<String, String>,
    /// What was sent. Only in the reply about this one attempt; null once its event is no longer kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub request_body: Option<Option<RequestBodyView>>,
    /// Null where no answer came.
    pub status_code: Option<u16>,
    pub success: bool,
    /// `status`, `timeout`, `dns`, `refused_address`, `connect`, `tls`, `broken`, `unsendable` or `too_large`, which was not
    /// sent.
    pub outcome: &'static str,
    /// Why it was no success.
    pub error: Option<String>,
    /// The headers of the answer, as many as fit into 2 KiB; of one that lets its holder in, only that it came.
    pub response_headers: BTreeMap<String, String>,
    /// The start of the answer, as text.
    pub response_body: String,
    /// The request was sent once more within this attempt, since a kept connection had been closed; left out otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub resent: bool,
    /// How long each phase of it took.
    pub timings: TimingsView,
}

/// How long the phases of an attempt took, one after the other, in milliseconds. Null: there was no such phase, since a
/// connection was there already, or it did not end.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TimingsView {
    /// Until the host's name was resolved.
    #[schema(example = 1.25)]
    pub resolve_ms: Option<f64>,
    /// Then until there was a connection.
    pub connect_ms: Option<f64>,
    /// Then until TLS was made.
    pub tls_ms: Option<f64>,
    /// Then until the first byte of the answer came.
    pub first_byte_ms: Option<f64>,
    /// All of it, the rest of the answer included: the same as `response_time_ms`.
    pub total_ms: u32,
}

pub fn attempt_view(store: &Store, delivery: &Delivery, attempt: Attempt) -> AttemptView {
    let (summary, phases) = (attempt.summary, attempt.trace.phases);
    let success = is_success(delivery, &summary);
    AttemptView {
        number: summary.number,
        started_at: time::rfc3339(store.shown(summary.started_at)),
        response_time_ms: summary.duration_ms,
        url: attempt.url,
        request_headers: joined(attempt.request_headers),
        request_body: None,
        status_code: summary.outcome.status(),
        success,
        outcome: summary.outcome.kind(),
        error: (!success).then(|| summary.outcome.to_string()),
        response_headers: joined(attempt.trace.response_headers),
        response_body: String::from_utf8_lossy(&attempt.response_body).into_owned(),
        resent: attempt.resent,
        timings: TimingsView {
            resolve_ms: phases.resolve_us.map(ms),
            connect_ms: phases.connect_us.map(ms),
            tls_ms: phases.tls_us.map(ms),
            first_byte_ms: phases.first_byte_us.map(ms),
            total_ms: summary.duration_ms,
        },
    }
}

fn ms(us: u32) -> f64 {
    f64::from(us) / 1000.0
}

/// Values of one name as one, as HTTP has it.
fn joined(headers: Vec<(String, String)>) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let known = joined.entry(name).and_modify(|known| known.push_str(", ")).or_default();
        known.push_str(&value);
    }
    joined
}
