//! How much a job has still to look at, as far as keys alone say it. What stays true: no row is read for it.

use super::error::StoreError;
use super::handle::Store;
use super::select;
use crate::domain::job::{Job, Source};

impl Store {
    /// Rows that a job has still to look at, counted up to `rows_max`; `None` where it does not go from row to row: with an
    /// account that leaves, and with a broadcast.
    pub fn rows_left(&self, job: &Job, rows_max: usize) -> Result<Option<usize>, StoreError> {
        if !job.is_running() {
            return Ok(Some(0));
        }
        if matches!(job.bulk.source, Source::Account { .. } | Source::Accounts(_)) {
            return Ok(None);
        }
        let webhooks = |account, window, limit| self.registry().webhook_ids(account, window, limit);
        let mut left = 0;
        for part in job.part..job.bulk.source.parts() {
            // Only the part that it is in has been begun.
            let window = if part == job.part { job.window() } else { job.bulk.window(None, job.id.0) };
            let limit = rows_max - left;
            left += self.look(|trees| select::ids((trees, &webhooks), &job.bulk, part, window, limit))?.len();
            if left >= rows_max {
                break;
            }
        }
        Ok(Some(left))
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::id::{AccountNumber, JobId};
    use crate::domain::job::{Bulk, Job, JobKind, JobState, Looked, Source};
    use crate::domain::retry::Next;
    use crate::store::bench::{Bench, START, event, settlement};

    /// The latest job that there could be.
    fn job(source: Source) -> Job {
        let bulk = Bulk { account: 1, kind: JobKind::Discard, source, event_type: None, from: None, to: None };
        Job::new(JobId(u128::MAX), bulk, START)
    }

    #[test]
    fn what_is_left_shrinks_with_what_was_looked_at_and_is_counted_up_to_a_bound() {
        let mut bench = Bench::new();
        bench.webhook();
        let events = bench.now(move |staging| staging.accept(1, vec![event(); 5], None));
        let dead: Vec<_> = events.iter().take(4).map(|event| event.id.delivery_to(1)).collect();
        dead.iter().for_each(|delivery| bench.store.settle(settlement(*delivery, 1, START, Next::Dead)));
        bench.rest();
        let left = |job: &Job, rows_max| bench.store.rows_left(job, rows_max).unwrap();
        let mut dead_letters = job(Source::DeadLetters { webhook: None });
        assert_eq!((left(&dead_letters, 10), left(&dead_letters, 3)), (Some(4), Some(3)));
        dead_letters.count(dead[1].0, Looked::Done);
        assert_eq!(left(&dead_letters, 10), Some(2));
        dead_letters.end(JobState::Cancelled, START);
        assert_eq!(left(&dead_letters, 10), Some(0));
        let open = job(Source::Open { webhook: 1 });
        assert_eq!(left(&open, 10), Some(1), "all parts count");
        assert_eq!(left(&job(Source::TheseDeadLetters(dead)), 10), Some(4));
        let number: AccountNumber = 2;
        assert_eq!(left(&job(Source::Account { number, id: "a".into() }), 10), None);
    }
}
