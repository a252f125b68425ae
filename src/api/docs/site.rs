//! The server as its documents name it. What stays true: what is no host gets into no page, and into no command to copy.

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

/// Where the server is found: `server.public_url`, or else where it was asked, as the request or a trusted proxy says. It gets into commands to copy, so what is no host
/// is not believed: then it is where the server listens.
pub fn asked_at(request: &HttpRequest) -> String {
    client::public_url(request).unwrap_or_else(|| came_by(request))
}

/// Where this request came in, whatever address is to be told to people.
pub fn came_by(request: &HttpRequest) -> String {
    let ((scheme, host), here) = (client::came_by(request), request.conn_data::<Arc<Admitted>>());
    if is_authority(&host) {
        return format!("{scheme}://{host}");
    }
    let listens = here.map_or_else(|| request.app_config().local_addr(), |here| here.here);
    format!("{scheme}://{listens}")
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
