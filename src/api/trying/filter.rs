//! `POST /api/v1/filter/try`: whether a webhook would want an event, and which comparison says that it would not.

use std::sync::Arc;

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};

use super::input::{TriedEvent, Which};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::Read;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::http::request::Object;
use crate::api::openapi::words::WebhookDeaf;
use crate::api::webhooks::reach::reach;
use crate::domain::Invalid;
use crate::domain::condition::{Condition, Told};
use crate::domain::event::Event;
use crate::domain::labels;
use crate::domain::webhook::{EventFilter, FILTERS_MAX, Webhook};
use crate::store::{CONDITION_STEPS_MAX, TOO_COSTLY, TriedCondition, try_condition};

/// A filter to try on an event.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FilterTry)]
struct FilterTryInput {
    /// The filter, as webhooks have it; the webhook's own if left out.
    #[serde(default)]
    filter: Option<String>,
    /// Types, as webhooks have them; the webhook's own if left out, and without one all.
    #[serde(default)]
    #[schema(max_items = 200)]
    events: Option<Vec<String>>,
    /// The id of a webhook: what is left out is taken from it, and its channels and what else it hears of count.
    #[serde(default)]
    webhook: Option<String>,
    /// An event to try it on.
    #[serde(default)]
    #[schema(value_type = Option<TriedEvent>)]
    event: Option<Object<TriedEvent>>,
    /// The id of a stored event instead.
    #[serde(default)]
    event_id: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = FilterTried)]
struct FilterTriedView {
    /// Whether the event would make a delivery for a webhook with all of this, if only one that is held while the webhook is paused or
    /// disabled; null where the filter takes longer than it may.
    matches: Option<bool>,
    /// Whether it wants the event's type.
    type_matches: bool,
    /// Whether the webhook's channels let the event through.
    channels_match: bool,
    /// Why the webhook hears of no such event, whatever else matches; null where it does, or where none was named.
    #[schema(value_type = Option<WebhookDeaf>)]
    deaf: Option<&'static str>,
    /// Whether the filter holds; null where there is none, or where it takes longer than it may.
    holds: Option<bool>,
    /// The comparisons that are to blame that it does not hold.
    why: Vec<WhyView>,
    /// What asking the filter took.
    #[schema(example = 12)]
    steps: u64,
    /// What it may take; above, the delivery is dead.
    #[schema(example = 1_048_576)]
    steps_max: u64,
    /// By what the webhook is found, such as `@.data.tenant == "acme"`: for each way in which the filter can hold, comparisons of
    /// which one is chosen. Null: the filter is asked about every event of these types.
    #[schema(example = json!([["@.data.tenant == \"acme\""]]))]
    index: Option<Vec<Vec<String>>>,
    /// Why there is no answer, as the delivery would say.
    #[schema(example = "filter_too_costly: asking the webhook's filter about this event takes longer than it may")]
    error: Option<String>,
}

/// A comparison that is to blame.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = FilterWhy)]
pub struct WhyView {
    /// As it can be written.
    #[schema(example = "@.data.amount > 100")]
    pub comparison: String,
    /// Whether it holds: one behind a `!` is to blame if it does.
    #[schema(example = false)]
    pub holds: bool,
    /// What stands on its left in this event, as JSON, cut after 200 characters; null if nothing does.
    #[schema(example = "50")]
    pub left: Option<String>,
    /// What stands on its right.
    #[schema(example = "100")]
    pub right: Option<String>,
}

/// Show whether a webhook with this filter would want an event, and why not
///
/// Nothing is stored or sent.
#[utoipa::path(
    operation_id = "filter.preview", security(("key" = ["read"])),
    request_body = FilterTryInput,
    responses(
        (status = 200, description = "What came of it", body = Reply<FilterTriedView>),
        (status = 404, description = "There is no such webhook or event"),
        (status = 410, description = "The event's payload was purged"),
    )
)]
#[post("/api/v1/filter/try")]
pub async fn try_filter(Asked(tenant, body): Asked<Read>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let input = body.read::<FilterTryInput>()?;
    let webhook = match &input.webhook {
        Some(id) => Some(reach(&api, &tenant).webhook(id).map_err(|problem| problem.with_field("webhook"))?),
        None => None,
    };
    if input.filter.is_none() && input.events.is_none() && webhook.is_none() {
        let message = "is missing: write a filter or events, or name the webhook whose filter is to be tried";
        return Err(Invalid::new("filter", message).into());
    }
    let of_webhook = || webhook.as_ref().and_then(|webhook| webhook.condition.clone());
    let condition = input.filter.or_else(of_webhook).as_deref().map(Condition::parse).transpose()?;
    let events = input.events.map(vet_types).transpose()?;
    let of_webhook = webhook.as_ref().map(|webhook| webhook.events.clone());
    let trial = Trial { condition, events: events.or(of_webhook), webhook };
    let account = tenant.account().number;
    let event =
        Which { event: input.event.map(|Object(event)| event), event_id: input.event_id }.find(&api, account).await?;
    Ok(Reply::ok(api.read(account, move || trial.made(&event)).await?))
}

fn vet_types(texts: Vec<String>) -> Result<Vec<EventFilter>, Invalid> {
    if texts.is_empty() || texts.len() > FILTERS_MAX {
        return Err(Invalid::new("events", format!("must name 1 to {FILTERS_MAX} event types; [\"*\"] means all")));
    }
    let vet = |(n, text): (usize, &String)| {
        EventFilter::parse(text).map_err(|invalid| Invalid { field: format!("events[{n}]"), ..invalid })
    };
    texts.iter().enumerate().map(vet).collect()
}

/// All that decides.
struct Trial {
    condition: Option<Condition>,
    /// None: all types.
    events: Option<Vec<EventFilter>>,
    webhook: Option<Arc<Webhook>>,
}

impl Trial {
    fn made(&self, event: &Arc<Event>) -> FilterTriedView {
        let type_matches =
            self.events.as_ref().is_none_or(|all| all.iter().any(|filter| filter.matches(&event.event_type)));
        let webhook = self.webhook.as_deref();
        let channels_match = webhook.is_none_or(|webhook| labels::hears(&webhook.channels, &event.channels));
        let deaf = webhook.and_then(|webhook| webhook.deaf_to(event.test)).map(|why| why.word());
        let may_hear = type_matches && channels_match && deaf.is_none();
        let tried = self.condition.as_ref().map(|condition| try_condition(condition, event));
        let is_unknown = tried.as_ref().is_some_and(|tried| tried.holds.is_none());
        let holds = tried.as_ref().and_then(|tried| tried.holds);
        let TriedCondition { steps, told, .. } = tried.unwrap_or_default();
        let matches = may_hear && (self.condition.is_none() || holds == Some(true));
        FilterTriedView {
            matches: (!is_unknown || !may_hear).then_some(matches),
            type_matches,
            channels_match,
            deaf,
            holds,
            why: told.into_iter().map(WhyView::from).collect(),
            steps,
            steps_max: CONDITION_STEPS_MAX,
            index: self.condition.as_ref().and_then(Condition::index_keys),
            error: is_unknown.then(|| TOO_COSTLY.to_string()),
        }
    }
}

impl From<Told> for WhyView {
    fn from(told: Told) -> Self {
        let Told { comparison, holds, left, right } = told;
        Self { comparison, holds, left, right }
    }
}
