//! What retention takes and what it leaves, by age and by size.

use super::*;
use crate::domain::account::{Account, AccountLimits};
use crate::domain::id::DeliveryId;
use crate::domain::time::DAY_MS;
use crate::store::bench::{Bench, event};
use crate::store::handle::Store;
use crate::store::message::NewEvent;

fn by_size(max: u64) -> OldEvents {
    OldEvents::new(&Retention { bytes_max: Some(max), ..Retention::default() })
}

#[test]
fn too_much_is_more_than_the_bound_and_near_it_is_more_than_a_twentieth_below() {
    let duty = by_size(1_000);
    assert_eq!([1_000, 1_001].map(|kept| duty.is_too_much(kept)), [false, true]);
    assert_eq!([950, 951].map(|kept| duty.is_near_too_much(kept)), [false, true]);
    let without = OldEvents::new(&Retention::default());
    assert!(!without.is_too_much(u64::MAX) && !without.is_near_too_much(u64::MAX));
    assert_eq!((duty.due_at(1_000), duty.due_at(1_001)), (Some(duty.at), Some(0)));
}

/// One step over the events of account 1, all of which are to go; says how many are left.
fn step(bench: &mut Bench) -> usize {
    bench.now(|staging| Ok(by_size(20).step(staging)?));
    bench.events(1)
}

#[test]
fn a_step_looks_at_so_many_events() {
    let mut bench = Bench::new();
    bench.now(|staging| staging.accept(1, vec![event(); STEP_EVENTS_MAX + 1], None));
    assert_eq!(step(&mut bench), 1);
    assert_eq!(step(&mut bench), 0);
}

#[test]
fn a_step_removes_so_many_keys_or_a_few_more() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        let event = bench.publish();
        bench.now(move |staging| {
            for n in 1..STEP_KEYS_MAX as u128 {
                staging.stage(Tree::Replays, layout::replay(event, DeliveryId(n << 32 | 7)), Some(Vec::new()));
            }
            Ok(())
        });
    }
    // Each has as many keys as a step removes.
    assert_eq!([(); 3].map(|()| step(&mut bench)), [2, 1, 0]);
    assert_eq!(bench.keys(Tree::Replays).len(), 0);
}

#[test]
fn a_flood_of_one_account_drives_out_nothing_of_another() {
    let long = || NewEvent { data: vec![b'1'; 1_000].into(), ..event() };
    let mut bench = Bench::keeping(Retention { bytes_max: Some(20_000), ..Retention::default() });
    let of = |id: &str| Account { id: id.into(), ..Store::default_account("standard") };
    let (few, none) = (of("few"), of("none"));
    let few = bench.now(|staging| staging.create_account(few)).number;
    bench.now(|staging| staging.create_account(none));
    for _ in 0..3 {
        bench.now(move |staging| staging.accept(few, vec![long()], None));
    }
    for _ in 0..100 {
        bench.publish_as(long());
    }
    assert!(bench.store.kept_bytes() <= 20_000);
    assert_eq!(bench.events(few), 3, "they are the oldest of all, and little");
    assert!(bench.events(1) >= 12, "{} are left of who keeps most", bench.events(1));
    // Both want more than there is room for.
    for _ in 0..100 {
        bench.now(move |staging| staging.accept(few, vec![long()], None));
    }
    let left = [1, few].map(|account| bench.events(account));
    assert!(left[0].abs_diff(left[1]) <= 2 && left[0] >= 7, "each has half: {left:?}");
}

#[test]
fn an_account_keeps_no_more_than_its_quota_and_another_as_much_as_it_likes() {
    let long = || NewEvent { data: vec![b'1'; 1_000].into(), ..event() };
    let retention = Retention { account_bytes_max: Some(6_000), ..Retention::default() };
    let mut bench = Bench::keeping(retention);
    let limits = AccountLimits { kept_bytes_max: Some(0), ..AccountLimits::default() };
    let free = Account { id: "free".into(), limits, ..Store::default_account("standard") };
    let free = bench.now(|staging| staging.create_account(free)).number;
    for _ in 0..20 {
        bench.publish_as(long());
        bench.now(move |staging| staging.accept(free, vec![long()], None));
    }
    assert_eq!(bench.events(free), 20);
    assert!((4..=5).contains(&bench.events(1)), "{} are left", bench.events(1));
    bench.now(move |staging| {
        staging.update_account(free, |account| {
            account.limits.kept_bytes_max = Some(3_000);
            Ok(())
        })
    });
    bench.now(move |staging| staging.accept(free, vec![long()], None));
    assert_eq!(bench.events(free), 2, "with its next event");
}

#[test]
fn an_account_keeps_its_events_for_as_many_days_as_are_set_for_it() {
    for usual in [None, Some(3 * DAY_MS)] {
        let mut bench = Bench::keeping(Retention { events_ms: usual, ..Retention::default() });
        let mut with = |id: &'static str, days| {
            let limits = AccountLimits { kept_days_max: days, ..AccountLimits::default() };
            let account = Account { id: id.into(), limits, ..Store::default_account("standard") };
            bench.now(|staging| staging.create_account(account)).number
        };
        let accounts = [with("usual", None), with("short", Some(1)), with("long", Some(5)), with("ever", Some(0))];
        for account in accounts {
            bench.now(move |staging| staging.accept(account, vec![event()], None));
        }
        let left = |bench: &Bench| accounts.map(|account| bench.events(account));
        let usually = |days: usize| usize::from(usual.is_none() || days < 3);
        // By steps of a day, which the keeping clock follows while the server runs.
        let mut seen = Vec::new();
        for _ in 0..6 {
            (0..24).for_each(|_| bench.turn(HOUR_MS));
            bench.turn(60_000);
            seen.push(left(&bench));
        }
        let expected = [0, 1, 2, 3, 4, 5].map(|day| {
            let days = day + 1;
            [usually(days), usize::from(days < 1), usize::from(days < 5), 1]
        });
        assert_eq!(seen, expected, "{usual:?}");
    }
}

#[test]
fn what_has_not_ended_takes_no_share_from_others() {
    let mut bench = Bench::keeping(Retention { bytes_max: Some(4_000), ..Retention::default() });
    let few = Account { id: "few".into(), ..Store::default_account("standard") };
    let few = bench.now(|staging| staging.create_account(few)).number;
    bench.now(move |staging| staging.accept(few, vec![event()], None));
    bench.webhook();
    for _ in 0..10 {
        bench.publish_as(NewEvent { data: vec![b'1'; 1_000].into(), ..event() });
    }
    assert!(bench.store.kept_bytes() > 4_000, "nothing of it has ended");
    assert_eq!((bench.events(1), bench.events(few)), (10, 1));
}
