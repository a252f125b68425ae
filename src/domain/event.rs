//! An event: an immutable fact that a producer posted.

use bytes::Bytes;

use super::Invalid;
use super::id::{AccountNumber, DeliveryId, EventId, WebhookNumber};
use super::time::UnixMs;
use super::trace_context::TraceContext;

/// An event's type, in bytes.
pub const TYPE_BYTES_MAX: usize = 200;
/// A producer's own event id, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Given by the commit thread.
    pub id: EventId,
    /// Whose it is.
    pub account: AccountNumber,
    /// The producer's own id, where one was given: what receivers see.
    pub name: Option<String>,
    /// For example `task.created`.
    pub event_type: String,
    /// When it happened: the producer's word, else the time of accept.
    pub created_at: UnixMs,
    /// Made by a webhook's `test` call.
    pub test: bool,
    /// The webhooks that wanted it at accept, by number, ascending.
    pub webhooks: Vec<WebhookNumber>,
    /// Webhooks with channels hear of it only if they share one; ascending.
    pub channels: Vec<String>,
    /// A hash of what the producer sent, kept where it gave an id: the same id with another body is a conflict.
    pub fingerprint: Option<[u8; 32]>,
    /// The trace that its producer named, to be continued; without one it has a trace of its own.
    pub trace: Option<TraceContext>,
    /// The producer's bytes of `data`, valid JSON.
    pub data: Bytes,
    /// The producer's bytes of `actor`, a JSON object.
    pub actor: Option<Bytes>,
    /// The producer's bytes of `metadata`, a JSON object.
    pub metadata: Option<Bytes>,
}

impl Event {
    /// The id that the API and receivers see.
    pub fn public_id(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// The deliveries made at accept.
    pub fn deliveries(&self) -> impl Iterator<Item = DeliveryId> + '_ {
        self.webhooks.iter().map(|number| self.id.delivery_to(*number))
    }
}

/// Checks an event type: 1–200 of `[A-Za-z0-9_.:/-]`, no empty segment between dots.
pub fn check_type(event_type: &str) -> Result<(), Invalid> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'/' | b'-');
    if event_type.is_empty() || event_type.len() > TYPE_BYTES_MAX || !event_type.bytes().all(plain) {
        let message = "must be 1 to 200 of the characters A-Z a-z 0-9 _ . : / -, such as \"task.created\"";
        return Err(Invalid::new("type", message));
    }
    if event_type.split('.').any(str::is_empty) {
        return Err(Invalid::new("type", "must not start or end with a dot or have two in a row"));
    }
    Ok(())
}

/// Checks a producer's own event id: 1–128 of `[A-Za-z0-9_-]`.
pub fn check_name(name: &str) -> Result<(), Invalid> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(Invalid::new("id", "must be 1 to 128 of the characters A-Z a-z 0-9 _ -; leave it out to be given one"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_names_have_bounds() {
        for good in ["task.created", "ping", "a/b:c-d_e.F9", &"x".repeat(TYPE_BYTES_MAX)] {
            assert_eq!(check_type(good), Ok(()));
        }
        for bad in ["", ".a", "a.", "a..b", "a b", "ä", &"x".repeat(201)] {
            assert_eq!(check_type(bad).unwrap_err().field, "type", "{bad}");
        }
        assert_eq!(check_name("evt_1-A"), Ok(()));
        for bad in ["", "a.b", &"x".repeat(129)] {
            assert_eq!(check_name(bad).unwrap_err().field, "id");
        }
    }
}
