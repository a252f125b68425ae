//! Seals again what older master keys have sealed.

use std::sync::Arc;

use crate::domain::time::UnixMs;
use crate::store::duty::{Duty, STEP_ROWS_MAX, keys_from};
use crate::store::error::StoreError;
use crate::store::key_mark::KeyMark;
use crate::store::layout::{self, Key, Tree, end_of_all};
use crate::store::seal::Seals;
use crate::store::staging::Staging;

/// Seals again what older keys have sealed: after a start, and when the keys have changed.
pub struct Reseal {
    seals: Arc<Seals>,
    /// Where the next step goes on; `None` between passes.
    at: Option<Key>,
    resealed: usize,
}

impl Reseal {
    /// Begins with a look at everything: what a pass did before may not have been written.
    pub fn new(seals: Arc<Seals>) -> Self {
        seals.set_stale(true);
        Self { seals, at: None, resealed: 0 }
    }
}

impl Duty for Reseal {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        (self.at.is_some() || self.seals.is_stale()).then_some(0)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let from = self.at.take().unwrap_or_else(|| {
            // What changes from here on begins another pass.
            self.seals.set_stale(false);
            Key::new()
        });
        let current = self.seals.keys().current();
        let (keys, complete) = keys_from(staging, Tree::Webhooks, &from, &end_of_all(), STEP_ROWS_MAX)?;
        for key in &keys {
            let sealed = staging.get(Tree::Webhooks, key)?;
            if sealed.is_some_and(|sealed| KeyMark::on(&sealed) != Some(current)) {
                staging.seal_again(key);
                self.resealed += 1;
            }
        }
        self.at = keys.last().filter(|_| !complete).map(|last| layout::just_after(last));
        if self.at.is_none() && self.resealed > 0 && !self.seals.is_stale() {
            let resealed = std::mem::take(&mut self.resealed);
            tracing::info!(resealed, key = %current, "all secrets are sealed with this master key; older ones can go");
        }
        Ok(())
    }
}
