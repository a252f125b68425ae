//! What a run is made of, thrown from its seed.

use hookwheel::clock::Dice;
use hookwheel::domain::time::UnixMs;
use hookwheel::store::{AHEAD_BYTES_MIN, FAN_OUT_MAX, Retention};

pub const START: UnixMs = 1_800_000_000_000;
pub const HOUR: u64 = 3_600_000;
/// Between the first and the last publish.
pub const PUBLISHING: u64 = 6 * HOUR;

/// Where the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Memory,
    Disk,
    /// In a database that several nodes share.
    Database,
}

#[derive(Clone)]
pub struct Plan {
    pub seed: u64,
    pub webhooks: usize,
    pub events: usize,
    pub crashes: usize,
    /// Events of one publish.
    pub batch: usize,
    /// Caps so wide that nothing waits for them: then every retry must be on time.
    pub roomy: bool,
    pub kept: Kept,
    /// Crashes may come with another time on the clock.
    pub jumps: bool,
    /// Writes that fail; the store opens itself again after each.
    pub failures: usize,
    /// Failed syncs, and as many power cuts; each loses what was not synced.
    pub losses: usize,
    /// Rows that are damaged.
    pub damages: usize,
    /// Bulk jobs.
    pub jobs: usize,
    /// How often the wall clock is set while the core runs.
    pub walls: usize,
    /// Some claims come back unsent, and over some their sender panics.
    pub has_trouble: bool,
    pub retention: Retention,
    /// Deliveries of one event that are made with it; in some runs so few that most are made later, in steps.
    pub fan_out_max: usize,
    /// Of publishes with more bytes what is long is written ahead; in some runs so few that this is each of them.
    pub ahead_bytes_min: usize,
}

impl Plan {
    pub fn in_memory(seed: u64) -> Self {
        let mut dice = Dice::seeded(seed);
        let mut below = |sides: u64| dice.bits() % sides;
        let hold_ms = if below(3) == 0 { 2 * HOUR } else { 30 * 24 * HOUR };
        let events_ms = (below(3) == 0).then_some(3 * HOUR);
        let bytes_max = (below(4) == 0).then_some(40_000);
        Self {
            seed,
            webhooks: 1 + below(if seed.is_multiple_of(10) { 20 } else { 8 }) as usize,
            events: 1 + below(if seed.is_multiple_of(10) { 500 } else { 120 }) as usize,
            crashes: below(5) as usize,
            batch: 1,
            roomy: below(2) == 0,
            kept: Kept::Memory,
            jumps: below(3) == 0,
            failures: below(5) as usize,
            losses: below(3) as usize,
            damages: if below(3) == 0 { 1 + below(4) as usize } else { 0 },
            jobs: below(4) as usize,
            walls: below(4) as usize,
            has_trouble: below(3) == 0,
            retention: Retention { events_ms, bytes_max, hold_ms, ..Retention::default() },
            fan_out_max: if below(3) == 0 { 1 + below(3) as usize } else { FAN_OUT_MAX },
            ahead_bytes_min: if below(3) == 0 { 1 + below(6) as usize } else { AHEAD_BYTES_MIN },
        }
    }

    pub fn on_disk(seed: u64) -> Self {
        Self { kept: Kept::Disk, failures: 0, losses: 0, damages: 0, ..Self::in_memory(seed) }
    }

    /// Several nodes share it. A database syncs and checks what it keeps by itself, and its clock is the one that counts.
    pub fn on_nodes(seed: u64) -> Self {
        let nodes = Self { kept: Kept::Database, damages: 0, jumps: false, ..Self::in_memory(seed) };
        // It is about what nodes do to each other: few events show that as well. And what was held up for seconds is late.
        let (webhooks, events) = (nodes.webhooks.min(5), nodes.events.min(50));
        Self { webhooks, events, crashes: nodes.crashes + 2, failures: nodes.failures + 2, roomy: false, ..nodes }
    }

    /// Many webhooks, each event for two of them.
    pub fn wide(seed: u64) -> Self {
        let retention = Retention::default();
        Self {
            seed,
            webhooks: 100,
            events: 50_000,
            crashes: 5,
            batch: 20,
            roomy: true,
            kept: Kept::Memory,
            jumps: false,
            failures: 5,
            losses: 0,
            damages: 0,
            jobs: 0,
            walls: 2,
            has_trouble: false,
            retention,
            fan_out_max: FAN_OUT_MAX,
            ahead_bytes_min: AHEAD_BYTES_MIN,
        }
    }

    /// Each event is written ahead, in pieces.
    pub fn is_ahead(&self) -> bool {
        self.ahead_bytes_min < AHEAD_BYTES_MIN
    }

    /// With many webhooks, each event goes to two of them.
    pub fn narrow(&self) -> bool {
        self.webhooks > 20
    }
}
