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
use crate::domain::stats::{Series, Span};

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
    answer(api, account, Series::Account(account), query).await
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
    answer(api, tenant.account().number, Series::Webhook(number), query).await
}

async fn answer(
    api: web::Data<Api>,
    account: AccountNumber,
    series: Series,
    query: StatsQuery,
) -> Result<HttpResponse, Problem> {
    let span = query.span(api.clock.now())?;
    let mut views = of_each(&api, account, vec![series], span).await?;
    Ok(Reply::ok(views.pop().ok_or_else(|| Problem::internal("statistics of nothing"))?))
}

/// The statistics of each of these, which are the account's own, in their order.
pub async fn of_each(
    api: &Api,
    account: AccountNumber,
    series: Vec<Series>,
    span: Span,
) -> Result<Vec<StatsView>, Problem> {
    let (store, now) = (api.store.clone(), api.clock.now());
    let of = move |one: Series| store.stats(one, span, now).map(|stats| view(span, &stats, now));
    let read = api.read(account, move || series.into_iter().map(of).collect::<Result<Vec<_>, _>>());
    Ok(read.await??)
}
