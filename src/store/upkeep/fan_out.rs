//! Makes the deliveries that are to come, some of an account's after some of another's.

use crate::domain::id::AccountNumber;
use crate::domain::time::UnixMs;
use crate::store::duty::Duty;
use crate::store::error::StoreError;
use crate::store::layout::Tree;
use crate::store::staging::Staging;
use crate::store::trees::{Trees, Writes};

/// Turns of the accounts that have some.
pub struct FanOut {
    /// Whether there may be any.
    some: bool,
    /// Whose turn it was last.
    last: AccountNumber,
}

impl FanOut {
    /// Goes on with what is there.
    pub fn at_start() -> Self {
        Self { some: true, last: 0 }
    }
}

impl Duty for FanOut {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        self.some.then_some(0)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let next = staging.carried.to_come.next_account(self.last);
        if let Some(account) = next {
            self.last = account;
            staging.fan_out(account)?;
        }
        self.some = staging.carried.to_come.next_account(0).is_some();
        Ok(())
    }

    fn see(&mut self, writes: &Writes, _trees: &Trees) -> Result<(), StoreError> {
        let mut parts = writes.by_tree().get(Tree::FanOut as usize).into_iter().flatten();
        self.some |= parts.any(|(_, value)| value.is_some());
        Ok(())
    }

    fn not_written(&mut self) {
        self.some = true;
    }
}
