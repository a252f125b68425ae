//! What the dialects are, for programs: their rules in numbers and words. What stays true: this says the same as the documents under `/docs`, since both are made from the compiled dialect.

use actix_web::{HttpResponse, get, web};
use serde::Deserialize;

use super::view::{DialectView, view};
use crate::api::Api;
use crate::api::access::auth::{May, Read};
use crate::api::http::page::PageReply;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::http::request::Query;
use crate::domain::Invalid;
use crate::domain::account::Scope;

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

/// What to show of a dialect.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ShowQuery {
    /// `true`: with the text of its file; for admin keys.
    #[param(value_type = Option<bool>, example = true)]
    source: Option<String>,
}

/// Show a dialect
#[utoipa::path(
    operation_id = "dialects.get", security(("key" = ["read"])),
    params(("name" = String, Path), ShowQuery),
    responses((status = 200, description = "The dialect", body = Reply<DialectView>))
)]
#[get("/api/v1/dialects/{name}")]
pub async fn show(
    tenant: May<Read>,
    api: web::Data<Api>,
    name: web::Path<String>,
    Query(query): Query<ShowQuery>,
) -> Result<HttpResponse, Problem> {
    let dialect = api.mounted(&name)?;
    let shown = view(&dialect, &api.settings().egress);
    match query.source.as_deref() {
        None | Some("false") => Ok(Reply::ok(shown)),
        // Comments in a file are the operator's own.
        Some("true") if !tenant.is_admin() => Err(Problem::scope_missing(Scope::Admin).with_field("source")),
        Some("true") => Ok(Reply::ok(shown.with_source(&dialect))),
        Some(_) => Err(Invalid::new("source", "must be true or false").into()),
    }
}
