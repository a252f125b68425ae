//! How a browser came here: over TLS, on this very machine, or in the clear from elsewhere. What stays true: nobody is asked for
//! a password where others could read it, and a form is taken only from a page of this server.

use actix_web::HttpRequest;
use actix_web::http::header;
use url::{Host, Url};

use crate::api::docs::site::{asked_at, came_by};
use crate::api::door::client;
use crate::api::http::problem::Problem;

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over TLS, here or to the proxy before the server.
    Tls,
    /// In the clear, and not beyond the machine.
    Loopback,
    /// In the clear over a network.
    Clear,
}

impl Way {
    /// That of this request, as the connection or a trusted proxy says; where that one says nothing, as `server.public_url` does. What a
    /// proxy hands on is not local because of its `Host`: many write there what they call us.
    pub fn of(request: &HttpRequest) -> Self {
        match Self::to(&came_by(request)) {
            Self::Loopback | Self::Clear if client::is_found_over_tls(request) => Self::Tls,
            Self::Loopback if client::is_handed_on(request) => Self::Clear,
            way => way,
        }
    }

    fn to(origin: &str) -> Self {
        let Ok(url) = Url::parse(origin) else { return Self::Clear };
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" => Self::Tls,
            _ if is_here => Self::Loopback,
            _ => Self::Clear,
        }
    }

    /// Refuses what others could read on their way.
    pub fn refuse_clear(request: &HttpRequest) -> Result<Self, Problem> {
        match Self::of(request) {
            Self::Clear => Err(Problem::forbidden(
                "this page was asked for over plain HTTP, where others can read passwords: nobody can log in here. Serve TLS \
                 (server.tls_certificate and server.tls_key), let a proxy of server.trusted_proxies say that it \
                 speaks it (X-Forwarded-Proto: https), or come by http://localhost through a tunnel",
            )),
            way => Ok(way),
        }
    }
}

/// Refuses a form that comes from another site's page: by its `Origin`, or, where the browser sends none, by its `Referer`. A
/// browser that sends neither is refused too: none does that to its own site.
pub fn refuse_foreign(request: &HttpRequest) -> Result<(), Problem> {
    let said = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let from = said(header::ORIGIN).filter(|origin| *origin != "null").or_else(|| said(header::REFERER));
    let is_own =
        from.is_some_and(|from| is_same_origin(from, &asked_at(request)) || is_same_origin(from, &came_by(request)));
    let message = "this form did not come from a page of this server; open the page anew and send it from there. Behind a proxy: \
                   set server.public_url, or name it in server.trusted_proxies and let it pass on Host and X-Forwarded-Proto";
    if is_own { Ok(()) } else { Err(Problem::forbidden(message)) }
}

fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin()).filter(url::Origin::is_tuple);
    origin(one).is_some_and(|one| origin(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_asked_for_over_tls_and_on_this_machine() {
        for (origin, way) in [
            ("https://hooks.example", Way::Tls),
            ("http://hooks.example", Way::Clear),
            ("http://localhost:7080", Way::Loopback),
            ("http://127.0.0.2", Way::Loopback),
            ("http://[::1]:7080", Way::Loopback),
            ("http://10.0.0.1", Way::Clear),
            ("http://localhost.example", Way::Clear),
            ("http://127.0.0.1.example", Way::Clear),
            ("", Way::Clear),
        ] {
            assert_eq!(Way::to(origin), way, "{origin}");
        }
    }

    #[test]
    fn a_form_comes_from_where_it_goes() {
        for (from, is_own) in [
            ("https://a.example", true),
            ("https://a.example/dashboard/log-in?next=x", true),
            ("https://a.example:443", true),
            ("http://a.example", false),
            ("https://a.example:8443", false),
            ("https://b.a.example", false),
            ("https://a.example.evil", false),
            ("null", false),
            ("data:text/html,x", false),
            ("", false),
        ] {
            assert_eq!(is_same_origin(from, "https://a.example"), is_own, "{from}");
        }
    }
}
