//! How deliveries that are to come are made: turned step by step, with crashes, damage and changes in between.

use super::*;
use crate::clock::{Clock, Dice};
use crate::domain::job::{Bulk, JobKind, Source};
use crate::domain::order::{KeyPath, OnDead, Order};
use crate::domain::webhook::{EventFilter, Webhook};
use crate::store::bench::{Bench, START, event, in_memory, webhook};
use crate::store::message::NewEvent;
use crate::store::settings::{FAN_OUT_MAX, Retention, Settings};
use crate::store::{Committer, Fault, Store, open};

/// More than two steps.
const MANY: usize = 2 * FAN_OUT_MAX + 100;

fn webhooks(bench: &mut Bench, count: usize, wants: &str) -> Vec<WebhookNumber> {
    let filter = EventFilter::parse(wants).unwrap();
    bench.now(move |staging| {
        (0..count)
            .map(|_| {
                let mut webhook = webhook();
                webhook.events = vec![filter.clone()];
                Ok(staging.create_webhook(webhook, None)?.number())
            })
            .collect()
    })
}

fn of_type(event_type: &str) -> NewEvent {
    NewEvent { event_type: event_type.into(), ..event() }
}

/// Publishes, and takes one step: it is accepted, and nothing that is to come is made.
fn accept(bench: &mut Bench, events: Vec<NewEvent>) -> Vec<EventId> {
    let mut answer = bench.store.accept(1, events, None).unwrap();
    bench.committer.step();
    answer.try_recv().unwrap().unwrap().into_iter().map(|one| one.id).collect()
}

fn fresh(bench: &Bench) -> Vec<Key> {
    bench.keys(Tree::Fresh)
}

fn start(settings: &Settings) -> (Store, Committer) {
    open(settings.clone(), Clock::standing_at(START), Dice::seeded(3)).unwrap()
}

fn to_come(bench: &Bench, event: EventId) -> usize {
    bench.store.deliveries_to_come(1, event).unwrap()
}

#[test]
fn an_event_to_many_is_accepted_at_once_and_its_deliveries_are_made_in_steps() {
    let mut bench = Bench::new();
    let numbers = webhooks(&mut bench, MANY, "a");
    let mut answer = bench.store.accept(1, vec![event()], None).unwrap();
    bench.committer.step();
    let accepted = answer.try_recv().unwrap().unwrap().remove(0);
    assert_eq!((accepted.deliveries, fresh(&bench).len(), to_come(&bench, accepted.id)), (MANY, 0, MANY));
    bench.committer.step();
    assert_eq!((fresh(&bench).len(), to_come(&bench, accepted.id)), (FAN_OUT_MAX, MANY - FAN_OUT_MAX));
    assert_eq!(bench.store.all_deliveries_to_come(), (MANY - FAN_OUT_MAX) as u64);
    bench.rest();
    let all: Vec<Key> = numbers.iter().map(|number| layout::delivery(accepted.id.delivery_to(*number))).collect();
    assert_eq!((fresh(&bench), bench.keys(Tree::FanOut)), (all, Vec::<Key>::new()));
    assert_eq!((to_come(&bench, accepted.id), bench.store.all_deliveries_to_come()), (0, 0));
    assert_eq!(bench.scrub(), [""; 0]);
}

#[test]
fn what_goes_to_few_is_made_with_its_event() {
    let mut bench = Bench::new();
    webhooks(&mut bench, FAN_OUT_MAX, "a");
    let made = accept(&mut bench, vec![event()]);
    assert_eq!((fresh(&bench).len(), to_come(&bench, made[0])), (FAN_OUT_MAX, 0));
}

#[test]
fn one_group_makes_so_many_and_leaves_the_rest() {
    let mut bench = Bench::new();
    webhooks(&mut bench, FAN_OUT_MAX, "a");
    let events = 3 * GROUP_STEPS;
    let accepted = accept(&mut bench, vec![event(); events]);
    assert_eq!(fresh(&bench).len(), GROUP_STEPS * FAN_OUT_MAX);
    assert_eq!(to_come(&bench, accepted[events - 1]), FAN_OUT_MAX);
    bench.committer.step();
    assert_eq!(fresh(&bench).len(), GROUP_STEPS * FAN_OUT_MAX + FAN_OUT_MAX);
    bench.rest();
    assert_eq!(fresh(&bench).len(), events * FAN_OUT_MAX);
}

#[test]
fn what_comes_later_for_the_same_webhook_queues_behind_and_for_others_does_not() {
    let mut bench = Bench::new();
    let few = webhooks(&mut bench, 1, "few");
    let many = webhooks(&mut bench, MANY, "many");
    let both = webhooks(&mut bench, 1, "*");
    let first = accept(&mut bench, vec![of_type("many")])[0];
    let answers =
        ["few", "few.other", "few"].map(|event_type| bench.store.accept(1, vec![of_type(event_type)], None).unwrap());
    bench.committer.step();
    let [behind, also_behind, _] =
        answers.map(|mut answer| answer.try_recv().unwrap().unwrap().into_iter().next().unwrap().id);
    // All three want what `both` waits for, and so does this one's only webhook.
    assert_eq!((to_come(&bench, behind), to_come(&bench, also_behind)), (2, 1));
    assert!(!fresh(&bench).contains(&layout::delivery(behind.delivery_to(few[0]))));
    bench.rest();
    let of_both = |event: EventId| layout::delivery(event.delivery_to(both[0]));
    assert!([first, behind, also_behind].iter().all(|event| fresh(&bench).contains(&of_both(*event))));
    let at_once = accept(&mut bench, vec![of_type("many"), of_type("few")]);
    assert_eq!((to_come(&bench, at_once[0]), to_come(&bench, at_once[1])), (many.len() + 1, 2));
    bench.rest();

    // Whose webhooks wait for nothing is not held up.
    let mut bench = Bench::new();
    let few = webhooks(&mut bench, 1, "few");
    webhooks(&mut bench, MANY, "many");
    let ids = accept(&mut bench, vec![of_type("many"), of_type("few")]);
    assert_eq!((to_come(&bench, ids[0]), to_come(&bench, ids[1])), (MANY, 0));
    assert_eq!(fresh(&bench), [layout::delivery(ids[1].delivery_to(few[0]))]);
}

#[test]
fn accounts_take_turns() {
    let mut bench = Bench::new();
    let other = bench.now(|staging| {
        let account = staging.create_account(Store::operator_account("standard"))?.number;
        for account in [1, account] {
            for _ in 0..MANY {
                let mut webhook = webhook();
                webhook.account = account;
                staging.create_webhook(webhook, None)?;
            }
        }
        Ok(account)
    });
    let answers = [1, other].map(|account| bench.store.accept(account, vec![event(); 2], None).unwrap());
    bench.committer.step();
    assert!(answers.into_iter().all(|mut answer| answer.try_recv().is_ok_and(|answer| answer.is_ok())));
    let of = |bench: &Bench| {
        let numbers = fresh(bench).into_iter().map(|key| layout::read_number(&key) as usize);
        let (one, two): (Vec<_>, Vec<_>) = numbers.partition(|number| *number <= MANY);
        (one.len(), two.len())
    };
    bench.committer.step();
    bench.committer.step();
    assert_eq!(of(&bench), (FAN_OUT_MAX, FAN_OUT_MAX));
    bench.rest();
    assert_eq!(of(&bench), (2 * MANY, 2 * MANY));
}

#[test]
fn a_crash_at_any_step_leaves_nothing_out_and_makes_nothing_twice() {
    for steps in 0..5 {
        let settings = in_memory();
        let mut bench = Bench::of(settings.clone());
        webhooks(&mut bench, MANY, "a");
        accept(&mut bench, vec![event(); 2]);
        let left = (0..steps).filter(|_| bench.committer.step()).count();
        assert_eq!(left, steps, "there was that much to do");
        let before = fresh(&bench).len();
        bench.committer.let_go();
        bench.rest();
        assert!(before < 2 * MANY, "{before}");
        assert_eq!((fresh(&bench).len(), bench.keys(Tree::FanOut).len()), (2 * MANY, 0));
        // So does another start.
        accept(&mut bench, vec![event()]);
        drop(bench);
        let (_, mut committer) = start(&settings);
        while committer.step() {}
        let (store, _) = start(&settings);
        assert_eq!(store.0.trees().unwrap().all(Tree::Fresh).count(), 3 * MANY);
    }
}

#[test]
fn a_group_that_failed_is_as_if_it_had_not_been() {
    let settings = in_memory();
    let mut bench = Bench::of(settings.clone());
    webhooks(&mut bench, MANY, "a");
    accept(&mut bench, vec![event()]);
    settings.memory.as_ref().unwrap().fail_once(Fault::Write);
    bench.committer.step();
    bench.rest();
    assert_eq!((fresh(&bench).len(), bench.store.all_deliveries_to_come()), (MANY, 0));
}

#[test]
fn a_webhook_that_is_deleted_meanwhile_gets_none() {
    let mut bench = Bench::new();
    let numbers = webhooks(&mut bench, MANY, "a");
    let event = accept(&mut bench, vec![event()])[0];
    let (first, last) = (numbers[0], numbers[MANY - 1]);
    bench.now(move |staging| {
        for number in [first, last] {
            let id = staging.registry().webhook(number).expect("it is there").id;
            staging.delete_webhook(1, id)?;
        }
        Ok(())
    });
    for number in [first, last] {
        let delivery = bench.store.delivery(event.delivery_to(number)).unwrap().expect("it is told what became of it");
        assert_eq!((delivery.state, delivery.reason.as_deref()), (DeliveryState::Cancelled, Some(WEBHOOK_DELETED)));
    }
    assert_eq!(fresh(&bench).len(), MANY - 2);
}

#[test]
fn parts_that_cannot_be_read_are_made_from_the_event() {
    let mut bench = Bench::new();
    let order = Order { key: Some(KeyPath::parse("data.n").unwrap()), on_dead: OnDead::Skip };
    webhooks(&mut bench, MANY - 1, "a");
    let ordered = bench.webhook_with(|webhook| webhook.order = Some(order)).number();
    let event = accept(&mut bench, vec![NewEvent { data: r#"{"n":1}"#.into(), ..event() }])[0];
    for part in bench.keys(Tree::FanOut) {
        bench.damage(Tree::FanOut, &part);
    }
    bench.rest();
    assert_eq!((fresh(&bench).len(), to_come(&bench, event)), (MANY, 0));
    assert!(bench.store.delivery(event.delivery_to(ordered)).unwrap().unwrap().place.is_some());
}

#[test]
fn an_order_is_kept_however_the_deliveries_are_made() {
    let mut bench = Bench::new();
    let order = |path: &str| Order { key: Some(KeyPath::parse(path).unwrap()), on_dead: OnDead::Skip };
    webhooks(&mut bench, MANY, "a");
    let by_n = order("data.n");
    let ordered = bench.webhook_with(|webhook| webhook.order = Some(by_n)).number();
    let with = |n: u8| NewEvent { data: format!(r#"{{"n":{n}}}"#).into(), ..event() };
    let ids = accept(&mut bench, vec![with(1), with(2), with(1)]);
    // Another one comes when some are made.
    bench.committer.step();
    let last = accept(&mut bench, vec![with(2)])[0];
    bench.rest();
    let waits = [ids[0], ids[1], ids[2], last].map(|event| {
        bench.store.is_blocked(&bench.store.delivery(event.delivery_to(ordered)).unwrap().unwrap()).unwrap()
    });
    assert_eq!(waits, [false, false, true, true]);
}

#[test]
fn a_job_waits_for_what_was_accepted_before_it() {
    let mut bench = Bench::new();
    let numbers = webhooks(&mut bench, MANY, "a");
    accept(&mut bench, vec![event()]);
    let source = Source::Open { webhook: numbers[MANY - 1] };
    let bulk = Bulk { account: 1, kind: JobKind::Discard, source, event_type: None, from: None, to: None };
    let job = bench.now(|staging| staging.create_job(bulk));
    bench.turn(100);
    let job = bench.store.job(1, job.id).unwrap().unwrap();
    assert_eq!((job.is_running(), job.done, fresh(&bench).len()), (false, 1, MANY - 1));
}

#[test]
fn retention_leaves_an_event_of_which_some_are_to_come() {
    let retention = Retention { bytes_max: Some(1), ..Retention::default() };
    let mut bench = Bench::of(Settings { retention, ..in_memory() });
    let numbers = webhooks(&mut bench, MANY, "a");
    // Nothing of it is open once they are deleted; but they are told so first.
    let event = accept(&mut bench, vec![event()])[0];
    let ids: Vec<_> = numbers.iter().map(|number| bench.store.registry().webhook(*number).expect("one").id).collect();
    let mut answer =
        bench.store.submit(move |staging| ids.into_iter().try_for_each(|id| staging.delete_webhook(1, id))).unwrap();
    bench.committer.step();
    answer.try_recv().unwrap().unwrap();
    assert!(bench.store.event_head(1, event).unwrap().is_some());
    bench.turn(3_600_000);
    assert!(bench.store.event_head(1, event).unwrap().is_none());
    assert_eq!(bench.keys(Tree::Closed).len() + bench.keys(Tree::FanOut).len(), 0);
}

#[test]
fn what_may_be_to_come_is_bounded() {
    let mut bench = Bench::new();
    let numbers = webhooks(&mut bench, 2, "a");
    bench.now(move |staging| {
        assert_eq!(staging.refuse_more_to_come(1, usize::MAX), Ok(()), "alone anything is taken");
        staging.carried.to_come.add(1, EventId(1), &numbers);
        assert_eq!(staging.refuse_more_to_come(1, TO_COME_MAX as usize - 2), Ok(()));
        let full = Refusal::FanOutFull { limit: TO_COME_MAX };
        assert_eq!(staging.refuse_more_to_come(1, TO_COME_MAX as usize - 1), Err(full));
        assert_eq!(staging.refuse_more_to_come(2, TO_COME_MAX as usize), Ok(()), "another account");
        staging.carried.to_come.made(1, 2, None);
        Ok(())
    });
}

#[test]
fn a_part_that_cannot_be_read_at_a_start_is_made_as_well() {
    let settings = in_memory();
    let mut bench = Bench::of(settings.clone());
    webhooks(&mut bench, MANY, "a");
    accept(&mut bench, vec![event()]);
    for dice in 0..3 {
        settings.memory.as_ref().unwrap().damage("fan_out", dice);
    }
    drop(bench);
    let (store, mut committer) = start(&settings);
    while committer.step() {}
    assert_eq!(store.0.trees().unwrap().all(Tree::Fresh).count(), MANY);
}

#[test]
fn what_was_accepted_before_is_answered_also_where_no_more_may_be_to_come() {
    let mut bench = Bench::new();
    webhooks(&mut bench, 1, "*");
    let named = |name: &str| NewEvent { name: Some(name.into()), ..event() };
    bench.publish_as(named("known"));
    let (known, new) = (named("known"), named("new"));
    bench.now(move |staging| {
        staging.carried.to_come.add(1, EventId(1), &vec![9; TO_COME_MAX as usize]);
        assert!(staging.accept(1, vec![known], None)?[0].duplicate);
        assert_eq!(staging.accept(1, vec![new], None), Err(Refusal::FanOutFull { limit: TO_COME_MAX }));
        staging.carried.to_come.made(1, 0, None);
        Ok(())
    });
}

#[test]
fn a_page_that_cannot_be_read_keeps_one_account_back_and_nobody_else() {
    for tree in [Tree::Fresh, Tree::Events] {
        let mut bench = Bench::new();
        let of_first = webhooks(&mut bench, MANY, "a");
        let second = bench.now(|staging| staging.create_account(Store::operator_account("standard"))).number;
        bench.now(move |staging| {
            let wanted = Webhook { account: second, events: vec![EventFilter::parse("a").unwrap()], ..webhook() };
            (0..MANY).try_for_each(|_| staging.create_webhook(wanted.clone(), None).map(drop))
        });
        let answers = [1, second].map(|account| bench.store.accept(account, vec![event()], None).unwrap());
        bench.committer.step();
        let [_, of_second] = answers.map(|mut answer| answer.try_recv().unwrap().unwrap()[0].id);
        // Of the second step's rows one cannot be written, or what they are made from cannot be read.
        let torn = layout::number(if tree == Tree::Fresh { of_first[FAN_OUT_MAX + 1] } else { 1 });
        bench.store.0.settings.memory.as_ref().unwrap().tear(tree, &torn);
        // Somebody asks for something all the time.
        let is_refused = |bench: &mut Bench| {
            let mut answer = bench.store.submit(|_| Ok(())).unwrap();
            loop {
                bench.committer.step();
                if let Ok(answered) = answer.try_recv() {
                    return answered.is_err();
                }
            }
        };
        let refused = (0..50).filter(|_| is_refused(&mut bench)).count();
        assert_eq!(refused, 1, "{tree:?}: the first group fails with what is in it, and no other");
        let left = |bench: &Bench, event| bench.store.deliveries_to_come(second, event).unwrap();
        assert_eq!(left(&bench, of_second), 0, "{tree:?}");
        bench.rest();
        let kept_back = bench.store.all_deliveries_to_come();
        assert!(kept_back > 0, "{tree:?}");
        // It is tried again after a while, and again nobody else is kept back.
        bench.turn(600_000);
        assert_eq!(bench.store.all_deliveries_to_come(), kept_back, "{tree:?}");
        let mut answer = bench.store.accept(second, vec![event()], None).unwrap();
        bench.rest();
        assert_eq!(left(&bench, answer.try_recv().unwrap().unwrap()[0].id), 0, "{tree:?}");
    }
}
