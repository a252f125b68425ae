//! Each write and each sync of a life of events fails once, in a run of its own: the first, the second, and so on until
//! a life ends before its turn comes. What stays true, in memory and on files: the store opens itself again, nothing
//! that was acknowledged is lost, every attempt is recorded once, and all that is open goes out.
//!
//! In memory a sync that fails loses what was written since the last one. On files it may have been written all the same.
//! So there may be events that nobody was told of; they are delivered like any other.

mod asking;
#[path = "../filled/mod.rs"]
mod filled;
mod life;
mod moments;
mod outcomes;
mod pages;
mod readers;
mod reading;
mod sending;
mod shaping;
#[path = "../support/mod.rs"]
mod support;
mod whole;

use fail::FailScenario;
use hookwheel::store::Memory;
use life::Life;

#[test]
fn whatever_fails_nothing_acknowledged_is_lost_and_the_store_goes_on() {
    for point in ["store.write", "store.sync"] {
        let in_memory = fail_each(point, || Some(Memory::default()));
        let on_files = fail_each(point, || None);
        eprintln!("failpoints: {point} failed in {in_memory} places in memory, in {on_files} on files");
        assert!(in_memory >= 10 && on_files >= 10, "the points are passed");
    }
}

/// Lets the n-th passing of `point` fail, for each n. Says how many there were.
fn fail_each(point: &str, memory: impl Fn() -> Option<Memory>) -> usize {
    for n in 0.. {
        let scenario = FailScenario::setup();
        // The account is there: without it there is no life.
        let mut life = Life::begin(memory());
        fail::cfg(point, &format!("{n}*off->1*return->off")).unwrap();
        eprintln!("failpoints: {point}, the one after {n}");
        life.live();
        let failures = life.end();
        scenario.teardown();
        assert!(failures <= 1, "one failure closes the store once");
        if failures == 0 {
            return n;
        }
    }
    unreachable!("a life ends")
}
