//! The only source of now and of dice. A real one, and a virtual one that a simulation turns by hand.
//!
//! Now is the wall clock at start plus a monotonic clock: a wall clock that jumps while the server runs changes no
//! due time. Nothing outside this file asks the system for the time or for randomness.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::domain::time::UnixMs;

/// Tells the time; cheap to clone, shared by all rooms.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The system's.
    Real {
        /// The wall clock at start, in milliseconds.
        wall_at_start: UnixMs,
        /// The monotonic clock at start.
        started: Instant,
    },
    /// A simulation's, in milliseconds; it stands still until it is turned.
    Virtual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's clock.
    pub fn real() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::Real { wall_at_start: wall.as_millis() as UnixMs, started: Instant::now() }
    }

    /// A clock that stands at `now` until [`Clock::turn_to`].
    pub fn standing_at(now: UnixMs) -> Self {
        Self::Virtual(Arc::new(AtomicU64::new(now)))
    }

    /// The time.
    pub fn now(&self) -> UnixMs {
        match self {
            Self::Real { wall_at_start, started } => wall_at_start + started.elapsed().as_millis() as UnixMs,
            Self::Virtual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Sets a virtual clock. A real one cannot be turned.
    pub fn turn_to(&self, now: UnixMs) {
        match self {
            Self::Real { .. } => panic!("the real clock cannot be turned"),
            Self::Virtual(cell) => cell.store(now, Ordering::SeqCst),
        }
    }
}

/// Measures how long something took.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }
    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Random numbers: from the system, or from a seed.
#[derive(Debug)]
pub struct Dice(StdRng);

impl Dice {
    /// Seeded by the system.
    pub fn from_system() -> Self {
        Self(StdRng::from_os_rng())
    }
    /// The same throws for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }
    /// Even in 0.0..1.0.
    pub fn fraction(&mut self) -> f64 {
        self.0.random()
    }
    /// Even over all 64-bit numbers.
    pub fn bits(&mut self) -> u64 {
        self.0.random()
    }
    /// Fills `bytes`; with [`Dice::from_system`] fit for keys and secrets (ChaCha12, seeded by the system).
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes)
    }
}
