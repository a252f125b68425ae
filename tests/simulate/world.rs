//! The world of a simulation: endpoints with moods, an agenda of what people do and what breaks, and what is under way. What
//! happens is told to the oracle.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use hookwheel::clock::{Clock, Dice};
use hookwheel::dialect::{Dialects, Shelf};
use hookwheel::domain::delivery::Delivery;
use hookwheel::domain::id::{DeliveryId, EventId, WebhookId, WebhookNumber};
use hookwheel::domain::retry::RetrySchedule;
use hookwheel::domain::time::UnixMs;
use hookwheel::domain::webhook::Webhook;
use hookwheel::store::{Refusal, Staging, Store};

use crate::consumers::Consumers;
use crate::core::{Core, Place, Told};
use crate::faults::{Damaged, Loss};
use crate::flights::{Flight, Mood};
use crate::nodes::Nodes;
use crate::oracle::Oracle;
use crate::plan::{Kept, PUBLISHING, Plan, START};
use crate::spared::Spared;

const MINUTE: u64 = 60_000;

pub struct World {
    pub plan: Plan,
    pub place: Place,
    pub clock: Clock,
    pub dice: Dice,
    pub dialects: Arc<Shelf>,
    pub core: Core,
    pub oracle: Oracle,
    pub webhooks: Vec<WebhookId>,
    pub moods: HashMap<WebhookNumber, Mood>,
    /// The order key of each event that has one.
    pub keys: HashMap<EventId, u64>,
    pub flights: HashMap<u64, Flight>,
    pub ends: BinaryHeap<Reverse<(UnixMs, u64)>>,
    pub flight_number: u64,
    agenda: BinaryHeap<Reverse<(UnixMs, u64, Deed)>>,
    /// When the commit thread was last asked whether it has something to do.
    upkept_at: UnixMs,
    /// When the commit thread syncs outcomes that nobody waits for.
    pub sync_at: Option<UnixMs>,
    /// What is to be lost once something is not synced.
    pub loss: Option<Loss>,
    /// What the oracle knew when all was synced before that.
    pub remembered: Option<Oracle>,
    /// With what was lost, and nobody has noticed yet.
    pub has_database_ended: bool,
    pub damaged: Damaged,
    pub consumers: Consumers,
    /// Who shares the store, if it is in a database.
    pub nodes: Option<Nodes>,
    /// Retries that were held to be on time.
    pub timely: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Publish,
    Crash,
    Mood,
    Pause,
    EnableAll,
    Replay,
    Unhold,
    FailWrite,
    Lose(Loss),
    Damage,
    Job,
    SetWall,
    HoldUpNode,
    WakeNode,
    Knock,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let place = Place::of(&plan);
        let clock = Clock::standing_at(START);
        let dialects = Arc::new(Shelf::new(Dialects::shipped()));
        let mut dice = Dice::seeded(plan.seed);
        let mut nodes = (plan.kept == Kept::Database).then(|| Nodes::new(&clock));
        let first = Dice::seeded(dice.bits());
        let (core, clock) = match &mut nodes {
            Some(nodes) => nodes.open("one", (&plan, &place), &dialects, first).expect("nobody else is there"),
            None => (Core::open(&plan, &place, &clock, &dialects, first), clock),
        };
        let mut world = Self {
            plan,
            place,
            clock,
            dice,
            dialects,
            core,
            oracle: Oracle::default(),
            webhooks: Vec::new(),
            moods: HashMap::new(),
            keys: HashMap::new(),
            flights: HashMap::new(),
            ends: BinaryHeap::new(),
            flight_number: 0,
            agenda: BinaryHeap::new(),
            upkept_at: START,
            sync_at: None,
            loss: None,
            remembered: None,
            has_database_ended: false,
            damaged: Damaged::default(),
            consumers: Consumers::default(),
            nodes,
            timely: 0,
        };
        world.found();
        world.plan_deeds();
        world
    }

    /// The account and its webhooks.
    fn found(&mut self) {
        self.now(|staging| staging.create_account(Store::default_account("standard")));
        for n in 0..self.plan.webhooks {
            let webhook = self.some_webhook(n);
            let webhook = self.now(move |staging| staging.create_webhook(webhook.clone(), None));
            self.webhooks.push(webhook.id);
            if webhook.is_pulled() {
                self.consumers.add(webhook.number());
            }
            self.moods.insert(webhook.number(), Mood::Well);
            self.oracle.spared.insert(webhook.number(), Spared::default());
        }
    }

    fn plan_deeds(&mut self) {
        let deeds = [
            (Deed::Publish, self.plan.events / self.plan.batch),
            (Deed::Crash, self.plan.crashes),
            (Deed::Mood, self.plan.webhooks * 6),
            (Deed::Pause, self.throw(4)),
            (Deed::EnableAll, 8),
            (Deed::Replay, self.throw(10)),
            (Deed::Unhold, self.throw(3)),
            (Deed::FailWrite, self.plan.failures),
            (Deed::Lose(Loss::Sync), if self.nodes.is_some() { 0 } else { self.plan.losses }),
            (Deed::Lose(Loss::Power), self.plan.losses),
            (Deed::Damage, self.plan.damages),
            (Deed::Job, self.plan.jobs),
            (Deed::SetWall, self.plan.walls),
            (Deed::HoldUpNode, self.nodes.as_ref().map_or(0, |_| 3)),
            (Deed::Knock, self.nodes.as_ref().map_or(0, |_| 3)),
        ];
        let mut number = 0;
        for (deed, times) in deeds {
            for _ in 0..times {
                let at = START + self.dice.bits() % PUBLISHING;
                self.agenda.push(Reverse((at, number, deed)));
                number += 1;
            }
        }
    }

    /// Runs until nothing is left to happen.
    pub fn run(&mut self) {
        self.look();
        while let Some(next) = self.next_time() {
            let now = self.go_on_to(next.max(self.clock.now()));
            // Most turns of the wheel only move entries on: then upkeep need not be asked each time either.
            if self.is_busy(now) || now >= self.upkept_at + MINUTE || now < self.upkept_at {
                self.upkept_at = now;
                self.do_deeds();
                self.land_flights();
            }
            self.look();
        }
    }

    /// In so many milliseconds somebody wakes who was held up.
    pub fn wake_in(&mut self, ms: u64) {
        self.agenda.push(Reverse((self.clock.now() + ms, u64::MAX, Deed::WakeNode)));
    }

    fn is_busy(&self, now: UnixMs) -> bool {
        let deed = self.agenda.peek().is_some_and(|Reverse((at, ..))| *at <= now);
        let end = self.ends.peek().is_some_and(|Reverse((at, _))| *at <= now);
        deed || end || self.sync_at.is_some_and(|at| at <= now)
    }

    fn next_time(&self) -> Option<UnixMs> {
        let deed = self.agenda.peek().map(|Reverse((at, ..))| *at);
        let end = self.ends.peek().map(|Reverse((at, _))| *at);
        [deed, end, self.sync_at, self.core.next_pass()].into_iter().flatten().min()
    }

    fn do_deeds(&mut self) {
        while let Some(Reverse((at, _, deed))) = self.agenda.peek().copied()
            && at <= self.clock.now()
        {
            self.agenda.pop();
            match deed {
                Deed::Publish => self.publish(),
                Deed::Crash => self.crash(),
                Deed::Mood => self.change_mood(),
                Deed::Pause => self.pause(),
                Deed::EnableAll => self.enable_all(),
                Deed::Replay => self.replay(),
                Deed::Unhold => self.unhold(),
                Deed::FailWrite => self.fail_write(),
                Deed::Lose(loss) => self.lose(loss),
                Deed::Damage => self.damage(),
                Deed::Job => self.start_job(),
                Deed::SetWall => self.set_wall(),
                Deed::HoldUpNode => self.hold_up_node(),
                Deed::WakeNode => self.wake_node(),
                Deed::Knock => self.knock(),
            }
        }
    }

    /// Makes a change and commits it.
    pub fn now<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Clone + Send + 'static,
    ) -> T {
        self.ask(change).unwrap()
    }

    /// Asks for a change. Whoever is told that the store failed asks again.
    pub fn ask<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Clone + Send + 'static,
    ) -> Result<T, Refusal> {
        loop {
            let asked = self.core.store.submit(change.clone());
            self.commit();
            match asked.and_then(|mut answer| answer.try_recv().expect("the committer answers")) {
                Err(Refusal::Failed(_)) => {}
                answer => return answer,
            }
        }
    }

    /// Commits what waits. The oracle hears of each group before the next one.
    pub fn commit(&mut self) {
        while self.step() {}
    }

    /// One group. Says whether there was anything to do.
    pub fn step(&mut self) -> bool {
        self.remember();
        let has_stepped = self.core.committer.step();
        self.core.told().into_iter().for_each(|told| self.hear(told));
        if has_stepped {
            self.learn_from_job();
        }
        has_stepped
    }

    fn hear(&mut self, told: Told) {
        if told.reopened {
            self.reopened();
        }
        told.settled.into_iter().for_each(|settled| self.note(settled));
    }

    /// The engine looks, and what it hands out takes off. Consumers who were given something ask again.
    fn look(&mut self) {
        let now = self.clock.now();
        loop {
            self.pull();
            let claims = self.core.pass();
            self.core.take_broken_off().into_iter().for_each(|number| self.break_off(number));
            let is_pulled = claims.iter().any(|claim| claim.webhook.is_pulled());
            for claim in claims {
                self.take_off(claim, now);
            }
            if !is_pulled {
                return;
            }
        }
    }

    /// A delivery as it is stored; none if it is not kept any more or cannot be read.
    pub fn stored(&self, id: DeliveryId) -> Option<Delivery> {
        let stored = self.core.store.delivery(id);
        if self.damaged.deliveries.contains(&id) { stored.ok().flatten() } else { stored.unwrap() }
    }

    pub fn webhook(&self, number: WebhookNumber) -> Arc<Webhook> {
        self.core.store.registry().webhook(number).unwrap().clone()
    }

    pub fn schedule(&self, number: WebhookNumber) -> RetrySchedule {
        let webhook = self.webhook(number);
        let dialects = self.dialects.now();
        webhook.retry.clone().unwrap_or_else(|| dialects.get(&webhook.dialect).unwrap().retry.clone())
    }

    pub fn some_id(&mut self) -> WebhookId {
        let n = self.throw(self.webhooks.len());
        self.webhooks[n]
    }

    pub fn throw(&mut self, sides: usize) -> usize {
        (self.dice.bits() % sides as u64) as usize
    }
}
