//! Headers that all of our requests are made with: those that people set, and the one that marks them as ours.

use actix_web::http::header::{HeaderName, HeaderValue};

use crate::domain::endpoint::HOP_HEADER;

/// A header that was vetted when it was set.
pub fn parsed((name, value): &(String, String)) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, value.parse().ok()?))
}

/// Marks a request as one of ours.
pub fn hop() -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(HOP_HEADER), HeaderValue::from_static("1"))
}
