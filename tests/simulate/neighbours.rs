//! Neighbours who want all places there are: the real shares and windows under a virtual clock, with endpoints that hang,
//! take long or answer at once, of a few accounts or of many. Held against what would be fair, and against policies that
//! are known to be bad: each of those must be found.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};

use hookwheel::clock::Dice;
use hookwheel::deliver::shares::{Shares, Taker};
use hookwheel::deliver::window::{SOON_MS, Window};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::id::{AccountNumber, DeliveryId, WebhookNumber};
use hookwheel::domain::time::UnixMs;

/// How long a run is.
const SPAN_MS: u64 = 180_000;
/// From here on shares are held against what is fair: windows have grown and what was out before is back.
const SETTLED_MS: u64 = 120_000;

/// How an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    /// It takes each delivery after so long.
    Takes(u64),
    /// It lets each run into its time-out of so long.
    Hangs(u64),
}

/// A webhook: how its endpoint answers, and how often something arrives for it; or it never runs out.
#[derive(Debug, Clone, Copy)]
struct Plan {
    account: AccountNumber,
    endpoint: Endpoint,
    every_ms: Option<u64>,
    max: usize,
}

/// What decides. All but the first are planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Ours,
    /// First come, first served, as long as there is a place.
    Fifo,
    /// As many out of a webhook as its settings allow.
    NoWindow,
    /// Nothing is kept for the quick.
    NoReserve,
}

enum Pot {
    Shares(Box<Shares>),
    Fifo { places: usize, taken: usize, queue: VecDeque<WebhookNumber>, waits: HashSet<WebhookNumber> },
}

impl Pot {
    fn of(policy: Policy, places: usize) -> Self {
        match policy {
            Policy::Fifo => Self::Fifo { places, taken: 0, queue: VecDeque::new(), waits: HashSet::new() },
            Policy::Ours | Policy::NoWindow | Policy::NoReserve => Self::Shares(Box::new(Shares::new(places))),
        }
    }

    /// Takes a place, or waits for one.
    fn take(&mut self, taker: Taker, id: DeliveryId, now: UnixMs) -> bool {
        match self {
            Self::Shares(shares) if shares.may_take(taker) => shares.take(taker, id, now),
            Self::Shares(shares) => {
                shares.wait(taker);
                return false;
            }
            Self::Fifo { places, taken, .. } if *taken < *places => *taken += 1,
            Self::Fifo { queue, waits, .. } => {
                if waits.insert(taker.webhook) {
                    queue.push_back(taker.webhook);
                }
                return false;
            }
        }
        true
    }

    fn give_back(&mut self, id: DeliveryId) {
        match self {
            Self::Shares(shares) => assert!(shares.give_back(id)),
            Self::Fifo { taken, .. } => *taken -= 1,
        }
    }

    fn next(&mut self) -> Option<WebhookNumber> {
        match self {
            Self::Shares(shares) => shares.take_next(),
            Self::Fifo { places, taken, queue, waits } => {
                let next = (*taken < *places).then(|| queue.pop_front())??;
                waits.remove(&next);
                Some(next)
            }
        }
    }
}

struct Lane {
    plan: Plan,
    window: Window,
    /// When what waits arrived; what never runs out is not counted.
    waiting: VecDeque<UnixMs>,
    out: usize,
    /// How long each that went out had waited.
    waited_ms: Vec<u64>,
    /// How many were out, added up over the samples.
    held: u64,
}

struct Flight {
    lane: usize,
    since: UnixMs,
    round: u64,
}

struct Street {
    policy: Policy,
    pot: Pot,
    lanes: Vec<Lane>,
    flights: HashMap<DeliveryId, Flight>,
    ends: BinaryHeap<Reverse<(UnixMs, u128)>>,
    arrivals: BinaryHeap<Reverse<(UnixMs, usize)>>,
    now: UnixMs,
    number: u128,
    samples: u64,
}

impl Street {
    fn new(policy: Policy, places: usize, plans: &[Plan]) -> Self {
        let lane = |plan: &Plan| Lane {
            plan: *plan,
            window: Window::default(),
            waiting: VecDeque::new(),
            out: 0,
            waited_ms: Vec::new(),
            held: 0,
        };
        Self {
            policy,
            pot: Pot::of(policy, places),
            lanes: plans.iter().map(lane).collect(),
            flights: HashMap::new(),
            ends: BinaryHeap::new(),
            arrivals: (0..plans.len()).map(|lane| Reverse((1 + lane as u64 % 50, lane))).collect(),
            now: 0,
            number: 0,
            samples: 0,
        }
    }

    fn run(&mut self) {
        let mut sample_at = SETTLED_MS;
        while self.now < SPAN_MS {
            let next = [self.ends.peek().map(|Reverse((at, _))| *at), self.arrivals.peek().map(|Reverse((at, _))| *at)];
            self.now = next.into_iter().flatten().min().unwrap_or(SPAN_MS).min(sample_at);
            if let Pot::Shares(shares) = &mut self.pot {
                while let Some(id) = shares.drags_on(self.now) {
                    self.lanes[self.flights[&id].lane].window.drags_on();
                }
            }
            self.land();
            self.arrive();
            if self.now == sample_at {
                self.lanes.iter_mut().for_each(|lane| lane.held += lane.out as u64);
                self.samples += 1;
                sample_at += 100;
            }
        }
    }

    fn arrive(&mut self) {
        while let Some(Reverse((at, lane))) = self.arrivals.peek().copied()
            && at <= self.now
        {
            self.arrivals.pop();
            if let Some(every_ms) = self.lanes[lane].plan.every_ms {
                self.lanes[lane].waiting.push_back(at);
                self.arrivals.push(Reverse((at + every_ms, lane)));
            }
            self.send_all(lane);
        }
    }

    fn land(&mut self) {
        while let Some(Reverse((at, id))) = self.ends.peek().copied()
            && at <= self.now
        {
            self.ends.pop();
            let Flight { lane: n, since, round } = self.flights.remove(&DeliveryId(id)).unwrap();
            self.pot.give_back(DeliveryId(id));
            let lane = &mut self.lanes[n];
            let strain = if let Endpoint::Takes(_) = lane.plan.endpoint { Strain::Well } else { Strain::Down };
            lane.window.note(strain, (at - since) as u32, round, lane.out, lane.plan.max);
            lane.out -= 1;
            while let Some(next) = self.pot.next() {
                if self.send_one(next as usize) {
                    self.send_all(next as usize);
                }
            }
            self.send_all(n);
        }
    }

    fn send_all(&mut self, lane: usize) {
        while self.send_one(lane) {}
    }

    fn send_one(&mut self, n: usize) -> bool {
        let lane = &mut self.lanes[n];
        let window = if self.policy == Policy::NoWindow { usize::MAX } else { lane.window.size() };
        if lane.out >= window.min(lane.plan.max) || (lane.plan.every_ms.is_some() && lane.waiting.is_empty()) {
            return false;
        }
        let quick = lane.window.is_quick() && self.policy != Policy::NoReserve;
        let taker = Taker { account: lane.plan.account, webhook: n as WebhookNumber, quick };
        self.number += 1;
        let id = DeliveryId(self.number << 32 | n as u128);
        if !self.pot.take(taker, id, self.now) {
            return false;
        }
        lane.out += 1;
        lane.waited_ms.push(lane.waiting.pop_front().map_or(0, |at| self.now - at));
        let (Endpoint::Takes(took_ms) | Endpoint::Hangs(took_ms)) = lane.plan.endpoint;
        self.flights.insert(id, Flight { lane: n, since: self.now, round: lane.window.round() });
        self.ends.push(Reverse((self.now + took_ms, id.0)));
        true
    }

    /// Places that these webhooks held, on the average.
    fn held(&self, of: impl Fn(&Plan) -> bool) -> f64 {
        let some = self.lanes.iter().filter(|lane| of(&lane.plan));
        some.map(|lane| lane.held).sum::<u64>() as f64 / self.samples as f64
    }
}

/// What is wrong with how a street was served; `None` if nothing.
fn wrong(policy: Policy, places: usize, plans: &[Plan]) -> Option<String> {
    let mut street = Street::new(policy, places, plans);
    street.run();
    starved(&street).or_else(|| kept_waiting(&mut street)).or_else(|| unfair(&street, places))
}

/// Somebody who had work never got a place.
fn starved(street: &Street) -> Option<String> {
    let lane = street.lanes.iter().find(|lane| lane.waited_ms.is_empty())?;
    Some(format!("{:?} got nothing", lane.plan))
}

/// Somebody whose endpoint answers at once had to wait, for others or longer than may be for those of its own account.
fn kept_waiting(street: &mut Street) -> Option<String> {
    let plans: Vec<Plan> = street.lanes.iter().map(|lane| lane.plan).collect();
    let is_quick = |plan: &Plan| matches!(plan.endpoint, Endpoint::Takes(ms) if ms <= SOON_MS);
    let wants_all = |plan: &Plan| plan.every_ms.is_none() || matches!(plan.endpoint, Endpoint::Hangs(_));
    for lane in &mut street.lanes {
        let greedy = |plan: &&Plan| plan.account == lane.plan.account && wants_all(plan);
        let bound_ms = match plans.iter().filter(greedy).any(is_quick) {
            // It may have to wait for one of them to end, which may take so long.
            true => SOON_MS,
            false if plans.iter().any(|plan| greedy(&plan)) => 300,
            false => 50,
        };
        if lane.plan.every_ms.is_none() || !matches!(lane.plan.endpoint, Endpoint::Takes(ms) if ms <= SOON_MS) {
            continue;
        }
        // It is a stranger to the server for its first attempts.
        let waited = &mut lane.waited_ms[20..];
        waited.sort_unstable();
        let p99 = waited[waited.len() * 99 / 100];
        if p99 > bound_ms {
            return Some(format!("{:?} waited {p99} ms", lane.plan));
        }
    }
    None
}

/// An account whose endpoints take long got less than nine tenths of what is fair. How many endpoints that hang want
/// nobody knows: as many as they hold.
fn unfair(street: &Street, places: usize) -> Option<String> {
    let is_quick = |plan: &Plan| matches!(plan.endpoint, Endpoint::Takes(ms) if ms <= SOON_MS);
    let mut wanted: HashMap<AccountNumber, f64> = HashMap::new();
    for lane in street.lanes.iter().filter(|lane| !is_quick(&lane.plan)) {
        let max = lane.plan.max as f64;
        *wanted.entry(lane.plan.account).or_default() += match (lane.plan.endpoint, lane.plan.every_ms) {
            (Endpoint::Takes(ms), Some(every_ms)) => (ms as f64 / every_ms as f64).min(max),
            (Endpoint::Takes(_), None) => max,
            (Endpoint::Hangs(_), _) => lane.held as f64 / street.samples as f64,
        };
    }
    // A quarter is for the quick, and some are for accounts that hold none.
    let left = (places as f64 - street.held(is_quick)).min((places - places / 4) as f64) - (places / 64) as f64;
    let fair = water_level(&wanted, left);
    for (account, wants) in wanted {
        let held = street.held(|plan| plan.account == account && !is_quick(plan));
        let due = wants.min(fair);
        if held < due * 0.9 - 1.0 {
            return Some(format!("account {account} held {held:.1} of {due:.1}"));
        }
    }
    None
}

/// The most that each may get of `left`, so that nobody who wants more gets less than another.
fn water_level(wanted: &HashMap<AccountNumber, f64>, mut left: f64) -> f64 {
    let mut wants: Vec<f64> = wanted.values().copied().collect();
    wants.sort_by(f64::total_cmp);
    let mut level = 0.0;
    for (n, want) in wants.iter().enumerate() {
        level = left / (wants.len() - n) as f64;
        if *want > level {
            return level;
        }
        left -= want;
    }
    level.max(wants.last().copied().unwrap_or(0.0))
}

/// A street of a few accounts: some with endpoints that hang or take long, one with an endpoint that answers at once.
fn some_street(seed: u64) -> (usize, Vec<Plan>) {
    let mut dice = Dice::seeded(seed);
    let mut below = |sides: u64| dice.bits() % sides;
    let places = 256 + below(256) as usize;
    let mut plans = vec![Plan { account: 0, endpoint: Endpoint::Takes(5), every_ms: Some(50), max: 64 }];
    for account in 1..=1 + below(6) as AccountNumber {
        for _ in 0..1 + below(12) {
            let endpoint = match below(4) {
                0 => Endpoint::Hangs(5_000 + below(15_000)),
                1 => Endpoint::Takes(1 + below(SOON_MS)),
                _ => Endpoint::Takes(2_000 + below(6_000)),
            };
            let every_ms = (below(3) == 0).then(|| 200 + below(2_000));
            plans.push(Plan { account, endpoint, every_ms, max: 4 + below(60) as usize });
        }
    }
    (places, plans)
}

/// The first of so many streets in which something is wrong, and what.
pub fn first_wrong(policy: Policy, seeds: std::ops::Range<u64>) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| {
        let (places, plans) = some_street(seed);
        wrong(policy, places, &plans).map(|what| (seed, format!("{what}; {places} places for {plans:?}")))
    })
}
