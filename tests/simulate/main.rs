//! A simulation: the real store, commit thread, engine and senders' book under a virtual clock, seeded dice and scripted
//! endpoints, and consumers that pull. What does not go well is on its agenda: endpoints that fail, hang, reset and ask for
//! pauses; consumers that refuse, say nothing or go away; claims that come back unsent, and attempts that panic; a core that dies and restarts, sometimes with another time on its clock; writes and
//! syncs that fail, power cuts, damaged rows; a wall clock that is set; bulk jobs that are left in their middle. An oracle that
//! knows nothing of lanes or trees says what may go out, and what must be there.
//!
//! It runs days of retries in seconds and prints the seed of every run that fails; `HOOKWHEEL_SEED=n` runs one seed again,
//! `HOOKWHEEL_SEEDS=n` so many. Most runs have their store in memory, which `tests/model` holds equal to the one on disk;
//! some run on disk, and as many as in memory on several nodes that share a database (`nodes.rs`).

mod checks;
mod consumers;
mod core;
mod faults;
mod flights;
mod jobs;
mod neighbours;
mod nodes;
mod notes;
mod oracle;
mod pace;
mod people;
mod plan;
mod spared;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use hookwheel::store::Flaw;
use neighbours::Policy;
use pace::Load;
use plan::Plan;
use world::World;

/// Gives the number of retries that were held to be on time.
fn run(plan: Plan) -> usize {
    let told = Told(plan.seed);
    let mut world = World::new(plan);
    world.run();
    let timely = world.check();
    std::mem::forget(told);
    timely
}

/// Says which seed it was if a run ends early.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("simulate: seed {} failed; run it again with HOOKWHEEL_SEED={}", self.0, self.0);
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Runs the seeds below `seeds`, on two threads.
fn run_all(seeds: u64, plan: fn(u64) -> Plan) -> usize {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let work = || {
            let mut timely = 0;
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds {
                    return timely;
                }
                timely += run(plan(seed));
            }
        };
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.map(|thread| thread.join().expect("a run failed; its seed is above")).iter().sum()
    })
}

#[test]
fn a_thousand_seeds_in_memory() {
    if let Some(seed) = number("HOOKWHEEL_SEED") {
        run(Plan::in_memory(seed));
        return;
    }
    let usual = if std::env::var_os("HOOKWHEEL_LONG").is_some() { 20_000 } else { 1_000 };
    let timely = run_all(number("HOOKWHEEL_SEEDS").unwrap_or(usual), Plan::in_memory);
    assert!(timely > 1_000, "only {timely} retries had to be on time");
}

#[test]
fn a_thousand_seeds_on_nodes_that_share_a_database() {
    if let Some(seed) = number("HOOKWHEEL_SEED") {
        run(Plan::on_nodes(seed));
        return;
    }
    let usual = if std::env::var_os("HOOKWHEEL_LONG").is_some() { 10_000 } else { 1_000 };
    run_all(number("HOOKWHEEL_SEEDS").unwrap_or(usual), Plan::on_nodes);
}

#[test]
fn what_is_wrong_between_nodes_is_found() {
    for flaw in [Flaw::NoFence, Flaw::OwnTime, Flaw::LateRenewal] {
        let seeds = (0..200).take_while(|seed| !nodes::is_found(flaw, *seed)).count();
        assert!(seeds < 200, "{flaw:?} is not found");
    }
}

#[test]
fn twenty_seeds_on_disk() {
    if number("HOOKWHEEL_SEED").is_none() {
        run_all(20, Plan::on_disk);
    }
}

#[test]
fn a_hundred_webhooks_and_a_hundred_thousand_deliveries() {
    if number("HOOKWHEEL_SEED").is_none() {
        run(Plan::wide(4711));
    }
}

#[test]
fn failures_among_many_successes_hold_up_no_other_delivery() {
    for (busy_percent, answer_ms) in [(1, 20), (5, 20), (5, 60), (10, 20)] {
        let load = Load { seed: 8, per_second: 300, seconds: 60, busy_percent, answer_ms };
        let pace = pace::run(load);
        let told =
            format!("{busy_percent} % busy, answers in {answer_ms} ms: {} of {}", pace.busy, pace.waited_ms.len());
        assert!(pace.busy as u64 > 18_000 * busy_percent / 200, "{told}");
        assert!(pace.p99_ms() < 100, "{told}: p99 {} ms", pace.p99_ms());
        let most = pace.waiting.iter().max().unwrap();
        assert!(*most < 30, "{told}: {most} wait at the end of a second, {:?}", pace.waiting);
    }
}

#[test]
fn an_endpoint_that_is_down_is_soon_asked_no_more() {
    for per_second in [1, 300] {
        let load = Load { seed: 7, per_second, seconds: 60, busy_percent: 100, answer_ms: 20 };
        let pace = pace::run(load);
        assert!(pace.busy <= 100, "{} attempts in a minute at {per_second} a second", pace.busy);
    }
}

#[test]
fn neighbours_who_want_all_places_get_what_is_fair_and_nobody_waits_for_them() {
    let usual = if std::env::var_os("HOOKWHEEL_LONG").is_some() { 10_000 } else { 200 };
    let seeds = number("HOOKWHEEL_SEED").map_or(0..number("HOOKWHEEL_SEEDS").unwrap_or(usual), |seed| seed..seed + 1);
    assert_eq!(neighbours::first_wrong(Policy::Ours, seeds), None);
    for bad in [Policy::Fifo, Policy::NoWindow, Policy::NoReserve] {
        assert!(neighbours::first_wrong(bad, 0..1_000).is_some(), "{bad:?} is found");
    }
}
