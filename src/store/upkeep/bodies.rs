//! Removes bodies that no event has: what a crash left, what was given up, and what nobody goes on with. All of those that are
//! there at a start are such, since whoever wrote them is gone. Some pieces a step, and the row that tells of them last, so a
//! crash repeats.

use std::collections::BTreeSet;

use crate::domain::time::UnixMs;
use crate::store::duty::{Duty, STEP_ROWS_MAX, keys_from};
use crate::store::error::StoreError;
use crate::store::event_rows::body_of;
use crate::store::layout::{self, Key, Tree};
use crate::store::record::{self, Body, Owner};
use crate::store::staging::Staging;
use crate::store::trees::{Trees, Writes};

/// How long whoever writes a body may take until its event is accepted.
const OWNERLESS_MS: u64 = 10 * 60 * 1000;
/// Pieces that one step removes.
const STEP_PIECES_MAX: usize = 64;

/// Bodies that no event has.
pub struct Ownerless {
    /// Where the look at all that a start finds goes on.
    from: Option<Key>,
    /// When each of them goes.
    due: BTreeSet<(UnixMs, Key)>,
}

impl Ownerless {
    /// Looks at all of them.
    pub fn at_start() -> Self {
        Self { from: Some(Key::new()), due: BTreeSet::new() }
    }

    /// Some of those that a start found.
    fn look(&mut self, trees: &Trees, mut from: Key) -> Result<(), StoreError> {
        let mut rows = trees.range(Tree::Bodies, from.clone()..);
        for _ in 0..STEP_ROWS_MAX {
            let Some(row) = rows.next() else { return Ok(()) };
            let body = row.and_then(|(key, stored)| {
                from = layout::just_after(&key);
                Ok((body_of(&key, &stored)?, key))
            });
            let Some((Body { owner, .. }, key)) = trees.readable(body)? else { continue };
            let key = key.to_vec();
            // One that is seen to be written now was not left by anybody.
            if !matches!(owner, Owner::Event(_)) && !self.due.contains(&(goes_at(&key), key.clone())) {
                self.due.insert((0, key));
            }
        }
        self.from = Some(from);
        Ok(())
    }
}

/// When a body of this id goes that is nobody's. An id tells when it was given.
fn goes_at(key: &[u8]) -> UnixMs {
    layout::read_body(key).time() + OWNERLESS_MS
}

impl Duty for Ownerless {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        let first = self.due.first().map(|(at, _)| *at);
        if self.from.is_some() { Some(0) } else { first }
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        if let Some(from) = self.from.take() {
            return self.look(staging.trees(), from);
        }
        let due = self.due.first().filter(|(at, _)| *at <= staging.now()).cloned();
        let Some((at, key)) = due else { return Ok(()) };
        // What this group writes of it is not there yet.
        if !staging.is_staged(Tree::Bodies, &key) && !staging.remove_some_of_body(&key)? {
            self.due.remove(&(at, key));
        }
        Ok(())
    }

    fn see(&mut self, writes: &Writes, _trees: &Trees) -> Result<(), StoreError> {
        for (key, value) in writes.by_tree().get(Tree::Bodies as usize).into_iter().flatten() {
            self.due.remove(&(goes_at(key), key.clone()));
            self.due.remove(&(0, key.clone()));
            match value.as_ref().and_then(|value| record::decode::<Body>(value).ok()).map(|body| body.owner) {
                Some(Owner::Nobody) => self.due.insert((goes_at(key), key.clone())),
                Some(Owner::GivenUp) => self.due.insert((0, key.clone())),
                Some(Owner::Event(_)) | None => continue,
            };
        }
        Ok(())
    }

    fn not_written(&mut self) {
        *self = Self::at_start();
    }
}

impl Staging<'_> {
    /// Removes some pieces of a body that no event has, and its row with the last of them. False if there is none of it.
    fn remove_some_of_body(&mut self, key: &Key) -> Result<bool, StoreError> {
        let body = self.body(key);
        let Some(body) = self.trees().readable(body)?.flatten() else { return Ok(false) };
        if matches!(body.owner, Owner::Event(_)) {
            return Ok(false);
        }
        let end = layout::after_prefix(key);
        let (pieces, are_all) = keys_from(self, Tree::Chunks, key, &end, STEP_PIECES_MAX)?;
        let mut bytes = 0;
        for piece in pieces {
            bytes += self.bytes_at(Tree::Chunks, &piece)?;
            self.stage(Tree::Chunks, piece, None);
        }
        self.event_bytes_gone(layout::read_number(key), bytes);
        if are_all {
            self.stage(Tree::Bodies, key.clone(), None);
        } else {
            // From the first piece on that is missing no event may have it.
            self.put(Tree::Bodies, key.clone(), &Body { owner: Owner::GivenUp, ..body });
        }
        Ok(true)
    }
}
