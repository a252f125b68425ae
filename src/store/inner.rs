//! What the handles of a store and its commit thread share: the trees, what is held in memory about them, the queues,
//! and who hears of commits.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

use arc_swap::ArcSwapOption;

use super::error::StoreError;
use super::keeping::Keeping;
use super::layout::Tree;
use super::message::{Listener, Notice};
use super::queue::Queue;
use super::registry::Registry;
use super::seal::Seals;
use super::settings::Settings;
use super::trees::{self, Trees};
use super::{record, rows};
use crate::clock::Clock;
use crate::domain::account::{Account, ApiKey};
use crate::domain::job::Job;
use crate::domain::webhook::Webhook;
use crate::pulse::Pulse;

/// What the store counts about itself since the start.
#[derive(Debug, Default)]
pub struct Commits {
    /// Group commits.
    pub groups: AtomicU64,
    /// Keys written or removed.
    pub keys: AtomicU64,
}

impl Commits {
    pub(super) fn count_group(&self, keys: usize) {
        self.groups.fetch_add(u64::from(keys > 0), Ordering::Relaxed);
        self.keys.fetch_add(keys as u64, Ordering::Relaxed);
    }
}

/// The one of a store.
pub struct Inner {
    pub settings: Settings,
    pub clock: Clock,
    pub trees: ArcSwapOption<Trees>,
    pub registry: RwLock<Registry>,
    pub queue: Queue,
    pub listener: OnceLock<Arc<dyn Listener>>,
    pub space_low: AtomicBool,
    /// Bytes that retention can take, as of the last commit.
    pub kept: AtomicU64,
    pub seals: Arc<Seals>,
    pub commits: Commits,
    /// Of the commit thread.
    pub pulse: Pulse,
    pub keeping: Keeping,
}

impl Inner {
    pub(super) fn trees(&self) -> Result<Arc<Trees>, StoreError> {
        self.trees.load_full().ok_or(StoreError::Unavailable)
    }

    /// Opens the disk again after a failure, once there is enough space for what comes next.
    pub(super) fn open_disk(&self) -> Result<Trees, StoreError> {
        let free = trees::free_bytes(&self.settings)?;
        let enough = (self.settings.free_bytes_min / 2).max(trees::files::REOPEN_FREE_BYTES_MIN);
        if free < enough {
            return Err(StoreError::Io(format!("only {free} bytes are free, of {enough} that are needed")));
        }
        let trees = Trees::open(&self.settings).map_err(|error| StoreError::Io(error.to_string()))?;
        self.load(&trees)?;
        self.watch_space(&trees);
        Ok(trees)
    }

    /// Reads what is held in memory.
    pub(super) fn load(&self, trees: &Trees) -> Result<(), StoreError> {
        let mut registry = Registry::default();
        for row in trees.all(Tree::Accounts) {
            registry.put_account(record::decode_grown::<Account>(&row?.1)?);
        }
        for row in trees.all(Tree::Keys) {
            let (hash, key) = row?;
            let hash = hash.as_ref().try_into().map_err(|_| StoreError::Damaged("a key's hash".into()))?;
            registry.put_key(hash, record::decode_grown::<ApiKey>(&key)?);
        }
        for row in trees.all(Tree::Webhooks) {
            let (key, sealed) = row?;
            registry.put_webhook(self.seals.keys().open::<Webhook>(Tree::Webhooks, &key, &sealed)?);
        }
        for row in trees.all(Tree::Jobs) {
            registry.put_job(&record::decode_grown::<Job>(&row?.1)?);
        }
        *self.registry.write().expect("not poisoned") = registry;
        self.kept.store(rows::kept(trees)?.total(), Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn watch_space(&self, trees: &Trees) {
        if self.settings.free_bytes_min == 0 {
            return;
        }
        let low = trees.free_bytes().is_ok_and(|free| free < self.settings.free_bytes_min);
        if low != self.space_low.swap(low, Ordering::Relaxed) {
            tracing::warn!(low, "free disk space crossed the reserve");
        }
    }

    pub(super) fn tell(&self, notice: Notice) {
        if let Some(listener) = self.listener.get() {
            listener.notice(notice);
        }
    }
}
