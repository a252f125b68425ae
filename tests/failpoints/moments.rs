//! What must hold at one moment that no test meets by chance: a failpoint stands there and tells, or does what comes
//! between.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use fail::FailScenario;
use hookwheel::clock::{Clock, Dice};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::DeliveryId;
use hookwheel::domain::retry::Next;
use hookwheel::domain::stats::{Series, Span, Step};
use hookwheel::domain::webhook::{EventFilter, Webhook};
use hookwheel::store::{
    self, Committer, Listener, Memory, NewEvent, Notice, Refusal, Settings, Settlement, Staging, Store,
};

/// The start of a minute.
const START: u64 = 1_800_000_000_000;
const MINUTE: u64 = 60_000;
/// Nothing that a test waits for takes longer than this.
const DEADLINE: Duration = Duration::from_secs(30);

struct Rig {
    store: Store,
    committer: Committer,
    clock: Clock,
}

impl Rig {
    /// A store in memory with a webhook that wants everything.
    fn founded() -> Self {
        let clock = Clock::standing_at(START);
        let settings = Settings { memory: Some(Memory::default()), ..Settings::at("unused") };
        let (store, committer) = store::open(settings, clock.clone(), Dice::seeded(1)).unwrap();
        let mut rig = Self { store, committer, clock };
        let url = EndpointUrl::parse("https://example.com/", false).unwrap();
        let webhook = Webhook::new(1, "standard", url, vec![EventFilter::parse("*").unwrap()]);
        rig.now(|staging| staging.create_account(Store::default_account("standard")));
        rig.now(move |staging| staging.create_webhook(webhook, None));
        rig
    }

    fn now<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> T {
        let mut answer = self.store.submit(change).unwrap();
        while self.committer.step() {}
        answer.try_recv().expect("the committer answers").unwrap()
    }

    /// So many events, each with its delivery.
    fn publish(&mut self, count: usize) -> Vec<DeliveryId> {
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
        let accepted = self.now(move |staging| staging.accept(1, vec![event; count], None));
        accepted.into_iter().map(|accepted| accepted.id.delivery_to(1)).collect()
    }
}

fn succeeded(delivery: DeliveryId) -> Settlement {
    let summary = AttemptSummary { number: 1, started_at: START, duration_ms: 1, outcome: Outcome::Status(200) };
    let attempt = Attempt {
        summary,
        url: String::new(),
        request_headers: Default::default(),
        response_body: Vec::new(),
        resent: false,
        trace: Default::default(),
    };
    let (disable, strain) = (DisableRule::default(), Strain::Well);
    Settlement { delivery, attempt, next: Next::Succeeded, disable, strain, dice: 0.0, rate_limited: false }
}

/// Passes on what is recorded.
struct Ear(Mutex<mpsc::Sender<DeliveryId>>);

impl Listener for Ear {
    fn notice(&self, notice: Notice) {
        let tell = self.0.lock().unwrap();
        for settled in notice.settled {
            // At the end nobody listens any more.
            let _ = tell.send(settled.delivery);
        }
    }
}

#[test]
fn outcomes_that_nobody_waits_for_are_synced_soon_whether_or_not_more_come() {
    let scenario = FailScenario::setup();
    let mut rig = Rig::founded();
    let mut deliveries = rig.publish(300);
    let last = deliveries.pop().unwrap();
    let (tell, recorded) = mpsc::channel();
    rig.store.listen(Arc::new(Ear(Mutex::new(tell))));
    let (synced, syncs) = mpsc::channel();
    let synced = Mutex::new(synced);
    fail::cfg_callback("store.sync", move || synced.lock().unwrap().send(()).unwrap()).unwrap();
    let Rig { store, committer, clock } = rig;
    let committer = std::thread::spawn(|| committer.run());
    // One after the other, so that there is always one to record: 299 groups, each a millisecond after the last.
    for delivery in deliveries {
        clock.turn_to(clock.now() + 1);
        store.settle(succeeded(delivery));
        assert_eq!(recorded.recv_timeout(DEADLINE), Ok(delivery));
    }
    assert!(syncs.try_iter().count() > 0, "a stream of outcomes is synced on the way");
    store.settle(succeeded(last));
    assert_eq!(recorded.recv_timeout(DEADLINE), Ok(last));
    assert_eq!(syncs.recv_timeout(DEADLINE), Ok(()), "the last one is, though nothing comes after it");
    store.close();
    committer.join().unwrap();
    scenario.teardown();
}

#[test]
fn a_minute_that_ends_while_statistics_are_read_is_counted_once() {
    let scenario = FailScenario::setup();
    let mut rig = Rig::founded();
    rig.publish(3);
    let (store, clock) = (rig.store.clone(), rig.clock.clone());
    let (rig, looks) = (Mutex::new(rig), Arc::new(AtomicUsize::new(0)));
    let looked = looks.clone();
    let turned = AtomicBool::new(false);
    fail::cfg_callback("store.stats", move || {
        looked.fetch_add(1, Ordering::SeqCst);
        if !turned.swap(true, Ordering::SeqCst) {
            // The counters were read; before the rows are, the minute becomes one.
            clock.turn_to(START + MINUTE);
            rig.lock().unwrap().publish(2);
        }
    })
    .unwrap();
    let span = Span { step: Step::Minute, from: START, to: START + 10 * MINUTE };
    let counted = store.stats(Series::Webhook(1), span, START + MINUTE).unwrap();
    let counted: Vec<(u64, u64)> = counted.points.iter().map(|(start, counts)| (*start, counts.deliveries)).collect();
    assert_eq!(counted, [(START, 3), (START + MINUTE, 2)]);
    assert_eq!(looks.load(Ordering::SeqCst), 2, "it looked again, and no more");
    scenario.teardown();
}
