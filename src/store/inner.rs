//! What the handles of a store and its commit thread share: the trees, what is held in memory about them, the queues,
//! and who hears of commits.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::backup::spool::Spool;
use super::damage::{Damage, Reports};
use super::error::{OpenError, StoreError};
use super::fare::Fare;
use super::foreseen::Foreseen;
use super::growth::Sizes;
use super::handed::Handed;
use super::journal::Journal;
use super::keeping::Keeping;
use super::kept::KeptBy;
use super::late;
use super::layout::{self, Tree};
use super::message::{Listener, Notice};
use super::own_types::KnownType;
use super::queue::Queue;
use super::record;
use super::registry::Registry;
use super::seal::Seals;
use super::settings::{Retention, Settings};
use super::sums::Sums;
use super::trees::{self, Trees};
use super::turns::Turns;
use crate::clock::Clock;
use crate::domain::account::{Account, ApiKey};
use crate::domain::byte_budget::ByteBudget;
use crate::domain::event_type::OwnType;
use crate::domain::id::AccountNumber;
use crate::domain::job::Job;
use crate::domain::user::User;
use crate::domain::webhook::Webhook;
use crate::pulse::Pulse;
use crate::telemetry::Histogram;
use crate::telemetry::histogram::{COUNT, SHORT};

/// What the store counts about itself since the start.
#[derive(Debug)]
pub struct Commits {
    /// Group commits.
    pub groups: AtomicU64,
    /// Keys written or removed.
    pub keys: AtomicU64,
    /// Groups in which the payload of an event was deleted or purged at somebody's word.
    pub payloads_gone: AtomicU64,
    /// Requests and outcomes of each group that had any.
    pub group_sizes: Histogram,
    /// How long each of those took, from the first look at them until they were written, and synced if somebody waited for
    /// that.
    pub group_times: Histogram,
    /// How long each sync of the log took.
    pub sync_times: Histogram,
}

impl Default for Commits {
    fn default() -> Self {
        let (groups, keys, payloads_gone) = Default::default();
        let (group_sizes, group_times) = (Histogram::new(&COUNT), Histogram::new(&SHORT));
        Self { groups, keys, payloads_gone, group_sizes, group_times, sync_times: Histogram::new(&SHORT) }
    }
}

impl Commits {
    pub(super) fn count_group(&self, keys: usize) {
        self.groups.fetch_add(u64::from(keys > 0), Ordering::Relaxed);
        self.keys.fetch_add(keys as u64, Ordering::Relaxed);
    }
}

/// What of the settings may change while the store is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    pub retention: Retention,
    /// New events that one account may publish in a day where nothing else is set for it; `None`: any number.
    pub events_per_day: Option<u64>,
}

/// The one of a store.
pub struct Inner {
    pub settings: Settings,
    /// How long things are kept and how much is taken, as it is in force.
    pub in_force: ArcSwap<InForce>,
    pub clock: Clock,
    pub trees: Arc<ArcSwapOption<Trees>>,
    pub registry: Arc<RwLock<Registry>>,
    pub queue: Queue,
    /// What jobs ask beside it.
    pub foreseen: Arc<Foreseen>,
    /// At what takes long ahead of the commit.
    pub turns: Arc<Turns>,
    /// At reading what is not read in a moment.
    pub readers: Arc<Turns>,
    /// At shaping what is not shaped in a moment.
    pub shapers: Arc<Turns>,
    /// Bytes of events whose bodies are being written ahead.
    pub ahead: Arc<ByteBudget>,
    pub listener: OnceLock<Arc<dyn Listener>>,
    /// What was accepted a moment ago, for whoever sends it.
    pub handed: Handed,
    pub space_low: AtomicBool,
    /// As of the last commit.
    pub sums: Mutex<Sums>,
    /// Deliveries of accepted events that are still to be made, as of the last commit.
    pub to_come: AtomicU64,
    pub seals: Arc<Seals>,
    pub commits: Commits,
    pub fare: Fare,
    /// Looks at the size of the files.
    pub sizes: Mutex<Sizes>,
    /// What could not be read.
    pub reports: Arc<Reports>,
    /// For who watches what happens.
    pub journal: Journal,
    /// Of the commit thread.
    pub pulse: Pulse,
    pub keeping: Keeping,
    /// What groups write while a backup is taken.
    pub spool: Spool,
}

impl Inner {
    pub(super) fn trees(&self) -> Result<Arc<Trees>, StoreError> {
        self.trees.load_full().ok_or(StoreError::Unavailable)
    }

    /// The sums as of the last commit.
    pub(super) fn sums(&self) -> Sums {
        *self.sums.lock().expect("not poisoned")
    }

    /// These are those of a commit.
    pub(super) fn publish(&self, sums: Sums) {
        *self.sums.lock().expect("not poisoned") = sums;
    }

    /// Bytes that are kept of each account.
    pub(super) fn kept_by(&self, trees: &Trees) -> Result<KeptBy, StoreError> {
        KeptBy::of(trees, &self.registry.read().expect("not poisoned"))
    }

    /// Whether so many bytes are more than may be kept of an account.
    pub(super) fn is_over_quota(&self, account: AccountNumber, kept: u64) -> bool {
        let registry = self.registry.read().expect("not poisoned");
        let account = registry.account(account).map(AsRef::as_ref);
        self.in_force.load().retention.quota(account).is_some_and(|quota| kept > quota)
    }

    /// Opens the disk again after a failure, once there is enough space for what comes next.
    pub(super) fn open_disk(&self) -> Result<Trees, OpenError> {
        let failed = |error| OpenError::of(&self.settings.path, error);
        let free = trees::free_bytes(&self.settings).map_err(failed)?;
        let enough = (self.settings.free_bytes_min / 2).max(trees::files::REOPEN_FREE_BYTES_MIN);
        if free < enough {
            return Err(failed(StoreError::Io(format!("only {free} bytes are free, of {enough} that are needed"))));
        }
        let trees = Trees::open(&self.settings, self.reports.clone())?;
        self.load(&trees).and_then(|()| self.find_late(&trees)).map_err(failed)?;
        self.watch_space(&trees);
        Ok(trees)
    }

    /// Finds the deliveries that were not written when the store was left.
    pub(super) fn find_late(&self, trees: &Trees) -> Result<(), StoreError> {
        let registry = self.registry.read().expect("not poisoned");
        let accounts = registry.accounts().map(|account| account.number);
        late::find(trees, accounts, |webhook| registry.account_of_webhook(webhook).is_some())
    }

    /// Reads what is held in memory.
    pub(super) fn load(&self, trees: &Trees) -> Result<(), StoreError> {
        let mut registry = Registry::default();
        registry.follow(&self.registry.read().expect("not poisoned"));
        for row in trees.all(Tree::Accounts) {
            let account = row.and_then(|(key, value)| record::read_grown::<Account>(Tree::Accounts, &key, &value));
            trees.readable(account)?.into_iter().for_each(|account| registry.put_account(account));
        }
        for row in trees.all(Tree::Keys) {
            let key = row.and_then(|(hash, value)| {
                let is_hash = hash.as_ref().try_into().map_err(|_| Damage::at(Tree::Keys, &hash, "its key is no hash"));
                Ok((is_hash?, record::read_grown::<ApiKey>(Tree::Keys, &hash, &value)?))
            });
            trees.readable(key)?.into_iter().for_each(|(hash, key)| registry.put_key(hash, key));
        }
        for row in trees.all(Tree::Webhooks) {
            let webhook =
                row.and_then(|(key, sealed)| self.seals.keys().open::<Webhook>(Tree::Webhooks, &key, &sealed));
            trees.readable(webhook)?.into_iter().for_each(|webhook| registry.put_webhook(webhook));
        }
        for row in trees.all(Tree::Users) {
            let user = row.and_then(|(key, sealed)| self.seals.keys().open::<User>(Tree::Users, &key, &sealed));
            trees.readable(user)?.into_iter().for_each(|user| registry.people_mut().put(user));
        }
        for row in trees.all(Tree::EventTypes) {
            let own = row.and_then(|(key, value)| {
                let own = record::read_grown::<OwnType>(Tree::EventTypes, &key, &value)?;
                Ok((layout::read_number(&key), own))
            });
            let own = trees.readable(own)?;
            own.into_iter().for_each(|(account, own)| drop(registry.put_event_type(account, KnownType::of(own))));
        }
        for row in trees.all(Tree::Jobs) {
            let job = row.and_then(|(key, value)| record::read_grown::<Job>(Tree::Jobs, &key, &value));
            trees.readable(job)?.iter().for_each(|job| registry.put_job(job));
        }
        self.reports.forget_quarantined();
        for key in trees.all(Tree::Quarantine).keys() {
            self.reports.count_quarantined(layout::read_quarantined(&key?), 1);
        }
        *self.registry.write().expect("not poisoned") = registry;
        self.publish(Sums::of(trees)?);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::{Bench, in_memory};

    #[test]
    fn a_group_without_keys_is_none() {
        let commits = Commits::default();
        [0, 3, 1].into_iter().for_each(|keys| commits.count_group(keys));
        assert_eq!((commits.groups.into_inner(), commits.keys.into_inner()), (2, 4));
    }

    #[test]
    fn space_is_low_below_the_reserve_and_looked_for_again() {
        let reserve = |free_bytes_min| Bench::of(Settings { free_bytes_min, ..in_memory() });
        let (with, without) = (reserve(u64::MAX), reserve(0));
        for bench in [&with, &without] {
            bench.store.0.space_low.store(true, Ordering::Relaxed);
        }
        assert!(with.store.has_space(), "as much is free as is to be");
        assert!(!without.store.has_space(), "where there is no reserve nobody looks");
        let dir = tempfile::tempdir().unwrap();
        let bench = Bench::of(Settings { free_bytes_min: u64::MAX, ..Settings::at(dir.path()) });
        assert!(!bench.store.has_space());
    }

    #[test]
    fn with_less_than_half_of_its_reserve_a_store_stays_closed() {
        let dir = tempfile::tempdir().unwrap();
        let mut bench = Bench::of(Settings { free_bytes_min: u64::MAX, ..Settings::at(dir.path()) });
        bench.committer.let_go();
        let refused = bench.store.0.open_disk().err().expect("nobody has so much").to_string();
        assert!(refused.contains(&format!("of {} that are needed", u64::MAX / 2)), "{refused}");
    }
}
