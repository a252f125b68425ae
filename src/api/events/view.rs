//! How events are shown: one shape in a list and alone, where its data and its deliveries are in it too.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::api::deliveries::view::DeliveryView;
use crate::api::http::list::ListRow;
use crate::api::http::page::Listed;
use crate::api::http::problem::Problem;
use crate::domain::event::Event;
use crate::domain::time;
use crate::domain::trace_context::{TRACE_ID_SLOT, TraceContext, spelt};
use crate::store::EventHead;

/// An event.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Event)]
pub struct EventView<'a> {
    /// The producer's own id where it gave one, else ours.
    pub id: String,
    /// Its type.
    pub r#type: String,
    /// When it happened, as its producer says; else when it was accepted.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub accepted_at: String,
    /// Whether it is a test event: a webhook's `test` call made it, or its producer says so.
    pub test: bool,
    /// Webhooks with channels heard of it only if they share one.
    #[schema(example = json!(["project/7"]))]
    pub channels: Vec<String>,
    /// How many webhooks wanted it when it was accepted.
    #[schema(example = 1)]
    pub webhooks: usize,
    /// Its trace: the one that the `traceparent` of its publish named, else one of its own. Attempts are a part of it.
    #[schema(pattern = "^[0-9a-f]{32}$", example = "0193a1b2c3d47e5f8a9b0c1d00000000")]
    pub trace_id: String,
    /// Where to look at its trace, if the server says so in `traces.url_template`. Only in the reply about this one event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub trace_url: Option<String>,
    /// When its payload was purged: its data, actor and metadata; null while they are kept.
    #[schema(format = DateTime)]
    pub purged_at: Option<String>,
    /// As it was published, to the byte; null once it is purged. Like all that follows, only in the reply about this one
    /// event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value, required = false)]
    pub data: Option<Option<&'a RawValue>>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    pub actor: Option<Option<&'a RawValue>>,
    /// Anything else about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    pub metadata: Option<Option<&'a RawValue>>,
    /// How many of its deliveries are still to be made: those of an event to many webhooks are, some at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = usize, required = false, example = 0)]
    pub deliveries_to_come: Option<usize>,
    /// The newest of its deliveries, replays included, at most 250.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<DeliveryView>, required = false)]
    pub deliveries: Option<Vec<DeliveryView>>,
    /// Where its further deliveries start, for `GET /api/v1/events/{id}/deliveries`; null if these are all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub deliveries_next_cursor: Option<Option<String>>,
}

impl ListRow for EventView<'static> {
    const ALONE: &'static [&'static str] =
        &["trace_url", "data", "actor", "metadata", "deliveries_to_come", "deliveries", "deliveries_next_cursor"];
}

/// An event as lists show it.
pub fn row(event: EventHead) -> EventView<'static> {
    EventView {
        id: event.public_id(),
        created_at: time::rfc3339(event.created_at),
        accepted_at: time::rfc3339(event.id.time()),
        test: event.test,
        channels: event.channels,
        webhooks: event.webhooks.len(),
        trace_id: spelt(TraceContext::trace_of(event.id, event.trace)),
        trace_url: None,
        purged_at: event.purged_at.map(time::rfc3339),
        r#type: event.event_type,
        data: None,
        actor: None,
        metadata: None,
        deliveries_to_come: None,
        deliveries: None,
        deliveries_next_cursor: None,
    }
}

impl<'a> EventView<'a> {
    /// With where to look at its trace, as `template` says.
    pub fn with_trace_url(self, template: Option<&str>) -> Self {
        Self { trace_url: template.map(|template| template.replace(TRACE_ID_SLOT, &self.trace_id)), ..self }
    }

    /// With what it is about, unless that was purged.
    pub fn with_payload(self, payload: Option<&'a Event>) -> Result<Self, Problem> {
        let part = |of: fn(&Event) -> Option<&Bytes>| payload.and_then(of).map(|json| raw(json)).transpose();
        Ok(Self {
            data: Some(part(|event| Some(&event.data))?),
            actor: Some(part(|event| event.actor.as_ref())?),
            metadata: Some(part(|event| event.metadata.as_ref())?),
            ..self
        })
    }

    /// With its deliveries.
    pub fn with_deliveries(self, deliveries: Listed<DeliveryView>, to_come: usize) -> Self {
        Self {
            deliveries_next_cursor: Some(deliveries.cursor()),
            deliveries: Some(deliveries.rows),
            deliveries_to_come: Some(to_come),
            ..self
        }
    }
}

fn raw(json: &[u8]) -> Result<&RawValue, Problem> {
    serde_json::from_slice(json).map_err(Problem::internal)
}
