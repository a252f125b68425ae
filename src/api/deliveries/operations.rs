//! What can be asked of deliveries, whoever shows the answer: the routes, or the dashboard. What stays true: nobody reaches a delivery
//! to a webhook of another account.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::web;

use super::filter::{DeliveriesFilter, Sought};
use super::history::History;
use super::rendered::request_body;
use super::view::{AttemptView, DeliveryView, attempt_view, view, views};
use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::http::page::{Listed, Window};
use crate::api::http::problem::Problem;
use crate::api::webhooks::reach::webhook_ever;
use crate::domain::Invalid;
use crate::domain::delivery::Delivery;
use crate::domain::id::{AccountNumber, DeliveryId, WebhookNumber};
use crate::domain::webhook::Webhook;
use crate::store::{Page, WEBHOOKS_TOGETHER_MAX};

/// Reads pages of the deliveries that a filter asks for, to one webhook of the account or to all of them.
pub fn listed(
    api: &Api,
    tenant: &Tenant,
    filter: DeliveriesFilter,
) -> Result<impl Fn(&Api, Window) -> Result<Listed<DeliveryView>, Problem> + Send + Sync + use<>, Problem> {
    let webhook = filter.webhook.as_deref().map(|id| webhook_ever(api, tenant, id)).transpose()?;
    let (account, sought) = (tenant.account().number, filter.read()?);
    Ok(move |api: &Api, window: Window| Ok(views(api, page(api, account, webhook, &sought, window, |_| true)?)?))
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

/// A delivery with all of its attempts; `id` in any spelling.
pub fn one(api: &Api, tenant: &Tenant, id: &str) -> Result<DeliveryView, Problem> {
    let (delivery, webhook) = find(api, tenant, id)?;
    let shown = view(&History::of(api, webhook.clone())?, &delivery)?;
    Ok(shown.with_attempts(api, tenant, &webhook, &delivery)?)
}

/// One attempt of a delivery, with the body that was sent.
pub async fn attempt(api: &web::Data<Api>, tenant: &Tenant, id: &str, number: u16) -> Result<AttemptView, Problem> {
    let (delivery, webhook) = find(api, tenant, id)?;
    let (reader, tenant) = (api.clone(), tenant.clone());
    let shown = api.read(tenant.account().number, move || {
        let attempts = reader.store.attempts(&delivery)?;
        let attempt = attempts.into_iter().find(|one| one.summary.number == number).ok_or_else(no_attempt)?;
        let body = request_body(&reader, &webhook, &delivery, &attempt)?;
        Ok::<_, Problem>(AttemptView {
            request_body: Some(body),
            ..attempt_view(&reader, &tenant, &webhook, &delivery, attempt)
        })
    });
    shown.await?
}

/// 404.
pub fn no_attempt() -> Problem {
    Problem::not_found("attempt")
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
