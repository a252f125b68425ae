//! A store under test: takes a group of deeds in one commit, crashes, and is held against the model in all that it
//! shows.

use std::task::{Context, Poll, Waker};

use hookwheel::clock::{Clock, Dice};
use hookwheel::domain::delivery::{Cause, Delivery, DeliveryState};
use hookwheel::domain::id::{DeliveryId, WebhookNumber};
use hookwheel::domain::secret::Secret;
use hookwheel::domain::tally::{Tally, Totals};
use hookwheel::domain::walk::Walk;
use hookwheel::domain::webhook::Webhook;
use hookwheel::store::{
    self, Accepted, Committer, Leaving, MasterKeySource, Member, Memory, OpenError, Page, Refusal, Settings,
    Settlement, Staging, Store, StoreError,
};

use crate::deeds::{Ask, test_attempt};
use crate::plain::{AHEAD_BYTES_MIN, Plain, START, as_known};

/// What the store answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Accepted(Vec<Accepted>),
    Test(Accepted, DeliveryId),
    Replayed(DeliveryId),
    Webhook(Box<Webhook>),
    Deleted,
    Left,
}

pub struct Subject {
    pub clock: Clock,
    settings: Settings,
    open: Option<(Store, Committer)>,
    /// How often it was opened: dice that are seeded anew must not give the ids of before.
    opened: u64,
    /// Where conditions are asked that take long.
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

impl Subject {
    pub fn in_memory() -> Self {
        Self::start(Some(Memory::default()), None)
    }

    pub fn on_files() -> Self {
        Self::start(None, None)
    }

    /// Over a database that is empty.
    pub fn on_database(url: String) -> Self {
        Self::start(None, Some(Member::of_postgres(&Secret::new(url), None, "model")))
    }

    fn start(memory: Option<Memory>, database: Option<Member>) -> Self {
        let shm = std::path::Path::new("/dev/shm");
        let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
        let settings = Settings {
            memory,
            // Of a database the keys must be given.
            master_keys: match database {
                Some(_) => MasterKeySource::Text(Secret::master_key(&[0; 32])),
                None => MasterKeySource::Own,
            },
            database,
            cache_bytes: 16 << 20,
            queue_events_max: 1000,
            durable: false,
            ahead_bytes_min: AHEAD_BYTES_MIN,
            ..Settings::at(dir.path())
        };
        let clock = Clock::standing_at(START);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut subject = Self { clock, settings, open: None, opened: 0, runtime, _dir: dir };
        subject.open();
        let mut answer =
            subject.store().submit(|staging| staging.create_account(Store::default_account("standard"))).unwrap();
        subject.settle_down();
        answer.try_recv().expect("the committer answers").unwrap();
        subject
    }

    fn open(&mut self) {
        self.opened += 1;
        let open = || store::open(self.settings.clone(), self.clock.clone(), Dice::seeded(self.opened));
        self.open = Some(loop {
            match open() {
                Ok(opened) => break opened,
                // sled's own threads let go of the file a moment after its last handle is gone.
                Err(OpenError::InUse(_)) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        });
    }

    /// It dies and is opened again.
    pub fn crash(&mut self) {
        if let Some((_, mut committer)) = self.open.take() {
            committer.let_go();
        }
        self.open();
    }

    fn store(&self) -> &Store {
        &self.open.as_ref().expect("it is open").0
    }

    fn step(&mut self) -> bool {
        self.open.as_mut().expect("it is open").1.step()
    }

    /// Upkeep goes on until there is nothing to do.
    pub fn settle_down(&mut self) {
        while self.step() {}
    }

    /// All of it in one group.
    pub fn commit(&mut self, settlements: &[Settlement], asked: &[Ask]) -> Vec<Result<Reply, Refusal>> {
        settlements.iter().for_each(|settlement| self.store().settle(settlement.clone()));
        let asked = asked.iter().cloned();
        let answers: Vec<_> = asked.map(|ask| self.store().submit(move |staging| put(staging, ask)).unwrap()).collect();
        self.step();
        answers.into_iter().map(|mut answer| answer.try_recv().expect("the committer answers")).collect()
    }

    /// A publish as the API does it, or its start: none if the store was opened again before its end.
    pub fn publish(&mut self, ask: &Ask, crash_after: Option<usize>) -> Option<Result<Reply, Refusal>> {
        let (Ask::Accept(events, key), store) = (ask.clone(), self.store().clone()) else {
            panic!("it is none: {ask:?}")
        };
        let mut going = Box::pin(async move {
            let publish = store.ask(1, events).await?;
            store.publish(1, publish, key).await.map(Reply::Accepted)
        });
        let mut groups = 0;
        loop {
            let polled = {
                let _in = self.runtime.enter();
                going.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            };
            match polled {
                Poll::Ready(reply) => return Some(reply),
                Poll::Pending if crash_after == Some(groups) => break,
                Poll::Pending if self.step() => groups += 1,
                // Conditions are being asked on another thread.
                Poll::Pending => std::thread::yield_now(),
            }
        }
        drop(going);
        self.crash();
        None
    }

    /// Holds all that it shows against the model.
    pub fn check(&self, plain: &Plain, now: u64) {
        let store = self.store();
        let events: Vec<_> = plain.events.keys().rev().copied().collect();
        let listed = pages(3, |cursor| store.events(1, Walk::newest(3).past(cursor), None, |_| true));
        assert_eq!(listed.iter().map(|head| head.id).collect::<Vec<_>>(), events, "the list of events");
        for (event, head) in plain.events.values().rev().zip(&listed) {
            let is_purged = plain.purged.contains(&event.id);
            let stored = store.event(1, event.id).unwrap();
            assert_eq!(stored.as_deref(), Some(event).filter(|_| !is_purged), "an accepted event is there, to be sent");
            assert_eq!(head.purged_at.is_some(), is_purged);
            assert_eq!((&head.event_type, &head.webhooks), (&event.event_type, &event.webhooks));
            if let Some(name) = &event.name {
                assert_eq!(store.id_of_event_named(1, name).unwrap(), Some(event.id));
            }
            let mut all: Vec<_> = plain.deliveries.values().filter(|one| one.event == event.id).cloned().collect();
            all.sort_by_key(|delivery| (delivery.id.event_at_accept() != event.id, delivery.id));
            let stored: Vec<_> = store.deliveries_of(event).unwrap().into_iter().map(as_known).collect();
            assert_eq!(stored, all);
            let paged =
                pages(2, |cursor| store.deliveries_of_event(event.id, &head.webhooks, Walk::newest(2).past(cursor)));
            all.sort_by_key(|delivery| std::cmp::Reverse(delivery.id));
            assert_eq!(paged.into_iter().map(as_known).collect::<Vec<_>>(), all, "page by page");
        }
        for webhook in plain.webhooks.values() {
            self.check_webhook(plain, webhook, now);
        }
        let ended = |state| plain.deliveries.values().filter(|one| one.state == state).count() as u64;
        let gone = |of: fn(&Totals) -> u64| plain.counts.values().map(|counts| of(&counts.gone)).sum::<u64>();
        let expected = Totals {
            deliveries: plain.deliveries.len() as u64 + gone(|gone| gone.deliveries),
            succeeded: ended(DeliveryState::Succeeded) + gone(|gone| gone.succeeded),
            dead: ended(DeliveryState::Dead) + gone(|gone| gone.dead),
            cancelled: ended(DeliveryState::Cancelled) + gone(|gone| gone.cancelled),
            attempts: plain.deliveries.values().map(|one| u64::from(one.attempts)).sum::<u64>()
                + gone(|gone| gone.attempts),
            failed_attempts: plain.counts.values().map(|counts| counts.failed_attempts).sum(),
        };
        assert_eq!(store.totals(), expected, "the sums over all webhooks");
        if let Some(memory) = &self.settings.memory {
            assert_eq!(memory.keys("bodies").len(), plain.written_ahead.len(), "what was written ahead has its event");
            let is_of = |key: &Vec<u8>, tree: &str| memory.keys(tree).iter().any(|of| key.starts_with(of));
            let pieces = memory.keys("chunks");
            assert!(pieces.iter().all(|key| is_of(key, "bodies") || is_of(key, "events")), "a piece of nothing");
            assert_eq!(memory.keys("names").len(), plain.events.values().filter(|event| event.name.is_some()).count());
            assert_eq!(memory.keys("replays").len(), plain.deliveries.values().filter(|one| is_replay(one)).count());
        }
    }

    fn check_webhook(&self, plain: &Plain, webhook: &Webhook, now: u64) {
        let (store, number) = (self.store(), webhook.number());
        let known = store.registry().webhook(number);
        let of_it = plain.deliveries.values().filter(|delivery| delivery.id.webhook() == number);
        let of_it: Vec<Delivery> = of_it.rev().cloned().collect();
        if known.is_none() && webhook.is_deleted() && of_it.is_empty() {
            assert_eq!(store.tally(number).unwrap(), Tally::default(), "it is forgotten whole");
            return;
        }
        // Its key for attempts is another each time.
        let known = known.map(|one| Webhook { attempts_key: None, ..(*one).clone() });
        assert_eq!(known.as_ref(), Some(webhook));
        let history = pages(4, |cursor| store.deliveries(&[number], Walk::newest(4).past(cursor), None, |_| true));
        assert_eq!(history.into_iter().map(as_known).collect::<Vec<_>>(), of_it, "its history");
        for delivery in &of_it {
            let stored = store.delivery(delivery.id).unwrap().expect("the model knows it");
            let attempts = plain.attempts.get(&delivery.id).map_or(&[][..], Vec::as_slice);
            assert_eq!(store.attempts(&stored).unwrap(), attempts);
            assert_eq!(&as_known(stored), delivery);
        }
        let fresh = of_it.iter().rev().filter(|delivery| delivery.state == DeliveryState::Pending);
        assert_eq!(store.fresh(number, None, 1000).unwrap(), fresh.cloned().collect::<Vec<_>>(), "what is fresh");
        let mut waiting: Vec<_> = of_it.iter().filter_map(|one| Some((one.next_attempt_at?, one.id))).collect();
        waiting.sort_unstable();
        assert_eq!(store.next_due(number, None, |_| false).unwrap(), waiting.first().map(|first| first.0));
        for at in [now, now + 45_000] {
            let due = store.due(number, None, at, 1000, |_| false).unwrap().into_iter().map(|delivery| delivery.id);
            let expected = waiting.iter().filter(|(due, _)| *due <= at).map(|(_, id)| *id);
            assert_eq!(due.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "what is due");
        }
        self.check_tally(plain, number, &of_it);
    }

    fn check_tally(&self, plain: &Plain, number: WebhookNumber, of_it: &[Delivery]) {
        let tally = self.store().tally(number).unwrap();
        let count = |state| of_it.iter().filter(|delivery| delivery.state == state).count() as u64;
        let gone = plain.counts[&number].gone;
        assert_eq!(tally.deliveries, of_it.len() as u64 + gone.deliveries);
        assert_eq!(tally.succeeded, count(DeliveryState::Succeeded) + gone.succeeded);
        assert_eq!(tally.dead, count(DeliveryState::Dead) + gone.dead);
        assert_eq!(tally.cancelled, count(DeliveryState::Cancelled) + gone.cancelled);
        let attempts = of_it.iter().map(|delivery| u64::from(delivery.attempts)).sum::<u64>();
        assert_eq!(tally.attempts, attempts + gone.attempts);
        assert_eq!(tally.failed_attempts, plain.counts[&number].failed_attempts);
        assert_eq!(tally.consecutive_failures, plain.counts[&number].consecutive_failures);
    }
}

fn put(staging: &mut Staging<'_>, ask: Ask) -> Result<Reply, Refusal> {
    let webhook = |webhook| Reply::Webhook(Box::new(webhook));
    match ask {
        Ask::Accept(events, idempotency) => staging.accept(1, events, idempotency).map(Reply::Accepted),
        Ask::Test(id, event, success) => {
            let (event, delivery) = staging.accept_test(1, id, event)?;
            let made = test_attempt(staging.now(), success);
            staging.put_tested(delivery.clone(), &made, success)?;
            Ok(Reply::Test(event, delivery.id))
        }
        Ask::Replay(id, old) => staging.replay(1, id, old).map(Reply::Replayed),
        Ask::Create(wish) => staging.create_webhook(wish, None).map(webhook),
        Ask::Delete(id) => staging.delete_webhook(1, id).map(|()| Reply::Deleted),
        Ask::DeleteEvent(id) => staging.delete_event(1, id).map(left),
        Ask::PurgeEvent(id) => staging.purge_event(1, id).map(left),
        Ask::Steer(id, status) => {
            let change = |webhook: &mut Webhook, _| {
                webhook.status = status;
                Ok(())
            };
            staging.update_webhook(1, id, change).map(webhook)
        }
        Ask::Change(id, wish) => {
            let change = |webhook: &mut Webhook, _| {
                (webhook.events, webhook.condition) = (wish.events, wish.condition);
                (webhook.test_mode, webhook.channels) = (wish.test_mode, wish.channels);
                Ok(())
            };
            staging.update_webhook(1, id, change).map(webhook)
        }
    }
}

/// Few deliveries leave with their event.
fn left(leaving: Leaving) -> Reply {
    assert!(!matches!(leaving, Leaving::Goes(..)), "{leaving:?}");
    Reply::Left
}

/// Whether it was made after its event was accepted.
fn is_replay(delivery: &Delivery) -> bool {
    matches!(delivery.cause, Cause::Replay(_))
}

/// All rows of a list, page by page.
fn pages<T, Id: Copy>(limit: usize, page: impl Fn(Option<Id>) -> Result<Page<T, Id>, StoreError>) -> Vec<T> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let next = page(cursor).unwrap();
        assert!(next.rows.len() <= limit);
        rows.extend(next.rows);
        cursor = next.next;
        if cursor.is_none() {
            return rows;
        }
    }
}
