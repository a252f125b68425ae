//! What upkeep is made of: duties, each of which goes forward in small steps.

use super::error::StoreError;
use super::layout::{Key, Tree};
use super::registry::Registry;
use super::staging::Staging;
use super::trees::{Trees, Writes};
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::time::UnixMs;

/// Rows that one step looks at.
pub const STEP_ROWS_MAX: usize = 256;
/// Steps that it spends on reading events, and on asking a webhook's condition of them: some milliseconds.
pub const STEP_STEPS_MAX: u64 = 1 << 18;

/// One of the things to do.
pub trait Duty: Send {
    /// When its next step is due; `None` while there is nothing to do. `kept`: bytes that are kept of what retention
    /// takes.
    fn due_at(&self, kept: u64) -> Option<UnixMs>;

    /// One step.
    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError>;

    /// These writes come next.
    fn see(&mut self, _writes: &Writes, _trees: &Trees) -> Result<(), StoreError> {
        Ok(())
    }

    /// They could not be written, and are not there.
    fn not_written(&mut self) {}

    /// What its last step was about needs a page that cannot be read. Whether it leaves that alone until then and goes on
    /// with the rest; otherwise all of it rests.
    fn leave_alone(&mut self, _until: UnixMs) -> bool {
        false
    }

    /// So many bytes are kept of this account, which is more than may be.
    fn keeps_too_much(&mut self, _account: AccountNumber, _kept: u64) {}

    /// These webhooks changed.
    fn look_at(&mut self, _changed: &[WebhookNumber], _registry: &Registry) {}
}

/// Up to `limit` keys of a tree from `from` on, and whether that was all there is before `end`.
pub fn keys_from(
    staging: &Staging<'_>,
    tree: Tree,
    from: &Key,
    end: &Key,
    limit: usize,
) -> Result<(Vec<Key>, bool), StoreError> {
    if from >= end {
        return Ok((Vec::new(), true));
    }
    let keys = staging.trees().first(tree, from.clone()..end.clone(), limit).keys().take(limit);
    let keys: Vec<Key> = keys.map(|key| key.map(|key| key.to_vec())).collect::<Result<_, _>>()?;
    let complete = keys.len() < limit;
    Ok((keys, complete))
}
