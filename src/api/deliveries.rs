//! Deliveries: those of one webhook as lists, and one with all of its attempts: what was sent, what came back, how long
//! it took.

use std::sync::Arc;

use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::Api;
use super::auth::{May, Read, Tenant};
use super::history::{History, LogRow, Row, STATES, is_success, shown_state};
use super::page::{PageQuery, PageReply, Window};
use super::problem::{ErrorReply, Problem};
use super::reply::Reply;
use super::request::Query;
use super::webhooks::reach;
use crate::domain::Invalid;
use crate::domain::delivery::{Attempt, Cause, Delivery};
use crate::domain::id::DeliveryId;
use crate::domain::time;
use crate::domain::webhook::Webhook;
use crate::store::Store;

/// A delivery with all of its attempts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DeliveryView {
    id: String,
    event_id: String,
    event_type: Option<String>,
    webhook_id: String,
    /// `pending`, `scheduled`, `held`, `succeeded`, `dead` or `cancelled`.
    state: &'static str,
    /// Why it exists: `accept`, `test`, `replay`, or `missed`: a bulk replay made it for an event that had none.
    cause: &'static str,
    /// The delivery that it replays.
    replay_of: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// Why it was cancelled.
    reason: Option<String>,
    /// The first first.
    attempts: Vec<AttemptView>,
}

/// One HTTP request of a delivery.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct AttemptView {
    /// From 1.
    number: u16,
    #[schema(format = DateTime)]
    started_at: String,
    response_time_ms: u32,
    url: String,
    request_headers: BTreeMap<String, String>,
    /// Null where no answer came.
    status_code: Option<u16>,
    success: bool,
    /// `status`, `timeout`, `dns`, `refused_address`, `connect`, `tls`, `broken` or `unsendable`.
    outcome: &'static str,
    /// Why it was no success.
    error: Option<String>,
    /// The start of the answer, as text.
    response_body: String,
}

/// What to list of a webhook's deliveries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DeliveriesQuery {
    /// Only those that are `pending`, `scheduled`, `held`, `succeeded`, `dead` or `cancelled`.
    state: Option<String>,
    /// Rows, 1 to 250; 50 if left out.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
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
    let listed = web::block(move || {
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
    let listed = web::block(move || history.deliveries(window, |delivery| delivery.attempts > 0));
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

/// The delivery, if it goes to a webhook of the tenant's account, a deleted one included.
fn find(api: &Api, tenant: &Tenant, text: &str) -> Result<(Delivery, Arc<Webhook>), Problem> {
    let missing = || Problem::not_found("delivery");
    let id = DeliveryId::parse(text).ok_or_else(missing)?;
    let webhook = api.store.registry().webhook(id.webhook()).cloned();
    let webhook = webhook.filter(|webhook| webhook.account == tenant.account().number).ok_or_else(missing)?;
    let delivery = api.store.delivery(id)?.ok_or_else(missing)?;
    Ok((delivery, webhook))
}

fn cause(delivery: &Delivery) -> &'static str {
    match delivery.cause {
        Cause::Accept => "accept",
        Cause::Test => "test",
        Cause::Replay(_) => "replay",
        Cause::Missed => "missed",
    }
}

fn attempt_view(store: &Store, delivery: &Delivery, attempt: Attempt) -> AttemptView {
    let summary = attempt.summary;
    let success = is_success(delivery, &summary);
    AttemptView {
        number: summary.number,
        started_at: time::rfc3339(store.shown(summary.started_at)),
        response_time_ms: summary.duration_ms,
        url: attempt.url,
        request_headers: attempt.request_headers.into_iter().collect(),
        status_code: summary.outcome.status(),
        success,
        outcome: summary.outcome.kind(),
        error: (!success).then(|| summary.outcome.to_string()),
        response_body: String::from_utf8_lossy(&attempt.response_body).into_owned(),
    }
}
