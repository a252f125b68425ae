//! What the dialects are, for programs: their rules in numbers and words, and their documented events. What stays true:
//! this says the same as the documents under `/docs`, since both are made from the compiled dialect.

use actix_web::{HttpResponse, get, web};
use serde::Deserialize;

use super::view::{DialectView, EventTypeView, event_type, view};
use crate::api::Api;
use crate::api::access::auth::{May, Read};
use crate::api::http::page::PageReply;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::http::request::Query;

/// Whose event types.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventTypesQuery {
    /// The account's if left out.
    pub dialect: Option<String>,
}

/// List the dialects that are served, by name
#[utoipa::path(
    operation_id = "dialects.list", security(("key" = ["read"])),
    responses((status = 200, description = "All of them", body = PageReply<DialectView>))
)]
#[get("/api/v1/dialects")]
pub async fn list(_: May<Read>, api: web::Data<Api>) -> HttpResponse {
    let rows = api.dialects.now().mounted().map(|dialect| view(dialect, &api.settings.egress)).collect();
    HttpResponse::Ok().json(PageReply::whole(rows))
}

/// Show a dialect
#[utoipa::path(
    operation_id = "dialects.get", security(("key" = ["read"])),
    params(("name" = String, Path)),
    responses((status = 200, description = "The dialect", body = Reply<DialectView>))
)]
#[get("/api/v1/dialects/{name}")]
pub async fn show(_: May<Read>, api: web::Data<Api>, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let dialect = api.mounted(&name)?;
    Ok(Reply::ok(view(&dialect, &api.settings.egress)))
}

/// List the documented event types of a dialect, with samples and schemas
#[utoipa::path(
    operation_id = "event_types.list", security(("key" = ["read"])),
    params(EventTypesQuery),
    responses(
        (status = 200, description = "All of them, in the order of the documentation", body = PageReply<EventTypeView>),
        (status = 400, description = "There is no such dialect"),
        (status = 409, description = "Its dialect is not loaded: its file is gone"),
    )
)]
#[get("/api/v1/event-types")]
pub async fn event_types(
    tenant: May<Read>,
    api: web::Data<Api>,
    Query(query): Query<EventTypesQuery>,
) -> Result<HttpResponse, Problem> {
    let dialect = match query.dialect {
        Some(name) => api.served_dialect(&name)?,
        None => api.loaded(&tenant.account().dialect)?,
    };
    Ok(HttpResponse::Ok().json(PageReply::whole(dialect.catalogue.iter().map(event_type).collect())))
}
