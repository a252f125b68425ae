//! Looking events up: the list, and one with its data and its deliveries.

use std::sync::Arc;

use actix_web::{HttpResponse, get, web};

use super::filter::{EventsFilter, Sought, find};
use super::view::{EventView, row};
use crate::api::Api;
use crate::api::access::auth::{May, Read};
use crate::api::deliveries::view::{DeliveryView, views};
use crate::api::http::list::{ListQuery, NoFilter, answer};
use crate::api::http::page::{LIMIT_MAX, Listed, PageQuery, PageReply, Window};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, EventId};
use crate::domain::walk::Walk;
use crate::store::{EventHead, Store, StoreError};

/// List events
///
/// `filter` reads what events say, so a page of it looks at fewer of them.
#[utoipa::path(
    operation_id = "events.list", security(("key" = ["read"])),
    params(EventsFilter, PageQuery),
    responses(
        (status = 200, description = "A page of events, without their data", body = PageReply<EventView<'static>>),
    )
)]
#[get("/api/v1/events")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    ListQuery { filter, part }: ListQuery<EventsFilter>,
) -> Result<HttpResponse, Problem> {
    let (account, sought) = (tenant.account().number, filter.read()?);
    answer(&api, account, part, move |api, window| page(api, account, &sought, window)).await
}

/// A page of those of an account's events that are sought.
pub fn page(
    api: &Api,
    account: AccountNumber,
    sought: &Sought,
    window: Window,
) -> Result<Listed<EventView<'static>>, Problem> {
    let Some(walk) = sought.walk(&api.store, account, window)? else {
        return Ok(Listed { rows: Vec::new(), next: None });
    };
    let page = api.store.events(account, walk, sought.condition.as_ref(), |event| sought.wants(event))?;
    Ok(Listed::from(page.map(row)))
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
    let Found { head, payload, newest, to_come } = found(&api, tenant.account().number, id.into_inner()).await?;
    let shown = row(head).with_trace_url(api.settings().trace_url.as_deref());
    Ok(Reply::ok(shown.with_payload(payload.as_deref())?.with_deliveries(newest, to_come)))
}

/// An event with all that is shown of it.
pub struct Found {
    /// What is said of it without its payload.
    pub head: EventHead,
    /// What it is about, unless that was purged.
    pub payload: Option<Arc<Event>>,
    /// The newest of its deliveries, at most [`LIMIT_MAX`].
    pub newest: Listed<DeliveryView>,
    /// How many are still to be made.
    pub to_come: usize,
}

/// The account's event of this id, the producer's own or ours.
///
/// # Errors
/// There is none.
pub async fn found(api: &web::Data<Api>, account: AccountNumber, id: String) -> Result<Found, Problem> {
    let reader = api.clone();
    let found = api.read(account, move || {
        let store = &reader.store;
        let Some(id) = find(store, account, &id)? else { return Ok(None) };
        let Some((head, payload)) = whole(store, account, id)? else { return Ok(None) };
        let page = store.deliveries_of_event(id, &head.webhooks, Walk::newest(LIMIT_MAX))?;
        let to_come = store.deliveries_to_come(account, id)?;
        Ok::<_, StoreError>(Some(Found { head, payload, newest: views(&reader, page)?, to_come }))
    });
    found.await??.ok_or_else(no_event)
}

/// An event, and what it is about unless that was purged.
pub type Whole = (EventHead, Option<Arc<Event>>);

/// An event of the account. What is purged in between is as it is then.
pub fn whole(store: &Store, account: AccountNumber, id: EventId) -> Result<Option<Whole>, StoreError> {
    let payload = store.event(account, id)?;
    let Some(head) = store.event_head(account, id)? else { return Ok(None) };
    let payload = payload.filter(|_| head.purged_at.is_none());
    Ok(Some((head, payload)))
}

/// List an event's deliveries: replays, then those that were made when it was accepted
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
    ListQuery { part, .. }: ListQuery<NoFilter>,
) -> Result<HttpResponse, Problem> {
    let account = tenant.account().number;
    answer(&api, account, part, move |api, window| deliveries_of(api, account, &id, window)).await
}

/// A page of the deliveries of the account's event of this id.
pub fn deliveries_of(
    api: &Api,
    account: AccountNumber,
    id: &str,
    window: Window,
) -> Result<Listed<DeliveryView>, Problem> {
    let id = find(&api.store, account, id)?.ok_or_else(no_event)?;
    let head = api.store.event_head(account, id)?.ok_or_else(no_event)?;
    Ok(views(api, api.store.deliveries_of_event(id, &head.webhooks, window.walk())?)?)
}

/// 404.
pub fn no_event() -> Problem {
    Problem::not_found("event")
}
