//! Lets webhooks go on that were paused until a time. What stays true: what a person says meanwhile goes before, and that it went on is
//! written down with it; and of each webhook one time at most is kept in mind.

use std::collections::{BTreeSet, HashMap};

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

/// When which webhook goes on.
#[derive(Default)]
pub struct Resuming {
    due: BTreeSet<Due>,
    /// The same by webhook.
    times: HashMap<WebhookNumber, Due>,
    /// What the last step took.
    taken: Vec<Due>,
}

impl Resuming {
    /// Those that are paused now.
    pub fn at_start(registry: &Registry) -> Self {
        let mut resuming = Self::default();
        registry.held_webhooks_from(0).filter_map(|webhook| due(&webhook)).for_each(|due| resuming.put(due));
        resuming
    }

    fn put(&mut self, due: Due) {
        self.forget(due.2.number());
        self.times.insert(due.2.number(), due);
        self.due.insert(due);
    }

    fn forget(&mut self, webhook: WebhookNumber) {
        if let Some(before) = self.times.remove(&webhook) {
            self.due.remove(&before);
        }
    }

    fn take_due(&mut self, now: UnixMs) -> Option<Due> {
        let next = self.due.first().filter(|(at, ..)| *at <= now).copied()?;
        self.forget(next.2.number());
        Some(next)
    }
}

fn due(webhook: &Webhook) -> Option<Due> {
    webhook.resumes_at.map(|at| (at, webhook.account, webhook.id))
}

impl Duty for Resuming {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        self.due.first().map(|(at, ..)| *at)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        self.taken.clear();
        let now = staging.now();
        while self.taken.len() < STEP_RESUMED_MAX {
            let Some(next) = self.take_due(now) else { break };
            self.taken.push(next);
            staging.resume_if_due(next.1, next.2, now)?;
        }
        Ok(())
    }

    fn not_written(&mut self) {
        std::mem::take(&mut self.taken).into_iter().for_each(|due| self.put(due));
    }

    fn leave_alone(&mut self, until: UnixMs) -> bool {
        // Those before it are looked at again, and found going.
        std::mem::take(&mut self.taken).into_iter().for_each(|(_, account, id)| self.put((until, account, id)));
        true
    }

    fn look_at(&mut self, changed: &[WebhookNumber], registry: &Registry) {
        for number in changed {
            match registry.webhook(*number).and_then(|webhook| due(&webhook)) {
                Some(due) => self.put(due),
                None => self.forget(*number),
            }
        }
    }
}

impl Staging<'_> {
    fn resume_if_due(&mut self, account: AccountNumber, id: WebhookId, now: UnixMs) -> Result<(), StoreError> {
        let webhook = self.registry().webhook_of(account, id);
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
        let webhook = bench.store.registry().webhook(id.number()).expect("it is there");
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
    fn of_one_that_is_paused_again_and_again_one_time_is_kept_in_mind() {
        let mut bench = Bench::new();
        let id = bench.webhook_with(|_| {});
        let mut resuming = Resuming::at_start(&bench.store.registry());
        for later in [300, 100, 200] {
            bench.change(id, move |webhook| pause(webhook, Some(START + later)));
            resuming.look_at(&[id.number()], &bench.store.registry());
        }
        assert_eq!(resuming.due.iter().map(|(at, ..)| *at).collect::<Vec<_>>(), [START + 200]);
        bench.change(id, |webhook| webhook.status = Status::Active);
        resuming.look_at(&[id.number()], &bench.store.registry());
        assert_eq!((resuming.due.len(), resuming.times.len(), resuming.due_at(0)), (0, 0, None));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_pause_longer() {
        let (mut bench, day) = (Bench::new(), 24 * 60 * 60 * 1000);
        let id = bench.webhook_with(|_| {});
        bench.turn(day);
        bench.change(id, move |webhook| {
            (webhook.status, webhook.resumes_at) = (Status::Paused { since: START + day }, Some(START + day + 3_000));
        });
        bench.clock.turn_to(START);
        bench.committer.let_go();
        bench.rest();
        assert_eq!(status(&bench, id), ("paused", Some(START + 3_000)));
        bench.turn(3_000);
        assert_eq!(status(&bench, id), ("active", None));
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
