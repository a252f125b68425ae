//! The commit thread: takes all that waits as one group, stages it, writes it in one transaction, syncs it, and only
//! then answers. It is the only writer, so what it decides (which events are equal, which webhooks want one, whether a
//! rule disables a webhook) needs no lock and no retry.
//!
//! A crash can only repeat: before the write nothing was answered, after it everything is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::carried::{Carried, Tallies};
use super::error::StoreError;
use super::inner::Inner;
use super::message::Notice;
use super::queue::{Group, Woken};
use super::rows;
use super::staging::Staging;
use super::trees::Trees;
use super::upkeep::Upkeep;
use crate::clock::{Dice, Stopwatch};
use crate::domain::id::IdSource;

/// Outcomes that no answer waits for are synced at the latest after this time.
const SYNC_DELAY: Duration = Duration::from_millis(50);
/// Between the starts of two groups: what arrives meanwhile shares a flush and a sync, each of which costs as much as
/// several events. After a quiet moment nothing waits, and under load a group takes longer than this anyway.
const PACE: Duration = Duration::from_millis(2);
/// Between the first attempts to reopen a store that failed: sled lets go of its files some moments after its last
/// handle. Each further pause is twice as long.
const REOPEN_PAUSE_MIN: Duration = Duration::from_millis(2);
/// The longest of them: a disk may stay full for hours.
const REOPEN_PAUSE_MAX: Duration = Duration::from_millis(500);

/// The one writer. The server gives it a thread with [`Committer::run`]; a simulation turns it with
/// [`Committer::step`].
pub struct Committer {
    inner: Arc<Inner>,
    carried: Carried,
    upkeep: Upkeep,
    /// Whether the operator was told that space is low.
    low_space_told: bool,
    /// Since when something is written and not synced.
    unsynced: Option<Stopwatch>,
}

impl Committer {
    pub(super) fn new(inner: Arc<Inner>, dice: Dice) -> Result<Self, StoreError> {
        let trees = inner.trees()?;
        let ids = IdSource::after(rows::last_id_and_event_bytes(&trees)?.0);
        let kept = rows::kept(&trees)?;
        let upkeep = upkeep_of(&inner, &trees);
        let carried = Carried { ids, dice, tallies: Tallies::default(), kept };
        Ok(Self { inner, carried, upkeep, unsynced: None, low_space_told: false })
    }

    /// Serves groups until the store is closed and nothing waits.
    pub fn run(mut self) {
        let mut last = Stopwatch::start();
        loop {
            self.inner.pulse.rest();
            let woken = self.inner.queue.wait(self.patience());
            self.inner.pulse.beat();
            match woken {
                Woken::Work => std::thread::sleep(PACE.saturating_sub(last.elapsed())),
                Woken::Idle => {}
                Woken::Closed => break,
            }
            last = Stopwatch::start();
            if self.inner.trees().is_err() && !self.reopen() {
                return tracing::error!(
                    "the store stays closed; what was not recorded is sent again after the next start"
                );
            }
            self.serve(self.inner.queue.take());
        }
        if let Ok(trees) = self.inner.trees()
            && let Err(error) = trees.sync()
        {
            tracing::error!(%error, "the store could not be synced at the end");
        }
    }

    /// Serves what waits now, once. Says whether there was anything to do.
    pub fn step(&mut self) -> bool {
        let group = self.inner.queue.take();
        let some = !group.is_empty() || self.upkeep.is_due(self.inner.clock.now(), self.carried.kept.total());
        if some {
            self.serve(group);
        }
        some
    }

    /// Closes the store under its handles, without a word to anybody: a simulation's crash.
    pub fn let_go(&mut self) {
        self.close_disk();
    }

    /// How long to wait for work: until the sync of what was written, or the next upkeep. A closed store is work, and so
    /// is news of free space for the operator.
    fn patience(&self) -> Duration {
        let has_news = self.inner.space_low.load(Ordering::Relaxed) != self.low_space_told;
        if has_news || self.inner.trees.load().is_none() {
            return Duration::ZERO;
        }
        let upkeep = self.upkeep.wait(self.inner.clock.now(), self.carried.kept.total());
        if self.unsynced.is_some() { upkeep.min(SYNC_DELAY) } else { upkeep }
    }

    /// One group: stage, write, sync, answer, tell. An empty one syncs what is not synced yet.
    fn serve(&mut self, mut group: Group) {
        let Ok(trees) = self.inner.trees() else { return self.put_off(group) };
        let settlements = group.settlements.clone();
        let (notice, written) = self.write(&trees, &mut group);
        for request in group.requests {
            request.answer(written.clone());
        }
        match written {
            Ok(()) => {
                self.upkeep.look_at(&notice.changed, &self.inner.registry.read().expect("not poisoned"));
                self.inner.tell(notice);
            }
            Err(error) => {
                tracing::error!(%error, "the store failed; it is closed and opened again");
                self.inner.queue.settle_again(settlements);
                drop(trees);
                self.close_disk();
            }
        }
    }

    fn write(&mut self, trees: &Trees, group: &mut Group) -> (Notice, Result<(), StoreError>) {
        // Somebody waits for requests; an idle moment is the time to sync outcomes, and they must not wait for ever.
        let is_overdue = self.unsynced.is_some_and(|since| since.elapsed() >= SYNC_DELAY);
        let must_sync = !group.requests.is_empty() || group.is_empty() || is_overdue;
        let moment = self.inner.keeping.moment(&self.inner.clock);
        let mut staging = Staging::new(trees, &self.inner.registry, &self.inner.seals, &mut self.carried, moment);
        let mut staged = Ok(());
        for settlement in group.settlements.drain(..) {
            staged = staged.and_then(|()| staging.settle(settlement));
        }
        for request in &mut group.requests {
            request.stage(&mut staging);
        }
        let told = tell_low_space(&mut self.low_space_told, &self.inner, &mut staging);
        let upkept = self.upkeep.step(&mut staging);
        let banked = staging.bank_minutes();
        let (writes, notice, kept) = staging.finish();
        let written = staged.and(told).and(upkept).and(banked).and_then(|()| trees.write(&writes)).and_then(|()| {
            self.carried.kept = kept;
            self.inner.kept.store(kept.total(), Ordering::Relaxed);
            self.inner.commits.count_group(writes.keys());
            if writes.keys() > 0 {
                self.unsynced.get_or_insert_with(Stopwatch::start);
            }
            if must_sync && self.unsynced.is_some() {
                trees.sync()?;
                self.unsynced = None;
            }
            Ok(())
        });
        self.inner.watch_space(trees);
        (notice, written)
    }

    /// There is no store at the moment: outcomes wait for it, callers are told.
    fn put_off(&mut self, group: Group) {
        self.inner.queue.settle_again(group.settlements);
        for request in group.requests {
            request.answer(Err(StoreError::Unavailable));
        }
    }

    /// Drops every handle of a store that failed: sled stays poisoned for as long as one is left.
    fn close_disk(&mut self) {
        let mut trees = self.inner.trees.swap(None);
        self.carried.tallies = Tallies::default();
        self.unsynced = None;
        while let Some(held) = trees.take() {
            if let Err(held) = Arc::try_unwrap(held) {
                // A reader is in the middle of a look-up; it lets go within moments.
                trees = Some(held);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Tries to open the store until it is open or not needed any more, and rebuilds what is held in memory about it.
    /// Says whether it is open.
    fn reopen(&mut self) -> bool {
        let mut pause = REOPEN_PAUSE_MIN;
        loop {
            self.inner.pulse.beat();
            let opened = self
                .inner
                .open_disk()
                .and_then(|trees| Ok((rows::last_id_and_event_bytes(&trees)?.0, rows::kept(&trees)?, trees)));
            match opened {
                Ok((last, kept, trees)) => {
                    self.carried.kept = kept;
                    self.carried.ids = IdSource::after(last.max(self.carried.ids.last()));
                    self.upkeep = upkeep_of(&self.inner, &trees);
                    self.inner.trees.store(Some(Arc::new(trees)));
                    tracing::warn!("the store is open again");
                    self.inner.tell(Notice { reopened: true, ..Notice::default() });
                    return true;
                }
                Err(error) => {
                    tracing::error!(%error, "the store cannot be opened; trying again");
                    let group = self.inner.queue.take();
                    self.put_off(group);
                    if self.inner.queue.is_closed() {
                        return false;
                    }
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(REOPEN_PAUSE_MAX);
                }
            }
        }
    }
}

/// All that is to be done on the side, from the start.
fn upkeep_of(inner: &Inner, trees: &Trees) -> Upkeep {
    let registry = inner.registry.read().expect("not poisoned");
    Upkeep::at_start(trees, inner.clock.now(), &registry, &inner.settings.retention, inner.seals.clone())
}

/// Tells the operator once when free space falls below the reserve.
fn tell_low_space(told: &mut bool, inner: &Inner, staging: &mut Staging<'_>) -> Result<(), StoreError> {
    let low = inner.space_low.load(Ordering::Relaxed);
    if std::mem::replace(told, low) || !low {
        return Ok(());
    }
    let free = staging.trees().free_bytes()?;
    let facts = serde_json::json!({"free_bytes": free, "reserve_bytes": inner.settings.free_bytes_min});
    staging.tell_operator("storage.low", facts)
}
