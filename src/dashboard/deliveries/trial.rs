//! Attempts for the tests of this folder.

use crate::api::deliveries::view::{AttemptView, TimingsView};

/// One that failed after 40 ms with nothing known of where they went.
pub fn attempt(outcome: &'static str, status: Option<u16>, error: &str) -> AttemptView {
    let timings = TimingsView {
        auth_ms: None,
        resolve_ms: None,
        connect_ms: None,
        tls_ms: None,
        first_byte_ms: None,
        total_ms: 40,
    };
    AttemptView {
        number: 1,
        started_at: "2024-02-10T16:45:22.000Z".into(),
        response_time_ms: 40,
        url: None,
        request_headers: Default::default(),
        request_body: None,
        status_code: status,
        success: false,
        outcome,
        error: Some(error.into()),
        response_headers: Default::default(),
        response_body: String::new(),
        resent: false,
        reauthorized: false,
        timings,
    }
}
