//! Publishing: what is asked most, and has to be accepted once however often it is asked.

use awc::http::Method;
use serde_json::{Value, json};

use super::asked::Asked;
use super::error::Error;
use super::verbs::Events;

impl Events<'_> {
    /// Publishes an event. Tried again, it is still accepted once.
    ///
    /// # Errors
    /// No answer in time, or one that it is not accepted.
    pub async fn publish(&self, event_type: &str, data: &Value) -> Result<Value, Error> {
        self.publish_all(&json!({"type": event_type, "data": data})).await
    }

    /// Publishes an event with all of its fields, or a batch of up to 1,000 as an array: all are accepted, or none.
    ///
    /// # Errors
    /// As [`Events::publish`].
    pub async fn publish_all(&self, events: &Value) -> Result<Value, Error> {
        self.0.ask(Asked::new(Method::POST, "/api/v1/events", &[]).with_body(events).once(None)).await
    }
}
