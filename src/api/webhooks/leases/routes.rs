//! Pulling: a consumer that cannot be reached asks for deliveries and says what became of each. What stays true: what is handed
//! over is what would have been sent, to the byte; whoever is told that a lease was acknowledged is told what is recorded; and
//! what was said can be said again.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, get, post, web};

use super::input::{AckInput, ExtendInput, NackInput, PullQuery, vet_leases};
use super::kept::charged;
use super::view::{AnswerView, LeaseView};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Consume, May, Tenant};
use crate::api::door::connections::Admitted;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::http::request::Query;
use crate::api::webhooks::reach::{Reach, reach};
use crate::domain::pull::{Leased, Word};
use crate::domain::webhook::Webhook;

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
    let (leases, charges): (Vec<_>, Vec<_>) = pulled.into_iter().map(LeaseView::of).unzip();
    Ok(charged(unkept(Reply::ok(leases)), charges))
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
    say(&api, &tenant, &id, &input.leases, input.word()?).await
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
    say(&api, &tenant, &id, &input.leases, input.word()?).await
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
    say(&api, &tenant, &id, &input.leases, input.word()?).await
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
