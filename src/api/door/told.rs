//! One wide line a call, where calls are to be logged. What stays true: neither a body, a header nor a query stands in it, and of
//! pages, whose addresses can let somebody in, only their pattern; and where such lines are off, nothing is made of a call.

use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::ServiceResponse;
use tracing::Level;

use crate::api::door::client;
use crate::api::http::code::Code;
use crate::clock::Stopwatch;
use crate::domain::account::Account;
use crate::domain::id::{KeyId, UserId};

/// A path, in bytes: what no route is for can be anything.
const PATH_BYTES_MAX: usize = 200;
/// Asked every few seconds by machines: a line only where something is amiss.
const WATCHED: [&str; 3] = ["/health/live", "/health/ready", "/metrics"];
/// Under these the addresses of pages lie.
const PAGES: [&str; 2] = ["/dashboard", "/portal"];

/// Who makes a call, once that is known.
pub struct Caller {
    /// For which account, or whose person or guest.
    pub account: Arc<Account>,
    /// With which key.
    pub key: Option<KeyId>,
    /// As whom they logged in.
    pub user: Option<UserId>,
}

/// Whether calls are logged.
pub fn is_on() -> bool {
    tracing::enabled!(target: "hookwheel::access", Level::INFO)
}

/// A call is answered, which began with the watch.
pub fn log(reply: &ServiceResponse<impl MessageBody>, watch: &Stopwatch) {
    let (request, status) = (reply.request(), reply.status());
    let pattern = request.match_pattern();
    if status.is_success() && WATCHED.contains(&request.path()) {
        return;
    }
    let extensions = request.extensions();
    let caller = extensions.get::<Caller>();
    let code = reply.response().extensions().get::<Code>().copied();
    tracing::info!(
        target: "hookwheel::access",
        method = request.method().as_str(),
        path = shown(request.path(), pattern.as_deref()),
        status = status.as_u16(),
        code = code.map(Code::word),
        took_ms = f64::from(watch.micros()) / 1000.0,
        bytes = match reply.response().body().size() {
            BodySize::Sized(bytes) => Some(bytes),
            BodySize::None | BodySize::Stream => None,
        },
        account = caller.map(|caller| caller.account.id.as_str()),
        key = caller.and_then(|caller| Some(caller.key?.to_string())),
        user = caller.and_then(|caller| Some(caller.user?.to_string())),
        address = client::address(request).map(|address| address.to_string()),
        "call"
    );
}

/// What of a path may be told.
fn shown<'a>(path: &'a str, pattern: Option<&'a str>) -> &'a str {
    let page = PAGES
        .into_iter()
        .find(|page| path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    match (page, pattern) {
        (Some(_), Some(pattern)) => pattern,
        (Some(page), None) => page,
        (None, _) => &path[..path.floor_char_boundary(PATH_BYTES_MAX)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_page_only_its_pattern_is_told_and_no_path_is_longer_than_it_may_be() {
        let ticket = "/dashboard/ticket/secret";
        assert_eq!(shown(ticket, Some("/dashboard/ticket/{token}")), "/dashboard/ticket/{token}");
        assert_eq!((shown(ticket, None), shown("/portal", None)), ("/dashboard", "/portal"));
        let path = "/api/v1/events/evt_1";
        assert_eq!((shown(path, Some("/api/v1/events/{id}")), shown("/dashboards", None)), (path, "/dashboards"));
        assert_eq!(shown(&"/ä".repeat(200), None).len(), PATH_BYTES_MAX - 1);
    }
}
