//! A page of the log that cannot be read: what needs a row on it fails, and everything else goes on.

use std::fs;
use std::path::Path;

use hookwheel::clock::{Clock, Dice};
use hookwheel::domain::walk::Walk;
use hookwheel::store::{self, NewEvent, Retention, Settings, StoreError};

use crate::content::Original;
use crate::{content, scratch};

#[test]
fn what_needs_a_page_that_cannot_be_read_fails_and_the_rest_goes_on() {
    let home = scratch();
    let original = Original::make(home.path());
    let data = home.path().join("broken");
    content::copy(&original.rested(), &data);
    spoil(&data.join("db"), b"\"0.1.0.1.0.1.");

    // Retention comes to the page at once: all is old.
    let retention = Retention { events_ms: Some(1), ..Retention::default() };
    let settings = Settings { retention, ..Settings::at(&data) };
    let (store, committer) = store::open(settings, Clock::real(), Dice::from_system()).expect("opens");
    let committer = std::thread::spawn(move || committer.run());
    let is_broken = |read: Result<_, StoreError>| matches!(read, Err(StoreError::Broken(_)));
    assert!(is_broken(store.events(1, Walk::newest(10_000), None, |_| true)), "the list ends there");

    let mut taken = 0;
    for n in 0..200 {
        let data = format!("{{\"n\":{n}}}").into();
        let event = NewEvent {
            name: None,
            event_type: "later".into(),
            created_at: None,
            data,
            actor: None,
            metadata: None,
            test: false,
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
        };
        // Whoever shares a group with what needs the page is told to ask again.
        taken += usize::from(store.accept(1, vec![event], None).expect("is taken").blocking_recv().unwrap().is_ok());
    }
    assert!(taken >= 195, "only {taken} of 200 were taken");
    assert!(store.is_open());
    store.close();
    committer.join().unwrap();
}

/// Flips a bit in each place of the log where an event's data begins so.
fn spoil(log: &Path, begin: &[u8]) {
    let mut bytes = fs::read(log).unwrap();
    let places: Vec<usize> =
        bytes.windows(begin.len()).enumerate().filter(|(_, found)| found == &begin).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at] ^= 1);
    fs::write(log, bytes).unwrap();
}
