//! Seals again what older master keys have sealed.

use std::sync::Arc;

use crate::domain::time::UnixMs;
use crate::store::duty::{Duty, STEP_ROWS_MAX, keys_from};
use crate::store::error::StoreError;
use crate::store::key_mark::KeyMark;
use crate::store::layout::{self, Key, end_of_all};
use crate::store::seal::{SEALED, Seals};
use crate::store::staging::Staging;

/// Seals again what older keys have sealed: after a start, and when the keys have changed.
pub struct Reseal {
    seals: Arc<Seals>,
    /// Where the next step goes on: in which of the sealed trees, and from which key; `None` between passes.
    at: Option<(usize, Key)>,
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
        let (nth, from) = self.at.take().unwrap_or_else(|| {
            // What changes from here on begins another pass.
            self.seals.set_stale(false);
            (0, Key::new())
        });
        let (current, tree) = (self.seals.keys().current(), SEALED[nth]);
        let (keys, complete) = keys_from(staging, tree, &from, &end_of_all(), STEP_ROWS_MAX)?;
        for key in &keys {
            let sealed = staging.get(tree, key)?;
            if sealed.is_some_and(|sealed| KeyMark::on(&sealed) != Some(current)) {
                staging.seal_again(tree, key);
                self.resealed += 1;
            }
        }
        self.at = match keys.last().filter(|_| !complete) {
            Some(last) => Some((nth, layout::just_after(last))),
            None => (nth + 1 < SEALED.len()).then(|| (nth + 1, Key::new())),
        };
        if self.at.is_none() && self.resealed > 0 && !self.seals.is_stale() {
            let resealed = std::mem::take(&mut self.resealed);
            tracing::info!(resealed, key = %current, "all secrets are sealed with this master key; older ones can go");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::Actor;
    use crate::store::bench::{Bench, webhook};
    use crate::store::seal::MasterKeys;
    use zeroize::Zeroizing;

    #[test]
    fn what_another_key_has_sealed_is_sealed_again_after_a_change_and_after_a_start() {
        let keys = |bytes: &[u8]| {
            MasterKeys::new(&bytes.iter().map(|byte| Zeroizing::new([*byte; 32])).collect::<Vec<_>>()).unwrap()
        };
        let mut bench = Bench::new();
        for _ in 0..=STEP_ROWS_MAX {
            bench.now(|staging| staging.create_webhook(webhook(), None));
        }
        let sealed_by = |bench: &Bench| bench.store.sealed_by().unwrap().into_iter().collect::<Vec<_>>();
        // The key that a store in memory has is the one of zeros.
        let (first, second) = (keys(&[0]).current(), keys(&[5]).current());
        assert_eq!(sealed_by(&bench), [(first, STEP_ROWS_MAX + 1)]);
        let then = (bench.store.master_keys(), bench.store.sealed_by().unwrap());
        bench.now(move |staging| staging.change_master_keys(keys(&[5, 0]), then, Actor::default()));
        assert_eq!(sealed_by(&bench), [(second, STEP_ROWS_MAX + 1)]);
        bench.store.0.seals.change(keys(&[0, 5]));
        assert_eq!(Reseal::new(bench.store.0.seals.clone()).due_at(0), Some(0));
        bench.rest();
        assert_eq!(sealed_by(&bench), [(first, STEP_ROWS_MAX + 1)]);
    }
}
