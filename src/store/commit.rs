//! The commit thread: takes all that waits as one group, stages it, writes it in one transaction, syncs it, and only
//! then answers. It is the only writer, so what it decides (which events are equal, which webhooks want one, whether a
//! rule disables a webhook) needs no lock and no retry.
//!
//! A crash can only repeat: before the write nothing was answered, after it everything is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::carried::{Carried, Tallies};
use super::error::{OpenError, StoreError};
use super::fare::Debt;
use super::inner::{InForce, Inner};
use super::journal::Rows;
use super::kept::KeptBy;
use super::message::{Notice, Settled, Settlement};
use super::queue::{COMPANY, Group, Woken};
use super::reclaim::Reclaimer;
use super::rows;
use super::staging::Staging;
use super::to_come::ToCome;
use super::trees::{Lasting, Trees};
use super::upkeep::Upkeep;
use crate::clock::{Dice, Stopwatch};
use crate::domain::backoff::Strain;
use crate::domain::id::IdSource;
use crate::domain::time::UnixMs;
use crate::pulse;

/// Outcomes that no answer waits for are synced at the latest after this time.
const SYNC_DELAY_MS: u64 = 50;
/// Between the starts of two groups: what arrives meanwhile shares a flush and a sync, each of which costs as much as
/// several events. After a quiet moment nothing waits, and under load a group takes longer than this anyway.
const PACE: Duration = Duration::from_millis(2);
/// After a group of fewer the next begins at once: who publishes one event after the other waits for each of them.
const PACED_FROM: usize = 4;
/// What says on the disk which group was synced is itself synced at the latest after this time.
const MARK_SYNC_DELAY: Duration = Duration::from_secs(1);
/// Between looks at the free space: no disk takes the reserve of it in so short a time.
const SPACE_PACE: Duration = Duration::from_millis(50);
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
    /// What it goes by.
    in_force: Arc<InForce>,
    /// Whether the operator was told that space is low.
    low_space_told: bool,
    /// Since the last look at the free space.
    space_seen: Stopwatch,
    /// Since when something is written and not synced.
    unsynced: Option<UnixMs>,
    /// Since when something is synced and the mark of it is not.
    unmarked: Option<Stopwatch>,
    /// Pages that are to be cleaned for what was written.
    debt: Debt,
    /// Before the store is opened again after the next failure. A store that opens and fails at once is not opened over
    /// and over without a pause.
    pause: Duration,
    /// So many groups hold one thing only, to find what needs a page that cannot be read.
    alone: usize,
    /// The last group made deliveries: what comes of them comes soon.
    expects: bool,
}

impl Committer {
    pub(super) fn new(inner: Arc<Inner>, dice: Dice, journal: Rows) -> Result<Self, StoreError> {
        let trees = inner.trees()?;
        let ids = IdSource::after(rows::last_id_and_event_bytes(&trees)?.0);
        let to_come = ToCome::read(&trees, inner.settings.fan_out_max)?;
        let (sums, kept_by) = (inner.sums(), inner.kept_by(&trees)?);
        let (upkeep, in_force) = (upkeep_of(&inner, &trees, &kept_by), inner.in_force.load_full());
        let (tallies, is_space_low) = (Tallies::default(), false);
        let carried = Carried { ids, dice, tallies, sums, kept_by, to_come, journal, is_space_low };
        let (low_space_told, space_seen) = (false, Stopwatch::start());
        let (unsynced, unmarked, pause) = (None, None, Duration::ZERO);
        let (debt, alone, expects) = (Debt::default(), 0, false);
        Ok(Self {
            inner,
            carried,
            upkeep,
            in_force,
            low_space_told,
            space_seen,
            unsynced,
            unmarked,
            debt,
            pause,
            alone,
            expects,
        })
    }

    /// Serves groups until the store is closed and nothing waits.
    pub fn run(mut self) {
        let reclaimer = Reclaimer::start(self.inner.clone());
        let (mut last, mut size) = (Stopwatch::start(), 0);
        loop {
            self.inner.pulse.rest();
            let woken = self.inner.queue.wait(self.patience());
            self.inner.pulse.beat();
            match woken {
                Woken::Work if size >= PACED_FROM => std::thread::sleep(PACE.saturating_sub(last.elapsed())),
                Woken::Work | Woken::Idle => {}
                Woken::Closed => break,
            }
            last = Stopwatch::start();
            if self.inner.trees().is_err() && !self.reopen() {
                return;
            }
            let group = self.take();
            size = group.settlements.len() + group.requests.len();
            self.serve(group);
        }
        drop(reclaimer);
        self.close();
    }

    /// What waits.
    fn take(&self) -> Group {
        match self.alone {
            _ if self.upkeep.is_tried() => Group::default(),
            0 => self.inner.queue.take(),
            _ => self.inner.queue.take_one(),
        }
    }

    /// Closes the store for good, as [`Committer::run`] does at its end.
    pub fn close(&mut self) {
        fail::fail_point!("store.close");
        if let Err(error) = self.write_late() {
            tracing::warn!(%error, "deliveries that are not written yet follow from their events at the next start");
        }
        let closed = self.take_trees().map_or(Ok(()), |trees| trees.sync().and_then(|()| trees.close()));
        if let Err(error) = closed {
            tracing::error!(%error, "the store could not be closed as it should");
        }
    }

    /// Writes what is not written yet, so that the next start need not look for it.
    fn write_late(&mut self) -> Result<(), StoreError> {
        let Ok(trees) = self.inner.trees() else { return Ok(()) };
        if trees.late().floor().is_none() {
            return Ok(());
        }
        let (inner, moment) = (&*self.inner, self.inner.keeping.moment(&self.inner.clock));
        let mut staging =
            Staging::new(&trees, &inner.registry, &inner.seals, &inner.foreseen, &mut self.carried, moment);
        staging.end_all_being_late();
        let (writes, ..) = staging.finish();
        trees.write(&writes).map(drop)
    }

    /// Serves what waits now, once, or opens the store again that failed. Says whether there was anything to do.
    pub fn step(&mut self) -> bool {
        if self.inner.trees.load().is_none() {
            return self.reopen();
        }
        let (group, now) = (self.take(), self.inner.clock.now());
        let some = !group.is_empty() || self.is_overdue(now) || self.upkeep.is_due(now, self.carried.sums.kept.total());
        if some || self.renewal_due_in() == Some(Duration::ZERO) {
            self.serve(group);
        }
        // One that could not be renewed is to be opened again.
        some || self.inner.trees.load().is_none()
    }

    /// Bytes that are kept of each account.
    #[cfg(test)]
    pub(super) fn kept_by(&self) -> &KeptBy {
        &self.carried.kept_by
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
        let now = self.inner.clock.now();
        let upkeep = self.upkeep.wait(now, self.carried.sums.kept.total());
        // So that an outcome that waits for company need not wake this thread to be given its time.
        let upkeep = if self.expects { upkeep.min(COMPANY) } else { upkeep };
        let upkeep = self.renewal_due_in().map_or(upkeep, |due| upkeep.min(due));
        match (&self.unsynced, &self.unmarked) {
            (Some(_), _) => upkeep.min(Duration::from_millis(SYNC_DELAY_MS)),
            (None, Some(_)) => upkeep.min(MARK_SYNC_DELAY),
            (None, None) => upkeep,
        }
    }

    /// How long until the lease is renewed under which the store is read and written, if there is one: by a group, if an empty one.
    fn renewal_due_in(&self) -> Option<Duration> {
        self.inner.trees.load().as_ref()?.renewal_due_in()
    }

    /// Begins what is done on the side anew once it goes by other settings, as a start does.
    fn follow_settings(&mut self, trees: &Trees) {
        let in_force = self.inner.in_force.load_full();
        if !Arc::ptr_eq(&in_force, &self.in_force) {
            (self.upkeep, self.in_force) = (upkeep_of(&self.inner, trees, &self.carried.kept_by), in_force);
        }
    }

    /// One group: stage, write, sync, answer, tell. An empty one syncs what is not synced yet.
    fn serve(&mut self, mut group: Group) {
        let Ok(trees) = self.inner.trees() else { return self.put_off(group) };
        self.follow_settings(&trees);
        let turns = usize::from(!self.upkeep.is_tried());
        let watch = Stopwatch::start();
        let (mut notice, written) = self.write(&trees, &mut group);
        self.count_time(&group, watch);
        let Group { settlements, requests } = group;
        for request in requests {
            request.answer(written.clone());
        }
        match written {
            Ok(()) => {
                self.alone = self.alone.saturating_sub(turns);
                self.expects = !notice.fresh.is_empty();
                let handed = std::mem::take(&mut notice.handed);
                if !notice.payload_gone {
                    self.inner.handed.put(handed, self.inner.clock.now());
                }
                self.upkeep.look_at(&notice.changed, &self.inner.registry.read().expect("not poisoned"));
                self.inner.tell(notice);
            }
            // Nothing of the group was written: sled reads each page before it changes any.
            Err(StoreError::Broken(why)) => {
                self.upkeep.not_written(self.inner.clock.now());
                if self.leave_out(&trees, settlements, &why).is_err() {
                    drop(trees);
                    self.close_disk();
                }
                self.alone = self.alone.saturating_sub(turns);
            }
            Err(error) => {
                tracing::error!(%error, "the store failed; it is closed and opened again");
                self.inner.queue.settle_again(settlements);
                drop(trees);
                self.close_disk();
            }
        }
    }

    /// Counts how large a group was, and how long it took.
    fn count_time(&self, group: &Group, watch: Stopwatch) {
        let size = group.settlements.len() + group.requests.len();
        if size > 0 {
            self.inner.commits.group_sizes.record(size as u64);
            self.inner.commits.group_times.record_time(watch.elapsed());
        }
    }

    fn write(&mut self, trees: &Trees, group: &mut Group) -> (Notice, Result<(), StoreError>) {
        // Somebody waits for requests; an idle moment is the time to sync outcomes, and they must not wait for ever.
        let moment = self.inner.keeping.moment(&self.inner.clock);
        let is_told = group.requests.iter().any(|request| !request.is_untold());
        let must_sync = is_told || group.is_empty() || self.is_overdue(moment.now);
        let inner = &*self.inner;
        self.carried.is_space_low = inner.space_low.load(Ordering::Relaxed);
        let mut staging =
            Staging::new(trees, &inner.registry, &inner.seals, &inner.foreseen, &mut self.carried, moment);
        let is_watched = inner.journal.is_watched(moment.now) && !staging.carried.journal.are_torn;
        staging.happened = is_watched.then(Vec::new);
        let mut staged = Ok(());
        for settlement in &group.settlements {
            staged = staged.and_then(|()| trees.readable(staging.settle(settlement)).map(drop));
        }
        for request in &mut group.requests {
            request.stage(&mut staging);
        }
        let told = trees.readable(tell_low_space(&mut self.low_space_told, &self.inner, &mut staging)).map(drop);
        let is_upkept = self.alone == 0 || self.upkeep.is_tried();
        let upkept = if is_upkept { self.upkeep.step(&mut staging) } else { Ok(()) };
        let banked = trees.readable(staging.bank_minutes()).map(drop);
        staging.put_journal(self.inner.settings.journal_max);
        let (writes, notice, sums, kept_changes) = staging.finish();
        let seen = staged.and(told).and(upkept).and(banked).and_then(|()| self.upkeep.see(&writes, trees));
        let lasting = if must_sync { Lasting::Answered } else { Lasting::Later };
        let written = seen.and_then(|()| trees.write_lasting(&writes, lasting)).and_then(|keys| {
            self.carried.sums = sums;
            self.carried.tallies.let_go_of_many();
            for (account, change) in kept_changes {
                let kept = self.carried.kept_by.change(account, change);
                if change > 0 && self.inner.is_over_quota(account, kept) {
                    self.upkeep.keeps_too_much(account, kept);
                }
            }
            self.inner.publish(sums);
            self.inner.spool.group(&writes, self.carried.is_space_low);
            self.inner.to_come.store(self.carried.to_come.deliveries(), Ordering::Relaxed);
            self.inner.commits.count_group(keys);
            if notice.payload_gone {
                // Before it is counted: who sees that looks here again.
                self.inner.handed.forget_all();
            }
            self.inner.commits.payloads_gone.fetch_add(u64::from(notice.payload_gone), Ordering::Relaxed);
            if keys > 0 {
                self.unsynced.get_or_insert(moment.now);
            }
            let pages = self.debt.pages(keys, &self.inner.fare);
            if pages > 0 {
                // What fails here, the sync meets too.
                let _ = trees.reclaim(pages);
            }
            if must_sync && self.unsynced.is_some() {
                let watch = Stopwatch::start();
                trees.sync()?;
                self.inner.commits.sync_times.record_time(watch.elapsed());
                self.unsynced = None;
                self.unmarked.get_or_insert_with(Stopwatch::start);
            }
            if self.unmarked.is_some_and(|since| since.elapsed() >= MARK_SYNC_DELAY) {
                trees.sync_mark()?;
                self.unmarked = None;
            }
            if keys > 0 {
                self.pause = Duration::ZERO;
            }
            // Now an event is as safe as whoever published it is told.
            if is_watched {
                self.inner.journal.tell(self.carried.journal.newest());
            }
            Ok(())
        });
        if self.space_seen.elapsed() >= SPACE_PACE {
            self.space_seen = Stopwatch::start();
            self.inner.watch_space(trees);
            self.inner.look_at_size(trees);
        }
        (notice, written)
    }

    /// Whether something has been written for so long that it must be synced.
    fn is_overdue(&self, now: UnixMs) -> bool {
        self.unsynced.is_some_and(|since| now >= since + SYNC_DELAY_MS)
    }

    /// A page that the group needs cannot be read. Opening the store again would not mend it, so it goes on: outcomes are
    /// recorded one by one, and one that cannot be is left out; its delivery is tried again after the next start. Who asked
    /// was told.
    fn leave_out(&mut self, trees: &Trees, mut settlements: Vec<Settlement>, why: &str) -> Result<(), StoreError> {
        tracing::error!(
            why,
            outcomes = settlements.len(),
            "a page of the store cannot be read; what needs it is left out"
        );
        match settlements.len() {
            0 => {}
            1 if self.alone > 0 => {
                let Settlement { delivery, .. } = settlements.remove(0);
                tracing::error!(%delivery, "an outcome could not be recorded");
                let settled = Settled { delivery, next_attempt_at: None, strain: Strain::Neutral, paused_until: 0 };
                self.inner.tell(Notice { settled: vec![settled], ..Notice::default() });
            }
            // And this one, which is over.
            count => self.alone = self.alone.max(count + 1),
        }
        self.inner.queue.settle_again(settlements);
        self.inner.load(trees)?;
        (self.carried.tallies, self.carried.sums) = (Tallies::default(), self.inner.sums());
        self.carried.kept_by = self.inner.kept_by(trees)?;
        self.carried.to_come = ToCome::read(trees, self.inner.settings.fan_out_max)?;
        self.carried.journal = Rows::read(trees, self.inner.clock.now())?;
        Ok(())
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
        self.inner.spool.store_failed();
        drop(self.take_trees());
        self.carried.tallies = Tallies::default();
        (self.unsynced, self.unmarked) = (None, None);
    }

    /// Takes the trees from all who read them.
    fn take_trees(&mut self) -> Option<Trees> {
        // Before they are gone: who sees that they are gone finds no row any more.
        if let Some(trees) = &*self.inner.trees.load() {
            trees.begin_to_close();
        }
        let mut held = self.inner.trees.swap(None)?;
        loop {
            held = match Arc::try_unwrap(held) {
                Ok(trees) => return Some(trees),
                Err(held) => held,
            };
            // A reader is in the middle of a row; it lets go within moments.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Tries to open the store until it is open or not needed any more, and rebuilds what is held in memory about it.
    /// Says whether it is open. What no attempt can mend ends the process: its next start says what to do.
    fn reopen(&mut self) -> bool {
        // A large store takes its time, and nobody is to end the process for that: that it is closed is seen as it is.
        self.inner.pulse.rest();
        loop {
            std::thread::sleep(self.pause);
            self.pause = (self.pause * 2).clamp(REOPEN_PAUSE_MIN, REOPEN_PAUSE_MAX);
            let failed = |error| OpenError::of(&self.inner.settings.path, error);
            let opened = self.inner.open_disk().and_then(|trees| {
                let _kept = trees.keep_lease();
                trees.set_clock(&self.inner.clock);
                let last = rows::last_id_and_event_bytes(&trees).map_err(failed)?.0;
                self.carried.to_come = ToCome::read(&trees, self.inner.settings.fan_out_max).map_err(failed)?;
                self.carried.kept_by = self.inner.kept_by(&trees).map_err(failed)?;
                self.carried.journal = Rows::read(&trees, self.inner.clock.now()).map_err(failed)?;
                Ok((last, trees))
            });
            match opened {
                Ok((last, trees)) => {
                    self.carried.sums = self.inner.sums();
                    self.carried.ids = IdSource::after(last.max(self.carried.ids.last()));
                    self.upkeep = upkeep_of(&self.inner, &trees, &self.carried.kept_by);
                    self.inner.trees.store(Some(Arc::new(trees)));
                    self.inner.pulse.beat();
                    tracing::warn!("the store is open again");
                    self.inner.tell(Notice { reopened: true, ..Notice::default() });
                    return true;
                }
                Err(error) => {
                    let is_held = matches!(error, OpenError::Held { .. });
                    match is_held {
                        true => tracing::debug!(%error),
                        false => tracing::error!(%error, "the store cannot be opened again"),
                    }
                    if error.is_final() {
                        pulse::exit();
                    }
                    let group = self.inner.queue.take();
                    self.put_off(group);
                    if !self.inner.queue.is_closed() {
                        continue;
                    }
                    match is_held {
                        true => tracing::info!(%error, "what was not recorded is sent again by who has the store"),
                        false => tracing::error!(
                            "the store stays closed; what was not recorded is sent again once it is opened"
                        ),
                    }
                    return false;
                }
            }
        }
    }
}

/// All that is to be done on the side, from the start.
fn upkeep_of(inner: &Inner, trees: &Trees, kept_by: &KeptBy) -> Upkeep {
    let (seals, reports) = (inner.seals.clone(), inner.reports.clone());
    let mut upkeep = {
        let registry = inner.registry.read().expect("not poisoned");
        Upkeep::at_start(trees, inner.clock.now(), &registry, &inner.in_force.load().retention, seals, reports)
    };
    let over = kept_by.largest().filter(|(kept, account)| inner.is_over_quota(*account, *kept));
    over.for_each(|(kept, account)| upkeep.keeps_too_much(account, kept));
    upkeep
}

/// Tells the operator once when free space falls below the reserve, and once when there is enough again.
fn tell_low_space(told: &mut bool, inner: &Inner, staging: &mut Staging<'_>) -> Result<(), StoreError> {
    let low = inner.space_low.load(Ordering::Relaxed);
    if std::mem::replace(told, low) == low {
        return Ok(());
    }
    let free = staging.trees().free_bytes()?;
    let facts = serde_json::json!({"free_bytes": free, "reserve_bytes": inner.settings.free_bytes_min});
    staging.tell_operator(if low { "storage.low" } else { "storage.ok" }, facts)
}

#[cfg(test)]
mod tests;
