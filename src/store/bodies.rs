//! Long bodies of events: they are written ahead of the event that has them, some pieces a group, so that no group is long. What
//! stays true: a body is nobody's until the transaction that accepts its event, which finds all of it there or is not made;
//! what is nobody's in the end is removed (`upkeep/bodies.rs`), so a crash leaves an event with all of its body or nothing.

use std::ops::Range;

use bytes::Bytes;

use super::error::StoreError;
use super::event_rows::{BodyAt, Parts, body_of};
use super::layout::{self, Key, Tree, VALUE_BYTES_MAX};
use super::record::{Body, Owner};
use super::staging::Staging;
use crate::domain::id::{AccountNumber, BodyId, EventId};

/// How much is written at once, and what is worth it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Of a publish with more bytes than this, what is long is written ahead.
    pub publish_bytes: usize,
    /// What is long: more bytes than this in one event.
    pub event_bytes: usize,
    /// Bytes of one group, all together.
    pub step_bytes: usize,
    /// Bytes of a piece.
    pub piece_bytes: usize,
}

impl Bounds {
    /// Those that follow from the first: what a thousand events have that are not long is two publishes that lie in one group.
    pub fn of(publish_bytes: usize) -> Self {
        let step_bytes = (publish_bytes / 2).max(1);
        let piece_bytes = VALUE_BYTES_MAX.min(step_bytes);
        Self { publish_bytes, event_bytes: publish_bytes / 512, step_bytes, piece_bytes }
    }
}

/// Some pieces of one event's body: of each at most once a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The event's index in its publish.
    pub index: usize,
    /// Which bytes they are; only the last piece of a body is shorter than others.
    pub bytes: Range<usize>,
}

/// What is written in each step of bodies of these lengths.
pub fn steps(bodies: &[(usize, usize)], bounds: Bounds) -> Vec<Vec<Stretch>> {
    let (mut steps, mut room) = (Vec::<Vec<Stretch>>::new(), 0);
    for (index, length) in bodies {
        let mut from = 0;
        while from < *length {
            let piece = bounds.piece_bytes.min(length - from);
            if room < piece {
                steps.push(Vec::new());
                room = bounds.step_bytes;
            }
            let pieces = (room / bounds.piece_bytes).max(1) * bounds.piece_bytes;
            let to = (from + pieces).min(*length);
            let step = steps.last_mut().expect("there is one with room");
            match step.last_mut().filter(|last| last.index == *index) {
                Some(last) => last.bytes.end = to,
                None => step.push(Stretch { index: *index, bytes: from..to }),
            }
            room = room.saturating_sub(to - from);
            from = to;
        }
    }
    steps
}

/// Those bytes of a body, in pieces.
pub fn pieces_of((data, actor, metadata): &Parts, bytes: Range<usize>, piece_bytes: usize) -> Vec<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    let mut start = 0;
    for part in [Some(data), actor.as_ref(), metadata.as_ref()].into_iter().flatten() {
        let of_part = |at: usize| at.saturating_sub(start).min(part.len());
        let mut rest = &part[of_part(bytes.start)..of_part(bytes.end)];
        while !rest.is_empty() {
            let room = pieces.last().map_or(0, |piece| piece_bytes - piece.len());
            if room == 0 {
                pieces.push(Vec::with_capacity(piece_bytes));
                continue;
            }
            let (some, others) = rest.split_at(room.min(rest.len()));
            pieces.last_mut().expect("there is one with room").extend_from_slice(some);
            rest = others;
        }
        start += part.len();
    }
    pieces
}

/// Bytes of a body.
pub fn length((data, actor, metadata): &Parts) -> usize {
    let of = |part: &Option<Bytes>| part.as_ref().map_or(0, Bytes::len);
    data.len() + of(actor) + of(metadata)
}

impl Staging<'_> {
    /// Writes the next pieces of a body, or the first ones of a new one; none if those before are not there any more.
    pub(super) fn put_pieces(
        &mut self,
        account: AccountNumber,
        id: Option<BodyId>,
        pieces: Vec<Vec<u8>>,
    ) -> Result<Option<(BodyId, u16)>, StoreError> {
        let id_now = id.unwrap_or_else(|| BodyId(self.next_id(layout::BODY_NUMBER)));
        let key = layout::body(account, id_now);
        let before = match id {
            Some(_) => self.body(&key)?.filter(|body| body.owner == Owner::Nobody),
            None => Some(Body { pieces: 0, owner: Owner::Nobody }),
        };
        let Some(before) = before else { return Ok(None) };
        let mut bytes = 0;
        let mut count = before.pieces;
        for piece in pieces {
            let key = layout::chunk(&key, count);
            bytes += key.len() + piece.len();
            self.stage(Tree::Chunks, key, Some(piece));
            count += 1;
        }
        self.put(Tree::Bodies, key, &Body { pieces: count, owner: Owner::Nobody });
        self.event_bytes_come(account, bytes);
        Ok(Some((id_now, count)))
    }

    /// What is known of the body at this key.
    pub(super) fn body(&self, key: &Key) -> Result<Option<Body>, StoreError> {
        self.get(Tree::Bodies, key)?.map(|stored| body_of(key, &stored)).transpose()
    }

    /// Whether all of this body is there, for an event that comes now.
    pub(super) fn has_body(&self, account: AccountNumber, body: Option<BodyAt>) -> Result<bool, StoreError> {
        let Some(BodyAt { id, pieces, .. }) = body else { return Ok(false) };
        Ok(self.body(&layout::body(account, id))? == Some(Body { pieces, owner: Owner::Nobody }))
    }

    /// It is this event's from now on.
    pub(super) fn give_body(&mut self, account: AccountNumber, BodyAt { id, pieces, .. }: BodyAt, event: EventId) {
        self.put(Tree::Bodies, layout::body(account, id), &Body { pieces, owner: Owner::Event(event) });
    }

    /// No event will have it, unless one has it.
    pub(super) fn give_up_body(&mut self, account: AccountNumber, id: BodyId) -> Result<(), StoreError> {
        let key = layout::body(account, id);
        if let Some(body) = self.body(&key)?.filter(|body| body.owner == Owner::Nobody) {
            self.put(Tree::Bodies, key, &Body { owner: Owner::GivenUp, ..body });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
