//! The documentation, as pages. They answer without a key: they are for whoever reads, and show nothing of any account. What
//! stays true: no script or style that is not a file of our own does anything in them.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, guard, web};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::site::site;
use crate::api::Api;
use crate::api::http::problem::Problem;
use crate::api::http::request::Query;
use crate::api::openapi::described::{Described, Searched};
use crate::dialect::{Dialect, SCHEMA};
use crate::docs::{self, Found, Library, Page, Reference};

const HTML: &str = "text/html; charset=utf-8";
/// Scripts and styles come from files of ours only, and a page calls nobody but this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

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
pub async fn index(api: web::Data<Api>, request: HttpRequest, Query(query): Query<DocsQuery>) -> HttpResponse {
    page(&api, &request, query.format)
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
    api.mounted(&name)?;
    Ok(page(&api, &request, query.format))
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
pub async fn reference(api: web::Data<Api>, request: HttpRequest, Query(query): Query<DocsQuery>) -> HttpResponse {
    page(&api, &request, query.format)
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
pub async fn tutorial(api: web::Data<Api>, request: HttpRequest, Query(query): Query<DocsQuery>) -> HttpResponse {
    page(&api, &request, query.format)
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
pub async fn peers(api: web::Data<Api>, request: HttpRequest, Query(query): Query<DocsQuery>) -> HttpResponse {
    page(&api, &request, query.format)
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

/// What a request for any other page may ask for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    #[serde(default)]
    format: Format,
    #[serde(default)]
    q: String,
}

/// The pages for people that no program asks for, and so are in no document of the API: the guide, the reference, the parts of what is
/// long, the search, and the files that pages are shown with.
pub fn pages(to: &mut web::ServiceConfig) {
    let at = |address| web::resource(address).guard(guard::Get());
    to.service(at("/docs/search").to(search)).service(at("/docs/search.json").to(search_index));
    to.service(at("/docs/{page:.+}").to(other));
}

async fn other(api: web::Data<Api>, request: HttpRequest, Query(query): Query<PageQuery>) -> HttpResponse {
    page(&api, &request, query.format)
}

async fn search(api: web::Data<Api>, request: HttpRequest, Query(query): Query<PageQuery>) -> HttpResponse {
    let found = api.searched(&request).index.page(&query.q);
    told(&api, &request, found, query.format)
}

async fn search_index(api: web::Data<Api>, request: HttpRequest) -> HttpResponse {
    let json = api.searched(&request).json.clone();
    answer(&request, StatusCode::OK, "application/json", json)
}

impl Api {
    /// What the API says of itself.
    pub fn reference(&self) -> &Reference {
        described(self).reference()
    }

    /// What is searched in: made when it is first asked for, and again when contracts have changed.
    fn searched(&self, request: &HttpRequest) -> Arc<Searched> {
        let dialects = self.dialects.now();
        let contracts: Vec<Arc<Dialect>> = dialects.mounted().cloned().collect();
        described(self).searched(contracts, |contracts| {
            let mounted: Vec<&Dialect> = contracts.iter().map(AsRef::as_ref).collect();
            let site = site(self, request);
            let settings = self.settings();
            let keys = &settings.documented;
            Library { dialects: &mounted, site: &site, reference: described(self).reference(), keys }.index()
        })
    }
}

fn described(api: &Api) -> &Described {
    api.described.get().expect("an app that takes requests has set it")
}

/// The page that a request is for, whatever it is.
fn page(api: &Api, request: &HttpRequest, format: Format) -> HttpResponse {
    let dialects = api.dialects.now();
    let mounted: Vec<&Dialect> = dialects.mounted().map(AsRef::as_ref).collect();
    let site = site(api, request);
    let keys = &api.settings().documented;
    let library = Library { dialects: &mounted, site: &site, reference: described(api).reference(), keys };
    match library.at(&percent_decode_str(request.path()).decode_utf8_lossy()) {
        Some(Found::Page(page)) => told(api, request, *page, format),
        Some(Found::Moved(to)) => HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish(),
        Some(Found::Asset(asset)) => HttpResponse::Ok()
            .content_type(asset.media)
            .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .body(asset.text),
        None if format == Format::Html => answer(
            request,
            StatusCode::NOT_FOUND,
            HTML,
            docs::missing().with_dashboard(api.settings().people.are_let_in).to_html().into(),
        ),
        None => Problem::not_found("page").error_response(),
    }
}

fn told(api: &Api, request: &HttpRequest, page: Page, format: Format) -> HttpResponse {
    let page = page.with_dashboard(api.settings().people.are_let_in);
    match format {
        Format::Html => answer(request, StatusCode::OK, HTML, page.to_html().into()),
        Format::Markdown => answer(request, StatusCode::OK, "text/markdown; charset=utf-8", page.to_markdown().into()),
    }
}

/// A page may change whenever dialects are read again, so it is asked for each time, and sent if it has changed.
fn answer(request: &HttpRequest, status: StatusCode, kind: &str, body: Bytes) -> HttpResponse {
    let hash: String = Sha256::digest(&body).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let is_known = |known: &HeaderValue| known.to_str().is_ok_and(|known| known.contains(&tag));
    let known = status == StatusCode::OK && request.headers().get(header::IF_NONE_MATCH).is_some_and(is_known);
    let mut reply = if known { HttpResponse::NotModified() } else { HttpResponse::build(status) };
    reply
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, "public, no-cache"))
        .insert_header((header::VARY, "host, x-forwarded-host, x-forwarded-proto, forwarded"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    if known { reply.finish() } else { reply.content_type(kind).body(body) }
}
