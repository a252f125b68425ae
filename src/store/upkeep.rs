//! What the commit thread does on the side: duties that go forward in small steps, each in a group of its own or with
//! others, so that nobody waits long and memory stays flat. A crash repeats a step at most.

use std::sync::Arc;
use std::time::Duration;

use super::Retention;
use super::StoreError;
use super::audit::OldEntries;
use super::ending::{Deleted, ForgetDeleted};
use super::forget::ForgetKeys;
use super::holds::Holds;
use super::jobs::{ForgetJobs, Jobs};
use super::keeping::KeepTime;
use super::layout::{self, Key, Tree};
use super::order::Unheld;
use super::pull_in::SetBack;
use super::registry::Registry;
use super::retention::OldEvents;
use super::seal::{Reseal, Seals};
use super::staging::Staging;
use super::stats::Forgetting;
use crate::domain::id::WebhookNumber;
use crate::domain::time::UnixMs;

/// Rows that one step looks at.
pub(super) const STEP_ROWS_MAX: usize = 256;

/// One of the things to do.
pub(super) trait Duty: Send {
    /// When its next step is due; `None` while there is nothing to do. `kept`: bytes that are kept of what retention
    /// takes.
    fn due_at(&self, kept: u64) -> Option<UnixMs>;

    /// One step.
    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError>;

    /// These webhooks changed.
    fn look_at(&mut self, _changed: &[WebhookNumber], _registry: &Registry) {}
}

/// What is left to do.
pub struct Upkeep {
    duties: Vec<Box<dyn Duty>>,
}

impl Upkeep {
    /// After a start or a reopening.
    pub fn at_start(registry: &Registry, retention: &Retention, seals: Arc<Seals>, set_back: SetBack) -> Self {
        Self {
            duties: vec![
                Box::new(KeepTime::default()),
                Box::new(set_back),
                Box::new(Deleted::at_start(registry)),
                Box::new(ForgetDeleted::default()),
                Box::new(Unheld::at_start(registry)),
                Box::new(Jobs::at_start(registry)),
                Box::new(ForgetJobs::default()),
                Box::new(ForgetKeys::default()),
                Box::new(Forgetting::at_start()),
                Box::new(Holds::new(retention)),
                Box::new(OldEvents::new(retention)),
                Box::new(OldEntries::new(retention)),
                Box::new(Reseal::new(seals)),
            ],
        }
    }

    /// How long until there is something to do.
    pub fn wait(&self, now: UnixMs, kept: u64) -> Duration {
        let due = self.duties.iter().filter_map(|duty| duty.due_at(kept)).min();
        due.map_or(Duration::MAX, |at| Duration::from_millis(at.saturating_sub(now)))
    }

    /// Whether there is something to do.
    pub fn is_due(&self, now: UnixMs, kept: u64) -> bool {
        self.wait(now, kept).is_zero()
    }

    /// These webhooks changed.
    pub fn look_at(&mut self, changed: &[WebhookNumber], registry: &Registry) {
        self.duties.iter_mut().for_each(|duty| duty.look_at(changed, registry));
    }

    /// One step of each duty that is due.
    pub fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        for duty in &mut self.duties {
            if duty.due_at(staging.kept()).is_some_and(|at| at <= staging.now()) {
                duty.step(staging)?;
            }
        }
        Ok(())
    }
}

/// Up to `limit` keys of a tree from `from` on, and whether that was all there is before `end`.
pub(super) fn keys_from(
    staging: &Staging<'_>,
    tree: Tree,
    from: &Key,
    end: &Key,
    limit: usize,
) -> Result<(Vec<Key>, bool), StoreError> {
    if from >= end {
        return Ok((Vec::new(), true));
    }
    let rows = staging.disk().range(tree, from.clone()..end.clone()).take(limit);
    let keys: Vec<Key> = rows.map(|row| row.map(|(key, _)| key.to_vec())).collect::<Result<_, _>>()?;
    let complete = keys.len() < limit;
    Ok((keys, complete))
}

/// The end of all keys that begin with `number`, exclusive.
pub(super) fn end_of(number: u32) -> Key {
    number.checked_add(1).map_or_else(end_of_all, |next| layout::number(next).to_vec())
}

/// After every key that there can be.
pub(super) fn end_of_all() -> Key {
    vec![u8::MAX; 64]
}
