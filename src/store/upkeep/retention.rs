//! Retention: events go with all that belongs to them (deliveries, attempts, replays, pieces, names) once they are too
//! old, or while more is kept than may be; never one with a delivery that has not ended. Where too much is kept, whoever keeps
//! most gives its oldest, and who keeps no more than its share gives nothing: no account drives out what others keep.
//! Counters stay.
//!
//! It goes in small steps, each flushed: sled holds on to memory while much is removed without a flush.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::id::AccountNumber;
use crate::domain::time::{HOUR_MS, UnixMs};
use crate::store::duty::{Duty, keys_from};
use crate::store::error::StoreError;
use crate::store::forget::{Forgotten, Wide};
use crate::store::layout::{self, Key, Tree, end_of};
use crate::store::settings::Retention;
use crate::store::staging::Staging;

/// Between passes; what cannot go yet is looked at again then.
const EVERY_MS: u64 = HOUR_MS;
/// After a pass that left more than may be kept, since the rest has not ended.
const AGAIN_MS: u64 = 5 * 60 * 1000;
/// Events that one step looks at.
const STEP_EVENTS_MAX: usize = 64;
/// Keys that one step removes, or a few more: an event goes as a whole.
const STEP_KEYS_MAX: usize = 512;

/// A pass goes on to one part of so many below a bound, so that not every event that is accepted begins another.
const MARGIN: u64 = 20;

/// The pass over all accounts' events.
pub struct OldEvents {
    retention: Retention,
    /// Each account's next event; `None` between passes.
    heads: Option<Heads>,
    /// Whether that is all of them, not only those that keep more than they may or have an age of their own.
    of_all: bool,
    /// Whether it is the hourly pass.
    is_hourly: bool,
    /// Accounts that keep more than they may: when to look at them, and above how many bytes to look sooner.
    over: BTreeMap<AccountNumber, (UnixMs, u64)>,
    /// Those of them that this pass looks at.
    looked_at: Vec<AccountNumber>,
    /// The event that takes several steps.
    wide: Option<Wide>,
    /// When the next pass begins.
    at: UnixMs,
    /// After a pass that left too much: when the next one begins, or above how many bytes that are kept.
    again_at: UnixMs,
    again_above: u64,
}

impl OldEvents {
    /// A pass that begins at once.
    pub fn new(retention: &Retention) -> Self {
        let (heads, over, looked_at) = (None, BTreeMap::new(), Vec::new());
        Self {
            retention: retention.clone(),
            heads,
            of_all: false,
            is_hourly: false,
            over,
            looked_at,
            wide: None,
            at: 0,
            again_at: 0,
            again_above: 0,
        }
    }

    fn is_too_much(&self, kept: u64) -> bool {
        self.retention.bytes_max.is_some_and(|max| kept > max)
    }

    fn is_near_too_much(&self, kept: u64) -> bool {
        self.retention.bytes_max.is_some_and(|max| kept > max - self.margin())
    }

    fn margin(&self) -> u64 {
        self.retention.bytes_max.unwrap_or_default() / MARGIN
    }

    fn end_pass(&mut self, staging: &Staging<'_>) {
        for account in std::mem::take(&mut self.looked_at) {
            let (quota, kept) = (self.quota(account, staging), staging.kept_of(account));
            match quota.filter(|quota| kept > *quota) {
                Some(quota) => drop(self.over.insert(account, (staging.now() + AGAIN_MS, kept + quota / MARGIN))),
                None => drop(self.over.remove(&account)),
            }
        }
        let of_all = std::mem::take(&mut self.of_all);
        if of_all || std::mem::take(&mut self.is_hourly) {
            (self.at, self.is_hourly) = (staging.now() + EVERY_MS, false);
        }
        if of_all && self.is_too_much(staging.kept()) {
            self.again_at = staging.now() + AGAIN_MS;
            self.again_above = staging.kept() + self.margin();
            tracing::warn!(kept_bytes = staging.kept(), "more than retention.bytes_max is kept: it has not ended");
        }
    }

    /// The account whose next event goes. `share`: what each may keep.
    fn next(&self, heads: &Heads, share: u64, staging: &Staging<'_>) -> Option<AccountNumber> {
        if let Some((_, account)) = heads.next_old().filter(|(goes_at, _)| *goes_at <= staging.keeping()) {
            return Some(account);
        }
        let is_over = |account: &AccountNumber| {
            let quota = self.quota(*account, staging).filter(|_| heads.has(*account));
            quota.is_some_and(|quota| staging.kept_of(*account) > quota - quota / MARGIN)
        };
        if let Some(account) = self.over.keys().copied().find(is_over) {
            return Some(account);
        }
        if !self.of_all || !self.is_near_too_much(staging.kept()) {
            return None;
        }
        let most = staging.keeps_most(|account| heads.has(account));
        most.filter(|(bytes, _)| *bytes > share).map(|(_, account)| account)
    }

    /// Whose oldest events go before their time is told so.
    fn tell_who_is_over(&self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        for account in self.over.keys().copied().take(STEP_EVENTS_MAX) {
            if let Some(quota) = self.quota(account, staging) {
                staging.notice_of_kept(account, quota)?;
            }
        }
        Ok(())
    }

    /// How much may be kept of an account.
    fn quota(&self, account: AccountNumber, staging: &Staging<'_>) -> Option<u64> {
        let registry = staging.registry();
        self.retention.quota(registry.account(account).map(AsRef::as_ref))
    }

    /// After how many milliseconds events of an account go.
    fn age(&self, account: AccountNumber, staging: &Staging<'_>) -> Option<u64> {
        let registry = staging.registry();
        self.retention.age(registry.account(account).map(AsRef::as_ref))
    }

    /// The heads that a pass begins with.
    fn first_heads(&mut self, staging: &Staging<'_>) -> Result<Heads, StoreError> {
        self.is_hourly = self.at <= staging.now();
        let has_bounds = self.retention.events_ms.is_some() || self.retention.bytes_max.is_some();
        self.of_all = self.is_hourly && has_bounds || self.is_too_much(staging.kept());
        self.looked_at = self.over.keys().copied().collect();
        let mut accounts: Vec<AccountNumber> = staging.registry().accounts().map(|account| account.number).collect();
        if !self.of_all {
            let is_aged = |account: AccountNumber| self.is_hourly && self.age(account, staging).is_some();
            accounts.retain(|account| self.over.contains_key(account) || is_aged(*account));
        }
        let mut heads = Heads::default();
        for account in accounts {
            self.put_head(&mut heads, account, &layout::number(account).to_vec(), staging)?;
        }
        Ok(heads)
    }

    /// The account's next event from `from` on becomes its head.
    fn put_head(
        &self,
        heads: &mut Heads,
        account: AccountNumber,
        from: &Key,
        staging: &Staging<'_>,
    ) -> Result<(), StoreError> {
        let (keys, _) = keys_from(staging, Tree::Events, from, &end_of(account), 1)?;
        if let Some(key) = keys.into_iter().next() {
            heads.put(account, key, self.age(account, staging));
        }
        Ok(())
    }

    fn share(&self, staging: &Staging<'_>) -> u64 {
        self.retention.bytes_max.map_or(u64::MAX, |max| staging.share_of(max - self.margin()))
    }
}

impl Duty for OldEvents {
    fn due_at(&self, kept: u64) -> Option<UnixMs> {
        let of_all = match self.heads {
            Some(_) => return Some(0),
            None if self.is_too_much(kept) => Some(if kept > self.again_above { 0 } else { self.again_at }),
            // Any account may have an age of its own.
            None => Some(self.at),
        };
        of_all.into_iter().chain(self.over.values().map(|(at, _)| *at)).min()
    }

    fn keeps_too_much(&mut self, account: AccountNumber, kept: u64) {
        let (at, above) = self.over.entry(account).or_default();
        if kept > *above {
            *at = 0;
        }
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        if let Some(wide) = self.wide.take() {
            let left = staging.forget_some(wide);
            self.wide = staging.trees().readable(left)?.flatten();
            return Ok(());
        }
        let mut heads = match self.heads.take() {
            Some(heads) => heads,
            None => {
                self.tell_who_is_over(staging)?;
                self.first_heads(staging)?
            }
        };
        let share = self.share(staging);
        let (mut looked_at, mut removed) = (0, 0);
        while looked_at < STEP_EVENTS_MAX && removed < STEP_KEYS_MAX {
            let next = self.next(&heads, share, staging);
            let Some((account, key)) = next.and_then(|account| Some((account, heads.take(account)?))) else {
                self.end_pass(staging);
                return Ok(());
            };
            looked_at += 1;
            let forgotten = staging.forget_event(account, &key);
            let forgotten = staging.trees().readable(forgotten)?;
            self.put_head(&mut heads, account, &layout::just_after(&key), staging)?;
            match forgotten {
                Some(Forgotten::Keys(keys)) => removed += keys,
                Some(Forgotten::Later) => {
                    self.wide = Some(Wide::of(account, key));
                    break;
                }
                None => {}
            }
        }
        self.heads = Some(heads);
        Ok(())
    }
}

/// Each account's next event, by its account, and by when it is too old.
#[derive(Default)]
struct Heads {
    next: HashMap<AccountNumber, Head>,
    by_time: BTreeSet<(UnixMs, AccountNumber)>,
}

struct Head {
    key: Key,
    /// `None`: it is never too old.
    goes_at: Option<UnixMs>,
}

impl Heads {
    fn has(&self, account: AccountNumber) -> bool {
        self.next.contains_key(&account)
    }

    /// Whose event is too old first, and when.
    fn next_old(&self) -> Option<(UnixMs, AccountNumber)> {
        self.by_time.first().copied()
    }

    fn put(&mut self, account: AccountNumber, key: Key, age: Option<u64>) {
        let goes_at = age.map(|age| layout::read_event(&key).time() + age);
        self.by_time.extend(goes_at.map(|at| (at, account)));
        self.next.insert(account, Head { key, goes_at });
    }

    fn take(&mut self, account: AccountNumber) -> Option<Key> {
        let Head { key, goes_at } = self.next.remove(&account)?;
        if let Some(at) = goes_at {
            self.by_time.remove(&(at, account));
        }
        Some(key)
    }
}

#[cfg(test)]
mod tests;
