//! How deliveries are shown. One place decides the word for a delivery's state and the fields of a history row, so the
//! native lists and the dialects' faces cannot disagree.

use crate::domain::delivery::Delivery;
use crate::domain::webhook::Webhook;

/// The words that `?state=` takes.
pub const STATES: [&str; 6] = ["pending", "scheduled", "held", "succeeded", "dead", "cancelled"];

/// The word for where a delivery stands. An open one of a webhook that is not active is held; of a deleted webhook it
/// is as good as cancelled.
pub fn shown_state(delivery: &Delivery, webhook: Option<&Webhook>) -> &'static str {
    match webhook {
        _ if !delivery.state.is_open() => delivery.state.word(),
        Some(webhook) if webhook.is_active() => delivery.state.word(),
        Some(webhook) if !webhook.is_deleted() => "held",
        _ => "cancelled",
    }
}
