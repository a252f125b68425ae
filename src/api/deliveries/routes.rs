//! Deliveries: those of an account or of one webhook as lists, and one with all of its attempts: what was sent, what came
//! back, how long it took.

use actix_web::{HttpResponse, get, web};

use super::filter::DeliveriesFilter;
use super::operations::{Which, attempt, listed, no_attempt, one};
use super::view::{AttemptView, DeliveryView, logs as logs_of, views};
use crate::api::Api;
use crate::api::access::auth::{May, Read, Tenant};
use crate::api::deliveries::history::LogRow;
use crate::api::http::list::ListQuery;
use crate::api::http::page::{PageQuery, PageReply};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::webhooks::reach::reach;
use crate::domain::Invalid;

/// List the deliveries of an account, to all of its webhooks
///
/// In the order in which they were made.
#[utoipa::path(
    operation_id = "deliveries.list", security(("key" = ["read"])),
    params(DeliveriesFilter, PageQuery),
    responses(
        (status = 200, description = "A page of deliveries, each with its latest attempt",
            body = PageReply<DeliveryView>),
        (status = 404, description = "There is no such webhook"),
    )
)]
#[get("/api/v1/deliveries")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    ListQuery { filter, part }: ListQuery<DeliveriesFilter>,
) -> Result<HttpResponse, Problem> {
    listed(&api, &tenant, filter)?.answer(part).await
}

/// List a webhook's deliveries
#[utoipa::path(
    operation_id = "webhooks.deliveries.list", security(("key" = ["read"])),
    params(("id" = String, Path), DeliveriesFilter, PageQuery),
    responses(
        (status = 200, description = "A page of deliveries, each with its latest attempt",
            body = PageReply<DeliveryView>),
    )
)]
#[get("/api/v1/webhooks/{id}/deliveries")]
pub async fn of_webhook(
    tenant: May<Read>,
    api: web::Data<Api>,
    id: web::Path<String>,
    ListQuery { filter, part }: ListQuery<DeliveriesFilter>,
) -> Result<HttpResponse, Problem> {
    of_one(&api, &tenant, &id, filter)?.list(&api, views).answer(part).await
}

/// List what was sent to a webhook: deliveries that were tried
#[utoipa::path(
    operation_id = "webhooks.logs.list", security(("key" = ["read"])),
    params(("id" = String, Path), DeliveriesFilter, PageQuery),
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
    ListQuery { filter, part }: ListQuery<DeliveriesFilter>,
) -> Result<HttpResponse, Problem> {
    let tried = Which { tried: true, ..of_one(&api, &tenant, &id, filter)? };
    tried.list(&api, logs_of).answer(part).await
}

fn of_one(api: &Api, tenant: &Tenant, id: &str, filter: DeliveriesFilter) -> Result<Which, Problem> {
    let webhook = reach(api, tenant).webhook(id)?.number();
    if filter.webhook.is_some() {
        return Err(Invalid::new("webhook", "is left out here: the path names one").into());
    }
    Ok(Which { account: tenant.account().number, webhook: Some(webhook), sought: filter.read()?, tried: false })
}

/// Show a delivery with all of its attempts
#[utoipa::path(
    operation_id = "deliveries.get", security(("key" = ["read"])),
    params(("id" = String, Path, description = "In any spelling")),
    responses((status = 200, description = "The delivery", body = Reply<DeliveryView>))
)]
#[get("/api/v1/deliveries/{id}")]
pub async fn show(tenant: May<Read>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(one(&api, &tenant, &id)?))
}

/// Show one attempt of a delivery, with the body that was sent
///
/// Bodies are not kept: it is made once more from the event, and `exact` says whether it is the same to the byte.
#[utoipa::path(
    operation_id = "deliveries.attempts.get", security(("key" = ["read"])),
    params(
        ("id" = String, Path, description = "The delivery, in any spelling"),
        ("number" = u16, Path, description = "Which attempt, from 1", minimum = 1),
    ),
    responses((status = 200, description = "The attempt", body = Reply<AttemptView>))
)]
#[get("/api/v1/deliveries/{id}/attempts/{number}")]
pub async fn show_attempt(
    tenant: May<Read>,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (id, number) = path.into_inner();
    let number: u16 = number.parse().map_err(|_| no_attempt())?;
    Ok(Reply::ok(attempt(&api, &tenant, &id, number).await?))
}
