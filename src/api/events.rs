//! What was published: a list without data, one event with all of it and where its deliveries stand.

use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Api;
use super::auth::{May, Read, Tenant};
use super::history::shown_state;
use super::page::{Listed, PageReply, Window};
use super::problem::{ErrorReply, Problem};
use super::reply::Reply;
use super::request::Query;
use crate::domain::Invalid;
use crate::domain::delivery::{Cause, Delivery};
use crate::domain::event::{Event, check_name};
use crate::domain::id::{EventId, first_id_at};
use crate::domain::time::{self, UnixMs};
use crate::domain::webhook::EventFilter;
use crate::store::EventHead;

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    /// Only this type, or those that a filter such as `task.*` lets through.
    r#type: Option<String>,
    /// Only events accepted at this time (RFC 3339) or later.
    from: Option<String>,
    /// Only events accepted before this time (RFC 3339).
    to: Option<String>,
    /// Rows, 1 to 250; 50 if left out.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// An event in a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct EventRow {
    /// The producer's own id where it gave one, else ours.
    id: String,
    r#type: String,
    /// When it happened.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was accepted.
    #[schema(format = DateTime)]
    accepted_at: String,
    /// How many webhooks wanted it then.
    deliveries: usize,
    /// Whether a webhook's `test` call made it.
    test: bool,
}

/// An event with its data and its deliveries.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct EventView<'a> {
    /// The producer's own id where it gave one, else ours.
    id: String,
    r#type: &'a str,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    accepted_at: String,
    test: bool,
    /// As it was published, to the byte.
    #[schema(value_type = serde_json::Value)]
    data: &'a RawValue,
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    actor: Option<&'a RawValue>,
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    metadata: Option<&'a RawValue>,
    deliveries: Vec<EventDelivery>,
}

/// Where a delivery of an event stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct EventDelivery {
    id: String,
    webhook_id: Option<String>,
    #[schema(example = "succeeded")]
    state: &'static str,
    /// Attempts made.
    attempts: u16,
    /// When the next attempt is due.
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    /// The delivery that it replays.
    replay_of: Option<String>,
}

/// List events, newest first
#[utoipa::path(
    tag = "events",
    params(EventsQuery),
    responses(
        (status = 200, description = "A page of events, without their data", body = PageReply<EventRow>),
        (status = 400, description = "A parameter cannot be read", body = ErrorReply<'static>),
    )
)]
#[get("/api/v1/events")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    Query(query): Query<EventsQuery>,
) -> Result<HttpResponse, Problem> {
    let window = Window::read(query.limit.as_deref(), query.cursor.as_deref())?;
    let filter = query.r#type.as_deref().map(EventFilter::parse).transpose();
    let filter = filter.map_err(|invalid| Invalid { field: "type".into(), ..invalid })?;
    let from = bound("from", query.from.as_deref())?.map_or(EventId(0), |at| EventId(first_id_at(at)));
    let to = bound("to", query.to.as_deref())?.map(|at| EventId(first_id_at(at)));
    let before = [window.before.map(EventId), to].into_iter().flatten().min();
    let (store, account) = (api.store.clone(), tenant.account().number);
    let page = web::block(move || {
        store.events(account, from, before, window.limit, |event| {
            filter.as_ref().is_none_or(|filter| filter.matches(&event.event_type))
        })
    });
    Ok(HttpResponse::Ok().json(PageReply::from(Listed::from(page.await??.map(row)))))
}

/// Show an event with its data and its deliveries
///
/// `id` is the producer's own id, or ours in any spelling.
#[utoipa::path(
    tag = "events",
    params(("id" = String, Path, description = "The producer's own id, or ours")),
    responses(
        (status = 200, description = "The event", body = Reply<EventView<'static>>),
        (status = 404, description = "There is no such event", body = ErrorReply<'static>),
    )
)]
#[get("/api/v1/events/{id}")]
pub async fn show(tenant: May<Read>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let event = find(&api, &tenant, &id)?;
    let deliveries = api.store.deliveries_of(&event)?;
    let view = EventView {
        id: event.public_id(),
        r#type: &event.event_type,
        created_at: time::rfc3339(event.created_at),
        accepted_at: time::rfc3339(event.id.time()),
        test: event.test,
        data: raw(&event.data)?,
        actor: event.actor.as_deref().map(raw).transpose()?,
        metadata: event.metadata.as_deref().map(raw).transpose()?,
        deliveries: deliveries.iter().map(|delivery| event_delivery(&api, delivery)).collect(),
    };
    Ok(Reply::ok(view))
}

/// A bound in time of a list or a bulk call.
pub(super) fn bound(field: &str, text: Option<&str>) -> Result<Option<UnixMs>, Invalid> {
    let wrong = || Invalid::new(field, "must be a time in RFC 3339, such as 2024-02-10T16:45:22Z");
    text.map(|text| time::parse(text).ok_or_else(wrong)).transpose()
}

fn row(event: EventHead) -> EventRow {
    EventRow {
        id: event.public_id(),
        created_at: time::rfc3339(event.created_at),
        accepted_at: time::rfc3339(event.id.time()),
        deliveries: event.webhooks.len(),
        test: event.test,
        r#type: event.event_type,
    }
}

/// The account's event of this id: first as the producer's own, which is what the API shows.
fn find(api: &Api, tenant: &Tenant, text: &str) -> Result<std::sync::Arc<Event>, Problem> {
    let account = tenant.account().number;
    if check_name(text).is_ok()
        && let Some(event) = api.store.event_named(account, text)?
    {
        return Ok(event);
    }
    let by_id = EventId::parse(text).map(|id| api.store.event(account, id)).transpose()?.flatten();
    by_id.ok_or_else(|| Problem::not_found("event"))
}

fn raw(json: &[u8]) -> Result<&RawValue, Problem> {
    serde_json::from_slice(json).map_err(Problem::internal)
}

fn event_delivery(api: &Api, delivery: &Delivery) -> EventDelivery {
    let registry = api.store.registry();
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
