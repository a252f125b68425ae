//! What is told of an attempt beside what is recorded of it: one wide line in the log, and one span where spans are taken. What
//! stays true: nothing of a payload, no header and no secret stands in either; of a URL its place.

use std::sync::Arc;

use super::schedule::Claim;
use crate::domain::delivery::{Attempt, Cause};
use crate::domain::retry::Next;
use crate::domain::time::rfc3339;
use crate::domain::trace_context::{SpanOf, TraceContext, spelt};
use crate::store::Store;
use crate::telemetry::{Said, Span, SpanKind};

/// An attempt that has ended, and what there is to tell of it.
pub struct Told<'a> {
    /// Which delivery.
    pub claim: &'a Claim,
    /// The attempt.
    pub attempt: &'a Attempt,
    /// What follows.
    pub next: Next,
    /// The trace that its event's producer named.
    pub named: Option<TraceContext>,
    /// The node that made it, where it was another one.
    pub by: Option<Arc<str>>,
}

/// What follows, in one word.
fn word(next: Next) -> &'static str {
    match next {
        Next::Succeeded => "succeeded",
        Next::RetryAt(_) => "retry",
        Next::Dead => "dead",
        Next::NotSent => "not_sent",
    }
}

fn ms(us: Option<u32>) -> Option<f64> {
    us.map(|us| f64::from(us) / 1000.0)
}

impl Told<'_> {
    fn trace_id(&self) -> u128 {
        TraceContext::trace_of(self.claim.delivery.event, self.named)
    }

    /// The kind of its failure; none of a success.
    fn error(&self) -> Option<&'static str> {
        (self.next != Next::Succeeded).then(|| self.attempt.summary.outcome.kind())
    }

    fn place(&self) -> String {
        self.claim.webhook.url.place()
    }

    /// One wide line: failures for the operator to see, successes where each is to be logged.
    pub fn log(&self, store: &Store) {
        let (claim, summary, phases) = (self.claim, &self.attempt.summary, &self.attempt.trace.phases);
        // Each level and each target is a place of its own, at which what is off costs nothing.
        macro_rules! line {
            (target: $target:expr) => {
                tracing::info!(
                    target: $target,
                    account = account_id(store, claim),
                    event = %claim.delivery.event,
                    webhook = %claim.webhook.id,
                    delivery = %claim.delivery.id,
                    attempt = summary.number,
                    place = self.place(),
                    status = summary.outcome.status(),
                    error = self.error(),
                    why = self.error().map(|_| summary.outcome.to_string()),
                    took_ms = summary.duration_ms,
                    dns_ms = ms(phases.resolve_us),
                    connect_ms = ms(phases.connect_us),
                    tls_ms = ms(phases.tls_us),
                    wait_ms = ms(phases.first_byte_us),
                    resent = self.attempt.resent,
                    by = self.by.as_deref(),
                    next = word(self.next),
                    next_at = match self.next {
                        Next::RetryAt(at) => Some(rfc3339(store.shown(at))),
                        Next::Succeeded | Next::Dead | Next::NotSent => None,
                    },
                    trace_id = spelt(self.trace_id()),
                    "attempt"
                )
            };
        }
        match self.next {
            Next::Succeeded => line!(target: "hookwheel::access"),
            Next::RetryAt(_) | Next::Dead | Next::NotSent => line!(target: "hookwheel::deliver"),
        }
    }

    /// The same as a span.
    pub fn span(&self, store: &Store) -> Span {
        let (claim, summary, trace) = (self.claim, &self.attempt.summary, &self.attempt.trace);
        let mut attributes = vec![
            ("hookwheel.account", Said::Text(account_id(store, claim))),
            ("hookwheel.event", Said::Text(claim.delivery.event.to_string())),
            ("hookwheel.webhook", Said::Text(claim.webhook.id.to_string())),
            ("hookwheel.delivery", Said::Text(claim.delivery.id.to_string())),
            ("hookwheel.attempt", Said::Whole(summary.number.into())),
            ("hookwheel.next", Said::Text(word(self.next).into())),
            ("url.full", Said::Text(self.place())),
        ];
        let status = summary.outcome.status().map(|status| Said::Whole(status.into()));
        attributes.extend(status.map(|status| ("http.response.status_code", status)));
        attributes.extend(self.error().map(|kind| ("error.type", Said::Text(kind.into()))));
        let phases = [
            ("hookwheel.auth_ms", trace.auth_us),
            ("hookwheel.dns_ms", trace.phases.resolve_us),
            ("hookwheel.connect_ms", trace.phases.connect_us),
            ("hookwheel.tls_ms", trace.phases.tls_us),
            ("hookwheel.wait_ms", trace.phases.first_byte_us),
        ];
        attributes.extend(phases.into_iter().filter_map(|(name, us)| Some((name, Said::Real(ms(us)?)))));
        Span {
            trace_id: self.trace_id(),
            span_id: SpanOf::Attempt(claim.delivery.id, summary.number).id(),
            // Nobody published what a test sends.
            parent: (claim.delivery.cause != Cause::Test).then(|| SpanOf::Publish(claim.delivery.event).id()),
            name: "attempt",
            kind: SpanKind::Client,
            start_us: store.shown(summary.started_at) * 1000,
            took_us: u64::from(summary.duration_ms) * 1000,
            attributes,
            failure: self.error().map(|_| summary.outcome.to_string()),
        }
    }
}

fn account_id(store: &Store, claim: &Claim) -> String {
    let registry = store.registry();
    registry.account(claim.webhook.account).map_or(String::new(), |account| account.id.clone())
}
