//! The handle that everybody else has: requests go into the queue of the commit thread, reads go to the trees (`read`
//! and its like).

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, RwLockReadGuard};

use tokio::sync::oneshot;

use super::damage::Soundness;
use super::error::{Refusal, StoreError};
use super::inner::{Commits, InForce, Inner};
use super::keeping::is_worth_a_word;
use super::key_mark::KeyMark;
use super::master_keys;
use super::message::{Listener, Settlement};
use super::queue::NotTaken;
use super::registry::Registry;
use super::request::{Load, Request};
use super::seal::{self, MasterKeys};
use super::settings::Retention;
use super::staging::Staging;
use super::trees::Trees;
use super::turns::Turn;
use crate::domain::Invalid;
use crate::domain::account::{Account, AccountLimits, DEFAULT_ACCOUNT, OPERATOR_ACCOUNT};
use crate::domain::audit::Actor;
use crate::domain::event_type::Validation;
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::portal::Portal;
use crate::domain::tally::Totals;
use crate::domain::time::{self, UnixMs};
use crate::pulse::Pulse;

/// A handle of the store; cheap to clone.
#[derive(Clone)]
pub struct Store(pub(super) Arc<Inner>);

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
    pub fn meters(&self) -> &Commits {
        &self.0.commits
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
        self.0.trees.load().is_some()
    }

    /// Whether there is room for new events; looks again if there was none.
    pub fn has_space(&self) -> bool {
        if self.0.space_low.load(Ordering::Relaxed)
            && let Ok(trees) = self.0.trees()
        {
            self.0.watch_space(&trees);
        }
        !self.0.space_low.load(Ordering::Relaxed)
    }

    /// A turn at reading what is not read in a moment: one of an account at a time, so nobody waits for how much another reads.
    pub async fn turn_to_read(&self, account: AccountNumber) -> Turn {
        let line = self.0.readers.line_up(account, 0).expect("nothing holds no room");
        line.turn().await
    }

    /// A turn at shaping what is not shaped in a moment: one of an account at a time. Who reads does not wait for it.
    pub async fn turn_to_shape(&self, account: AccountNumber) -> Turn {
        let line = self.0.shapers.line_up(account, 0).expect("nothing holds no room");
        line.turn().await
    }

    /// Makes a change in the commit thread, for an account or, with 0, for nobody. The answer comes once it has reached the
    /// disk.
    pub async fn change<T: Send + 'static>(
        &self,
        account: AccountNumber,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.change_of(Load::of(account), change).await
    }

    /// The same of one that writes much.
    pub async fn change_of<T: Send + 'static>(
        &self,
        load: Load,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.submit_for(load, change)?.await.unwrap_or(Err(Refusal::Closed))
    }

    /// Puts a request into the queue that is nobody's.
    pub fn submit<T: Send + 'static>(
        &self,
        stage: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, Refusal>>, Refusal> {
        self.submit_for(Load::default(), stage)
    }

    /// Puts a request into the queue.
    pub fn submit_for<T: Send + 'static>(
        &self,
        load: Load,
        stage: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, Refusal>>, Refusal> {
        if !self.is_open() {
            let is_closed = self.0.queue.is_closed();
            return Err(if is_closed { Refusal::Closed } else { StoreError::Unavailable.into() });
        }
        let (request, answer) = Request::new(load, stage);
        match self.0.queue.request(request) {
            Ok(()) => Ok(answer),
            Err(NotTaken::Full) => Err(Refusal::QueueFull),
            Err(NotTaken::Closed) => Err(Refusal::Closed),
        }
    }

    /// Retries of the webhook that are due after `latest` are due then, soon.
    pub fn pull_in(&self, webhook: WebhookNumber, latest: UnixMs) {
        // If the queue is full now, somebody asks again when the webhook changes or after the next start.
        let _ = self.submit(move |staging| Ok(staging.pull_in(webhook, latest)?));
    }

    /// Records what came of an attempt; the [`Notice`](super::message::Notice) says when it is recorded.
    pub fn settle(&self, settlement: Settlement) {
        self.0.queue.settle(settlement);
    }

    /// The same of one that nobody waits for: it is recorded with what comes next, or some milliseconds later alone.
    pub fn settle_in_company(&self, settlement: Settlement) {
        self.0.queue.settle_in_company(settlement);
    }

    /// Takes no more requests; the committer ends once what waits is written.
    pub fn close(&self) {
        self.0.queue.close();
    }

    /// Bytes of events, ended deliveries and attempts that are kept: what retention can take.
    pub fn kept_bytes(&self) -> u64 {
        self.0.sums().kept.total()
    }

    /// The same by what it is.
    pub fn kept_by_kind(&self) -> [(&'static str, u64); 2] {
        let kept = self.0.sums().kept;
        [("events", kept.events), ("deliveries", kept.deliveries)]
    }

    /// The sums of all webhooks' counters, deleted ones included.
    pub fn totals(&self) -> Totals {
        self.0.sums().totals
    }

    /// Deliveries of accepted events that are still to be made.
    pub fn all_deliveries_to_come(&self) -> u64 {
        self.0.to_come.load(Ordering::Relaxed)
    }

    /// The master keys in force.
    pub fn master_keys(&self) -> Arc<MasterKeys> {
        self.0.seals.keys()
    }

    /// How many webhooks and users each master key has sealed.
    pub fn sealed_by(&self) -> Result<BTreeMap<KeyMark, usize>, StoreError> {
        self.look(seal::in_use)
    }

    /// Reads the master keys again from where they are, and begins to seal with the first of them what others have
    /// sealed. `Invalid` if they cannot be read, or one that has sealed something is not among them: then all stays as
    /// it is.
    pub async fn reload_master_keys(&self, by: Actor) -> Result<Arc<MasterKeys>, Refusal> {
        let (inner, store) = (self.0.clone(), self.clone());
        let then = self.master_keys();
        let in_use = tokio::task::spawn_blocking(move || store.sealed_by()).await.map_err(|_| Refusal::Closed)??;
        // They are read where they are changed: of two who ask at once, the later reads what the file says then.
        let change = move |staging: &mut Staging<'_>| {
            let keys = master_keys::read(&inner.settings).map_err(|why| Invalid::new("master_keys", why))?;
            staging.change_master_keys(keys, (then, in_use), by)
        };
        self.change(0, change).await?;
        Ok(self.master_keys())
    }

    /// From now on things are kept for so long, and accounts may publish so many new events in a day. Returns once it is so.
    ///
    /// # Errors
    /// The store cannot be written now; it is so with the next group that can.
    pub async fn apply(&self, retention: Retention, events_per_day: Option<u64>) -> Result<(), Refusal> {
        let in_force = InForce { retention, events_per_day };
        if **self.0.in_force.load() == in_force {
            return Ok(());
        }
        self.0.in_force.store(Arc::new(in_force));
        // The commit thread rests until there is work.
        self.change(0, |_: &mut Staging<'_>| Ok(())).await
    }

    /// How far the keeping clock is behind the wall clock, in milliseconds; negative: ahead. A difference that is not worth
    /// a word is none.
    pub fn keeping_behind_ms(&self) -> i64 {
        let (inner, clock) = (&self.0, &self.0.clock);
        let behind = clock.wall() as i64 - inner.keeping.at(clock.now()) as i64;
        if is_worth_a_word(behind) { behind } else { 0 }
    }

    /// What the wall clock says of a moment: for people.
    pub fn shown(&self, at: UnixMs) -> UnixMs {
        self.0.clock.shown(at)
    }

    /// What the keeping clock shows.
    pub fn keeping(&self) -> UnixMs {
        self.0.keeping.at(self.0.clock.now())
    }

    /// A node is drained, somebody says: it stands in the audit log of the account that exists from the start.
    pub async fn note_drained(&self, by: Actor, node: String) -> Result<(), Refusal> {
        let change = move |staging: &mut Staging<'_>| {
            staging.note_deed_to_server(by, "node.drained", node);
            Ok(())
        };
        self.change(0, change).await
    }

    /// The machine's clock is right, somebody says: the keeping clock goes on to it. It stands in the audit log of the
    /// account that exists from the start.
    pub async fn trust_clock(&self, by: Actor) -> Result<(), Refusal> {
        let inner = self.0.clone();
        let change = move |staging: &mut Staging<'_>| {
            let from = time::rfc3339(staging.keeping());
            inner.keeping.trust();
            staging.keeping_is(inner.keeping.stands(&inner.clock));
            staging.note_deed_to_server(by, "retention_clock.trusted", from);
            Ok(())
        };
        self.change(0, change).await
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
            limits: AccountLimits::default(),
            deleted_at: None,
            tags: Vec::new(),
            validation: Validation::Off,
            event_types_max: None,
            portal: Portal::default(),
        }
    }

    /// Looks at the trees, while the store is open. A row that cannot be read is reported to the commit thread, which puts
    /// it aside.
    pub(super) fn look<T>(&self, see: impl FnOnce(&Trees) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let trees = self.0.trees()?;
        let seen = see(&trees);
        if let Err(StoreError::Damaged(damage)) = &seen {
            self.0.reports.note(damage.clone());
        }
        if self.0.reports.are_waiting() {
            // An empty request wakes it. If the queue is full it is awake.
            let _ = self.submit(|_| Ok(()));
        }
        seen
    }

    /// What is known of how sound the store is.
    pub fn soundness(&self) -> Soundness {
        self.0.reports.soundness()
    }
}
