//! How deliveries are shown: one shape in every list and alone, where their attempts are in it too.

use std::collections::BTreeMap;
use std::collections::hash_map::{Entry, HashMap};

use serde::Serialize;

use super::history::{History, LogRow, is_success};
use super::rendered::RequestBodyView;
use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::http::list::ListRow;
use crate::api::http::page::Listed;
use crate::api::masking::{own_url, sent_headers};
use crate::api::openapi::words::{AttemptOutcome, DeliveryCause, DeliveryState};
use crate::domain::account::Scope;
use crate::domain::delivery::{Attempt, Cause, Delivery};
use crate::domain::id::{DeliveryId, WebhookNumber};
use crate::domain::sent_headers::SentHeaders;
use crate::domain::time;
use crate::domain::webhook::Webhook;
use crate::store::{Page, StoreError};

/// A delivery: one event for one webhook.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// Its id, the same for all of its attempts.
    pub id: String,
    /// The event: the own id of its producer where it gave one, else ours.
    pub event_id: String,
    /// The event's type; null once the event is no longer kept.
    pub event_type: Option<String>,
    /// The webhook that it goes to.
    pub webhook_id: String,
    /// Where it stands.
    #[schema(value_type = DeliveryState)]
    pub state: &'static str,
    /// Why it exists.
    #[schema(value_type = DeliveryCause)]
    pub cause: &'static str,
    /// The delivery that it replays.
    pub replay_of: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its next attempt is due; null where none is, or where it is never late.
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
    /// When it ended; null while it is open.
    #[schema(format = DateTime)]
    pub ended_at: Option<String>,
    /// Why it was cancelled (`too_large`: its body is over what the dialect allows), or is dead though nothing was sent:
    /// `filter_too_costly` or `shape_too_costly`, and what to do.
    pub reason: Option<String>,
    /// Attempts made so far.
    pub attempt_count: u16,
    /// When the latest attempt started; null before the first.
    #[schema(format = DateTime)]
    pub attempted_at: Option<String>,
    /// What the latest attempt was answered; null where no answer came.
    #[schema(minimum = 100, maximum = 999)]
    pub status_code: Option<u16>,
    /// How long the latest attempt took, in milliseconds.
    pub response_time_ms: Option<u32>,
    /// Whether the latest attempt was a success.
    pub success: Option<bool>,
    /// What came of the latest attempt; null before the first.
    #[schema(value_type = Option<AttemptOutcome>)]
    pub outcome: Option<&'static str>,
    /// Why it was none, why the delivery was cancelled or is dead without an attempt, or which limit it waits for.
    pub error: Option<String>,
    /// All attempts that are kept, the first first; only in the reply about this one delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<AttemptView>, required = false)]
    pub attempts: Option<Vec<AttemptView>>,
}

/// One HTTP request of a delivery.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptView {
    /// Its number in the delivery, from 1.
    #[schema(minimum = 1)]
    pub number: u16,
    /// When it started.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// How long it took, in milliseconds.
    pub response_time_ms: u32,
    /// Where it went; null where it was pulled, or where that is not known any more.
    pub url: Option<String>,
    /// The headers that it carried. Of one that seems to let its holder in, only that it was sent is kept; its value is null for a
    /// key that may not manage.
    #[schema(example = json!({"webhook-id": "order-1042", "webhook-timestamp": "1768469400"}))]
    pub request_headers: BTreeMap<String, Option<String>>,
    /// What was sent. Only in the reply about this one attempt; null once its event is no longer kept, or where its shape made
    /// nothing of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RequestBodyView>)]
    pub request_body: Option<Option<RequestBodyView>>,
    /// What it was answered; null where no answer came.
    #[schema(minimum = 100, maximum = 999)]
    pub status_code: Option<u16>,
    /// Whether it was a success.
    pub success: bool,
    /// What came of it.
    #[schema(value_type = AttemptOutcome)]
    pub outcome: &'static str,
    /// Why it was no success.
    pub error: Option<String>,
    /// The headers of the answer, as many as fit into 2 KiB; of one that lets its holder in, only that it came.
    #[schema(example = json!({"content-type": "text/plain", "retry-after": "120"}))]
    pub response_headers: BTreeMap<String, String>,
    /// The start of the answer, as text.
    pub response_body: String,
    /// The request was sent once more within this attempt, since a kept connection had been closed; left out otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub resent: bool,
    /// The endpoint answered 401, and the request was made once more within this attempt, with an access token that was fetched
    /// anew; left out otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub reauthorized: bool,
    /// How long each phase of it took.
    pub timings: TimingsView,
}

/// How long the phases of an attempt took, one after the other, in milliseconds. Null: there was no such phase, since a
/// connection was there already, or it did not end.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Timings)]
pub struct TimingsView {
    /// Until there was an access token; null where none was fetched for it. Waiting for one that another attempt fetches is not in
    /// it.
    #[schema(example = 61.5)]
    pub auth_ms: Option<f64>,
    /// Until the host's name was resolved.
    #[schema(example = 1.25)]
    pub resolve_ms: Option<f64>,
    /// Then until there was a connection.
    #[schema(example = 12.5)]
    pub connect_ms: Option<f64>,
    /// Then until TLS was made.
    #[schema(example = 24.75)]
    pub tls_ms: Option<f64>,
    /// Then until the first byte of the answer came.
    #[schema(example = 45.125)]
    pub first_byte_ms: Option<f64>,
    /// All of it, the rest of the answer included: the same as `response_time_ms`.
    #[schema(example = 84)]
    pub total_ms: u32,
}

/// A delivery of a webhook, without its attempts.
pub fn view(history: &History, delivery: &Delivery) -> Result<DeliveryView, StoreError> {
    let row = history.row(delivery, delivery.latest_attempt())?;
    Ok(DeliveryView {
        id: row.id,
        event_id: row.event_id,
        event_type: row.event_type,
        webhook_id: row.webhook_id,
        state: row.state,
        cause: delivery.cause.word(),
        replay_of: if let Cause::Replay(old) = delivery.cause { Some(old.to_string()) } else { None },
        created_at: row.created_at,
        next_attempt_at: row.next_attempt_at,
        ended_at: delivery.ended_at.map(|at| time::rfc3339(history.store.shown(at))),
        reason: delivery.reason.clone(),
        attempt_count: delivery.attempts,
        attempted_at: row.attempted_at,
        status_code: row.status_code,
        response_time_ms: row.response_time_ms,
        success: row.success,
        outcome: delivery.latest_attempt().map(|one| one.outcome.kind()),
        error: row.error,
        attempts: None,
    })
}

/// Deliveries of any webhooks. One whose webhook is forgotten goes with it.
pub fn views(api: &Api, page: Page<Delivery, DeliveryId>) -> Result<Listed<DeliveryView>, StoreError> {
    with_histories(api, page, view)
}

/// The same as what was sent to them.
pub fn logs(api: &Api, page: Page<Delivery, DeliveryId>) -> Result<Listed<LogRow>, StoreError> {
    with_histories(api, page, |history, delivery| Ok(history.row(delivery, delivery.latest_attempt())?.into()))
}

fn with_histories<T>(
    api: &Api,
    page: Page<Delivery, DeliveryId>,
    show: impl Fn(&History, &Delivery) -> Result<T, StoreError>,
) -> Result<Listed<T>, StoreError> {
    let mut histories: HashMap<WebhookNumber, History> = HashMap::new();
    let mut rows = Vec::with_capacity(page.rows.len());
    for delivery in &page.rows {
        let number = delivery.id.webhook();
        let history = match histories.entry(number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let Some(webhook) = api.store.registry().webhook(number) else { continue };
                unknown.insert(History::of(api, webhook)?)
            }
        };
        rows.push(show(history, delivery)?);
    }
    Ok(Listed { rows, next: page.next.map(|id| (id.0, 0)) })
}

impl ListRow for DeliveryView {
    const ALONE: &'static [&'static str] = &["attempts"];
}

impl ListRow for LogRow {}

impl DeliveryView {
    /// With all of its attempts, as `by` may see them.
    pub fn with_attempts(
        self,
        api: &Api,
        by: &Tenant,
        webhook: &Webhook,
        delivery: &Delivery,
    ) -> Result<Self, StoreError> {
        let shown = |attempt| attempt_view(api, by, webhook, delivery, attempt);
        let attempts = api.store.attempts(delivery)?.into_iter().map(shown);
        Ok(Self { attempts: Some(attempts.collect()), ..self })
    }
}

/// An attempt, as `by` may see it.
pub fn attempt_view(api: &Api, by: &Tenant, webhook: &Webhook, delivery: &Delivery, attempt: Attempt) -> AttemptView {
    let dialects = api.dialects.now();
    let dialect = dialects.get(&webhook.dialect).map(AsRef::as_ref);
    let request_headers = sent_headers(&attempt.request_headers, dialect, by.may(Scope::Manage));
    let (summary, phases) = (attempt.summary, attempt.trace.phases);
    let success = is_success(delivery, &summary);
    AttemptView {
        number: summary.number,
        started_at: time::rfc3339(api.store.shown(summary.started_at)),
        response_time_ms: summary.duration_ms,
        url: (!attempt.url.is_empty()).then(|| own_url(webhook, &attempt.url, &dialects, by.may(Scope::Manage))),
        request_headers,
        request_body: None,
        status_code: summary.outcome.status(),
        success,
        outcome: summary.outcome.kind(),
        error: (!success).then(|| summary.outcome.to_string()),
        response_headers: joined(&attempt.trace.response_headers),
        response_body: String::from_utf8_lossy(&attempt.response_body).into_owned(),
        resent: attempt.resent,
        reauthorized: attempt.trace.reauthorized,
        timings: TimingsView {
            auth_ms: attempt.trace.auth_us.map(ms),
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
fn joined(headers: &SentHeaders) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers.iter() {
        let known = joined.entry(name.into()).and_modify(|known| known.push_str(", ")).or_default();
        known.push_str(value);
    }
    joined
}
