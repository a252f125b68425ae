//! The store: the only room that knows sled and bincode. Its face is this file and `read`: verbs in the project's
//! words, no sled type in a signature. All writes go through one commit thread (`commit`), all reads go to the trees.

mod accept;
mod audit;
mod commit;
mod create;
mod dead;
mod disk;
mod ending;
mod error;
mod forget;
#[doc(hidden)]
pub mod fuzzing;
mod holds;
mod jobs;
mod keeping;
mod layout;
mod manage;
mod master_keys;
mod notices;
mod order;
mod parsed;
mod pull_in;
mod queue;
mod read;
mod record;
mod registry;
mod retention;
mod seal;
mod select;
mod settle;
mod staging;
mod stats;
mod upkeep;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock, RwLockReadGuard};

use arc_swap::ArcSwapOption;
use tokio::sync::oneshot;

use crate::clock::{Clock, Dice};
use crate::domain::Invalid;
use crate::domain::account::{Account, ApiKey, DEFAULT_ACCOUNT, OPERATOR_ACCOUNT};
use crate::domain::audit::Actor;
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::job::Job;
use crate::domain::time::{DAY_MS, UnixMs};
use crate::domain::webhook::Webhook;
use crate::pulse::Pulse;

pub use accept::{Accepted, IDEMPOTENCY_MS, Idempotency, NewEvent};
pub use commit::{Committer, Listener, Notice, Settled, Settlement};
pub use disk::Memory;
pub use error::{OpenError, Refusal, StoreError};
pub use master_keys::{MasterKeySource, OWN_FILE as OWN_MASTER_KEYS};
pub use parsed::Parsed;
pub use read::{DueAt, EventHead, PAGE_ROWS_EXAMINED_MAX, Page};
pub use registry::{KeyHash, Registry};
pub use seal::{KeyMark, MasterKeys};
pub use select::{COUNT_ROWS_EXAMINED_MAX, Count};
pub use staging::Staging;
pub use stats::Stats;

use commit::Request;
use disk::Disk;
use keeping::Keeping;
use layout::Tree;
use pull_in::SetBack;
use queue::{Bounds, NotTaken, Queue};
use seal::Seals;
use upkeep::Upkeep;

/// What the store needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data directory.
    pub path: PathBuf,
    /// Where the keys are that records with secrets are sealed with.
    pub master_keys: MasterKeySource,
    /// Keeps everything there instead: for tests.
    pub memory: Option<Memory>,
    /// Bytes of sled's page cache.
    pub cache_bytes: u64,
    /// Below this many free bytes nothing is accepted any more; outcomes are still written.
    pub free_bytes_min: u64,
    /// Requests that may wait for the commit thread.
    pub queue_events_max: usize,
    /// Bytes of events that may wait for the commit thread.
    pub queue_bytes_max: usize,
    /// Operations in one group commit.
    pub group_events_max: usize,
    /// Bytes of events in one group commit.
    pub group_bytes_max: usize,
    /// How long things are kept.
    pub retention: Retention,
    /// Whether to flush and sync; off only where losing everything with the process is fine, as in a simulation.
    pub durable: bool,
}

impl Settings {
    /// A durable store in `path`, kept for ever, with room for much to wait.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            master_keys: MasterKeySource::Own,
            memory: None,
            cache_bytes: 64 << 20,
            free_bytes_min: 0,
            queue_events_max: 100_000,
            queue_bytes_max: 64 << 20,
            group_events_max: 512,
            group_bytes_max: 8 << 20,
            retention: Retention::default(),
            durable: true,
        }
    }
}

/// How long things are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Events go after this time; `None`: never.
    pub events_ms: Option<u64>,
    /// The oldest events go while more is kept than so many bytes of events, deliveries and attempts; `None`: never.
    pub bytes_max: Option<u64>,
    /// What is held ends after this time.
    pub hold_ms: u64,
    /// Entries of the audit log go after this time; `None`: never.
    pub audit_ms: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { events_ms: None, bytes_max: None, hold_ms: 30 * DAY_MS, audit_ms: None }
    }
}

/// What the store counts about itself since the start.
#[derive(Debug, Default)]
pub struct Meters {
    /// Group commits.
    pub groups: AtomicU64,
    /// Keys written or removed.
    pub keys: AtomicU64,
}

impl Meters {
    fn count_group(&self, keys: usize) {
        self.groups.fetch_add(u64::from(keys > 0), Ordering::Relaxed);
        self.keys.fetch_add(keys as u64, Ordering::Relaxed);
    }
}

struct Inner {
    settings: Settings,
    clock: Clock,
    disk: ArcSwapOption<Disk>,
    registry: RwLock<Registry>,
    queue: Queue,
    listener: OnceLock<Arc<dyn Listener>>,
    space_low: AtomicBool,
    /// Bytes that retention can take, as of the last commit.
    kept: AtomicU64,
    seals: Arc<Seals>,
    meters: Meters,
    pulse: Pulse,
    keeping: Keeping,
}

/// A handle of the store; cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

/// Opens the store; the committer needs a thread of its own.
pub fn open(settings: Settings, clock: Clock, dice: Dice) -> Result<(Store, Committer), OpenError> {
    let path = settings.path.clone();
    let bounds = Bounds {
        requests_max: settings.queue_events_max,
        bytes_max: settings.queue_bytes_max,
        group_operations_max: settings.group_events_max,
        group_bytes_max: settings.group_bytes_max,
    };
    let keys = master_keys::read(&settings);
    let keys = keys.map_err(|why| OpenError::MasterKeys(settings.master_keys.to_string(), why))?;
    let disk = Disk::open(&settings)?;
    check_master_keys(&settings, &disk, &keys)?;
    let now = clock.now();
    let keeping = Keeping::at_start(&disk, now).map_err(|error| OpenError::Store(path.clone(), error))?;
    keeping.warn(now);
    let inner = Arc::new(Inner {
        settings,
        clock,
        disk: ArcSwapOption::empty(),
        registry: RwLock::default(),
        queue: Queue::new(bounds),
        listener: OnceLock::new(),
        space_low: AtomicBool::new(false),
        kept: AtomicU64::new(0),
        seals: Arc::new(Seals::new(keys)),
        meters: Meters::default(),
        pulse: Pulse::of("commit"),
        keeping,
    });
    let failed = |error| OpenError::Store(path.clone(), error);
    inner.load(&disk).map_err(failed)?;
    inner.watch_space(&disk);
    inner.disk.store(Some(Arc::new(disk)));
    let committer = Committer::new(inner.clone(), dice).map_err(failed)?;
    Ok((Store(inner), committer))
}

/// Every key that has sealed something must be there.
fn check_master_keys(settings: &Settings, disk: &Disk, keys: &MasterKeys) -> Result<(), OpenError> {
    let in_use = seal::in_use(disk).map_err(|error| OpenError::Store(settings.path.clone(), error))?;
    match in_use.into_keys().find(|mark| !keys.marks().any(|known| known == *mark)) {
        Some(missing) => {
            let origin = settings.master_keys.to_string();
            Err(OpenError::MasterKeyMissing { path: settings.path.clone(), missing, origin })
        }
        None => Ok(()),
    }
}

impl Inner {
    fn disk(&self) -> Result<Arc<Disk>, StoreError> {
        self.disk.load_full().ok_or(StoreError::Unavailable)
    }

    /// Opens the disk again after a failure, once there is enough space for what comes next.
    fn open_disk(&self) -> Result<Disk, StoreError> {
        let free = disk::free_bytes(&self.settings)?;
        let enough = (self.settings.free_bytes_min / 2).max(disk::REOPEN_FREE_BYTES_MIN);
        if free < enough {
            return Err(StoreError::Io(format!("only {free} bytes are free, of {enough} that are needed")));
        }
        let disk = Disk::open(&self.settings).map_err(|error| StoreError::Io(error.to_string()))?;
        self.load(&disk)?;
        self.watch_space(&disk);
        Ok(disk)
    }

    /// Reads what is held in memory.
    fn load(&self, disk: &Disk) -> Result<(), StoreError> {
        let mut registry = Registry::default();
        for row in disk.all(Tree::Accounts) {
            registry.put_account(record::decode_grown::<Account>(&row?.1)?);
        }
        for row in disk.all(Tree::Keys) {
            let (hash, key) = row?;
            let hash = hash.as_ref().try_into().map_err(|_| StoreError::Damaged("a key's hash".into()))?;
            registry.put_key(hash, record::decode_grown::<ApiKey>(&key)?);
        }
        for row in disk.all(Tree::Webhooks) {
            let (key, sealed) = row?;
            registry.put_webhook(self.seals.keys().open::<Webhook>(Tree::Webhooks, &key, &sealed)?);
        }
        for row in disk.all(Tree::Jobs) {
            registry.put_job(&record::decode_grown::<Job>(&row?.1)?);
        }
        *self.registry.write().expect("not poisoned") = registry;
        self.kept.store(retention::kept(disk)?.total(), Ordering::Relaxed);
        Ok(())
    }

    /// All that is to be done on the side, from the start.
    fn upkeep(&self, disk: &Disk) -> Upkeep {
        let registry = self.registry.read().expect("not poisoned");
        let set_back = SetBack::at_start(disk, self.clock.now());
        Upkeep::at_start(&registry, &self.settings.retention, self.seals.clone(), set_back)
    }

    fn watch_space(&self, disk: &Disk) {
        if self.settings.free_bytes_min == 0 {
            return;
        }
        let low = disk.free_bytes().is_ok_and(|free| free < self.settings.free_bytes_min);
        if low != self.space_low.swap(low, Ordering::Relaxed) {
            tracing::warn!(low, "free disk space crossed the reserve");
        }
    }

    fn tell(&self, notice: Notice) {
        if let Some(listener) = self.listener.get() {
            listener.notice(notice);
        }
    }
}

impl Store {
    /// Who hears of every commit. Called once, before the first request.
    pub fn listen(&self, listener: Arc<dyn Listener>) {
        assert!(self.0.listener.set(listener).is_ok(), "the store has one listener");
    }

    /// Accounts, keys and webhooks. Do not hold it across an await or another call.
    pub fn registry(&self) -> RwLockReadGuard<'_, Registry> {
        self.0.registry.read().expect("not poisoned")
    }

    /// Counters.
    pub fn meters(&self) -> &Meters {
        &self.0.meters
    }

    /// The commit thread's pulse.
    pub fn pulse(&self) -> &Pulse {
        &self.0.pulse
    }

    /// Requests and outcomes that wait for the commit thread.
    pub fn queue_depth(&self) -> (usize, usize) {
        self.0.queue.depth()
    }

    /// Whether the store is open.
    pub fn is_open(&self) -> bool {
        self.0.disk.load().is_some()
    }

    /// Whether there is room for new events; looks again if there was none.
    pub fn has_space(&self) -> bool {
        if self.0.space_low.load(Ordering::Relaxed)
            && let Ok(disk) = self.disk()
        {
            self.0.watch_space(&disk);
        }
        !self.0.space_low.load(Ordering::Relaxed)
    }

    /// Accepts events of one account, all or none. The answer comes once they have reached the disk.
    pub fn accept(
        &self,
        account: AccountNumber,
        events: Vec<NewEvent>,
        idempotency: Option<Idempotency>,
    ) -> Result<oneshot::Receiver<Result<Vec<Accepted>, Refusal>>, Refusal> {
        if !self.has_space() {
            return Err(Refusal::NoSpace);
        }
        let bytes = events.iter().map(NewEvent::bytes).sum();
        self.submit(bytes, move |staging| staging.accept(account, events, idempotency))
    }

    /// Makes a change in the commit thread. The answer comes once it has reached the disk.
    pub async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.submit(0, change)?.await.unwrap_or(Err(Refusal::Closed))
    }

    /// Puts a request into the queue. `bytes` is the size of the events in it.
    pub fn submit<T: Send + 'static>(
        &self,
        bytes: usize,
        stage: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, Refusal>>, Refusal> {
        if !self.is_open() {
            return Err(StoreError::Unavailable.into());
        }
        let (request, answer) = Request::new(bytes, stage);
        match self.0.queue.request(request) {
            Ok(()) => Ok(answer),
            Err(NotTaken::Full) => Err(Refusal::QueueFull),
            Err(NotTaken::Closed) => Err(Refusal::Closed),
        }
    }

    /// Retries of the webhook that are due after `latest` are due then, soon.
    pub fn pull_in(&self, webhook: WebhookNumber, latest: UnixMs) {
        // If the queue is full now, somebody asks again when the webhook changes or after the next start.
        let _ = self.submit(0, move |staging| Ok(staging.pull_in(webhook, latest)?));
    }

    /// Records what came of an attempt; the [`Notice`] says when it is recorded.
    pub fn settle(&self, settlement: Settlement) {
        self.0.queue.settle(settlement);
    }

    /// Takes no more requests; the committer ends once what waits is written.
    pub fn close(&self) {
        self.0.queue.close();
    }

    /// Bytes of events, ended deliveries and attempts that are kept: what retention can take.
    pub fn kept_bytes(&self) -> u64 {
        self.0.kept.load(Ordering::Relaxed)
    }

    /// The master keys in force.
    pub fn master_keys(&self) -> Arc<MasterKeys> {
        self.0.seals.keys()
    }

    /// How many webhooks each master key has sealed.
    pub fn sealed_by(&self) -> Result<BTreeMap<KeyMark, usize>, StoreError> {
        seal::in_use(&*self.disk()?)
    }

    /// Reads the master keys again from where they are, and begins to seal with the first of them what others have
    /// sealed. `Invalid` if they cannot be read, or one that has sealed something is not among them: then all stays as
    /// it is.
    pub async fn reload_master_keys(&self, by: Actor) -> Result<Arc<MasterKeys>, Refusal> {
        let inner = self.0.clone();
        // They are read where they are changed: of two who ask at once, the later reads what the file says then.
        let change = move |staging: &mut Staging<'_>| {
            let keys = master_keys::read(&inner.settings).map_err(|why| Invalid::new("master_keys", why))?;
            staging.change_master_keys(keys, by)
        };
        self.change(change).await?;
        Ok(self.master_keys())
    }

    /// The account of the server's own notices.
    pub fn operator_account(dialect: &str) -> Account {
        let (id, name) = (OPERATOR_ACCOUNT.into(), "Operator".into());
        Account { id, name, ..Self::default_account(dialect) }
    }

    /// The account that exists from the start, with the dialect of its webhooks.
    pub fn default_account(dialect: &str) -> Account {
        Account {
            number: 0,
            id: DEFAULT_ACCOUNT.into(),
            name: "Default".into(),
            dialect: dialect.into(),
            created_at: 0,
        }
    }

    fn disk(&self) -> Result<Arc<Disk>, StoreError> {
        self.0.disk()
    }
}
