//! One event for many accounts: it is kept once, as an event of the operator's account that goes to nobody, and a job publishes
//! it to each account, some a step. What stays true: an account's own event, its deliveries or what is to come of them, and the
//! job's place go into one transaction, so a crash repeats and leaves out nobody, and nobody gets it twice; who wants it is
//! asked here only where that takes no time, else beside the commit thread while the job waits.

use super::asking::{self, Budget};
use super::duty::{STEP_ROWS_MAX, STEP_STEPS_MAX};
use super::error::{Refusal, StoreError};
use super::leaving::STEP_KEYS_MAX;
use super::message::{Idempotency, NewEvent};
use super::parsed::Parsed;
use super::publish::{Asked, Wanting};
use super::registry::Mode;
use super::staging::Staging;
use crate::domain::Invalid;
use crate::domain::account::{DEFAULT_ACCOUNT, OPERATOR_ACCOUNT};
use crate::domain::delivery::Cause;
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, EventId};
use crate::domain::job::{Broadcast, Bulk, Job, JobKind, JobState, Looked, Source};

/// Bytes of a broadcast's JSON: as much as a publish writes in one piece, since each account's event is.
pub const BROADCAST_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of events that one step writes, or one event.
const STEP_BYTES_MAX: usize = 512 * 1024;

impl Staging<'_> {
    /// Makes a job that publishes an event to all accounts that there are now, or to those with a tag; once for an
    /// `Idempotency-Key`. Says whether it was made now. It belongs to the account that exists from the start.
    pub fn create_broadcast(
        &mut self,
        event: NewEvent,
        tag: Option<String>,
        idempotency: Option<Idempotency>,
    ) -> Result<(Job, bool), Refusal> {
        let number = |id| self.registry().account_by_id(id).map(|account| account.number);
        let of = |id| number(id).ok_or(Refusal::NotFound("account"));
        let (owner, home) = (of(DEFAULT_ACCOUNT)?, of(OPERATOR_ACCOUNT)?);
        if let Some(before) = self.job_made_before(owner, idempotency.as_ref())? {
            return Ok((before, false));
        }
        if event.bytes() > BROADCAST_BYTES_MAX {
            let message = format!(
                "is longer than {BROADCAST_BYTES_MAX} bytes with actor and metadata; put what is long where receivers can \
                 fetch it, or publish to each account"
            );
            return Err(Invalid::new("data", message).into());
        }
        self.vet_job_room(owner)?;
        let (name, fingerprint) = (event.name.clone(), event.fingerprint);
        // Its own id is that of each account's event.
        let kept = NewEvent { name: None, fingerprint: None, ..event };
        let kept = self.put_event(home, kept, Wanting::default(), Cause::Accept)?;
        let accounts = self.registry().accounts_to_reach(home, tag.as_deref()) as u64;
        let source = Broadcast { home, event: kept.id, name, fingerprint, tag, accounts };
        let source = Source::Accounts(Box::new(source));
        let (event_type, from, to) = (None, None, None);
        let bulk = Bulk { account: owner, kind: JobKind::Broadcast, source, event_type, from, to };
        let job = self.create_job(bulk)?;
        self.remember_job(&job, idempotency);
        Ok((job, true))
    }

    /// One step of it. Says whether it did anything: it may wait for an answer, or for space.
    pub(super) fn step_broadcast(&mut self, job: &mut Job, broadcast: &Broadcast) -> Result<bool, StoreError> {
        if self.carried.is_space_low {
            return Ok(false);
        }
        let kept = self.event(broadcast.home, broadcast.event);
        let Some(kept) = self.trees().readable(kept)?.flatten() else {
            job.end(JobState::Cancelled, self.now());
            return Ok(true);
        };
        let event = NewEvent {
            name: broadcast.name.clone(),
            event_type: kept.event_type.clone(),
            created_at: Some(kept.created_at),
            data: kept.data.clone(),
            actor: kept.actor.clone(),
            metadata: kept.metadata.clone(),
            test: kept.test,
            channels: kept.channels.clone(),
            fingerprint: broadcast.fingerprint,
            trace: kept.trace,
        };
        let after = job.after.map_or(0, |after| after as AccountNumber);
        let accounts: Vec<_> = {
            let registry = self.registry();
            let next = registry.accounts_after(after).take(STEP_ROWS_MAX);
            let is_there = |at| at <= job.created_at;
            next.map(|one| (one.number, is_there(one.created_at) && one.is_tagged(broadcast.tag.as_deref()))).collect()
        };
        let (keys, steps, mut bytes) = (self.keys(), self.steps.get(), 0);
        for (index, (account, is_asked_for)) in accounts.iter().enumerate() {
            let has_room = self.keys() - keys < STEP_KEYS_MAX
                && self.steps.get() - steps < STEP_STEPS_MAX
                && (bytes == 0 || bytes + event.bytes() <= STEP_BYTES_MAX);
            if !has_room {
                return Ok(true);
            }
            let looked = match *is_asked_for && *account != broadcast.home {
                true => self.publish_to(*account, &kept, &event)?,
                false => Some(Looked::Passed),
            };
            let Some(looked) = looked else { return Ok(index > 0) };
            bytes += if looked == Looked::Done { event.bytes() } else { 0 };
            job.count((*account).into(), looked);
        }
        if accounts.len() < STEP_ROWS_MAX {
            job.end(JobState::Done, self.now());
        }
        Ok(true)
    }

    /// Publishes it to one account; none if it is not known yet who wants it. It counts among what the account has published in
    /// its day, and is refused for none of its limits: what the operator says must not stay away for what the account did.
    fn publish_to(
        &mut self,
        account: AccountNumber,
        kept: &Event,
        event: &NewEvent,
    ) -> Result<Option<Looked>, StoreError> {
        if let Some(name) = &event.name {
            let before = self.event_head_named(account, name);
            match self.trees().readable(before)? {
                Some(None) => {}
                Some(Some(before)) if before.fingerprint == event.fingerprint => return Ok(Some(Looked::Passed)),
                // Something else has that id, or nobody knows what.
                _ => return Ok(Some(Looked::Skipped)),
            }
        }
        let Some(wanting) = self.wanting_in_step(account, kept.id, event) else { return Ok(None) };
        self.put_event(account, event.clone(), wanting, Cause::Accept)?;
        self.count_in_day(account)?;
        Ok(Some(Looked::Done))
    }

    /// Who of the account wants it: here if that is told in a moment, else on another thread.
    fn wanting_in_step(&self, account: AccountNumber, id: EventId, event: &NewEvent) -> Option<Wanting> {
        if let Some(asked) = self.foreseen().take_wanting(account, id) {
            return self.brought_up(account, id, event, asked);
        }
        let (mut parsed, mut budget) = (Parsed::of(event), Budget::AT_ONCE);
        let wanting = asking::ask(self.registry_lock(), account, Mode::of(event.test), &mut parsed, &mut budget);
        let read = Budget::AT_ONCE.bytes - budget.bytes;
        let took = Budget::AT_ONCE.steps - budget.steps + asking::reading(read);
        let webhooks = wanting.as_ref().map_or(0, |wanting| wanting.webhooks.len());
        self.steps.set(self.steps.get() + took + webhooks as u64);
        let wanting = wanting.filter(|wanting| wanting.too_costly.is_empty());
        if wanting.is_none() {
            self.foreseen().ask_wanting(account, id, event.clone());
        }
        wanting
    }

    /// What was asked, by the registry as it is now; none if that takes longer than there is time here, so it is asked anew.
    fn brought_up(&self, account: AccountNumber, id: EventId, event: &NewEvent, asked: Asked) -> Option<Wanting> {
        let may_ask_again = self.foreseen().may_ask_again(account, id);
        let wanting = asking::bring_up(&self.registry(), account, std::slice::from_ref(event), asked, may_ask_again);
        if wanting.is_none() {
            self.foreseen().asks_again(account, id);
        }
        wanting.and_then(|mut wanting| wanting.pop())
    }
}

#[cfg(test)]
mod tests;
