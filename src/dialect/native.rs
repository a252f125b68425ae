//! The native names of what a face can read and show. A dialect file maps its own names to these; a name that is not
//! here is refused when the file is loaded.

use serde_json::Value;

use crate::domain::id::{DeliveryId, EventId, IdForm, WebhookId};
use crate::domain::time::{self, TimeForm};

/// What a native value is, so that a face can spell it its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Shown as it is.
    Plain,
    /// RFC 3339 with milliseconds.
    Time,
    /// The UUID of a webhook.
    Webhook,
    /// The UUID of an event, or the producer's own id, which is shown as it is.
    Event,
    /// The UUID of a delivery.
    Delivery,
}

/// The native fields of one kind of object.
pub type Known = [(&'static str, Kind)];

/// What a create or update can say.
pub const REQUEST: &Known = &[
    ("url", Kind::Plain),
    ("events", Kind::Plain),
    ("secret", Kind::Plain),
    ("enabled", Kind::Plain),
    ("name", Kind::Plain),
    ("description", Kind::Plain),
    ("headers", Kind::Plain),
    ("rate_limit", Kind::Plain),
    ("max_in_flight", Kind::Plain),
    ("timeout", Kind::Plain),
    ("retry", Kind::Plain),
    ("success", Kind::Plain),
    ("max_retries", Kind::Plain),
    ("test_mode", Kind::Plain),
    ("ownership_check", Kind::Plain),
];

/// What a test call can say.
pub const TEST: &Known = &[("event_type", Kind::Plain), ("data", Kind::Plain)];

/// What is known of a webhook.
pub const WEBHOOK: &Known = &[
    ("id", Kind::Webhook),
    ("account", Kind::Plain),
    ("dialect", Kind::Plain),
    ("url", Kind::Plain),
    ("events", Kind::Plain),
    ("name", Kind::Plain),
    ("description", Kind::Plain),
    ("headers", Kind::Plain),
    ("rate_limit", Kind::Plain),
    ("max_in_flight", Kind::Plain),
    ("timeout", Kind::Plain),
    ("retry", Kind::Plain),
    ("success", Kind::Plain),
    ("status", Kind::Plain),
    ("enabled", Kind::Plain),
    ("status_reason", Kind::Plain),
    ("test_mode", Kind::Plain),
    ("ownership_check", Kind::Plain),
    ("created_at", Kind::Time),
    ("updated_at", Kind::Time),
    ("secret", Kind::Plain),
    ("last_attempt_at", Kind::Time),
    ("last_success_at", Kind::Time),
    ("success_rate", Kind::Plain),
    ("deliveries", Kind::Plain),
    ("succeeded", Kind::Plain),
    ("dead", Kind::Plain),
    ("open", Kind::Plain),
    ("attempts", Kind::Plain),
    ("failed_attempts", Kind::Plain),
    ("consecutive_failures", Kind::Plain),
];

/// What is known of a delivery or an attempt: a row of the history.
pub const ROW: &Known = &[
    ("id", Kind::Delivery),
    ("event_id", Kind::Event),
    ("event_type", Kind::Plain),
    ("webhook_id", Kind::Webhook),
    ("state", Kind::Plain),
    ("created_at", Kind::Time),
    ("attempted_at", Kind::Time),
    ("at", Kind::Time),
    ("attempt", Kind::Plain),
    ("attempts", Kind::Plain),
    ("status_code", Kind::Plain),
    ("response_time_ms", Kind::Plain),
    ("success", Kind::Plain),
    ("error", Kind::Plain),
    ("next_attempt_at", Kind::Time),
    ("data", Kind::Plain),
    ("attempt_log", Kind::Plain),
];

/// How a dialect spells ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// Of webhooks.
    pub webhook: IdForm,
    /// Of events; a producer's own id is shown as it is.
    pub event: IdForm,
    /// Of deliveries.
    pub delivery: IdForm,
}

/// How a dialect spells ids and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// Ids.
    pub ids: Ids,
    /// Times.
    pub times: TimeForm,
}

impl Default for Spelling {
    fn default() -> Self {
        Self { ids: Ids::default(), times: TimeForm::Seconds }
    }
}

impl Spelling {
    /// Spells a native value.
    pub fn spell(&self, kind: Kind, native: &Value) -> Value {
        let spelled = native.as_str().and_then(|text| match kind {
            Kind::Plain => None,
            Kind::Time => time::parse(text).map(|ms| time::write(ms, self.times)),
            Kind::Webhook => WebhookId::parse(text).map(|id| self.ids.webhook.spell(id.uuid())),
            Kind::Delivery => DeliveryId::parse(text).map(|id| self.ids.delivery.spell(id.uuid())),
            Kind::Event => {
                EventId::parse(text).filter(|id| is_ours(*id, text)).map(|id| self.ids.event.spell(id.uuid()))
            }
        });
        spelled.map_or_else(|| native.clone(), Value::String)
    }
}

/// Whether `text` is an event id that we gave, not a producer's own that happens to be a UUID: ours are version 7 with
/// the low 32 bits clear.
fn is_ours(id: EventId, text: &str) -> bool {
    id.0 as u32 == 0 && id.uuid().get_version_num() == 7 && id.to_string() == text
}
