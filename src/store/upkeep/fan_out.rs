//! Makes the deliveries that are to come, some of an account's after some of another's. What stays true: an account whose rows
//! lie on a page that cannot be read is left alone for a while, and the others go on.

use std::collections::HashMap;

use crate::domain::id::AccountNumber;
use crate::domain::time::UnixMs;
use crate::store::duty::Duty;
use crate::store::error::StoreError;
use crate::store::layout::Tree;
use crate::store::staging::Staging;
use crate::store::trees::{Trees, Writes};

/// Turns of the accounts that have some.
pub struct FanOut {
    /// When there may be any that can be made.
    due: Option<UnixMs>,
    /// Whose turn it was last.
    last: AccountNumber,
    /// And before that.
    before: AccountNumber,
    /// Who is left alone, and until when.
    left_alone: HashMap<AccountNumber, UnixMs>,
}

impl FanOut {
    /// Goes on with what is there.
    pub fn at_start() -> Self {
        Self { due: Some(0), last: 0, before: 0, left_alone: HashMap::new() }
    }
}

impl Duty for FanOut {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        self.due
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let now = staging.now();
        self.left_alone.retain(|_, until| *until > now);
        if let Some(account) = self.next(staging) {
            (self.before, self.last) = (self.last, account);
            staging.fan_out(account)?;
        }
        self.due = match self.next(staging) {
            Some(_) => Some(0),
            None => self.left_alone.values().min().copied(),
        };
        Ok(())
    }

    fn see(&mut self, writes: &Writes, _trees: &Trees) -> Result<(), StoreError> {
        let mut parts = writes.by_tree().get(Tree::FanOut as usize).into_iter().flatten();
        if parts.any(|(_, value)| value.is_some()) {
            self.due = Some(0);
        }
        Ok(())
    }

    fn not_written(&mut self) {
        // It is the same one's turn again, so that it is found whose rows cannot be written.
        (self.due, self.last) = (Some(0), self.before);
    }

    fn leave_alone(&mut self, until: UnixMs) -> bool {
        self.left_alone.insert(self.last, until);
        true
    }
}

impl FanOut {
    fn next(&self, staging: &Staging<'_>) -> Option<AccountNumber> {
        staging.carried.to_come.next_account(self.last, |account| !self.left_alone.contains_key(account))
    }
}
