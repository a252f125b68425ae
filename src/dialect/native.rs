//! The native names of what a face can read and show. A dialect file maps its own names to these; a name that is not
//! here is refused when the file is loaded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::id::{AttemptId, DeliveryId, EventId, IdForm, WebhookId};
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
    /// The id of an attempt.
    Attempt,
    /// An object of ours, or a list of such: the names inside are written as the face writes names.
    Nested,
}

/// How a face writes names that its file does not state, such as those inside of `retry`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    /// `jitter_percent`
    #[default]
    Snake,
    /// `jitterPercent`
    Camel,
}

impl Naming {
    /// A native name as the face writes it.
    pub fn write(self, native: &str) -> String {
        let mut name = String::with_capacity(native.len());
        let mut words = native.split('_').filter(|_| self == Self::Camel);
        let Some(first) = words.next() else { return native.to_string() };
        name.push_str(first);
        for word in words {
            let (start, rest) = word.split_at_checked(1).unwrap_or_default();
            name.push_str(&start.to_ascii_uppercase());
            name.push_str(rest);
        }
        name
    }

    /// The native name of what the face writes.
    pub fn read(self, name: &str) -> String {
        let mut native = String::with_capacity(name.len() + 4);
        for c in name.chars() {
            if self == Self::Camel && c.is_ascii_uppercase() {
                native.push('_');
                native.push(c.to_ascii_lowercase());
            } else {
                native.push(c);
            }
        }
        native
    }
}

/// The native fields of one kind of object.
pub type Known = [(&'static str, Kind)];

/// What a create or update can say.
pub const REQUEST: &Known = &[
    ("url", Kind::Plain),
    ("events", Kind::Plain),
    ("secret", Kind::Plain),
    ("signing", Kind::Plain),
    ("enabled", Kind::Plain),
    ("name", Kind::Plain),
    ("description", Kind::Plain),
    ("headers", Kind::Plain),
    ("rate_limit", Kind::Nested),
    ("max_in_flight", Kind::Plain),
    ("timeout", Kind::Plain),
    ("retry", Kind::Nested),
    ("success", Kind::Plain),
    ("max_retries", Kind::Plain),
    ("test_mode", Kind::Plain),
    ("ownership_check", Kind::Plain),
    ("disable", Kind::Nested),
    ("order", Kind::Plain),
    ("order_key", Kind::Plain),
    ("on_dead", Kind::Plain),
    ("filter", Kind::Plain),
    ("shape", Kind::Plain),
    ("allow", Kind::Plain),
    ("tls", Kind::Nested),
    ("auth", Kind::Nested),
    ("uid", Kind::Plain),
    ("tags", Kind::Plain),
    ("metadata", Kind::Plain),
    ("channels", Kind::Plain),
    ("notices", Kind::Nested),
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
    ("rate_limit", Kind::Nested),
    ("max_in_flight", Kind::Plain),
    ("timeout", Kind::Plain),
    ("retry", Kind::Nested),
    ("max_retries", Kind::Plain),
    ("success", Kind::Plain),
    ("status", Kind::Plain),
    ("enabled", Kind::Plain),
    ("status_reason", Kind::Plain),
    ("test_mode", Kind::Plain),
    ("ownership_check", Kind::Plain),
    ("disable", Kind::Nested),
    ("order", Kind::Plain),
    ("order_key", Kind::Plain),
    ("on_dead", Kind::Plain),
    ("filter", Kind::Plain),
    ("shape", Kind::Plain),
    ("allow", Kind::Plain),
    ("tls", Kind::Nested),
    ("auth", Kind::Nested),
    ("uid", Kind::Plain),
    ("tags", Kind::Plain),
    ("metadata", Kind::Plain),
    ("channels", Kind::Plain),
    ("notices", Kind::Nested),
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
    ("failing_since", Kind::Time),
    ("probe_at", Kind::Time),
    ("resume_at", Kind::Time),
    ("pauses", Kind::Plain),
    ("paused_until", Kind::Time),
];

/// What is known of a delivery or an attempt: a row of the history.
pub const ROW: &Known = &[
    ("id", Kind::Delivery),
    ("attempt_id", Kind::Attempt),
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
    ("attempt_log", Kind::Nested),
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

/// How a face spells ids, times and names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// Ids.
    pub ids: Ids,
    /// Times.
    pub times: TimeForm,
    /// Names that the file does not state.
    pub names: Naming,
}

impl Default for Spelling {
    fn default() -> Self {
        Self { ids: Ids::default(), times: TimeForm::Seconds, names: Naming::Snake }
    }
}

impl Spelling {
    /// Spells a native value.
    pub fn spell(&self, kind: Kind, native: &Value) -> Value {
        if kind == Kind::Nested {
            return self.nested(native);
        }
        let spelled = native.as_str().and_then(|text| match kind {
            Kind::Plain | Kind::Nested => None,
            Kind::Time if self.times.is_number() => {
                let written = time::write(time::parse(text)?, self.times);
                written.parse::<u64>().ok().map(Value::from)
            }
            Kind::Time => time::parse(text).map(|ms| Value::from(time::write(ms, self.times))),
            Kind::Webhook => WebhookId::parse(text).map(|id| self.ids.webhook.spell(id.uuid()).into()),
            Kind::Delivery => DeliveryId::parse(text).map(|id| self.ids.delivery.spell(id.uuid()).into()),
            Kind::Attempt => AttemptId::parse(text).map(|id| self.ids.delivery.spell_attempt(id).into()),
            Kind::Event => {
                EventId::parse(text).filter(|id| is_ours(*id, text)).map(|id| self.ids.event.spell(id.uuid()).into())
            }
        });
        spelled.unwrap_or_else(|| native.clone())
    }

    /// Spells the names and times inside an object of ours.
    pub fn nested(&self, native: &Value) -> Value {
        match native {
            Value::Object(fields) => {
                let kind = |name: &str| if name == "timestamp" { Kind::Time } else { Kind::Nested };
                fields.iter().map(|(name, value)| (self.names.write(name), self.spell(kind(name), value))).collect()
            }
            Value::Array(items) => items.iter().map(|item| self.nested(item)).collect(),
            plain => plain.clone(),
        }
    }

    /// Reads the value of a native field of a request.
    pub fn read(&self, native: &str, value: Value) -> Value {
        let is_nested = REQUEST.iter().any(|(known, kind)| *known == native && *kind == Kind::Nested);
        match value {
            Value::Object(fields) if is_nested => {
                fields.into_iter().map(|(name, value)| (self.names.read(&name), value)).collect()
            }
            value => value,
        }
    }
}

/// Whether `text` is an event id that we gave, not a producer's own that happens to be a UUID: ours are version 7 with
/// the low 32 bits clear.
fn is_ours(id: EventId, text: &str) -> bool {
    id.0 as u32 == 0 && id.uuid().get_version_num() == 7 && id.to_string() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for (native, camel) in [("a", "a"), ("jitter_percent", "jitterPercent"), ("response_time_ms", "responseTimeMs")]
        {
            assert_eq!((Naming::Camel.write(native).as_str(), Naming::Camel.read(camel).as_str()), (camel, native));
            assert_eq!((Naming::Snake.write(native).as_str(), Naming::Snake.read(camel).as_str()), (native, camel));
        }
    }
}
