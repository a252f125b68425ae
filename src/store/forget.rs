//! Forgets idempotency keys that are old enough.

use super::StoreError;
use super::accept::IDEMPOTENCY_MS;
use super::layout::{self, Key, Tree};
use super::record::{self, Idempotent};
use super::staging::Staging;
use super::upkeep::{Duty, STEP_ROWS_MAX};
use crate::domain::time::UnixMs;

/// Between passes.
const EVERY_MS: u64 = 60 * 60 * 1000;

/// The pass over the idempotency keys.
#[derive(Default)]
pub struct ForgetKeys {
    /// Where it goes on.
    from: Key,
    /// When its next step is due.
    at: UnixMs,
}

impl Duty for ForgetKeys {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        Some(self.at)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let from = std::mem::take(&mut self.from);
        let rows: Vec<_> = staging.disk().range(Tree::Idempotency, from..).take(STEP_ROWS_MAX).collect();
        let full = rows.len() == STEP_ROWS_MAX;
        for row in rows {
            let (key, value) = row?;
            let stored: Idempotent = record::decode(&value)?;
            let rewritten = staging.get(Tree::Idempotency, &key)?.as_ref() != Some(&value);
            if !rewritten && staging.keeping() >= stored.at + IDEMPOTENCY_MS {
                staging.stage(Tree::Idempotency, key.to_vec(), None);
            }
            self.from = layout::just_after(&key);
        }
        if !full {
            (self.from, self.at) = (Key::new(), staging.now() + EVERY_MS);
        }
        Ok(())
    }
}
