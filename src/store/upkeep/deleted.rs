//! Cancels the open deliveries of deleted webhooks, and forgets those that nothing is kept of any more.

use std::collections::VecDeque;

use super::ending::cancel_some;
use super::sweep::Swept;
use crate::domain::id::WebhookNumber;
use crate::domain::time::UnixMs;
use crate::store::duty::{Duty, STEP_ROWS_MAX};
use crate::store::error::StoreError;
use crate::store::layout::{self, OPEN, Tree, end_of};
use crate::store::registry::Registry;
use crate::store::settle::WEBHOOK_DELETED;
use crate::store::staging::Staging;

/// Deleted webhooks whose open deliveries are not cancelled yet.
pub struct Deleted(VecDeque<WebhookNumber>);

impl Deleted {
    /// Every deleted webhook is looked at again.
    pub fn at_start(registry: &Registry) -> Self {
        Self(registry.deleted_webhooks_from(0).collect())
    }
}

impl Duty for Deleted {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        (!self.0.is_empty()).then_some(0)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let Some(webhook) = self.0.front().copied() else { return Ok(()) };
        let end = end_of(webhook);
        if !cancel_some(staging, webhook, &end, WEBHOOK_DELETED)? {
            self.0.pop_front();
        }
        Ok(())
    }

    fn look_at(&mut self, changed: &[WebhookNumber], registry: &Registry) {
        let is_gone = |number: &WebhookNumber| !registry.has_webhook(*number);
        self.0.extend(changed.iter().copied().filter(is_gone));
    }
}

/// Forgets deleted webhooks once retention has taken all of their deliveries, so that who creates and deletes webhooks all
/// the time fills neither memory nor disk. Their counters go into one sum, their statistics stay in the account's.
pub struct Forgettable;

impl Swept for Forgettable {
    type Place = WebhookNumber;

    const EVERY_MS: u64 = 5 * 60 * 1000;

    fn some(&mut self, staging: &mut Staging<'_>, from: WebhookNumber) -> Result<Option<WebhookNumber>, StoreError> {
        let deleted: Vec<WebhookNumber> = staging.registry().deleted_webhooks_from(from).take(STEP_ROWS_MAX).collect();
        let mut removed = 0;
        for number in &deleted {
            if removed >= STEP_ROWS_MAX {
                return Ok(Some(*number));
            }
            if !has_deliveries(staging, *number)? {
                removed += staging.forget_webhook(*number)?;
            }
        }
        Ok(deleted.last().filter(|_| deleted.len() == STEP_ROWS_MAX).map(|last| last + 1))
    }
}

fn has_deliveries(staging: &Staging<'_>, webhook: WebhookNumber) -> Result<bool, StoreError> {
    let prefix = layout::number(webhook);
    for tree in OPEN.into_iter().chain([Tree::Closed]) {
        let range = prefix.to_vec()..end_of(webhook);
        if staging.trees().first(tree, range, 1).keys().next().transpose()?.is_some()
            || staging.staged_keys(tree, &prefix).next().is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::{Bench, START, webhook};

    /// A store with so many deleted webhooks, from 1 on.
    fn with_deleted(count: usize) -> Bench {
        let mut bench = Bench::new();
        bench.now(move |staging| {
            for _ in 0..count {
                let id = staging.create_webhook(webhook(), None)?.id;
                staging.delete_webhook(1, id)?;
            }
            Ok(())
        });
        bench
    }

    fn left(bench: &Bench) -> usize {
        bench.store.registry().webhooks().count()
    }

    #[test]
    fn a_step_removes_so_many_keys_and_a_pass_all() {
        let mut bench = with_deleted(STEP_ROWS_MAX);
        bench.clock.turn_to(START + Forgettable::EVERY_MS);
        bench.committer.step();
        // Each has two.
        assert_eq!(left(&bench), STEP_ROWS_MAX / 2);
        bench.rest();
        assert_eq!(left(&bench), 0);
    }

    #[test]
    fn a_pass_goes_on_behind_those_of_which_something_is_kept() {
        let mut bench = with_deleted(STEP_ROWS_MAX + 1);
        for number in 1..=STEP_ROWS_MAX as u32 {
            bench.put(Tree::Closed, layout::numbered(number, 1), vec![1]);
        }
        bench.turn(Forgettable::EVERY_MS);
        assert_eq!(left(&bench), STEP_ROWS_MAX);
    }
}
