//! Who may have the next place: what is out of all webhooks shares a number of places. Pure. What stays true:
//!
//! - Never more than all places are taken.
//! - An account holds fewer than [`ALPHA`] times what is free, and a webhook fewer than [`ALPHA`] times what its account
//!   may still take. So all who want as much as they get hold the same, and little is idle (a dynamic threshold: Choudhury
//!   and Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", 1998).
//! - A few are for accounts that hold none, so that something is free for whoever comes.
//! - A quarter is for webhooks whose attempts lately ended soon, and for each of their places for that long: slow endpoints
//!   and those of which nothing is known share the rest, and compete with each other.
//! - Of those that wait, who holds least is next: among accounts, and then among the account's webhooks.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::window::SOON_MS;
use crate::domain::id::{AccountNumber, DeliveryId, WebhookNumber};
use crate::domain::time::UnixMs;

/// How many times what is free one may hold. Where `n` want all they get, one place in `16 n + 1` stays free.
pub const ALPHA: usize = 16;
/// One of so many places is for accounts that hold none.
const NONE_SHARE: usize = 64;
/// One of so many places is for the quick.
const QUICK_SHARE: usize = 4;
/// Accounts that are looked at for who is next: of one whose webhooks hold much each, none may be.
const LOOKED_AT: usize = 4;

/// Who takes a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taker {
    /// Whose it is.
    pub account: AccountNumber,
    /// For which webhook.
    pub webhook: WebhookNumber,
    /// Whether its attempts lately ended soon.
    pub quick: bool,
}

/// All places.
#[derive(Debug)]
pub struct Shares {
    places: usize,
    /// Of these, so many are for the slow too.
    for_slow: usize,
    taken: HashMap<DeliveryId, Taker>,
    /// Places of the quick, by when they were taken; some are given back already.
    young: VecDeque<(UnixMs, DeliveryId)>,
    quick: Kind,
    slow: Kind,
}

/// Places of one kind, and who waits for one.
#[derive(Debug, Default)]
struct Kind {
    held: usize,
    by_account: HashMap<AccountNumber, usize>,
    by_webhook: HashMap<WebhookNumber, usize>,
    /// Accounts of which a webhook waits, by what they hold.
    accounts: BTreeSet<(usize, AccountNumber)>,
    /// An account's webhooks that wait, by what they hold.
    webhooks: HashMap<AccountNumber, BTreeSet<(usize, WebhookNumber)>>,
}

impl Shares {
    /// So many places, at least one.
    pub fn new(places: usize) -> Self {
        let places = places.max(1);
        Self { for_slow: places - places / QUICK_SHARE, ..Self::for_all(places) }
    }

    /// So many, at least one, none of which is for the quick alone.
    pub fn for_all(places: usize) -> Self {
        let (places, (quick, slow)) = (places.max(1), Default::default());
        Self { places, for_slow: places, taken: HashMap::new(), young: VecDeque::new(), quick, slow }
    }

    /// Places that are taken.
    pub fn taken(&self) -> usize {
        self.taken.len()
    }

    /// Places that are taken by the quick and by the slow, and how many each kind may have at most, the other's included.
    pub fn in_use(&self) -> [(usize, usize); 2] {
        [(self.quick.held, self.places), (self.slow.held, self.for_slow)]
    }

    /// Whether this one may take a place.
    pub fn may_take(&self, taker: Taker) -> bool {
        let (kind, free) = (self.kind(taker.quick), self.free(taker.quick));
        let of_account = kind.of_account(taker.account);
        if of_account == 0 {
            return free > 0;
        }
        let left = (ALPHA * free.saturating_sub(self.places / NONE_SHARE)).saturating_sub(of_account);
        kind.of_webhook(taker.webhook) < ALPHA * left
    }

    /// Gives it a place at `now`.
    pub fn take(&mut self, taker: Taker, delivery: DeliveryId, now: UnixMs) {
        let before = self.taken.insert(delivery, taker);
        assert!(before.is_none(), "a delivery has one place");
        self.kind_mut(taker.quick).hold(taker, 1);
        if taker.quick {
            self.young.push_back((now, delivery));
        }
    }

    /// A place is given back. Says whether the delivery had one.
    pub fn give_back(&mut self, delivery: DeliveryId) -> bool {
        let Some(taker) = self.taken.remove(&delivery) else { return false };
        self.kind_mut(taker.quick).hold(taker, -1);
        true
    }

    /// What was to end soon and did not counts among the slow from now on. Gives one such delivery; ask again.
    pub fn drags_on(&mut self, now: UnixMs) -> Option<DeliveryId> {
        while let Some((since, delivery)) = self.young.front().copied() {
            // A clock that was set back keeps nobody young.
            if since <= now && now - since <= SOON_MS && self.taken.contains_key(&delivery) {
                return None;
            }
            self.young.pop_front();
            if let Some(taker) = self.taken.get_mut(&delivery)
                && taker.quick
            {
                let was = *taker;
                taker.quick = false;
                let is = *taker;
                self.quick.hold(was, -1);
                self.slow.hold(is, 1);
                return Some(delivery);
            }
        }
        None
    }

    /// It may not take a place now, and wants one.
    pub fn wait(&mut self, taker: Taker) {
        self.kind_mut(taker.quick).wait(taker);
    }

    /// Whether it waits for a place.
    pub fn is_waiting(&self, account: AccountNumber, webhook: WebhookNumber) -> bool {
        [&self.quick, &self.slow].into_iter().any(|kind| {
            let held = kind.of_webhook(webhook);
            kind.webhooks.get(&account).is_some_and(|waiting| waiting.contains(&(held, webhook)))
        })
    }

    /// One that waited and may take a place now: it waits no more.
    pub fn take_next(&mut self) -> Option<WebhookNumber> {
        [true, false].into_iter().find_map(|quick| {
            let next = self
                .kind(quick)
                .first()
                .find(|(account, webhook)| self.may_take(Taker { account: *account, webhook: *webhook, quick }));
            let (account, webhook) = next?;
            self.kind_mut(quick).wait_no_more(account, webhook);
            Some(webhook)
        })
    }

    fn free(&self, quick: bool) -> usize {
        let free = self.places.saturating_sub(self.taken.len());
        if quick { free } else { free.min(self.for_slow.saturating_sub(self.slow.held)) }
    }

    fn kind(&self, quick: bool) -> &Kind {
        if quick { &self.quick } else { &self.slow }
    }

    fn kind_mut(&mut self, quick: bool) -> &mut Kind {
        if quick { &mut self.quick } else { &mut self.slow }
    }
}

impl Kind {
    fn of_account(&self, account: AccountNumber) -> usize {
        self.by_account.get(&account).copied().unwrap_or(0)
    }

    fn of_webhook(&self, webhook: WebhookNumber) -> usize {
        self.by_webhook.get(&webhook).copied().unwrap_or(0)
    }

    /// So many more places are held; whoever waits is put where that belongs.
    fn hold(&mut self, taker: Taker, more: isize) {
        let Taker { account, webhook, .. } = taker;
        let (account_held, webhook_held) = (self.of_account(account), self.of_webhook(webhook));
        let waits = self.webhooks.get(&account).is_some_and(|waiting| waiting.contains(&(webhook_held, webhook)));
        let account_waits = self.accounts.remove(&(account_held, account));
        if waits {
            self.wait_no_more(account, webhook);
        }
        self.held = self.held.saturating_add_signed(more);
        put(&mut self.by_account, account, account_held.saturating_add_signed(more));
        put(&mut self.by_webhook, webhook, webhook_held.saturating_add_signed(more));
        if waits {
            self.wait(taker);
        } else if account_waits {
            self.accounts.insert((self.of_account(account), account));
        }
    }

    fn wait(&mut self, Taker { account, webhook, .. }: Taker) {
        let (of_account, of_webhook) = (self.of_account(account), self.of_webhook(webhook));
        self.accounts.insert((of_account, account));
        self.webhooks.entry(account).or_default().insert((of_webhook, webhook));
    }

    fn wait_no_more(&mut self, account: AccountNumber, webhook: WebhookNumber) {
        let (of_account, of_webhook) = (self.of_account(account), self.of_webhook(webhook));
        let Some(waiting) = self.webhooks.get_mut(&account) else { return };
        waiting.remove(&(of_webhook, webhook));
        if waiting.is_empty() {
            self.webhooks.remove(&account);
            self.accounts.remove(&(of_account, account));
        }
    }

    /// Who may be next: the webhook that holds least of each of the accounts that hold least.
    fn first(&self) -> impl Iterator<Item = (AccountNumber, WebhookNumber)> + '_ {
        self.accounts.iter().take(LOOKED_AT).filter_map(|(_, account)| {
            let (_, webhook) = self.webhooks.get(account)?.first()?;
            Some((*account, *webhook))
        })
    }
}

fn put<K: std::hash::Hash + Eq>(held: &mut HashMap<K, usize>, key: K, count: usize) {
    match count {
        0 => drop(held.remove(&key)),
        count => drop(held.insert(key, count)),
    }
}
