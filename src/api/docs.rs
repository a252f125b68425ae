//! The documentation that dialects write of themselves, as pages. They answer without a key: they are for receivers, and
//! show nothing of any account.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::Api;
use super::problem::{ErrorReply, Problem};
use super::request::Query;
use crate::docs::{self, Document, Site};
use crate::domain::names::is_host_name;

/// How a document is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
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
struct DocsQuery {
    /// `html` if left out.
    #[serde(default)]
    #[param(inline, required = false)]
    format: Format,
}

/// The documents of all dialects
#[utoipa::path(tag = "docs", security(()), params(DocsQuery), responses(
    (status = 200, description = "A page that leads to them", content(
        (String = "text/html"), (String = "text/markdown"),
    )),
    (status = 304, description = "It is what `If-None-Match` names"),
))]
#[get("/docs")]
pub async fn index(
    api: web::Data<Api>,
    request: HttpRequest,
    Query(query): Query<DocsQuery>,
) -> Result<HttpResponse, Problem> {
    let dialects = api.dialects.now();
    let document = docs::index(dialects.iter().map(AsRef::as_ref), |name| format!("/docs/webhooks/{name}"));
    Ok(page(&request, &document, query.format))
}

/// The documentation of a dialect's webhooks, for those who receive them
#[utoipa::path(tag = "docs", security(()), params(("name" = String, Path), DocsQuery), responses(
    (status = 200, description = "The whole documentation", content(
        (String = "text/html"), (String = "text/markdown"),
    )),
    (status = 304, description = "It is what `If-None-Match` names"),
    (status = 404, description = "There is no such dialect", body = ErrorReply<'static>),
))]
#[get("/docs/webhooks/{name}")]
pub async fn show(
    api: web::Data<Api>,
    name: web::Path<String>,
    request: HttpRequest,
    Query(query): Query<DocsQuery>,
) -> Result<HttpResponse, Problem> {
    let dialect = api.dialects.now().get(&name).cloned().ok_or_else(|| Problem::not_found("dialect"))?;
    Ok(page(&request, &docs::document(&dialect, &site(&api, &request)), query.format))
}

/// What documents say of this server; its address is the one that it was asked at.
fn site(api: &Api, request: &HttpRequest) -> Site {
    Site {
        base_url: asked_at(request),
        egress: api.settings.egress.iter().map(ToString::to_string).collect(),
        https_only: !api.settings.http_allowed,
    }
}

/// Where the server was asked, as the request or the proxy before it says. It gets into commands to copy, so what is no host
/// is not believed: then it is where the server listens.
fn asked_at(request: &HttpRequest) -> String {
    let (said, here) = (request.connection_info(), request.app_config());
    let listens = format!("{}://{}", if here.secure() { "https" } else { "http" }, here.local_addr());
    let is_known = matches!(said.scheme(), "http" | "https") && is_authority(said.host());
    if is_known { format!("{}://{}", said.scheme(), said.host()) } else { listens }
}

/// Whether it is a host, or a host and a port.
fn is_authority(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let Ok(url) = Url::parse(&format!("http://{text}/")) else { return false };
    let written = |host: &str| match url.port() {
        // `url` leaves out the port that a scheme means.
        None => text == host || text.strip_prefix(host) == Some(":80"),
        Some(port) => text == format!("{host}:{port}"),
    };
    match url.host() {
        Some(Host::Domain(name)) => is_host_name(name) && written(name),
        Some(address) => written(&address.to_string()),
        None => false,
    }
}

/// A document may change whenever dialects are read again, so it is asked for each time, and sent if it has changed.
fn page(request: &HttpRequest, document: &Document, format: Format) -> HttpResponse {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for good in
            ["example.com", "docs.example:8443", "a_b.example:80", "localhost", "127.0.0.1:7080", "[::1]:9", "[::1]"]
        {
            assert!(is_authority(good), "{good}");
        }
        for bad in [
            "",
            "a;id",
            "a$(id)",
            "a`id`",
            "a b",
            "a\"><b>",
            "a/b",
            "a?b",
            "a#b",
            "u@a",
            "u:p@a",
            "a:b",
            "a:99999",
            "a:",
            ":80",
            "a..b",
            "*",
            "a\\b",
            "a|b",
            "a&b",
            "a'b",
            "[::1",
            "EXAMPLE.com|x",
            "%61",
        ] {
            assert!(!is_authority(bad), "{bad}");
        }
    }
}
