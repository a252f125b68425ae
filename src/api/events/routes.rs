//! Looking events up: the list, and one with its data and its deliveries.

use actix_web::{HttpResponse, get, web};

use super::filter::{EventsFilter, find};
use super::view::{EventDelivery, EventRow, EventView, event_deliveries, raw, row};
use crate::api::Api;
use crate::api::access::auth::{May, Read};
use crate::api::http::list::{ListQuery, NoFilter, answer};
use crate::api::http::page::{LIMIT_MAX, Listed, PageQuery, PageReply, Window};
use crate::api::http::problem::{ErrorReply, Problem};
use crate::api::http::reply::Reply;
use crate::domain::time;
use crate::domain::walk::Walk;
use crate::store::StoreError;

/// List events
///
/// `filter` reads what events say, so a page of it looks at fewer of them. With `Accept: application/x-ndjson` or `text/csv` all
/// of them, one a line.
#[utoipa::path(
    tag = "events",
    params(EventsFilter, PageQuery),
    responses(
        (status = 200, description = "A page of events, without their data", content(
            (PageReply<EventRow> = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"))),
        (status = 400, description = "A parameter cannot be read", body = ErrorReply<'static>),
    )
)]
#[get("/api/v1/events")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    ListQuery { filter, part }: ListQuery<EventsFilter>,
) -> Result<HttpResponse, Problem> {
    let (account, sought) = (tenant.account().number, filter.read()?);
    let rows = move |api: &Api, window: Window| {
        let Some(walk) = sought.walk(&api.store, account, window)? else {
            return Ok(Listed { rows: Vec::new(), next: None });
        };
        let page = api.store.events(account, walk, sought.condition.as_ref(), |event| sought.wants(event))?;
        Ok(Listed::from(page.map(row)))
    };
    answer(&api, account, part, rows).await
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
    let (store, account) = (api.store.clone(), tenant.account().number);
    let found = api.read(account, move || {
        let Some(id) = find(&store, account, &id)? else { return Ok(None) };
        let Some(event) = store.event(account, id)? else { return Ok(None) };
        let page = store.deliveries_of_event(id, &event.webhooks, Walk::newest(LIMIT_MAX))?;
        let to_come = store.deliveries_to_come(account, id)?;
        Ok::<_, StoreError>(Some((event, page, to_come)))
    });
    let (event, page, deliveries_to_come) = found.await??.ok_or_else(no_event)?;
    let listed = event_deliveries(&api, page);
    let view = EventView {
        id: event.public_id(),
        r#type: &event.event_type,
        created_at: time::rfc3339(event.created_at),
        accepted_at: time::rfc3339(event.id.time()),
        test: event.test,
        data: raw(&event.data)?,
        actor: event.actor.as_deref().map(raw).transpose()?,
        metadata: event.metadata.as_deref().map(raw).transpose()?,
        webhooks: event.webhooks.len(),
        deliveries_to_come,
        deliveries_next_cursor: listed.cursor(),
        deliveries: listed.rows,
    };
    Ok(Reply::ok(view))
}

/// List an event's deliveries: replays, then those that were made when it was accepted
///
/// `id` is the producer's own id, or ours in any spelling. With `Accept: application/x-ndjson` or `text/csv` all of them, one
/// a line.
#[utoipa::path(
    tag = "events",
    params(("id" = String, Path, description = "The producer's own id, or ours"), PageQuery),
    responses(
        (status = 200, description = "A page of its deliveries", content(
            (PageReply<EventDelivery> = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"))),
        (status = 400, description = "A parameter cannot be read", body = ErrorReply<'static>),
        (status = 404, description = "There is no such event", body = ErrorReply<'static>),
    )
)]
#[get("/api/v1/events/{id}/deliveries")]
pub async fn deliveries(
    tenant: May<Read>,
    api: web::Data<Api>,
    id: web::Path<String>,
    ListQuery { part, .. }: ListQuery<NoFilter>,
) -> Result<HttpResponse, Problem> {
    let account = tenant.account().number;
    let rows = move |api: &Api, window: Window| {
        let id = find(&api.store, account, &id)?.ok_or_else(no_event)?;
        let head = api.store.event_head(account, id)?.ok_or_else(no_event)?;
        Ok(event_deliveries(api, api.store.deliveries_of_event(id, &head.webhooks, window.walk())?))
    };
    answer(&api, account, part, rows).await
}

fn no_event() -> Problem {
    Problem::not_found("event")
}
