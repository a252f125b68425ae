//! What shaping an event may take and make. What stays true: both are counted as it goes on, so what is too much ends there.

use thiserror::Error;

use crate::domain::json::DEPTH_MAX;

/// Steps that shaping one event may take: some tens of milliseconds. A step is a field or an element that is looked at, or 64
/// bytes that are passed over.
pub const STEPS_MAX: u64 = 1 << 21;
/// The result has at most so many times the bytes of the event…
pub const OUTPUT_TIMES: usize = 4;
/// … and so many more, for what the shape itself says.
pub const OUTPUT_BYTES_MORE: usize = 64 * 1024;

/// What one step passes over.
const STEP_BYTES: usize = 64;

/// Why an event could not be shaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unshaped {
    /// The steps are used up.
    #[error("shaping the event takes longer than it may ({STEPS_MAX} steps); let the shape look at less of it")]
    Steps,
    /// The result is too long.
    #[error(
        "the shape makes more than {0} bytes of the event, which is {OUTPUT_TIMES} times its length and 64 KiB; let it repeat less"
    )]
    Bytes(usize),
    /// The result is nested too deep.
    #[error(
        "the shape makes JSON of the event that is nested deeper than {DEPTH_MAX} levels; let it put less inside of each other"
    )]
    Deep,
}

/// How long the result for an event of so many bytes may be.
pub fn output_bytes_max(event_bytes: usize) -> usize {
    event_bytes.saturating_mul(OUTPUT_TIMES).saturating_add(OUTPUT_BYTES_MORE)
}

/// What is left of it.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    steps: u64,
    bytes_max: usize,
}

impl Budget {
    /// For an event of so many bytes.
    pub fn of(event_bytes: usize) -> Self {
        Self { steps: STEPS_MAX, bytes_max: output_bytes_max(event_bytes) }
    }

    /// The steps that were taken.
    pub fn steps(&self) -> u64 {
        STEPS_MAX - self.steps
    }

    /// Takes a step for a value of so many bytes that is passed over, and one for each of `times` that it is looked at.
    pub fn pass(&mut self, bytes: usize, times: usize) -> Result<(), Unshaped> {
        let steps = times.max(1) + bytes / STEP_BYTES;
        self.steps = self.steps.checked_sub(steps as u64).ok_or(Unshaped::Steps)?;
        Ok(())
    }

    /// Asserts that a result may have so many bytes.
    pub fn fits(&self, bytes: usize) -> Result<(), Unshaped> {
        if bytes <= self.bytes_max { Ok(()) } else { Err(Unshaped::Bytes(self.bytes_max)) }
    }
}
