//! Looking events up: the list, and one with its data and its deliveries.

use actix_web::{HttpResponse, get, web};
use serde::Deserialize;

use super::view::{EventRow, EventView, event_delivery, raw, row};
use crate::api::Api;
use crate::api::access::auth::{May, Read, Tenant};
use crate::api::http::page::{Listed, PageReply, Window};
use crate::api::http::problem::{ErrorReply, Problem};
use crate::api::http::reply::Reply;
use crate::api::http::request::Query;
use crate::api::http::request::bound;
use crate::domain::Invalid;
use crate::domain::event::{Event, check_name};
use crate::domain::id::{EventId, first_id_at};
use crate::domain::time;
use crate::domain::webhook::EventFilter;

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Only this type, or those that a filter such as `task.*` lets through.
    pub r#type: Option<String>,
    /// Only events accepted at this time (RFC 3339) or later.
    pub from: Option<String>,
    /// Only events accepted before this time (RFC 3339).
    pub to: Option<String>,
    /// Rows, 1 to 250; 50 if left out.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
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

/// The account's event of this id: first as the producer's own, which is what the API shows.
pub fn find(api: &Api, tenant: &Tenant, text: &str) -> Result<std::sync::Arc<Event>, Problem> {
    let account = tenant.account().number;
    if check_name(text).is_ok()
        && let Some(event) = api.store.event_named(account, text)?
    {
        return Ok(event);
    }
    let by_id = EventId::parse(text).map(|id| api.store.event(account, id)).transpose()?.flatten();
    by_id.ok_or_else(|| Problem::not_found("event"))
}
