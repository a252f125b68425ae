//! A large backlog of retries: it waits on disk, not in memory, and a start in the middle of it neither sends early nor
//! forgets. The scheduler is the server's; time is turned by hand. 100,000 retries, a million with `HOOKWHEEL_LONG`.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use hookwheel::clock::{Clock, Dice};
use hookwheel::deliver::schedule::{Claim, Scheduler};
use hookwheel::deliver::verdict::{Made, verdict};
use hookwheel::deliver::wheel::TICK_MS;
use hookwheel::dialect::{Dialects, Shelf};
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::{DeliveryId, WebhookNumber};
use hookwheel::domain::retry::RetrySchedule;
use hookwheel::domain::time::UnixMs;
use hookwheel::domain::webhook::{EventFilter, Webhook};
use hookwheel::store::{self, Committer, Listener, Memory, NewEvent, Notice, Refusal, Settings, Staging, Store};

const START: UnixMs = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;
const WEBHOOKS: usize = 1_000;
/// Between two events.
const PACE: u64 = 1_000;
/// How long an attempt takes.
const TAKES_MS: u64 = 10;
/// Deliveries out at once, over all webhooks.
const OUT_MAX: usize = 512;
/// The wheel looks at each webhook that waits about once a minute.
const LOOK_MS_MAX: u64 = 60_000;
/// An entry of the wheel comes out less than a tick late, and it is turned a tick at a time.
const LATE_MS_MAX: u64 = 2 * TICK_MS;

fn events() -> usize {
    if std::env::var_os("HOOKWHEEL_LONG").is_some() { 1_000 } else { 100 }
}

/// An hour, and up to a tenth of it by dice, so that the order of retries is not that of the events.
fn schedule() -> RetrySchedule {
    RetrySchedule { delay_seconds: vec![HOUR / 1_000], jitter_percent: 10 }
}

#[test]
fn a_backlog_waits_on_disk_and_goes_out_when_it_is_due_oldest_first() {
    let mut scene = Scene::new();
    let (due, _) = scene.fail_all_once();
    scene.open_again(scene.clock.now());
    scene.sees_everything_and_sends_nothing();
    let first = *due.values().min().expect("there are retries");
    let mut looks = 0;
    while let Some(next) = scene.scheduler.next_turn().filter(|next| *next < first) {
        assert!(next > scene.clock.now(), "the wheel makes headway");
        scene.turn_to(next);
        assert!(scene.scheduler.next(next).is_none(), "nothing goes out before it is due");
        looks += 1;
    }
    println!("backlog: {} retries waited for an hour in {looks} turns of the wheel", due.len());

    let last = *due.values().max().expect("there are retries");
    scene.turn_to(last + LATE_MS_MAX);
    let mut sent: Sent = HashMap::new();
    let most_out = scene.deliver(200, &mut sent);
    assert!(most_out <= OUT_MAX, "{most_out} were out at once");
    let mut latest: HashMap<WebhookNumber, UnixMs> = HashMap::new();
    for claimed in sent.values() {
        assert_eq!(claimed.due, Some(due[&claimed.id]), "the restart changed nothing");
    }
    let mut in_order: Vec<&Claimed> = sent.values().collect();
    in_order.sort_unstable_by_key(|claimed| claimed.turn);
    for claimed in in_order {
        let before = latest.insert(claimed.id.webhook(), due[&claimed.id]);
        assert!(before <= Some(due[&claimed.id]), "the oldest of a webhook goes first");
    }
    scene.check_done(&due, &sent);
    println!("backlog: {} went out, {most_out} at once", sent.len());
}

#[test]
fn a_backlog_under_a_clock_that_was_set_back_goes_out_after_the_delays_that_it_had() {
    let mut scene = Scene::new();
    let (due, failed_at) = scene.fail_all_once();
    scene.open_again(scene.clock.now() - HOUR);
    let (opened, longest) = (scene.clock.now(), schedule().longest_ms());
    scene.sees_everything_and_sends_nothing();
    let mut sent: Sent = HashMap::new();
    while sent.len() < due.len() {
        let next = scene.scheduler.next_turn().expect("something waits");
        assert!(next <= opened + longest + LATE_MS_MAX, "{} of {} still wait", due.len() - sent.len(), due.len());
        scene.turn_to(next);
        scene.deliver(200, &mut sent);
    }
    for claimed in sent.values() {
        // Seen from the start, its delay is the one that it had seen from the end of its attempt.
        let delay = due[&claimed.id] - failed_at[&claimed.id];
        let (earliest, latest) = (opened + delay, opened + delay + LATE_MS_MAX);
        assert!(
            (earliest..=latest).contains(&claimed.at),
            "sent {} ms after its delay",
            claimed.at as i64 - earliest as i64
        );
    }
    scene.check_done(&due, &sent);
    println!("backlog: {} went out after the clock was set back", sent.len());
}

/// A delivery that went out.
struct Claimed {
    id: DeliveryId,
    /// When.
    at: UnixMs,
    /// When it was due.
    due: Option<UnixMs>,
    /// How many went before it.
    turn: usize,
}

type Sent = HashMap<DeliveryId, Claimed>;

/// Hears of commits.
#[derive(Default)]
struct Ear(Mutex<Vec<Notice>>);

impl Listener for Ear {
    fn notice(&self, notice: Notice) {
        self.0.lock().unwrap().push(notice);
    }
}

/// A store in memory with its scheduler, which outlives being closed.
struct Scene {
    clock: Clock,
    dice: Dice,
    shelf: Arc<Shelf>,
    memory: Memory,
    store: Store,
    committer: Committer,
    scheduler: Scheduler,
    ear: Arc<Ear>,
}

impl Scene {
    fn new() -> Self {
        let (clock, memory) = (Clock::standing_at(START), Memory::default());
        let shelf = Arc::new(Shelf::new(Dialects::shipped()));
        let (store, committer, scheduler, ear) = open(&memory, &clock, &shelf);
        let mut scene = Self { clock, dice: Dice::seeded(7), shelf, memory, store, committer, scheduler, ear };
        scene.now(|staging| staging.create_account(Store::default_account("standard")));
        for _ in 0..WEBHOOKS {
            scene.now(|staging| staging.create_webhook(webhook(), None));
        }
        scene
    }

    /// The server stops and starts, with `now` on the clock.
    fn open_again(&mut self, now: UnixMs) {
        self.committer.let_go();
        self.clock.turn_to(now);
        (self.store, self.committer, self.scheduler, self.ear) = open(&self.memory, &self.clock, &self.shelf);
    }

    fn now<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> T {
        let mut answer = self.store.submit(change).unwrap();
        self.commit();
        answer.try_recv().expect("the committer answers").unwrap()
    }

    /// Commits what waits and tells the scheduler.
    fn commit(&mut self) {
        while self.committer.step() {}
        for notice in std::mem::take(&mut *self.ear.0.lock().unwrap()) {
            notice.changed.into_iter().for_each(|number| self.scheduler.webhook_changed(number));
            let now = self.clock.now();
            notice.fresh.into_iter().for_each(|delivery| self.scheduler.fresh_arrived(delivery, now));
            notice.settled.into_iter().for_each(|settled| self.scheduler.settled(settled, now));
        }
    }

    fn turn_to(&mut self, now: UnixMs) {
        self.clock.turn_to(now);
        self.scheduler.turn(now);
        self.commit();
    }

    /// Publishes every event and fails each delivery once. Gives when each is due, and when it failed.
    fn fail_all_once(&mut self) -> (HashMap<DeliveryId, UnixMs>, HashMap<DeliveryId, UnixMs>) {
        let mut sent: Sent = HashMap::new();
        for _ in 0..events() {
            let accepted = self.now(|staging| staging.accept(1, vec![event()], None));
            assert_eq!(accepted[0].deliveries, WEBHOOKS);
            self.deliver(500, &mut sent);
            self.turn_to(self.clock.now() + PACE);
        }
        assert_eq!(sent.len(), WEBHOOKS * events(), "each was tried once");
        let due = |id: &DeliveryId| self.store.delivery(*id).unwrap().and_then(|one| one.next_attempt_at);
        let due = sent.keys().map(|id| (*id, due(id).expect("it is tried again"))).collect();
        (due, sent.into_iter().map(|(id, claimed)| (id, claimed.at + TAKES_MS)).collect())
    }

    /// Right after a start every webhook has been looked at, nothing is out, and the wheel waits for no longer than its
    /// horizon.
    fn sees_everything_and_sends_nothing(&mut self) {
        loop {
            assert!(self.scheduler.next(self.clock.now()).is_none(), "nothing is due");
            // A clock that was set back has retries pulled in, some at a time.
            let waiting = self.store.queue_depth().0;
            self.commit();
            if waiting == 0 {
                break;
            }
        }
        assert_eq!((self.scheduler.out(), self.scheduler.lanes()), (0, WEBHOOKS));
        let (now, next) = (self.clock.now(), self.scheduler.next_turn().expect("something waits"));
        assert!(next > now && next <= now + LOOK_MS_MAX + LATE_MS_MAX, "the wheel turns in {} ms", next - now);
    }

    /// Sends all that may go out now; each is answered `status`, as many at once as can be. Gives how many those were.
    fn deliver(&mut self, status: u16, sent: &mut Sent) -> usize {
        let (now, mut most_out) = (self.clock.now(), 0);
        loop {
            let mut out: Vec<Claim> = Vec::new();
            while let Some(claim) = self.scheduler.next(now) {
                let (id, due, turn) = (claim.delivery.id, claim.delivery.next_attempt_at, sent.len());
                assert!(due.is_none_or(|due| due <= now), "nothing goes out early");
                assert!(sent.insert(id, Claimed { id, at: now, due, turn }).is_none(), "each goes out once");
                out.push(claim);
            }
            assert_eq!(out.len(), self.scheduler.out());
            most_out = most_out.max(out.len());
            if out.is_empty() {
                return most_out;
            }
            for claim in out {
                let number = claim.delivery.attempts + 1;
                let outcome = Outcome::Status(status);
                let summary = AttemptSummary { number, started_at: now, duration_ms: TAKES_MS as u32, outcome };
                let (url, request_headers, response_body) = Default::default();
                let made = Made {
                    attempt: Attempt {
                        summary,
                        url,
                        request_headers,
                        response_body,
                        resent: false,
                        trace: Default::default(),
                    },
                    named: None,
                    by: None,
                    retry_after: None,
                };
                let dialect = self.shelf.now().get("standard").expect("it is compiled in").clone();
                self.store.settle(verdict(&claim, &dialect, made, self.dice.fraction()));
            }
            self.commit();
        }
    }

    /// Everything went out, and nothing is left.
    fn check_done(&self, due: &HashMap<DeliveryId, UnixMs>, sent: &Sent) {
        assert_eq!(due.keys().collect::<HashSet<_>>(), sent.keys().collect::<HashSet<_>>());
        for webhook in self.store.registry().webhooks() {
            let tally = self.store.tally(webhook.number()).unwrap();
            assert_eq!((tally.open(), tally.succeeded), (0, events() as u64));
        }
        assert_eq!(self.scheduler.out(), 0);
    }
}

fn open(memory: &Memory, clock: &Clock, shelf: &Arc<Shelf>) -> (Store, Committer, Scheduler, Arc<Ear>) {
    let settings = Settings { memory: Some(memory.clone()), cache_bytes: 0, durable: false, ..Settings::at("unused") };
    let (store, committer) = store::open(settings, clock.clone(), Dice::seeded(7)).unwrap();
    let ear = Arc::new(Ear::default());
    store.listen(ear.clone());
    let scheduler = Scheduler::new(store.clone(), shelf.clone(), OUT_MAX, Arc::default(), clock.now());
    (store, committer, scheduler, ear)
}

/// One that waits an hour after its first failure, and that no rule disables.
fn webhook() -> Webhook {
    let url = EndpointUrl::parse("https://example.com/", false).unwrap();
    let (retry, disable) = (Some(schedule()), Some(DisableRule::default()));
    Webhook { retry, disable, ..Webhook::new(1, "standard", url, vec![EventFilter::All]) }
}

fn event() -> NewEvent {
    NewEvent {
        name: None,
        event_type: "task.created".into(),
        created_at: None,
        data: r#"{"n":1}"#.into(),
        actor: None,
        metadata: None,
        test: false,
        channels: Vec::new(),
        fingerprint: None,
        trace: None,
    }
}
