//! How events are shown.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::api::Api;
use crate::api::deliveries::history::shown_state;
use crate::api::http::page::Listed;
use crate::api::http::problem::Problem;
use crate::domain::delivery::{Cause, Delivery};
use crate::domain::id::DeliveryId;
use crate::domain::time;
use crate::store::{EventHead, Page, Registry};

/// An event in a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EventRow {
    /// The producer's own id where it gave one, else ours.
    pub id: String,
    pub r#type: String,
    /// When it happened.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub accepted_at: String,
    /// How many webhooks wanted it then.
    pub deliveries: usize,
    /// Whether a webhook's `test` call made it.
    pub test: bool,
    /// Webhooks with channels heard of it only if they share one.
    #[schema(example = json!(["project/7"]))]
    pub channels: Vec<String>,
}

/// An event with its data and its deliveries.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EventView<'a> {
    /// The producer's own id where it gave one, else ours.
    pub id: String,
    pub r#type: &'a str,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub accepted_at: String,
    pub test: bool,
    /// Webhooks with channels heard of it only if they share one.
    #[schema(example = json!(["project/7"]))]
    pub channels: &'a [String],
    /// As it was published, to the byte.
    #[schema(value_type = serde_json::Value)]
    pub data: &'a RawValue,
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    pub actor: Option<&'a RawValue>,
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    pub metadata: Option<&'a RawValue>,
    /// How many webhooks wanted it when it was accepted.
    pub webhooks: usize,
    /// How many of its deliveries are still to be made: those of an event to many webhooks are, some at a time.
    pub deliveries_to_come: usize,
    /// The newest of its deliveries, replays included, at most 250.
    pub deliveries: Vec<EventDelivery>,
    /// Where its further deliveries start, for `GET /api/v1/events/{id}/deliveries`; null if these are all.
    pub deliveries_next_cursor: Option<String>,
}

/// Where a delivery of an event stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EventDelivery {
    pub id: String,
    pub webhook_id: Option<String>,
    #[schema(example = "succeeded")]
    pub state: &'static str,
    /// Attempts made.
    pub attempts: u16,
    /// When the next attempt is due.
    #[schema(format = DateTime)]
    pub next_attempt_at: Option<String>,
    /// The delivery that it replays.
    pub replay_of: Option<String>,
}

pub fn row(event: EventHead) -> EventRow {
    EventRow {
        id: event.public_id(),
        created_at: time::rfc3339(event.created_at),
        accepted_at: time::rfc3339(event.id.time()),
        deliveries: event.webhooks.len(),
        test: event.test,
        channels: event.channels,
        r#type: event.event_type,
    }
}

pub fn raw(json: &[u8]) -> Result<&RawValue, Problem> {
    serde_json::from_slice(json).map_err(Problem::internal)
}

pub fn event_deliveries(api: &Api, page: Page<Delivery, DeliveryId>) -> Listed<EventDelivery> {
    let registry = api.store.registry();
    Listed::from(page.map(|delivery| event_delivery(api, &registry, &delivery)))
}

fn event_delivery(api: &Api, registry: &Registry, delivery: &Delivery) -> EventDelivery {
    let webhook = registry.webhook(delivery.id.webhook());
    let replay_of = if let Cause::Replay(old) = delivery.cause { Some(old.to_string()) } else { None };
    EventDelivery {
        id: delivery.id.to_string(),
        webhook_id: webhook.map(|webhook| webhook.id.to_string()),
        state: shown_state(delivery, webhook.map(AsRef::as_ref)),
        attempts: delivery.attempts,
        next_attempt_at: delivery.next_attempt_at.map(|at| time::rfc3339(api.store.shown(at))),
        replay_of,
    }
}
