//! After a start all rows are added up, at their own pace, and held against the sum that the groups have written: sled
//! leaves out parts of a damaged log without a word. What is wrong stands in the log and in what the store says of itself.

use crate::domain::time::UnixMs;
use crate::store::duty::{Duty, STEP_ROWS_MAX};
use crate::store::error::StoreError;
use crate::store::staging::Staging;

/// Between two steps: so it takes a hundredth of the commit thread's time.
const PAUSE_MS: u64 = 50;

/// The adding up of all rows.
pub struct Sums {
    /// When its next step is due; `None` once it is done.
    at: Option<UnixMs>,
}

impl Sums {
    /// One that begins at once.
    pub fn at_start() -> Self {
        Self { at: Some(0) }
    }
}

impl Duty for Sums {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        self.at
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let wrong = match staging.trees().add_up(STEP_ROWS_MAX) {
            None => {
                self.at = Some(staging.now() + PAUSE_MS);
                return Ok(());
            }
            Some(Ok(())) => None,
            Some(Err(StoreError::Broken(why))) => Some(why),
            Some(Err(error)) => return Err(error),
        };
        if let Some(why) = &wrong {
            tracing::error!(why, "the store is not as it was written; put back a whole copy of the data directory");
        }
        staging.trees().reports().end_sum(wrong);
        self.at = None;
        Ok(())
    }
}
