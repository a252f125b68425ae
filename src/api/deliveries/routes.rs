//! Deliveries: those of an account or of one webhook as lists, and one with all of its attempts: what was sent, what came
//! back, how long it took.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::{HttpResponse, get, web};

use super::filter::{DeliveriesFilter, Sought};
use super::rendered::request_body;
use super::view::{AttemptView, DeliveryView, attempt_view, logs as logs_of, view, views};
use crate::api::Api;
use crate::api::access::auth::{May, Read, Tenant};
use crate::api::deliveries::history::{History, LogRow};
use crate::api::http::list::{ListQuery, answer};
use crate::api::http::page::{PageQuery, PageReply, Window};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::webhooks::reach::{reach, webhook_ever};
use crate::domain::Invalid;
use crate::domain::delivery::Delivery;
use crate::domain::id::{AccountNumber, DeliveryId, WebhookNumber};
use crate::domain::webhook::Webhook;
use crate::store::{Page, WEBHOOKS_TOGETHER_MAX};

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
    let webhook = filter.webhook.as_deref().map(|id| webhook_ever(&api, &tenant, id)).transpose()?;
    let (account, sought) = (tenant.account().number, filter.read()?);
    answer(&api, account, part, move |api, window| {
        Ok(views(api, page(api, account, webhook, &sought, window, |_| true)?)?)
    })
    .await
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
    let (webhook, sought) = of_one(&api, &tenant, &id, filter)?;
    let account = tenant.account().number;
    answer(&api, account, part, move |api, window| {
        Ok(views(api, page(api, account, Some(webhook), &sought, window, |_| true)?)?)
    })
    .await
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
    let (webhook, sought) = of_one(&api, &tenant, &id, filter)?;
    let account = tenant.account().number;
    let tried = |delivery: &Delivery| delivery.attempts > 0;
    answer(&api, account, part, move |api, window| {
        Ok(logs_of(api, page(api, account, Some(webhook), &sought, window, tried)?)?)
    })
    .await
}

fn of_one(api: &Api, tenant: &Tenant, id: &str, filter: DeliveriesFilter) -> Result<(WebhookNumber, Sought), Problem> {
    let webhook = reach(api, tenant).webhook(id)?.number();
    if filter.webhook.is_some() {
        return Err(Invalid::new("webhook", "is left out here: the path names one").into());
    }
    Ok((webhook, filter.read()?))
}

/// A page of the deliveries to one webhook of the account, or to all of them.
pub fn page(
    api: &Api,
    account: AccountNumber,
    only: Option<WebhookNumber>,
    sought: &Sought,
    window: Window,
    wanted: impl Fn(&Delivery) -> bool,
) -> Result<Page<Delivery, DeliveryId>, Problem> {
    let webhooks: HashMap<WebhookNumber, Arc<Webhook>> = {
        let registry = api.store.registry();
        let numbers: Vec<_> = only.map_or_else(|| registry.webhooks_ever_of(account).collect(), |one| vec![one]);
        numbers.into_iter().filter_map(|number| Some((number, registry.webhook(number)?.clone()))).collect()
    };
    if webhooks.len() > WEBHOOKS_TOGETHER_MAX {
        let message =
            format!("is missing: deliveries to more than {WEBHOOKS_TOGETHER_MAX} webhooks are not listed together");
        return Err(Invalid::new("webhook", message).into());
    }
    let mut numbers: Vec<WebhookNumber> = webhooks.keys().copied().collect();
    numbers.sort_unstable();
    let wanted = |delivery: &Delivery| {
        let webhook = webhooks.get(&delivery.id.webhook()).map(AsRef::as_ref);
        wanted(delivery) && sought.wants(delivery, webhook)
    };
    Ok(api.store.deliveries(&numbers, sought.walk(window), sought.event_type.as_ref(), wanted)?)
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
    let missing = || Problem::not_found("attempt");
    let (delivery, webhook) = find(&api, &tenant, &id)?;
    let number: u16 = number.parse().map_err(|_| missing())?;
    let (reader, account) = (api.clone(), tenant.account().number);
    let shown = api.read(account, move || {
        let attempts = reader.store.attempts(&delivery)?;
        let attempt = attempts.into_iter().find(|one| one.summary.number == number).ok_or_else(missing)?;
        let body = request_body(&reader, &webhook, &delivery, &attempt)?;
        Ok::<_, Problem>(AttemptView {
            request_body: Some(body),
            ..attempt_view(&reader, &tenant, &webhook, &delivery, attempt)
        })
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
