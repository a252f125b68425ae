//! Retention: events go with all that belongs to them (deliveries, attempts, replays, pieces, names) once they are too
//! old, or while more is kept than may be; the oldest of all accounts first, and never one with a delivery that has not
//! ended. Counters stay.
//!
//! It goes in small steps, each flushed: sled holds on to memory while much is removed without a flush.

use std::collections::BTreeSet;

use super::forget::{Forgotten, Wide};
use crate::domain::id::AccountNumber;
use crate::domain::time::{HOUR_MS, UnixMs};
use crate::store::duty::{Duty, keys_from};
use crate::store::error::StoreError;
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

/// The pass over all accounts' events.
pub struct OldEvents {
    retention: Retention,
    /// Each account's next event, the oldest first; `None` between passes.
    heads: Option<BTreeSet<(UnixMs, AccountNumber, Key)>>,
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
        Self { retention: retention.clone(), heads: None, wide: None, at: 0, again_at: 0, again_above: 0 }
    }

    fn is_too_much(&self, kept: u64) -> bool {
        self.retention.bytes_max.is_some_and(|max| kept > max)
    }

    /// A pass goes on to a margin below the bound, so that not every event that is accepted begins another.
    fn is_near_too_much(&self, kept: u64) -> bool {
        self.retention.bytes_max.is_some_and(|max| kept > max - self.margin())
    }

    /// A twentieth of the bound, in bytes.
    fn margin(&self) -> u64 {
        self.retention.bytes_max.unwrap_or_default() / 20
    }

    fn end_pass(&mut self, staging: &Staging<'_>) {
        self.at = staging.now() + EVERY_MS;
        if self.is_too_much(staging.kept()) {
            self.again_at = staging.now() + AGAIN_MS;
            self.again_above = staging.kept() + self.margin();
            tracing::warn!(kept_bytes = staging.kept(), "more than retention.bytes_max is kept: it has not ended");
        }
    }

    /// Whether an event of that time goes.
    fn goes(&self, time: UnixMs, staging: &Staging<'_>) -> bool {
        let is_old = self.retention.events_ms.is_some_and(|ms| time + ms <= staging.keeping());
        is_old || self.is_near_too_much(staging.kept())
    }
}

impl Duty for OldEvents {
    fn due_at(&self, kept: u64) -> Option<UnixMs> {
        match self.heads {
            Some(_) => Some(0),
            None if self.is_too_much(kept) => Some(if kept > self.again_above { 0 } else { self.again_at }),
            None => self.retention.events_ms.map(|_| self.at),
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
            None => heads_of_all(staging)?,
        };
        let (mut looked_at, mut removed) = (0, 0);
        while looked_at < STEP_EVENTS_MAX && removed < STEP_KEYS_MAX {
            let Some((time, account, key)) = heads.pop_first().filter(|(time, ..)| self.goes(*time, staging)) else {
                self.end_pass(staging);
                return Ok(());
            };
            debug_assert_eq!(time, layout::read_event(&key).time());
            looked_at += 1;
            let forgotten = staging.forget_event(account, &key);
            let forgotten = staging.trees().readable(forgotten)?;
            heads.extend(head_of(staging, account, &layout::just_after(&key))?);
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

fn heads_of_all(staging: &Staging<'_>) -> Result<BTreeSet<(UnixMs, AccountNumber, Key)>, StoreError> {
    let accounts: Vec<AccountNumber> = staging.registry().accounts().map(|account| account.number).collect();
    let mut heads = BTreeSet::new();
    for account in accounts {
        heads.extend(head_of(staging, account, &layout::number(account).to_vec())?);
    }
    Ok(heads)
}

/// The account's next event from `from` on.
fn head_of(
    staging: &Staging<'_>,
    account: AccountNumber,
    from: &Key,
) -> Result<Option<(UnixMs, AccountNumber, Key)>, StoreError> {
    let (keys, _) = keys_from(staging, Tree::Events, from, &end_of(account), 1)?;
    Ok(keys.into_iter().next().map(|key| (layout::read_event(&key).time(), account, key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::DeliveryId;
    use crate::store::bench::{Bench, event};

    fn by_size(max: u64) -> OldEvents {
        OldEvents::new(&Retention { bytes_max: Some(max), ..Retention::default() })
    }

    #[test]
    fn too_much_is_more_than_the_bound_and_near_it_is_more_than_a_twentieth_below() {
        let duty = by_size(1_000);
        assert_eq!([1_000, 1_001].map(|kept| duty.is_too_much(kept)), [false, true]);
        assert_eq!([950, 951].map(|kept| duty.is_near_too_much(kept)), [false, true]);
        let without = OldEvents::new(&Retention::default());
        assert!(!without.is_too_much(u64::MAX) && !without.is_near_too_much(u64::MAX));
        assert_eq!((without.due_at(u64::MAX), duty.due_at(1_000), duty.due_at(1_001)), (None, None, Some(0)));
    }

    /// One step over the events of account 1, all of which are to go; says how many are left.
    fn step(bench: &mut Bench) -> usize {
        bench.now(|staging| Ok(by_size(20).step(staging)?));
        bench.events(1)
    }

    #[test]
    fn a_step_looks_at_so_many_events() {
        let mut bench = Bench::new();
        bench.now(|staging| staging.accept(1, vec![event(); STEP_EVENTS_MAX + 1], None));
        assert_eq!(step(&mut bench), 1);
        assert_eq!(step(&mut bench), 0);
    }

    #[test]
    fn a_step_removes_so_many_keys_or_a_few_more() {
        let mut bench = Bench::new();
        for _ in 0..3 {
            let event = bench.publish();
            bench.now(move |staging| {
                for n in 1..STEP_KEYS_MAX as u128 {
                    staging.stage(Tree::Replays, layout::replay(event, DeliveryId(n << 32 | 7)), Some(Vec::new()));
                }
                Ok(())
            });
        }
        // Each has as many keys as a step removes.
        assert_eq!([(); 3].map(|()| step(&mut bench)), [2, 1, 0]);
        assert_eq!(bench.keys(Tree::Replays).len(), 0);
    }
}
