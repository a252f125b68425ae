//! The commit thread: takes all that waits as one group, stages it, writes it in one transaction, syncs it, and only
//! then answers. It is the only writer, so what it decides (which events are equal, which webhooks want one, whether a
//! rule disables a webhook) needs no lock and no retry.
//!
//! A crash can only repeat: before the write nothing was answered, after it everything is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use super::disk::Disk;
use super::queue::{Group, Woken};
use super::staging::{Kept, Staging};
use super::stats::Tallies;
use super::upkeep::Upkeep;
use super::{Inner, Refusal, StoreError, read, retention};
use crate::clock::{Dice, Stopwatch};
use crate::domain::backoff::Strain;
use crate::domain::delivery::Attempt;
use crate::domain::disable::DisableRule;
use crate::domain::id::{DeliveryId, IdSource, WebhookNumber};
use crate::domain::retry::Next;
use crate::domain::time::UnixMs;

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

/// What a caller waits for.
pub struct Request {
    bytes: usize,
    job: Box<dyn Job>,
}

/// Stages its writes, then answers once they are safe (or could not be written).
trait Job: Send {
    fn stage(&mut self, staging: &mut Staging<'_>);
    fn answer(self: Box<Self>, written: Result<(), StoreError>);
}

struct Pending<T, F> {
    stage: Option<F>,
    staged: Option<Result<T, Refusal>>,
    reply: oneshot::Sender<Result<T, Refusal>>,
}

impl Request {
    /// A request that stages with `stage`, and where its answer arrives. `bytes` is the size of the events in it.
    pub fn new<T, F>(bytes: usize, stage: F) -> (Self, oneshot::Receiver<Result<T, Refusal>>)
    where
        T: Send + 'static,
        F: FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        (Self { bytes, job: Box::new(Pending { stage: Some(stage), staged: None, reply }) }, answer)
    }

    /// Bytes of events in it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<T, F> Job for Pending<T, F>
where
    T: Send,
    F: FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send,
{
    fn stage(&mut self, staging: &mut Staging<'_>) {
        self.staged = self.stage.take().map(|stage| stage(staging));
    }

    fn answer(self: Box<Self>, written: Result<(), StoreError>) {
        let answer = match (written, self.staged) {
            (Ok(()), Some(staged)) => staged,
            (Ok(()), None) => unreachable!("what was written was staged"),
            (Err(error), _) => Err(error.into()),
        };
        // Whoever asked may have gone away; what was written stays written.
        let _ = self.reply.send(answer);
    }
}

/// What came of one attempt, decided by `deliver`, to be recorded.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// The attempt.
    pub attempt: Attempt,
    /// Where the delivery stands after it.
    pub next: Next,
    /// When to disable the webhook.
    pub disable: DisableRule,
    /// What the attempt says of the endpoint.
    pub strain: Strain,
    /// Even in 0.0..1.0: throws the length of a pause.
    pub dice: f64,
    /// The delivery had to wait for its webhook's rate limit.
    pub rate_limited: bool,
}

/// What a commit changed, for those who deliver.
#[derive(Debug, Default)]
pub struct Notice {
    /// Webhooks with new deliveries.
    pub fresh: Vec<WebhookNumber>,
    /// Webhooks with deliveries that waited behind others and do not any more.
    pub freed: Vec<WebhookNumber>,
    /// Webhooks that were created, changed or deleted, or whose open deliveries were discarded.
    pub changed: Vec<WebhookNumber>,
    /// Outcomes that are recorded now.
    pub settled: Vec<Settled>,
    /// The store was reopened: what was in memory about it is void.
    pub reopened: bool,
}

/// An outcome that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// When it is tried again, if it is.
    pub next_attempt_at: Option<UnixMs>,
    /// Whether the attempt was a success.
    pub success: bool,
    /// Nothing is sent to its endpoint before.
    pub paused_until: UnixMs,
}

/// Hears of every commit.
pub trait Listener: Send + Sync {
    /// Called by the commit thread after a commit; must not block.
    fn notice(&self, notice: Notice);
}

/// The one writer. The server gives it a thread with [`Committer::run`]; a simulation turns it with
/// [`Committer::step`].
pub struct Committer {
    inner: Arc<Inner>,
    ids: IdSource,
    dice: Dice,
    tallies: Tallies,
    kept: Kept,
    upkeep: Upkeep,
    /// Whether the operator was told that space is low.
    low_space_told: bool,
    /// Since when something is written and not synced.
    unsynced: Option<Stopwatch>,
}

impl Committer {
    pub(super) fn new(inner: Arc<Inner>, dice: Dice) -> Result<Self, StoreError> {
        let disk = inner.disk()?;
        let ids = IdSource::after(read::last_id_and_event_bytes(&disk)?.0);
        let kept = retention::kept(&disk)?;
        let upkeep = inner.upkeep(&disk);
        Ok(Self { inner, ids, dice, tallies: Tallies::default(), kept, upkeep, unsynced: None, low_space_told: false })
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
            if self.inner.disk().is_err() && !self.reopen() {
                return tracing::error!(
                    "the store stays closed; what was not recorded is sent again after the next start"
                );
            }
            self.serve(self.inner.queue.take());
        }
        if let Ok(disk) = self.inner.disk()
            && let Err(error) = disk.sync()
        {
            tracing::error!(%error, "the store could not be synced at the end");
        }
    }

    /// Serves what waits now, once. Says whether there was anything to do.
    pub fn step(&mut self) -> bool {
        let group = self.inner.queue.take();
        let some = !group.is_empty() || self.upkeep.is_due(self.inner.clock.now(), self.kept.total());
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
        if has_news || self.inner.disk.load().is_none() {
            return Duration::ZERO;
        }
        let upkeep = self.upkeep.wait(self.inner.clock.now(), self.kept.total());
        if self.unsynced.is_some() { upkeep.min(SYNC_DELAY) } else { upkeep }
    }

    /// One group: stage, write, sync, answer, tell. An empty one syncs what is not synced yet.
    fn serve(&mut self, mut group: Group) {
        let Ok(disk) = self.inner.disk() else { return self.put_off(group) };
        let settlements = group.settlements.clone();
        let (notice, written) = self.write(&disk, &mut group);
        for request in group.requests {
            request.job.answer(written.clone());
        }
        match written {
            Ok(()) => {
                self.upkeep.look_at(&notice.changed, &self.inner.registry.read().expect("not poisoned"));
                self.inner.tell(notice);
            }
            Err(error) => {
                tracing::error!(%error, "the store failed; it is closed and opened again");
                self.inner.queue.settle_again(settlements);
                drop(disk);
                self.close_disk();
            }
        }
    }

    fn write(&mut self, disk: &Disk, group: &mut Group) -> (Notice, Result<(), StoreError>) {
        // Somebody waits for requests; an idle moment is the time to sync outcomes, and they must not wait for ever.
        let is_overdue = self.unsynced.is_some_and(|since| since.elapsed() >= SYNC_DELAY);
        let must_sync = !group.requests.is_empty() || group.is_empty() || is_overdue;
        let now = self.inner.clock.now();
        let mut staging =
            Staging::new(&self.inner, disk, &mut self.ids, &mut self.dice, &mut self.tallies, now, self.kept);
        let mut staged = Ok(());
        for settlement in group.settlements.drain(..) {
            staged = staged.and_then(|()| staging.settle(settlement));
        }
        for request in &mut group.requests {
            request.job.stage(&mut staging);
        }
        let told = tell_low_space(&mut self.low_space_told, &self.inner, &mut staging);
        let upkept = self.upkeep.step(&mut staging);
        let banked = staging.bank_minutes();
        let (writes, notice, kept) = staging.finish();
        let written = staged.and(told).and(upkept).and(banked).and_then(|()| disk.write(&writes)).and_then(|()| {
            self.kept = kept;
            self.inner.kept.store(kept.total(), Ordering::Relaxed);
            self.inner.meters.count_group(writes.keys());
            if writes.keys() > 0 {
                self.unsynced.get_or_insert_with(Stopwatch::start);
            }
            if must_sync && self.unsynced.is_some() {
                disk.sync()?;
                self.unsynced = None;
            }
            Ok(())
        });
        self.inner.watch_space(disk);
        (notice, written)
    }

    /// There is no store at the moment: outcomes wait for it, callers are told.
    fn put_off(&mut self, group: Group) {
        self.inner.queue.settle_again(group.settlements);
        for request in group.requests {
            request.job.answer(Err(StoreError::Unavailable));
        }
    }

    /// Drops every handle of a store that failed: sled stays poisoned for as long as one is left.
    fn close_disk(&mut self) {
        let mut disk = self.inner.disk.swap(None);
        self.tallies = Tallies::default();
        self.unsynced = None;
        while let Some(held) = disk.take() {
            if let Err(held) = Arc::try_unwrap(held) {
                // A reader is in the middle of a look-up; it lets go within moments.
                disk = Some(held);
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
                .and_then(|disk| Ok((read::last_id_and_event_bytes(&disk)?.0, retention::kept(&disk)?, disk)));
            match opened {
                Ok((last, kept, disk)) => {
                    self.kept = kept;
                    self.ids = IdSource::after(last.max(self.ids.last()));
                    self.upkeep = self.inner.upkeep(&disk);
                    self.inner.disk.store(Some(Arc::new(disk)));
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

/// Tells the operator once when free space falls below the reserve.
fn tell_low_space(told: &mut bool, inner: &Inner, staging: &mut Staging<'_>) -> Result<(), StoreError> {
    let low = inner.space_low.load(Ordering::Relaxed);
    if std::mem::replace(told, low) || !low {
        return Ok(());
    }
    let free = staging.disk().free_bytes()?;
    let facts = serde_json::json!({"free_bytes": free, "reserve_bytes": inner.settings.free_bytes_min});
    staging.tell_operator("storage.low", facts)
}
