//! The world of a simulation: endpoints with moods, a schedule of publishes and crashes, and an oracle that watches
//! every send.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::{Arc, Mutex};

use hookwheel::clock::{Clock, Dice};
use hookwheel::deliver::schedule::{Claim, Scheduler};
use hookwheel::deliver::verdict::{Made, verdict};
use hookwheel::deliver::wheel::TICK_MS;
use hookwheel::dialect::{Dialects, Shelf};
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Delivery, DeliveryState, Outcome};
use hookwheel::domain::id::{DeliveryId, WebhookId, WebhookNumber};
use hookwheel::domain::retry::RetrySchedule;
use hookwheel::domain::stats::{Counts, Series, Span, Step};
use hookwheel::domain::time::{DAY_MS, UnixMs};
use hookwheel::domain::webhook::{EndpointUrl, EventFilter, Status, Webhook};
use hookwheel::store::{self, Committer, Listener, NewEvent, Notice, OpenError, Refusal, Settings, Staging, Store};

/// The longest pause that an endpoint here asks for.
const RETRY_AFTER_MAX: u64 = 30_000;
const START: UnixMs = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;
/// Between the first and the last publish.
const PUBLISHING: u64 = 6 * HOUR;
const TYPES: [&str; 4] = ["task.created", "task.updated", "comment.created", "ping"];
const FILTERS: [&str; 5] = ["task.created", "task.*", "comment.created", "*", "nothing.at.all"];

/// What a run is made of.
#[derive(Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub webhooks: usize,
    pub events: usize,
    pub crashes: usize,
    /// Events of one publish.
    pub batch: usize,
    /// Caps so wide that nothing waits for them: then every retry must be on time.
    pub roomy: bool,
}

impl Plan {
    pub fn short(seed: u64) -> Self {
        let mut dice = Dice::seeded(seed);
        Self {
            seed,
            webhooks: 1 + (dice.bits() % 8) as usize,
            events: 1 + (dice.bits() % 120) as usize,
            crashes: (dice.bits() % 4) as usize,
            batch: 1,
            roomy: dice.bits().is_multiple_of(2),
        }
    }
}

impl Plan {
    /// With many webhooks, each event goes to two of them.
    fn narrow(&self) -> bool {
        self.webhooks > 20
    }
}

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

/// Hears of commits.
#[derive(Default)]
struct Ear(Mutex<Vec<Notice>>);

impl Listener for Ear {
    fn notice(&self, notice: Notice) {
        self.0.lock().unwrap().push(notice);
    }
}

/// One delivery as the oracle knows it.
#[derive(Default)]
struct Seen {
    out: bool,
    ended: bool,
    attempts: u16,
    not_before: UnixMs,
}

struct Core {
    store: Store,
    committer: Committer,
    scheduler: Scheduler,
    ear: Arc<Ear>,
}

struct Flight {
    claim: Claim,
    made: Made,
}

/// How the oracle sees an endpoint's trouble.
#[derive(Default)]
struct Spared {
    /// It was in trouble, held, or the core was down, so that retries may come late.
    ever: bool,
    /// Nothing may go out before.
    until: UnixMs,
    /// After a pause: so many may be out at once.
    window: Option<usize>,
    out: usize,
}

pub struct World {
    plan: Plan,
    dir: tempfile::TempDir,
    clock: Clock,
    dice: Dice,
    dialects: Arc<Shelf>,
    core: Core,
    webhooks: Vec<WebhookId>,
    moods: HashMap<WebhookNumber, Mood>,
    seen: BTreeMap<DeliveryId, Seen>,
    spared: HashMap<WebhookNumber, Spared>,
    flights: HashMap<u64, Flight>,
    ends: BinaryHeap<Reverse<(UnixMs, u64)>>,
    flight_number: u64,
    /// What happens when: publishes, crashes, changes of mood, people pausing and enabling.
    agenda: BinaryHeap<Reverse<(UnixMs, u64, Deed)>>,
    expected: usize,
    sends: usize,
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
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let dir = in_memory();
        let clock = Clock::standing_at(START);
        let dialects = Arc::new(Shelf::new(Dialects::shipped()));
        let core = Core::open(&plan, dir.path(), &clock, &dialects);
        let mut world = Self {
            plan,
            dir,
            clock,
            dice: Dice::seeded(plan.seed),
            dialects,
            core,
            webhooks: Vec::new(),
            moods: HashMap::new(),
            seen: BTreeMap::new(),
            spared: HashMap::new(),
            flights: HashMap::new(),
            ends: BinaryHeap::new(),
            flight_number: 0,
            agenda: BinaryHeap::new(),
            expected: 0,
            sends: 0,
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
        }
    }

    fn some_webhook(&mut self, n: usize) -> Webhook {
        let dialect = if n.is_multiple_of(2) { "standard" } else { "taskflow" };
        let filter = match self.plan.narrow() {
            true => format!("kind{}.*", n / 2),
            false => FILTERS[self.throw(FILTERS.len())].to_string(),
        };
        let url = EndpointUrl::parse("https://example.com/", false).unwrap();
        let own_retry = self.throw(3) == 0;
        Webhook {
            max_in_flight: Some(if self.plan.roomy { 100_000 } else { 1 + self.throw(3) as u32 }),
            retry: own_retry.then(|| RetrySchedule { delay_seconds: vec![1, 60, 3600], jitter_percent: 50 }),
            ..Webhook::new(1, dialect, url, vec![EventFilter::parse(&filter).unwrap()])
        }
    }

    fn plan_deeds(&mut self) {
        let mut deeds = vec![(Deed::Publish, self.plan.events / self.plan.batch), (Deed::Crash, self.plan.crashes)];
        deeds.push((Deed::Mood, self.plan.webhooks * 6));
        deeds.push((Deed::Pause, self.throw(4)));
        deeds.push((Deed::EnableAll, 8));
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
            self.clock.turn_to(next.max(self.clock.now()));
            self.do_deeds();
            self.land_flights();
            self.look();
        }
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
            }
        }
    }

    fn publish(&mut self) {
        let events: Vec<NewEvent> = (0..self.plan.batch).map(|_| self.some_event()).collect();
        for accepted in self.core.now(move |staging| staging.accept(1, events, None)) {
            self.expected += accepted.deliveries;
            let event = self.core.store.event(1, accepted.id).unwrap().expect("an accepted event is there");
            self.seen.extend(event.deliveries().map(|id| (id, Seen::default())));
        }
    }

    fn some_event(&mut self) -> NewEvent {
        let event_type = match self.plan.narrow() {
            true => format!("kind{}.done", self.throw(self.plan.webhooks / 2)),
            false => TYPES[self.throw(TYPES.len())].to_string(),
        };
        NewEvent {
            name: None,
            event_type,
            created_at: None,
            data: r#"{"n":1}"#.into(),
            actor: None,
            metadata: None,
            test: false,
            fingerprint: None,
        }
    }

    /// The core dies: what was out is forgotten, and goes out again.
    fn crash(&mut self) {
        self.flights.clear();
        self.ends.clear();
        for seen in self.seen.values_mut() {
            seen.out = false;
        }
        for id in &self.webhooks {
            let until = self.spared.entry(id.number()).or_default().until;
            self.spared.insert(id.number(), Spared { ever: true, until, window: None, out: 0 });
        }
        self.core.committer.let_go();
        self.core = Core::open(&self.plan, self.dir.path(), &self.clock, &self.dialects);
    }

    fn change_mood(&mut self) {
        let webhook = self.some_id().number();
        let moods = [Mood::Well, Mood::Well, Mood::Flaky, Mood::Down, Mood::Hanging, Mood::Busy, Mood::Gone];
        let mood = moods[self.throw(moods.len())];
        self.moods.insert(webhook, mood);
    }

    fn pause(&mut self) {
        let id = self.some_id();
        self.set_status(id, |now| Status::Paused { since: now });
    }

    fn enable_all(&mut self) {
        for id in self.webhooks.clone() {
            let is_gone = matches!(self.moods[&id.number()], Mood::Gone);
            if !self.webhook(id.number()).is_active() && !is_gone {
                self.set_status(id, |_| Status::Active);
                // Somebody says that it is well again.
                self.spared.insert(
                    id.number(),
                    Spared { ever: true, out: self.spared[&id.number()].out, ..Spared::default() },
                );
            }
        }
    }

    fn set_status(&mut self, id: WebhookId, status: impl FnOnce(UnixMs) -> Status + Send + 'static) {
        self.core.now(move |staging| {
            staging.update_webhook(1, id, |webhook, now| {
                webhook.status = status(now);
                Ok(())
            })
        });
        self.spared.entry(id.number()).or_default().ever = true;
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
            let dialect = self.dialects.now().get(&claim.webhook.dialect).unwrap().clone();
            let settlement = verdict(&claim, &dialect, made, self.dice.fraction());
            self.core.store.settle(settlement);
        }
        self.core.commit();
        for settled in self.core.hear() {
            self.note(settled);
        }
    }

    /// The oracle takes in what was recorded of a delivery.
    fn note(&mut self, id: DeliveryId) {
        let delivery = self.core.store.delivery(id).unwrap().expect("a delivery stays");
        let webhook = self.webhook(id.webhook());
        let dialect = self.dialects.now().get(&webhook.dialect).unwrap().clone();
        let seen = self.seen.get_mut(&id).unwrap();
        assert_eq!(delivery.attempts, seen.attempts, "every attempt is recorded once");
        seen.out = false;
        seen.ended = !delivery.state.is_open();
        if let Some(next) = delivery.next_attempt_at {
            let latest = delivery.latest_attempt().unwrap();
            let schedule = webhook.retry.as_ref().unwrap_or(&dialect.retry);
            let delay = schedule.delay_seconds[usize::from(delivery.attempts) - 1] * 1000;
            let jitter = delay * u64::from(schedule.jitter_percent) / 100;
            let waited = next - latest.ended_at();
            let asked = if latest.outcome == Outcome::Status(429) { RETRY_AFTER_MAX } else { 0 };
            assert!(
                (delay..=(delay + jitter).max(asked)).contains(&waited),
                "waited {waited}, schedule {delay} + {jitter}"
            );
            seen.not_before = next;
        }
        let backoff = self.core.store.tally(id.webhook()).unwrap().backoff;
        let spared = self.spared.get_mut(&id.webhook()).unwrap();
        spared.out -= 1;
        spared.ever |= backoff.step > 0 || !webhook.is_active();
        if backoff.until > spared.until && webhook.is_active() {
            (spared.until, spared.window) = (backoff.until, Some(1));
        } else if delivery.state == DeliveryState::Succeeded {
            spared.window = spared.window.map(|window| window + 1);
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
        assert!(self.webhook(id.webhook()).is_active(), "nothing is sent to a webhook that is not active");
        let seen = self.seen.get_mut(&id).expect("nothing is sent that was not accepted");
        assert!(!seen.ended, "nothing is sent after its end");
        assert!(!seen.out, "a delivery is out once at a time");
        assert!(now >= seen.not_before, "never early: {now} < {}", seen.not_before);
        let late = now - seen.not_before;
        let spared = self.spared.entry(id.webhook()).or_default();
        assert!(now >= spared.until, "nothing is sent while the endpoint is spared");
        spared.out += 1;
        assert!(spared.window.is_none_or(|window| spared.out <= window), "it comes back slowly");
        if self.plan.roomy && seen.not_before > 0 && !spared.ever {
            assert!(late <= 2 * TICK_MS, "{late} ms late");
            self.timely += 1;
        }
        seen.out = true;
        seen.attempts = claim.delivery.attempts + 1;
        self.sends += 1;
        let (outcome, took, asked) = self.answer(id.webhook(), &claim);
        let summary =
            AttemptSummary { number: claim.delivery.attempts + 1, started_at: now, duration_ms: took, outcome };
        let attempt = Attempt { summary, url: String::new(), request_headers: Vec::new(), response_body: Vec::new() };
        self.flight_number += 1;
        self.ends.push(Reverse((now + u64::from(took), self.flight_number)));
        let retry_after = asked.map(|wait| now + u64::from(took) + wait);
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

    /// At the end: every delivery that was accepted has ended, or is held by a webhook that is not active.
    /// Gives the number of retries that were held to be on time.
    pub fn check(&mut self) -> usize {
        assert_eq!(self.seen.len(), self.expected);
        let mut held = 0;
        for (id, seen) in &self.seen {
            let delivery = self.core.store.delivery(*id).unwrap().expect("nothing is lost");
            let active = self.core.store.registry().webhook(id.webhook()).unwrap().is_active();
            match delivery.state {
                DeliveryState::Succeeded | DeliveryState::Dead => assert!(seen.ended),
                DeliveryState::Pending | DeliveryState::Scheduled => {
                    assert!(!active, "{id} is open though its webhook is active");
                    held += 1;
                }
                DeliveryState::Cancelled => panic!("nothing was cancelled"),
            }
            let attempts = self.core.store.attempts(&delivery).unwrap();
            assert_eq!(attempts.len(), usize::from(delivery.attempts), "every attempt is kept");
        }
        self.check_tallies();
        let Self { expected, sends, timely, .. } = self;
        eprintln!("simulate: {expected} deliveries, {sends} sends, {timely} retries on time, {held} held at the end");
        *timely
    }

    fn check_tallies(&self) {
        let mut all = (0, 0, 0);
        for webhook in &self.webhooks {
            let tally = self.core.store.tally(webhook.number()).unwrap();
            let deliveries = self.core.all_deliveries(webhook.number());
            let count = |state| deliveries.iter().filter(|delivery| delivery.state == state).count() as u64;
            assert_eq!(tally.deliveries, deliveries.len() as u64);
            assert_eq!(tally.succeeded, count(DeliveryState::Succeeded));
            assert_eq!(tally.dead, count(DeliveryState::Dead));
            assert_eq!(tally.attempts, deliveries.iter().map(|delivery| u64::from(delivery.attempts)).sum::<u64>());
            let (made, attempts, succeeded) = self.counted(Series::Webhook(webhook.number()));
            assert_eq!((made, attempts, succeeded), (tally.deliveries, tally.attempts, tally.succeeded), "by day");
            all = (all.0 + made, all.1 + attempts, all.2 + succeeded);
        }
        assert_eq!(self.counted(Series::Account(1)), all, "an account is its webhooks together");
    }

    /// Deliveries, attempts and successes, as the statistics by day say.
    fn counted(&self, series: Series) -> (u64, u64, u64) {
        let span = Span { step: Step::Day, from: 0, to: 100_000 * DAY_MS };
        let days = self.core.store.stats(series, span, self.clock.now()).unwrap().points;
        let add = |(made, attempts, succeeded), day: &Counts| {
            (made + day.deliveries, attempts + day.attempts(), succeeded + day.succeeded)
        };
        days.values().fold((0, 0, 0), add)
    }
}

/// A directory that no disk slows down, where there is one.
fn in_memory() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

impl Core {
    fn open(plan: &Plan, path: &std::path::Path, clock: &Clock, dialects: &Arc<Shelf>) -> Self {
        let settings = Settings {
            path: path.into(),
            cache_bytes: 64 << 20,
            free_bytes_min: 0,
            queue_events_max: 100_000,
            queue_bytes_max: 64 << 20,
            group_events_max: 512,
            group_bytes_max: 8 << 20,
            memory: None,
            durable: false,
        };
        let (store, committer) = loop {
            match store::open(settings.clone(), clock.clone(), Dice::seeded(plan.seed)) {
                Ok(opened) => break opened,
                // sled's own threads let go of the file a moment after its last handle is gone.
                Err(OpenError::InUse(_)) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        let ear = Arc::new(Ear::default());
        store.listen(ear.clone());
        let out_max = if plan.roomy { 100_000 } else { 3 };
        let scheduler = Scheduler::new(store.clone(), dialects.clone(), out_max, Arc::default(), clock.now());
        Self { store, committer, scheduler, ear }
    }

    /// Makes a change and commits it.
    fn now<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> T {
        let mut answer = self.store.submit(0, change).unwrap();
        self.commit();
        answer.try_recv().expect("the committer answers").unwrap()
    }

    fn all_deliveries(&self, webhook: WebhookNumber) -> Vec<Delivery> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store.deliveries(webhook, cursor, 1000, |_| true).unwrap();
            all.extend(page.rows);
            cursor = page.next;
            if cursor.is_none() {
                return all;
            }
        }
    }

    fn commit(&mut self) {
        while self.committer.step() {}
    }

    /// Passes what was committed on to the scheduler; hands out which deliveries were settled.
    fn hear(&mut self) -> Vec<DeliveryId> {
        let mut settled = Vec::new();
        for notice in std::mem::take(&mut *self.ear.0.lock().unwrap()) {
            notice.changed.into_iter().for_each(|number| self.scheduler.webhook_changed(number));
            notice.fresh.into_iter().for_each(|number| self.scheduler.fresh_arrived(number));
            for one in notice.settled {
                settled.push(one.delivery);
                self.scheduler.settled(one);
            }
        }
        settled
    }
}
