//! `/openapi.json`.

use actix_web::{HttpResponse, get, web};

use crate::api::Api;
use crate::api::http::problem::Problem;

/// This document
#[utoipa::path(
    operation_id = "docs.openapi.get", security(()),
    responses((status = 200, description = "The OpenAPI document"))
)]
#[get("/openapi.json")]
pub async fn show(api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let described = api.described.get().ok_or_else(|| Problem::internal("no route is described"))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(described.json()))
}
