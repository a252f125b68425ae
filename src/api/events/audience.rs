//! Who of an account's webhooks got an event, and why the others did not. What stays true: what is told is told from how both are
//! now, by the rules that decide when an event is accepted; and a page asks only so much of filters, then says where to go on.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};

use super::filter::find;
use super::routes::{no_event, whole};
use crate::api::Api;
use crate::api::access::auth::{May, Read};
use crate::api::deliveries::history::shown_state;
use crate::api::http::list::{ListQuery, ListRow, answer};
use crate::api::http::page::{LIMIT_MAX, Listed, PageQuery, PageReply, Window};
use crate::api::http::problem::Problem;
use crate::api::openapi::words::{AudienceWhy, DeliveryState, WebhookStatus};
use crate::api::trying::filter::WhyView;
use crate::domain::Invalid;
use crate::domain::audience::{Facts, Filtered, Why, why_not};
use crate::domain::condition::Condition;
use crate::domain::delivery::Delivery;
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::walk::Walk;
use crate::domain::webhook::Webhook;
use crate::store::{CONDITION_STEPS_MAX, EventHead, StoreError, try_condition};

/// Webhooks that one page looks at.
const WEBHOOKS_LOOKED_AT: usize = 1_000;
/// Steps that a page spends on asking filters, or one filter more: some tens of milliseconds.
const STEPS_MAX: u64 = 16 * CONDITION_STEPS_MAX;

/// Of which webhooks to tell.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AudienceFilter {
    /// `true`: only those that got it; `false`: only those that did not.
    #[param(value_type = Option<bool>, example = false)]
    pub got: Option<String>,
}

/// A webhook, and whether it got an event.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = EventHearer)]
pub struct HearerView {
    /// The webhook.
    pub webhook_id: String,
    /// What it is called.
    pub name: Option<String>,
    /// Whether its deliveries go out.
    #[schema(value_type = WebhookStatus)]
    pub status: &'static str,
    /// Whether there is a delivery of the event for it, or is to be one.
    #[schema(example = false)]
    pub got: bool,
    /// The newest delivery of it; null where it got none, or where that is still to be made.
    pub delivery_id: Option<String>,
    /// Where that stands.
    #[schema(value_type = Option<DeliveryState>)]
    pub state: Option<&'static str>,
    /// Why it did not get it; null where it did.
    #[schema(value_type = Option<AudienceWhy>)]
    pub why: Option<&'static str>,
    /// The comparisons of its filter that are to blame.
    pub comparisons: Vec<WhyView>,
}

impl ListRow for HearerView {}

/// List which webhooks got an event, and why the others did not
///
/// The webhooks that the account has now, the newest first. Why one did not get it is told from how both are now: where that would
/// let it through, the webhook was changed since. `id` is the producer's own id, or ours in any spelling.
#[utoipa::path(
    operation_id = "events.audience.list", security(("key" = ["read"])),
    params(("id" = String, Path), AudienceFilter, PageQuery),
    responses((status = 200, description = "A page of webhooks", body = PageReply<HearerView>))
)]
#[get("/api/v1/events/{id}/audience")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    id: web::Path<String>,
    ListQuery { filter, part }: ListQuery<AudienceFilter>,
) -> Result<HttpResponse, Problem> {
    let (account, got) = (tenant.account().number, filter.read()?);
    answer(&api, account, part, move |api, window| page(api, account, &id, got, window)).await
}

impl AudienceFilter {
    /// Whether only those are asked for that got it, or only the others.
    pub fn read(&self) -> Result<Option<bool>, Invalid> {
        match self.got.as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Invalid::new("got", "must be true or false")),
        }
    }
}

/// A page of the webhooks of an account, each with whether it got the event of this id.
pub fn page(
    api: &Api,
    account: AccountNumber,
    id: &str,
    got: Option<bool>,
    window: Window,
) -> Result<Listed<HearerView>, Problem> {
    let id = find(&api.store, account, id)?.ok_or_else(no_event)?;
    let (head, payload) = whole(&api.store, account, id)?.ok_or_else(no_event)?;
    let audience = Audience::of(api, head, payload)?;
    let walk = window.walk();
    let webhooks: Vec<Arc<Webhook>> = {
        let registry = api.store.registry();
        let all = registry.webhook_ids_of(account).filter(|id| walk.has(id.0));
        let some = walk.along(all).take(WEBHOOKS_LOOKED_AT + 1);
        some.filter_map(|id| registry.webhook_of(account, id)).collect()
    };
    let (mut rows, mut last) = (Vec::new(), None);
    for (looked_at, webhook) in webhooks.iter().enumerate() {
        let is_full = rows.len() == window.limit || looked_at == WEBHOOKS_LOOKED_AT;
        if is_full || audience.steps.get() > STEPS_MAX {
            return Ok(Listed { rows, next: last.map(|id| (id, 0)) });
        }
        last = Some(webhook.id.0);
        rows.extend(audience.tell(webhook, got)?);
    }
    Ok(Listed { rows, next: None })
}

/// An event, and who got it.
struct Audience<'a> {
    api: &'a Api,
    head: EventHead,
    payload: Option<Arc<Event>>,
    /// The newest delivery to each webhook that was made later.
    later: HashMap<WebhookNumber, Delivery>,
    /// What asking filters took.
    steps: Cell<u64>,
}

impl<'a> Audience<'a> {
    fn of(api: &'a Api, head: EventHead, payload: Option<Arc<Event>>) -> Result<Self, StoreError> {
        let replays = api.store.deliveries_of_event(head.id, &[], Walk::newest(LIMIT_MAX))?;
        let mut later = HashMap::new();
        for delivery in replays.rows {
            later.entry(delivery.id.webhook()).or_insert(delivery);
        }
        Ok(Self { api, head, payload, later, steps: Cell::new(0) })
    }

    /// What there is to tell of a webhook, if it is asked for.
    fn tell(&self, webhook: &Webhook, got: Option<bool>) -> Result<Option<HearerView>, StoreError> {
        let number = webhook.number();
        let at_accept = self.head.webhooks.binary_search(&number).is_ok();
        let later = self.later.get(&number);
        let has_got = at_accept || later.is_some();
        if got.is_some_and(|wanted| wanted != has_got) {
            return Ok(None);
        }
        let first = || self.api.store.delivery(self.head.id.delivery_to(number));
        let delivery = match later {
            Some(later) => Some(later.clone()),
            None if at_accept => first()?,
            None => None,
        };
        let (why, comparisons) = if has_got { (None, Vec::new()) } else { self.why_not(webhook) };
        Ok(Some(HearerView {
            webhook_id: webhook.id.to_string(),
            name: webhook.name.clone(),
            status: webhook.status_word(),
            got: has_got,
            delivery_id: delivery.as_ref().map(|delivery| delivery.id.to_string()),
            state: delivery.as_ref().map(|delivery| shown_state(delivery, Some(webhook))),
            why: why.map(|why| why.word()),
            comparisons,
        }))
    }

    fn why_not(&self, webhook: &Webhook) -> (Option<Why>, Vec<WhyView>) {
        let EventHead { id, event_type, channels, test, notice, .. } = &self.head;
        let facts = Facts { id: *id, event_type, channels, test: *test, notice: *notice };
        let mut comparisons = Vec::new();
        let filter = || {
            // It was vetted when it was set; one that a later version wrote is as good as none.
            let condition = webhook.condition.as_deref().and_then(|text| Condition::parse(text).ok());
            let Some(condition) = condition else { return Filtered::Holds };
            let Some(event) = &self.payload else { return Filtered::Gone };
            let tried = try_condition(&condition, event);
            self.steps.set(self.steps.get() + tried.steps);
            comparisons.extend(tried.told.into_iter().map(WhyView::from));
            match tried.holds {
                None => Filtered::TooCostly,
                Some(true) => Filtered::Holds,
                Some(false) => Filtered::HoldsNot,
            }
        };
        (Some(why_not(webhook, facts, filter)), comparisons)
    }
}
