//! The documentation that dialects write of themselves, as pages. They answer without a key: they are for receivers, and
//! show nothing of any account.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::site::site;
use crate::api::Api;
use crate::api::http::problem::Problem;
use crate::api::http::request::Query;
use crate::dialect::SCHEMA;
use crate::docs::{self, Document};

/// How a document is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One HTML page.
    #[default]
    Html,
    /// Markdown.
    Markdown,
}

/// How to write it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DocsQuery {
    /// `html` if left out.
    #[serde(default)]
    #[param(inline, required = false)]
    pub format: Format,
}

/// The documents of all dialects
#[utoipa::path(
    operation_id = "docs.index.get", security(()),
    params(DocsQuery),
    responses(
        (status = 200, description = "A page that leads to them",
            content((String = "text/html"), (String = "text/markdown"))),
        (status = 304, description = "It is what `If-None-Match` names"),
    )
)]
#[get("/docs")]
pub async fn index(
    api: web::Data<Api>,
    request: HttpRequest,
    Query(query): Query<DocsQuery>,
) -> Result<HttpResponse, Problem> {
    let dialects = api.dialects.now();
    let document = docs::index(dialects.mounted().map(AsRef::as_ref), |name| format!("/docs/webhooks/{name}"));
    Ok(page(&request, &document, query.format))
}

/// The documentation of a dialect's webhooks, for those who receive them
#[utoipa::path(
    operation_id = "docs.webhooks.get", security(()),
    params(("name" = String, Path), DocsQuery),
    responses(
        (status = 200, description = "The whole documentation",
            content((String = "text/html"), (String = "text/markdown"))),
        (status = 304, description = "It is what `If-None-Match` names"),
    )
)]
#[get("/docs/webhooks/{name}")]
pub async fn show(
    api: web::Data<Api>,
    name: web::Path<String>,
    request: HttpRequest,
    Query(query): Query<DocsQuery>,
) -> Result<HttpResponse, Problem> {
    let dialect = api.mounted(&name)?;
    Ok(page(&request, &docs::document(&dialect, &site(&api, &request)), query.format))
}

/// What every key of a dialect file means
#[utoipa::path(
    operation_id = "docs.dialects.get", security(()),
    params(DocsQuery),
    responses(
        (status = 200, description = "The reference", content((String = "text/html"), (String = "text/markdown"))),
        (status = 304, description = "It is what `If-None-Match` names"),
    )
)]
#[get("/docs/dialects")]
pub async fn reference(request: HttpRequest, Query(query): Query<DocsQuery>) -> HttpResponse {
    page(&request, &docs::reference(), query.format)
}

/// How a dialect file is written from nothing
#[utoipa::path(
    operation_id = "docs.tutorial.get", security(()),
    params(DocsQuery),
    responses(
        (status = 200, description = "The tutorial", content((String = "text/html"), (String = "text/markdown"))),
        (status = 304, description = "It is what `If-None-Match` names"),
    )
)]
#[get("/docs/dialects/tutorial")]
pub async fn tutorial(request: HttpRequest, Query(query): Query<DocsQuery>) -> HttpResponse {
    page(&request, &docs::tutorial(), query.format)
}

/// What other webhook servers can do, and how it is done here
#[utoipa::path(
    operation_id = "docs.peers.get", security(()),
    params(DocsQuery),
    responses(
        (status = 200, description = "The table", content((String = "text/html"), (String = "text/markdown"))),
        (status = 304, description = "It is what `If-None-Match` names"),
    )
)]
#[get("/docs/peers")]
pub async fn peers(request: HttpRequest, Query(query): Query<DocsQuery>) -> HttpResponse {
    page(&request, &docs::peers(), query.format)
}

/// The JSON Schema of dialect files, for editors
#[utoipa::path(
    operation_id = "docs.schema.get", security(()),
    responses((status = 200, description = "The schema", body = Value, content_type = "application/schema+json"))
)]
#[get("/docs/dialects/schema.json")]
pub async fn schema() -> HttpResponse {
    HttpResponse::Ok().content_type("application/schema+json").body(SCHEMA.to_string())
}

/// A document may change whenever dialects are read again, so it is asked for each time, and sent if it has changed.
pub fn page(request: &HttpRequest, document: &Document, format: Format) -> HttpResponse {
    let (content_type, text) = match format {
        Format::Html => ("text/html; charset=utf-8", document.to_html()),
        Format::Markdown => ("text/markdown; charset=utf-8", document.to_markdown()),
    };
    let hash: String = Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let is_known = |known: &HeaderValue| known.to_str().is_ok_and(|known| known.contains(&tag));
    let known = request.headers().get(header::IF_NONE_MATCH).is_some_and(is_known);
    let mut reply = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    reply
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, "public, no-cache"))
        .insert_header((header::VARY, "host, x-forwarded-host, x-forwarded-proto, forwarded"))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ));
    if known { reply.finish() } else { reply.content_type(content_type).body(text) }
}
