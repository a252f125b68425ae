//! The keeping clock is written now and then, and the operator is told once a start if it differs from the machine's.

use serde_json::json;

use crate::domain::time::{self, HOUR_MS, UnixMs};
use crate::store::duty::Duty;
use crate::store::error::StoreError;
use crate::store::keeping::is_worth_a_word;
use crate::store::staging::Staging;

/// Between two writes: a crash loses so much of it at most, and the next start makes it good.
const WRITE_EVERY_MS: u64 = HOUR_MS;

/// Writes it now and then, and tells the operator once a start if it differs.
#[derive(Default)]
pub struct KeepTime {
    at: UnixMs,
    told: bool,
}

impl Duty for KeepTime {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        Some(self.at)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        self.at = staging.now() + WRITE_EVERY_MS;
        staging.put_keeping();
        if std::mem::replace(&mut self.told, true) {
            return Ok(());
        }
        let behind_ms = staging.now() as i64 - staging.keeping() as i64;
        if !is_worth_a_word(behind_ms) {
            return Ok(());
        }
        let (stands_at, machine) = (time::rfc3339(staging.keeping()), time::rfc3339(staging.now()));
        let facts = json!({"retention_clock": stands_at, "machine_clock": machine, "behind_seconds": behind_ms / 1000});
        staging.tell_operator("clock.differs", facts)
    }
}
