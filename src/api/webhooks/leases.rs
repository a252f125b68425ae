//! Pulling: a consumer that cannot be reached asks for deliveries and says what became of each. What stays true: what is handed
//! over is what would have been sent, to the byte; whoever is told that a lease was acknowledged is told what is recorded; and
//! what was said can be said again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::reach::{Reach, reach};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Consume, May, Tenant};
use crate::api::door::connections::Admitted;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::http::request::{Query, vet_text};
use crate::domain::Invalid;
use crate::domain::id::{AttemptId, WebhookNumber};
use crate::domain::pull::{
    Ask, LEASE_SECONDS_DEFAULT, LEASE_SECONDS_MAX, LIMIT_DEFAULT, LIMIT_MAX, Leased, Pulled, REASON_CHARS_MAX,
    WAIT_SECONDS_DEFAULT, WAIT_SECONDS_MAX, Word,
};
use crate::domain::time;
use crate::domain::webhook::Webhook;

/// What a consumer asks for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PullQuery {
    /// Deliveries, 1 to 100; 10 if left out. There are fewer where their bodies are more than a mebibyte together.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// How long to wait where there is none, in seconds, 0 to 30; 20 if left out.
    #[param(value_type = Option<u16>, minimum = 0, maximum = 30)]
    wait: Option<String>,
    /// How long you have for each, in seconds, 1 to 3,600; 30 if left out. It can be extended.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 3600)]
    lease: Option<String>,
}

impl PullQuery {
    fn read(&self, webhook: WebhookNumber) -> Result<Ask, Invalid> {
        let limit = number("limit", self.limit.as_deref(), 1..=LIMIT_MAX as u64, LIMIT_DEFAULT as u64)?;
        let wait = number("wait", self.wait.as_deref(), 0..=WAIT_SECONDS_MAX, WAIT_SECONDS_DEFAULT)?;
        let lease = number("lease", self.lease.as_deref(), 1..=LEASE_SECONDS_MAX, LEASE_SECONDS_DEFAULT)?;
        let (wait, lease) = (Duration::from_secs(wait), Duration::from_secs(lease));
        Ok(Ask { webhook, limit: limit as usize, wait, lease })
    }
}

fn number(field: &str, text: Option<&str>, may_be: std::ops::RangeInclusive<u64>, usual: u64) -> Result<u64, Invalid> {
    let read = text.map_or(Some(usual), |text| text.parse().ok().filter(|n| may_be.contains(n)));
    let (least, most) = (may_be.start(), may_be.end());
    read.ok_or_else(|| Invalid::new(field, format!("must be a number from {least} to {most}")))
}

/// How a body is written in JSON: as text, or in base64 where it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "text")]
enum BodyEncoding {
    Text,
    Base64,
}

/// A delivery that was pulled: what a request to an endpoint would have carried, and how long you have.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Lease)]
struct LeaseView {
    /// What to acknowledge, refuse or extend.
    #[schema(example = "01980e5a-3c1f-7a2b-8c4d-000000000001_1")]
    lease: String,
    /// The delivery, the same in each of its attempts.
    delivery_id: String,
    /// The event: the own id of its producer where it gave one, else ours.
    event_id: String,
    /// The event's type.
    event_type: String,
    /// Which attempt of the delivery this is, from 1.
    #[schema(minimum = 1)]
    attempt: u16,
    /// When the lease runs out. Then this attempt has failed, and the delivery comes again by its schedule.
    #[schema(format = DateTime)]
    expires_at: String,
    /// The headers of the request, the signature among them.
    #[schema(example = json!({"webhook-id": "order-1042", "webhook-timestamp": "1768469400", "webhook-signature": "v1,…"}))]
    headers: BTreeMap<String, String>,
    /// The body of the request: verify the signature over exactly this.
    #[schema(example = "{\"type\":\"task.created\",\"data\":{\"id\":1}}")]
    body: String,
    /// How it is written here.
    body_encoding: BodyEncoding,
}

impl From<Pulled> for LeaseView {
    fn from(pulled: Pulled) -> Self {
        let (body, body_encoding) = match String::from_utf8(pulled.body.into()) {
            Ok(text) => (text, BodyEncoding::Text),
            Err(not_text) => (BASE64_STANDARD.encode(not_text.as_bytes()), BodyEncoding::Base64),
        };
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in pulled.headers {
            headers.entry(name).and_modify(|known| *known = format!("{known}, {value}")).or_insert(value);
        }
        Self {
            lease: pulled.lease.to_string(),
            delivery_id: pulled.lease.delivery.to_string(),
            event_id: pulled.event,
            event_type: pulled.event_type,
            attempt: pulled.lease.number,
            expires_at: time::rfc3339(pulled.expires_at),
            headers,
            body,
            body_encoding,
        }
    }
}

/// Where a lease stands: `acked` and `nacked` are recorded, `extended` goes on, `lost` is none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "acked")]
enum LeaseState {
    Acked,
    Nacked,
    Extended,
    Lost,
}

/// Where a lease stands after something was said of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = LeaseAnswer)]
struct AnswerView {
    /// The lease.
    #[schema(example = "01980e5a-3c1f-7a2b-8c4d-000000000001_1")]
    lease: String,
    /// Where it stands. The first word counts: of one that was acknowledged it stays `acked`, whatever is said later.
    state: LeaseState,
    /// When it runs out, where it goes on.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// Leases of deliveries that are done.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeasesAck)]
struct AckInput {
    /// The leases, 1 to 100.
    leases: Vec<String>,
}

/// Leases of deliveries that could not be done.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeasesNack)]
struct NackInput {
    /// The leases, 1 to 100.
    leases: Vec<String>,
    /// Why, in at most 500 characters: it stands in the attempt.
    #[serde(default)]
    reason: Option<String>,
}

/// Leases of deliveries that take longer.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeasesExtend)]
struct ExtendInput {
    /// The leases, 1 to 100.
    leases: Vec<String>,
    /// How long each goes on from now, in seconds, 1 to 3,600; 30 if left out.
    #[serde(default)]
    seconds: Option<u64>,
}

/// Pull deliveries of a webhook
///
/// For webhooks with `"mode": "pull"`. Waits until there are some, and hands over what a request to an endpoint would have
/// carried, each with a lease: say with `ack` or `nack` what became of it, or the attempt has failed when the lease runs out.
/// What failed comes again by the webhook's schedule.
#[utoipa::path(
    operation_id = "webhooks.leases.pull", security(("key" = ["consume"])),
    params(("id" = String, Path), PullQuery),
    responses(
        (status = 200, description = "Some deliveries; none if none came in time", body = Reply<Vec<LeaseView>>),
        (status = 409, description = "Its deliveries are sent to its URL"),
    )
)]
#[get("/api/v1/webhooks/{id}/pull")]
pub async fn pull(
    tenant: May<Consume>,
    api: web::Data<Api>,
    id: web::Path<String>,
    request: HttpRequest,
    Query(query): Query<PullQuery>,
) -> Result<HttpResponse, Problem> {
    let webhook = reach(&api, &tenant).pulled(&id)?;
    let ask = query.read(webhook.number())?;
    let _place = api.may_poll(webhook.account).map_err(Problem::too_many_polls)?;
    let connection = request.conn_data::<Arc<Admitted>>().cloned();
    let is_there = move || connection.as_ref().is_none_or(|connection| !connection.is_left());
    let pulled = api.outbound.pull(ask, Box::new(is_there)).await;
    Ok(unkept(Reply::ok(pulled.into_iter().map(LeaseView::from).collect::<Vec<_>>())))
}

/// Acknowledge deliveries that were pulled: they are done
///
/// The reply comes once that is recorded. Saying it again changes nothing.
#[utoipa::path(
    operation_id = "webhooks.leases.ack", security(("key" = ["consume"])),
    params(("id" = String, Path)), request_body = AckInput,
    responses(
        (status = 200, description = "Where each lease stands, in your order", body = Reply<Vec<AnswerView>>),
        (status = 409, description = "None of them goes on (`lease_lost`), or its deliveries are sent to its URL"),
    )
)]
#[post("/api/v1/webhooks/{id}/pull/ack")]
pub async fn ack(
    Asked(tenant, body): Asked<Consume>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let input = body.read::<AckInput>()?;
    say(&api, &tenant, &id, &input.leases, Word::Ack).await
}

/// Refuse deliveries that were pulled: they come again by the webhook's schedule
///
/// As after any failed attempt: their retries are used up one by one, and then they are dead letters.
#[utoipa::path(
    operation_id = "webhooks.leases.nack", security(("key" = ["consume"])),
    params(("id" = String, Path)), request_body = NackInput,
    responses(
        (status = 200, description = "Where each lease stands, in your order", body = Reply<Vec<AnswerView>>),
        (status = 409, description = "None of them goes on (`lease_lost`), or its deliveries are sent to its URL"),
    )
)]
#[post("/api/v1/webhooks/{id}/pull/nack")]
pub async fn nack(
    Asked(tenant, body): Asked<Consume>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let input = body.read::<NackInput>()?;
    let reason = input.reason.map(|text| vet_text("reason", text, REASON_CHARS_MAX)).transpose()?;
    say(&api, &tenant, &id, &input.leases, Word::Nack(reason)).await
}

/// Extend the leases of deliveries that take longer
#[utoipa::path(
    operation_id = "webhooks.leases.extend", security(("key" = ["consume"])),
    params(("id" = String, Path)), request_body = ExtendInput,
    responses(
        (status = 200, description = "Where each lease stands, in your order", body = Reply<Vec<AnswerView>>),
        (status = 409, description = "None of them goes on (`lease_lost`), or its deliveries are sent to its URL"),
    )
)]
#[post("/api/v1/webhooks/{id}/pull/extend")]
pub async fn extend(
    Asked(tenant, body): Asked<Consume>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let input = body.read::<ExtendInput>()?;
    let seconds = input.seconds.unwrap_or(LEASE_SECONDS_DEFAULT);
    if !(1..=LEASE_SECONDS_MAX).contains(&seconds) {
        return Err(Invalid::new("seconds", format!("must be a number from 1 to {LEASE_SECONDS_MAX}")).into());
    }
    say(&api, &tenant, &id, &input.leases, Word::Extend(Duration::from_secs(seconds))).await
}

async fn say(api: &Api, tenant: &Tenant, id: &str, leases: &[String], word: Word) -> Result<HttpResponse, Problem> {
    let webhook = reach(api, tenant).pulled(id)?;
    let leases = vet_leases(leases, &webhook)?;
    let stand = api.outbound.say(leases.clone(), word).await;
    if stand.contains(&Leased::Unrecorded) {
        return Err(Problem::not_recorded());
    }
    if stand.iter().all(|one| *one == Leased::Lost) {
        return Err(Problem::lease_lost());
    }
    let answers = leases.iter().zip(stand).map(|(lease, stands)| AnswerView::of(*lease, stands));
    Ok(unkept(Reply::ok(answers.collect::<Vec<_>>())))
}

fn vet_leases(texts: &[String], webhook: &Webhook) -> Result<Vec<AttemptId>, Invalid> {
    if texts.is_empty() || texts.len() > LIMIT_MAX {
        return Err(Invalid::new("leases", format!("must name 1 to {LIMIT_MAX} leases")));
    }
    let read = |(n, text): (usize, &String)| {
        let lease = AttemptId::parse(text).filter(|lease| lease.delivery.webhook() == webhook.number());
        lease.ok_or_else(|| Invalid::new(format!("leases[{n}]"), "is no lease of a delivery of this webhook"))
    };
    texts.iter().enumerate().map(read).collect()
}

impl AnswerView {
    fn of(lease: AttemptId, stands: Leased) -> Self {
        let (state, until) = match stands {
            Leased::Acked => (LeaseState::Acked, None),
            Leased::Nacked => (LeaseState::Nacked, None),
            Leased::Until(at) => (LeaseState::Extended, Some(at)),
            Leased::Lost | Leased::Unrecorded => (LeaseState::Lost, None),
        };
        Self { lease: lease.to_string(), state, expires_at: until.map(time::rfc3339) }
    }
}

impl Reach<'_> {
    /// The webhook of this id, if its deliveries are pulled.
    fn pulled(&self, id: &str) -> Result<Arc<Webhook>, Problem> {
        let message = "this webhook's deliveries are sent to its URL; make one with \"mode\": \"pull\" to pull them";
        self.webhook(id).and_then(|webhook| match webhook.is_pulled() {
            true => Ok(webhook),
            false => Err(Problem::wrong_state(message)),
        })
    }
}

/// What was handed over once is nobody's to keep on the way.
fn unkept(mut reply: HttpResponse) -> HttpResponse {
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
