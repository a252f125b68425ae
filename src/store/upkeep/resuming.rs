//! Lets webhooks go on that were paused until a time. What stays true: what a person says meanwhile goes before, and that it went on is
//! written down with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::audit::{Actor, Deed};
use crate::domain::id::{AccountNumber, WebhookId, WebhookNumber};
use crate::domain::time::UnixMs;
use crate::domain::webhook::{Status, Webhook};
use crate::store::duty::Duty;
use crate::store::error::{Refusal, StoreError};
use crate::store::registry::Registry;
use crate::store::staging::Staging;

/// Webhooks that one step lets go on.
const STEP_RESUMED_MAX: usize = 32;

/// A webhook, and when it goes on.
type Due = (UnixMs, AccountNumber, WebhookId);

/// When which webhook goes on. What a person has changed since is passed over.
pub struct Resuming {
    due: BTreeSet<Due>,
    /// What the last step took.
    taken: Vec<Due>,
}

impl Resuming {
    /// Those that are paused now.
    pub fn at_start(registry: &Registry) -> Self {
        Self { due: registry.webhooks().filter_map(due).collect(), taken: Vec::new() }
    }
}

fn due(webhook: &Arc<Webhook>) -> Option<Due> {
    webhook.resumes_at.map(|at| (at, webhook.account, webhook.id))
}

impl Duty for Resuming {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        self.due.first().map(|(at, ..)| *at)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        self.taken.clear();
        let now = staging.now();
        while self.taken.len() < STEP_RESUMED_MAX && self.due.first().is_some_and(|(at, ..)| *at <= now) {
            let Some(next) = self.due.pop_first() else { break };
            self.taken.push(next);
            staging.resume_if_due(next.1, next.2, now)?;
        }
        Ok(())
    }

    fn not_written(&mut self) {
        self.due.extend(self.taken.drain(..));
    }

    fn leave_alone(&mut self, until: UnixMs) -> bool {
        // Those before it are looked at again, and found going.
        self.due.extend(self.taken.drain(..).map(|(_, account, id)| (until, account, id)));
        true
    }

    fn look_at(&mut self, changed: &[WebhookNumber], registry: &Registry) {
        self.due.extend(changed.iter().filter_map(|number| due(registry.webhook(*number)?)));
    }
}

impl Staging<'_> {
    fn resume_if_due(&mut self, account: AccountNumber, id: WebhookId, now: UnixMs) -> Result<(), StoreError> {
        let webhook = self.registry().webhook_of(account, id).cloned();
        if webhook.is_none_or(|webhook| webhook.resumes_at.is_none_or(|at| at > now)) {
            return Ok(());
        }
        let resumed = self.update_webhook(account, id, |webhook, _| {
            webhook.status = Status::Active;
            Ok(())
        });
        match resumed {
            Ok(_) => self.note_deed(Actor::default(), Deed::to_webhook(account, "resumed", id)),
            Err(Refusal::Failed(error)) => return Err(error),
            // Its account goes, or has more than may be: it stays paused.
            Err(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::{Bench, START};

    fn pause(webhook: &mut Webhook, until: Option<UnixMs>) {
        (webhook.status, webhook.resumes_at) = (Status::Paused { since: START }, until);
    }

    fn status(bench: &Bench, id: WebhookId) -> (&'static str, Option<UnixMs>) {
        let webhook = bench.store.registry().webhook(id.number()).cloned().expect("it is there");
        (webhook.status.word(), webhook.resumes_at)
    }

    #[test]
    fn one_that_is_paused_until_a_time_goes_on_then_unless_somebody_said_otherwise() {
        let mut bench = Bench::new();
        let [until, longer, open] = [(); 3].map(|()| bench.webhook_with(|_| {}));
        bench.change(until, |webhook| pause(webhook, Some(START + 100)));
        bench.change(longer, |webhook| pause(webhook, Some(START + 100)));
        bench.change(longer, |webhook| pause(webhook, Some(START + 200)));
        bench.change(open, |webhook| pause(webhook, None));
        bench.turn(99);
        assert_eq!(status(&bench, until), ("paused", Some(START + 100)));
        bench.turn(1);
        assert_eq!(status(&bench, until), ("active", None));
        assert_eq!(status(&bench, longer), ("paused", Some(START + 200)));
        bench.turn(100);
        assert_eq!((status(&bench, longer), status(&bench, open)), (("active", None), ("paused", None)));
    }

    #[test]
    fn one_that_goes_on_or_is_disabled_has_no_time_to_wait_for() {
        let mut bench = Bench::new();
        let [resumed, disabled] = [(); 2].map(|()| bench.webhook_with(|_| {}));
        for id in [resumed, disabled] {
            bench.change(id, |webhook| pause(webhook, Some(START + 100)));
        }
        bench.change(resumed, |webhook| webhook.status = Status::Active);
        let reason = "by a person".to_owned();
        bench.change(disabled, |webhook| webhook.status = Status::Disabled { since: START, reason, probe_at: None });
        bench.turn(100);
        assert_eq!((status(&bench, resumed), status(&bench, disabled)), (("active", None), ("disabled", None)));
    }
}
