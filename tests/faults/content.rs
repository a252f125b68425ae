//! A store with something in it of every kind, in three lives, so that its log has several segments and a snapshot of it
//! lies between; and what was there earlier, to be put back.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use hookwheel::clock::{Clock, Dice};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::DeliveryId;
use hookwheel::domain::retry::Next;
use hookwheel::domain::webhook::{EventFilter, Webhook};
use hookwheel::store::{self, Accepted, NewEvent, OpenError, Refusal, Settings, Settlement, Staging, Store};

/// Events in all.
pub const EVENTS: usize = 600;
const LIVES: usize = 3;

/// Data directories to be copied.
pub struct Original {
    home: PathBuf,
}

impl Original {
    /// Makes them below `home`.
    pub fn make(home: &Path) -> Self {
        let data = home.join("original");
        for life in 0..LIVES {
            let open = Life::begin(&data);
            open.live(life);
            if life == LIVES - 2 {
                copy(&data, &home.join("earlier"));
            }
            if life == LIVES - 1 {
                copy(&data, &home.join("killed"));
            }
            open.end();
        }
        copy(&data, &home.join("closed"));
        // Once more for nothing: the snapshot of the log is of its end then, and most pages are read only when they are
        // asked for.
        Life::begin(&data).end();
        Self { home: home.into() }
    }

    /// As it was closed after it was opened for nothing.
    pub fn rested(&self) -> PathBuf {
        self.home.join("original")
    }

    /// As it was closed.
    pub fn closed(&self) -> PathBuf {
        self.home.join("closed")
    }

    /// As a kill would have left it in its last life.
    pub fn killed(&self) -> PathBuf {
        self.home.join("killed")
    }

    /// As it was in the life before.
    pub fn earlier(&self) -> PathBuf {
        self.home.join("earlier")
    }
}

/// Copies a directory.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("can be made");
    for entry in fs::read_dir(from).expect("a directory") {
        let path = entry.expect("can be read").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else if path.is_file() {
            fs::copy(&path, &to).expect("can be copied");
        }
    }
}

struct Life {
    store: Store,
    committer: JoinHandle<()>,
}

impl Life {
    fn begin(data: &Path) -> Self {
        let (store, committer) = loop {
            match store::open(Settings::at(data), Clock::real(), Dice::from_system()) {
                // sled's own threads let go of the file a moment after its last handle is gone.
                Err(OpenError::InUse(_)) => thread::yield_now(),
                opened => break opened.expect("opens"),
            }
        };
        Self { store, committer: std::thread::spawn(move || committer.run()) }
    }

    fn live(&self, life: usize) {
        if life == 0 {
            self.ask(|staging| staging.create_account(Store::default_account("standard")));
            for filter in ["*", "task.*"] {
                let url = EndpointUrl::parse("https://example.com/", false).expect("a URL");
                let filter = EventFilter::parse(filter).expect("a filter");
                let webhook = Webhook::new(1, "standard", url, vec![filter]);
                self.ask(move |staging| staging.create_webhook(webhook, None));
            }
        }
        for n in 0..EVENTS / LIVES {
            // Few are large: a large one has rows of its own for its pieces.
            let size = if n % 40 == 0 { 100_000 } else { 200 + n * 37 % 6_000 };
            let data = Bytes::from(format!("\"{}\"", format!("{life}.{n}.").repeat(size / 6)));
            let name = Some(format!("event-{life}-{n}"));
            let event = NewEvent {
                name,
                event_type: if n % 3 == 0 { "task.created" } else { "other" }.into(),
                created_at: None,
                data,
                actor: None,
                metadata: None,
                test: false,
                channels: Vec::new(),
                fingerprint: None,
                trace: None,
            };
            let accepted = self.ask(move |staging| staging.accept(1, vec![event], None));
            self.deliver(n, &accepted[0]);
        }
        // An answer comes after all outcomes before it.
        self.ask(|_| Ok(()));
    }

    /// Some deliveries stay open; of the others some fail first, and some are dead.
    fn deliver(&self, n: usize, accepted: &Accepted) {
        let event = self.store.event(1, accepted.id).expect("can be read").expect("it is there");
        for delivery in event.deliveries() {
            match n % 5 {
                0 => {}
                1 => self.settle(delivery, 1, 500, Next::RetryAt(Clock::real().now() + 86_400_000)),
                2 => {
                    self.settle(delivery, 1, 500, Next::RetryAt(Clock::real().now()));
                    self.settle(delivery, 2, 503, Next::Dead);
                }
                _ => self.settle(delivery, 1, 200, Next::Succeeded),
            }
        }
    }

    fn settle(&self, delivery: DeliveryId, number: u16, status: u16, next: Next) {
        let outcome = Outcome::Status(status);
        let summary = AttemptSummary { number, started_at: Clock::real().now(), duration_ms: 1, outcome };
        let (url, request_headers, response_body) = Default::default();
        self.store.settle(Settlement {
            delivery,
            attempt: Attempt { summary, url, request_headers, response_body, resent: false, trace: Default::default() },
            next,
            disable: DisableRule::default(),
            strain: Strain::Well,
            dice: 0.5,
            rate_limited: false,
        });
    }

    fn ask<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> T {
        self.store.submit(change).expect("is taken").blocking_recv().expect("is answered").expect("is done")
    }

    fn end(self) {
        self.store.close();
        self.committer.join().expect("ends");
    }
}
