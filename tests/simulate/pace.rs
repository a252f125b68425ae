//! An endpoint that now and then fails, under load: one failure holds up its own delivery and no other. The same core as
//! in the other runs, with one webhook as it is by default, and figures instead of an oracle.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;

use hookwheel::clock::{Clock, Dice};
use hookwheel::deliver::schedule::Claim;
use hookwheel::deliver::verdict::Made;
use hookwheel::dialect::{Dialects, Shelf};
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Outcome};
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::time::UnixMs;
use hookwheel::domain::webhook::{EventFilter, Webhook};
use hookwheel::store::{NewEvent, Store};

use crate::core::{Core, Place};
use crate::plan::{Plan, START};

/// What comes in, and what the endpoint makes of it.
pub struct Load {
    pub seed: u64,
    pub per_second: u64,
    pub seconds: u64,
    /// Answers that are 503, in per cent.
    pub busy_percent: u64,
    /// How long an answer takes at least; at most twice as long.
    pub answer_ms: u64,
}

/// What was seen.
pub struct Pace {
    /// How long deliveries waited for their first attempt, the shortest first.
    pub waited_ms: Vec<u64>,
    /// How many waited for it at the end of each second.
    pub waiting: Vec<usize>,
    pub busy: usize,
}

impl Pace {
    pub fn p99_ms(&self) -> u64 {
        self.waited_ms[self.waited_ms.len() * 99 / 100]
    }
}

struct Run {
    _place: Place,
    load: Load,
    clock: Clock,
    dice: Dice,
    dialects: Arc<Shelf>,
    core: Core,
    out: BinaryHeap<Reverse<(UnixMs, u64)>>,
    flights: HashMap<u64, (Claim, Made)>,
    flight_number: u64,
    /// How many were published in each moment and have not gone out yet.
    waiting: BTreeMap<UnixMs, usize>,
    pace: Pace,
}

/// Puts the load on one webhook.
pub fn run(load: Load) -> Pace {
    let plan = Plan::wide(load.seed);
    let (clock, dialects) = (Clock::standing_at(START), Arc::new(Shelf::new(Dialects::shipped())));
    let place = Place::of(&plan);
    let mut core = Core::open(&plan, &place, &clock, &dialects, Dice::seeded(load.seed));
    let url = EndpointUrl::parse("https://example.com/", false).unwrap();
    let webhook = Webhook::new(1, "standard", url, vec![EventFilter::parse("*").unwrap()]);
    core.now(|staging| staging.create_account(Store::default_account("standard")));
    core.now(move |staging| staging.create_webhook(webhook, None));
    let pace = Pace { waited_ms: Vec::new(), waiting: Vec::new(), busy: 0 };
    let dice = Dice::seeded(load.seed);
    let (out, flights, waiting) = (BinaryHeap::new(), HashMap::new(), BTreeMap::new());
    let mut run =
        Run { _place: place, load, clock, dice, dialects, core, out, flights, flight_number: 0, waiting, pace };
    for second in 0..run.load.seconds {
        run.second(START + second * 1000);
    }
    run.pace.waited_ms.sort_unstable();
    run.pace
}

impl Run {
    fn second(&mut self, start: UnixMs) {
        for n in 0..self.load.per_second {
            self.go_on(start + n * 1000 / self.load.per_second);
            self.publish();
        }
        self.go_on(start + 1000);
        self.pace.waiting.push(self.waiting.values().sum());
    }

    /// All that happens up to `until`.
    fn go_on(&mut self, until: UnixMs) {
        loop {
            let end = self.out.peek().map(|Reverse((at, _))| *at);
            let next = [end, self.core.next_pass()].into_iter().flatten().min();
            let now = next.map_or(until, |next| next.min(until)).max(self.clock.now());
            self.clock.turn_to(now);
            self.land(now);
            self.look(now);
            if next.is_none_or(|next| next > until) {
                return;
            }
        }
    }

    fn publish(&mut self) {
        let event = NewEvent {
            name: None,
            event_type: "task.created".into(),
            created_at: None,
            data: "{}".into(),
            actor: None,
            metadata: None,
            test: false,
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
        };
        self.core.now(move |staging| staging.accept(1, vec![event], None));
        *self.waiting.entry(self.clock.now()).or_default() += 1;
        self.look(self.clock.now());
    }

    fn land(&mut self, now: UnixMs) {
        while let Some(Reverse((at, number))) = self.out.peek().copied()
            && at <= now
        {
            self.out.pop();
            let (claim, made) = self.flights.remove(&number).unwrap();
            let dialect = self.dialects.now().get("standard").unwrap().clone();
            self.core.enter(&claim, Some(Ok((made, dialect))));
        }
        self.core.commit();
        self.core.told();
    }

    fn look(&mut self, now: UnixMs) {
        for claim in self.core.pass() {
            if claim.delivery.attempts == 0 {
                self.note_first(claim.delivery.id.time(), now);
            }
            let took = self.load.answer_ms + self.dice.bits() % self.load.answer_ms;
            let busy = self.dice.bits() % 100 < self.load.busy_percent;
            self.pace.busy += usize::from(busy);
            let outcome = Outcome::Status(if busy { 503 } else { 200 });
            let number = claim.delivery.attempts + 1;
            let summary = AttemptSummary { number, started_at: now, duration_ms: took as u32, outcome };
            let (request_headers, response_body) = Default::default();
            let attempt = Attempt {
                summary,
                url: String::new(),
                request_headers,
                response_body,
                resent: false,
                trace: Default::default(),
            };
            self.flight_number += 1;
            self.out.push(Reverse((now + took, self.flight_number)));
            self.flights
                .insert(self.flight_number, (claim, Made { attempt, retry_after: None, named: None, by: None }));
        }
    }

    /// One goes out for the first time that was published then.
    fn note_first(&mut self, published_at: UnixMs, now: UnixMs) {
        let waiting = self.waiting.get_mut(&published_at).expect("it was published then");
        *waiting -= 1;
        self.waiting.retain(|_, waiting| *waiting > 0);
        self.pace.waited_ms.push(now - published_at);
    }
}
