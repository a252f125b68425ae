//! Bulk jobs: made by a request, done by upkeep in small steps. What stays true: a step is one transaction with the
//! job's moved place, so after a crash a job goes on where it was, and repeats and leaves out nothing; a group has one
//! step of one job, and jobs take turns. Jobs that go over something else than rows of their account have steps of their own:
//! `leaving_account` and `broadcast`.

use std::sync::Arc;

use super::asking::{self, Budget};
use super::duty::{STEP_ROWS_MAX, STEP_STEPS_MAX};
use super::error::{Refusal, StoreError};
use super::event_rows::{self, EventHead, Get};
use super::handle::Store;
use super::layout::{self, Tree};
use super::leaving::{Left, STEP_KEYS_MAX};
use super::message::Idempotency;
use super::page::{Filling, Page, keys_of};
use super::record::{self, Idempotent};
use super::select::{self, Found, Held, View};
use super::staging::Staging;
use crate::domain::condition::Condition;
use crate::domain::delivery::{Cause, Delivery};
use crate::domain::id::{AccountNumber, DeliveryId, EventId, JobId, WebhookId, WebhookNumber};
use crate::domain::job::{Bulk, Job, JobKind, JobState, Looked, RUNNING_JOBS_MAX, Source};
use crate::domain::walk::Walk;

/// Deliveries that one step makes or ends.
const STEP_DONE_MAX: u64 = 128;

/// The one event of a job that delivers it again, in one of its steps.
struct Heard {
    event: EventHead,
    /// About.
    bytes: usize,
    /// The webhooks of that step.
    webhooks: Vec<u128>,
}

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
        self.create_job_without(bulk, 0)
    }

    /// The same; so many were named that are not there.
    fn create_job_without(&mut self, bulk: Bulk, missing: u64) -> Result<Job, Refusal> {
        self.vet_job_room(bulk.account)?;
        let mut job = Job::new(JobId(self.next_id(0)), bulk, self.now());
        job.miss(missing);
        self.put_job(&job);
        Ok(job)
    }

    /// The same, once for an `Idempotency-Key`: says whether it was made now.
    pub fn create_job_once(
        &mut self,
        bulk: Bulk,
        missing: u64,
        idempotency: Option<Idempotency>,
    ) -> Result<(Job, bool), Refusal> {
        if let Some(before) = self.job_made_before(bulk.account, idempotency.as_ref())? {
            return Ok((before, false));
        }
        let job = self.create_job_without(bulk, missing)?;
        self.remember_job(&job, idempotency);
        Ok((job, true))
    }

    /// The job that was made with this key; one that is forgotten frees it.
    pub(super) fn job_made_before(
        &self,
        account: AccountNumber,
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<Job>, Refusal> {
        let before = self.made_before(account, idempotency)?.and_then(|before| before.job);
        Ok(before.map(|id| self.job(account, id)).transpose()?.flatten())
    }

    /// It was made with this key.
    pub(super) fn remember_job(&mut self, job: &Job, idempotency: Option<Idempotency>) {
        let Some(Idempotency { key, fingerprint }) = idempotency else { return };
        let record = Idempotent { at: self.keeping(), fingerprint, events: Vec::new(), job: Some(job.id) };
        self.put(Tree::Idempotency, layout::idempotency(job.bulk.account, &key), &record);
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
        self.load_grown(Tree::Jobs, &key)
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
        if let Source::Accounts(broadcast) = &job.bulk.source {
            let broadcast = broadcast.clone();
            let did_something = self.step_broadcast(&mut job, &broadcast)?;
            if did_something {
                self.put_job(&job);
            }
            return Ok(did_something);
        }
        // What was accepted before it is its own, and must be there. Webhooks are there from the start.
        let is_of_webhooks = matches!(job.bulk.source, Source::Webhooks(_) | Source::TheseWebhooks(_));
        if !is_of_webhooks && self.has_to_come_before(account, id.0)? {
            return Ok(false);
        }
        if self.has_lost_its_webhook(&job) || self.registry().is_deleted(account) {
            job.end(JobState::Cancelled, self.now());
            self.put_job(&job);
            return Ok(true);
        }
        let webhooks = |account, window, limit| self.registry().webhook_ids(account, window, limit);
        let ids = select::ids((self.trees(), &webhooks), &job.bulk, job.part, job.window(), STEP_ROWS_MAX)?;
        let heard = self.event_of_audience(&job, &ids)?;
        let (done_before, last) = (job.done, ids.last().copied());
        let may_be_more = ids.len() == STEP_ROWS_MAX;
        let (steps_before, after, keys_before) = (self.steps.get(), job.after, self.keys());
        let has_room = |job: &Job, room: usize, steps: u64| {
            job.done - done_before < STEP_DONE_MAX && steps - steps_before < STEP_STEPS_MAX && room > 0
        };
        for id in ids {
            let room = match job.bulk.kind {
                JobKind::Replay | JobKind::Discard | JobKind::Broadcast => usize::MAX,
                JobKind::Delete | JobKind::Purge => STEP_KEYS_MAX.saturating_sub(self.keys() - keys_before),
            };
            if !has_room(&job, room, self.steps.get()) {
                break;
            }
            match self.work_on(&job, heard.as_ref(), id, room)? {
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
        webhook.is_some_and(|number| !registry.has_webhook(number))
    }

    /// The one event of a job that delivers it again: read once a step, since it is long where it went to many.
    fn event_of_audience(&self, job: &Job, webhooks: &[u128]) -> Result<Option<Heard>, StoreError> {
        let Source::Audience { event } = job.bulk.source else { return Ok(None) };
        let account = job.bulk.account;
        let read = || Ok(self.event_head(account, event)?.zip(self.bytes_of_event(account, event)?));
        let read = self.trees().readable(read())?.flatten();
        Ok(read.map(|(event, bytes)| Heard { event, bytes, webhooks: webhooks.to_vec() }))
    }

    /// About how long the event is, without reading it.
    fn bytes_of_event(&self, account: AccountNumber, id: EventId) -> Result<Option<usize>, StoreError> {
        let (key, get): (_, Get<'_>) = (layout::event(account, id), &|tree, key| self.get(tree, key));
        get(Tree::Events, &key)?.map(|stored| event_rows::event_bytes(get, &key, &stored)).transpose()
    }

    /// Looks at a row, and does what is asked for; nothing if that is not known yet. `room`: keys that it writes, about.
    fn work_on(&mut self, job: &Job, heard: Option<&Heard>, id: u128, room: usize) -> Result<Worked, StoreError> {
        let bulk = &job.bulk;
        // In the midst of an event it is no question any more.
        let within = job.within(EventId(id));
        let look = |staging: &Self| match within {
            Some(_) => Ok(Found::Event(EventId(id))),
            None => staging.look(bulk, heard, id),
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
            Found::Webhook(webhook) => match self.delete_webhook(bulk.account, webhook) {
                Ok(()) => Looked::Done,
                Err(Refusal::Failed(error)) => return Err(error),
                // Somebody was faster.
                Err(_) => Looked::Skipped,
            },
            Found::Hearer(webhook, too_costly) => {
                let heard = heard.expect("whoever hears of an event is found by it");
                self.put_again(&heard.event, webhook, too_costly)?;
                Looked::Done
            }
        }))
    }

    fn put_missed(&mut self, bulk: &Bulk, event: EventId, too_costly: bool) -> Result<Looked, StoreError> {
        let webhook = bulk.source.webhook().expect("who misses an event is one webhook");
        self.put_later(event, webhook, Cause::Missed, None, too_costly)?;
        Ok(Looked::Done)
    }

    /// Delivers an event once more to a webhook: as a replay of what it got when the event was accepted, if it did.
    fn put_again(&mut self, event: &EventHead, webhook: WebhookNumber, too_costly: bool) -> Result<(), StoreError> {
        let had = event.webhooks.binary_search(&webhook).is_ok();
        let first = if had { self.delivery(event.id.delivery_to(webhook)) } else { Ok(None) };
        match self.trees().readable(first)?.flatten() {
            Some(first) if !too_costly => self.put_replay(&first).map(drop),
            Some(first) => self.put_later(event.id, webhook, Cause::Replay(first.id), None, true).map(drop),
            None => self.put_later(event.id, webhook, Cause::Missed, None, too_costly).map(drop),
        }
    }

    fn replay_or_discard(&mut self, kind: JobKind, delivery: Delivery) -> Result<(), StoreError> {
        match kind {
            JobKind::Replay => self.put_replay(&delivery).map(drop),
            JobKind::Discard if delivery.state.is_open() => self.discard_open(delivery),
            JobKind::Discard => self.discard_dead_letter(&delivery),
            JobKind::Delete | JobKind::Purge | JobKind::Broadcast => unreachable!("they look at something else"),
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

    /// Here if that is told in a moment, else on another thread, which reads the event; where it went to many, those behind this
    /// one are asked with it.
    fn holds_in_step(
        &self,
        (account, id): (AccountNumber, EventId),
        number: WebhookNumber,
        heard: Option<&Heard>,
    ) -> Result<Held, StoreError> {
        let condition = self.registry().condition(number).cloned();
        let Some(condition) = condition else { return Ok(Held::Yes) };
        if let Some(answer) = self.foreseen().take(number, id, &condition) {
            return Ok(answer?.map_or(Held::No, Held::from));
        }
        let bytes = heard.map_or_else(|| self.bytes_of_event(account, id), |heard| Ok(Some(heard.bytes)))?;
        if bytes.is_none_or(|bytes| bytes <= Budget::AT_ONCE.bytes) {
            let Some(event) = self.event(account, id)? else { return Ok(Held::No) };
            let (answer, steps) = asking::holds_at_once(&condition, &event);
            self.steps.set(self.steps.get() + steps);
            if let Some(holds) = answer {
                return Ok(Ok(holds).into());
            }
        }
        self.foreseen().ask(account, id, || {
            let behind = heard.map(|heard| self.hearing_behind(number, heard));
            std::iter::once((number, condition)).chain(behind.into_iter().flatten()).collect()
        });
        Ok(Held::Later)
    }

    /// Those of a step that are to be asked behind this one.
    fn hearing_behind(&self, number: WebhookNumber, heard: &Heard) -> Vec<(WebhookNumber, Arc<Condition>)> {
        let (registry, event) = (self.registry(), &heard.event);
        let behind = heard.webhooks.iter().map(|id| WebhookId(*id).number()).filter(|behind| *behind > number);
        let hears = |number: &WebhookNumber| {
            let webhook = registry.webhook(*number);
            webhook.is_some_and(|webhook| webhook.hears_of(&event.event_type, &event.channels, event.test))
        };
        behind.filter(hears).filter_map(|number| Some((number, registry.condition(number)?.clone()))).collect()
    }

    fn look(&self, bulk: &Bulk, heard: Option<&Heard>, id: u128) -> Result<Found, StoreError> {
        let webhook = |number| self.registry().webhook(number);
        let holds = |account, number, event| self.holds_in_step((account, event), number, heard);
        let get: Get<'_> = &|tree, key| self.get(tree, key);
        let view = View { trees: self.trees(), get, webhook: &webhook, holds: &holds };
        match heard {
            Some(heard) => view.hearer(bulk, &heard.event, WebhookId(id)),
            None => view.look(bulk, id),
        }
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
    use std::time::Duration;

    use crate::clock::Stopwatch;
    use crate::store::bench::{Bench, event};
    use crate::store::message::NewEvent;

    #[test]
    fn all_webhooks_of_a_step_are_asked_in_one_go_about_a_long_event() {
        let mut bench = Bench::new();
        let long = format!("{{\"a\":1,\"b\":\"{}\"}}", "x".repeat(100_000));
        let event = bench.publish_as(NewEvent { data: long.into(), ..event() });
        for n in 0..40 {
            bench.webhook_with(|webhook| webhook.condition = Some(format!("@.data.a == {}", n % 2)));
        }
        let (kind, source) = (JobKind::Replay, Source::Audience { event });
        let bulk = Bulk { account: 1, kind, source, event_type: None, from: None, to: None };
        let id = bench.now(move |staging| staging.create_job(bulk)).id;
        let watch = Stopwatch::start();
        let job = loop {
            let job = bench.store.job(1, id).unwrap().unwrap();
            if !job.is_running() {
                break job;
            }
            assert!(watch.elapsed() < Duration::from_secs(60), "{job:?}");
            bench.turn(10);
        };
        assert_eq!((job.state, job.examined, job.done, job.skipped), (JobState::Done, 40, 20, 0));
        assert_eq!(bench.store.0.foreseen.questions(), (1, false));
    }

    #[test]
    fn one_whose_long_event_cannot_be_read_ends_all_the_same() {
        for is_damaged in [false, true] {
            let mut bench = Bench::new();
            let long = format!("\"{}\"", "x".repeat(100_000));
            let event = bench.publish_as(NewEvent { data: long.into(), ..event() });
            let webhook = bench.webhook_with(|webhook| webhook.condition = Some("@.data.a == 1".into())).number();
            if is_damaged {
                bench.damage(Tree::Chunks, &layout::chunk(&layout::event(1, event), 0));
                // Nothing of it is put aside before.
                bench.store.0.reports.take(1);
            }
            let (kind, source) = (JobKind::Replay, Source::Missing { webhook });
            let bulk = Bulk { account: 1, kind, source, event_type: None, from: None, to: None };
            let id = bench.now(move |staging| staging.create_job(bulk)).id;
            let watch = Stopwatch::start();
            while bench.store.job(1, id).unwrap().unwrap().is_running() {
                assert!(watch.elapsed() < Duration::from_secs(60));
                bench.turn(10);
            }
            let job = bench.store.job(1, id).unwrap().unwrap();
            assert_eq!((job.state, job.done), (JobState::Done, 0), "{is_damaged}");
        }
    }

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
