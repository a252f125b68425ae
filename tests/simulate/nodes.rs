//! Several nodes over one database, on machines whose clocks are hours apart. One of them serves; it is killed, ends in peace, or is held up
//! for longer than its lease lasts, and then another takes its place. Who wakes sends nothing, writes nothing and answers nothing, and
//! what was long on its way is not written behind another's back.

use std::sync::Arc;

use hookwheel::clock::{Clock, Dice};
use hookwheel::deliver::book::Unsent;
use hookwheel::deliver::schedule::Claim;
use hookwheel::dialect::Shelf;
use hookwheel::store::{Flaw, Member, OpenError, VirtualDatabase};

use crate::core::{Core, Place};
use crate::plan::{Kept, Plan, START};
use crate::world::World;

const HOUR_MS: i64 = 3_600_000;
/// By name, with how far ahead the clocks of their machines are.
const NODES: [(&str, i64); 3] = [("one", 0), ("two", HOUR_MS), ("three", -HOUR_MS)];
/// The longest that anything is on its way to the database.
const ON_THE_WAY_MAX: u64 = 8_000;
/// While nothing happens for longer, leases are renewed, and nothing else comes of it: their time stands still.
const SLOW_MS: u64 = 500;
/// A lease is renewed so often.
const RENEWAL_MS: u64 = 1_000;

/// What the nodes share, and those who were held up.
pub struct Nodes {
    pub database: VirtualDatabase,
    clock: Clock,
    /// Tells how long leases last.
    leases: Clock,
    /// When, by that, it was last time to.
    renewed_at: u64,
    flaw: Option<Flaw>,
    /// Tells the time of the one that serves, where that stands still for who is held up.
    own_time: Option<Clock>,
    serves: &'static str,
    held_up: Vec<HeldUp>,
}

/// A node that stopped in the middle, and knows nothing of it.
struct HeldUp {
    core: Core,
    /// What it had out.
    claims: Vec<Claim>,
}

impl Nodes {
    /// Over an empty database with this clock.
    pub fn new(clock: &Clock) -> Self {
        let leases = Clock::standing_at(START);
        let database = VirtualDatabase::by(clock.clone(), leases.clone());
        let (clock, flaw, own_time, held_up) = (clock.clone(), None, None, Vec::new());
        Self { database, clock, leases, renewed_at: START, flaw, own_time, serves: "one", held_up }
    }

    fn plant(&mut self, flaw: Flaw) {
        self.database.plant(flaw);
        self.flaw = Some(flaw);
    }

    /// A process of this node begins to serve, if nobody else does. Gives the clock that it goes by.
    pub fn open(
        &mut self,
        name: &'static str,
        (plan, place): (&Plan, &Place),
        dialects: &Arc<Shelf>,
        dice: Dice,
    ) -> Result<(Core, Clock), OpenError> {
        let (_, ahead_ms) = NODES.into_iter().find(|(node, _)| *node == name).expect("it is one of them");
        let own_time = (self.flaw == Some(Flaw::LateRenewal)).then(|| Clock::standing_at(self.leases.now()));
        let told_by = own_time.clone().unwrap_or_else(|| self.leases.of_another(ahead_ms));
        let member = Member::of_virtual(self.database.clone(), name, told_by);
        // Another clock of the same machine: the server's, which goes by the database's once the store is open.
        let clock = self.clock.of_another(ahead_ms);
        let core = Core::open_on(&member, (plan, place), &clock, dialects, dice)?;
        (self.serves, self.own_time) = (name, own_time);
        Ok((core, clock))
    }
}

impl World {
    /// Plants what the run is to find. It is in force from the next process on.
    fn plant(&mut self, flaw: Flaw) {
        self.nodes.as_mut().expect("several nodes share the store").plant(flaw);
    }

    fn nodes(&mut self) -> &mut Nodes {
        self.nodes.as_mut().expect("several nodes share the store")
    }

    /// Time goes on. A node that serves renews its lease meanwhile. Gives what time it is.
    pub fn go_on_to(&mut self, next: u64) -> u64 {
        if self.plan.kept != Kept::Database || next > self.clock.now() + SLOW_MS {
            self.clock.turn_to(next);
            return next;
        }
        self.pass(next - self.clock.now());
        let now = self.nodes().leases.now();
        if now >= self.nodes().renewed_at + RENEWAL_MS {
            self.nodes().renewed_at = now;
            self.commit();
        }
        self.clock.now()
    }

    fn pass(&mut self, ms: u64) {
        self.clock.turn_to(self.clock.now() + ms);
        let nodes = self.nodes();
        nodes.leases.turn_to(nodes.leases.now() + ms);
        if let Some(own_time) = &nodes.own_time {
            own_time.turn_to(nodes.leases.now());
        }
    }

    /// How long a write takes at most.
    pub fn longest_write_ms(&self) -> u64 {
        if self.plan.kept == Kept::Database { ON_THE_WAY_MAX } else { 500 }
    }

    /// Whether the core that dies now says so to the others.
    pub fn ends_in_peace(&mut self) -> bool {
        self.plan.kept == Kept::Database && self.throw(2) == 0
    }

    /// What is said to the database next is long on its way.
    pub fn hold_up_database(&mut self) {
        let ms = self.dice.bits() % ON_THE_WAY_MAX;
        self.nodes().database.hold_up_next(ms);
    }

    /// One of the nodes serves, once it may.
    pub fn core_of_some_node(&mut self, dice: Dice) -> Core {
        let (name, _) = NODES[self.throw(NODES.len())];
        self.core_of(name, dice)
    }

    fn core_of(&mut self, name: &'static str, mut dice: Dice) -> Core {
        loop {
            match self.open_on(name, Dice::seeded(dice.bits())) {
                Ok(core) => return core,
                Err(left_ms) => self.pass(left_ms.max(1)),
            }
        }
    }

    /// Says for how long another has the store, if one does.
    fn open_on(&mut self, name: &'static str, dice: Dice) -> Result<Core, u64> {
        let nodes = self.nodes.as_mut().expect("several nodes share the store");
        match nodes.open(name, (&self.plan, &self.place), &self.dialects, dice) {
            Ok((core, clock)) => {
                self.clock = clock;
                Ok(core)
            }
            Err(OpenError::Held { left_ms, .. }) => Err(left_ms),
            Err(error) => panic!("{error}"),
        }
    }

    fn some_other_node(&mut self) -> &'static str {
        let serves = self.nodes().serves;
        let others: Vec<_> = NODES.iter().map(|(name, _)| *name).filter(|name| *name != serves).collect();
        others[self.throw(others.len())]
    }

    /// The node that serves is held up, and another takes its place.
    pub fn hold_up_node(&mut self) {
        self.commit();
        let (claims, dice) = (self.forget_flights(), Dice::seeded(self.dice.bits()));
        // Its own time is not turned with that of the others any more, if it stands still.
        self.nodes().own_time = None;
        let other = self.some_other_node();
        let other = self.core_of(other, dice);
        let core = std::mem::replace(&mut self.core, other);
        self.nodes().held_up.push(HeldUp { core, claims });
        let later = self.dice.bits() % ON_THE_WAY_MAX;
        self.wake_in(later);
    }

    /// Another node would serve, and must not as long as the one that does is well.
    pub fn knock(&mut self) {
        self.commit();
        let (other, dice) = (self.some_other_node(), Dice::seeded(self.dice.bits()));
        assert!(self.open_on(other, dice).is_err(), "two nodes serve at once");
    }

    /// Somebody wakes, and goes on where it was.
    pub fn wake_node(&mut self) {
        let owners = self.nodes().database.owners();
        let HeldUp { mut core, mut claims } = self.nodes().held_up.pop().expect("it was held up");
        claims.extend(core.pass());
        for claim in claims {
            let event = core.store.event_to_send(1, claim.delivery.event);
            assert!(event.is_err(), "who was taken from sends {:?}", claim.delivery.id);
            core.enter(&claim, Some(Err(Unsent::Ours("it has no event".into()))));
        }
        let event = self.some_event(None);
        let mut going = core.publish(vec![event]);
        let said = going.poll();
        core.committer.step();
        let said = said.or_else(|| going.poll());
        assert!(matches!(said, Some(Err(_))), "who was taken from answers {said:?}");
        assert_eq!(self.nodes().database.owners(), owners, "it is not the owner again");
        core.committer.let_go();
    }

    /// No two owners' groups are mixed, and none is left out.
    pub fn check_nodes(&self) {
        let mixed = self.nodes.as_ref().map_or(Vec::new(), |nodes| nodes.database.mixed());
        assert!(mixed.is_empty(), "{mixed:?}");
    }
}

/// Runs a seed in which something is wrong, and says whether that is found.
pub fn is_found(flaw: Flaw, seed: u64) -> bool {
    let run = move || {
        let mut world = World::new(Plan::on_nodes(seed));
        world.plant(flaw);
        world.run();
        world.check();
    };
    std::panic::catch_unwind(run).is_err()
}
