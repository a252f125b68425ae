//! Deliveries: those of one webhook as lists, and one with all of its attempts: what was sent, what came back, how long
//! it took.

use std::sync::Arc;

use actix_web::{HttpResponse, get, web};
use serde::Deserialize;

use super::rendered::request_body;
use super::view::{AttemptView, DeliveryView, attempt_view, cause};
use crate::api::Api;
use crate::api::access::auth::{May, Read, Tenant};
use crate::api::deliveries::history::{History, LogRow, Row, STATES, shown_state};
use crate::api::http::page::{PageQuery, PageReply, Window};
use crate::api::http::problem::{ErrorReply, Problem};
use crate::api::http::reply::Reply;
use crate::api::http::request::Query;
use crate::api::webhooks::reach::reach;
use crate::domain::Invalid;
use crate::domain::delivery::{Cause, Delivery};
use crate::domain::id::DeliveryId;
use crate::domain::time;
use crate::domain::webhook::Webhook;

/// What to list of a webhook's deliveries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeliveriesQuery {
    /// Only those that are `pending`, `scheduled`, `held`, `succeeded`, `dead` or `cancelled`.
    pub state: Option<String>,
    /// Rows, 1 to 250; 50 if left out.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// List a webhook's deliveries, newest first
#[utoipa::path(tag = "webhooks", params(("id" = String, Path), DeliveriesQuery), responses(
    (status = 200, description = "A page of deliveries, each with its latest attempt", body = PageReply<Row>),
    (status = 400, description = "A parameter cannot be read", body = ErrorReply<'static>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[get("/api/v1/webhooks/{id}/deliveries")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    id: web::Path<String>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<HttpResponse, Problem> {
    let window = Window::read(query.limit.as_deref(), query.cursor.as_deref())?;
    if query.state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(Invalid::new("state", format!("must be one of {}", STATES.join(", "))).into());
    }
    let history = reach(&api, &tenant).history(&id)?;
    let listed = api.read(tenant.account().number, move || {
        let webhook = history.webhook.clone();
        let state = |delivery: &_| shown_state(delivery, Some(&webhook));
        history.deliveries(window, |delivery| query.state.as_deref().is_none_or(|wanted| wanted == state(delivery)))
    });
    Ok(HttpResponse::Ok().json(PageReply::from(listed.await??)))
}

/// List what was sent to a webhook, newest first: deliveries that were tried
#[utoipa::path(tag = "webhooks", params(("id" = String, Path), PageQuery), responses(
    (status = 200, description = "A page of deliveries that were tried, each with its latest attempt",
        body = PageReply<LogRow>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[get("/api/v1/webhooks/{id}/logs")]
pub async fn logs(
    tenant: May<Read>,
    api: web::Data<Api>,
    id: web::Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let window = query.window()?;
    let history = reach(&api, &tenant).history(&id)?;
    let listed =
        api.read(tenant.account().number, move || history.deliveries(window, |delivery| delivery.attempts > 0));
    Ok(HttpResponse::Ok().json(PageReply::from(listed.await??.map(LogRow::from))))
}

/// Show a delivery with all of its attempts
#[utoipa::path(tag = "deliveries", params(("id" = String, Path, description = "In any spelling")), responses(
    (status = 200, description = "The delivery", body = Reply<DeliveryView>),
    (status = 404, description = "There is no such delivery", body = ErrorReply<'static>),
))]
#[get("/api/v1/deliveries/{id}")]
pub async fn show(tenant: May<Read>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (delivery, webhook) = find(&api, &tenant, &id)?;
    let attempts = api.store.attempts(&delivery)?;
    let row = History::of(&api, webhook)?.row(&delivery, None)?;
    Ok(Reply::ok(DeliveryView {
        id: row.id,
        event_id: row.event_id,
        event_type: row.event_type,
        webhook_id: row.webhook_id,
        state: row.state,
        cause: cause(&delivery),
        replay_of: if let Cause::Replay(old) = delivery.cause { Some(old.to_string()) } else { None },
        created_at: row.created_at,
        next_attempt_at: row.next_attempt_at,
        ended_at: delivery.ended_at.map(|at| time::rfc3339(api.store.shown(at))),
        reason: delivery.reason.clone(),
        attempts: attempts.into_iter().map(|attempt| attempt_view(&api.store, &delivery, attempt)).collect(),
    }))
}

/// Show one attempt of a delivery, with the body that was sent
///
/// Bodies are not kept: it is made once more from the event, and `exact` says whether it is the same to the byte.
#[utoipa::path(tag = "deliveries", params(
    ("id" = String, Path, description = "The delivery, in any spelling"),
    ("number" = u16, Path, description = "Which attempt, from 1", minimum = 1),
), responses(
    (status = 200, description = "The attempt", body = Reply<AttemptView>),
    (status = 404, description = "There is no such delivery or attempt", body = ErrorReply<'static>),
))]
#[get("/api/v1/deliveries/{id}/attempts/{number}")]
pub async fn show_attempt(
    tenant: May<Read>,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (id, number) = path.into_inner();
    let missing = || Problem::not_found("attempt");
    let (delivery, webhook) = find(&api, &tenant, &id)?;
    let number: u16 = number.parse().map_err(|_| missing())?;
    let reader = api.clone();
    let shown = api.read(tenant.account().number, move || {
        let attempts = reader.store.attempts(&delivery)?;
        let attempt = attempts.into_iter().find(|one| one.summary.number == number).ok_or_else(missing)?;
        let body = request_body(&reader, &webhook, &delivery, &attempt)?;
        Ok::<_, Problem>(AttemptView { request_body: Some(body), ..attempt_view(&reader.store, &delivery, attempt) })
    });
    Ok(Reply::ok(shown.await??))
}

/// The delivery, if it goes to a webhook of the tenant's account, a deleted one included.
pub fn find(api: &Api, tenant: &Tenant, text: &str) -> Result<(Delivery, Arc<Webhook>), Problem> {
    let missing = || Problem::not_found("delivery");
    let id = DeliveryId::parse(text).ok_or_else(missing)?;
    let webhook = api.store.registry().webhook(id.webhook()).cloned();
    let webhook = webhook.filter(|webhook| webhook.account == tenant.account().number).ok_or_else(missing)?;
    let delivery = api.store.delivery(id)?.ok_or_else(missing)?;
    Ok((delivery, webhook))
}
