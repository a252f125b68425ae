//! What goes into the store and comes out of it: events to accept, outcomes to record, and what is told of a commit.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::event_rows::{EventHead, Parts};
use crate::domain::backoff::Strain;
use crate::domain::delivery::{Attempt, Delivery};
use crate::domain::disable::DisableRule;
use crate::domain::event::Event;
use crate::domain::id::{DeliveryId, EventId, WebhookNumber};
use crate::domain::notice;
use crate::domain::retry::Next;
use crate::domain::time::{DAY_MS, UnixMs};
use crate::domain::trace_context::TraceContext;

/// An event to accept, checked by `api`.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The producer's own id.
    pub name: Option<String>,
    /// For example `task.created`.
    pub event_type: String,
    /// When it happened, if the producer says so.
    pub created_at: Option<UnixMs>,
    /// JSON.
    pub data: Bytes,
    /// A JSON object.
    pub actor: Option<Bytes>,
    /// A JSON object.
    pub metadata: Option<Bytes>,
    /// It goes to webhooks in test mode only.
    pub test: bool,
    /// Webhooks with channels hear of it only if they share one; ascending.
    pub channels: Vec<String>,
    /// A hash of all this; asked for where there is a `name`.
    pub fingerprint: Option<[u8; 32]>,
    /// The trace that it belongs to, if the producer says so. The same event is the same in another trace.
    pub trace: Option<TraceContext>,
}

impl NewEvent {
    /// A notice.
    pub(super) fn notice(kind: &str, data: Map<String, Value>, channels: Vec<String>) -> Self {
        Self {
            name: None,
            event_type: kind.to_string(),
            created_at: None,
            data: Value::Object(data).to_string().into(),
            actor: None,
            metadata: None,
            test: false,
            channels,
            fingerprint: None,
            trace: None,
        }
    }

    /// What a webhook that hears notices is tested with.
    pub fn test_notice(account: &str, webhook_id: &str, name: Option<&str>) -> Self {
        let facts = [("webhook_id", webhook_id.into()), ("account", account.into()), ("name", name.into())];
        let data = facts.into_iter().map(|(key, value): (&str, Value)| (key.to_string(), value)).collect();
        Self::notice(notice::TEST, notice::with_text(notice::TEST, Some(name.unwrap_or(webhook_id)), data), Vec::new())
    }

    /// Bytes of its JSON.
    pub fn bytes(&self) -> usize {
        self.data.len() + self.actor.as_ref().map_or(0, Bytes::len) + self.metadata.as_ref().map_or(0, Bytes::len)
    }

    /// Its body.
    pub(super) fn body(&self) -> Parts {
        (self.data.clone(), self.actor.clone(), self.metadata.clone())
    }
}

/// An `Idempotency-Key` and what was sent with it.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// SHA-256 of the key.
    pub key: [u8; 32],
    /// A hash of the request's body.
    pub fingerprint: [u8; 32],
}

/// How long an `Idempotency-Key` is remembered.
pub const IDEMPOTENCY_MS: u64 = DAY_MS;

/// What the answer to a publish says of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub id: EventId,
    /// The producer's own id.
    pub name: Option<String>,
    /// Its type.
    pub event_type: String,
    /// When it happened.
    pub created_at: UnixMs,
    /// How many webhooks wanted it.
    pub deliveries: usize,
    /// It was accepted before.
    pub duplicate: bool,
}

impl Accepted {
    /// What to say of this event.
    pub(super) fn of(event: &EventHead, duplicate: bool) -> Self {
        Self {
            id: event.id,
            name: event.name.clone(),
            event_type: event.event_type.clone(),
            created_at: event.created_at,
            deliveries: event.webhooks.len(),
            duplicate,
        }
    }
}

/// What came of one attempt, decided by `deliver`, to be recorded.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// The attempt.
    pub attempt: Attempt,
    /// Where the delivery stands after it.
    pub next: Next,
    /// When to disable the webhook.
    pub disable: DisableRule,
    /// What the attempt says of the endpoint.
    pub strain: Strain,
    /// Even in 0.0..1.0: throws the length of a pause.
    pub dice: f64,
    /// The delivery had to wait for its webhook's rate limit.
    pub rate_limited: bool,
}

/// What a commit changed, for those who deliver.
#[derive(Debug, Default)]
pub struct Notice {
    /// New deliveries, in the order in which they were made.
    pub fresh: Vec<Delivery>,
    /// Deliveries that were never tried and may go out now, which lie perhaps before others that may have been read.
    pub freed: Vec<DeliveryId>,
    /// Webhooks that were created, changed or deleted, or whose open deliveries were discarded.
    pub changed: Vec<WebhookNumber>,
    /// Outcomes that are recorded now.
    pub settled: Vec<Settled>,
    /// Events of which one delivery was made, which are handed over in memory.
    pub handed: Vec<Arc<Event>>,
    /// The payload of an event was deleted or purged: nobody sends it any more.
    pub payload_gone: bool,
    /// The store was reopened: what was in memory about it is void.
    pub reopened: bool,
}

/// An outcome that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// When it is tried again, if it is.
    pub next_attempt_at: Option<UnixMs>,
    /// What the attempt says of the endpoint.
    pub strain: Strain,
    /// Nothing is sent to its endpoint before.
    pub paused_until: UnixMs,
}

/// Hears of every commit.
pub trait Listener: Send + Sync {
    /// Called by the commit thread after a commit; must not block.
    fn notice(&self, notice: Notice);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::event;

    #[test]
    fn an_event_is_as_large_as_its_json() {
        let event = NewEvent { data: "[1]".into(), ..event() };
        assert_eq!(event.bytes(), 3);
        let (actor, metadata) = (Some("{}".into()), Some(r#"{"a":1}"#.into()));
        assert_eq!(NewEvent { actor, metadata, ..event }.bytes(), 3 + 2 + 7);
    }
}
