//! Deliveries: those of one webhook as lists, and one with all of its attempts: what was sent, what came back, how long
//! it took.

use std::sync::Arc;

use actix_web::{HttpResponse, get, web};
use serde::Deserialize;

use super::view::{DeliveryView, view};
use crate::api::Api;
use crate::api::access::auth::{May, Read, Tenant};
use crate::api::deliveries::history::{History, LogRow, shown_state};
use crate::api::http::page::{PageQuery, PageReply, Window};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::http::request::Query;
use crate::api::openapi::words::DeliveryState;
use crate::api::webhooks::reach::reach;
use crate::domain::Invalid;
use crate::domain::delivery::{Delivery, SHOWN_STATES};
use crate::domain::id::DeliveryId;
use crate::domain::webhook::Webhook;

/// What to list of a webhook's deliveries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeliveriesQuery {
    /// Only those that stand so.
    #[param(value_type = Option<DeliveryState>)]
    pub state: Option<String>,
    /// Rows, 1 to 250; 50 if left out.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// List a webhook's deliveries, newest first
#[utoipa::path(
    operation_id = "webhooks.deliveries.list", security(("key" = ["read"])),
    params(("id" = String, Path), DeliveriesQuery),
    responses(
        (status = 200, description = "A page of deliveries, each with its latest attempt",
            body = PageReply<DeliveryView>),
    )
)]
#[get("/api/v1/webhooks/{id}/deliveries")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    id: web::Path<String>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<HttpResponse, Problem> {
    let window = Window::read(query.limit.as_deref(), query.cursor.as_deref())?;
    if query.state.as_deref().is_some_and(|state| !SHOWN_STATES.contains(&state)) {
        return Err(Invalid::new("state", format!("must be one of {}", SHOWN_STATES.join(", "))).into());
    }
    let history = reach(&api, &tenant).history(&id)?;
    let listed = api.read(tenant.account().number, move || {
        let webhook = history.webhook.clone();
        let state = |delivery: &_| shown_state(delivery, Some(&webhook));
        let wanted = |delivery: &Delivery| query.state.as_deref().is_none_or(|wanted| wanted == state(delivery));
        history.page(window, wanted)?.try_map(|delivery| view(&history, &delivery))
    });
    Ok(HttpResponse::Ok().json(PageReply::from(listed.await??)))
}

/// List what was sent to a webhook, newest first: deliveries that were tried
#[utoipa::path(
    operation_id = "webhooks.logs.list", security(("key" = ["read"])),
    params(("id" = String, Path), PageQuery),
    responses(
        (status = 200, description = "A page of deliveries that were tried, each with its latest attempt",
            body = PageReply<LogRow>),
    )
)]
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
#[utoipa::path(
    operation_id = "deliveries.get", security(("key" = ["read"])),
    params(("id" = String, Path, description = "In any spelling")),
    responses((status = 200, description = "The delivery", body = Reply<DeliveryView>))
)]
#[get("/api/v1/deliveries/{id}")]
pub async fn show(tenant: May<Read>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (delivery, webhook) = find(&api, &tenant, &id)?;
    let shown = view(&History::of(&api, webhook.clone())?, &delivery)?;
    Ok(Reply::ok(shown.with_attempts(&api, &tenant, &webhook, &delivery)?))
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
