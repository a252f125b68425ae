//! A store that failed opens again at once, whoever is in the middle of reading it: sled stays poisoned for as long as one
//! handle is left, so a long reader is told that the store is closed and ends.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use fail::FailScenario;
use hookwheel::clock::{Clock, Dice};
use hookwheel::domain::walk::Walk;
use hookwheel::store::{self, Listener, Memory, NewEvent, Notice, Refusal, Settings, Store, StoreError};

use crate::life::event;

const EVENTS: usize = 300;

struct Reopened(Sender<()>);

impl Listener for Reopened {
    fn notice(&self, notice: Notice) {
        if notice.reopened {
            self.0.send(()).expect("the test waits for it");
        }
    }
}

#[test]
fn a_long_reader_ends_when_the_store_fails() {
    let dir = tempfile::tempdir().unwrap();
    read_while_it_fails(dir.path(), Some(Memory::default()));
    read_while_it_fails(dir.path(), None);
}

/// A reader is at its first row when the store fails, and goes on as soon as that is closed.
fn read_while_it_fails(path: &Path, memory: Option<Memory>) {
    let scenario = FailScenario::setup();
    let settings = Settings { memory, ..Settings::at(path) };
    let (store, committer) = store::open(settings, Clock::standing_at(1_800_000_000_000), Dice::seeded(1)).unwrap();
    let committer = thread::spawn(move || committer.run());
    let (sender, reopened) = mpsc::channel();
    store.listen(Arc::new(Reopened(sender)));
    ask(&store, |staging| staging.create_account(Store::default_account("standard"))).unwrap();
    ask(&store, |staging| staging.accept(1, vec![NewEvent { name: None, ..event("", 0) }; EVENTS], None)).unwrap();

    let (reads, reading) = mpsc::channel();
    let reader = {
        let store = store.clone();
        thread::spawn(move || {
            store.events(1, Walk::newest(EVENTS), None, |_| {
                let _ = reads.send(());
                while store.is_open() {
                    thread::yield_now();
                }
                true
            })
        })
    };
    reading.recv().expect("it begins");
    fail::cfg("store.write", "1*return->off").unwrap();
    let failed = ask(&store, |staging| staging.accept(1, vec![event("late", 0)], None));
    assert!(matches!(failed, Err(Refusal::Failed(_))), "{failed:?}");
    assert_eq!(reader.join().unwrap(), Err(StoreError::Unavailable), "it does not go through all rows first");
    reopened.recv().expect("it opens again");
    assert_eq!(store.events(1, Walk::newest(EVENTS), None, |_| true).unwrap().rows.len(), EVENTS);
    store.close();
    committer.join().unwrap();
    scenario.teardown();
}

fn ask<T: Send + 'static>(
    store: &Store,
    change: impl FnOnce(&mut store::Staging<'_>) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    store.submit(change).and_then(|answer| answer.blocking_recv().expect("the committer answers"))
}
