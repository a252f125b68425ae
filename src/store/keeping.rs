//! The keeping clock: by it age is told where age lets something go (events, what is held, jobs and audit entries that
//! ended, idempotency keys, old statistics). A machine whose clock is wrong at one start must not cost what is kept. So
//! this clock goes on from where it stood: with the server's own time while the server runs; at a start by what the
//! machine's clock has moved, but by a day at most; further only by the operator's word; and never back.
//!
//! A crash loses what it went since it was last written, which the next start makes good.

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::json;

use super::disk::Disk;
use super::layout::{self, Tree};
use super::staging::Staging;
use super::upkeep::Duty;
use super::{Refusal, Store, StoreError, read};
use crate::domain::account::DEFAULT_ACCOUNT;
use crate::domain::audit::{Actor, Deed};
use crate::domain::id::EventId;
use crate::domain::time::{self, DAY_MS, UnixMs};

/// What it follows the machine's clock by at a start, at most.
const STEP_AT_START_MS: u64 = DAY_MS;
/// How often it is written.
const WRITE_EVERY_MS: u64 = 60 * 60 * 1000;
/// A smaller difference to the machine's clock is not worth a word.
const TOLD_FROM_MS: u64 = 60 * 1000;

/// The clock, as a distance: what it is behind the server's own time, in milliseconds; negative: ahead.
#[derive(Debug)]
pub struct Keeping(AtomicI64);

impl Keeping {
    /// Where it stands after a start at `now`.
    pub fn at_start(disk: &Disk, now: UnixMs) -> Result<Self, StoreError> {
        let stored = disk.get(Tree::Meta, layout::META_KEEPING)?;
        let stored = stored.and_then(|bytes| Some(UnixMs::from_be_bytes(bytes.as_ref().try_into().ok()?)));
        let last = match (stored, read::last_id_and_event_bytes(disk)?.0) {
            (Some(stood_at), _) => stood_at,
            (None, 0) => now,
            // A store that has never written it was alive when it gave its greatest id.
            (None, last) => EventId(last).time(),
        };
        Ok(Self::from(last, now))
    }

    fn from(last: UnixMs, now: UnixMs) -> Self {
        let stands = now.clamp(last, last + STEP_AT_START_MS);
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

    /// The operator's word that the machine's clock is right: it goes on to that. Never back.
    fn trust(&self) {
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

fn is_worth_a_word(behind_ms: i64) -> bool {
    behind_ms.unsigned_abs() >= TOLD_FROM_MS
}

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

impl Staging<'_> {
    fn put_keeping(&mut self) {
        let stands_at = self.keeping().to_be_bytes().to_vec();
        self.stage(Tree::Meta, layout::META_KEEPING.to_vec(), Some(stands_at));
    }
}

impl Store {
    /// How far the keeping clock is behind the wall clock, in milliseconds; negative: ahead. A difference that is not worth
    /// a word is none.
    pub fn keeping_behind_ms(&self) -> i64 {
        let (inner, clock) = (&self.0, &self.0.clock);
        let behind = clock.wall() as i64 - inner.keeping.at(clock.now()) as i64;
        if is_worth_a_word(behind) { behind } else { 0 }
    }

    /// What the keeping clock shows.
    pub fn keeping(&self) -> UnixMs {
        self.0.keeping.at(self.0.clock.now())
    }

    /// The machine's clock is right, somebody says: the keeping clock goes on to it. It stands in the audit log of the
    /// account that exists from the start.
    pub async fn trust_clock(&self, by: Actor) -> Result<(), Refusal> {
        let inner = self.0.clone();
        let change = move |staging: &mut Staging<'_>| {
            let from = time::rfc3339(staging.keeping());
            inner.keeping.trust();
            staging.put_keeping();
            let account = staging.registry().account_by_id(DEFAULT_ACCOUNT).map(|account| account.number);
            if let Some(account) = account {
                staging.note_deed(by, Deed::new(account, "retention_clock.trusted", from));
            }
            Ok(())
        };
        self.change(change).await
    }
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
