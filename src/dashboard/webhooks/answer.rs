//! What an endpoint answered, on one screen: what happened and what to do, how long each phase took, headers and body.

use maud::{Markup, html};

use crate::api::deliveries::view::AttemptView;
use crate::dashboard::deliveries::endpoint::Endpoint;
use crate::dashboard::deliveries::explained::explain;
use crate::dashboard::deliveries::phases::waterfall;
use crate::dashboard::parts::json::json;
use crate::dashboard::parts::state::{Meaning, state};

/// An attempt of a delivery to this endpoint.
pub fn answer(attempt: &AttemptView, endpoint: &Endpoint) -> Markup {
    let (meaning, word) = match (attempt.success, attempt.status_code) {
        (true, Some(status)) => (Meaning::Well, format!("{status}: a success")),
        (true, None) => (Meaning::Well, "a success".into()),
        (false, Some(status)) => (Meaning::Trouble, format!("{status}: no success")),
        (false, None) => (Meaning::Dead, "no answer".into()),
    };
    let explained = explain(attempt, &endpoint.host, endpoint.way);
    html! {
        p { (state(meaning, &word)) " in " (attempt.response_time_ms) " ms" }
        @if !attempt.success { p { (explained.what) } }
        @if !explained.todo.is_empty() { p { (explained.todo) } }
        (waterfall(attempt, f64::from(attempt.timings.total_ms)))
        @if !attempt.response_headers.is_empty() {
            details { summary { "Headers of the answer" }
                dl.facts { @for (name, value) in &attempt.response_headers { dt { (name) } dd { code { (value) } } } }
            }
        }
        @if !attempt.response_body.is_empty() { h3 { "Body of the answer" } (json(&attempt.response_body)) }
    }
}
