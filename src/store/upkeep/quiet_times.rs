//! Ends quiet times of webhooks that hear notices: what was counted in one is told as one. What stays true: of each that is on
//! the disk it is known when it ends, so none waits for another; and one whose rows lie on a page that cannot be read is left
//! alone for a while, and the others end.

use std::collections::BTreeSet;

use crate::domain::quiet::Quiet;
use crate::domain::time::UnixMs;
use crate::store::duty::Duty;
use crate::store::error::StoreError;
use crate::store::layout::{Key, Tree};
use crate::store::record;
use crate::store::staging::Staging;
use crate::store::trees::{Trees, Writes};

/// Quiet times that one step ends.
const STEP_ENDS_MAX: usize = 32;

/// When which quiet time ends: its row's key. What has changed since stands there twice, and is passed over.
pub struct QuietTimes {
    due: BTreeSet<(UnixMs, Key)>,
    /// What the last step took.
    taken: Vec<Key>,
}

impl QuietTimes {
    /// Those that are on the disk. Where a clock was set back some seem to end late: each is looked at once, at once.
    pub fn at_start(trees: &Trees) -> Self {
        let keys = trees.all(Tree::Quiet).keys().filter_map(Result::ok);
        Self { due: keys.map(|key| (0, key.to_vec())).collect(), taken: Vec::new() }
    }
}

impl Duty for QuietTimes {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        self.due.first().map(|(at, _)| *at)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        self.taken.clear();
        let now = staging.now();
        while self.taken.len() < STEP_ENDS_MAX && self.due.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.due.pop_first() else { break };
            self.taken.push(key.clone());
            if let Some(ends_at) = staging.end_quiet(&key)? {
                self.due.insert((ends_at, key));
            }
        }
        Ok(())
    }

    fn see(&mut self, writes: &Writes, _trees: &Trees) -> Result<(), StoreError> {
        for (key, value) in writes.by_tree().get(Tree::Quiet as usize).into_iter().flatten() {
            let quiet = value.as_ref().and_then(|value| record::decode_grown::<Quiet>(value).ok());
            self.due.extend(quiet.map(|quiet| (quiet.until, key.clone())));
        }
        Ok(())
    }

    fn not_written(&mut self) {
        self.due.extend(self.taken.drain(..).map(|key| (0, key)));
    }

    fn leave_alone(&mut self, until: UnixMs) -> bool {
        // Those before it are looked at again, and found ended or not.
        self.due.extend(self.taken.drain(..).map(|key| (until, key)));
        true
    }
}
