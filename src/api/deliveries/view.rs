//! How one delivery is shown, with all of its attempts.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::deliveries::history::is_success;
use crate::domain::delivery::{Attempt, Cause, Delivery};
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
    pub request_headers: BTreeMap<String, String>,
    /// Null where no answer came.
    pub status_code: Option<u16>,
    pub success: bool,
    /// `status`, `timeout`, `dns`, `refused_address`, `connect`, `tls`, `broken`, `unsendable` or `too_large`, which was not
    /// sent.
    pub outcome: &'static str,
    /// Why it was no success.
    pub error: Option<String>,
    /// The start of the answer, as text.
    pub response_body: String,
    /// The request was sent once more within this attempt, since a kept connection had been closed; left out otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub resent: bool,
}

pub fn cause(delivery: &Delivery) -> &'static str {
    match delivery.cause {
        Cause::Accept => "accept",
        Cause::Test => "test",
        Cause::Replay(_) => "replay",
        Cause::Missed => "missed",
    }
}

pub fn attempt_view(store: &Store, delivery: &Delivery, attempt: Attempt) -> AttemptView {
    let summary = attempt.summary;
    let success = is_success(delivery, &summary);
    AttemptView {
        number: summary.number,
        started_at: time::rfc3339(store.shown(summary.started_at)),
        response_time_ms: summary.duration_ms,
        url: attempt.url,
        request_headers: attempt.request_headers.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        status_code: summary.outcome.status(),
        success,
        outcome: summary.outcome.kind(),
        error: (!success).then(|| summary.outcome.to_string()),
        response_body: String::from_utf8_lossy(&attempt.response_body).into_owned(),
        resent: attempt.resent,
    }
}
