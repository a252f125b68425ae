//! A simulation: the real store, wheel, lanes and verdicts under a virtual clock, seeded dice and scripted endpoints
//! that answer, fail, hang, reset, recover, and a core that crashes and restarts in between. It runs days of retries in
//! seconds and prints the seed of every run; `HOOKWHEEL_SEED=n` runs one seed again.

mod world;

use world::{Plan, World};

/// Gives the number of retries that were held to be on time.
fn run(plan: Plan) -> usize {
    eprintln!("simulate: seed {} ({} webhooks, {} events)", plan.seed, plan.webhooks, plan.events);
    let mut world = World::new(plan);
    world.run();
    world.check()
}

#[test]
fn many_short_seeds() {
    if let Ok(seed) = std::env::var("HOOKWHEEL_SEED") {
        run(Plan::short(seed.parse().expect("HOOKWHEEL_SEED is a number")));
        return;
    }
    let seeds = if std::env::var_os("HOOKWHEEL_LONG").is_some() { 2000 } else { 150 };
    let timely: usize = (0..seeds).map(|seed| run(Plan::short(seed))).sum();
    assert!(timely > 100, "only {timely} retries had to be on time");
}

#[test]
fn a_hundred_webhooks_and_a_hundred_thousand_events() {
    run(Plan { seed: 4711, webhooks: 100, events: 100_000, crashes: 5, batch: 20, roomy: true });
}
