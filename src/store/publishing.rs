//! A publish from its side of the queue: who wants the events is asked ahead of the commit, what is long is written ahead of it,
//! and only then the commit thread decides. What stays true: what is equal to an earlier event is looked up before anything
//! of it is written; what was written and no event has in the end is given up, also if whoever asked goes away.

use std::collections::HashSet;

use tokio::sync::oneshot;

use super::asking::{self, Asking};
use super::bodies::{Bounds, length, pieces_of, steps};
use super::error::{Refusal, StoreError};
use super::event_rows::{BodyAt, Parts};
use super::fan_out::GROUP_STEPS;
use super::handle::Store;
use super::layout::{self, Tree};
use super::message::{Accepted, IDEMPOTENCY_MS, Idempotency, NewEvent};
use super::publish::{Bodies, Publish, Published, Terms};
use super::record::{self, Idempotent};
use super::request::Load;
use super::staging::Staging;
use crate::domain::byte_budget::Charge;
use crate::domain::id::{AccountNumber, BodyId};

/// How often what is long of one publish is written, if it does not stay there: the store was opened again meanwhile, or the
/// event that seemed to be there is not any more.
const WRITES_MAX: usize = 3;

impl Store {
    /// Asks which webhooks want events that are to be published: here if that is done in a moment, else on another thread,
    /// in turns of the accounts.
    pub async fn ask(&self, account: AccountNumber, events: Vec<NewEvent>) -> Result<Publish, Refusal> {
        match asking::at_once(&self.0.registry, account, &events) {
            Some(asked) => Ok(Publish::asked(events, asked)),
            None => self.ask_in_turn(account, events).await,
        }
    }

    async fn ask_in_turn(&self, account: AccountNumber, events: Vec<NewEvent>) -> Result<Publish, Refusal> {
        let line = self.0.turns.line_up(account, events.iter().map(NewEvent::bytes).sum()).ok_or(Refusal::QueueFull)?;
        let mut asking = Asking::of(&self.0.registry, account, events);
        loop {
            let (turn, inner) = (line.turn().await, self.0.clone());
            let some = move || {
                let _turn = turn;
                asking.go_on(&inner.registry)
            };
            asking = match tokio::task::spawn_blocking(some).await {
                Ok(Ok(publish)) => return publish,
                Ok(Err(asking)) => asking,
                Err(ended) => match ended.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => return Err(Refusal::Closed),
                },
            };
        }
    }

    /// Accepts events that were asked about, all or none. The answer comes once they have reached the disk.
    pub async fn publish(
        &self,
        account: AccountNumber,
        mut publish: Publish,
        idempotency: Option<Idempotency>,
    ) -> Result<Vec<Accepted>, Refusal> {
        let mut ahead = Ahead::of(self, account, publish.bytes())?;
        let (mut may_ask_again, mut writes) = (true, 0);
        loop {
            if !self.has_space() {
                return Err(Refusal::NoSpace);
            }
            if let Some(ahead) = ahead.as_mut().filter(|ahead| ahead.bodies.is_empty()) {
                writes += 1;
                // What seemed to be there before and is not is written.
                let look_up = (writes == 1).then_some(idempotency.as_ref());
                ahead.write(&publish.events, look_up).await?;
            }
            publish.bodies = ahead.as_ref().map_or_else(Bodies::new, |ahead| ahead.bodies.clone());
            match self.put(account, publish, idempotency.clone(), may_ask_again).await? {
                Published::Accepted(accepted) => {
                    ahead.iter_mut().for_each(|ahead| ahead.are_given(&accepted));
                    return Ok(accepted);
                }
                Published::AskAgain(events) => {
                    publish = self.ask_in_turn(account, events).await?;
                    may_ask_again = false;
                }
                Published::WriteAgain(_) if writes == WRITES_MAX => return Err(Refusal::QueueFull),
                Published::WriteAgain(again) => {
                    publish = again;
                    ahead.iter_mut().for_each(Ahead::give_up);
                }
            }
        }
    }

    /// The commit thread decides.
    async fn put(
        &self,
        account: AccountNumber,
        publish: Publish,
        idempotency: Option<Idempotency>,
        may_ask_again: bool,
    ) -> Result<Published, Refusal> {
        // Each event is a key, and what is beyond one group's deliveries is made later.
        let deliveries = publish.events.len().max(publish.deliveries().min(GROUP_STEPS * self.0.settings.fan_out_max));
        let load = Load { bytes: publish.bytes_left(), deliveries, ..Load::of(account) };
        let terms = Terms { may_ask_again, events_per_day: self.0.in_force.load().events_per_day };
        let accept = move |staging: &mut Staging<'_>| staging.accept_asked(account, publish, idempotency, terms);
        self.submit_for(load, accept)?.await.unwrap_or(Err(Refusal::Closed))
    }

    /// The same for events that nobody asked about: the commit thread does.
    pub fn accept(
        &self,
        account: AccountNumber,
        events: Vec<NewEvent>,
        idempotency: Option<Idempotency>,
    ) -> Result<oneshot::Receiver<Result<Vec<Accepted>, Refusal>>, Refusal> {
        if !self.has_space() {
            return Err(Refusal::NoSpace);
        }
        let load = Load { bytes: events.iter().map(NewEvent::bytes).sum(), ..Load::of(account) };
        self.submit_for(load, move |staging| staging.accept(account, events, idempotency))
    }

    /// Whether what is sent with this key was accepted before, as the commit thread would say now.
    pub fn is_accepted(&self, account: AccountNumber, idempotency: &Idempotency) -> Result<bool, StoreError> {
        let row = layout::idempotency(account, &idempotency.key);
        self.look(|trees| {
            let Some(stored) = trees.get(Tree::Idempotency, &row)? else { return Ok(false) };
            let before: Idempotent = record::read_grown(Tree::Idempotency, &row, &stored)?;
            let is_remembered = self.keeping() < before.at + IDEMPOTENCY_MS;
            if !is_remembered || before.fingerprint != idempotency.fingerprint {
                return Ok(false);
            }
            for id in before.events {
                // Retention may have taken the event meanwhile; then the key is free again.
                if trees.get(Tree::Events, &layout::event(account, id))?.is_none() {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Which of the events are, for all that can be told ahead, equals of others that were accepted before.
    fn are_known(
        &self,
        account: AccountNumber,
        events: &[NewEvent],
        idempotency: Option<&Idempotency>,
    ) -> Result<Vec<bool>, StoreError> {
        self.look(|trees| {
            if let Some(Idempotency { key, .. }) = idempotency {
                let row = layout::idempotency(account, key);
                let before = trees.get(Tree::Idempotency, &row)?;
                let before = before.map(|stored| record::read_grown::<Idempotent>(Tree::Idempotency, &row, &stored));
                if before.transpose()?.is_some_and(|before| self.keeping() < before.at + IDEMPOTENCY_MS) {
                    return Ok(vec![true; events.len()]);
                }
            }
            let mut in_batch = HashSet::new();
            let of = |event: &NewEvent| {
                let Some(name) = event.name.as_deref() else { return Ok(false) };
                Ok(!in_batch.insert(name.to_owned()) || trees.get(Tree::Names, &layout::name(account, name))?.is_some())
            };
            events.iter().map(of).collect()
        })
    }
}

/// What is written ahead of a publish. What no event has when this is dropped is given up.
struct Ahead<'a> {
    store: &'a Store,
    account: AccountNumber,
    bounds: Bounds,
    bodies: Bodies,
    /// All that was begun.
    ids: Vec<BodyId>,
    /// The queue counts a step of it, and its events are in memory until the last.
    _room: Charge,
}

impl<'a> Ahead<'a> {
    /// Nothing yet, for a publish of so many bytes; none if they are few.
    fn of(store: &'a Store, account: AccountNumber, bytes: usize) -> Result<Option<Self>, Refusal> {
        let bounds = Bounds::of(store.0.settings.ahead_bytes_min);
        if bytes <= bounds.publish_bytes {
            return Ok(None);
        }
        let mut room = store.0.ahead.charge(account);
        room.grow_to(bytes).map_err(|_| Refusal::QueueFull)?;
        Ok(Some(Self { store, account, bounds, bodies: Bodies::new(), ids: Vec::new(), _room: room }))
    }

    /// Writes what is long of the events, but for those that are known.
    async fn write(&mut self, events: &[NewEvent], look_up: Option<Option<&Idempotency>>) -> Result<(), Refusal> {
        let known = match look_up {
            Some(idempotency) => self.store.are_known(self.account, events, idempotency)?,
            None => vec![false; events.len()],
        };
        let bodies: Vec<Parts> = events.iter().map(NewEvent::body).collect();
        let is_long = |index: &usize| length(&bodies[*index]) > self.bounds.event_bytes;
        let (equal, new): (Vec<usize>, Vec<usize>) = (0..events.len()).filter(is_long).partition(|index| known[*index]);
        let lengths: Vec<_> = new.into_iter().map(|index| (index, length(&bodies[index]))).collect();
        let mut begun: Vec<(usize, BodyId, u16)> = Vec::new();
        for step in steps(&lengths, self.bounds) {
            let mut pieces = Vec::with_capacity(step.len());
            let mut bytes = 0;
            for stretch in &step {
                bytes += stretch.bytes.len();
                let id = begun.last().filter(|(index, ..)| *index == stretch.index).map(|(_, id, _)| *id);
                pieces.push((id, pieces_of(&bodies[stretch.index], stretch.bytes.clone(), self.bounds.piece_bytes)));
            }
            let written = self.put(bytes, pieces).await?;
            let Some(written) = written else {
                // What was written before is not there any more: the commit thread will say so.
                self.bodies = lengths.iter().map(|(index, _)| *index).chain(equal).map(|index| (index, None)).collect();
                return Ok(());
            };
            for (stretch, (id, count)) in step.iter().zip(written) {
                begun.pop_if(|(index, ..)| *index == stretch.index);
                begun.push((stretch.index, id, count));
            }
        }
        let of_new = begun.into_iter().map(|(index, id, count)| (index, Some(BodyAt::of(id, count, &bodies[index]))));
        self.bodies = of_new.chain(equal.into_iter().map(|index| (index, None))).collect();
        Ok(())
    }

    /// One step: a group, or a part of one.
    async fn put(
        &mut self,
        bytes: usize,
        pieces: Vec<(Option<BodyId>, Vec<Vec<u8>>)>,
    ) -> Result<Option<Vec<(BodyId, u16)>>, Refusal> {
        let (account, keys) = (self.account, pieces.iter().map(|(_, pieces)| 1 + pieces.len()).sum());
        let load = Load { account, bytes, deliveries: keys, is_untold: true };
        let put = move |staging: &mut Staging<'_>| {
            let put = |(id, pieces)| staging.put_pieces(account, id, pieces);
            Ok(pieces.into_iter().map(put).collect::<Result<Option<Vec<_>>, StoreError>>()?)
        };
        let written = self.store.submit_for(load, put)?.await.unwrap_or(Err(Refusal::Closed))?;
        for (id, _) in written.iter().flatten() {
            if self.ids.last() != Some(id) {
                self.ids.push(*id);
            }
        }
        Ok(written)
    }

    /// The events are accepted: each has its body, unless it was accepted before.
    fn are_given(&mut self, accepted: &[Accepted]) {
        let others = self.bodies.iter().filter(|(index, _)| accepted.get(**index).is_none_or(|one| one.duplicate));
        self.ids = others.filter_map(|(_, body)| body.map(|body| body.id)).collect();
    }

    /// What no event has goes. If the queue is full now, upkeep finds it later.
    fn give_up(&mut self) {
        self.bodies.clear();
        let (account, ids) = (self.account, std::mem::take(&mut self.ids));
        if ids.is_empty() {
            return;
        }
        let load = Load { deliveries: ids.len(), is_untold: true, ..Load::of(account) };
        let give_up = move |staging: &mut Staging<'_>| {
            ids.into_iter().try_for_each(|id| staging.give_up_body(account, id)).map_err(Refusal::from)
        };
        let _ = self.store.submit_for(load, give_up);
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}
