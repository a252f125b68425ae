//! The attempts of a delivery, the latest first: what came of each, where its time went, and how long it was until the next.

use maud::{Markup, html};

use super::endpoint::Endpoint;
use super::explained::{explain, short};
use super::of::page;
use super::phases::waterfall;
use crate::api::deliveries::view::{AttemptView, DeliveryView};
use crate::dashboard::links;
use crate::dashboard::parts::state::{Meaning, of_status, state};
use crate::dashboard::parts::time;
use crate::dashboard::seat::Seat;
use crate::domain::time::{UnixMs, parse};

/// Attempts that are shown: the latest, and the first.
const SHOWN_MAX: usize = 20;

/// The timeline; `chosen` is the attempt whose request is shown below.
pub fn timeline(seat: &Seat, delivery: &DeliveryView, endpoint: &Endpoint, chosen: Option<u16>, now: UnixMs) -> Markup {
    let attempts = delivery.attempts.as_deref().unwrap_or_default();
    let scale_ms = attempts.iter().map(|attempt| f64::from(attempt.response_time_ms)).fold(1.0, f64::max);
    let left_out = attempts.len().saturating_sub(SHOWN_MAX);
    let one = |attempt: &AttemptView| {
        let before = attempts.iter().find(|before| before.number + 1 == attempt.number);
        html! {
            li.attempt aria-current=[(chosen == Some(attempt.number)).then_some("true")] {
                (head(attempt, now))
                (waterfall(attempt, scale_ms))
                p { (explain(attempt, &endpoint.host, endpoint.way).what) (twice(attempt)) }
                p.ways {
                    a href=(at(seat, delivery, attempt.number)) { "Request and response" }
                    @if let Some(before) = before {
                        " · " a href=(compared(seat, delivery, before.number, attempt.number)) { "Compare with attempt " (before.number) }
                        @if let Some(waited) = waited(before, attempt) { " · " span.hint { "after " (waited) } }
                    }
                }
            }
        }
    };
    html! {
        ol.timeline {
            @for attempt in attempts.iter().rev().take(SHOWN_MAX) { (one(attempt)) }
            @if left_out > 1 {
                li.attempt { "Attempts " @for left in &attempts[1..left_out] { a href=(at(seat, delivery, left.number)) { (left.number) } " " } }
            }
            @if left_out > 0 { (one(&attempts[0])) }
        }
    }
}

/// What came of it, when, and how long it took.
pub fn head(attempt: &AttemptView, now: UnixMs) -> Markup {
    html! {
        p.head {
            b { "Attempt " (attempt.number) } " "
            (outcome(attempt)) " "
            span.hint { (time::text(Some(&attempt.started_at), now)) " · " (attempt.response_time_ms) " ms" }
        }
    }
}

/// What came of an attempt, as a state.
pub fn outcome(attempt: &AttemptView) -> Markup {
    let meaning = if attempt.success { Meaning::Well } else { failed(attempt.status_code) };
    state(meaning, &short(Some(attempt.outcome), attempt.status_code))
}

/// What it means that an attempt failed so: an answer that the success rule does not take is none that is well.
pub fn failed(status: Option<u16>) -> Meaning {
    match of_status(status) {
        Meaning::Well => Meaning::Trouble,
        meaning => meaning,
    }
}

/// The address of an attempt's request and response.
fn at(seat: &Seat, delivery: &DeliveryView, number: u16) -> String {
    links::with_query(&page(seat, &delivery.id), [("attempt", Some(number.to_string().as_str()))]) + "#exchange"
}

fn compared(seat: &Seat, delivery: &DeliveryView, a: u16, b: u16) -> String {
    let page = page(seat, &delivery.id) + "/compare";
    links::with_query(&page, [("a", Some(a.to_string().as_str())), ("b", Some(b.to_string().as_str()))])
}

/// How long it was from the end of an attempt to the start of the next.
fn waited(before: &AttemptView, after: &AttemptView) -> Option<String> {
    let ended = parse(&before.started_at)? + u64::from(before.response_time_ms);
    parse(&after.started_at)?.checked_sub(ended).map(time::span)
}

fn twice(attempt: &AttemptView) -> &'static str {
    match (attempt.resent, attempt.reauthorized) {
        (false, false) => "",
        (true, _) => " It was sent once more within this attempt, since a kept connection had been closed.",
        (_, true) => " It was made once more within this attempt, with an access token that was fetched anew.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::deliveries::trial::attempt;

    #[test]
    fn the_wait_is_from_end_to_start_and_a_refused_2xx_is_no_success() {
        let (one, mut two) = (attempt("status", Some(503), ""), attempt("status", Some(202), ""));
        two.started_at = "2024-02-10T16:50:22.040Z".into();
        assert_eq!(waited(&one, &two).as_deref(), Some("5 min"));
        assert_eq!(waited(&two, &one), None, "a clock that went back says nothing");
        assert!(outcome(&two).into_string().contains("trouble"));
        two.success = true;
        assert!(outcome(&two).into_string().contains("well"));
    }
}
