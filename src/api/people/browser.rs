//! The browser that somebody logs in with. What stays true: one that others could listen to is never made of a request.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::api::access::way::{Way, refuse_foreign};
use crate::api::docs::site::asked_at;
use crate::api::door::connections::Peer;
use crate::api::http::problem::Problem;

/// A browser, as a request shows it.
#[derive(Debug, Clone)]
pub struct Browser {
    /// How it came.
    pub way: Way,
    /// From where.
    pub address: Option<IpAddr>,
    /// How it names itself.
    pub user_agent: String,
    /// The address at which it finds the server, without a slash at its end.
    pub base_url: String,
    /// Whom its guesses count against.
    peer: Peer,
}

impl Browser {
    /// Of a request that asks for a page; refused in words where others could read on.
    pub fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let user_agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let address = request.peer_addr().map(|peer| peer.ip().to_canonical());
        let behind = address.filter(|address| is_near(*address)).and_then(|_| told_by_proxy(request));
        Ok(Self {
            way: Way::refuse_clear(request)?,
            address,
            peer: behind.or(address).map_or(Peer::OTHERS, Peer::from),
            user_agent: user_agent.unwrap_or_default().to_string(),
            base_url: asked_at(request),
        })
    }

    /// The same of one that sends a form, which must come from a page of this server.
    pub fn of_form(request: &HttpRequest) -> Result<Self, Problem> {
        let browser = Self::of(request)?;
        refuse_foreign(request).map(|()| browser)
    }

    /// Whom its guesses count against: where it is, or, where that is a proxy nearby, where the proxy says that it is. All that come
    /// by one proxy would be held up together otherwise. Who is near and lies about that gets round the waits of a place,
    /// and not round those of a user.
    pub fn peer(&self) -> Peer {
        self.peer
    }
}

/// Whether a proxy of one's own could be there.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// What the last proxy says of whom it asks for.
fn told_by_proxy(request: &HttpRequest) -> Option<IpAddr> {
    let told = request.headers().get_all("x-forwarded-for").last()?.to_str().ok()?;
    told.rsplit(',').next()?.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn guesses_count_against_whom_a_proxy_nearby_asks_for_and_nobody_far_away_is_believed() {
        let peer = |from: &str, told: &str| {
            let request = TestRequest::default().peer_addr(from.parse().unwrap()).insert_header(("Host", "localhost"));
            Browser::of(&request.insert_header(("X-Forwarded-For", told)).to_http_request()).unwrap().peer()
        };
        let of = |address: &str| Peer::from(address.parse::<IpAddr>().unwrap());
        assert_eq!(peer("127.0.0.1:5", "192.0.2.1, 198.51.100.7"), of("198.51.100.7"), "what is before is hearsay");
        assert_eq!(peer("10.1.2.3:5", "nobody"), of("10.1.2.3"));
        assert_eq!(peer("203.0.113.9:5", "198.51.100.7"), of("203.0.113.9"));
    }
}
