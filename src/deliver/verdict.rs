//! What an attempt means for its delivery and its webhook. Pure.

use std::sync::Arc;

use super::schedule::Claim;
use super::smtp::{is_final, is_taken};
use crate::dialect::Dialect;
use crate::domain::backoff::{RETRY_AFTER_MS_MAX, Strain};
use crate::domain::delivery::{Attempt, Outcome};
use crate::domain::pull::Leased;
use crate::domain::retry::Next;
use crate::domain::time::{self, UnixMs};
use crate::domain::trace_context::TraceContext;
use crate::domain::webhook::Webhook;
use crate::store::Settlement;

/// An attempt that was made.
#[derive(Debug)]
pub struct Made {
    /// The attempt.
    pub attempt: Attempt,
    /// Until when the endpoint asked to be left alone, or who gives the tokens for it.
    pub retry_after: Option<UnixMs>,
    /// The trace that its event's producer named.
    pub named: Option<TraceContext>,
    /// The node that made it, where it was another one.
    pub by: Option<Arc<str>>,
}

/// Until when an endpoint asked to be left alone with `Retry-After`, in the server's own time. A date is of the wall clock. Who
/// asks for no time, or for one that is past, asks for nothing.
pub fn asked_until(retry_after: &str, now: UnixMs, wall: UnixMs) -> Option<UnixMs> {
    let at = time::retry_after(retry_after, wall).filter(|at| *at > wall)?;
    Some(now.saturating_add(at - wall))
}

/// Decides what follows an attempt of the claimed delivery. `dice` is even in 0.0..1.0 and throws the jitter.
pub fn verdict(claim: &Claim, dialect: &Dialect, made: Made, dice: f64) -> Settlement {
    let Made { attempt, retry_after, .. } = made;
    let webhook = &claim.webhook;
    let success = is_success(webhook, dialect, &attempt.summary.outcome);
    let schedule = webhook.retry.as_ref().unwrap_or(&dialect.retry);
    let next = match attempt.summary.outcome {
        // The next attempt would have the same body.
        Outcome::TooLarge(..) | Outcome::ShapeTooCostly(_) => Next::NotSent,
        // The mail server has said that it never will.
        Outcome::Status(status) if webhook.url.is_mail() && is_final(status) => Next::Dead,
        _ => schedule.after(attempt.summary.number, success, attempt.summary.ended_at(), dice),
    };
    let strain = match &attempt.summary.outcome {
        // Whoever pulls takes as much as it likes, and spares itself.
        Outcome::Status(_) if webhook.is_pulled() && !success => Strain::Neutral,
        outcome => strain(outcome, success, retry_after),
    };
    let next = match (next, strain) {
        (Next::RetryAt(at), Strain::Until(asked)) => {
            Next::RetryAt(at.max(asked.min(attempt.summary.ended_at() + RETRY_AFTER_MS_MAX)))
        }
        (next, _) => next,
    };
    let disable = webhook.disable.unwrap_or(dialect.disable);
    let rate_limited = claim.rate_limited;
    Settlement { delivery: claim.delivery.id, attempt, next, disable, strain, dice, rate_limited }
}

/// What an attempt says of the endpoint as a whole.
fn strain(outcome: &Outcome, success: bool, retry_after: Option<UnixMs>) -> Strain {
    match outcome {
        _ if success => Strain::Well,
        Outcome::Status(429 | 503) => retry_after.map_or(Strain::Down, Strain::Until),
        Outcome::TimedOut | Outcome::Dns(_) | Outcome::Connect(_) | Outcome::Tls(_) => Strain::Down,
        // Nothing gets there without a token: all wait, and who gives them is asked less.
        Outcome::Auth(_) => retry_after.map_or(Strain::Down, Strain::Until),
        Outcome::Status(_) | Outcome::Broken(_) => Strain::Neutral,
        // Whoever pulls takes as much as it likes, and spares itself.
        Outcome::Nacked(_) | Outcome::LeaseRanOut | Outcome::Acked => Strain::Neutral,
        // These are about us or about one delivery.
        Outcome::Refused(_) | Outcome::Unsendable(_) => Strain::Neutral,
        Outcome::TooLarge(..) | Outcome::ShapeTooCostly(_) => Strain::Neutral,
    }
}

/// Whether a webhook takes an outcome for a success. Of what is pulled its consumer says so, and no rule.
pub fn is_success(webhook: &Webhook, dialect: &Dialect, outcome: &Outcome) -> bool {
    if webhook.url.is_mail() {
        return outcome.status().is_some_and(is_taken);
    }
    if webhook.is_pulled() {
        return Leased::of(outcome) == Leased::Acked;
    }
    let rule = webhook.success.as_ref().unwrap_or(&dialect.success);
    *outcome == Outcome::Acked || outcome.status().is_some_and(|status| rule.accepts(status))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dialect::Dialects;
    use crate::domain::delivery::{AttemptSummary, Cause, Delivery};
    use crate::domain::disable::DisableRule;
    use crate::domain::endpoint::{EndpointUrl, Mail, Schemes};
    use crate::domain::id::EventId;
    use crate::domain::retry::{RetrySchedule, SuccessRule};
    use crate::domain::webhook::{EventFilter, Mode};

    const T: UnixMs = 1_700_000_000_000;

    fn webhook() -> Webhook {
        let url = EndpointUrl::parse("https://example.com/", false).expect("a URL");
        let retry = Some(RetrySchedule { delay_seconds: vec![100], jitter_percent: 50 });
        let disable = Some(DisableRule { consecutive_failures: Some(3), ..DisableRule::default() });
        let events = vec![EventFilter::parse("*").expect("a filter")];
        Webhook { retry, disable, ..Webhook::new(1, "standard", url, events) }
    }

    /// What follows an attempt of this webhook that ended so, 10 ms after it began.
    fn judged(webhook: Webhook, number: u16, outcome: Outcome, asked: Option<u64>) -> Settlement {
        let event = EventId(1 << 80);
        let delivery = Delivery::fresh(event.delivery_to(1), event, Cause::Accept);
        let claim = Claim { delivery, webhook: Arc::new(webhook), rate_limited: true, awaited: true };
        let summary = AttemptSummary { number, started_at: T, duration_ms: 10, outcome };
        let attempt = Attempt {
            summary,
            url: String::new(),
            request_headers: Default::default(),
            response_body: Vec::new(),
            resent: false,
            trace: Default::default(),
        };
        let retry_after = asked.map(|ms| (T + 10).saturating_add(ms));
        let dialects = Dialects::shipped();
        verdict(
            &claim,
            dialects.get("standard").expect("it is shipped"),
            Made { attempt, retry_after, named: None, by: None },
            0.5,
        )
    }

    fn after(outcome: Outcome, asked: Option<u64>) -> (Next, Strain) {
        let settlement = judged(webhook(), 1, outcome, asked);
        (settlement.next, settlement.strain)
    }

    #[test]
    fn an_endpoint_that_asks_for_a_pause_gets_no_retry_before_and_an_hour_at_most() {
        let scheduled = Next::RetryAt(T + 10 + 125_000);
        for status in [429, 503] {
            let asked = |ms| after(Outcome::Status(status), ms);
            assert_eq!(asked(None), (scheduled, Strain::Down));
            assert_eq!(asked(Some(1_000)), (scheduled, Strain::Until(T + 1_010)), "never earlier than its schedule");
            assert_eq!(asked(Some(200_000)), (Next::RetryAt(T + 200_010), Strain::Until(T + 200_010)));
            assert_eq!(asked(Some(u64::MAX)).0, Next::RetryAt(T + 10 + RETRY_AFTER_MS_MAX));
        }
        assert_eq!(after(Outcome::Status(500), Some(200_000)), (scheduled, Strain::Neutral), "only these may ask");
        assert_eq!(judged(webhook(), 2, Outcome::Status(503), Some(5)).next, Next::Dead, "asking adds no retry");
    }

    #[test]
    fn what_is_asked_for_is_seen_from_now_and_no_time_at_all_is_not_asked_for() {
        let wall = 784_111_777_000;
        let asked = |text| asked_until(text, T, wall);
        assert_eq!(asked("30"), Some(T + 30_000));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:47 GMT"), Some(T + 10_000), "ten seconds by the wall clock");
        for nothing in ["0", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 07:00:00 GMT", "soon"] {
            assert_eq!(asked(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_an_attempt_says_of_its_endpoint() {
        let text = String::new;
        for outcome in [Outcome::TimedOut, Outcome::Dns(text()), Outcome::Connect(text()), Outcome::Tls(text())] {
            assert_eq!(after(outcome, None).1, Strain::Down);
        }
        let ours = [Outcome::Refused(text()), Outcome::Unsendable(text()), Outcome::TooLarge(2, 1)];
        for outcome in [Outcome::Status(404), Outcome::Broken(text())].into_iter().chain(ours) {
            assert_eq!(after(outcome, None).1, Strain::Neutral);
        }
        for outcome in [Outcome::Nacked(text()), Outcome::LeaseRanOut] {
            assert_eq!(after(outcome, None), (Next::RetryAt(T + 10 + 125_000), Strain::Neutral), "tried again");
        }
        assert_eq!(after(Outcome::Acked, None), (Next::Succeeded, Strain::Well));
        assert_eq!(after(Outcome::Status(204), Some(9)), (Next::Succeeded, Strain::Well));
        assert_eq!(after(Outcome::Auth(text()), None).1, Strain::Down);
        assert_eq!(after(Outcome::Auth(text()), Some(9)).1, Strain::Until(T + 19), "who gives tokens may ask");
    }

    #[test]
    fn of_what_is_pulled_the_consumer_says_whether_it_is_done_and_no_status_pauses_it() {
        let rule = SuccessRule::try_from(vec!["503".to_string()]).expect("a rule");
        let pulled = Webhook { mode: Mode::Pull, success: Some(rule), ..webhook() };
        let done = judged(pulled.clone(), 1, Outcome::Status(204), None);
        assert_eq!((done.next, done.strain), (Next::Succeeded, Strain::Well));
        for status in [429, 503] {
            let refused = judged(pulled.clone(), 1, Outcome::Status(status), None);
            assert_eq!((refused.next, refused.strain), (Next::RetryAt(T + 10 + 125_000), Strain::Neutral), "{status}");
        }
    }

    #[test]
    fn a_webhooks_own_rules_come_before_its_dialects() {
        let rule = SuccessRule::try_from(vec!["503".to_string()]).expect("a rule");
        let strange = Webhook { success: Some(rule), ..webhook() };
        assert_eq!(judged(strange.clone(), 1, Outcome::Status(503), None).strain, Strain::Well);
        assert_ne!(judged(strange, 1, Outcome::Status(200), None).next, Next::Succeeded);
        let settlement = judged(webhook(), 1, Outcome::Status(500), None);
        assert_eq!(Some(settlement.disable), webhook().disable);
        assert!(settlement.rate_limited && settlement.dice == 0.5);
        let plain = Webhook { retry: None, disable: None, ..webhook() };
        let standard = Dialects::shipped().get("standard").expect("it is shipped").clone();
        let settlement = judged(plain, 1, Outcome::Status(500), None);
        assert_eq!(settlement.disable, standard.disable);
        assert_eq!(settlement.next, standard.retry.after(1, false, T + 10, 0.5));
    }

    #[test]
    fn a_mail_that_is_refused_for_good_is_not_tried_again() {
        let schemes = Schemes { http: false, mail: Mail::Allowed };
        let url = EndpointUrl::of_webhook("mailto:ops@example.com", schemes).expect("a URL");
        let after = |status| judged(Webhook { url: url.clone(), ..webhook() }, 1, Outcome::Status(status), None).next;
        assert_eq!((after(250), after(550)), (Next::Succeeded, Next::Dead));
        assert_eq!(after(450), Next::RetryAt(T + 10 + 125_000));
        assert!(
            matches!(judged(webhook(), 1, Outcome::Status(550), None).next, Next::RetryAt(_)),
            "of HTTP it says nothing"
        );
    }

    #[test]
    fn a_body_that_is_too_large_is_not_sent_and_not_tried_again() {
        assert_eq!(after(Outcome::TooLarge(2, 1), None), (Next::NotSent, Strain::Neutral));
        assert_eq!(after(Outcome::ShapeTooCostly("why".into()), None), (Next::NotSent, Strain::Neutral));
    }
}
