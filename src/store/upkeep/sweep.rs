//! A sweep: a pass through something from its start to its end, some of it a step, that begins again some time after
//! its end.

use crate::domain::time::{HOUR_MS, UnixMs};
use crate::store::duty::{Duty, STEP_ROWS_MAX};
use crate::store::error::StoreError;
use crate::store::layout::{self, Key, Tree};
use crate::store::staging::Staging;

/// What is swept, and for what.
pub trait Swept: Send {
    /// Where a step begins. The default is the start.
    type Place: Default + Send;

    /// Between the end of a pass and the next one.
    const EVERY_MS: u64 = HOUR_MS;

    /// Whether there is anything to sweep for.
    fn is_wanted(&self) -> bool {
        true
    }

    /// Some of it, from there on; gives where to go on, or `None` at the end.
    fn some(&mut self, staging: &mut Staging<'_>, from: Self::Place) -> Result<Option<Self::Place>, StoreError>;
}

/// A sweep.
pub struct Sweep<S: Swept> {
    swept: S,
    from: S::Place,
    /// When its next step is due.
    at: UnixMs,
}

impl<S: Swept> Sweep<S> {
    /// One that begins at once.
    pub fn of(swept: S) -> Self {
        Self { swept, from: S::Place::default(), at: 0 }
    }
}

impl<S: Swept> Duty for Sweep<S> {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        self.swept.is_wanted().then_some(self.at)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let from = std::mem::take(&mut self.from);
        (self.from, self.at) = match self.swept.some(staging, from)? {
            Some(next) => (next, 0),
            None => (S::Place::default(), staging.now() + S::EVERY_MS),
        };
        Ok(())
    }
}

/// What becomes of a row.
pub enum Fate {
    /// It stays.
    Stays,
    /// It is removed.
    Goes,
    /// It stays, and so do all others before this key.
    StaysWithAllBefore(Key),
}

/// Some rows of a tree from `from` on, each judged by `fate`; gives where to go on, or `None` at the end.
pub fn sweep_rows(
    staging: &mut Staging<'_>,
    tree: Tree,
    mut from: Key,
    mut fate: impl FnMut(&Staging<'_>, &[u8], &sled::IVec) -> Result<Fate, StoreError>,
) -> Result<Option<Key>, StoreError> {
    let trees = staging.trees();
    let mut rows = trees.range(tree, from.clone()..);
    for _ in 0..STEP_ROWS_MAX {
        let Some(row) = rows.next() else { return Ok(None) };
        let judged = row.and_then(|(key, value)| {
            from = layout::just_after(&key);
            Ok((fate(staging, &key, &value)?, key))
        });
        let Some((fate, key)) = trees.readable(judged)? else { continue };
        match fate {
            Fate::Stays => {}
            Fate::Goes => staging.stage(tree, key.to_vec(), None),
            Fate::StaysWithAllBefore(next) => {
                rows = trees.range(tree, next.clone()..);
                from = next;
            }
        }
    }
    Ok(Some(from))
}
