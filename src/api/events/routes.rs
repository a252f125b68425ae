//! Looking events up: the list, and one with its data and its deliveries.

use std::sync::Arc;

use actix_web::{HttpResponse, get, web};
use serde::Deserialize;

use super::view::{EventView, row};
use crate::api::Api;
use crate::api::access::auth::{May, Read};
use crate::api::deliveries::view::{DeliveryView, views};
use crate::api::http::page::{LIMIT_MAX, Listed, PageQuery, PageReply, Window};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::http::request::Query;
use crate::api::http::request::bound;
use crate::domain::Invalid;
use crate::domain::event::{Event, check_name};
use crate::domain::id::{AccountNumber, DeliveryId, EventId, first_id_at};
use crate::domain::webhook::EventFilter;
use crate::store::{EventHead, Store, StoreError};

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Only this type, or those that a filter such as `task.*` lets through.
    pub r#type: Option<String>,
    /// Only events accepted at this time (RFC 3339) or later.
    #[param(format = DateTime)]
    pub from: Option<String>,
    /// Only events accepted before this time (RFC 3339).
    #[param(format = DateTime)]
    pub to: Option<String>,
    /// Rows, 1 to 250; 50 if left out.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// List events, newest first
#[utoipa::path(
    operation_id = "events.list", security(("key" = ["read"])),
    params(EventsQuery),
    responses(
        (status = 200, description = "A page of events, without their data", body = PageReply<EventView<'static>>),
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
    let page = api.read(account, move || {
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
    operation_id = "events.get", security(("key" = ["read"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "The event", body = Reply<EventView<'static>>))
)]
#[get("/api/v1/events/{id}")]
pub async fn show(tenant: May<Read>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (reader, account) = (api.clone(), tenant.account().number);
    let found = api.read(account, move || {
        let store = &reader.store;
        let Some(id) = find(store, account, &id)? else { return Ok(None) };
        let Some((head, payload)) = whole(store, account, id)? else { return Ok(None) };
        let page = store.deliveries_of_event(id, &head.webhooks, None, LIMIT_MAX)?;
        let to_come = store.deliveries_to_come(account, id)?;
        Ok::<_, StoreError>(Some((head, payload, views(&reader, page)?, to_come)))
    });
    let (head, payload, newest, to_come) = found.await??.ok_or_else(no_event)?;
    Ok(Reply::ok(row(head).with_payload(payload.as_deref())?.with_deliveries(newest, to_come)))
}

/// An event of the account, and what it is about unless that was purged. What is purged in between is as it is then.
pub fn whole(
    store: &Store,
    account: AccountNumber,
    id: EventId,
) -> Result<Option<(EventHead, Option<Arc<Event>>)>, StoreError> {
    let payload = store.event(account, id)?;
    let Some(head) = store.event_head(account, id)? else { return Ok(None) };
    let payload = payload.filter(|_| head.purged_at.is_none());
    Ok(Some((head, payload)))
}

/// List an event's deliveries, newest first: replays, then those that were made when it was accepted
///
/// `id` is the producer's own id, or ours in any spelling.
#[utoipa::path(
    operation_id = "events.deliveries.list", security(("key" = ["read"])),
    params(("id" = String, Path), PageQuery),
    responses((status = 200, description = "A page of its deliveries", body = PageReply<DeliveryView>))
)]
#[get("/api/v1/events/{id}/deliveries")]
pub async fn deliveries(
    tenant: May<Read>,
    api: web::Data<Api>,
    id: web::Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let window = query.window()?;
    let (reader, account) = (api.clone(), tenant.account().number);
    let page = api.read(account, move || {
        let store = &reader.store;
        let Some(id) = find(store, account, &id)? else { return Ok(None) };
        let Some(head) = store.event_head(account, id)? else { return Ok(None) };
        let page = store.deliveries_of_event(id, &head.webhooks, window.before.map(DeliveryId), window.limit)?;
        views(&reader, page).map(Some)
    });
    let page = page.await??.ok_or_else(no_event)?;
    Ok(HttpResponse::Ok().json(PageReply::from(page)))
}

/// Which event of the account this is, if it is one: first as the producer's own id, which is what the API shows.
pub fn find(store: &Store, account: AccountNumber, text: &str) -> Result<Option<EventId>, StoreError> {
    let named = if check_name(text).is_ok() { store.id_of_event_named(account, text)? } else { None };
    Ok(named.or_else(|| EventId::parse(text)))
}

/// 404.
pub fn no_event() -> Problem {
    Problem::not_found("event")
}
