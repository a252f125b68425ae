//! One damaged record stays one damaged record: whichever row of whichever tree cannot be read, the store opens, accepts,
//! delivers and lists all others, and the row is put aside and told of.

mod filled;
mod support;

use std::path::Path;

use filled::{Bench, Filled, START, change, copy, event, fill, let_go, once_free, remove, rows, unknown_version};
use hookwheel::clock::{Clock, Stopwatch};
use hookwheel::domain::delivery::DeliveryState;
use hookwheel::domain::id::{DeliveryId, EventId, WebhookId};
use hookwheel::domain::job::{Bulk, JobKind, Source};
use hookwheel::domain::order::{OnDead, Order};
use hookwheel::domain::retry::Next;
use hookwheel::domain::stats::{Series, Span, Step};
use hookwheel::domain::walk::Walk;
use hookwheel::store::{self, OpenError, Retention, Settings, Store};
use serde_json::json;
use support::{Answer, Client, DEADLINE, Receiver, Server};

/// Where what is there and what was counted differ. That a row is another than the one that was written the sum over all
/// rows says besides, whatever it was.
fn miscounted(differences: &[String]) -> Vec<&str> {
    differences.iter().map(String::as_str).filter(|one| !one.contains("rows that were written")).collect()
}

/// Everything else goes on.
fn assert_goes_on(bench: &mut Bench, filled: &Filled, is_webhook_lost: bool) {
    bench.rest();
    let accepted = bench.publish(event("plain.c", "1"));
    assert_eq!(accepted.deliveries, usize::from(!is_webhook_lost));
    if !is_webhook_lost {
        let id = accepted.id.delivery_to(filled.plain.number());
        bench.settle(id, 1, Next::Succeeded);
        assert_eq!(bench.store.delivery(id).expect("read").expect("there").state, DeliveryState::Succeeded);
    }
    bench.store.events(1, Walk::newest(100), None, |_| true).expect("events");
    for webhook in [filled.plain, filled.ordered, filled.deleted] {
        let number = webhook.number();
        let page = bench.store.deliveries(&[number], Walk::newest(100), None, |_| true).expect("a history");
        for delivery in page.rows {
            bench.store.attempts(&delivery).expect("attempts");
        }
        bench.store.fresh(number, None, 100).expect("fresh ones");
        bench.store.due(number, None, u64::MAX - 1, 100, |_| false).expect("due ones");
    }
    let source = Source::DeadLetters { webhook: None };
    let all = Bulk { account: 1, kind: JobKind::Discard, source, event_type: None, from: None, to: None };
    bench.store.dead_letters(&all, Walk::newest(100)).expect("dead letters");
    bench.store.count(&all).expect("a count");
    bench.store.jobs(1, Walk::newest(100)).expect("jobs");
    bench.store.audit_log(1, Walk::newest(100), |_| true).expect("the audit log");
    let span = Span { step: Step::Minute, from: START, to: START + 120_000_000 };
    bench.store.stats(Series::Account(1), span, bench.clock.now()).expect("statistics");
    bench.rest();
    assert_eq!(bench.store.queue_depth(), (0, 0));
}

#[test]
fn any_row_of_any_tree_can_be_damaged_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let origin = dir.path().join("origin");
    let filled = fill(&origin);
    let rows = rows(&origin);
    let trees = [
        "meta",
        "accounts",
        "keys",
        "webhooks",
        "tallies",
        "events",
        "chunks",
        "names",
        "idempotency",
        "fresh",
        "waiting",
        "closed",
        "attempts",
        "ordered",
        "blocked",
        "jobs",
        "stats",
        "account_tallies",
        "audit",
    ];
    for tree in trees {
        let keys = &rows[tree];
        assert!(!keys.is_empty(), "{tree} has rows");
        for (n, key) in keys.iter().enumerate() {
            // All of most trees; of those with many rows the first.
            if n >= 8 {
                break;
            }
            for unknown in [false, true] {
                let data = dir.path().join(format!("{tree}-{n}-{unknown}"));
                copy(&origin, &data);
                change(&data, tree, key, |mut value| {
                    *value.last_mut().expect("a value") ^= 1;
                    // What is kept is counted in bytes: there they stay as many.
                    let is_counted = ["events", "closed", "attempts"].contains(&tree);
                    let bytes = if is_counted { value.len() - 4 } else { 3 };
                    if unknown && tree != "chunks" { unknown_version(tree, key, bytes) } else { value }
                });
                let mut bench = Bench::open(&data);
                let is_lost = tree == "webhooks" && key[..] == filled.plain.number().to_be_bytes();
                assert_goes_on(&mut bench, &filled, is_lost);
                let seen = bench.scrubbed();
                let aside = if tree == "chunks" { "events" } else { tree };
                assert_eq!(seen.quarantined.get(aside), Some(&1), "{tree} {n}: {seen:?}");
                if tree != "tallies" {
                    assert_eq!(miscounted(&seen.differences), [""; 0], "{tree} {n}");
                }
                if is_lost {
                    let new = bench.webhook("new.*", None);
                    assert!(new.number() > filled.deleted.number(), "its number is never given again");
                    let waiting = bench.store.fresh(filled.plain.number(), None, 10).expect("they can be read");
                    assert!(!waiting.is_empty(), "its deliveries wait");
                }
                drop(bench);
                let mut bench = Bench::open(&data);
                assert_goes_on(&mut bench, &filled, is_lost);
                assert_eq!(bench.scrubbed().quarantined, seen.quarantined, "{tree} {n}: nothing more after a restart");
                drop(bench);
                std::fs::remove_dir_all(&data).expect("removed");
            }
        }
    }
}

#[test]
fn what_waits_behind_a_delivery_that_is_lost_is_set_free() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let filled = fill(&data);
    let head = rows(&data)["fresh"].iter().find(|key| key[..4] == filled.ordered.number().to_be_bytes()).cloned();
    let head = head.expect("the replay is the head");
    change(&data, "fresh", &head, |value| value[..1].to_vec());
    let mut bench = Bench::open(&data);
    assert_eq!(bench.store.fresh(filled.ordered.number(), None, 10).expect("read").len(), 0);
    bench.rest();
    let free = bench.store.fresh(filled.ordered.number(), None, 10).expect("read");
    assert_eq!(free.len(), 1, "the next one is the head");
    assert_eq!(miscounted(&bench.scrubbed().differences), [""; 0]);
}

/// A store with a webhook for all, and events of these data.
fn with_events<'a>(path: &Path, data: impl IntoIterator<Item = &'a str>) -> (WebhookId, Vec<EventId>) {
    let mut bench = Bench::open(path);
    bench.now(|staging| staging.create_account(Store::default_account("standard"))).expect("an account");
    let webhook = bench.webhook("*", None);
    let events = data.into_iter().map(|data| bench.publish(event("a.a", data.to_owned())).id).collect();
    bench.close();
    (webhook, events)
}

#[test]
fn an_outcome_whose_delivery_cannot_be_read_keeps_no_other_of_its_group_from_being_recorded() {
    for lost in 0..3 {
        let dir = tempfile::tempdir().expect("a folder");
        let (webhook, events) = with_events(dir.path(), ["1", "2", "3"]);
        let ids: Vec<DeliveryId> = events.iter().map(|event| event.delivery_to(webhook.number())).collect();
        let key = [&webhook.number().to_be_bytes()[..], &ids[lost].to_bytes()].concat();
        change(dir.path(), "fresh", &key, |value| value.iter().map(|byte| !byte).collect());
        let mut bench = Bench::open(dir.path());
        ids.iter().for_each(|id| bench.queue(*id, 1, Next::Succeeded));
        bench.rest();
        for (n, id) in ids.iter().enumerate() {
            let state = bench.store.delivery(*id).expect("read").map(|delivery| delivery.state);
            assert_eq!(state, (n != lost).then_some(DeliveryState::Succeeded), "{n} of {lost}");
        }
        let seen = bench.scrubbed();
        assert_eq!((seen.quarantined.get("fresh"), miscounted(&seen.differences).len()), (Some(&1), 0));
    }
}

#[test]
fn what_was_due_of_a_delivery_that_is_lost_is_found_by_whoever_looks_what_is_due() {
    let dir = tempfile::tempdir().expect("a folder");
    let (webhook, events) = with_events(dir.path(), ["1", "2"]);
    let ids: Vec<DeliveryId> = events.iter().map(|event| event.delivery_to(webhook.number())).collect();
    let mut bench = Bench::open(dir.path());
    let first = bench.clock.now() + 1000;
    bench.settle(ids[0], 1, Next::RetryAt(first));
    bench.settle(ids[1], 1, Next::RetryAt(first + 1000));
    drop(bench);
    let key = [&webhook.number().to_be_bytes()[..], &ids[0].to_bytes()].concat();
    change(dir.path(), "waiting", &key, |value| value[..2].to_vec());
    let mut bench = Bench::open(dir.path());
    let number = webhook.number();
    let due = |bench: &Bench| bench.store.due(number, None, u64::MAX - 1, 9, |_| false).expect("read").len();
    assert_eq!(due(&bench), 1, "the other one");
    bench.rest();
    assert_eq!(bench.store.soundness().quarantined.get("waiting"), Some(&1));
    assert_eq!(bench.store.next_due(number, None, |_| false).expect("read"), Some(first + 1000), "nobody waits for it");
    bench.rest();
    assert_eq!(bench.store.soundness().quarantined.get("due"), Some(&1));
    assert_eq!(due(&bench), 1);
    assert_eq!(miscounted(&bench.scrubbed().differences), [""; 0]);
}

#[test]
fn deliveries_of_an_event_that_is_lost_are_cancelled_in_words_and_go_when_it_would_have_gone() {
    const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;
    let dir = tempfile::tempdir().expect("a folder");
    let long = format!("\"{}\"", "x".repeat(70_000));
    let (webhook, events) = with_events(dir.path(), ["1", "2", &long, "4"]);
    let of = |n: usize| events[n].delivery_to(webhook.number());
    let mut bench = Bench::open(dir.path());
    let later = bench.clock.now() + 1000;
    bench.settle(of(1), 1, Next::RetryAt(later));
    bench.settle(of(2), 1, Next::Dead);
    let dead = of(2);
    let replay = bench.now(move |staging| staging.replay(1, webhook, dead)).expect("a replay");
    drop(bench);
    for event in &events[..3] {
        let key = [&1u32.to_be_bytes()[..], &event.to_bytes()].concat();
        change(dir.path(), "events", &key, |value| value.iter().map(|byte| !byte).collect());
    }
    let retention = Retention { events_ms: Some(WEEK_MS), ..Retention::default() };
    let mut bench = Bench::open_with(Settings { retention, ..Settings::at(dir.path()) });
    let seen = bench.scrubbed();
    bench.rest();
    assert_eq!((seen.quarantined.get("events"), seen.quarantined.get("chunks")), (Some(&3), Some(&2)));
    assert_eq!(miscounted(&seen.differences), [""; 0]);
    for id in [of(0), of(1), replay] {
        let delivery = bench.store.delivery(id).expect("read").expect("it is shown");
        assert_eq!(delivery.state, DeliveryState::Cancelled, "{delivery:?}");
        assert_eq!(delivery.reason.as_deref(), Some("its event could not be read and was put aside"));
    }
    assert_eq!(bench.store.delivery(dead).expect("read").expect("it had ended").state, DeliveryState::Dead);
    let fresh = bench.store.fresh(webhook.number(), None, 9).expect("read");
    assert_eq!(fresh.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [of(3)], "nothing else goes out");
    assert_eq!(bench.store.next_due(webhook.number(), None, |_| false).expect("read"), None);

    bench.settle(of(3), 1, Next::Succeeded);
    bench.clock.turn_to(bench.clock.now() + WEEK_MS + 60_000_000);
    bench.rest();
    for id in [of(0), of(1), of(2), of(3), replay] {
        assert_eq!(bench.store.delivery(id).expect("read"), None);
    }
    assert!(bench.store.soundness().quarantined.is_empty(), "{:?}", bench.store.soundness());
    assert_eq!(bench.store.kept_bytes(), 0);
    drop(bench);
    let rows = rows(dir.path());
    assert!(["events", "chunks", "closed", "attempts", "quarantine"].iter().all(|tree| rows[*tree].is_empty()));
    assert_eq!(miscounted(&Bench::open(dir.path()).scrubbed().differences), [""; 0]);
}

/// What a flipped bit of events that lie together costs: each of them is told, or what nothing can be told of as one.
#[test]
fn events_that_lie_together_and_cannot_be_read_are_put_aside_and_the_rest_goes_on() {
    for (byte, aside) in [(usize::MAX, 4), (1, 1)] {
        let dir = tempfile::tempdir().expect("a folder");
        let (webhook, before) = with_events(dir.path(), ["1"]);
        let mut bench = Bench::open(dir.path());
        let data = "\"the same words again and again, so that they can be pressed\"";
        let events = (0..4).map(|_| event("a.a", data)).collect();
        let accepted = bench.now(|staging| staging.accept(1, events, None)).expect("taken");
        let ids: Vec<_> = accepted.iter().map(|one| one.id.delivery_to(webhook.number())).collect();
        bench.close();
        let place = [&1u32.to_be_bytes()[..], &accepted[0].id.to_bytes(), &[0]].concat();
        change(dir.path(), "events", &place, |mut stored| {
            let byte = byte.min(stored.len() - 1);
            stored[byte] ^= 0xff;
            stored
        });
        let mut bench = Bench::open(dir.path());
        let seen = bench.scrubbed();
        bench.rest();
        assert_eq!(seen.quarantined.into_iter().collect::<Vec<_>>(), [("events", aside)], "{byte}");
        for id in &ids[..aside as usize] {
            let delivery = bench.store.delivery(*id).expect("read").expect("it is shown");
            assert_eq!(delivery.reason.as_deref(), Some("its event could not be read and was put aside"), "{byte}");
        }
        assert!(accepted.iter().all(|one| bench.store.event(1, one.id).expect("read").is_none()), "{byte}");
        assert!(bench.store.event(1, before[0]).expect("read").is_some(), "{byte}");
        let after = bench.publish(event("a.a", "5"));
        assert!(bench.store.event(1, after.id).expect("read").is_some(), "{byte}");
    }
}

#[test]
fn pieces_without_their_event_are_put_aside_and_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let long = format!("\"{}\"", "x".repeat(70_000));
    let (_, events) = with_events(dir.path(), [long.as_str(), long.as_str()]);
    let key = [&1u32.to_be_bytes()[..], &events[0].to_bytes()].concat();
    remove(dir.path(), "events", &key);
    let mut bench = Bench::open(dir.path());
    let seen = bench.scrubbed();
    assert_eq!(seen.quarantined.into_iter().collect::<Vec<_>>(), [("chunks", 2)]);
    assert!(seen.differences.iter().any(|one| one.contains("bytes of events")), "{:?}", seen.differences);
    assert!(bench.store.event(1, events[1]).expect("read").is_some(), "the other one is whole");
    drop(bench);
    let left = &rows(dir.path())["chunks"];
    assert!(left.len() == 2 && left.iter().all(|piece| !piece.starts_with(&key)));
}

#[test]
fn what_waits_behind_a_lost_head_is_set_free_also_where_the_webhook_holds_and_behind_several() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut bench = Bench::open(dir.path());
    bench.now(|staging| staging.create_account(Store::default_account("standard"))).expect("an account");
    let webhook = bench.webhook("*", Some(Order { key: None, on_dead: OnDead::Hold }));
    let number = webhook.number();
    let ids: Vec<DeliveryId> = (0..4).map(|_| bench.publish(event("a.a", "1")).id.delivery_to(number)).collect();
    drop(bench);
    for (tree, id) in [("fresh", ids[0]), ("blocked", ids[1])] {
        let key = [&number.to_be_bytes()[..], &id.to_bytes()].concat();
        change(dir.path(), tree, &key, |value| value.iter().map(|byte| !byte).collect());
    }
    let mut bench = Bench::open(dir.path());
    let heads = |bench: &Bench| {
        let fresh = bench.store.fresh(number, None, 9).expect("read");
        fresh.iter().map(|delivery| delivery.id).collect::<Vec<_>>()
    };
    bench.scrubbed();
    assert_eq!(heads(&bench), [ids[2]], "the next one that is there");
    bench.settle(ids[2], 1, Next::Dead);
    assert!(heads(&bench).is_empty(), "one that used up its retries holds");
    drop(bench);
    let mut bench = Bench::open(dir.path());
    bench.rest();
    assert!(heads(&bench).is_empty(), "also after a start");
}

#[test]
fn without_the_number_of_its_last_group_a_store_is_refused_until_somebody_accepts_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let filled = fill(&data);
    change(&data, "meta", b"last_id", |mut value| {
        value[3] ^= 1;
        value
    });
    let clock = Clock::standing_at(START + 60_000_000);
    let refused = once_free(&Settings::at(&data), &clock).err().expect("it is refused");
    assert!(matches!(refused, OpenError::Behind { .. }), "{refused}");
    let_go(&data);
    store::accept_loss(&Settings::at(&data)).expect("somebody accepts it");
    let mut bench = Bench::open(&data);
    assert_goes_on(&mut bench, &filled, false);
    let newest = bench.store.events(1, Walk::newest(2), None, |_| true).expect("events").rows;
    assert!(newest[0].id > newest[1].id, "ids go on from the greatest there is");
    assert_eq!(bench.scrubbed().differences, [""; 0]);
}

fn admin(server: &Server) -> Client {
    server.client()
}

#[test]
fn a_server_with_damaged_records_starts_delivers_and_tells() {
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(|path, _| Answer::Status(if path == "/failing" { 500 } else { 200 }));
    let server = Server::start(dir.path(), &[]);
    let mut client = admin(&server);
    let mut create = |name: &str, events: &str| {
        let body = json!({"url": receiver.url(&format!("/{name}")), "events": [events], "retry": {"delays": [3600], "jitter_percent": 0}});
        client.post("/api/v1/webhooks", &body).data(201)["id"].as_str().expect("an id").to_string()
    };
    let (well, failing) = (create("well", "a.*"), create("failing", "b.*"));
    for kind in ["a.a", "b.b"] {
        client.post("/api/v1/events", &json!({"type": kind, "data": 1})).data(202);
        receiver.next();
    }
    let deliveries = |client: &mut Client, webhook: &str, state: &str| {
        let path = format!("/api/v1/webhooks/{webhook}/deliveries?state={state}");
        client.get(&path).data(200).as_array().expect("a list").len()
    };
    let watch = Stopwatch::start();
    while deliveries(&mut client, &failing, "scheduled") + deliveries(&mut client, &well, "succeeded") < 2 {
        assert!(watch.elapsed() < DEADLINE, "the attempts are recorded");
    }
    client.post(&format!("/api/v1/webhooks/{failing}/pause"), &json!({})).data(200);
    assert!(server.terminate().success());

    let data = Server::data(dir.path());
    let all = rows(&data);
    for tree in ["waiting", "closed", "stats"] {
        for key in all.get(tree).into_iter().flatten() {
            change(&data, tree, key, |value| value.iter().map(|byte| byte ^ 0x10).collect());
        }
    }
    let lost = all["webhooks"].last().expect("the failing one").clone();
    change(&data, "webhooks", &lost, |value| value[..20].to_vec());

    let server = Server::start(dir.path(), &[]);
    let mut client = admin(&server);
    client.post("/api/v1/events", &json!({"type": "a.a", "data": 2})).data(202);
    receiver.next();
    let watch = Stopwatch::start();
    while deliveries(&mut client, &well, "succeeded") == 0 {
        assert!(watch.elapsed() < DEADLINE, "what comes is delivered and recorded");
    }
    assert_eq!(client.get(&format!("/api/v1/webhooks/{failing}")).status, 404);
    let ready = loop {
        let ready = client.get("/health/ready").data(200);
        if ready["store"]["scrub_done"] == true {
            break ready;
        }
        assert!(watch.elapsed() < DEADLINE, "{ready}");
    };
    let quarantined = &ready["store"]["quarantined"];
    assert_eq!(
        (&quarantined["waiting"], &quarantined["closed"], &quarantined["webhooks"]),
        (&json!(1), &json!(1), &json!(1))
    );
    let differences: Vec<String> = serde_json::from_value(ready["store"]["differences"].clone()).expect("texts");
    assert_eq!(miscounted(&differences), [""; 0]);
    let metrics = client.get("/metrics");
    let text = String::from_utf8_lossy(&metrics.message.body).into_owned();
    assert!(text.contains("hookwheel_store_quarantined{tree=\"closed\"} 1"), "{text}");
    assert!(server.terminate().success());
}
