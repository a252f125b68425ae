//! How deliveries are shown and listed. One place decides the word for a delivery's state and the fields of a history
//! row, so the native lists and the dialects' faces cannot disagree.

use std::sync::Arc;

use serde::Serialize;

use crate::api::Api;
use crate::api::http::page::{Listed, Window};
use crate::domain::delivery::{AttemptSummary, Delivery, DeliveryState, HELD};
use crate::domain::id::DeliveryId;
use crate::domain::tally::{Tally, next_day};
use crate::domain::time::{self, UnixMs};
use crate::domain::webhook::Webhook;
use crate::store::{EventHead, Store, StoreError};

/// The word for where a delivery stands. An open one of a webhook that is not active is held; of a deleted webhook it
/// is as good as cancelled.
pub fn shown_state(delivery: &Delivery, webhook: Option<&Webhook>) -> &'static str {
    match webhook {
        _ if !delivery.state.is_open() => delivery.state.word(),
        Some(webhook) if webhook.is_active() => delivery.state.word(),
        Some(webhook) if !webhook.is_deleted() => HELD,
        _ => "cancelled",
    }
}

/// A delivery with one of its attempts, the latest where the list is of deliveries. The faces pick from it.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The delivery's id.
    pub id: String,
    /// The producer's own id where it gave one, else ours.
    pub event_id: String,
    /// Null once the event is no longer kept.
    pub event_type: Option<String>,
    /// The webhook's id.
    pub webhook_id: String,
    /// Where the delivery stands.
    pub state: &'static str,
    /// When it was made.
    pub created_at: String,
    /// When the attempt started; null before the first.
    pub attempted_at: Option<String>,
    /// The attempt's number, from 1.
    pub attempt: Option<u16>,
    /// Attempts made so far.
    pub attempts: u16,
    /// Null where no answer came.
    pub status_code: Option<u16>,
    /// How long the attempt took.
    pub response_time_ms: Option<u32>,
    /// Whether the attempt was a success.
    pub success: Option<bool>,
    /// Why it was none, why the delivery was cancelled or is dead without an attempt, or which limit it waits for.
    pub error: Option<String>,
    /// When the next one is due.
    pub next_attempt_at: Option<String>,
}

/// What was sent to a webhook: a delivery with its latest attempt.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeliveryLog)]
pub struct LogRow {
    /// The delivery's id.
    id: String,
    /// The event: the own id of its producer where it gave one, else ours.
    event_id: String,
    /// The type of the event; null once it is no longer kept.
    event_type: Option<String>,
    /// When the latest attempt started.
    #[schema(format = DateTime)]
    delivered_at: Option<String>,
    /// What the latest attempt was answered; null where no answer came.
    status_code: Option<u16>,
    /// How long the latest attempt took, in milliseconds.
    response_time_ms: Option<u32>,
    /// Attempts made.
    attempts: u16,
    /// Why the latest attempt was no success; left out where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    last_error: Option<String>,
}

/// The history of one webhook.
pub struct History {
    /// Where it lies.
    pub store: Store,
    /// Whose it is.
    pub webhook: Arc<Webhook>,
    /// Its counters.
    pub tally: Tally,
    /// The day's first attempts are used up.
    tomorrow: Option<Wait>,
    /// Its endpoint is spared.
    pause: Option<Wait>,
    behind: Wait,
}

/// What open deliveries wait for beside their turn.
struct Wait {
    until: Option<UnixMs>,
    why: String,
}

impl History {
    /// The history of a webhook.
    pub fn of(api: &Api, webhook: Arc<Webhook>) -> Result<Self, StoreError> {
        let limit = api.dialects.now().get(&webhook.dialect).and_then(|known| known.limits.first_attempts_per_day);
        let (now, tally) = (api.clock.now(), api.store.tally(webhook.number())?);
        let tomorrow = limit.filter(|limit| tally.first_attempts_today(now) >= *limit).map(|limit| Wait {
            until: Some(next_day(now)),
            why: format!("waits for tomorrow: the {limit} deliveries of today are used up"),
        });
        let pause = Some(tally.backoff.until).filter(|until| *until > now).map(|until| Wait {
            until: Some(until),
            why: "waits until its endpoint's pause is over: it could not be reached, or asked for one".into(),
        });
        let behind = Wait { until: None, why: "waits for an earlier delivery: its webhook keeps them in order".into() };
        Ok(Self { store: api.store.clone(), webhook, tally, tomorrow, pause, behind })
    }

    /// A row a delivery, with its latest attempt; `wanted` filters.
    pub fn deliveries(&self, window: Window, wanted: impl Fn(&Delivery) -> bool) -> Result<Listed<Row>, StoreError> {
        let page = self.store.deliveries(&[self.webhook.number()], window.walk(), None, wanted)?;
        let rows: Result<_, StoreError> =
            page.rows.iter().map(|delivery| self.row(delivery, delivery.latest_attempt())).collect();
        Ok(Listed { rows: rows?, next: page.next.map(|id| (id.0, 0)) })
    }

    /// A row an attempt, the newest delivery's latest first.
    pub fn attempts(&self, window: Window, wanted: impl Fn(&Delivery) -> bool) -> Result<Listed<Row>, StoreError> {
        let past = window.past.map(DeliveryId);
        // The page before may have ended in the midst of a delivery's attempts; then it is the first here.
        let goes_on = past.filter(|id| window.below_attempt > 0 && id.webhook() == self.webhook.number());
        let first = goes_on.map(|id| self.store.delivery(id)).transpose()?.flatten();
        let tried = |delivery: &Delivery| delivery.attempts > 0 && wanted(delivery);
        let page = self.store.deliveries(&[self.webhook.number()], window.walk(), None, tried)?;
        let mut rows = Vec::new();
        let started = first.iter().map(|delivery| (delivery, window.below_attempt));
        for (delivery, below) in started.chain(page.rows.iter().map(|delivery| (delivery, u16::MAX))) {
            for attempt in self.store.attempts(delivery)?.iter().rev().filter(|one| one.summary.number < below) {
                if rows.len() == window.limit {
                    return Ok(Listed { rows, next: Some((delivery.id.0, attempt.summary.number + 1)) });
                }
                rows.push(self.row(delivery, Some(&attempt.summary))?);
            }
        }
        Ok(Listed { rows, next: page.next.map(|id| (id.0, 0)) })
    }

    /// What an open delivery waits for beside its turn.
    fn wait_of(&self, delivery: &Delivery) -> Result<Option<&Wait>, StoreError> {
        let waits = match delivery.state {
            DeliveryState::Pending if self.store.is_blocked(delivery)? => Some(&self.behind),
            DeliveryState::Pending => self.tomorrow.as_ref().or(self.pause.as_ref()),
            DeliveryState::Scheduled => self.pause.as_ref(),
            _ => None,
        };
        Ok(waits.filter(|_| self.webhook.is_active()))
    }

    /// A row about a delivery and one of its attempts.
    pub fn row(&self, delivery: &Delivery, attempt: Option<&AttemptSummary>) -> Result<Row, StoreError> {
        let head = self.store.event_head(self.webhook.account, delivery.event)?;
        let success = attempt.map(|one| is_success(delivery, one));
        let error = attempt.filter(|_| success == Some(false)).map(|one| one.outcome.to_string());
        let waits = self.wait_of(delivery)?;
        let shown = |at| time::rfc3339(self.store.shown(at));
        Ok(Row {
            id: delivery.id.to_string(),
            event_id: head.as_ref().map_or_else(|| delivery.event.to_string(), EventHead::public_id),
            event_type: head.map(|head| head.event_type),
            webhook_id: self.webhook.id.to_string(),
            state: shown_state(delivery, Some(&self.webhook)),
            created_at: time::rfc3339(delivery.created_at()),
            attempted_at: attempt.map(|one| shown(one.started_at)),
            attempt: attempt.map(|one| one.number),
            attempts: delivery.attempts,
            status_code: attempt.and_then(|one| one.outcome.status()),
            response_time_ms: attempt.map(|one| one.duration_ms),
            success,
            error: error.or_else(|| delivery.reason.clone()).or_else(|| waits.map(|wait| wait.why.clone())),
            next_attempt_at: delivery.next_attempt_at.max(waits.and_then(|wait| wait.until)).map(shown),
        })
    }
}

/// Only the last attempt of a delivery can have been a success, and then the delivery is one.
pub fn is_success(delivery: &Delivery, attempt: &AttemptSummary) -> bool {
    delivery.state == DeliveryState::Succeeded && attempt.number == delivery.attempts
}

impl From<Row> for LogRow {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            event_id: row.event_id,
            event_type: row.event_type,
            delivered_at: row.attempted_at,
            status_code: row.status_code,
            response_time_ms: row.response_time_ms,
            attempts: row.attempts,
            last_error: row.error,
        }
    }
}
