//! The browser that somebody logs in with. What stays true: one that others could listen to is never made of a request.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::api::access::way::{Way, refuse_foreign};
use crate::api::docs::site::asked_at;
use crate::api::door::client;
use crate::api::door::peers::Peer;
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
        let address = client::address(request);
        Ok(Self {
            way: Way::refuse_clear(request)?,
            address,
            peer: address.map_or(Peer::OTHERS, Peer::from),
            user_agent: user_agent.unwrap_or_default().to_string(),
            base_url: asked_at(request),
        })
    }

    /// The same of one that sends a form, which must come from a page of this server.
    pub fn of_form(request: &HttpRequest) -> Result<Self, Problem> {
        let browser = Self::of(request)?;
        refuse_foreign(request).map(|()| browser)
    }

    /// Whom its guesses count against: where it is, as a trusted proxy says if there is one. All that come by one proxy that is not
    /// trusted are held up together.
    pub fn peer(&self) -> Peer {
        self.peer
    }
}
