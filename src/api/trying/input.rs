//! The event that something is tried on: one that the request brings, or one that is stored.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::Api;
use crate::api::events::filter::find;
use crate::api::events::routes::{no_event, whole};
use crate::api::http::problem::Problem;
use crate::domain::event::{self, Event};
use crate::domain::id::{AccountNumber, EventId, first_id_at};
use crate::domain::{Invalid, json, labels};
use crate::store::Refusal;

/// Bytes of an event that something can be tried on.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// An event to try it on, as it would be published.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TriedEvent)]
pub struct TriedEvent {
    /// Its type.
    r#type: String,
    /// Any JSON; with `actor` and `metadata` at most 1 MiB.
    #[schema(value_type = serde_json::Value)]
    data: Box<RawValue>,
    /// Who did it.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    actor: Option<Box<RawValue>>,
    /// Anything else about it.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    metadata: Option<Box<RawValue>>,
    /// Its channels.
    #[serde(default)]
    #[schema(max_items = 10, example = json!(["project/7"]))]
    channels: Option<Vec<String>>,
}

/// Which of the two a request says.
#[derive(Debug)]
pub struct Which {
    /// One that it brings.
    pub event: Option<TriedEvent>,
    /// The id of one that is stored.
    pub event_id: Option<String>,
}

impl Which {
    /// The event.
    pub async fn find(self, api: &Arc<Api>, account: AccountNumber) -> Result<Arc<Event>, Problem> {
        match (self.event, self.event_id) {
            (Some(event), None) => Ok(Arc::new(vet(event, account, api.clock.wall())?)),
            (None, Some(id)) => stored(api, account, id).await,
            (Some(_), Some(_)) => Err(Invalid::new("event_id", "stands beside event; one of the two is enough").into()),
            (None, None) => {
                let message = "is missing: bring an event, {\"type\", \"data\"}, or name a stored one by event_id";
                Err(Invalid::new("event", message).into())
            }
        }
    }
}

async fn stored(api: &Arc<Api>, account: AccountNumber, id: String) -> Result<Arc<Event>, Problem> {
    let reader = api.clone();
    let found = api.read(account, move || {
        let Some(id) = find(&reader.store, account, &id)? else { return Ok(None) };
        whole(&reader.store, account, id)
    });
    let missing = || no_event().with_field("event_id");
    let (_, payload) = found.await??.ok_or_else(missing)?;
    let event = payload.ok_or(Refusal::Purged)?;
    let bytes =
        [Some(&event.data), event.actor.as_ref(), event.metadata.as_ref()].into_iter().flatten().map(Bytes::len);
    match bytes.sum::<usize>() <= EVENT_BYTES_MAX {
        true => Ok(event),
        false => Err(too_long("event_id").into()),
    }
}

/// The event as it would be stored at `now`.
fn vet(tried: TriedEvent, account: AccountNumber, now: u64) -> Result<Event, Invalid> {
    let at = |field: &str| format!("event.{field}");
    let in_event = |invalid: Invalid| Invalid { field: at(&invalid.field), ..invalid };
    event::check_type(&tried.r#type).map_err(in_event)?;
    let mut left = EVENT_BYTES_MAX;
    let mut part = |field: &str, raw: Box<RawValue>| {
        left = left.checked_sub(raw.get().len()).ok_or_else(|| too_long(&at(field)))?;
        json::check(raw.get().as_bytes()).map_err(|refusal| Invalid::new(at(field), refusal.to_string()))?;
        if field != "data" && !raw.get().starts_with('{') {
            return Err(Invalid::new(at(field), "must be a JSON object"));
        }
        Ok(Bytes::from(String::from(Box::<str>::from(raw))))
    };
    Ok(Event {
        id: EventId(first_id_at(now)),
        account,
        name: None,
        event_type: tried.r#type,
        created_at: now,
        test: false,
        webhooks: Vec::new(),
        channels: labels::vet_channels(tried.channels.unwrap_or_default()).map_err(in_event)?,
        fingerprint: None,
        trace: None,
        data: part("data", tried.data)?,
        actor: tried.actor.map(|raw| part("actor", raw)).transpose()?,
        metadata: tried.metadata.map(|raw| part("metadata", raw)).transpose()?,
    })
}

fn too_long(field: &str) -> Invalid {
    Invalid::new(field, format!("makes an event of more than {EVENT_BYTES_MAX} bytes; try it on a shorter one"))
}
