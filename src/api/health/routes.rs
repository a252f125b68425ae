//! Whether the server lives, and whether it takes work. These answer without a key: they show no tenant's data.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;

use super::readiness::{Ready, readiness};
use crate::api::Api;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;

/// Whether the process lives.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Live)]
struct Health {
    /// `live`.
    status: &'static str,
}

/// Whether the process lives
#[utoipa::path(
    operation_id = "health.live.get", security(()),
    responses((status = 200, description = "It does", body = Reply<Health>))
)]
#[get("/health/live")]
pub async fn live() -> HttpResponse {
    is_live()
}

/// It does.
pub fn is_live() -> HttpResponse {
    Reply::ok(Health { status: "live" })
}

/// Whether events are taken and delivered: the store is open and has space, and no thread is stuck
#[utoipa::path(
    operation_id = "health.ready.get", security(()),
    responses(
        (status = 200, description = "They are", body = Reply<Ready>),
        (status = 503, description = "Not now; the code says why"),
    )
)]
#[get("/health/ready")]
pub async fn ready(api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(readiness(&api)?))
}
