//! How a webhook stands, in a word and in a sentence: what is, since when, why, and what comes next. Pure.

use crate::api::webhooks::view::WebhookView;
use crate::dashboard::parts::amount;
use crate::dashboard::parts::state::Meaning;
use crate::dashboard::parts::time::{ago, span};
use crate::domain::time::{self, UnixMs};

/// What is known of a webhook beside its view.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// Since when it is paused or disabled.
    pub since: Option<UnixMs>,
    /// What its latest attempt that failed says.
    pub error: Option<&'a str>,
    /// When its next retry is due.
    pub next_at: Option<UnixMs>,
}

/// What the state means, and the word for it.
pub fn word(webhook: &WebhookView, now: UnixMs) -> (Meaning, String) {
    match webhook.status {
        "disabled" => (Meaning::Dead, "disabled".into()),
        "unverified" => (Meaning::Trouble, "not verified".into()),
        "paused" => {
            let goes_on = at(webhook.resume_at.as_deref()).map(|at| format!("paused, goes on {}", soon(at, now)));
            (Meaning::Waiting, goes_on.unwrap_or_else(|| "paused".into()))
        }
        _ => match failing_for(webhook, now) {
            Some(length) => (Meaning::Trouble, format!("failing for {length}")),
            None => (Meaning::Well, "enabled".into()),
        },
    }
}

/// All of it in a few short sentences.
pub fn sentence(webhook: &WebhookView, known: Known<'_>, now: UnixMs) -> String {
    let since = known.since.map_or(String::new(), |since| format!(" {}", ago(since, now)));
    match webhook.status {
        "disabled" => {
            let reason = webhook.status_reason.as_deref().unwrap_or("nobody said why");
            let probe = at(webhook.probe_at.as_deref());
            let probe = probe.map_or(String::new(), |probe| {
                format!(" One goes out {} to see whether its endpoint is well again.", ago(probe, now))
            });
            format!(
                "Disabled{since}: {}.{} It goes on once somebody enables it.{probe}",
                ended(reason),
                held(webhook.open)
            )
        }
        "unverified" => {
            let reason = webhook.status_reason.as_deref().unwrap_or("its endpoint was not asked yet");
            format!("Not verified, so nothing is delivered: {}.{}", ended(reason), held(webhook.open))
        }
        "paused" => {
            let goes_on = at(webhook.resume_at.as_deref()).map(|at| soon(at, now));
            let goes_on = goes_on.unwrap_or_else(|| "once somebody resumes it".into());
            format!("Paused{since}.{} It goes on {goes_on}.", held(webhook.open))
        }
        _ => match failing_for(webhook, now) {
            Some(length) => failing(webhook, &length, known, now),
            None => well(webhook, now),
        },
    }
}

/// What a lane's word means to people.
pub fn waits_for(word: &str) -> &'static str {
    match word {
        "nothing_to_send" => "nothing: all that was to be sent is out",
        "held" => "the webhook to go on: its deliveries are held",
        "window_full" => "an answer: as many are out as its endpoint is given at once",
        "paused" => "its endpoint, which is spared: it was in trouble, or asked for it",
        "rate_limited" => "its rate limit",
        "daily_limit" => "tomorrow: the first attempts of today are used up",
        "retry_later" => "a retry that is due later",
        "behind_head" => "an earlier delivery: they go out in order",
        "no_place" => "a place: others hold all that there are",
        "no_bytes" => "room for bodies: those that are out leave none",
        "no_connection" => "a connection: the server has none left",
        "not_pulled" => "a consumer: nobody asks for deliveries",
        _ => "what this page does not know yet",
    }
}

fn failing(webhook: &WebhookView, length: &str, known: Known<'_>, now: UnixMs) -> String {
    let error = known.error.map_or(String::new(), |error| format!(": {}", ended(error)));
    let failures = amount::of(webhook.consecutive_failures, "attempt", "attempts");
    let pause = at(webhook.paused_until.as_deref()).filter(|until| *until > now);
    let next = pause.max(known.next_at).map_or(String::new(), |next| format!(" Next try {}.", soon(next, now)));
    format!("Failing for {length}{error}. {failures} failed in a row.{next}{}", waiting(webhook.open))
}

fn well(webhook: &WebhookView, now: UnixMs) -> String {
    if let Some(until) = at(webhook.paused_until.as_deref()).filter(|until| *until > now) {
        return format!("Its endpoint is spared: the next try is {}.{}", soon(until, now), waiting(webhook.open));
    }
    match at(webhook.last_success_at.as_deref()) {
        Some(last) => {
            let done = amount::of(webhook.succeeded, "delivery", "deliveries");
            format!("All is well: {done} succeeded, the last {}.{}", ago(last, now), waiting(webhook.open))
        }
        None if webhook.open > 0 => format!("Nothing was delivered yet.{}", waiting(webhook.open)),
        None => "Nothing was delivered yet: it waits for the first event that it wants.".into(),
    }
}

fn failing_for(webhook: &WebhookView, now: UnixMs) -> Option<String> {
    let since = at(webhook.failing_since.as_deref()).filter(|_| webhook.consecutive_failures > 0)?;
    Some(span(now.saturating_sub(since)))
}

fn held(open: u64) -> String {
    if open == 0 { String::new() } else { format!(" {} held.", are(open)) }
}

fn waiting(open: u64) -> String {
    match open {
        0 => String::new(),
        1 => " 1 waits.".into(),
        n => format!(" {} wait.", amount::count(n)),
    }
}

fn are(n: u64) -> String {
    format!("{} {}", amount::of(n, "delivery", "deliveries"), if n == 1 { "is" } else { "are" })
}

fn soon(moment: UnixMs, now: UnixMs) -> String {
    if moment <= now { "now".into() } else { ago(moment, now) }
}

fn at(text: Option<&str>) -> Option<UnixMs> {
    text.and_then(time::parse)
}

/// Without a full stop at its end: the sentence around it has its own.
fn ended(text: &str) -> &str {
    text.trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::webhooks::view::{Onlooker, view};
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::tally::Tally;
    use crate::domain::webhook::{EventFilter, Status, Webhook};

    const NOW: UnixMs = 1_700_000_000_000;
    const MINUTE: u64 = 60_000;

    fn shown(status: Status, tally: &Tally) -> WebhookView {
        let url = EndpointUrl::parse("https://example.com/", false).expect("a URL");
        let webhook = Webhook { status, ..Webhook::new(1, "standard", url, vec![EventFilter::All]) };
        let by = Onlooker { account: "a".into(), may_manage: true, dialects: std::sync::Arc::default() };
        view(&webhook, &by, tally, |at| at)
    }

    #[test]
    fn one_that_fails_says_since_when_why_and_what_comes_next() {
        let failing_since = Some(NOW - 12 * MINUTE);
        let tally = Tally { deliveries: 1_204, consecutive_failures: 3, failing_since, ..Tally::default() };
        let webhook = shown(Status::Active, &tally);
        assert_eq!(word(&webhook, NOW), (Meaning::Trouble, "failing for 12 min".into()));
        let known = Known { error: Some("HTTP 503"), next_at: Some(NOW + 4 * MINUTE), ..Known::default() };
        let expected = "Failing for 12 min: HTTP 503. 3 attempts failed in a row. Next try in 4 min. 1,204 wait.";
        assert_eq!(sentence(&webhook, known, NOW), expected);
    }

    #[test]
    fn one_that_is_held_says_how_much_is_and_what_lets_it_go_on() {
        let tally = Tally { deliveries: 1, ..Tally::default() };
        let known = Known { since: Some(NOW - 3 * MINUTE), ..Known::default() };
        let paused = shown(Status::Paused { since: NOW }, &tally);
        assert_eq!(
            sentence(&paused, known, NOW),
            "Paused 3 min ago. 1 delivery is held. It goes on once somebody resumes it."
        );
        let status = Status::Disabled { since: NOW, reason: "it failed.".into(), probe_at: Some(NOW + MINUTE) };
        let disabled = shown(status, &Tally::default());
        let told = sentence(&disabled, known, NOW);
        assert!(told.starts_with("Disabled 3 min ago: it failed. It goes on") && told.contains("in 1 min"), "{told}");
        assert_eq!(word(&disabled, NOW).0, Meaning::Dead);
    }

    #[test]
    fn one_that_is_well_says_when_it_last_delivered() {
        let none = shown(Status::Active, &Tally::default());
        assert_eq!(word(&none, NOW), (Meaning::Well, "enabled".into()));
        assert!(sentence(&none, Known::default(), NOW).starts_with("Nothing was delivered yet:"));
        let tally = Tally { deliveries: 2, succeeded: 2, last_success_at: Some(NOW - 2_000), ..Tally::default() };
        let told = sentence(&shown(Status::Active, &tally), Known::default(), NOW);
        assert_eq!(told, "All is well: 2 deliveries succeeded, the last 2 s ago.");
    }
}
