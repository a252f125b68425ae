//! What breaks: the core dies, the power is cut, a write or a sync fails, a row is damaged, a clock is set.

use std::collections::{HashMap, HashSet};

use hookwheel::clock::Dice;
use hookwheel::deliver::schedule::Claim;
use hookwheel::domain::backoff::RETRY_AFTER_MS_MAX;
use hookwheel::domain::id::{DeliveryId, EventId, WebhookNumber};
use hookwheel::domain::time::DAY_MS;
use hookwheel::store::Fault;

use crate::core::Core;
use crate::flights::Flight;
use crate::plan::{HOUR, Kept};
use crate::world::World;

/// Trees that hold what belongs to one delivery or event, and nothing else.
const DAMAGED: [&str; 6] = ["fresh", "waiting", "blocked", "closed", "attempts", "events"];

/// How what is not synced gets lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// The next sync fails, and loses it.
    Sync,
    /// The power is cut.
    Power,
}

/// What some row of was damaged.
#[derive(Default)]
pub struct Damaged {
    pub deliveries: HashSet<DeliveryId>,
    /// Deliveries that have lost an attempt's record.
    pub attempts: HashSet<DeliveryId>,
    pub events: HashSet<EventId>,
}

impl Damaged {
    pub fn is_nothing(&self) -> bool {
        self.deliveries.is_empty() && self.attempts.is_empty() && self.events.is_empty()
    }
}

impl World {
    /// The core dies: what was out is forgotten, and goes out again. The next one may have another time on its clock.
    pub fn crash(&mut self) {
        self.die();
        if self.plan.jumps {
            match self.throw(3) {
                0 => self.clock.turn_to(self.clock.now() + HOUR),
                1 => self.set_back(HOUR),
                _ => {}
            }
        }
        self.start();
    }

    /// The core dies, and starts again at once.
    pub fn restart(&mut self) {
        self.die();
        self.start();
    }

    fn die(&mut self) {
        drop(self.forget_flights());
        if self.ends_in_peace() { self.core.committer.close() } else { self.core.committer.let_go() }
    }

    /// What is out is not known of any more. Gives what it was.
    pub fn forget_flights(&mut self) -> Vec<Claim> {
        if self.has_database_ended {
            // Before anybody noticed.
            self.go_back();
        }
        self.ends.clear();
        self.oracle.crashed();
        std::mem::take(&mut self.flights).into_values().map(Flight::into_claim).collect()
    }

    fn start(&mut self) {
        let dice = Dice::seeded(self.dice.bits());
        self.core = match self.plan.kept {
            Kept::Database => self.core_of_some_node(dice),
            Kept::Memory | Kept::Disk => Core::open(&self.plan, &self.place, &self.clock, &self.dialects, dice),
        };
    }

    fn set_back(&mut self, by: u64) {
        let now = self.clock.now() - by;
        self.clock.turn_to(now);
        let ahead: HashMap<WebhookNumber, u64> =
            self.webhooks.iter().map(|id| (id.number(), self.schedule(id.number()).longest_ms())).collect();
        self.oracle.set_back(now, |webhook| ahead[&webhook].max(RETRY_AFTER_MS_MAX));
    }

    /// Somebody sets the wall clock while the core runs.
    pub fn set_wall(&mut self) {
        let ahead = self.clock.wall() as i64 - self.clock.now() as i64;
        let to = [0, HOUR as i64, -(HOUR as i64), 3 * DAY_MS as i64, -3 * (DAY_MS as i64)][self.throw(5)];
        self.clock.set_wall_ahead(to - ahead);
    }

    /// The next write fails, unless a loss is under way, or is long on its way.
    pub fn fail_write(&mut self) {
        match self.plan.kept {
            Kept::Memory if self.loss.is_none() => self.place.memory().fail_once(Fault::Write),
            Kept::Database => self.hold_up_database(),
            Kept::Memory | Kept::Disk => {}
        }
    }

    /// What is not synced at some moment from now on is lost, unless another loss is under way.
    pub fn lose(&mut self, loss: Loss) {
        if self.loss.is_none() {
            self.loss = Some(loss);
        }
    }

    /// Before something is written: what a loss will go back to.
    pub fn remember(&mut self) {
        let Some(loss) = self.loss.filter(|_| self.core.store.is_open() && self.is_synced()) else {
            return;
        };
        if self.has_database_ended {
            return;
        }
        self.remembered = Some(self.oracle.clone());
        if loss == Loss::Sync {
            self.place.memory().fail_once(Fault::Sync);
        }
    }

    /// Whether a power cut, or the end of the database, would lose nothing.
    pub fn is_synced(&self) -> bool {
        self.nodes.as_ref().map_or_else(|| self.place.is_synced(), |nodes| nodes.database.is_synced())
    }

    /// The store has opened itself again. After a failed sync, or the end of its database, nothing is there that was written since the last
    /// good one.
    pub fn reopened(&mut self) {
        if (self.loss == Some(Loss::Sync) || self.has_database_ended) && self.go_back() {
            self.check_nothing_is_lost();
        }
    }

    /// What was written since the last sync is lost. Says whether anything was to be.
    fn go_back(&mut self) -> bool {
        let Some(past) = self.remembered.take() else { return false };
        (self.loss, self.has_database_ended) = (None, false);
        self.oracle.go_back(past);
        true
    }

    pub fn cut_power_if_due(&mut self) {
        if self.loss != Some(Loss::Power) || self.is_synced() || self.has_database_ended {
            return;
        }
        if let Some(nodes) = self.nodes.as_ref().filter(|_| self.remembered.is_some()) {
            // The node goes on, and finds that out.
            nodes.database.end();
            self.has_database_ended = true;
            return;
        }
        if self.go_back() {
            self.die();
            self.place.memory().lose_unsynced();
            self.start();
            self.check_nothing_is_lost();
        }
    }

    /// All that the oracle knows is there: it knows what was synced.
    fn check_nothing_is_lost(&self) {
        for (id, seen) in &self.oracle.seen {
            match self.stored(*id) {
                Some(stored) => {
                    assert_eq!(stored.attempts, seen.recorded, "an attempt of {id} was recorded and is lost")
                }
                None => assert!(self.may_be_lost(*id), "{id} is lost"),
            }
        }
    }

    /// Whether it may be gone: somebody takes what ended, or it was damaged.
    pub fn may_be_lost(&self, id: DeliveryId) -> bool {
        self.may_be_gone() || self.is_damaged(id) || self.oracle.seen[&id].is_lost
    }

    /// Whether its row was damaged, or its event's.
    pub fn is_damaged(&self, id: DeliveryId) -> bool {
        self.damaged.deliveries.contains(&id) || self.damaged.events.contains(&self.oracle.seen[&id].event)
    }

    /// A bit of some row flips, or of several that lie together.
    pub fn damage(&mut self) {
        let tree = DAMAGED[self.throw(DAMAGED.len())];
        let delivery = |bytes: &[u8]| DeliveryId(u128::from_be_bytes(bytes.try_into().unwrap()));
        for key in self.place.memory().damage(tree, self.dice.bits()) {
            match tree {
                "events" => drop(self.damaged.events.insert(EventId(delivery(&key[4..20]).0))),
                "attempts" => drop(self.damaged.attempts.insert(delivery(&key[..16]))),
                _ => drop(self.damaged.deliveries.insert(delivery(&key[4..20]))),
            }
        }
    }
}
