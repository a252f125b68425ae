//! The world of a simulation: endpoints with moods, and an agenda of publishes, crashes, clock jumps and people who
//! pause, enable, replay and change their minds. What happens is told to the oracle.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use hookwheel::clock::{Clock, Dice};
use hookwheel::deliver::schedule::Claim;
use hookwheel::deliver::verdict::{Made, verdict};
use hookwheel::deliver::wheel::TICK_MS;
use hookwheel::dialect::{Dialects, Shelf};
use hookwheel::domain::backoff::RETRY_AFTER_MS_MAX;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, DeliveryState, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::{DeliveryId, EventId, WebhookId, WebhookNumber};
use hookwheel::domain::order::{KeyPath, OnDead, Order};
use hookwheel::domain::retry::RetrySchedule;
use hookwheel::domain::stats::{Counts, Series, Span, Step};
use hookwheel::domain::time::{DAY_MS, UnixMs};
use hookwheel::domain::webhook::{EventFilter, Status, Webhook};
use hookwheel::store::{NewEvent, Settled, Store};

use crate::core::{Core, Place};
use crate::oracle::{Oracle, Turn};
use crate::plan::{HOUR, PUBLISHING, Plan, START};
use crate::spared::{Said, Spared};

/// The longest pause that an endpoint here asks for.
const RETRY_AFTER_MAX: u64 = 30_000;
const MINUTE: u64 = 60_000;
const TYPES: [&str; 4] = ["task.created", "task.updated", "comment.created", "ping"];
const FILTERS: [&str; 5] = ["task.created", "task.*", "comment.created", "*", "nothing.at.all"];

/// An endpoint behaves by its mood, which changes with the hours.
#[derive(Clone, Copy)]
enum Mood {
    Well,
    Flaky,
    Down,
    Hanging,
    Busy,
    Gone,
}

struct Flight {
    claim: Claim,
    made: Made,
}

pub struct World {
    plan: Plan,
    place: Place,
    clock: Clock,
    dice: Dice,
    dialects: Arc<Shelf>,
    core: Core,
    oracle: Oracle,
    webhooks: Vec<WebhookId>,
    moods: HashMap<WebhookNumber, Mood>,
    /// The order key of each event that has one.
    keys: HashMap<EventId, u64>,
    flights: HashMap<u64, Flight>,
    ends: BinaryHeap<Reverse<(UnixMs, u64)>>,
    flight_number: u64,
    agenda: BinaryHeap<Reverse<(UnixMs, u64, Deed)>>,
    /// When the commit thread was last asked whether it has something to do.
    upkept_at: UnixMs,
    /// Retries that were held to be on time.
    timely: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Publish,
    Crash,
    Mood,
    Pause,
    EnableAll,
    Replay,
    Unhold,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let place = Place::of(&plan);
        let clock = Clock::standing_at(START);
        let dialects = Arc::new(Shelf::new(Dialects::shipped()));
        let core = Core::open(&plan, &place, &clock, &dialects);
        let dice = Dice::seeded(plan.seed);
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
            timely: 0,
        };
        world.found();
        world.plan_deeds();
        world
    }

    /// The account and its webhooks.
    fn found(&mut self) {
        self.core.now(|staging| staging.create_account(Store::default_account("standard")));
        for n in 0..self.plan.webhooks {
            let webhook = self.some_webhook(n);
            let webhook = self.core.now(move |staging| staging.create_webhook(webhook, None));
            self.webhooks.push(webhook.id);
            self.moods.insert(webhook.number(), Mood::Well);
            self.oracle.spared.insert(webhook.number(), Spared::default());
        }
    }

    fn some_webhook(&mut self, n: usize) -> Webhook {
        let dialect = if n.is_multiple_of(2) { "standard" } else { "taskflow" };
        let filter = match self.plan.narrow() {
            true => format!("kind{}.*", n / 2),
            false => FILTERS[self.throw(FILTERS.len())].to_string(),
        };
        let url = EndpointUrl::parse("https://example.com/", false).unwrap();
        let retry = RetrySchedule { delay_seconds: vec![1, 60, 3600], jitter_percent: 50 };
        let order = self.some_order();
        Webhook {
            max_in_flight: Some(if self.plan.roomy { 100_000 } else { 1 + self.throw(3) as u32 }),
            // One that dies after days, with hundreds behind it, would take a run through years.
            retry: (order.is_some() || self.throw(3) == 0).then_some(retry),
            order,
            disable: self.some_rule(),
            ..Webhook::new(1, dialect, url, vec![EventFilter::parse(&filter).unwrap()])
        }
    }

    fn some_order(&mut self) -> Option<Order> {
        let on_dead = if self.throw(2) == 0 { OnDead::Skip } else { OnDead::Hold };
        match self.throw(6) {
            0 => Some(Order { key: None, on_dead }),
            1 | 2 => Some(Order { key: Some(KeyPath::parse("data.k").unwrap()), on_dead }),
            _ => None,
        }
    }

    fn some_rule(&mut self) -> Option<DisableRule> {
        let rule = DisableRule {
            gone: self.throw(2) == 0,
            exhausted: self.throw(3) == 0,
            consecutive_failures: (self.throw(2) == 0).then(|| 3 + self.throw(20) as u32),
            failing_seconds: (self.throw(2) == 0).then(|| 600 + self.throw(7200) as u64),
            probe_after_seconds: (self.throw(2) == 0).then(|| 60 + self.throw(3600) as u64),
        };
        (self.throw(2) == 0).then_some(rule)
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
            let now = next.max(self.clock.now());
            self.clock.turn_to(now);
            // Most turns of the wheel only move entries on: then upkeep need not be asked each time either.
            if self.is_busy(now) || now >= self.upkept_at + MINUTE || now < self.upkept_at {
                self.upkept_at = now;
                self.do_deeds();
                self.land_flights();
            }
            self.look();
        }
    }

    fn is_busy(&self, now: UnixMs) -> bool {
        let deed = self.agenda.peek().is_some_and(|Reverse((at, ..))| *at <= now);
        deed || self.ends.peek().is_some_and(|Reverse((at, _))| *at <= now)
    }

    fn next_time(&self) -> Option<UnixMs> {
        let deed = self.agenda.peek().map(|Reverse((at, ..))| *at);
        let end = self.ends.peek().map(|Reverse((at, _))| *at);
        [deed, end, self.core.scheduler.next_turn()].into_iter().flatten().min()
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
            }
        }
    }

    fn publish(&mut self) {
        let mut keys = Vec::new();
        let mut events = Vec::new();
        for _ in 0..self.plan.batch {
            let key = (self.throw(5) > 0).then(|| self.throw(3) as u64);
            keys.push(key);
            events.push(self.some_event(key));
        }
        let accepted = self.core.now(move |staging| staging.accept(1, events, None));
        for (accepted, key) in accepted.into_iter().zip(keys) {
            self.keys.extend(key.map(|key| (accepted.id, key)));
            let Some(event) = self.core.store.event(1, accepted.id).unwrap() else {
                assert!(accepted.deliveries == 0 && self.may_be_gone(), "an accepted event is there");
                continue;
            };
            assert_eq!(event.webhooks.len(), accepted.deliveries);
            for id in event.deliveries() {
                let place = self.key_of(id.webhook(), event.id).map(|key| (key, id));
                self.oracle.made(id, place);
            }
        }
    }

    fn some_event(&mut self, key: Option<u64>) -> NewEvent {
        let event_type = match self.plan.narrow() {
            true => format!("kind{}.done", self.throw(self.plan.webhooks / 2)),
            false => TYPES[self.throw(TYPES.len())].to_string(),
        };
        NewEvent {
            name: None,
            event_type,
            created_at: None,
            data: key.map_or(r#"{"n":1}"#.into(), |key| format!(r#"{{"k":"{key}"}}"#)).into(),
            actor: None,
            metadata: None,
            test: false,
            fingerprint: None,
        }
    }

    /// The order key of an event at a webhook.
    fn key_of(&self, webhook: WebhookNumber, event: EventId) -> Option<u64> {
        let order = self.webhook(webhook).order.clone()?;
        if order.key.is_none() { Some(0) } else { self.keys.get(&event).copied() }
    }

    /// The core dies: what was out is forgotten, and goes out again. The next one may have another time on its clock.
    fn crash(&mut self) {
        self.flights.clear();
        self.ends.clear();
        self.oracle.crashed();
        self.core.committer.let_go();
        if self.plan.jumps {
            match self.throw(3) {
                0 => self.clock.turn_to(self.clock.now() + HOUR),
                1 => self.set_back(HOUR),
                _ => {}
            }
        }
        self.core = Core::open(&self.plan, &self.place, &self.clock, &self.dialects);
    }

    fn set_back(&mut self, by: u64) {
        let now = self.clock.now() - by;
        self.clock.turn_to(now);
        let ahead: HashMap<WebhookNumber, u64> =
            self.webhooks.iter().map(|id| (id.number(), self.schedule(id.number()).longest_ms())).collect();
        self.oracle.set_back(now, |webhook| ahead[&webhook].max(RETRY_AFTER_MS_MAX));
    }

    fn schedule(&self, number: WebhookNumber) -> RetrySchedule {
        let webhook = self.webhook(number);
        let dialects = self.dialects.now();
        webhook.retry.clone().unwrap_or_else(|| dialects.get(&webhook.dialect).unwrap().retry.clone())
    }

    fn change_mood(&mut self) {
        let webhook = self.some_id().number();
        let moods = [Mood::Well, Mood::Well, Mood::Flaky, Mood::Down, Mood::Hanging, Mood::Busy, Mood::Gone];
        let mood = moods[self.throw(moods.len())];
        self.moods.insert(webhook, mood);
    }

    fn pause(&mut self) {
        let id = self.some_id();
        self.change(id, |webhook, now| webhook.status = Status::Paused { since: now });
        self.oracle.decided(id.number());
    }

    fn enable_all(&mut self) {
        for id in self.webhooks.clone() {
            let is_gone = matches!(self.moods[&id.number()], Mood::Gone);
            if !self.webhook(id.number()).is_active() && !is_gone {
                self.change(id, |webhook, _| webhook.status = Status::Active);
                // Somebody says that it is well again.
                self.oracle.spared.get_mut(&id.number()).unwrap().forgiven();
                self.oracle.decided(id.number());
            }
        }
    }

    /// Somebody replays a dead letter.
    fn replay(&mut self) {
        let id = self.some_id();
        let dead: Vec<_> = self.core.all_deliveries(id.number());
        let dead: Vec<_> = dead.into_iter().filter(|one| one.state == DeliveryState::Dead).collect();
        if dead.is_empty() {
            return;
        }
        let old = dead[self.throw(dead.len())].clone();
        let new = self.core.now(move |staging| staging.replay(1, id, old.id));
        let stood = self.oracle.seen[&old.id]
            .place
            .filter(|(key, place)| self.oracle.orders[&(id.number(), *key)][place] == Turn::Holding);
        let own = self.key_of(id.number(), old.event).map(|key| (key, new));
        self.oracle.made(new, stood.or(own));
    }

    /// Somebody lets go on what waits behind a dead letter.
    fn unhold(&mut self) {
        let id = self.some_id();
        self.change(id, |webhook, _| {
            if let Some(order) = &mut webhook.order {
                order.on_dead = OnDead::Skip;
            }
        });
        if self.webhook(id.number()).order.is_some() {
            self.oracle.nothing_holds(id.number());
        }
    }

    fn change(&mut self, id: WebhookId, change: impl FnOnce(&mut Webhook, UnixMs) + Send + 'static) {
        self.core.now(move |staging| {
            staging.update_webhook(1, id, |webhook, now| {
                change(webhook, now);
                Ok(())
            })
        });
        self.oracle.spared.get_mut(&id.number()).unwrap().ever = true;
    }

    fn webhook(&self, number: WebhookNumber) -> Arc<Webhook> {
        self.core.store.registry().webhook(number).unwrap().clone()
    }

    fn land_flights(&mut self) {
        while let Some(Reverse((at, number))) = self.ends.peek().copied()
            && at <= self.clock.now()
        {
            self.ends.pop();
            let Flight { claim, made } = self.flights.remove(&number).unwrap();
            self.is_landing(claim.delivery.id);
            let dialect = self.dialects.now().get(&claim.webhook.dialect).unwrap().clone();
            let settlement = verdict(&claim, &dialect, made, self.dice.fraction());
            self.core.store.settle(settlement);
        }
        self.core.commit();
        for settled in self.core.hear() {
            self.note(settled);
        }
    }

    /// What is not kept any more says nothing, and what was cancelled decides nothing.
    fn is_landing(&mut self, id: DeliveryId) {
        let stored = self.core.store.delivery(id).unwrap();
        let seen = self.oracle.seen.get_mut(&id).unwrap();
        seen.probe &= stored.as_ref().is_some_and(|delivery| delivery.state.is_open());
        if stored.is_none() {
            seen.said = Some(Said::Nothing);
        }
    }

    /// The oracle takes in what was recorded of a delivery.
    fn note(&mut self, settled: Settled) {
        let id = settled.delivery;
        let webhook = self.webhook(id.webhook());
        self.check_rule(&webhook);
        self.note_strain(settled, &webhook);
        let Some(delivery) = self.core.store.delivery(id).unwrap() else { return self.note_gone(id) };
        let seen = self.oracle.seen.get_mut(&id).unwrap();
        assert_eq!(delivery.attempts, seen.attempts, "every attempt is recorded once");
        seen.out = false;
        seen.ended = !delivery.state.is_open();
        if let Some(next) = delivery.next_attempt_at {
            let latest = delivery.latest_attempt().unwrap();
            let schedule = self.schedule(id.webhook());
            let delay = schedule.delay_seconds[usize::from(delivery.attempts) - 1] * 1000;
            let jitter = delay * u64::from(schedule.jitter_percent) / 100;
            let waited = next - latest.ended_at();
            let asked = if latest.outcome == Outcome::Status(429) { RETRY_AFTER_MAX } else { 0 };
            assert!(
                (delay..=(delay + jitter).max(asked)).contains(&waited),
                "waited {waited}, schedule {delay} + {jitter}"
            );
            let seen = self.oracle.seen.get_mut(&id).unwrap();
            (seen.not_before, seen.failed_at) = (next, latest.ended_at());
        }
        let holds = webhook.order.as_ref().is_some_and(|order| order.on_dead == OnDead::Hold);
        match delivery.state {
            DeliveryState::Dead if holds => self.oracle.turn_is(id, Turn::Holding),
            DeliveryState::Dead | DeliveryState::Succeeded => self.oracle.turn_is(id, Turn::Past),
            DeliveryState::Pending | DeliveryState::Scheduled => {}
            DeliveryState::Cancelled => self.oracle.turn_is(id, Turn::Past),
        }
    }

    /// The oracle takes in what was said of the endpoint.
    fn note_strain(&mut self, settled: Settled, webhook: &Webhook) {
        let (id, max) = (settled.delivery, webhook.max_in_flight.unwrap() as usize);
        let seen = self.oracle.seen.get_mut(&id).unwrap();
        seen.out = false;
        let (said, is_probe) = (seen.said.take().expect("it was answered"), std::mem::take(&mut seen.probe));
        let spared = self.oracle.spared.get_mut(&id.webhook()).unwrap();
        spared.ever |= !webhook.is_active();
        spared.heard(id, said, self.clock.now(), settled.paused_until, max);
        if is_probe && said == Said::Yes {
            spared.forgiven();
        }
    }

    /// Retention took it at once.
    fn note_gone(&mut self, id: DeliveryId) {
        assert!(self.may_be_gone(), "{id} is gone, and nothing takes it");
        let seen = self.oracle.seen.get_mut(&id).unwrap();
        (seen.out, seen.ended) = (false, true);
        self.oracle.turn_is(id, Turn::Past);
        self.oracle.spared.get_mut(&id.webhook()).unwrap().ever = true;
    }

    fn may_be_gone(&self) -> bool {
        self.plan.retention.events_ms.is_some() || self.plan.retention.bytes_max.is_some()
    }

    /// An active webhook never has what its rule disables it for.
    fn check_rule(&self, webhook: &Webhook) {
        let Some(rule) = webhook.disable.filter(|_| webhook.is_active()) else { return };
        let tally = self.core.store.tally(webhook.number()).unwrap();
        let too_many = rule.consecutive_failures.is_some_and(|n| tally.consecutive_failures >= u64::from(n));
        assert!(!too_many, "{} failures in a row, {rule:?}", tally.consecutive_failures);
        if let (Some(since), Some(last), Some(seconds)) =
            (tally.failing_since, tally.last_attempt_at, rule.failing_seconds)
        {
            assert!(last.saturating_sub(since) < seconds * 1000, "failing from {since} to {last}, {rule:?}");
        }
    }

    /// Learns which deliveries ended without being sent: held for too long, or taken by retention.
    fn learn_ends(&mut self, of: Vec<DeliveryId>) {
        for id in of {
            let past = match self.core.store.delivery(id).unwrap() {
                None => {
                    let was_cancelled = self.clock.now() > START + self.plan.retention.hold_ms;
                    let ended = self.oracle.seen[&id].ended;
                    assert!(ended || (was_cancelled && self.may_be_gone()), "{id} is gone before it ended");
                    true
                }
                Some(delivery) => delivery.state == DeliveryState::Cancelled,
            };
            if past {
                self.oracle.ended_unsent(id);
            }
        }
    }

    /// The scheduler looks, and what it hands out takes off.
    fn look(&mut self) {
        for settled in self.core.hear() {
            self.note(settled);
        }
        let now = self.clock.now();
        self.core.scheduler.turn(now);
        while let Some(claim) = self.core.scheduler.next(now) {
            self.take_off(claim, now);
        }
    }

    fn take_off(&mut self, claim: Claim, now: UnixMs) {
        let id = claim.delivery.id;
        let webhook = self.webhook(id.webhook());
        let out = self.oracle.spared[&id.webhook()].out.len();
        let is_probe = webhook.status.probe_at().is_some_and(|at| now >= at && out == 0);
        assert!(webhook.is_active() || is_probe, "nothing is sent to a webhook that is not active");
        self.learn_ends(self.oracle.before(id));
        self.oracle.check_order(id);
        let seen = self.oracle.seen.get_mut(&id).expect("nothing is sent that was not accepted");
        assert!(!seen.ended, "nothing is sent after its end");
        assert!(!seen.out, "a delivery is out once at a time");
        assert!(now >= seen.not_before, "never early: {now} < {}", seen.not_before);
        let late = now - seen.not_before;
        let spared = self.oracle.spared.get_mut(&id.webhook()).unwrap();
        assert!(now >= spared.until || is_probe, "nothing is sent while the endpoint is spared");
        spared.out.insert(id);
        spared.check_window();
        if self.plan.roomy && seen.not_before > 0 && !spared.ever {
            assert!(late <= 2 * TICK_MS, "{late} ms late");
            self.timely += 1;
        }
        seen.out = true;
        seen.probe = is_probe;
        seen.attempts = claim.delivery.attempts + 1;
        let (outcome, took, asked) = self.answer(id.webhook(), &claim);
        let summary =
            AttemptSummary { number: claim.delivery.attempts + 1, started_at: now, duration_ms: took, outcome };
        let attempt = Attempt {
            summary,
            url: String::new(),
            request_headers: Vec::new(),
            response_body: Vec::new(),
            resent: false,
        };
        self.flight_number += 1;
        self.ends.push(Reverse((now + u64::from(took), self.flight_number)));
        let retry_after = asked.map(|wait| now + u64::from(took) + wait);
        self.oracle.seen.get_mut(&id).unwrap().said = Some(said(&attempt.summary.outcome, retry_after));
        self.flights.insert(self.flight_number, Flight { claim, made: Made { attempt, retry_after } });
    }

    /// What an endpoint answers, how long that takes, and how long it wants to be left alone.
    fn answer(&mut self, webhook: WebhookNumber, claim: &Claim) -> (Outcome, u32, Option<u64>) {
        let timeout = self.dialects.now().get(&claim.webhook.dialect).unwrap().timeout_seconds * 1000;
        // In steps, so that answers arrive together, as they do under load.
        let took = 25 * (1 + self.throw(8) as u32);
        let outcome = match (self.moods[&webhook], self.throw(4)) {
            (Mood::Well, _) | (Mood::Flaky, 0 | 1) => Outcome::Status(200),
            (Mood::Flaky, 2) => Outcome::Status(500),
            (Mood::Flaky, _) => Outcome::Broken("reset".into()),
            (Mood::Down, _) => Outcome::Connect("refused".into()),
            (Mood::Hanging, _) => return (Outcome::TimedOut, timeout, None),
            (Mood::Busy, 0) => return (Outcome::Status(200), took, None),
            (Mood::Busy, 1) => return (Outcome::Status(503), took, None),
            (Mood::Busy, _) => return (Outcome::Status(429), took, Some(self.dice.bits() % RETRY_AFTER_MAX)),
            (Mood::Gone, _) => Outcome::Status(410),
        };
        (outcome, took, None)
    }

    fn some_id(&mut self) -> WebhookId {
        let n = self.throw(self.webhooks.len());
        self.webhooks[n]
    }

    fn throw(&mut self, sides: usize) -> usize {
        (self.dice.bits() % sides as u64) as usize
    }

    /// At the end, some hours later: every delivery has ended, or is held by a webhook that is not active, or waits
    /// behind a dead letter. Gives the number of retries that were held to be on time.
    pub fn check(&mut self) -> usize {
        // What retention takes can set free what waited behind it, and that is taken later.
        let mut known = None;
        while known != Some(self.counts()) {
            known = Some(self.counts());
            for _ in 0..3 {
                self.clock.turn_to(self.clock.now() + 2 * HOUR);
                self.core.commit();
                self.run();
            }
        }
        self.learn_ends(self.oracle.seen.keys().copied().collect());
        for (id, seen) in &self.oracle.seen {
            self.check_delivery(*id, seen.ended);
        }
        let counted = self.webhooks.iter().map(|id| self.check_tally(id.number()));
        let all = counted.fold([0; 3], |all, one| [all[0] + one[0], all[1] + one[1], all[2] + one[2]]);
        assert_eq!(self.counted(Series::Account(1)), all, "an account is its webhooks together");
        self.check_retention();
        self.timely
    }

    /// What changes as long as something happens.
    fn counts(&self) -> (u64, u64) {
        let tallies = self.webhooks.iter().map(|id| self.core.store.tally(id.number()).unwrap());
        (self.core.store.kept_bytes(), tallies.map(|tally| tally.open() + tally.attempts).sum())
    }

    fn check_delivery(&self, id: DeliveryId, ended: bool) {
        let Some(delivery) = self.core.store.delivery(id).unwrap() else {
            let ended = ended || self.clock.now() > START + self.plan.retention.hold_ms;
            return assert!(ended && self.may_be_gone(), "{id} is lost");
        };
        let webhook = self.webhook(id.webhook());
        match delivery.state {
            DeliveryState::Succeeded | DeliveryState::Dead => assert!(ended),
            DeliveryState::Pending | DeliveryState::Scheduled => {
                let waits = self.oracle.is_held_up(id);
                assert!(
                    !webhook.is_active() || waits,
                    "{delivery:?} is open though its webhook is active: {webhook:?} {:?}",
                    self.oracle.orders
                );
            }
            DeliveryState::Cancelled => {
                let held_long = self.clock.now() > START + self.plan.retention.hold_ms;
                assert!(held_long, "{id} was cancelled, and nobody asked for it");
                assert!(delivery.reason.is_some_and(|reason| reason.starts_with("hold_expired")));
            }
        }
        let attempts = self.core.store.attempts(&self.core.store.delivery(id).unwrap().unwrap()).unwrap();
        assert_eq!(attempts.len(), usize::from(delivery.attempts), "every attempt is kept");
    }

    /// Gives what was counted about the webhook.
    fn check_tally(&self, webhook: WebhookNumber) -> [u64; 3] {
        let tally = self.core.store.tally(webhook).unwrap();
        let made = self.oracle.seen.keys().filter(|id| id.webhook() == webhook).count();
        assert_eq!(tally.deliveries, made as u64);
        let deliveries = self.core.all_deliveries(webhook);
        let open = deliveries.iter().filter(|delivery| delivery.state.is_open()).count();
        assert_eq!(tally.open(), open as u64);
        if !self.may_be_gone() {
            let count = |state| deliveries.iter().filter(|delivery| delivery.state == state).count() as u64;
            assert_eq!(tally.succeeded, count(DeliveryState::Succeeded));
            assert_eq!(tally.dead, count(DeliveryState::Dead));
            assert_eq!(tally.attempts, deliveries.iter().map(|delivery| u64::from(delivery.attempts)).sum::<u64>());
        }
        let counted = self.counted(Series::Webhook(webhook));
        assert_eq!(counted, [tally.deliveries, tally.attempts, tally.succeeded], "by day");
        counted
    }

    /// Deliveries, attempts and successes, as the statistics by day say.
    fn counted(&self, series: Series) -> [u64; 3] {
        let span = Span { step: Step::Day, from: 0, to: 100_000 * DAY_MS };
        let days = self.core.store.stats(series, span, self.clock.now()).unwrap().points;
        let add =
            |all: [u64; 3], day: &Counts| [all[0] + day.deliveries, all[1] + day.attempts(), all[2] + day.succeeded];
        days.values().fold([0; 3], add)
    }

    /// What is too old or too much is gone, but for what has not ended.
    fn check_retention(&self) {
        let store = &self.core.store;
        let too_much = self.plan.retention.bytes_max.is_some_and(|max| store.kept_bytes() > max);
        let now = self.clock.now();
        let page = store.events(1, EventId(0), None, 100_000, |_| true).unwrap();
        for head in page.rows {
            let is_old = self.plan.retention.events_ms.is_some_and(|ms| head.id.time() + ms + 2 * HOUR < now);
            if is_old || too_much {
                let event = store.event(1, head.id).unwrap().unwrap();
                let open = store.deliveries_of(&event).unwrap().iter().any(|one| one.state.is_open());
                assert!(open, "{} should be gone", head.id);
            }
        }
    }
}

/// What an answer of an endpoint here says of it.
fn said(outcome: &Outcome, asked: Option<UnixMs>) -> Said {
    match outcome {
        Outcome::Status(200) => Said::Yes,
        Outcome::Status(429) => Said::Later(asked.expect("it says how long")),
        Outcome::Status(503) | Outcome::Connect(_) | Outcome::TimedOut => Said::No,
        Outcome::Status(500 | 410) | Outcome::Broken(_) => Said::Nothing,
        other => panic!("no endpoint here answers {other:?}"),
    }
}
