//! The keeping clock: by it age is told where age lets something go (events, what is held, jobs and audit entries that
//! ended, idempotency keys, old statistics). A machine whose clock is wrong at one start must not cost what is kept. So
//! this clock goes on from where it stood: with the server's own time while the server runs; at a start by what the
//! machine's clock has moved, but by a day at most; further only by the operator's word; and never back.
//!
//! A crash loses what it went since it was last written, which the next start makes good.

use std::sync::atomic::{AtomicI64, Ordering};

use super::error::StoreError;
use super::layout::{self, Tree};
use super::trees::Trees;
use super::{record, rows};
use crate::clock::Clock;
use crate::domain::id::EventId;
use crate::domain::time::{self, DAY_MS, UnixMs};

/// What it follows the machine's clock by at a start, at most.
const STEP_AT_START_MS: u64 = DAY_MS;
/// A smaller difference to the machine's clock is not worth a word.
const TOLD_FROM_MS: u64 = 60 * 1000;

/// A moment, in each of the times.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// In the server's own.
    pub now: UnixMs,
    /// By the keeping clock.
    pub keeping: UnixMs,
    /// As the wall clock shows it.
    pub shown: UnixMs,
}

/// The clock, as a distance: what it is behind the server's own time, in milliseconds; negative: ahead.
#[derive(Debug)]
pub struct Keeping(AtomicI64);

impl Keeping {
    /// Where it stands after a start at `now`.
    pub fn at_start(trees: &Trees, now: UnixMs) -> Result<Self, StoreError> {
        // One that cannot be read is as one that was never written.
        let stored = trees.readable(trees.get(Tree::Meta, layout::META_KEEPING))?.flatten();
        let stored = stored.and_then(|bytes| record::decode::<UnixMs>(&bytes).ok());
        let last = match (stored, rows::last_id_and_event_bytes(trees)?.0) {
            (Some(stood_at), _) => stood_at,
            (None, 0) => now,
            // A store that has never written it was alive when it gave its greatest id.
            (None, last) => EventId(last).time(),
        };
        Ok(Self::from(last, now))
    }

    fn from(last: UnixMs, now: UnixMs) -> Self {
        let stands = now.clamp(last, last.saturating_add(STEP_AT_START_MS));
        Self(AtomicI64::new(now as i64 - stands as i64))
    }

    /// What it shows at `now`.
    pub fn at(&self, now: UnixMs) -> UnixMs {
        now.saturating_add_signed(-self.behind_ms())
    }

    /// How far it is behind the server's own time; negative: ahead.
    pub fn behind_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// This moment.
    pub fn moment(&self, clock: &Clock) -> Moment {
        let now = clock.now();
        Moment { now, keeping: self.at(now), shown: clock.shown(now) }
    }

    /// The operator's word that the machine's clock is right: it goes on to that. Never back.
    pub fn trust(&self) {
        self.0.fetch_min(0, Ordering::Relaxed);
    }

    /// Tells the log of a difference that is worth a word.
    pub fn warn(&self, now: UnixMs) {
        if !is_worth_a_word(self.behind_ms()) {
            return;
        }
        let (stands_at, machine) = (time::rfc3339(self.at(now)), time::rfc3339(now));
        if self.behind_ms() > 0 {
            tracing::warn!(
                stands_at,
                machine,
                "the machine's clock is more than a day ahead of where it stood: retention does not follow; if the machine's \
                 clock is right, say so with POST /api/v1/retention-clock/trust"
            );
        } else {
            tracing::warn!(
                stands_at,
                machine,
                "the machine's clock was set back: retention goes on from where it stood"
            );
        }
    }
}

/// Whether a difference is worth a word.
pub fn is_worth_a_word(behind_ms: i64) -> bool {
    behind_ms.unsigned_abs() >= TOLD_FROM_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixMs = 1_800_000_000_000;

    #[test]
    fn a_start_moves_it_by_what_has_passed_at_most_by_a_day_and_never_back() {
        let after = |now| Keeping::from(T, now).at(now);
        assert_eq!(after(T + 5), T + 5);
        assert_eq!(after(T + DAY_MS), T + DAY_MS);
        assert_eq!(after(T + 8 * DAY_MS), T + DAY_MS);
        assert_eq!(after(T - 8 * DAY_MS), T, "nor does a clock of 1970 move it");
    }

    #[test]
    fn it_goes_with_the_servers_time_and_on_to_it_by_a_word() {
        let (now, late) = (T + 8 * DAY_MS, Keeping::from(T, T + 8 * DAY_MS));
        assert_eq!(late.at(now + 10) - late.at(now), 10);
        late.trust();
        assert_eq!((late.at(now), late.behind_ms()), (now, 0));
        let early = Keeping::from(T, T - DAY_MS);
        early.trust();
        assert_eq!(early.at(T - DAY_MS), T, "never back");
    }
}
