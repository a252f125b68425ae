//! How much an account may publish in a day, and what it has used. What stays true: it is counted together with the events
//! that it counts, so neither a crash nor a restart forgets any; and what was published before counts once.

use serde_json::json;

use super::error::{Refusal, StoreError};
use super::handle::Store;
use super::layout::{self, Tree};
use super::rows;
use super::staging::Staging;
use crate::domain::id::AccountNumber;
use crate::domain::time::{self, UnixMs};

/// What an account has used of what it may publish and keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// New events that were published in this day.
    pub events_today: u64,
    /// When it ends.
    pub day_ends_at: UnixMs,
    /// Bytes that are kept of its events, ended deliveries and attempts.
    pub kept_bytes: u64,
    /// When its oldest event was accepted; `None` where it has none.
    pub oldest_event_at: Option<UnixMs>,
}

impl Store {
    /// What the account has used at `now`: a read for each of its webhooks.
    pub fn usage(&self, account: AccountNumber, now: UnixMs) -> Result<Usage, StoreError> {
        let webhooks: Vec<_> = self.registry().webhooks_ever_of(account).collect();
        self.look(|trees| {
            let tally = trees.readable(rows::account_tally(trees, account))?.unwrap_or_default();
            let mut kept_bytes = tally.event_bytes;
            for webhook in webhooks {
                kept_bytes += trees.readable(rows::tally(trees, webhook))?.map_or(0, |tally| tally.bytes);
            }
            let oldest = trees.prefix(Tree::Events, &layout::number(account)).keys().next().transpose()?;
            Ok(Usage {
                events_today: tally.today.events(now),
                day_ends_at: tally.today.ends_at(now),
                kept_bytes,
                oldest_event_at: oldest.map(|key| layout::read_event(&key).time()),
            })
        })
    }
}

impl Staging<'_> {
    /// Counts events that are published now, or refuses them all where fewer are left of the day. `usual`: how many an account
    /// may publish for which nothing else is set; 0: any number.
    pub(super) fn take_of_day(
        &mut self,
        account: AccountNumber,
        events: usize,
        usual: Option<u64>,
    ) -> Result<(), Refusal> {
        let (now, events) = (self.now(), events as u64);
        let limit = self.own_day(account).or(usual).filter(|limit| *limit > 0);
        // Who is refused writes nothing, but once a day that it is told.
        let today = self.today(account);
        if let Some(limit) = limit {
            let left = limit.saturating_sub(today.events(now));
            if events > left {
                self.notice_of_day(account, limit)?;
                let until = today.ends_at(now);
                return Err(Refusal::OverDay { limit, left, until, wait_ms: until - now });
            }
        }
        if events > 0 {
            self.account_tally(account).today.count(now, events);
        }
        match limit.filter(|limit| events > 0 && today.events(now) + events >= *limit) {
            Some(limit) => Ok(self.notice_of_day(account, limit)?),
            None => Ok(()),
        }
    }

    /// Counts an event that is published now, and that no limit keeps away.
    pub(super) fn count_in_day(&mut self, account: AccountNumber) -> Result<(), StoreError> {
        let now = self.now();
        self.account_tally(account).today.count(now, 1);
        let (limit, used) = (self.own_day(account), self.today(account).events(now));
        match limit.filter(|limit| (1..=used).contains(limit)) {
            Some(limit) => self.notice_of_day(account, limit),
            None => Ok(()),
        }
    }

    /// What is set for the account itself.
    fn own_day(&self, account: AccountNumber) -> Option<u64> {
        self.registry().account(account).and_then(|account| account.limits.events_per_day)
    }

    /// Tells once a day that the account may publish no more in it, or not as much as it wants to.
    fn notice_of_day(&mut self, account: AccountNumber, limit: u64) -> Result<(), StoreError> {
        if !self.begins_to_publish_too_much(account) {
            return Ok(());
        }
        let (now, today) = (self.now(), self.today(account));
        let (used, until) = (today.events(now), time::rfc3339(today.ends_at(now)));
        let facts = json!({"quota": "events_per_day", "limit": limit, "used": used, "until": until});
        self.notice_of_account(account, QUOTA_REACHED, facts)
    }

    /// Tells once a day that more is kept of an account than may be, so that its oldest events go.
    pub(super) fn notice_of_kept(&mut self, account: AccountNumber, limit: u64) -> Result<(), StoreError> {
        let used = self.kept_of(account);
        if used <= limit || !self.begins_to_keep_too_much(account) {
            return Ok(());
        }
        let facts = json!({"quota": "kept_bytes_max", "limit": limit, "used": used});
        self.notice_of_account(account, QUOTA_REACHED, facts)
    }
}

/// What is told when an account has used up what it may.
const QUOTA_REACHED: &str = "quota.reached";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{DAY_MS, HOUR_MS};
    use crate::store::bench::{Bench, START, event};
    use crate::store::message::NewEvent;

    fn named(name: &str) -> NewEvent {
        NewEvent { name: Some(name.into()), fingerprint: Some([1; 32]), ..event() }
    }

    fn publish(bench: &mut Bench, events: Vec<NewEvent>) -> Result<usize, Refusal> {
        let mut answer = bench.store.accept(1, events, None).expect("it is taken");
        bench.rest();
        answer.try_recv().expect("the committer answers").map(|accepted| accepted.len())
    }

    fn limited(events_per_day: u64) -> Bench {
        let mut bench = Bench::new();
        bench.now(move |staging| {
            staging.update_account(1, |account| {
                account.limits.events_per_day = Some(events_per_day);
                Ok(())
            })
        });
        bench
    }

    #[test]
    fn a_day_has_so_many_new_events_and_a_restart_forgets_none() {
        let mut bench = limited(3);
        let midnight = (START / DAY_MS + 1) * DAY_MS;
        assert_eq!(publish(&mut bench, vec![event(), named("a")]), Ok(2));
        let refused = |left| Err(Refusal::OverDay { limit: 3, left, until: midnight, wait_ms: midnight - START });
        assert_eq!(publish(&mut bench, vec![event(), event()]), refused(1), "all or none");
        assert_eq!(publish(&mut bench, vec![named("a"), event()]), Ok(2), "one of them is not new");
        bench.committer.let_go();
        bench.rest();
        assert_eq!(publish(&mut bench, vec![event()]), refused(0));
        assert_eq!(publish(&mut bench, vec![named("a")]), Ok(1), "what was accepted before is told again");
        let used = bench.store.usage(1, START).expect("it can be read");
        assert_eq!((used.events_today, used.day_ends_at, used.oldest_event_at), (3, midnight, Some(START)));
        bench.turn(midnight - START);
        assert_eq!(publish(&mut bench, vec![event(); 3]), Ok(3));
        assert_eq!(bench.store.usage(1, midnight).expect("it can be read").events_today, 3);
    }

    #[test]
    fn who_is_refused_writes_nothing() {
        let mut bench = limited(1);
        assert_eq!(publish(&mut bench, vec![event()]), Ok(1));
        let groups = bench.store.meters().groups.load(std::sync::atomic::Ordering::Relaxed);
        assert!(publish(&mut bench, vec![event()]).is_err());
        assert_eq!(bench.store.meters().groups.load(std::sync::atomic::Ordering::Relaxed), groups);
    }

    #[test]
    fn what_an_account_keeps_is_its_events_and_what_became_of_them() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        let delivery = bench.publish().delivery_to(webhook);
        let kept = |bench: &Bench| bench.store.usage(1, START).expect("it can be read").kept_bytes;
        assert_eq!(kept(&bench), bench.store.kept_bytes());
        let before = kept(&bench);
        bench.settle(delivery, 1, crate::domain::retry::Next::Succeeded);
        assert!(kept(&bench) > before);
        assert_eq!(kept(&bench), bench.store.kept_bytes());
        bench.turn(HOUR_MS);
        assert_eq!(bench.store.usage(2, START).map(|used| (used.kept_bytes, used.oldest_event_at)), Ok((0, None)));
    }
}
