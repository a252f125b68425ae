//! Statistics of an account and of a webhook, by minute, hour or day. What stays true: a reply has every point of the
//! span that it names, those in which nothing happened too, and never more than `POINTS_MAX`.

use actix_web::{HttpResponse, get, web};

use super::input::StatsQuery;
use super::view::{StatsView, view};
use crate::api::Api;
use crate::api::access::auth::{May, Read};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::http::request::Query;
use crate::api::webhooks::reach::reach;
use crate::domain::id::AccountNumber;
use crate::domain::stats::Series;

/// Show what the account's events and deliveries came to, over time
///
/// Webhooks that were deleted are counted as long as they were there.
#[utoipa::path(
    operation_id = "stats.get", security(("key" = ["read"])),
    params(StatsQuery),
    responses(
        (status = 200, description = "One point a minute, hour or day", body = Reply<StatsView>),
        (status = 400, description = "A parameter cannot be read, or there would be too many points"),
    )
)]
#[get("/api/v1/stats")]
pub async fn of_account(
    tenant: May<Read>,
    api: web::Data<Api>,
    Query(query): Query<StatsQuery>,
) -> Result<HttpResponse, Problem> {
    let account = tenant.account().number;
    Ok(Reply::ok(read(&api, account, Series::Account(account), &query).await?))
}

/// Show what a webhook's deliveries came to, over time
#[utoipa::path(
    operation_id = "webhooks.stats.get", security(("key" = ["read"])),
    params(("id" = String, Path), StatsQuery),
    responses(
        (status = 200, description = "One point a minute, hour or day", body = Reply<StatsView>),
        (status = 400, description = "A parameter cannot be read, or there would be too many points"),
    )
)]
#[get("/api/v1/webhooks/{id}/stats")]
pub async fn of_webhook(
    tenant: May<Read>,
    api: web::Data<Api>,
    id: web::Path<String>,
    Query(query): Query<StatsQuery>,
) -> Result<HttpResponse, Problem> {
    let number = reach(&api, &tenant).webhook(&id)?.number();
    Ok(Reply::ok(read(&api, tenant.account().number, Series::Webhook(number), &query).await?))
}

/// What was counted of the account, or of one of its webhooks.
pub async fn read(
    api: &web::Data<Api>,
    account: AccountNumber,
    series: Series,
    query: &StatsQuery,
) -> Result<StatsView, Problem> {
    let now = api.clock.now();
    let span = query.span(now)?;
    let store = api.store.clone();
    let view = api.read(account, move || store.stats(series, span, now).map(|stats| view(span, &stats, now)));
    Ok(view.await??)
}
