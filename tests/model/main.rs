//! The store against a plain model of maps: random groups of everything that can be asked of it, with crashes and
//! reopenings in between, once on the store in memory, once on that and on real files side by side, and once on that and in a database. What stays true:
//! after each turn every reply, event, delivery, list, due time, counter and webhook is what the model says, and the
//! stores agree to the last id. The seed is printed; `HOOKWHEEL_SEED=n` runs it again.

mod deeds;
mod plain;
mod subject;
#[path = "../support/mod.rs"]
mod support;

use std::cell::Cell;

use deeds::{Deed, Turn, turns};
use hookwheel::clock::Dice;
use plain::{Plain, START};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use subject::Subject;
use support::Postgres;

#[test]
fn in_memory_the_store_is_as_the_model() {
    check("in memory", 2000, || vec![Subject::in_memory()]);
}

#[test]
fn on_files_the_store_is_as_the_model_and_as_the_one_in_memory() {
    check("on files", 100, || vec![Subject::in_memory(), Subject::on_files()]);
}

#[test]
fn in_a_database_the_store_is_as_the_model_and_as_the_one_in_memory() {
    let Some(postgres) = Postgres::start("the model over a database") else { return };
    let url = postgres.database("model");
    let made = Cell::new(0);
    check("in a database", 40, || {
        made.set(made.get() + 1);
        let schema = format!("case_{}", made.get());
        postgres.ask("model", &format!("CREATE SCHEMA {schema}"));
        let url = format!("{url}?options=-c%20search_path%3D{schema}");
        vec![Subject::in_memory(), Subject::on_database(url)]
    });
}

fn check(what: &str, cases: u32, subjects: impl Fn() -> Vec<Subject>) {
    let seed = std::env::var("HOOKWHEEL_SEED").map_or_else(|_| Dice::from_system().bits() >> 1, |s| s.parse().unwrap());
    let cases = if std::env::var_os("HOOKWHEEL_LONG").is_some() { cases * 50 } else { cases };
    eprintln!("model: seed {seed}, {cases} cases {what}");
    let mut bytes = [0; 32];
    Dice::seeded(seed).fill(&mut bytes);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let run = runner.run(&turns(), |turns| {
        live(&turns, &mut subjects());
        Ok(())
    });
    run.unwrap_or_else(|failed| panic!("seed {seed}: {failed}"));
}

/// Lives through the turns, looking at everything after each.
fn live(turns: &[Turn], subjects: &mut [Subject]) {
    let mut plain = Plain::default();
    let mut now = START;
    let mut upkeep_is_behind = false;
    for turn in turns {
        if upkeep_is_behind && !matches!(turn, Turn::Group(_)) {
            settle_down(&mut plain, subjects, now);
        }
        match turn {
            Turn::Pass(ms) => {
                now += ms;
                subjects.iter().for_each(|subject| subject.clock.turn_to(now));
            }
            Turn::Publish(deed, crash_after) => publish(deed, *crash_after, &mut plain, subjects, now),
            Turn::Group(deeds) | Turn::Hasty(deeds) => take(deeds, &mut plain, subjects, now),
            Turn::Crash(deeds) => {
                take(deeds, &mut plain, subjects, now);
                subjects.iter_mut().for_each(Subject::crash);
            }
        }
        upkeep_is_behind = matches!(turn, Turn::Hasty(_));
        if !upkeep_is_behind {
            settle_down(&mut plain, subjects, now);
        }
    }
}

/// Upkeep does all that there is to do, and everything is looked at.
fn settle_down(plain: &mut Plain, subjects: &mut [Subject], now: u64) {
    plain.settle_down(now);
    for subject in subjects {
        subject.settle_down();
        subject.check(plain, now);
    }
}

/// A publish on its way through several groups. Where the store is opened again before its end, it never was.
fn publish(deed: &Deed, crash_after: Option<usize>, plain: &mut Plain, subjects: &mut [Subject], now: u64) {
    let Some(ask) = deed.ask(plain, now) else { return };
    let mut replies = subjects.iter_mut().map(|subject| subject.publish(&ask, crash_after));
    let first = replies.next().expect("there is a subject");
    for other in replies {
        assert_eq!(other, first, "the stores answer alike");
    }
    if let Some(reply) = first {
        plain.take(&ask, &reply, now);
        plain.note_written_ahead(&ask, &reply);
    }
}

/// One group commit of all these deeds. Upkeep cancels what a group deletes in later groups, after their outcomes.
fn take(deeds: &[Deed], plain: &mut Plain, subjects: &mut [Subject], now: u64) {
    let settlements: Vec<_> = deeds.iter().filter_map(|deed| deed.settlement(plain, now)).collect();
    let asked: Vec<_> = deeds.iter().filter_map(|deed| deed.ask(plain, now)).collect();
    let mut replies = subjects.iter_mut().map(|subject| subject.commit(&settlements, &asked));
    let first = replies.next().expect("there is a subject");
    for other in replies {
        assert_eq!(other, first, "the stores answer alike");
    }
    settlements.iter().for_each(|settlement| plain.settle(settlement, now));
    for (ask, reply) in asked.iter().zip(&first) {
        plain.take(ask, reply, now);
    }
}
