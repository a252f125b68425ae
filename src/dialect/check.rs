//! The health check: a request that anybody could make, to see whether an endpoint answers. It carries no secret: in the
//! place of each signature stands a word, so an endpoint that verifies what it gets rightly refuses it.

use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};

use super::Dialect;
use super::headers::{AttemptFacts, header_value};

/// The body of a health check.
pub const HEALTH_CHECK_BODY: &str = r#"{"test": true}"#;
/// What stands in the place of a signature.
const IN_PLACE_OF_A_SIGNATURE: &str = "test";

impl Dialect {
    /// The headers of a health check.
    pub fn health_check_headers(&self, what: &AttemptFacts<'_>) -> Vec<(HeaderName, HeaderValue)> {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut headers = vec![json, (USER_AGENT, header_value(self.user_agent.as_str()))];
        headers.extend(self.signatures_in_headers().map(|(rule, key)| {
            let word = [(&rule.value, IN_PLACE_OF_A_SIGNATURE.to_string())].into_iter();
            let text = rule.text_with(word, &|slot, out| self.fact(what, slot, out));
            (key.name.clone(), header_value(&text))
        }));
        headers
    }
}
