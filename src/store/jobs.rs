//! Bulk jobs: made by a request, done by upkeep in small steps. What stays true: a step is one transaction with the
//! job's moved place, so after a crash a job goes on where it was, and repeats and leaves out nothing; a group has one
//! step of one job, and jobs take turns.

use super::asking;
use super::duty::{STEP_ROWS_MAX, STEP_STEPS_MAX};
use super::error::{Refusal, StoreError};
use super::handle::Store;
use super::layout::{self, Tree};
use super::leaving::{Left, STEP_KEYS_MAX};
use super::page::{Filling, Page, keys_of};
use super::record;
use super::select::{self, Found, Held, View};
use super::staging::Staging;
use crate::domain::delivery::{Cause, Delivery};
use crate::domain::id::{AccountNumber, DeliveryId, EventId, JobId, WebhookNumber};
use crate::domain::job::{Bulk, Job, JobKind, JobState, Looked, RUNNING_JOBS_MAX, Source};
use crate::domain::walk::Walk;

/// Deliveries that one step makes or ends.
const STEP_DONE_MAX: u64 = 128;

/// What came of a row.
enum Worked {
    /// It is done with.
    Looked(Looked),
    /// An event takes more steps; its deliveries up to that one are done.
    Within(DeliveryId),
    /// That is not known yet.
    Later,
}

impl Staging<'_> {
    /// Makes a job of a bulk call. It covers what exists by now.
    pub fn create_job(&mut self, bulk: Bulk) -> Result<Job, Refusal> {
        self.vet_job_room(bulk.account)?;
        let job = Job::new(JobId(self.next_id(0)), bulk, self.now());
        self.put_job(&job);
        Ok(job)
    }

    /// Asserts that the account may have another job.
    pub(super) fn vet_job_room(&self, account: AccountNumber) -> Result<(), Refusal> {
        let has_room = self.registry().running_jobs(account) < RUNNING_JOBS_MAX;
        if has_room { Ok(()) } else { Err(Refusal::JobLimit { limit: RUNNING_JOBS_MAX }) }
    }

    /// Stops a job; what it has done stays done. Twice is once.
    pub fn cancel_job(&mut self, account: AccountNumber, id: JobId) -> Result<Job, Refusal> {
        let mut job = self.job(account, id)?.ok_or(Refusal::NotFound("job"))?;
        match job.state {
            JobState::Done => return Err(Refusal::JobDone),
            JobState::Cancelled => {}
            JobState::Running if matches!(job.bulk.source, Source::Account { .. }) => {
                return Err(Refusal::JobGoesOn(
                    "the account is gone already; what is left of it goes, and cannot be kept",
                ));
            }
            JobState::Running if job.within.is_some() => {
                let message = "it is in the midst of an event that went to many webhooks; cancel it in a moment";
                return Err(Refusal::JobGoesOn(message));
            }
            JobState::Running => {
                job.end(JobState::Cancelled, self.now());
                self.put_job(&job);
            }
        }
        Ok(job)
    }

    fn job(&self, account: AccountNumber, id: JobId) -> Result<Option<Job>, StoreError> {
        let key = layout::job(account, id);
        self.get(Tree::Jobs, &key)?.map(|bytes| record::read_grown(Tree::Jobs, &key, &bytes)).transpose()
    }

    pub(super) fn put_job(&mut self, job: &Job) {
        self.put(Tree::Jobs, layout::job(job.bulk.account, job.id), job);
        self.registry_mut().put_job(job);
    }

    /// One step of a running job. Says whether it did anything: it may wait for an answer.
    pub(super) fn step_job(&mut self, account: AccountNumber, id: JobId) -> Result<bool, StoreError> {
        // What a group stages is not on disk yet, and a step reads rows there: a job begins in the group after its own.
        if self.trees().get(Tree::Jobs, &layout::job(account, id))?.is_none() {
            return Ok(true);
        }
        let Some(mut job) = self.job(account, id)? else { return Ok(true) };
        if let Source::Account { number, .. } = job.bulk.source {
            let did_something = self.step_out(&mut job, number)?;
            if did_something {
                self.put_job(&job);
            }
            return Ok(did_something);
        }
        // What was accepted before it is its own, and must be there.
        if self.has_to_come_before(account, id.0)? {
            return Ok(false);
        }
        if self.has_lost_its_webhook(&job) || self.registry().is_deleted(account) {
            job.end(JobState::Cancelled, self.now());
            self.put_job(&job);
            return Ok(true);
        }
        let ids = select::ids(self.trees(), &job.bulk, job.part, job.window(), STEP_ROWS_MAX)?;
        let (done_before, last) = (job.done, ids.last().copied());
        let may_be_more = ids.len() == STEP_ROWS_MAX;
        let (steps_before, after, keys_before) = (self.steps.get(), job.after, self.keys());
        let has_room = |job: &Job, room: usize, steps: u64| {
            job.done - done_before < STEP_DONE_MAX && steps - steps_before < STEP_STEPS_MAX && room > 0
        };
        for id in ids {
            let room = match job.bulk.kind {
                JobKind::Replay | JobKind::Discard => usize::MAX,
                JobKind::Delete | JobKind::Purge => STEP_KEYS_MAX.saturating_sub(self.keys() - keys_before),
            };
            if !has_room(&job, room, self.steps.get()) {
                break;
            }
            match self.work_on(&job, id, room)? {
                Worked::Looked(looked) => job.count(id, looked),
                Worked::Within(delivery) => {
                    job.within = Some((EventId(id), delivery));
                    break;
                }
                Worked::Later if job.after == after => return Ok(false),
                Worked::Later => break,
            }
        }
        if !may_be_more && job.after >= last && !job.next_part() {
            job.end(JobState::Done, self.now());
        }
        job.forget_looked_at();
        self.put_job(&job);
        Ok(true)
    }

    /// A deleted webhook gets nothing more, and what is open of it is being cancelled anyway.
    fn has_lost_its_webhook(&self, job: &Job) -> bool {
        let webhook = match &job.bulk.source {
            Source::DeadLetters { .. } => return false,
            source => source.webhook(),
        };
        let registry = self.registry();
        webhook.is_some_and(|number| registry.webhook(number).is_none_or(|webhook| webhook.is_deleted()))
    }

    /// Looks at a row, and does what is asked for; nothing if that is not known yet. `room`: keys that it writes, about.
    fn work_on(&mut self, job: &Job, id: u128, room: usize) -> Result<Worked, StoreError> {
        let bulk = &job.bulk;
        // In the midst of an event it is no question any more.
        let within = job.within(EventId(id));
        let look = |staging: &Self| match within {
            Some(_) => Ok(Found::Event(EventId(id))),
            None => staging.look(bulk, id),
        };
        // One record that cannot be read must not stop all others.
        let found = self.trees().readable(look(self))?;
        Ok(Worked::Looked(match found.unwrap_or(Found::Unable) {
            Found::Later => return Ok(Worked::Later),
            Found::Nothing => Looked::Passed,
            Found::Unable => Looked::Skipped,
            Found::Delivery(delivery) => {
                self.replay_or_discard(bulk.kind, *delivery)?;
                Looked::Done
            }
            Found::Event(event) => {
                let left = self.leave_some(bulk.kind, bulk.account, event, within, room);
                match self.trees().readable(left)? {
                    Some(Left::Whole) => Looked::Done,
                    Some(Left::Until(delivery)) => return Ok(Worked::Within(delivery)),
                    Some(Left::Waits) => return Ok(Worked::Later),
                    None => Looked::Skipped,
                }
            }
            Found::Missed(event) => self.put_missed(bulk, event, false)?,
            Found::TooCostly(event) => self.put_missed(bulk, event, true)?,
        }))
    }

    fn put_missed(&mut self, bulk: &Bulk, event: EventId, too_costly: bool) -> Result<Looked, StoreError> {
        let webhook = bulk.source.webhook().expect("who misses an event is one webhook");
        self.put_later(event, webhook, Cause::Missed, None, too_costly)?;
        Ok(Looked::Done)
    }

    fn replay_or_discard(&mut self, kind: JobKind, delivery: Delivery) -> Result<(), StoreError> {
        match kind {
            JobKind::Replay => self.put_replay(&delivery).map(drop),
            JobKind::Discard if delivery.state.is_open() => self.discard_open(delivery),
            JobKind::Discard => self.discard_dead_letter(&delivery),
            JobKind::Delete | JobKind::Purge => unreachable!("they look at events"),
        }
    }

    /// Whoever has read the delivery ahead reads again, as when its webhook changes.
    fn discard_open(&mut self, delivery: Delivery) -> Result<(), StoreError> {
        let webhook = delivery.id.webhook();
        self.cancel(delivery, "discarded by request")?;
        if self.notice.changed.last() != Some(&webhook) {
            self.notice.changed.push(webhook);
        }
        Ok(())
    }

    /// Here if that is told in a moment, else on another thread.
    fn holds_in_step(&self, account: AccountNumber, number: WebhookNumber, id: EventId) -> Result<Held, StoreError> {
        let condition = self.registry().condition(number).cloned();
        let Some(condition) = condition else { return Ok(Held::Yes) };
        if let Some(answer) = self.foreseen().take(number, id, &condition) {
            return Ok(answer.into());
        }
        let Some(event) = self.event(account, id)? else { return Ok(Held::No) };
        let (answer, steps) = asking::holds_at_once(&condition, &event);
        self.steps.set(self.steps.get() + steps);
        Ok(match answer {
            Some(holds) => Ok(holds).into(),
            None => {
                self.foreseen().ask(number, condition, event);
                Held::Later
            }
        })
    }

    fn look(&self, bulk: &Bulk, id: u128) -> Result<Found, StoreError> {
        let webhook = |number| self.registry().webhook(number).cloned();
        let holds = |account, number, event| self.holds_in_step(account, number, event);
        View { trees: self.trees(), get: &|tree, key| self.get(tree, key), webhook: &webhook, holds: &holds }
            .look(bulk, id)
    }
}

impl Store {
    /// A job of the account.
    pub fn job(&self, account: AccountNumber, id: JobId) -> Result<Option<Job>, StoreError> {
        let key = layout::job(account, id);
        self.look(|trees| {
            trees.get(Tree::Jobs, &key)?.map(|bytes| record::read_grown(Tree::Jobs, &key, &bytes)).transpose()
        })
    }

    /// The account's jobs, without those that cannot be read.
    pub fn jobs(&self, account: AccountNumber, walk: Walk) -> Result<Page<Job, JobId>, StoreError> {
        let mut page = Filling::of(walk);
        if walk.is_empty() {
            return Ok(page.end());
        }
        self.look(|trees| {
            for row in walk.along(trees.range(Tree::Jobs, keys_of(account, walk))) {
                if !page.goes_on() {
                    break;
                }
                let job = row.and_then(|(key, value)| {
                    page.at(JobId(layout::read_id(&key)));
                    record::read_grown::<Job>(Tree::Jobs, &key, &value)
                });
                if let Some(job) = trees.readable(job)? {
                    page.push(job);
                }
            }
            Ok(page.end())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::Bench;

    #[test]
    fn a_page_that_holds_the_last_job_is_the_last() {
        let mut bench = Bench::new();
        let source = Source::DeadLetters { webhook: None };
        let bulk = Bulk { account: 1, kind: JobKind::Replay, source, event_type: None, from: None, to: None };
        let jobs: Vec<JobId> = (0..3)
            .map(|_| {
                let bulk = bulk.clone();
                bench.now(|staging| staging.create_job(bulk)).id
            })
            .collect();
        let page = |past: Option<JobId>, limit| {
            let page = bench.store.jobs(1, Walk::newest(limit).past(past)).unwrap();
            (page.rows.iter().map(|job| job.id).collect::<Vec<_>>(), page.next)
        };
        assert_eq!(page(None, 2), (vec![jobs[2], jobs[1]], Some(jobs[1])));
        assert_eq!(page(Some(jobs[1]), 1), (vec![jobs[0]], None));
        assert_eq!(page(None, 3).1, None);
    }
}
