//! The scheduler: wheel and lanes together. It decides which delivery goes out next, and is told what became of it. No
//! thread, no socket and no clock of its own, so the simulation runs the same code as the server.
//!
//! Webhooks that can send take turns, one delivery each, and each needs a place for it (`shares`): a webhook with a large
//! backlog waits for its next turn like any other, and its backlog waits on disk. What is pulled holds no connection, and for as
//! long as its consumer likes; so it has places of its own, which nothing that is sent can lack.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::allowances::Allowances;
use super::lane::{Lane, Rules, Turn};
use super::leases::LEASES_MAX;
use super::meters::Meters;
use super::shares::{Shares, Taker};
use super::wheel::Wheel;
use crate::dialect::Shelf;
use crate::domain::delivery::Delivery;
use crate::domain::id::{DeliveryId, WebhookNumber};
use crate::domain::lane::{Standing, Why};
use crate::domain::tally::Tally;
use crate::domain::time::UnixMs;
use crate::domain::webhook::Webhook;
use crate::store::{Settled, Store, StoreError};

/// After the store could not be read, how long a webhook waits before it is looked at again.
const LOOK_AGAIN_MS: u64 = 1000;
/// Lanes that are kept before it is looked which of them rest, some half a KiB each.
const LANES_MIN: usize = 4096;

/// A delivery that goes out now.
#[derive(Debug)]
pub struct Claim {
    /// Which delivery.
    pub delivery: Delivery,
    /// Its webhook, as it is now.
    pub webhook: Arc<Webhook>,
    /// It had to wait for the webhook's rate limit.
    pub rate_limited: bool,
    /// More of its webhook waits for a place, or will: its end is to be recorded at once.
    pub awaited: bool,
}

/// Wheel and lanes.
pub struct Scheduler {
    store: Store,
    shelf: Arc<Shelf>,
    wheel: Wheel,
    /// Of those webhooks that have something to send, and some others.
    lanes: HashMap<WebhookNumber, Lane>,
    /// With so many it is looked which of them rest.
    lanes_max: usize,
    /// Webhooks that may have something to send, each once.
    ready: VecDeque<WebhookNumber>,
    is_ready: HashSet<WebhookNumber>,
    shares: Shares,
    /// Places of what is pulled.
    leased: Shares,
    allowances: Arc<Allowances>,
    /// Webhooks of which nothing may be out any more.
    broken_off: Vec<WebhookNumber>,
    meters: Arc<Meters>,
}

impl Scheduler {
    /// A scheduler that has yet to look at every webhook, with so many places.
    pub fn new(store: Store, shelf: Arc<Shelf>, places: usize, allowances: Arc<Allowances>, now: UnixMs) -> Self {
        let mut scheduler = Self {
            store,
            shelf,
            wheel: Wheel::new(now),
            lanes: HashMap::new(),
            lanes_max: LANES_MIN,
            ready: VecDeque::new(),
            is_ready: HashSet::new(),
            shares: Shares::new(places),
            leased: Shares::for_all(LEASES_MAX),
            allowances,
            broken_off: Vec::new(),
            meters: Arc::default(),
        };
        scheduler.look_at_all();
        scheduler
    }

    /// The same that counts with these.
    pub fn with_meters(self, meters: Arc<Meters>) -> Self {
        self.ready.iter().for_each(|number| meters.oldest.may_have(*number));
        Self { meters, ..self }
    }

    /// The store was reopened, or the dialects have changed: everything is read again. What is out stays out.
    pub fn begin_again(&mut self) {
        // In their order, so that a simulation is the same each time.
        let numbers: BTreeSet<WebhookNumber> = self.lanes.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.webhook_changed(number));
        self.look_at_all();
    }

    /// A new delivery was made: whose webhook has room for it is not read from the store.
    pub fn fresh_arrived(&mut self, delivery: Delivery, now: UnixMs) {
        let number = delivery.id.webhook();
        self.meters.oldest.is_made(number, delivery.created_at());
        if let Some(lane) = self.lanes.get_mut(&number) {
            lane.fresh_arrived(delivery, now);
        }
        self.make_ready(number);
    }

    /// A webhook has new deliveries in the store.
    pub fn more_fresh(&mut self, number: WebhookNumber) {
        self.meters.oldest.may_have(number);
        self.lanes.get_mut(&number).into_iter().for_each(Lane::more_fresh);
        self.make_ready(number);
    }

    /// Deliveries of a webhook may go out now, from this one on, that lie perhaps before what was read.
    pub fn freed(&mut self, first: DeliveryId) {
        if let Some(lane) = self.lanes.get_mut(&first.webhook()) {
            lane.freed(first);
        }
        self.make_ready(first.webhook());
    }

    /// A webhook was created, changed or deleted.
    pub fn webhook_changed(&mut self, number: WebhookNumber) {
        let rules = self.webhook(number).map(|webhook| self.rules_of(&webhook));
        let breaks_off = match (self.lanes.get_mut(&number), rules) {
            (Some(lane), Some(rules)) => lane.set_rules(rules),
            (Some(lane), None) => lane.stop(),
            (None, _) => false,
        };
        if breaks_off {
            self.broken_off.push(number);
        }
        self.make_ready(number);
    }

    /// Webhooks that were paused, disabled or deleted since this was last asked, of which something is out: that is to be
    /// broken off, and comes back as handed back.
    pub fn take_broken_off(&mut self) -> Vec<WebhookNumber> {
        std::mem::take(&mut self.broken_off)
    }

    /// An attempt is recorded at `now`: its place is free again.
    pub fn settled(&mut self, settled: Settled, now: UnixMs) {
        let number = settled.delivery.webhook();
        self.give_back(settled.delivery);
        let lane = self.lanes.get_mut(&number).map(|lane| lane.settled(&settled, now));
        // Without a lane nobody knows of a retry that is to come.
        if lane.is_some() || settled.next_attempt_at.is_some() {
            self.make_ready(number);
        }
    }

    /// A claim was handed back unsent: nothing happened to it, and its webhook is looked at again in a while. `lacks`: what
    /// this server had none of.
    pub fn handed_back(&mut self, id: DeliveryId, lacks: Option<Why>, now: UnixMs) {
        self.give_back(id);
        if let Some(lane) = self.lanes.get_mut(&id.webhook()) {
            lane.unsent(id, now);
            lane.lacks(lacks);
            self.wheel.arm(id.webhook(), now + LOOK_AGAIN_MS);
        }
    }

    /// A claim was cut off: its endpoint may have got it, so it counts, and its webhook is looked at again in a while.
    pub fn cut_off(&mut self, id: DeliveryId, now: UnixMs) {
        self.give_back(id);
        if let Some(lane) = self.lanes.get_mut(&id.webhook()) {
            lane.cut_off(id);
            self.wheel.arm(id.webhook(), now + LOOK_AGAIN_MS);
        }
    }

    /// A claim was handed back since nobody took it: nothing happened to it, and the next who asks gets it.
    pub fn untaken(&mut self, id: DeliveryId, now: UnixMs) {
        self.give_back(id);
        self.lanes.get_mut(&id.webhook()).into_iter().for_each(|lane| lane.unsent(id, now));
        self.make_ready(id.webhook());
    }

    fn give_back(&mut self, id: DeliveryId) {
        if !self.shares.give_back(id) {
            self.leased.give_back(id);
        }
    }

    /// So many deliveries of a webhook are asked for that are pulled.
    pub fn want(&mut self, number: WebhookNumber, wanted: usize, now: UnixMs) {
        let Some(webhook) = self.webhook(number) else { return };
        match self.lane_of(&webhook, now) {
            Ok(lane) => {
                lane.want(wanted);
                self.make_ready(number);
            }
            Err(error) => tracing::error!(webhook = number, %error, "a webhook's counters could not be read"),
        }
    }

    /// A first attempt of the webhook was made at `now` that did not go out from its lane.
    pub fn tested(&mut self, number: WebhookNumber, now: UnixMs) {
        self.lanes.get_mut(&number).into_iter().for_each(|lane| lane.count_first_attempt(now));
    }

    /// Turns the wheel to `now`.
    pub fn turn(&mut self, now: UnixMs) {
        let (mut due, meters) = (Vec::new(), &self.meters);
        self.wheel.turn(now, |number, at| {
            meters.wheel_lateness.record(now.saturating_sub(at));
            due.push(number);
        });
        due.into_iter().for_each(|number| self.make_ready(number));
    }

    /// The next delivery to send at `now`, if any may go out.
    pub fn next(&mut self, now: UnixMs) -> Option<Claim> {
        while let Some(slow) = self.shares.drags_on(now) {
            self.lanes.get_mut(&slow.webhook()).into_iter().for_each(Lane::drags_on);
        }
        loop {
            let number = self.next_ready()?;
            let Some(webhook) = self.webhook(number) else {
                self.let_go(number);
                continue;
            };
            match self.turn_of(&webhook, now) {
                Ok(Turn::Send(delivery)) => {
                    self.make_ready(number);
                    let lane = self.lanes.get(&number).expect("a lane has sent it");
                    let (rate_limited, awaited) = (lane.last_was_limited(), !lane.is_quiet(now));
                    return Some(Claim { delivery: *delivery, webhook, rate_limited, awaited });
                }
                Ok(Turn::Wait(at)) => self.wheel.arm(number, at),
                Ok(Turn::Rest) => {}
                Ok(Turn::Read) => unreachable!("a lane that has read knows what to do"),
                Err(error) => {
                    tracing::error!(webhook = number, %error, "a webhook's work could not be read");
                    self.wheel.arm(number, now + LOOK_AGAIN_MS);
                }
            }
        }
    }

    /// The webhook whose turn it is: one that waited for a place and may have one now, else the next that is ready.
    fn next_ready(&mut self) -> Option<WebhookNumber> {
        self.shares.take_next().or_else(|| self.leased.take_next()).or_else(|| {
            let number = self.ready.pop_front()?;
            self.is_ready.remove(&number);
            Some(number)
        })
    }

    /// When to turn the wheel next.
    pub fn next_turn(&self) -> Option<UnixMs> {
        self.wheel.next_turn()
    }

    /// Deliveries that are out.
    pub fn out(&self) -> usize {
        self.shares.taken()
    }

    /// How a webhook's deliveries stand at `now`; `None` if nobody has looked at it yet.
    pub fn standing(&self, number: WebhookNumber, now: UnixMs) -> Option<Standing> {
        let Some(lane) = self.lanes.get(&number) else { return self.standing_at_rest(number, now) };
        let standing = lane.standing(now);
        let waits = |account| [&self.shares, &self.leased].iter().any(|of| of.is_waiting(account, number));
        let has_no_place = || self.webhook(number).is_some_and(|it| waits(it.account));
        let wait = standing.wait.or_else(|| has_no_place().then(|| Why::NoPlace.for_now()));
        Some(Standing { wait, ..standing })
    }

    fn standing_at_rest(&self, number: WebhookNumber, now: UnixMs) -> Option<Standing> {
        let webhook = self.webhook(number).filter(|_| !self.is_ready.contains(&number))?;
        let tally = self.store.tally(number).ok()?;
        let rules = self.rules_of(&webhook);
        // What is pulled rests also while it has something, until somebody asks for it.
        let has_some = rules.is_pulled && tally.open() > 0;
        let lane = if has_some { Lane::new(rules, &tally, now) } else { Lane::at_rest(rules, &tally, now) };
        Some(lane.standing(now))
    }

    /// Places that are taken, and how many there are: of the quick and of the slow, who share theirs, and of what is pulled.
    pub fn places(&self) -> [(usize, usize); 3] {
        let [quick, slow] = self.shares.in_use();
        [quick, slow, (self.leased.taken(), LEASES_MAX)]
    }

    /// Webhooks that have a lane.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    fn look_at_all(&mut self) {
        let numbers = self.store.webhooks_with_open().unwrap_or_else(|error| {
            tracing::error!(%error, "what waits could not be looked for: every webhook is looked at");
            self.store.registry().webhook_numbers().collect()
        });
        for number in numbers {
            self.meters.oldest.may_have(number);
            self.make_ready(number);
        }
    }

    /// The webhook is deleted: its lane goes with the last that is out.
    fn let_go(&mut self, number: WebhookNumber) {
        if self.lanes.get(&number).is_some_and(|lane| lane.out() == 0) {
            self.lanes.remove(&number);
        }
    }

    fn make_ready(&mut self, number: WebhookNumber) {
        if self.is_ready.insert(number) {
            self.ready.push_back(number);
        }
    }

    /// The webhook; `None` once it is deleted, or its account is.
    fn webhook(&self, number: WebhookNumber) -> Option<Arc<Webhook>> {
        let registry = self.store.registry();
        let is_there = |webhook: &Arc<Webhook>| !webhook.is_deleted() && !registry.is_deleted(webhook.account);
        registry.webhook(number).filter(is_there)
    }

    fn rules_of(&self, webhook: &Webhook) -> Rules {
        // A webhook whose dialect was removed keeps its deliveries: they are tried, and say why they cannot be sent.
        let dialects = self.shelf.now();
        let dialect = dialects.get(&webhook.dialect).or(dialects.get("standard"));
        Rules::of(webhook, dialect.expect("standard is compiled in"))
    }

    fn lane_of(&mut self, webhook: &Webhook, now: UnixMs) -> Result<&mut Lane, StoreError> {
        let number = webhook.number();
        if !self.lanes.contains_key(&number) {
            self.let_rest(now);
            let tally: Tally = self.store.tally(number)?;
            self.lanes.insert(number, Lane::new(self.rules_of(webhook), &tally, now));
        }
        Ok(self.lanes.get_mut(&number).expect("it is there now"))
    }

    /// Where there are many lanes, those that rest go. One that is missed is made again, and knows only what the store does.
    fn let_rest(&mut self, now: UnixMs) {
        if self.lanes.len() >= self.lanes_max {
            self.lanes.retain(|_, lane| !lane.rests(now));
            self.lanes_max = (self.lanes.len() * 2).max(LANES_MIN);
        }
    }

    fn turn_of(&mut self, webhook: &Webhook, now: UnixMs) -> Result<Turn, StoreError> {
        let number = webhook.number();
        self.lane_of(webhook, now)?;
        let lane = self.lanes.get_mut(&number).expect("it is there now");
        if lane.is_full() {
            return Ok(Turn::Rest);
        }
        // How soon a consumer is done says nothing here: it has the lease for as long as it likes.
        let quick = lane.is_quick() && !lane.is_pulled();
        let taker = Taker { account: webhook.account, webhook: number, quick };
        let places = if lane.is_pulled() { &mut self.leased } else { &mut self.shares };
        if !places.may_take(taker) {
            places.wait(taker);
            return Ok(Turn::Rest);
        }
        if let Some(ahead_max) = lane.take_far_ahead()
            && self.store.latest_due(number)?.is_some_and(|at| at > now + ahead_max)
        {
            self.store.pull_in(number, now + ahead_max);
        }
        if lane.wants_limiter() {
            lane.take_limiter(self.allowances.limiter(number, now));
        }
        let turn = match lane.turn(now) {
            Turn::Read => {
                read_into(lane, &self.store, number, now)?;
                lane.turn(now)
            }
            turn => turn,
        };
        Ok(match turn {
            Turn::Send(delivery) => {
                places.take(taker, delivery.id, now);
                Turn::Send(delivery)
            }
            // Everything that was read is out already, and there may be more behind it.
            Turn::Read => Turn::Wait(now + 1),
            turn => turn,
        })
    }
}

fn read_into(lane: &mut Lane, store: &Store, number: WebhookNumber, now: UnixMs) -> Result<(), StoreError> {
    let wants = lane.wants(now);
    if wants.due > 0 {
        let due = store.due(number, lane.due_after(), now, wants.due, |id| lane.holds(id))?;
        let full = due.len() == wants.due;
        let next = if full {
            Some(now)
        } else {
            store.next_due(number, lane.due_after(), |id| lane.holds(id) || due.iter().any(|one| one.id == id))?
        };
        lane.take_due(due, next);
    }
    if wants.fresh > 0 {
        // From the start, those that are out are met again.
        let limit = wants.fresh + if lane.fresh_after().is_none() { lane.out() } else { 0 };
        let fresh = store.fresh(number, lane.fresh_after(), limit)?;
        let more = fresh.len() == limit;
        lane.take_fresh(fresh, more);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
