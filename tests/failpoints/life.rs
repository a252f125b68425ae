//! A life of events: accepted, delivered, tried again, dead, held, replayed, cancelled, forgotten. The committer has its
//! own thread, as in the server; scheduler and verdicts are the real ones; the endpoint is a script. Whoever asks and
//! is told that the store failed asks again once it is open, as a producer would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use hookwheel::clock::{Clock, Dice};
use hookwheel::deliver::schedule::{Claim, Scheduler};
use hookwheel::deliver::verdict::{Made, verdict};
use hookwheel::dialect::{Dialects, Shelf};
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Cause, DeliveryState, Outcome};
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::{DeliveryId, WebhookId};
use hookwheel::domain::retry::RetrySchedule;
use hookwheel::domain::walk::Walk;
use hookwheel::domain::webhook::{EventFilter, Status, Webhook};
use hookwheel::store::{
    self, Accepted, Committer, Idempotency, Listener, Memory, NewEvent, Notice, Refusal, Settings, Staging, Store,
};

const START: u64 = 1_800_000_000_000;
const DAY: u64 = 24 * 3_600_000;
/// Longer than any delay of a webhook here.
const DELAYS_MS: u64 = 200_000;

pub struct Life {
    store: Store,
    committer: JoinHandle<()>,
    notices: mpsc::Receiver<Notice>,
    scheduler: Scheduler,
    shelf: Arc<Shelf>,
    clock: Clock,
    /// What was answered with success.
    acknowledged: Vec<Accepted>,
    /// Requests that the endpoint got.
    sent: BTreeMap<DeliveryId, u16>,
    /// Deliveries with an outcome that was recorded since the last answer, so that a failed sync may lose it.
    unsynced: BTreeSet<DeliveryId>,
    reopened: usize,
    _dir: tempfile::TempDir,
}

struct Ear(Mutex<mpsc::Sender<Notice>>);

impl Listener for Ear {
    fn notice(&self, notice: Notice) {
        // At the end nobody listens any more.
        let _ = self.0.lock().unwrap().send(notice);
    }
}

impl Life {
    /// Opens a store with the default account.
    pub fn begin(memory: Option<Memory>) -> Self {
        let shm = std::path::Path::new("/dev/shm");
        let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
        let clock = Clock::standing_at(START);
        let (store, committer) = store::open(settings(dir.path(), memory), clock.clone(), Dice::seeded(1)).unwrap();
        let (sender, notices) = mpsc::channel();
        store.listen(Arc::new(Ear(Mutex::new(sender))));
        let shelf = Arc::new(Shelf::new(Dialects::shipped()));
        let scheduler = Scheduler::new(store.clone(), shelf.clone(), 100, Arc::default(), clock.now());
        let committer = std::thread::spawn(|| Committer::run(committer));
        let mut life = Self {
            store,
            committer,
            notices,
            scheduler,
            shelf,
            clock,
            acknowledged: Vec::new(),
            sent: BTreeMap::new(),
            unsynced: BTreeSet::new(),
            reopened: 0,
            _dir: dir,
        };
        life.ask(|staging| staging.create_account(Store::default_account("standard")));
        life
    }

    pub fn live(&mut self) {
        let all = self.webhook("*", None);
        let some = self.webhook("task.*", Some("@.data.n > 1"));
        let key = Idempotency { key: [7; 32], fingerprint: [1; 32] };
        let first = self.accept(vec![event("a", 0)], Some(key.clone()));
        self.accept(vec![event("b", 1), event("c", 2)], None);
        let again = self.accept(vec![event("a", 0)], Some(key.clone()));
        assert_eq!((again[0].id, again[0].duplicate), (first[0].id, true));
        self.work();

        self.steer(some, |now| Status::Paused { since: now });
        self.accept(vec![event("d", 3)], None);
        self.work();
        let old = first[0].id.delivery_to(all.number());
        self.ask(move |staging| staging.replay(1, all, old));
        self.ask(move |staging| {
            let test = NewEvent { name: None, test: true, ..event("t", 0) };
            let (_, delivery) = staging.accept_test(1, all, test)?;
            staging.put_tested(delivery, &Attempt::not_made(1, "u", staging.now(), "no"), false)
        });
        self.steer(some, |_| Status::Active);
        self.work();

        // Some are fresh and one waits when the webhook goes.
        self.accept(vec![event("e", 2)], None);
        self.hear_all();
        while let Some(claim) = self.scheduler.next(self.clock.now()) {
            self.send(claim);
        }
        self.accept(vec![event("f", 0), event("g", 0)], None);
        self.ask(move |staging| match staging.delete_webhook(1, all) {
            // It was deleted by a group that was written and not synced.
            Err(Refusal::NotFound(_)) => Ok(()),
            deleted => deleted,
        });
        self.clock.turn_to(self.clock.now() + DAY);
        let anew = self.accept(vec![event("h", 0)], Some(Idempotency { fingerprint: [2; 32], ..key }));
        assert_ne!(anew[0].id, first[0].id, "the key is forgotten");
        self.work();
    }

    /// Stops the store and holds it against what is known. Says how often it was reopened.
    pub fn end(mut self) -> usize {
        // Upkeep makes a step in each group, whoever asked for it.
        for _ in 0..4 {
            self.ask(|_| Ok(()));
        }
        self.work();
        for accepted in &self.acknowledged {
            let event = self.store.event(1, accepted.id).unwrap().expect("what was acknowledged is there");
            let deliveries = self.store.deliveries_of(&event).unwrap();
            assert!(deliveries.len() >= accepted.deliveries, "each with its deliveries");
        }
        let numbers: Vec<u32> = self.store.registry().webhooks().map(|webhook| webhook.number()).collect();
        for number in numbers {
            self.check_webhook(number);
        }
        self.store.close();
        self.committer.join().unwrap();
        self.reopened
    }

    fn check_webhook(&mut self, number: u32) {
        let all = self.store.deliveries(&[number], Walk::newest(1000), None, |_| true).unwrap().rows;
        for delivery in &all {
            assert!(!delivery.state.is_open(), "{} is {:?}", delivery.id, delivery.state);
            // A test is sent by whoever asks for it.
            let sent = self.sent.remove(&delivery.id).unwrap_or(u16::from(delivery.cause == Cause::Test));
            assert_eq!(delivery.attempts, sent, "each attempt is recorded once");
            assert_eq!(self.store.attempts(delivery).unwrap().len(), usize::from(delivery.attempts));
        }
        let tally = self.store.tally(number).unwrap();
        let count = |state| all.iter().filter(|delivery| delivery.state == state).count() as u64;
        assert_eq!((tally.deliveries, tally.open()), (all.len() as u64, 0));
        assert_eq!(tally.succeeded, count(DeliveryState::Succeeded));
        assert_eq!(tally.dead, count(DeliveryState::Dead));
        assert_eq!(tally.cancelled, count(DeliveryState::Cancelled));
        assert_eq!(tally.attempts, all.iter().map(|delivery| u64::from(delivery.attempts)).sum::<u64>());
        assert!(self.store.fresh(number, None, 1).unwrap().is_empty());
        assert_eq!(self.store.next_due(number, None, |_| false).unwrap(), None);
    }

    fn webhook(&mut self, filter: &str, condition: Option<&str>) -> WebhookId {
        let url = EndpointUrl::parse("https://example.com/", false).unwrap();
        let webhook = Webhook {
            retry: Some(RetrySchedule { delay_seconds: vec![1, 60], jitter_percent: 0 }),
            condition: condition.map(str::to_string),
            ..Webhook::new(1, "standard", url, vec![EventFilter::parse(filter).unwrap()])
        };
        self.ask(move |staging| staging.create_webhook(webhook.clone(), None)).id
    }

    fn accept(&mut self, events: Vec<NewEvent>, key: Option<Idempotency>) -> Vec<Accepted> {
        let accepted = self.ask(move |staging| staging.accept(1, events.clone(), key.clone()));
        self.acknowledged.extend(accepted.iter().cloned());
        accepted
    }

    fn steer(&mut self, id: WebhookId, status: fn(u64) -> Status) {
        self.ask(move |staging| {
            staging.update_webhook(1, id, |webhook, now| {
                webhook.status = status(now);
                Ok(())
            })
        });
    }

    /// Asks until it is done.
    fn ask<T: Send + 'static>(
        &mut self,
        change: impl Fn(&mut Staging<'_>) -> Result<T, Refusal> + Clone + Send + 'static,
    ) -> T {
        loop {
            let answer = self.store.submit(change.clone());
            match answer.and_then(|answer| answer.blocking_recv().expect("the committer answers")) {
                Ok(done) => {
                    self.unsynced.clear();
                    return done;
                }
                Err(Refusal::Failed(_)) => self.hear_until(|notice| notice.reopened),
                Err(refusal) => panic!("{refusal}"),
            }
        }
    }

    /// Delivers until nothing is left that is due within the delays of the webhooks.
    fn work(&mut self) {
        let until = self.clock.now() + DELAYS_MS;
        loop {
            self.hear_all();
            self.scheduler.turn(self.clock.now());
            while let Some(claim) = self.scheduler.next(self.clock.now()) {
                self.send(claim);
            }
            match self.scheduler.next_turn().filter(|at| *at <= until) {
                Some(at) => {
                    if !self.unsynced.is_empty() {
                        // Until then the commit thread would have synced them.
                        self.ask(|_| Ok(()));
                    }
                    self.clock.turn_to(at.max(self.clock.now()));
                }
                None => break,
            }
        }
    }

    /// One attempt, up to its being recorded.
    fn send(&mut self, claim: Claim) {
        let id = claim.delivery.id;
        let sent = self.sent.entry(id).or_default();
        *sent += 1;
        let number = claim.delivery.attempts + 1;
        assert_eq!(*sent, number, "nothing goes out again whose attempt was recorded");
        let outcome = self.answer(&claim);
        let summary = AttemptSummary { number, started_at: self.clock.now(), duration_ms: 3, outcome };
        let attempt = Attempt {
            summary,
            url: String::new(),
            request_headers: Default::default(),
            response_body: Vec::new(),
            resent: false,
            trace: Default::default(),
        };
        let dialect = self.shelf.now().get(&claim.webhook.dialect).unwrap().clone();
        self.store.settle(verdict(&claim, &dialect, Made { attempt, retry_after: None, named: None, by: None }, 0.0));
        self.hear_until(|notice| notice.settled.iter().any(|settled| settled.delivery == id));
        self.unsynced.insert(id);
    }

    /// The endpoint never takes an event with n = 2, and takes one with n = 1 the second time.
    fn answer(&mut self, claim: &Claim) -> Outcome {
        let event = claim.delivery.event;
        // The look-up needs an open store.
        let event = loop {
            match self.store.event(1, event) {
                Ok(event) => break event.expect("the event of a delivery is there"),
                Err(_) => self.hear_until(|notice| notice.reopened),
            }
        };
        match (&event.data[..], claim.delivery.attempts) {
            (b"{\"n\":2}", _) | (b"{\"n\":1}", 0) => Outcome::Status(500),
            _ => Outcome::Status(200),
        }
    }

    fn hear_all(&mut self) {
        while let Ok(notice) = self.notices.try_recv() {
            self.hear(notice);
        }
    }

    fn hear_until(&mut self, wanted: impl Fn(&Notice) -> bool) {
        loop {
            let notice = self.notices.recv().expect("the committer tells");
            let found = wanted(&notice);
            self.hear(notice);
            if found {
                return;
            }
        }
    }

    /// The store has opened itself again. Of what was not synced it may know nothing: that goes out once more.
    fn forget_lost(&mut self) {
        for id in std::mem::take(&mut self.unsynced) {
            let recorded = self.store.delivery(id).unwrap().expect("what was acknowledged is there").attempts;
            let sent = self.sent.get_mut(&id).unwrap();
            assert!((*sent - 1..=*sent).contains(&recorded), "{recorded} of {sent} are recorded");
            *sent = recorded;
        }
    }

    fn hear(&mut self, notice: Notice) {
        if notice.reopened {
            self.reopened += 1;
            self.scheduler.begin_again();
            self.forget_lost();
        }
        notice.changed.into_iter().for_each(|number| self.scheduler.webhook_changed(number));
        let now = self.clock.now();
        notice.fresh.into_iter().for_each(|delivery| self.scheduler.fresh_arrived(delivery, now));
        notice.settled.into_iter().for_each(|settled| self.scheduler.settled(settled, now));
    }
}

fn settings(path: &std::path::Path, memory: Option<Memory>) -> Settings {
    Settings { memory, cache_bytes: 16 << 20, queue_events_max: 1000, ..Settings::at(path) }
}

/// An event.
pub fn event(name: &str, n: u8) -> NewEvent {
    NewEvent {
        name: Some(name.into()),
        event_type: "task.created".into(),
        created_at: None,
        data: format!("{{\"n\":{n}}}").into(),
        actor: None,
        metadata: None,
        test: false,
        channels: Vec::new(),
        fingerprint: Some([n; 32]),
        trace: None,
    }
}
