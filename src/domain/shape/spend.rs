//! What shaping an event may take and make. What stays true: both are counted as it goes on, so what is too much ends there.

use thiserror::Error;

use crate::domain::json::DEPTH_MAX;

/// Steps that shaping one event may take: about a tenth of a second. A step is a field or an element that is looked at, once for
/// each path that may lead into it, or 64 bytes that are passed over.
pub const STEPS_MAX: u64 = 1 << 21;
/// Steps that it may take where others wait: about a millisecond.
const AT_ONCE_STEPS_MAX: u64 = 1 << 14;
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

/// What shaping one event may take and make, by however many shapes.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Those that were taken.
    steps: u64,
    steps_max: u64,
    bytes_max: usize,
}

impl Budget {
    /// For an event that was published with so many bytes.
    pub fn of(event_bytes: usize) -> Self {
        Self { steps: 0, steps_max: STEPS_MAX, bytes_max: output_bytes_max(event_bytes) }
    }

    /// For the same, where others wait: what takes more steps than are done in a moment ends as [`Unshaped::Steps`], and may be
    /// done elsewhere.
    pub fn at_once(event_bytes: usize) -> Self {
        Self { steps_max: AT_ONCE_STEPS_MAX, ..Self::of(event_bytes) }
    }

    /// The steps that were taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Takes the steps for so many bytes that are passed over, and one for each of `times` that something is looked at, one at
    /// least.
    pub(super) fn pass(&mut self, bytes: usize, times: usize) -> Result<(), Unshaped> {
        let steps = self.steps.saturating_add((times.max(1) + bytes / STEP_BYTES) as u64);
        if steps > self.steps_max {
            return Err(Unshaped::Steps);
        }
        self.steps = steps;
        Ok(())
    }

    /// Asserts that a result may have so many bytes.
    pub(super) fn fits(&self, bytes: usize) -> Result<(), Unshaped> {
        if bytes <= self.bytes_max { Ok(()) } else { Err(Unshaped::Bytes(self.bytes_max)) }
    }
}
