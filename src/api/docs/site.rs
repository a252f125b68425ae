//! The server as its documents name it. What stays true: what is no host gets into no page, and into no command to copy.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use actix_web::HttpRequest;
use url::{Host, Url};

use crate::api::Api;
use crate::api::door::client;
use crate::api::door::connections::Admitted;
use crate::docs::Site;
use crate::domain::names::is_host_name;

/// What documents say of this server; its address is the one that it was asked at.
pub fn site(api: &Api, request: &HttpRequest) -> Site {
    Site {
        base_url: asked_at(request),
        egress: api.settings().egress.iter().map(ToString::to_string).collect(),
        https_only: !api.settings().http_allowed,
    }
}

/// Where the server is found: `server.public_url`, or else where it was asked, if a trusted proxy says so or if that is an address of
/// this very server. It gets into links that let somebody in and into commands to copy, so no name is believed that a client may
/// have made up: then it is where the server listens.
pub fn asked_at(request: &HttpRequest) -> String {
    if let Some(url) = client::public_url(request) {
        return url;
    }
    let ((scheme, host), listens) = (client::came_by(request), listens(request));
    let is_known = || client::is_host_told(request) || is_own(&host, listens.ip());
    if is_authority(&host) && is_known() { format!("{scheme}://{host}") } else { at(request, listens) }
}

/// The end of the connection that is ours.
fn listens(request: &HttpRequest) -> SocketAddr {
    request.conn_data::<Arc<Admitted>>().map_or_else(|| request.app_config().local_addr(), |here| here.here)
}

fn at(request: &HttpRequest, listens: SocketAddr) -> String {
    let is_tls = request.conn_data::<Arc<Admitted>>().is_some_and(|here| here.is_by_tls());
    format!("{}://{listens}", if is_tls { "https" } else { "http" })
}

/// Whether a host is an address of ours: the one that the client has reached, or, where that is this machine's own, another such one
/// or its name. The port may be another, as behind a tunnel.
fn is_own(host: &str, ours: IpAddr) -> bool {
    let ours = ours.to_canonical();
    let is_ours = |address: IpAddr| address == ours || address.is_loopback() && ours.is_loopback();
    match Url::parse(&format!("http://{host}/")).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost" && ours.is_loopback(),
        Some(Host::Ipv4(address)) => is_ours(address.into()),
        Some(Host::Ipv6(address)) => is_ours(IpAddr::from(address).to_canonical()),
        None => false,
    }
}

/// Where this request came in, whatever address is to be told to people.
pub fn came_by(request: &HttpRequest) -> String {
    let (scheme, host) = client::came_by(request);
    if is_authority(&host) { format!("{scheme}://{host}") } else { format!("{scheme}://{}", listens(request)) }
}

/// Whether it is a host, or a host and a port.
pub fn is_authority(text: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_ours_if_the_client_has_reached_it() {
        for (host, ours, expected) in [
            ("127.0.0.1:7080", "127.0.0.1", true),
            ("localhost:8080", "127.0.0.1", true),
            ("[::1]", "127.0.0.1", true),
            ("127.0.0.2", "::ffff:127.0.0.1", true),
            ("10.1.2.3:7080", "10.1.2.3", true),
            ("[fd00::1]:7080", "fd00::1", true),
            ("localhost", "10.1.2.3", false),
            ("127.0.0.1", "10.1.2.3", false),
            ("10.1.2.4", "10.1.2.3", false),
            ("evil.example", "127.0.0.1", false),
            ("localhost.evil.example", "127.0.0.1", false),
        ] {
            assert_eq!(is_own(host, ours.parse().unwrap()), expected, "{host} at {ours}");
        }
    }

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
