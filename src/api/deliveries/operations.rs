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
use crate::api::http::list::List;
use crate::api::http::page::{Listed, Window};
use crate::api::http::problem::Problem;
use crate::api::webhooks::reach::webhook_ever;
use crate::domain::Invalid;
use crate::domain::delivery::Delivery;
use crate::domain::id::{AccountNumber, DeliveryId, WebhookNumber};
use crate::domain::webhook::Webhook;
use crate::store::{Page, StoreError, WEBHOOKS_TOGETHER_MAX};

/// The deliveries that a filter asks for, to one webhook of the account or to all of them.
pub fn listed(api: &web::Data<Api>, tenant: &Tenant, filter: DeliveriesFilter) -> Result<List<DeliveryView>, Problem> {
    let webhook = filter.webhook.as_deref().map(|id| webhook_ever(api, tenant, id)).transpose()?;
    let which = Which { account: tenant.account().number, webhook, sought: filter.read()?, tried: false };
    Ok(which.list(api, views))
}

/// Which deliveries of an account a list has.
pub struct Which {
    /// The account.
    pub account: AccountNumber,
    /// Those to this webhook of it; `None`: to all of them.
    pub webhook: Option<WebhookNumber>,
    /// What a filter asks for.
    pub sought: Sought,
    /// Only those that were tried.
    pub tried: bool,
}

impl Which {
    /// The list, shown by `show`.
    pub fn list<T: Send + 'static>(
        self,
        api: &web::Data<Api>,
        show: impl Fn(&Api, Page<Delivery, DeliveryId>) -> Result<Listed<T>, StoreError> + Send + Sync + 'static,
    ) -> List<T> {
        let which = Arc::new(self);
        let (account, counted) = (which.account, which.clone());
        let list = List::of(api, account, move |api, window| Ok(show(api, which.page(api, window)?)?));
        list.counted_by(move |api, window| counted.count(api, window))
    }

    fn page(&self, api: &Api, window: Window) -> Result<Page<Delivery, DeliveryId>, Problem> {
        let wanted = |delivery: &Delivery| !self.tried || delivery.attempts > 0;
        page(api, self.account, self.webhook, &self.sought, window, wanted)
    }

    /// The same page, of which nobody looks at the rows.
    fn count(&self, api: &Api, window: Window) -> Result<Listed<()>, Problem> {
        let (sought, webhooks) = (&self.sought, Webhooks::of(api, self.account, self.webhook)?);
        let wanted = |delivery: &Delivery| {
            (!self.tried || delivery.attempts > 0) && sought.wants(delivery, webhooks.that_of(delivery))
        };
        let wanted = (self.tried || !sought.is_all()).then_some(wanted);
        let (walk, event_type) = (sought.walk(window), sought.event_type.as_ref());
        Ok(api.store.deliveries_counted(&webhooks.numbers(), walk, event_type, wanted)?.into())
    }
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
    let webhooks = Webhooks::of(api, account, only)?;
    let wanted = |delivery: &Delivery| wanted(delivery) && sought.wants(delivery, webhooks.that_of(delivery));
    Ok(api.store.deliveries(&webhooks.numbers(), sought.walk(window), sought.event_type.as_ref(), wanted)?)
}

/// The webhooks whose deliveries are listed together.
struct Webhooks(HashMap<WebhookNumber, Arc<Webhook>>);

impl Webhooks {
    fn of(api: &Api, account: AccountNumber, only: Option<WebhookNumber>) -> Result<Self, Problem> {
        let registry = api.store.registry();
        let some = || registry.webhooks_ever_of(account).take(WEBHOOKS_TOGETHER_MAX + 1).collect();
        let numbers: Vec<_> = only.map_or_else(some, |one| vec![one]);
        if numbers.len() > WEBHOOKS_TOGETHER_MAX {
            let message =
                format!("is missing: deliveries to more than {WEBHOOKS_TOGETHER_MAX} webhooks are not listed together");
            return Err(Invalid::new("webhook", message).into());
        }
        let webhooks = numbers.into_iter().filter_map(|number| Some((number, registry.webhook(number)?)));
        Ok(Self(webhooks.collect()))
    }

    fn numbers(&self) -> Vec<WebhookNumber> {
        let mut numbers: Vec<WebhookNumber> = self.0.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    fn that_of(&self, delivery: &Delivery) -> Option<&Webhook> {
        self.0.get(&delivery.id.webhook()).map(AsRef::as_ref)
    }
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
    let webhook = api.store.registry().webhook(id.webhook());
    let webhook = webhook.filter(|webhook| webhook.account == tenant.account().number).ok_or_else(missing)?;
    let delivery = api.store.delivery(id)?.ok_or_else(missing)?;
    Ok((delivery, webhook))
}
