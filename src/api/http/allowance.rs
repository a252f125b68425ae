//! How a reply says what is left of a rate limit.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::domain::rate_limit::Allowance;

/// Says in a reply what is left. The time is in Unix seconds.
pub fn write(reply: &mut HeaderMap, left: Allowance) {
    let headers = [
        ("x-ratelimit-limit", u64::from(left.limit)),
        ("x-ratelimit-remaining", u64::from(left.remaining)),
        ("x-ratelimit-reset", left.full_at.div_ceil(1000)),
    ];
    for (name, value) in headers {
        reply.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}
