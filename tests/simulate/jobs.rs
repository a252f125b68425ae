//! Bulk jobs. The oracle knows what a job was asked for when it was made, and learns from the store what it has done: each row
//! once, only what was asked for, and at its end all of it, however often the core died in the middle.

use std::collections::{BTreeMap, BTreeSet};

use hookwheel::domain::delivery::{Cause, Delivery, DeliveryState};
use hookwheel::domain::id::{DeliveryId, EventId, JobId, WebhookNumber};
use hookwheel::domain::job::{Bulk, Job, JobKind, JobState, Source};
use hookwheel::domain::walk::Walk;
use hookwheel::domain::webhook::EventFilter;
use hookwheel::store::Refusal;

use crate::oracle::Turn;
use crate::world::World;

/// A job that is under way.
#[derive(Clone)]
pub struct Running {
    id: JobId,
    bulk: Bulk,
    /// The ids of the rows that it was asked for.
    wanted: BTreeSet<u128>,
    done: BTreeSet<u128>,
}

impl World {
    /// Somebody starts a job. One at a time: else nobody could tell whose a replay is. It is left in its middle at times.
    pub fn start_job(&mut self) {
        if self.oracle.job.is_some() {
            return;
        }
        let bulk = self.some_bulk();
        let (wanted, asked) = (self.wanted(&bulk), bulk.clone());
        let mut answer = self.core.store.submit(move |staging| staging.create_job(asked)).unwrap();
        self.step();
        let Ok(job) = answer.try_recv().expect("the committer answers") else { return self.commit() };
        self.oracle.job = Some(Running { id: job.id, bulk, wanted, done: BTreeSet::new() });
        for _ in 0..self.throw(4) {
            self.step();
        }
        match self.throw(4) {
            0 => self.crash(),
            1 => self.cancel_job(job.id),
            2 => self.fail_write(),
            _ => {}
        }
        self.commit();
    }

    fn cancel_job(&mut self, id: JobId) {
        self.now(move |staging| match staging.cancel_job(1, id) {
            Err(Refusal::JobDone) => Ok(()),
            cancelled => cancelled.map(drop),
        });
    }

    fn some_bulk(&mut self) -> Bulk {
        let (id, one_only) = (self.some_id(), self.throw(2) == 0);
        let webhook = id.number();
        let kind = if self.throw(2) == 0 { JobKind::Replay } else { JobKind::Discard };
        let (kind, source) = match self.throw(5) {
            0 | 1 => (kind, Source::DeadLetters { webhook: one_only.then_some(webhook) }),
            2 => (kind, Source::TheseDeadLetters(self.some_dead(webhook))),
            3 if one_only => (JobKind::Replay, Source::Ended { webhook, state: DeliveryState::Succeeded }),
            3 => (JobKind::Discard, Source::Open { webhook }),
            _ => {
                self.change(id, |webhook, _| webhook.events = vec![EventFilter::parse("*").unwrap()]);
                (JobKind::Replay, Source::Missing { webhook })
            }
        };
        Bulk { account: 1, kind, source, event_type: None, from: None, to: None }
    }

    /// Every other dead delivery, whether or not somebody has handled it.
    fn some_dead(&self, webhook: WebhookNumber) -> Vec<DeliveryId> {
        let mut dead: Vec<_> = self.in_state(webhook, DeliveryState::Dead).into_iter().map(|one| one.id).collect();
        dead.sort_unstable();
        dead.into_iter().step_by(2).collect()
    }

    fn in_state(&self, webhook: WebhookNumber, state: DeliveryState) -> Vec<Delivery> {
        self.core.all_deliveries(webhook).into_iter().filter(|one| one.state == state).collect()
    }

    /// What a job has to do, as far as the oracle knows.
    fn wanted(&self, bulk: &Bulk) -> BTreeSet<u128> {
        let ids = |deliveries: Vec<Delivery>| deliveries.into_iter().map(|one| one.id.0).collect::<BTreeSet<_>>();
        let dead = |webhook| {
            let dead = self.in_state(webhook, DeliveryState::Dead);
            ids(dead.into_iter().filter(|one| !self.oracle.handled.contains(&one.id)).collect())
        };
        match &bulk.source {
            Source::DeadLetters { webhook: Some(webhook) } => dead(*webhook),
            Source::DeadLetters { webhook: None } => self.webhooks.iter().flat_map(|id| dead(id.number())).collect(),
            Source::TheseDeadLetters(ids) => {
                ids.iter().filter(|id| !self.oracle.handled.contains(id)).map(|id| id.0).collect()
            }
            Source::Ended { webhook, state } => ids(self.in_state(*webhook, *state)),
            Source::Open { webhook } => {
                let all = self.core.all_deliveries(*webhook);
                ids(all.into_iter().filter(|one| one.state.is_open()).collect())
            }
            Source::Missing { webhook } => self.missing(*webhook),
            _ => unreachable!("nobody asks for that here"),
        }
    }

    /// Events that have no delivery to the webhook; it wants them all.
    fn missing(&self, webhook: WebhookNumber) -> BTreeSet<u128> {
        let mut missing: BTreeSet<u128> = self.oracle.events.iter().map(|id| id.0).collect();
        let of_webhook = self.oracle.seen.iter().filter(|(id, seen)| id.webhook() == webhook && !seen.is_lost);
        for (_, seen) in of_webhook {
            missing.remove(&seen.event.0);
        }
        missing
    }

    /// After each group: what the job has done.
    pub fn learn_from_job(&mut self) {
        let Some(mut running) = self.oracle.job.clone().filter(|_| self.core.store.is_open()) else { return };
        match running.bulk.kind {
            JobKind::Replay => self.learn_replays(&mut running),
            JobKind::Discard => self.learn_discards(&mut running),
            JobKind::Delete | JobKind::Purge | JobKind::Broadcast => unreachable!("nobody asks for that here"),
        }
        let job = self.core.store.job(1, running.id).unwrap().expect("a job is kept");
        let (counted, done) = (job.done as usize, running.done.len());
        // What retention took at once nobody has seen.
        assert!(counted == done || (counted > done && self.may_be_gone()), "{done} are done: {job:?}");
        if !job.is_running() {
            self.check_end(&job, &running);
        }
        self.oracle.job = job.is_running().then_some(running);
    }

    fn learn_replays(&mut self, running: &mut Running) {
        for webhook in self.webhooks.iter().map(|id| id.number()).collect::<Vec<_>>() {
            let all = self.core.all_deliveries(webhook).into_iter();
            let new = all.filter(|one| !self.oracle.seen.contains_key(&one.id) && one.cause != Cause::Accept);
            // In the order in which they were made.
            let new: BTreeMap<DeliveryId, Delivery> = new.map(|one| (one.id, one)).collect();
            for delivery in new.into_values() {
                let of = match delivery.cause {
                    Cause::Replay(old) => old.0,
                    _ => delivery.event.0,
                };
                assert!(running.wanted.contains(&of), "{delivery:?} was not asked for");
                assert!(running.done.insert(of), "{delivery:?} was made twice");
                self.made_again(&delivery);
            }
        }
    }

    /// A delivery was made of an event that has been there for some time.
    pub fn made_again(&mut self, new: &Delivery) {
        let webhook = new.id.webhook();
        let mut place = self.key_of(webhook, new.event).map(|key| (key, new.id));
        if let Cause::Replay(old) = new.cause {
            self.oracle.handled.insert(old);
            let old = self.oracle.seen[&old].place;
            place = old.filter(|(key, at)| self.oracle.orders[&(webhook, *key)][at] == Turn::Holding).or(place);
        }
        self.oracle.made(new.id, new.event, false, place);
    }

    fn learn_discards(&mut self, running: &mut Running) {
        let bulk = Bulk { source: Source::DeadLetters { webhook: None }, ..running.bulk.clone() };
        let dead = self.core.store.dead_letters(&bulk, Walk::newest(100_000)).unwrap().rows;
        let dead: BTreeSet<DeliveryId> = dead.into_iter().map(|one| one.id).collect();
        let is_open = matches!(running.bulk.source, Source::Open { .. });
        let left = running.wanted.difference(&running.done).map(|id| DeliveryId(*id));
        for id in left.collect::<Vec<_>>() {
            let is_done = match self.stored(id) {
                Some(stored) if is_open => stored.reason.is_some_and(|reason| reason.starts_with("discarded")),
                Some(_) => !dead.contains(&id),
                // Retention may take it as soon as it has ended.
                None => is_open && self.may_be_gone() && !self.is_damaged(id),
            };
            if !is_done {
                continue;
            }
            if is_open {
                self.oracle.ended_unsent(id);
            } else {
                self.oracle.handled.insert(id);
                self.oracle.let_go(id);
            }
            running.done.insert(id.0);
            self.oracle.discarded.insert(id);
        }
    }

    /// A job that is done has done all that it could do.
    fn check_end(&self, job: &Job, running: &Running) {
        if job.state != JobState::Done {
            return;
        }
        for left in running.wanted.difference(&running.done) {
            let id = DeliveryId(*left);
            let has_gone = match running.bulk.source {
                Source::Missing { .. } => self.has_lost_event(*left),
                Source::Open { .. } => self.stored(id).is_none_or(|one| !one.state.is_open()),
                _ => self.stored(id).is_none_or(|one| self.has_lost_event(one.event.0)),
            };
            assert!(has_gone, "{left:x} was left out: {job:?}");
        }
    }

    fn has_lost_event(&self, id: u128) -> bool {
        let id = EventId(id);
        self.damaged.events.contains(&id) || self.core.store.event(1, id).unwrap().is_none()
    }
}
