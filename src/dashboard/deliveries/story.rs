//! What happened to a delivery, in one sentence, and what is next in another. Pure.

use maud::{Markup, html};

use super::endpoint::{Endpoint, Way};
use crate::api::deliveries::view::DeliveryView;
use crate::dashboard::parts::time;
use crate::domain::time::UnixMs;

/// The story of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// What happened so far.
    pub happened: String,
    /// What is next.
    pub next: Next,
}

/// What is next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it has ended well, or was ended.
    Nothing,
    /// Only what somebody does about it.
    Somebody(String),
    /// An attempt at this time (RFC 3339).
    At(String),
    /// It waits for something until this time.
    Until(String, String),
    /// It waits for something, and is not late.
    Waits(String),
}

impl Story {
    /// That of a delivery to this webhook.
    pub fn of(delivery: &DeliveryView, endpoint: &Endpoint) -> Self {
        Self { happened: happened(delivery, endpoint), next: next(delivery, endpoint) }
    }

    /// As it is shown.
    pub fn show(&self, now: UnixMs) -> Markup {
        html! {
            (self.happened) " "
            @match &self.next {
                Next::Nothing => {}
                Next::Somebody(words) | Next::Waits(words) => (words),
                Next::At(at) => { "Next try " (time::text(Some(at), now)) "." }
                Next::Until(words, at) => { (words) " Next try " (time::text(Some(at), now)) "." }
            }
        }
    }
}

fn happened(delivery: &DeliveryView, endpoint: &Endpoint) -> String {
    let tries = delivery.attempt_count;
    let answer = answer(delivery, endpoint);
    match (delivery.state, tries) {
        ("succeeded", 1) => format!("Delivered at the first try: {answer}."),
        ("succeeded", _) => format!("Delivered at try {tries}, after it had failed {}: {answer}.", times(tries - 1)),
        ("dead", 0) => format!("Never sent: {}.", reason(delivery)),
        ("dead", _) if delivery.reason.is_some() => format!("Given up: {}.", reason(delivery)),
        ("dead", _) => format!("Given up after it had failed {}: {answer}.", times(tries)),
        ("cancelled", _) => format!("Cancelled: {}.", reason(delivery)),
        (_, 0) => "Not tried yet.".into(),
        (_, _) => format!("Failed {}: {answer}.", times(tries)),
    }
}

/// What the latest attempt was answered.
fn answer(delivery: &DeliveryView, endpoint: &Endpoint) -> String {
    let host = &endpoint.host;
    match (endpoint.way, delivery.status_code, &delivery.error) {
        (Way::Mailed, Some(status), _) => format!("the mail server answered {status}"),
        (_, Some(status), _) if delivery.success == Some(true) => format!("{host} answered {status}"),
        (_, Some(status), _) => format!("{host} answers {status}"),
        (Way::Pulled, None, _) if delivery.success == Some(true) => "whoever pulled it has taken it".into(),
        (_, None, Some(error)) => error.trim_end_matches('.').replacen("the endpoint", host, 1),
        (_, None, None) => "it has been taken".into(),
    }
}

fn reason(delivery: &DeliveryView) -> &str {
    let said = delivery.reason.as_deref().or(delivery.error.as_deref());
    said.unwrap_or("nobody said why").trim_end_matches('.')
}

fn next(delivery: &DeliveryView, endpoint: &Endpoint) -> Next {
    match delivery.state {
        "dead" => Next::Somebody("It is sent again only if somebody replays it.".into()),
        "held" => Next::Waits(held(endpoint)),
        "pending" | "scheduled" => match (&delivery.next_attempt_at, &delivery.error) {
            (Some(at), Some(why)) if delivery.attempt_count == 0 => Next::Until(sentence(why), at.clone()),
            (Some(at), _) => Next::At(at.clone()),
            (None, Some(why)) if delivery.attempt_count == 0 => Next::Waits(sentence(why)),
            (None, _) if endpoint.way == Way::Pulled => Next::Waits("It waits to be pulled.".into()),
            (None, _) => Next::Waits("It goes out when it is its turn.".into()),
        },
        _ => Next::Nothing,
    }
}

/// Why deliveries of a webhook are held, and until when.
fn held(endpoint: &Endpoint) -> String {
    let because = endpoint.reason.as_deref().map(|reason| format!(" ({})", reason.trim_end_matches('.')));
    let because = because.unwrap_or_default();
    match endpoint.status {
        "paused" => "Held: its webhook is paused. It goes out once the webhook is resumed.".into(),
        "disabled" => format!("Held: its webhook is disabled{because}. It goes out once the webhook is enabled."),
        "unverified" => {
            format!("Held: its endpoint has not shown that it wants deliveries{because}. It goes out once it has.")
        }
        _ => "Held.".into(),
    }
}

/// Why its next attempt is when it is.
pub fn why_then(delivery: &DeliveryView) -> String {
    let latest = delivery.attempts.iter().flatten().last();
    let asked = latest.filter(|latest| matches!(latest.status_code, Some(429 | 503)));
    match (asked.and_then(|latest| latest.response_headers.get("retry-after")), latest) {
        (Some(after), _) => format!("not before its endpoint asked for it (Retry-After: {after})"),
        (None, Some(_)) => "by its webhook's retry schedule".into(),
        (None, None) => delivery.error.clone().unwrap_or_else(|| "when it is its turn".into()),
    }
}

/// Why it waits, as the API says it, as a sentence.
fn sentence(why: &str) -> String {
    let why = why.trim_end_matches('.');
    if why.starts_with("waits") { format!("It {why}.") } else { format!("It waits: {why}.") }
}

/// How often, in a word where there is one.
pub fn times(count: u16) -> String {
    const WORDS: [&str; 10] = [
        "not once",
        "once",
        "twice",
        "three times",
        "four times",
        "five times",
        "six times",
        "seven times",
        "eight times",
        "nine times",
    ];
    WORDS.get(usize::from(count)).map_or_else(|| format!("{count} times"), |word| (*word).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::deliveries::view::AttemptView;

    fn delivery(state: &'static str, attempts: u16) -> DeliveryView {
        DeliveryView {
            id: "d".into(),
            event_id: "e".into(),
            event_type: None,
            webhook_id: "w".into(),
            state,
            cause: "accept",
            replay_of: None,
            created_at: String::new(),
            next_attempt_at: None,
            ended_at: None,
            reason: None,
            attempt_count: attempts,
            attempted_at: None,
            status_code: (attempts > 0).then_some(503),
            response_time_ms: None,
            success: (attempts > 0).then_some(false),
            outcome: None,
            error: (attempts > 0).then(|| "the endpoint answered 503".into()),
            attempts: None,
        }
    }

    fn endpoint(way: Way, status: &'static str) -> Endpoint {
        Endpoint {
            id: "w".into(),
            name: "Acme".into(),
            host: "api.acme.com".into(),
            url: None,
            way,
            status,
            reason: None,
            attempts_max: Some(8),
        }
    }

    fn told(delivery: &DeliveryView) -> (String, Next) {
        let story = Story::of(delivery, &endpoint(Way::Sent, "active"));
        (story.happened, story.next)
    }

    #[test]
    fn a_delivery_that_fails_says_how_often_why_and_when_next() {
        let at = "2024-02-10T16:45:22.000Z";
        let failing = DeliveryView { next_attempt_at: Some(at.into()), ..delivery("scheduled", 3) };
        assert_eq!(told(&failing), ("Failed three times: api.acme.com answers 503.".into(), Next::At(at.into())));
        let story = Story::of(&failing, &endpoint(Way::Sent, "active"));
        let now = crate::domain::time::parse(at).unwrap() - 4 * 60_000;
        let shown = story.show(now).into_string();
        assert!(shown.starts_with("Failed three times: api.acme.com answers 503. Next try <time"), "{shown}");
        assert!(shown.ends_with(">in 4 min</time>."), "{shown}");
        let silent = DeliveryView {
            status_code: None,
            error: Some("the endpoint did not answer in time".into()),
            ..delivery("scheduled", 12)
        };
        assert_eq!(told(&silent).0, "Failed 12 times: api.acme.com did not answer in time.");
    }

    #[test]
    fn one_that_has_ended_says_how() {
        let good = |tries| DeliveryView {
            status_code: Some(200),
            success: Some(true),
            error: None,
            ..delivery("succeeded", tries)
        };
        assert_eq!(told(&good(1)), ("Delivered at the first try: api.acme.com answered 200.".into(), Next::Nothing));
        assert_eq!(told(&good(3)).0, "Delivered at try 3, after it had failed twice: api.acme.com answered 200.");
        let (dead, next) = told(&delivery("dead", 8));
        assert_eq!(dead, "Given up after it had failed eight times: api.acme.com answers 503.");
        assert!(matches!(next, Next::Somebody(words) if words.contains("replays")));
        let cancelled = DeliveryView { reason: Some("discarded by request".into()), ..delivery("cancelled", 0) };
        assert_eq!(told(&cancelled), ("Cancelled: discarded by request.".into(), Next::Nothing));
        let costly = DeliveryView { reason: Some("shape_too_costly: it is".into()), ..delivery("dead", 0) };
        assert_eq!(told(&costly).0, "Never sent: shape_too_costly: it is.");
    }

    #[test]
    fn the_next_attempt_is_when_the_schedule_or_the_endpoint_says() {
        use crate::dashboard::deliveries::trial::attempt;
        let after = |attempt: AttemptView| {
            why_then(&DeliveryView { attempts: Some(vec![attempt]), ..delivery("scheduled", 1) })
        };
        assert_eq!(after(attempt("timeout", None, "")), "by its webhook's retry schedule");
        let mut asked = attempt("status", Some(503), "");
        asked.response_headers.insert("retry-after".into(), "600".into());
        assert_eq!(after(asked), "not before its endpoint asked for it (Retry-After: 600)");
        let waits = DeliveryView { error: Some("waits for tomorrow".into()), ..delivery("pending", 0) };
        assert_eq!(why_then(&waits), "waits for tomorrow");
    }

    #[test]
    fn one_that_waits_says_for_what() {
        assert_eq!(told(&delivery("pending", 0)).1, Next::Waits("It goes out when it is its turn.".into()));
        let behind = DeliveryView { error: Some("waits for an earlier delivery".into()), ..delivery("pending", 0) };
        assert_eq!(told(&behind), ("Not tried yet.".into(), Next::Waits("It waits for an earlier delivery.".into())));
        for (status, word) in [("paused", "resumed"), ("disabled", "enabled"), ("unverified", "has not shown")] {
            let story = Story::of(&delivery("held", 1), &endpoint(Way::Sent, status));
            assert!(matches!(&story.next, Next::Waits(words) if words.contains(word)), "{story:?}");
        }
        let pulled = Story::of(&delivery("pending", 0), &endpoint(Way::Pulled, "active"));
        assert_eq!(pulled.next, Next::Waits("It waits to be pulled.".into()));
    }
}
