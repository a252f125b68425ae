//! Who asks, and by which address, also where a proxy stands before the server. What stays true: all that need it ask here; and
//! where nobody is trusted, no header of a proxy is looked at.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use actix_web::{HttpMessage, HttpRequest, web};

use crate::api::Api;
use crate::api::door::connections::Admitted;
use crate::api::door::front::{Front, is_contradictory, parameter};

/// Headers that proxies add, and browsers never.
const HANDED_ON: [&str; 6] =
    ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "via"];

/// A call that the server makes to itself, in the name of somebody who found it at this address.
pub struct Inner(pub String);

/// What is believed where no server is: nothing.
fn front(request: &HttpRequest) -> Option<Front> {
    request.app_data::<web::Data<Api>>().map(|api| api.settings().front.clone())
}

fn by_proxy(request: &HttpRequest) -> bool {
    let peer = request.peer_addr();
    front(request).zip(peer).is_some_and(|(front, peer)| front.trusts(peer.ip()))
}

/// From where a request comes.
pub fn address(request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    Some(front(request).map_or(peer, |front| front.client(peer, request.headers())))
}

/// Under which address people are to find the server, where that is set.
pub fn public_url(request: &HttpRequest) -> Option<String> {
    front(request)?.public_url.as_deref().map(str::to_string)
}

/// The scheme and the host that a request came by: of a trusted proxy what it says, and else what the connection and `Host` say. The
/// host is as it was written.
pub fn came_by(request: &HttpRequest) -> (&'static str, String) {
    if let Some((scheme, host)) = request.extensions().get::<Inner>().and_then(|inner| inner.0.split_once("://")) {
        return (if scheme == "https" { "https" } else { "http" }, host.to_string());
    }
    let is_tls = request.conn_data::<Arc<Admitted>>().is_some_and(|here| here.is_by_tls());
    let headers = request.headers();
    let told = |standard, name| by_proxy(request).then(|| said(headers, standard, name)).flatten();
    let proto = told("proto", "x-forwarded-proto");
    let is_tls = is_tls || proto.is_some_and(|told| told.eq_ignore_ascii_case("https"));
    if proto.is_some_and(|told| !["http", "https"].iter().any(|known| told.eq_ignore_ascii_case(known))) {
        // Whoever says that is believed in nothing.
        return (if is_tls { "https" } else { "http" }, String::new());
    }
    let own = || {
        headers
            .get("host")
            .and_then(|host| host.to_str().ok())
            .or_else(|| request.uri().authority().map(|a| a.as_str()))
    };
    let host = told("host", "x-forwarded-host").or_else(own).unwrap_or_default();
    (if is_tls { "https" } else { "http" }, host.to_string())
}

/// Whether the host that a request came by is a trusted proxy's word, or the server's own. Else it is whatever the client wrote.
pub fn is_host_told(request: &HttpRequest) -> bool {
    let by_proxy = || by_proxy(request) && said(request.headers(), "host", "x-forwarded-host").is_some();
    request.extensions().get::<Inner>().is_some() || by_proxy()
}

/// Whether a proxy stands between, trusted or not: it says so by a header, or by the PROXY protocol.
pub fn is_handed_on(request: &HttpRequest) -> bool {
    has_header(request) || HANDED_ON.into_iter().any(|name| request.headers().contains_key(name))
}

/// Whether a trusted proxy that does not say how it was asked stands before a server which people find over TLS.
pub fn is_found_over_tls(request: &HttpRequest) -> bool {
    let is_silent = || by_proxy(request) && said(request.headers(), "proto", "x-forwarded-proto").is_none();
    public_url(request).is_some_and(|url| url.starts_with("https://")) && (has_header(request) || is_silent())
}

/// Whether the connection began with a header of the PROXY protocol that named its client.
fn has_header(request: &HttpRequest) -> bool {
    request.conn_data::<Arc<Admitted>>().is_some_and(|here| here.said.is_some())
}

/// What the nearest proxy says.
fn said<'r>(headers: &'r HeaderMap, standard: &str, name: &str) -> Option<&'r str> {
    let last = |name: &str| {
        headers.get_all(name).last().and_then(|line| line.to_str().ok()).and_then(|line| line.rsplit(',').next())
    };
    if is_contradictory(headers) {
        return None;
    }
    match last("forwarded") {
        Some(hop) => parameter(hop, standard),
        None => last(name).map(str::trim),
    }
}
