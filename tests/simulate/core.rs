//! The core under test: store, commit thread, engine and the senders' book, opened anew after each crash. Nothing here but the
//! request itself is not the server's own.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hookwheel::clock::{Clock, Dice};
use hookwheel::deliver::book::{Book, Came};
use hookwheel::deliver::engine::Engine;
use hookwheel::deliver::errands::Errand;
use hookwheel::deliver::mailbox::{Mail, Mailbox};
use hookwheel::deliver::polls;
use hookwheel::deliver::schedule::{Claim, Scheduler};
use hookwheel::dialect::Shelf;
use hookwheel::domain::delivery::Delivery;
use hookwheel::domain::id::WebhookNumber;
use hookwheel::domain::secret::Secret;
use hookwheel::domain::time::UnixMs;
use hookwheel::domain::walk::Walk;
use hookwheel::pulse::Pulse;
use hookwheel::store::{
    self, Accepted, Committer, Listener, MasterKeySource, Member, Memory, NewEvent, Notice, OpenError, Refusal,
    Settings, Settled, Staging, Store,
};
use tokio::sync::mpsc;

use crate::plan::{Kept, Plan};

/// So many senders: more than one, so that outcomes come from several.
const SENDERS: usize = 2;

/// What was told of a commit, as the oracle hears it.
pub struct Told {
    pub settled: Vec<Settled>,
    pub reopened: bool,
}

/// Hears of commits for the oracle, and passes on to the engine.
struct Ear {
    told: Mutex<Vec<Told>>,
    /// Whether there may be mail for the engine. Looking into an empty mailbox takes as long as a short sleep.
    has_mail: AtomicBool,
    mailbox: Arc<Mailbox>,
}

impl Listener for Ear {
    fn notice(&self, notice: Notice) {
        let told = Told { settled: notice.settled.clone(), reopened: notice.reopened };
        self.told.lock().unwrap().push(told);
        self.has_mail.store(true, Ordering::Relaxed);
        self.mailbox.notice(notice);
    }
}

/// Where a run's store is kept over its crashes.
pub struct Place {
    dir: tempfile::TempDir,
    memory: Option<Memory>,
}

impl Place {
    pub fn of(plan: &Plan) -> Self {
        // A directory that no disk slows down, where there is one.
        let shm = std::path::Path::new("/dev/shm");
        let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
        Self { dir, memory: (plan.kept == Kept::Memory).then(Memory::default) }
    }

    fn settings(&self, plan: &Plan) -> Settings {
        Settings {
            memory: self.memory.clone(),
            retention: plan.retention.clone(),
            durable: false,
            fan_out_max: plan.fan_out_max,
            ahead_bytes_min: plan.ahead_bytes_min,
            ..Settings::at(self.dir.path())
        }
    }

    /// Whether a power cut would lose nothing; on disk nobody asks.
    pub fn is_synced(&self) -> bool {
        self.memory.as_ref().is_none_or(Memory::is_synced)
    }

    /// The memory, which can be told to fail.
    pub fn memory(&self) -> &Memory {
        self.memory.as_ref().expect("only memory can be told to fail")
    }
}

/// A publish on its way. It asks the commit thread for one thing after the other.
pub struct Going(Pin<Box<dyn Future<Output = Result<Vec<Accepted>, Refusal>>>>);

impl Going {
    /// Goes on, unless it waits for the commit thread.
    pub fn poll(&mut self) -> Option<Result<Vec<Accepted>, Refusal>> {
        match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(published) => Some(published),
            Poll::Pending => None,
        }
    }
}

pub struct Core {
    pub store: Store,
    pub committer: Committer,
    engine: Engine,
    mailbox: Arc<Mailbox>,
    errands: Vec<mpsc::UnboundedReceiver<Errand>>,
    book: Book,
    ear: Arc<Ear>,
    broken_off: BTreeSet<WebhookNumber>,
}

impl Core {
    pub fn open(plan: &Plan, place: &Place, clock: &Clock, dialects: &Arc<Shelf>, dice: Dice) -> Self {
        let opened = loop {
            match store::open(place.settings(plan), clock.clone(), Dice::seeded(plan.seed)) {
                Ok(opened) => break opened,
                // sled's own threads let go of the file a moment after its last handle is gone.
                Err(OpenError::InUse(_)) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        Self::over(opened, plan, clock, dialects, dice)
    }

    /// On a node of those that share a database, unless another owns it.
    pub fn open_on(
        node: &Member,
        (plan, place): (&Plan, &Place),
        clock: &Clock,
        dialects: &Arc<Shelf>,
        dice: Dice,
    ) -> Result<Self, OpenError> {
        // Nodes share a key.
        let master_keys = MasterKeySource::Text(Secret::master_key(&[7; 32]));
        let settings = Settings { database: Some(node.clone()), master_keys, ..place.settings(plan) };
        let opened = store::open(settings, clock.clone(), Dice::seeded(plan.seed))?;
        Ok(Self::over(opened, plan, clock, dialects, dice))
    }

    fn over(
        (store, committer): (Store, Committer),
        plan: &Plan,
        clock: &Clock,
        dialects: &Arc<Shelf>,
        dice: Dice,
    ) -> Self {
        let mailbox = Arc::new(Mailbox::default());
        let ear = Arc::new(Ear { told: Mutex::default(), has_mail: AtomicBool::new(false), mailbox: mailbox.clone() });
        store.listen(ear.clone());
        let out_max = if plan.roomy { 100_000 } else { 3 };
        let scheduler = Scheduler::new(store.clone(), dialects.clone(), out_max, Arc::default(), clock.now());
        let (senders, errands) = (0..SENDERS).map(|_| mpsc::unbounded_channel()).unzip();
        let pulse = Arc::new(Pulse::of("engine"));
        let engine = Engine::new(scheduler, clock.clone(), mailbox.clone(), Arc::default(), pulse, senders);
        let book = Book::new(store.clone(), clock.clone(), dice, Arc::default(), mailbox.clone());
        Self { store, committer, engine, mailbox, errands, book, ear, broken_off: BTreeSet::new() }
    }

    /// Begins to publish, as the API does.
    pub fn publish(&self, events: Vec<NewEvent>) -> Going {
        let store = self.store.clone();
        Going(Box::pin(async move {
            let publish = store.ask(1, events).await?;
            store.publish(1, publish, None).await
        }))
    }

    /// Makes a change and commits it.
    pub fn now<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> T {
        let mut answer = self.store.submit(change).unwrap();
        self.commit();
        answer.try_recv().expect("the committer answers").unwrap()
    }

    pub fn commit(&mut self) {
        while self.committer.step() {}
    }

    /// What was told since this was last asked.
    pub fn told(&self) -> Vec<Told> {
        std::mem::take(&mut *self.ear.told.lock().unwrap())
    }

    /// The engine passes. Gives what it hands to the senders.
    pub fn pass(&mut self) -> Vec<Claim> {
        let has_mail = self.ear.has_mail.swap(false, Ordering::Relaxed);
        self.engine.pass(if has_mail { self.mailbox.take(Some(Duration::ZERO)) } else { Mail::default() });
        let errands = self.errands.iter_mut().flat_map(|errands| std::iter::from_fn(|| errands.try_recv().ok()));
        let claim = |errand| match errand {
            Errand::Attempt(claim) => Some(claim),
            // What is in a hand goes no further here.
            Errand::Lease(claim, _hand) => Some(claim),
            Errand::BreakOff(number) => {
                self.broken_off.insert(number);
                None
            }
            _ => panic!("nobody asked for anything else"),
        };
        errands.filter_map(claim).collect()
    }

    /// A consumer waits for deliveries.
    pub fn poll(&self, poll: polls::Poll) {
        self.mailbox.poll(poll);
        self.ear.has_mail.store(true, Ordering::Relaxed);
    }

    /// One of the webhook says that it waits no longer.
    pub fn poll_left(&self, webhook: WebhookNumber) {
        self.mailbox.poll_left(webhook);
        self.ear.has_mail.store(true, Ordering::Relaxed);
    }

    /// The webhooks of which senders were told to break off what is out.
    pub fn take_broken_off(&mut self) -> BTreeSet<WebhookNumber> {
        std::mem::take(&mut self.broken_off)
    }

    /// When the engine passes next.
    pub fn next_pass(&self) -> Option<UnixMs> {
        self.engine.next_pass()
    }

    /// A sender is done with a claim.
    pub fn enter(&self, claim: &Claim, came: Came) {
        self.book.enter(claim, came);
        self.ear.has_mail.store(true, Ordering::Relaxed);
    }

    pub fn all_deliveries(&self, webhook: WebhookNumber) -> Vec<Delivery> {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store.deliveries(&[webhook], Walk::newest(1000).past(cursor), None, |_| true).unwrap();
            all.extend(page.rows);
            cursor = page.next;
            if cursor.is_none() {
                return all;
            }
        }
    }
}
