//! The core under test: store, commit thread and scheduler, opened anew after each crash.

use std::sync::{Arc, Mutex};

use hookwheel::clock::{Clock, Dice};
use hookwheel::deliver::schedule::Scheduler;
use hookwheel::dialect::Shelf;
use hookwheel::domain::delivery::Delivery;
use hookwheel::domain::id::WebhookNumber;
use hookwheel::store::{
    self, Committer, Listener, Memory, Notice, OpenError, Refusal, Settings, Settled, Staging, Store,
};

use crate::plan::Plan;

/// Hears of commits.
#[derive(Default)]
struct Ear(Mutex<Vec<Notice>>);

impl Listener for Ear {
    fn notice(&self, notice: Notice) {
        self.0.lock().unwrap().push(notice);
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
        Self { dir, memory: plan.memory.then(Memory::default) }
    }
}

pub struct Core {
    pub store: Store,
    pub committer: Committer,
    pub scheduler: Scheduler,
    ear: Arc<Ear>,
    clock: Clock,
}

impl Core {
    pub fn open(plan: &Plan, place: &Place, clock: &Clock, dialects: &Arc<Shelf>) -> Self {
        let settings = Settings {
            memory: place.memory.clone(),
            retention: plan.retention.clone(),
            durable: false,
            ..Settings::at(place.dir.path())
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
        Self { store, committer, scheduler, ear, clock: clock.clone() }
    }

    /// Makes a change and commits it.
    pub fn now<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> T {
        let mut answer = self.store.submit(0, change).unwrap();
        self.commit();
        answer.try_recv().expect("the committer answers").unwrap()
    }

    pub fn all_deliveries(&self, webhook: WebhookNumber) -> Vec<Delivery> {
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

    pub fn commit(&mut self) {
        while self.committer.step() {}
    }

    /// Passes what was committed on to the scheduler; hands out what was settled.
    pub fn hear(&mut self) -> Vec<Settled> {
        let (mut settled, now) = (Vec::new(), self.clock.now());
        if self.ear.0.lock().unwrap().is_empty() {
            return settled;
        }
        for notice in std::mem::take(&mut *self.ear.0.lock().unwrap()) {
            notice.changed.into_iter().for_each(|number| self.scheduler.webhook_changed(number));
            notice.freed.into_iter().for_each(|number| self.scheduler.freed(number));
            notice.fresh.into_iter().for_each(|number| self.scheduler.fresh_arrived(number));
            for one in notice.settled {
                settled.push(one);
                self.scheduler.settled(one, now);
            }
        }
        settled
    }
}
