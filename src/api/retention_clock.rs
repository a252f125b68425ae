//! The clock by which retention tells age, and the operator's word that the machine's clock is right.

use actix_web::{HttpResponse, post, web};
use serde::Serialize;

use crate::api::Api;
use crate::api::access::auth::{Admin, May, Tenant};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::domain::time;

/// The clock by which retention tells age.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RetentionClock {
    /// What it shows.
    #[schema(format = DateTime)]
    pub time: String,
    /// How far it is behind the machine's clock; negative: ahead; 0: not by a minute.
    pub behind_seconds: i64,
}

/// Say that the machine's clock is right
///
/// By a clock of its own retention tells how old things are, what was held for too long, and what is to be forgotten. At a
/// start it follows the machine's clock by at most a day, so that a clock which is wrong costs nothing that is kept. After
/// a longer time in which the server did not run it stays behind; this call lets it go on to the machine's clock.
#[utoipa::path(
    operation_id = "server.retention_clock.trust", security(("key" = ["admin"])),
    responses((status = 200, description = "It has gone on; what is too old now goes", body = Reply<RetentionClock>))
)]
#[post("/api/v1/retention-clock/trust")]
pub async fn trust(tenant: May<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(let_go_on(&api, &tenant).await?))
}

/// Lets it go on to the machine's clock.
pub async fn let_go_on(api: &Api, tenant: &Tenant) -> Result<RetentionClock, Problem> {
    api.store.trust_clock(tenant.actor()).await?;
    Ok(retention_clock(api))
}

/// What it shows.
pub fn retention_clock(api: &Api) -> RetentionClock {
    let behind_seconds = api.store.keeping_behind_ms() / 1000;
    RetentionClock { time: time::rfc3339(api.store.keeping()), behind_seconds }
}
