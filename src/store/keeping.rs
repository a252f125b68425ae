//! The keeping clock: by it age is told where age lets something go (events, what is held, jobs and audit entries that
//! ended, idempotency keys, old statistics). A machine whose clock is wrong must not cost what is kept. So this clock goes
//! on from where it stood: with the server's own time while the server runs; at a start by the time that the machine itself
//! has counted since, and on by what the machine's clock shows, but by a day at most for each start of the *machine*, so that
//! a server which starts over and over gains nothing; further only by the operator's word; and never back. Where the starts
//! of the machine have no name it is a day for each start of the server.
//!
//! A crash loses what it went since it was last written, which the next start makes good.

use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::layout::{self, Tree};
use super::trees::Trees;
use super::{record, rows};
use crate::clock::{Clock, SinceBoot};
use crate::domain::id::EventId;
use crate::domain::time::{self, DAY_MS, UnixMs};

/// What it follows the machine's clock by, at most, for each start of the machine.
const FOLLOWED_MS_MAX: u64 = DAY_MS;
/// A smaller difference to the machine's clock is not worth a word.
const TOLD_FROM_MS: u64 = 60 * 1000;

/// Where it stands, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stood {
    /// What it shows.
    pub at: UnixMs,
    /// When that is.
    boot: Option<SinceBoot>,
    /// What it has followed the machine's clock by since the machine was started.
    followed_ms: u64,
}

/// A moment, in each of the times.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// In the server's own.
    pub now: UnixMs,
    /// By the keeping clock.
    pub keeping: Stood,
    /// As the wall clock shows it.
    pub shown: UnixMs,
}

/// The clock, as a distance.
#[derive(Debug)]
pub struct Keeping {
    /// What it is behind the server's own time, in milliseconds; negative: ahead.
    behind_ms: AtomicI64,
    followed_ms: u64,
}

impl Keeping {
    /// Where it stands after a start.
    pub fn at_start(trees: &Trees, clock: &Clock) -> Result<Self, StoreError> {
        // One that cannot be read is as one that was never written.
        let stored = trees.readable(trees.get(Tree::Meta, layout::META_KEEPING))?.flatten();
        let stored = stored.and_then(|bytes| record::decode_grown::<Stood>(&bytes).ok());
        let at = |at| Stood { at, boot: None, followed_ms: 0 };
        let stood = match (stored, rows::last_id_and_event_bytes(trees)?.0) {
            (Some(stood), _) => stood,
            (None, 0) => at(clock.now()),
            // A store that has never written it was alive when it gave its greatest id.
            (None, last) => at(EventId(last).time()),
        };
        Ok(Self::after(stood, clock.now(), clock.since_boot()))
    }

    fn after(stood: Stood, now: UnixMs, since_boot: Option<SinceBoot>) -> Self {
        let (counted, followed) = match (stood.boot, since_boot) {
            (Some(then), Some(is)) if then.boot == is.boot => (is.ms.saturating_sub(then.ms), stood.followed_ms),
            _ => (0, 0),
        };
        let least = stood.at.saturating_add(counted);
        let stands = now.clamp(least, least.saturating_add(FOLLOWED_MS_MAX.saturating_sub(followed)));
        Self { behind_ms: AtomicI64::new(now as i64 - stands as i64), followed_ms: followed + (stands - least) }
    }

    /// What it shows at `now`.
    pub fn at(&self, now: UnixMs) -> UnixMs {
        now.saturating_add_signed(-self.behind_ms())
    }

    /// How far it is behind the server's own time; negative: ahead.
    pub fn behind_ms(&self) -> i64 {
        self.behind_ms.load(Ordering::Relaxed)
    }

    /// This moment.
    pub fn moment(&self, clock: &Clock) -> Moment {
        let now = clock.now();
        Moment { now, keeping: self.stands(clock), shown: clock.shown(now) }
    }

    /// Where it stands.
    pub fn stands(&self, clock: &Clock) -> Stood {
        Stood { at: self.at(clock.now()), boot: clock.since_boot(), followed_ms: self.followed_ms }
    }

    /// The operator's word that the machine's clock is right: it goes on to that. Never back.
    pub fn trust(&self) {
        self.behind_ms.fetch_min(0, Ordering::Relaxed);
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
                "the machine's clock is ahead of what has passed since retention stood there, and a day more than that is \
                 not followed; if the machine's clock is right, say so with POST /api/v1/retention-clock/trust"
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

    fn stood(boot: Option<SinceBoot>) -> Stood {
        Stood { at: T, boot, followed_ms: 0 }
    }

    #[test]
    fn a_start_moves_it_by_what_has_passed_at_most_by_a_day_and_never_back() {
        let boots = [(None, None), (Some(SinceBoot { boot: 1, ms: 9 }), Some(SinceBoot { boot: 2, ms: 5 }))];
        for (then, is) in boots {
            let after = |now| Keeping::after(stood(then), now, is).at(now);
            assert_eq!(after(T + 5), T + 5);
            assert_eq!(after(T + DAY_MS), T + DAY_MS);
            assert_eq!(after(T + 8 * DAY_MS), T + DAY_MS);
            assert_eq!(after(T - 8 * DAY_MS), T, "nor does a clock of 1970 move it");
        }
    }

    #[test]
    fn while_the_machine_is_up_it_goes_by_what_that_has_counted_and_follows_by_a_day_in_all() {
        let mut last = stood(Some(SinceBoot { boot: 1, ms: 0 }));
        for starts in 1..=30 {
            let (now, is) = (T + 60 * DAY_MS, SinceBoot { boot: 1, ms: starts * 1000 });
            let keeping = Keeping::after(last, now, Some(is));
            last = Stood { at: keeping.at(now), boot: Some(is), followed_ms: keeping.followed_ms };
            assert_eq!(last.at, T + DAY_MS + starts * 1000, "start {starts}");
        }
        let asleep = SinceBoot { boot: 1, ms: 30_000 + 9 * DAY_MS };
        let back = Keeping::after(last, T, Some(asleep));
        assert_eq!(back.at(T), T + 10 * DAY_MS + 30_000, "whatever the machine's clock shows");
        let next = Keeping::after(last, T + 60 * DAY_MS, Some(SinceBoot { boot: 2, ms: 1 }));
        assert_eq!(next.at(T + 60 * DAY_MS), T + 2 * DAY_MS + 30_000);
    }

    #[test]
    fn what_was_written_before_is_read() {
        assert_eq!(record::decode_grown(&record::encode(&T)), Ok(stood(None)));
    }

    #[test]
    fn it_goes_with_the_servers_time_and_on_to_it_by_a_word() {
        let (now, late) = (T + 8 * DAY_MS, Keeping::after(stood(None), T + 8 * DAY_MS, None));
        assert_eq!(late.at(now + 10) - late.at(now), 10);
        late.trust();
        assert_eq!((late.at(now), late.behind_ms()), (now, 0));
        let early = Keeping::after(stood(None), T - DAY_MS, None);
        early.trust();
        assert_eq!(early.at(T - DAY_MS), T, "never back");
    }

    #[test]
    fn less_than_a_minute_is_not_worth_a_word() {
        let of = [-60_000, -59_999, 0, 59_999, 60_000].map(is_worth_a_word);
        assert_eq!(of, [true, false, false, false, true]);
    }
}
