//! What an attempt means for its delivery and its webhook. Pure.

use super::schedule::Claim;
use crate::dialect::Dialect;
use crate::domain::delivery::{Attempt, Outcome};
use crate::domain::retry::Next;
use crate::domain::webhook::Webhook;
use crate::store::{Disable, Settlement};

/// Decides what follows an attempt of the claimed delivery. `dice` is even in 0.0..1.0 and throws the jitter.
pub fn verdict(claim: &Claim, dialect: &Dialect, attempt: Attempt, dice: f64) -> Settlement {
    let webhook = &claim.webhook;
    let success = is_success(webhook, dialect, &attempt.summary.outcome);
    let schedule = webhook.retry.as_ref().unwrap_or(&dialect.retry);
    let next = match attempt.summary.outcome {
        // The next attempt would have the same body.
        Outcome::TooLarge(..) => Next::Dead,
        _ => schedule.after(attempt.summary.number, success, attempt.summary.ended_at(), dice),
    };
    let disable = match attempt.summary.outcome {
        Outcome::Status(410) if dialect.gone_disables && !success => Disable::Gone,
        // It says nothing about the endpoint.
        Outcome::TooLarge(..) => Disable::Never,
        _ if dialect.exhausted_disables => Disable::WhenExhausted,
        _ => Disable::Never,
    };
    Settlement { delivery: claim.delivery.id, attempt, next, disable }
}

fn is_success(webhook: &Webhook, dialect: &Dialect, outcome: &Outcome) -> bool {
    let rule = webhook.success.as_ref().unwrap_or(&dialect.success);
    outcome.status().is_some_and(|status| rule.accepts(status))
}
