//! What the dialects are, for programs: their rules in numbers and words. What stays true: this says the same as the documents under `/docs`, since both are made from the compiled dialect.

use actix_web::{HttpResponse, get, web};

use super::view::{DialectView, view};
use crate::api::Api;
use crate::api::access::auth::{May, Read};
use crate::api::http::page::PageReply;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;

/// List the dialects that are served, by name
#[utoipa::path(
    operation_id = "dialects.list", security(("key" = ["read"])),
    responses((status = 200, description = "All of them", body = PageReply<DialectView>))
)]
#[get("/api/v1/dialects")]
pub async fn list(_: May<Read>, api: web::Data<Api>) -> HttpResponse {
    let rows = api.dialects.now().mounted().map(|dialect| view(dialect, &api.settings().egress)).collect();
    HttpResponse::Ok().json(PageReply::whole(rows))
}

/// Show a dialect
#[utoipa::path(
    operation_id = "dialects.get", security(("key" = ["read"])),
    params(("name" = String, Path)),
    responses((status = 200, description = "The dialect", body = Reply<DialectView>))
)]
#[get("/api/v1/dialects/{name}")]
pub async fn show(tenant: May<Read>, api: web::Data<Api>, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let dialect = api.mounted(&name)?;
    let shown = view(&dialect, &api.settings().egress);
    // Comments in a file are the operator's own.
    Ok(Reply::ok(if tenant.is_admin() { shown.with_source(&dialect) } else { shown }))
}
