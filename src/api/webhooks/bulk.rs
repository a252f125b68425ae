//! Replaying and discarding many deliveries of one webhook, by state, type and time.

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;

use super::reach::reach;
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Manage, Tenant};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::jobs::input::Range;
use crate::api::jobs::start::answer;
use crate::api::jobs::view::CountView;
use crate::api::jobs::view::JobView;
use crate::domain::delivery::DeliveryState;
use crate::domain::id::WebhookNumber;
use crate::domain::job::{Bulk, JobKind, Source};

/// What a bulk replay delivers again. What is open goes out anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReplayedState {
    /// Deliveries that used up their retries.
    Dead,
    /// Deliveries that ended well.
    Succeeded,
    /// Deliveries that were not to be sent.
    Cancelled,
    /// Events that the webhook wants now and that have no delivery to it.
    Missing,
}

/// What to replay.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookReplay)]
pub struct ReplayInput {
    /// `dead`, `succeeded` or `cancelled` deliveries; or `missing`: events that the webhook wants now and that have no
    /// delivery to it, for example those accepted before it existed.
    pub state: ReplayedState,
    /// Only deliveries made (`missing`: events accepted) at this time or later.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub from: Option<String>,
    /// Only those made before this time.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub to: Option<String>,
    /// Only this type, or those that a filter such as `task.*` lets through.
    #[serde(default)]
    pub event_type: Option<String>,
    /// Count, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What to discard.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookDiscard)]
struct DiscardInput {
    /// Only deliveries made at this time or later.
    #[serde(default)]
    #[schema(format = DateTime)]
    from: Option<String>,
    /// Only those made before this time.
    #[serde(default)]
    #[schema(format = DateTime)]
    to: Option<String>,
    /// Only this type, or those that a filter such as `task.*` lets through.
    #[serde(default)]
    event_type: Option<String>,
    /// Count, and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Deliver again what was delivered in a state and a time, or deliver what never was
///
/// A delivery that was replayed before is replayed again; `POST /api/v1/dead-letters/replay` takes only dead letters
/// that nobody has handled.
#[utoipa::path(
    operation_id = "webhooks.replay", security(("key" = ["manage"])),
    params(("id" = String, Path)), request_body = ReplayInput,
    responses(
        (status = 200, description = "A dry run: how many there are", body = Reply<CountView>),
        (status = 202, description = "A job does it, the oldest first", body = Reply<JobView>),
        (status = 409, description = "100 jobs of the account run already"),
    )
)]
#[post("/api/v1/webhooks/{id}/replay")]
pub async fn replay(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    // Whether it is there goes before what is said.
    reach(&api, &tenant).webhook(&id)?;
    let input = body.read::<ReplayInput>()?;
    answer(&api, &tenant, replayed(&api, &tenant, &id, &input)?, input.dry_run).await
}

/// The bulk call that replays what is asked for of a webhook.
pub fn replayed(api: &Api, tenant: &Tenant, id: &str, input: &ReplayInput) -> Result<Bulk, Problem> {
    let webhook = reach(api, tenant).webhook(id)?;
    let range = Range::read(input.event_type.as_deref(), input.from.as_deref(), input.to.as_deref())?;
    Ok(range.bulk(webhook.account, JobKind::Replay, source(webhook.number(), input.state)))
}

/// Cancel a webhook's open deliveries
#[utoipa::path(
    operation_id = "webhooks.discard", security(("key" = ["manage"])),
    params(("id" = String, Path)), request_body = Option<DiscardInput>,
    responses(
        (status = 200, description = "A dry run: how many there are", body = Reply<CountView>),
        (status = 202, description = "A job does it, the oldest first", body = Reply<JobView>),
        (status = 409, description = "100 jobs of the account run already"),
    )
)]
#[post("/api/v1/webhooks/{id}/discard")]
pub async fn discard(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let webhook = reach(&api, &tenant).webhook(&id)?;
    let input = body.read_or_empty::<DiscardInput>()?;
    let range = Range::read(input.event_type.as_deref(), input.from.as_deref(), input.to.as_deref())?;
    let source = Source::Open { webhook: webhook.number() };
    answer(&api, &tenant, range.bulk(webhook.account, JobKind::Discard, source), input.dry_run).await
}

impl ReplayedState {
    /// The state of this word.
    pub fn of(word: &str) -> Option<Self> {
        let all = [
            ("dead", Self::Dead),
            ("succeeded", Self::Succeeded),
            ("cancelled", Self::Cancelled),
            ("missing", Self::Missing),
        ];
        all.into_iter().find(|(known, _)| *known == word).map(|(_, state)| state)
    }
}

fn source(webhook: WebhookNumber, state: ReplayedState) -> Source {
    let state = match state {
        ReplayedState::Missing => return Source::Missing { webhook },
        ReplayedState::Dead => DeliveryState::Dead,
        ReplayedState::Succeeded => DeliveryState::Succeeded,
        ReplayedState::Cancelled => DeliveryState::Cancelled,
    };
    Source::Ended { webhook, state }
}
