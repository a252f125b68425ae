//! Turns bulk jobs, and forgets those that ended long ago.

use super::sweep::{Fate, Swept, sweep_rows};
use crate::domain::id::{AccountNumber, JobId, WebhookNumber};
use crate::domain::job::Job;
use crate::domain::time::UnixMs;
use crate::store::duty::Duty;
use crate::store::error::StoreError;
use crate::store::layout::{Key, Tree};
use crate::store::record;
use crate::store::registry::Registry;
use crate::store::staging::Staging;

/// Between looks for an answer that all jobs wait for.
const REST_MS: u64 = 10;

/// Turns running jobs.
pub struct Jobs {
    /// Whether any goes on.
    running: bool,
    /// Whose turn it was last.
    turn: Option<(AccountNumber, JobId)>,
    /// How many did nothing in a row, since they wait for an answer.
    idle: usize,
    /// All of them do.
    rests_until: UnixMs,
}

impl Jobs {
    /// Running jobs go on.
    pub fn at_start(registry: &Registry) -> Self {
        Self { running: registry.next_job(None).is_some(), turn: None, idle: 0, rests_until: 0 }
    }
}

impl Duty for Jobs {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        self.running.then_some(self.rests_until)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let next = staging.registry().next_job(self.turn);
        if let Some((account, id)) = next {
            self.turn = next;
            self.idle = if staging.step_job(account, id)? { 0 } else { self.idle + 1 };
            if self.idle > 0 && self.idle >= staging.registry().all_running_jobs() {
                (self.idle, self.rests_until) = (0, staging.now() + REST_MS);
            }
        }
        Ok(())
    }

    fn look_at(&mut self, _changed: &[WebhookNumber], registry: &Registry) {
        self.running = registry.next_job(None).is_some();
    }
}

/// Jobs that ended long ago.
pub struct OldJobs;

impl Swept for OldJobs {
    type Place = Key;

    fn some(&mut self, staging: &mut Staging<'_>, from: Key) -> Result<Option<Key>, StoreError> {
        sweep_rows(staging, Tree::Jobs, from, |staging, key, value| {
            // A job that has ended changes no more.
            let goes = record::read_grown::<Job>(Tree::Jobs, key, value)?.is_old(staging.keeping());
            Ok(if goes { Fate::Goes } else { Fate::Stays })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{Bulk, JobKind, Source};
    use crate::domain::time::DAY_MS;
    use crate::store::bench::Bench;

    #[test]
    fn a_job_is_shown_for_a_while_after_its_end_and_then_forgotten() {
        let mut bench = Bench::new();
        let source = Source::DeadLetters { webhook: None };
        let bulk = Bulk { account: 1, kind: JobKind::Discard, source, event_type: None, from: None, to: None };
        let job = bench.now(|staging| staging.create_job(bulk));
        let ended = bench.store.job(1, job.id).unwrap().expect("it is done");
        let is_old = |now| ended.is_old(now);
        let days = (1..100).find(|days| is_old(bench.clock.now() + days * DAY_MS)).expect("some day");
        bench.turn((days - 1) * DAY_MS);
        assert_eq!(bench.keys(Tree::Jobs).len(), 1);
        bench.turn(DAY_MS);
        assert_eq!(bench.keys(Tree::Jobs).len(), 0);
    }
}
