//! How events leave at somebody's word: *deleted*, with all that belongs to them, or *purged*: the payload goes, and that they
//! were, and what became of them, stays. What stays true: the payload goes first, so nothing of the event is sent from that
//! commit on; what is open ends as cancelled and in words; what has happened stays counted, and what is kept goes down. An
//! event with many deliveries goes in steps, as a job, which a crash may repeat.

use super::attempts;
use super::duty::STEP_STEPS_MAX;
use super::error::{Refusal, StoreError};
use super::event_rows::{self, EventHead, Parts};
use super::layout::{self, Key, Tree};
use super::record::{Body, Owner};
use super::staging::Staging;
use crate::domain::delivery::{Attempt, Delivery, DeliveryState, SealedAttempt};
use crate::domain::id::{AccountNumber, DeliveryId, EventId};
use crate::domain::job::{Bulk, Job, JobKind, Source};
use crate::domain::sent_headers::SentHeaders;
use crate::domain::trace::Trace;

/// Keys that one step writes or removes, or a few more: a delivery goes with its attempts.
pub const STEP_KEYS_MAX: usize = 256;
/// Deliveries that one step looks at.
const STEP_DELIVERIES_MAX: usize = 256;
/// What it takes to look at a delivery, in steps of a condition: after so many as one step may look at, a step is over.
const LOOK_STEPS: u64 = STEP_STEPS_MAX / STEP_DELIVERIES_MAX as u64;
/// An event with more deliveries than this does not leave within the commit that was asked for it, but as a job.
const AT_ONCE_MAX: usize = 64;

/// Why what is open of an event that leaves ends.
const DELETED: &str = "its event was deleted";
/// The same of one that stays without its payload.
pub const PURGED: &str = "its event's payload was purged";

/// How far an event is on its way out.
pub enum Left {
    /// All of it is done.
    Whole,
    /// Its deliveries up to this one are done, and there may be more.
    Until(DeliveryId),
    /// Some of its deliveries are still to be made.
    Waits,
}

/// What came of asking that an event leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaving {
    /// It is done.
    Done(Box<EventHead>),
    /// It was purged before.
    Before(Box<EventHead>),
    /// Its payload is gone, and the job does the rest: it went to many webhooks.
    Goes(Box<EventHead>, Box<Job>),
}

impl Staging<'_> {
    /// Removes an event of the account with all that belongs to it; what is open of it is cancelled.
    pub fn delete_event(&mut self, account: AccountNumber, id: EventId) -> Result<Leaving, Refusal> {
        self.leave(account, id, JobKind::Delete)
    }

    /// Takes the payload off an event of the account, and off what its attempts keep. Twice is once.
    pub fn purge_event(&mut self, account: AccountNumber, id: EventId) -> Result<Leaving, Refusal> {
        self.leave(account, id, JobKind::Purge)
    }

    fn leave(&mut self, account: AccountNumber, id: EventId, kind: JobKind) -> Result<Leaving, Refusal> {
        let mut head = self.event_head(account, id)?.ok_or(Refusal::NotFound("event"))?;
        if kind == JobKind::Purge && head.purged_at.is_some() {
            return Ok(Leaving::Before(Box::new(head)));
        }
        let key = layout::event(account, id);
        let is_wide = self.deliveries_after(&head, None, AT_ONCE_MAX + 1)?.len() > AT_ONCE_MAX;
        let room = self.vet_job_room(account);
        if is_wide || self.has_to_come(account, &key)? {
            room?;
            self.take_payload(&key, &mut head)?;
            return self.leave_to_job(kind, head, None);
        }
        // Few deliveries may have very many attempts. Where no job can go on with them, nothing of it is begun.
        if room.is_err() && self.rows_of(&head)? > STEP_KEYS_MAX {
            room?;
        }
        let left = self.leave_some(kind, account, id, None, STEP_KEYS_MAX)?;
        let head = self.event_head(account, id)?.unwrap_or(head);
        match left {
            Left::Until(at) => self.leave_to_job(kind, head, Some(at)),
            Left::Whole | Left::Waits => Ok(Leaving::Done(Box::new(head))),
        }
    }

    /// A job does the rest of an event, whose payload is gone.
    fn leave_to_job(&mut self, kind: JobKind, head: EventHead, within: Option<DeliveryId>) -> Result<Leaving, Refusal> {
        let (account, source) = (head.account, Source::TheseEvents(vec![head.id]));
        let mut job = self.create_job(Bulk { account, kind, source, event_type: None, from: None, to: None })?;
        // From here on it is in the midst of the event: nobody stops it with half of the payload left.
        job.within = Some((head.id, within.unwrap_or(head.id.delivery_to(0))));
        self.put_job(&job);
        Ok(Leaving::Goes(Box::new(head), Box::new(job)))
    }

    /// Deliveries of an event and their attempts, about, of so many as leave at once.
    fn rows_of(&self, head: &EventHead) -> Result<usize, StoreError> {
        let mut rows = 0;
        for id in self.deliveries_after(head, None, AT_ONCE_MAX)? {
            let delivery = self.trees().readable(self.delivery(id))?.flatten();
            rows += delivery.map_or(1, |delivery| 1 + usize::from(delivery.attempts));
        }
        Ok(rows)
    }

    /// Goes on with an event whose deliveries up to `after` are done, until about so many keys are written. One that is gone
    /// is done.
    pub(super) fn leave_some(
        &mut self,
        kind: JobKind,
        account: AccountNumber,
        id: EventId,
        after: Option<DeliveryId>,
        keys_max: usize,
    ) -> Result<Left, StoreError> {
        let key = layout::event(account, id);
        let Some(mut head) = self.event_head(account, id)? else { return Ok(Left::Whole) };
        if self.has_to_come(account, &key)? {
            return Ok(Left::Waits);
        }
        let before = self.keys();
        if head.purged_at.is_none() {
            self.take_payload(&key, &mut head)?;
        }
        let some = self.deliveries_after(&head, after, STEP_DELIVERIES_MAX + 1)?;
        for (index, delivery) in some.iter().enumerate() {
            let has_done_enough = index == STEP_DELIVERIES_MAX || self.keys() - before >= keys_max;
            if let Some(last) = some[..index].last().filter(|_| has_done_enough) {
                return Ok(Left::Until(*last));
            }
            // To look at one takes its time, whether or not anything is written of it.
            self.steps.set(self.steps.get() + LOOK_STEPS);
            // One that cannot be read is put aside, and keeps none of the others.
            let done = self.leave_delivery(kind, account, *delivery);
            self.trees().readable(done)?;
            if kind == JobKind::Delete && delivery.event_at_accept() != id {
                self.stage(Tree::Replays, layout::replay(id, *delivery), None);
            }
        }
        if kind == JobKind::Delete
            && let Some(value) = self.get(Tree::Events, &key)?
        {
            self.forget_rest(&key, &value, &head, Vec::new())?;
        }
        Ok(Left::Whole)
    }

    /// Up to so many deliveries of an event behind that one, ascending: those made at accept, then those made later.
    fn deliveries_after(
        &self,
        head: &EventHead,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<DeliveryId>, StoreError> {
        let prefix = head.id.to_bytes();
        let from = after.map_or(prefix.to_vec(), |after| layout::just_after(&layout::replay(head.id, after)));
        let stored = self.trees().range(Tree::Replays, from..layout::after_prefix(&prefix)).keys();
        let stored = stored.map(|key| key.map(|key| layout::read_delivery(&key)));
        let is_later = |id: &DeliveryId| after.is_none_or(|after| *id > after);
        let at_accept = head.deliveries().filter(is_later).map(Ok);
        let mut ids = at_accept.chain(stored).take(limit).collect::<Result<Vec<_>, StoreError>>()?;
        // Those that this group makes.
        let staged = self.staged_keys(Tree::Replays, &prefix).map(|key| layout::read_delivery(key));
        ids.extend(staged.filter(is_later));
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(limit);
        Ok(ids)
    }

    /// Ends a delivery if it is open, then forgets it or what it holds of the payload.
    pub(super) fn leave_delivery(
        &mut self,
        kind: JobKind,
        account: AccountNumber,
        id: DeliveryId,
    ) -> Result<(), StoreError> {
        let Some(delivery) = self.delivery(id)? else { return Ok(()) };
        let delivery = if delivery.state.is_open() { self.cancel_now(kind, delivery)? } else { delivery };
        match kind {
            JobKind::Delete => self.forget_delivery(account, &delivery).map(drop),
            _ => self.take_echoes(delivery),
        }
    }

    /// Whoever has read the delivery ahead reads again, as when its webhook changes.
    fn cancel_now(&mut self, kind: JobKind, delivery: Delivery) -> Result<Delivery, StoreError> {
        let id = delivery.id;
        self.cancel(delivery, if kind == JobKind::Delete { DELETED } else { PURGED })?;
        if self.notice.changed.last() != Some(&id.webhook()) {
            self.notice.changed.push(id.webhook());
        }
        Ok(self.delivery(id)?.expect("what was cancelled is there"))
    }

    /// Takes the payload off an event: what is left is its head, which says when that was. A body that was written ahead is
    /// given up, so that its pieces go in steps.
    fn take_payload(&mut self, key: &Key, head: &mut EventHead) -> Result<(), StoreError> {
        let Some(value) = self.get(Tree::Events, key)? else { return Ok(()) };
        let mut bytes = key.len() + value.len();
        for piece in event_rows::own_piece_keys(key, &value)? {
            bytes += self.bytes_at(Tree::Chunks, &piece)?;
            self.stage(Tree::Chunks, piece, None);
        }
        if let Some(body) = head.body.take() {
            let given_up = Body { pieces: body.pieces, owner: Owner::GivenUp };
            self.put(Tree::Bodies, layout::body(head.account, body.id), &given_up);
        }
        self.end_being_late(head);
        head.purged_at = Some(self.shown_now());
        self.notice.payload_gone = true;
        let record = event_rows::encode(head, &Parts::default());
        self.event_bytes_gone(head.account, bytes);
        let mut bytes = 0;
        for (tree, key, value) in event_rows::in_pieces(key.clone(), record) {
            bytes += key.len() + value.len();
            self.stage(tree, key, Some(value));
        }
        self.event_bytes_come(head.account, bytes);
        Ok(())
    }

    /// Takes off a delivery that has ended what its attempts may hold of the payload. A dead letter is handled so: it cannot
    /// be replayed any more.
    fn take_echoes(&mut self, mut delivery: Delivery) -> Result<(), StoreError> {
        let id = delivery.id;
        if delivery.state == DeliveryState::Dead {
            self.discard_dead_letter(&delivery)?;
        }
        for n in 2..=delivery.attempts {
            let key = layout::attempt(id, n);
            let stored = self.load::<SealedAttempt>(Tree::Attempts, &key);
            let Some(attempt) = self.trees().readable(stored)?.flatten() else { continue };
            let attempt = self.without_payload(&delivery, attempt);
            let before = self.bytes_at(Tree::Attempts, &key)?;
            let bytes = self.put(Tree::Attempts, key, &attempt);
            self.delivery_bytes_gone(id.webhook(), before);
            self.delivery_bytes_come(id.webhook(), bytes);
        }
        let Some(first) = delivery.first.take() else { return Ok(()) };
        delivery.first = Some(self.without_payload(&delivery, first));
        let key = layout::delivery(id);
        let before = self.bytes_at(Tree::Closed, &key)?;
        let bytes = self.put(Tree::Closed, key, &delivery);
        self.delivery_bytes_gone(id.webhook(), before);
        self.delivery_bytes_come(id.webhook(), bytes);
        Ok(())
    }

    /// An attempt without what may tell of the payload: the answer may repeat it, and headers may be made of it.
    fn without_payload(&mut self, delivery: &Delivery, sealed: SealedAttempt) -> SealedAttempt {
        let webhook = self.registry().webhook(delivery.id.webhook());
        let key = webhook.as_ref().and_then(|webhook| webhook.attempts_key.as_ref());
        let attempt = attempts::open(key, delivery.id, sealed);
        self.seal_attempt(delivery.id, &attempt_without_payload(attempt))
    }

    /// Whether the delivery's event is there without its payload.
    pub(super) fn is_purged(&self, delivery: &Delivery) -> Result<bool, StoreError> {
        let account = self.registry().account_of_webhook(delivery.id.webhook());
        let Some(account) = account else { return Ok(false) };
        let head = self.event_head(account, delivery.event);
        Ok(self.trees().readable(head)?.flatten().is_some_and(|head| head.purged_at.is_some()))
    }
}

/// When, where to, how long and what came of it. Headers of either side may be made of the payload, the answer may repeat it,
/// and a hash of what was sent would tell a good guess from a bad one.
pub fn attempt_without_payload(attempt: Attempt) -> Attempt {
    let Trace { phases, auth_us, reauthorized, .. } = attempt.trace;
    let trace = Trace { phases, auth_us, reauthorized, ..Trace::default() };
    Attempt { request_headers: SentHeaders::default(), response_body: Vec::new(), trace, ..attempt }
}

#[cfg(test)]
mod tests;
