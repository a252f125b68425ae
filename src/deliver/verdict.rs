//! What an attempt means for its delivery and its webhook. Pure.

use super::schedule::Claim;
use crate::dialect::Dialect;
use crate::domain::backoff::{RETRY_AFTER_MS_MAX, Strain};
use crate::domain::delivery::{Attempt, Outcome};
use crate::domain::disable::DisableRule;
use crate::domain::retry::Next;
use crate::domain::time::UnixMs;
use crate::domain::webhook::Webhook;
use crate::store::Settlement;

/// An attempt that was made.
#[derive(Debug)]
pub struct Made {
    /// The attempt.
    pub attempt: Attempt,
    /// Until when the endpoint asked to be left alone.
    pub retry_after: Option<UnixMs>,
}

/// Decides what follows an attempt of the claimed delivery. `dice` is even in 0.0..1.0 and throws the jitter.
pub fn verdict(claim: &Claim, dialect: &Dialect, made: Made, dice: f64) -> Settlement {
    let Made { attempt, retry_after } = made;
    let webhook = &claim.webhook;
    let success = is_success(webhook, dialect, &attempt.summary.outcome);
    let schedule = webhook.retry.as_ref().unwrap_or(&dialect.retry);
    let next = match attempt.summary.outcome {
        // The next attempt would have the same body.
        Outcome::TooLarge(..) => Next::Dead,
        _ => schedule.after(attempt.summary.number, success, attempt.summary.ended_at(), dice),
    };
    let strain = strain(&attempt.summary.outcome, success, retry_after);
    let next = match (next, strain) {
        (Next::RetryAt(at), Strain::Until(asked)) => {
            Next::RetryAt(at.max(asked.min(attempt.summary.ended_at() + RETRY_AFTER_MS_MAX)))
        }
        (next, _) => next,
    };
    let disable = match attempt.summary.outcome {
        // It says nothing about the endpoint.
        Outcome::TooLarge(..) => DisableRule::default(),
        _ => webhook.disable.unwrap_or(dialect.disable),
    };
    let rate_limited = claim.rate_limited;
    Settlement { delivery: claim.delivery.id, attempt, next, disable, strain, dice, rate_limited }
}

/// What an attempt says of the endpoint as a whole.
fn strain(outcome: &Outcome, success: bool, retry_after: Option<UnixMs>) -> Strain {
    match outcome {
        _ if success => Strain::Well,
        Outcome::Status(429 | 503) => retry_after.map_or(Strain::Down, Strain::Until),
        Outcome::TimedOut | Outcome::Dns(_) | Outcome::Connect(_) | Outcome::Tls(_) => Strain::Down,
        Outcome::Status(_) | Outcome::Broken(_) => Strain::Neutral,
        // These are about us or about one delivery.
        Outcome::Refused(_) | Outcome::Unsendable(_) | Outcome::TooLarge(..) => Strain::Neutral,
    }
}

fn is_success(webhook: &Webhook, dialect: &Dialect, outcome: &Outcome) -> bool {
    let rule = webhook.success.as_ref().unwrap_or(&dialect.success);
    outcome.status().is_some_and(|status| rule.accepts(status))
}
