//! What an endpoint answered, on one screen: the status, how long each phase took, headers and body.

use maud::{Markup, html};

use crate::api::deliveries::view::{AttemptView, TimingsView};
use crate::dashboard::parts::chart::{self, Phase};
use crate::dashboard::parts::json::json;
use crate::dashboard::parts::state::{Meaning, state};

/// An attempt.
pub fn answer(attempt: &AttemptView) -> Markup {
    let (meaning, word) = match (attempt.success, attempt.status_code) {
        (true, Some(status)) => (Meaning::Well, format!("{status}: a success")),
        (true, None) => (Meaning::Well, "a success".into()),
        (false, Some(status)) => (Meaning::Trouble, format!("{status}: no success")),
        (false, None) => (Meaning::Dead, "no answer".into()),
    };
    html! {
        p { (state(meaning, &word)) " in " (attempt.response_time_ms) " ms" }
        @if let Some(error) = &attempt.error { p { (error) } }
        (phases(&attempt.timings))
        @if !attempt.response_headers.is_empty() {
            details { summary { "Headers of the answer" }
                dl.facts { @for (name, value) in &attempt.response_headers { dt { (name) } dd { code { (value) } } } }
            }
        }
        @if !attempt.response_body.is_empty() { h3 { "Body of the answer" } (json(&attempt.response_body)) }
    }
}

fn phases(timings: &TimingsView) -> Markup {
    let total = f64::from(timings.total_ms);
    let mut from = 0.0;
    let mut all = Vec::new();
    for (kind, took) in [
        ("auth", timings.auth_ms),
        ("resolve", timings.resolve_ms),
        ("connect", timings.connect_ms),
        ("tls", timings.tls_ms),
        ("wait", timings.first_byte_ms),
    ] {
        let Some(took_ms) = took else { continue };
        all.push(Phase { kind, from_ms: from, took_ms });
        from += took_ms;
    }
    if timings.first_byte_ms.is_some() && total > from {
        all.push(Phase { kind: "body", from_ms: from, took_ms: total - from });
    }
    let words: Vec<String> = all.iter().map(|phase| format!("{} {:.1} ms", phase.kind, phase.took_ms)).collect();
    let words = words.join(", ");
    html! {
        @if !all.is_empty() { (chart::waterfall(&all, total.max(from), &words)) p.hint { (words) } }
    }
}
