//! The only source of now and of dice. Real ones, and virtual ones that a simulation turns by hand. Nothing outside this
//! file asks the system for the time or for randomness.
//!
//! There are two times, and one rule: what the server compares, adds to or stores is in its own time, [`Clock::now`]; what
//! others wrote, or compare with clocks of theirs (signatures, dates, expiry), is in that of the wall, [`Clock::wall`].
//!
//! The server's own time is the wall clock at start plus what has passed since, the time in which the machine slept
//! included: a wall clock that is set while the server runs changes no due time, and after a sleep what is due is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rand::{Rng, SeedableRng, rngs::StdRng};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::time::UnixMs;

/// Where Linux names the start of the machine: another id after each.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A moment, told by the machine alone: nothing that sets a wall clock moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinceBoot {
    /// Which start of the machine.
    pub boot: u128,
    /// Milliseconds since, those in which it slept included.
    pub ms: u64,
}

/// Tells the time; cheap to clone, shared by all rooms.
#[derive(Debug, Clone)]
pub struct Clock {
    source: Source,
    /// What it showed at the start.
    started_at: UnixMs,
    /// When that was since the machine was started; `None` where that has no name.
    boot: Option<SinceBoot>,
    set: Arc<Set>,
}

/// How far it was set ahead of the machine's, in milliseconds; negative: back.
#[derive(Debug, Default)]
struct Set {
    wall: AtomicI64,
    own: AtomicI64,
    /// It goes by another clock than the machine's.
    follows: AtomicBool,
}

#[derive(Debug, Clone)]
enum Source {
    /// The system's: how long it had been up at the start, in milliseconds.
    Real { boot_at_start: u64 },
    /// A simulation's, in milliseconds; it stands still until it is turned.
    Virtual(Arc<AtomicU64>),
    /// Of another machine in one, which is ahead of it by so many milliseconds; negative: back.
    VirtualOther(Arc<AtomicU64>, i64),
}

impl Source {
    /// What is turned of a virtual one.
    fn turned(&self) -> Option<&Arc<AtomicU64>> {
        match self {
            Self::Real { .. } => None,
            Self::Virtual(turned) | Self::VirtualOther(turned, _) => Some(turned),
        }
    }
}

impl Clock {
    /// The system's clock.
    pub fn real() -> Self {
        Self::real_ahead(0)
    }

    /// The system's clock as if it had been set ahead by so many milliseconds before the start.
    pub fn real_ahead(ms: i64) -> Self {
        let (boot_at_start, started_at) = (up_ms(), system_wall().saturating_add_signed(ms));
        let boot = boot_id().map(|boot| SinceBoot { boot, ms: boot_at_start });
        let set = Arc::new(Set { wall: AtomicI64::new(ms), ..Set::default() });
        Self { source: Source::Real { boot_at_start }, started_at, boot, set }
    }

    /// A clock that stands at `now` until [`Clock::turn_to`].
    pub fn standing_at(now: UnixMs) -> Self {
        let source = Source::Virtual(Arc::new(AtomicU64::new(now)));
        Self { source, started_at: now, boot: None, set: Arc::default() }
    }

    /// A virtual clock of another machine, which is turned with this one and was set ahead of it by so many milliseconds; negative: back.
    /// A real clock gives that of this machine.
    pub fn of_another(&self, ahead_ms: i64) -> Self {
        let Some(turned) = self.source.turned() else { return Self::real_ahead(ahead_ms) };
        let started_at = turned.load(Ordering::SeqCst).saturating_add_signed(ahead_ms);
        let set = Arc::new(Set { wall: AtomicI64::new(ahead_ms), ..Set::default() });
        Self { source: Source::VirtualOther(turned.clone(), ahead_ms), started_at, boot: None, set }
    }

    /// The same on a machine that was started then.
    pub fn on_machine(self, boot: SinceBoot) -> Self {
        Self { boot: Some(boot), ..self }
    }

    /// The server's own time: it never goes back, and never jumps while the machine is awake.
    pub fn now(&self) -> UnixMs {
        match &self.source {
            Source::Real { boot_at_start } => self.started_at() + (up_ms() - boot_at_start),
            Source::Virtual(turned) => turned.load(Ordering::SeqCst),
            Source::VirtualOther(turned, ahead_ms) => {
                turned.load(Ordering::SeqCst).saturating_add_signed(ahead_ms + self.set.own.load(Ordering::SeqCst))
            }
        }
    }

    /// What has passed since the machine was started, the time in which it slept included. No clock that is set moves it.
    pub fn up(&self) -> Duration {
        Duration::from_millis(self.source.turned().map_or_else(up_ms, |turned| turned.load(Ordering::SeqCst)))
    }

    /// The same as time since the machine was started, where that start has a name.
    pub fn since_boot(&self) -> Option<SinceBoot> {
        let passed = self.now().saturating_sub(self.started_at());
        self.boot.map(|at_start| SinceBoot { ms: at_start.ms + passed, ..at_start })
    }

    /// What the wall clock shows: it may have been set at any moment.
    pub fn wall(&self) -> UnixMs {
        self.machine_wall().saturating_add_signed(self.set.wall.load(Ordering::SeqCst))
    }

    fn machine_wall(&self) -> UnixMs {
        self.source.turned().map_or_else(system_wall, |turned| turned.load(Ordering::SeqCst))
    }

    /// What the wall clock, as it is set now, says of a moment since the start or to come: to the second, so that two looks
    /// at one moment show the same. What was before the start was right by the clock of its day.
    pub fn shown(&self, at: UnixMs) -> UnixMs {
        if at < self.started_at() {
            return at;
        }
        let ahead = self.wall() as i64 - self.now() as i64;
        at.saturating_add_signed((ahead + 500).div_euclid(1000) * 1000)
    }

    /// Sets a virtual clock. A real one cannot be turned.
    pub fn turn_to(&self, now: UnixMs) {
        let turned = self.source.turned().expect("the real clock cannot be turned");
        let ahead = self.now() as i64 - turned.load(Ordering::SeqCst) as i64;
        turned.store(now.saturating_add_signed(-ahead), Ordering::SeqCst);
    }

    fn started_at(&self) -> UnixMs {
        self.started_at.saturating_add_signed(self.set.own.load(Ordering::SeqCst))
    }

    /// Another clock, by which this one is to go rather than by the machine's, shows `wall`: that of what several machines share. The
    /// server's own time goes by it from the first time on, which is before anything was decided, and never jumps afterwards.
    /// Gives how far ahead of the machine's it is, in milliseconds; negative: back.
    pub fn follow(&self, wall: UnixMs) -> i64 {
        // Who turns it says what time it is.
        if let Source::Virtual(_) = self.source {
            return 0;
        }
        if !self.set.follows.swap(true, Ordering::SeqCst) {
            self.set.own.fetch_add(wall as i64 - self.now() as i64, Ordering::SeqCst);
        }
        let ahead = wall as i64 - self.machine_wall() as i64;
        self.set.wall.store(ahead, Ordering::SeqCst);
        ahead
    }

    /// For tests: the wall clock is set ahead by so many milliseconds, negative: back.
    pub fn set_wall_ahead(&self, ms: i64) {
        self.set.wall.fetch_add(ms, Ordering::SeqCst);
    }
}

fn system_wall() -> UnixMs {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as UnixMs
}

/// Milliseconds since the machine was started, those in which it slept included.
fn up_ms() -> u64 {
    let at = clock_gettime(ClockId::Boottime);
    at.tv_sec as u64 * 1000 + at.tv_nsec as u64 / 1_000_000
}

fn boot_id() -> Option<u128> {
    std::fs::read_to_string(BOOT_ID).ok()?.trim().parse::<Uuid>().ok().map(|id| id.as_u128())
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
    /// The same in microseconds, as far as they can be counted.
    pub fn micros(&self) -> u32 {
        u32::try_from(self.elapsed().as_micros()).unwrap_or(u32::MAX)
    }
}

/// Measures how long this thread had a processor: on a machine with much to do that is less than the time that passed.
#[derive(Debug, Clone, Copy)]
pub struct Effort(Duration);

impl Effort {
    /// Starts now.
    pub fn start() -> Self {
        Self(thread_time())
    }
    /// What the thread has had since the start.
    pub fn spent(&self) -> Duration {
        thread_time().saturating_sub(self.0)
    }
}

fn thread_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

/// The system's own random bytes, for cryptography that asks for its source.
pub fn system_random() -> ring::rand::SystemRandom {
    ring::rand::SystemRandom::new()
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;

    #[test]
    fn a_wall_clock_that_is_set_moves_what_is_shown_and_nothing_else() {
        for clock in [Clock::real(), Clock::standing_at(1_800_000_000_000)] {
            let (before, wall_before) = (clock.now(), clock.wall());
            clock.set_wall_ahead(-HOUR);
            let (after, wall_after) = (clock.now(), clock.wall());
            assert!(after >= before && after - before < HOUR as u64 / 2);
            assert!(wall_after < wall_before);
            assert_eq!(clock.shown(after), after - HOUR as u64);
        }
    }

    #[test]
    fn time_since_the_machine_was_started_goes_on_from_process_to_process_whatever_the_wall_shows() {
        let (one, other) = (Clock::real(), Clock::real_ahead(8 * 24 * HOUR));
        let (before, after) = (one.since_boot().expect("Linux names it"), other.since_boot().expect("Linux names it"));
        assert_eq!(before.boot, after.boot);
        assert!(after.ms >= before.ms && after.ms - before.ms < HOUR as u64);
        let stands = Clock::standing_at(5000).on_machine(SinceBoot { boot: 7, ms: 100 });
        stands.turn_to(5030);
        assert_eq!(stands.since_boot(), Some(SinceBoot { boot: 7, ms: 130 }));
    }

    #[test]
    fn a_clock_that_follows_another_shows_what_that_shows_and_its_own_time_never_jumps() {
        let (clock, shared) = (Clock::real_ahead(3 * HOUR), Clock::real());
        assert!((clock.follow(shared.wall()) + HOUR).abs() < 2 * HOUR);
        for (one, other) in [(clock.now(), shared.now()), (clock.wall(), shared.wall())] {
            assert!(one.abs_diff(other) < HOUR as u64 / 2);
        }
        assert_eq!(clock.shown(clock.now()) / 1000, clock.now() / 1000);
        let (own, boot) = (clock.now(), clock.since_boot());
        assert!(clock.follow(shared.wall() + 2 * HOUR as u64) > HOUR);
        assert!(clock.now() - own < HOUR as u64 / 2 && clock.wall() - own > HOUR as u64);
        assert!(clock.since_boot().map(|at| at.boot) == boot.map(|at| at.boot));
        let stands = Clock::standing_at(5000);
        stands.follow(9000);
        assert_eq!((stands.now(), stands.wall()), (5000, 5000), "a simulation turns its own");
        let other = stands.of_another(HOUR);
        assert_eq!((other.now(), other.wall(), other.up()), (5000 + HOUR as u64, 5000 + HOUR as u64, stands.up()));
        assert_eq!(other.follow(5500), 500);
        assert_eq!((other.now(), other.wall(), other.shown(5500)), (5500, 5500, 5500));
        other.turn_to(6500);
        assert_eq!((stands.now(), other.now(), other.wall()), (6000, 6500, 6500));
        other.follow(7000);
        assert_eq!((other.now(), other.wall()), (6500, 7000), "its own time never jumps");
    }

    #[test]
    fn a_clock_that_was_wrong_at_the_start_is_wrong_by_as_much() {
        let (ahead, right) = (Clock::real_ahead(8 * 24 * HOUR), Clock::real());
        for (one, other) in [(ahead.now(), right.now()), (ahead.wall(), right.wall())] {
            assert_eq!((one - other + HOUR as u64 / 2) / HOUR as u64, 8 * 24);
        }
    }
}
