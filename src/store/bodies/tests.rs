//! Long bodies, from the first piece to the last: what a group holds, what a read gives, and that nothing is left over.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::domain::account::Account;
use crate::domain::id::EventId;
use crate::store::bench::{Bench, START, event, in_memory};
use crate::store::error::Refusal;
use crate::store::handle::Store;
use crate::store::message::{Accepted, Idempotency, NewEvent};
use crate::store::settings::{Retention, Settings};
use crate::store::trees::Writes;

const MINUTE_MS: u64 = 60 * 1000;
/// Of these stores a publish of more bytes is written ahead; a piece has half as many.
const AHEAD_BYTES_MIN: usize = 4096;
const PIECE_BYTES: usize = AHEAD_BYTES_MIN / 2;

type Published = Result<Vec<Accepted>, Refusal>;

/// A publish on its way.
struct Going(Pin<Box<dyn Future<Output = Published>>>);

impl Going {
    fn of(bench: &Bench, events: Vec<NewEvent>, idempotency: Option<Idempotency>) -> Self {
        let store = bench.store.clone();
        Self(Box::pin(async move {
            let publish = store.ask(1, events).await?;
            store.publish(1, publish, idempotency).await
        }))
    }

    fn poll(&mut self) -> Option<Published> {
        match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(published) => Some(published),
            Poll::Pending => None,
        }
    }

    /// To its end; `seen` after each group.
    fn end(mut self, bench: &mut Bench, mut seen: impl FnMut(&mut Bench)) -> Published {
        loop {
            if let Some(published) = self.poll() {
                return published;
            }
            assert!(bench.committer.step(), "there is something to do");
            seen(bench);
        }
    }
}

fn bench() -> Bench {
    Bench::of(Settings { ahead_bytes_min: AHEAD_BYTES_MIN, ..in_memory() })
}

/// Keys that were written by now, and bytes that are kept.
fn meters(bench: &Bench) -> (u64, u64) {
    (bench.store.meters().keys.load(Ordering::Relaxed), bench.store.kept_bytes())
}

fn keeping_a_second() -> Bench {
    let retention = Retention { events_ms: Some(1_000), ..Retention::default() };
    Bench::of(Settings { ahead_bytes_min: AHEAD_BYTES_MIN, retention, ..in_memory() })
}

/// So many bytes of which no two stretches are alike.
fn text(bytes: usize) -> Bytes {
    (0..).flat_map(|n: u32| n.to_string().into_bytes()).take(bytes).collect::<Vec<u8>>().into()
}

/// An event of some pieces and a part of one.
fn long(name: Option<&str>) -> NewEvent {
    let (data, actor, metadata) = (text(4 * PIECE_BYTES + 9), Some(text(PIECE_BYTES / 2)), Some(text(2 * PIECE_BYTES)));
    NewEvent { name: name.map(str::to_owned), fingerprint: name.map(|_| [7; 32]), data, actor, metadata, ..event() }
}

fn publish(bench: &mut Bench, event: NewEvent) -> EventId {
    let published = Going::of(bench, vec![event], None).end(bench, |_| {}).unwrap();
    bench.rest();
    published[0].id
}

/// What lies there of bodies: their rows, their pieces, and bytes of all that is kept.
fn left(bench: &mut Bench) -> (usize, usize, u64) {
    bench.rest();
    (bench.keys(Tree::Bodies).len(), bench.keys(Tree::Chunks).len(), bench.store.kept_bytes())
}

#[test]
fn no_group_holds_more_than_a_step_of_a_long_event_and_others_come_between() {
    let mut bench = Bench::of(in_memory());
    bench.webhook();
    let other = Account { id: "other".into(), ..Store::default_account("standard") };
    let account = bench.now(|staging| staging.create_account(other)).number;
    let bounds = Bounds::of(Settings::at("unused").ahead_bytes_min);
    let large = NewEvent { data: text(10 << 20), ..event() };
    let (mut before, mut groups) = (meters(&bench), Vec::new());
    let mut other = bench.store.accept(account, vec![event()], None).unwrap();
    let published = Going::of(&bench, vec![large.clone()], None).end(&mut bench, |bench| {
        let now = meters(bench);
        groups.push((now.0 - before.0, now.1.saturating_sub(before.1)));
        before = now;
        assert!(other.try_recv().is_ok_and(|accepted| accepted.is_ok()), "it waits for no more than one group");
        other = bench.store.accept(account, vec![event()], None).unwrap();
    });
    let stored = bench.store.event(1, published.unwrap()[0].id).unwrap().unwrap();
    assert_eq!(stored.data, large.data);
    assert_eq!(groups.len(), (10 << 20) / bounds.step_bytes + 1, "and one for the event");
    let keys = bounds.step_bytes / bounds.piece_bytes;
    let most = groups.iter().copied().reduce(|one, other| (one.0.max(other.0), one.1.max(other.1))).unwrap();
    assert!(most.0 <= keys as u64 + 8 && most.1 <= (bounds.step_bytes + 4096) as u64, "{most:?}");
}

#[test]
fn of_several_long_events_at_once_a_group_holds_no_more_than_of_one() {
    let mut bench = Bench::of(in_memory());
    bench.rest();
    let bounds = Bounds::of(Settings::at("unused").ahead_bytes_min);
    let large = || NewEvent { data: text(4 << 20), ..event() };
    let mut all: Vec<Going> = (0..3).map(|_| Going::of(&bench, vec![large()], None)).collect();
    while !all.is_empty() {
        all.retain_mut(|going| going.poll().is_none());
        let before = meters(&bench);
        bench.committer.step();
        let now = meters(&bench);
        let group = (now.0 - before.0, now.1 - before.1);
        let keys = bounds.step_bytes / bounds.piece_bytes;
        assert!(group.0 <= keys as u64 + 12 && group.1 <= (bounds.step_bytes + 4096) as u64, "{group:?}");
    }
    assert_eq!((bench.events(1), left(&mut bench).0), (3, 3));
}

#[test]
fn a_long_event_is_read_as_it_was_sent_and_goes_as_a_whole() {
    let mut bench = keeping_a_second();
    let sent = long(Some("n"));
    let id = publish(&mut bench, sent.clone());
    let stored = bench.store.event(1, id).unwrap().unwrap();
    assert_eq!((&stored.data, &stored.actor, &stored.metadata), (&sent.data, &sent.actor, &sent.metadata));
    let head = bench.store.event_head(1, id).unwrap().unwrap();
    assert_eq!((head.name.as_deref(), head.fingerprint), (Some("n"), sent.fingerprint));
    let bytes = bench.store.event_bytes(1, id).unwrap();
    assert!((sent.bytes()..sent.bytes() + 100).contains(&bytes), "{bytes}");
    let (bodies, pieces, kept) = left(&mut bench);
    assert_eq!((bodies, pieces), (1, 7));
    assert!(kept > sent.bytes() as u64);
    bench.turn(60 * MINUTE_MS);
    assert_eq!((bench.events(1), left(&mut bench)), (0, (0, 0, 0)));
    assert_eq!(bench.scrub(), [""; 0]);
}

#[test]
fn what_is_short_of_a_large_publish_lies_with_its_event() {
    let mut bench = Bench::of(Settings { ahead_bytes_min: 512 * 100, ..in_memory() });
    let of = |bytes| NewEvent { data: text(bytes), ..event() };
    let events: Vec<_> = [100, 101, 60_000].map(of).into();
    let published = Going::of(&bench, events, None).end(&mut bench, |_| {}).unwrap();
    assert_eq!(bench.keys(Tree::Bodies).len(), 2);
    for (accepted, bytes) in published.iter().zip([100, 101, 60_000]) {
        assert_eq!(bench.store.event(1, accepted.id).unwrap().unwrap().data, text(bytes));
    }
}

#[test]
fn a_crash_or_a_power_cut_before_the_event_leaves_nothing_of_it() {
    for (groups, is_power_cut) in (1..=4).flat_map(|groups| [(groups, false), (groups, true)]) {
        let mut bench = bench();
        let before = left(&mut bench);
        let mut going = Going::of(&bench, vec![long(None)], None);
        for _ in 0..groups {
            assert!(going.poll().is_none());
            bench.committer.step();
        }
        assert!(!bench.keys(Tree::Chunks).is_empty());
        bench.committer.let_go();
        if is_power_cut {
            let memory = bench.store.0.settings.memory.clone().unwrap();
            assert!(!memory.is_synced(), "nobody waits for a disk");
            memory.lose_unsynced();
        }
        drop(going);
        assert_eq!((left(&mut bench), bench.events(1)), (before, 0), "after {groups} groups");
        assert_eq!(bench.scrub(), [""; 0]);
    }
}

#[test]
fn a_publish_goes_on_after_the_store_was_opened_again() {
    let mut bench = bench();
    let mut going = Going::of(&bench, vec![long(None)], None);
    for _ in 0..3 {
        assert!(going.poll().is_none());
        bench.committer.step();
    }
    assert!(going.poll().is_none());
    bench.committer.step();
    let memory = bench.store.0.settings.memory.clone().unwrap();
    bench.committer.let_go();
    memory.lose_unsynced();
    bench.rest();
    let published = going.end(&mut bench, |_| {}).unwrap();
    assert_eq!(bench.store.event(1, published[0].id).unwrap().unwrap().data, long(None).data);
    assert_eq!(left(&mut bench).0, 1);
    assert!(memory.is_synced(), "the answer says that it is on the disk");
}

#[test]
fn who_goes_away_leaves_nothing_and_what_nobody_goes_on_with_goes_in_the_end() {
    let mut bench = bench();
    let before = left(&mut bench);
    let begin = |bench: &mut Bench| {
        let mut going = Going::of(bench, vec![long(None)], None);
        for _ in 0..3 {
            assert!(going.poll().is_none());
            bench.committer.step();
        }
        assert!(going.poll().is_none());
        bench.committer.step();
        going
    };
    drop(begin(&mut bench));
    assert_eq!(left(&mut bench), before);
    let going = begin(&mut bench);
    bench.clock.turn_to(START + 10 * MINUTE_MS - 1);
    assert_eq!(left(&mut bench).0, 1);
    bench.clock.turn_to(START + 10 * MINUTE_MS);
    assert_eq!(left(&mut bench), before);
    let published = going.end(&mut bench, |_| {}).unwrap();
    assert_eq!(bench.store.event(1, published[0].id).unwrap().unwrap().data, long(None).data);
    bench.turn(60 * MINUTE_MS);
    assert_eq!(left(&mut bench).0, 1, "it has an event");
}

#[test]
fn what_is_left_over_goes_some_pieces_a_step() {
    let mut bench = Bench::of(Settings { ahead_bytes_min: 64, ..in_memory() });
    let before = left(&mut bench);
    let mut going = Going::of(&bench, vec![NewEvent { data: text(100 * 32), ..event() }], None);
    for _ in 0..100 {
        assert!(going.poll().is_none());
        bench.committer.step();
    }
    bench.committer.let_go();
    drop(going);
    let mut there = Vec::new();
    while bench.committer.step() {
        there.push(bench.keys(Tree::Chunks).len());
    }
    there.dedup();
    assert_eq!(there, [100, 36, 0]);
    assert_eq!(left(&mut bench), before);
}

#[test]
fn of_an_equal_of_an_earlier_event_nothing_is_written() {
    let mut bench = bench();
    let idempotency = || Some(Idempotency { key: [1; 32], fingerprint: [2; 32] });
    let first = Going::of(&bench, vec![long(Some("n"))], None).end(&mut bench, |_| {}).unwrap();
    let keyed = Going::of(&bench, vec![long(None)], idempotency()).end(&mut bench, |_| {}).unwrap();
    let before = left(&mut bench);
    let mut groups = 0;
    let again = Going::of(&bench, vec![long(Some("n"))], None).end(&mut bench, |_| groups += 1).unwrap();
    assert_eq!((again[0].id, again[0].duplicate, groups), (first[0].id, true, 1));
    let again = Going::of(&bench, vec![long(None)], idempotency()).end(&mut bench, |_| groups += 1).unwrap();
    assert_eq!((again[0].id, again[0].duplicate, groups), (keyed[0].id, true, 2));
    let other = NewEvent { fingerprint: Some([8; 32]), ..long(Some("n")) };
    let refused = Going::of(&bench, vec![other], None).end(&mut bench, |_| groups += 1);
    assert_eq!((refused, groups), (Err(Refusal::EventIdConflict { index: 0 }), 3));
    assert_eq!(left(&mut bench), before);
    // Its time is over.
    bench.turn(24 * 60 * MINUTE_MS);
    let later = Going::of(&bench, vec![long(None)], idempotency()).end(&mut bench, |_| {}).unwrap();
    assert!(!later[0].duplicate);
    assert_eq!(left(&mut bench).0, 3);
}

#[test]
fn of_two_equal_ones_at_once_one_is_kept_and_a_refused_batch_leaves_nothing() {
    let mut bench = bench();
    let [mut one, mut other] = [(); 2].map(|()| Going::of(&bench, vec![long(Some("n"))], None));
    for _ in 0..3 {
        assert!(one.poll().is_none() && other.poll().is_none());
        bench.committer.step();
    }
    let first = one.end(&mut bench, |_| {}).unwrap();
    let second = other.end(&mut bench, |_| {}).unwrap();
    assert_eq!((second[0].id, second[0].duplicate), (first[0].id, true));
    assert_eq!((bench.events(1), left(&mut bench).0), (1, 1));
    let before = left(&mut bench);
    let other = NewEvent { fingerprint: Some([8; 32]), ..long(Some("m")) };
    let refused = Going::of(&bench, vec![long(Some("m")), other], None).end(&mut bench, |_| {});
    assert_eq!(refused, Err(Refusal::EventIdConflict { index: 1 }));
    assert_eq!(left(&mut bench), before);
}

#[test]
fn an_event_that_seemed_to_be_there_before_is_written_all_the_same() {
    let mut bench = bench();
    let first = publish(&mut bench, long(Some("n")));
    let mut going = Going::of(&bench, vec![long(Some("n"))], None);
    assert!(going.poll().is_none());
    let mut writes = Writes::default();
    writes.push(Tree::Names, layout::name(1, "n"), None);
    bench.trees().write(&writes).unwrap();
    let published = going.end(&mut bench, |_| {}).unwrap();
    assert_ne!(published[0].id, first);
    assert_eq!(bench.store.event(1, published[0].id).unwrap().unwrap().data, long(None).data);
    assert_eq!(left(&mut bench).0, 2);
}

#[test]
fn an_event_without_a_piece_is_put_aside_with_its_body_and_one_without_the_row_of_its_body_is_whole() {
    let mut bench = keeping_a_second();
    let id = publish(&mut bench, long(None));
    let [body] = &bench.keys(Tree::Bodies)[..] else { panic!("it has one") };
    bench.damage(Tree::Bodies, body);
    bench.rest();
    assert_eq!(bench.store.event(1, id).unwrap().unwrap().data, long(None).data);
    let before = left(&mut bench);
    assert_eq!((before.0, before.1), (0, 7));

    let other = publish(&mut bench, long(None));
    let piece = layout::chunk(&bench.keys(Tree::Bodies)[0], 3);
    let mut stored = bench.trees().get_stored(Tree::Chunks, &piece).unwrap().unwrap().to_vec();
    stored[5] ^= 1;
    let mut writes = Writes::default();
    writes.push_as_it_is(Tree::Chunks, piece, Some(stored));
    bench.trees().write(&writes).unwrap();
    assert!(bench.store.event(1, other).is_err());
    assert_eq!(left(&mut bench), before);
    assert_eq!(bench.store.event(1, other).unwrap(), None);
    assert_eq!(bench.keys(Tree::Quarantine).len(), 1 + (1 + 7 + 1));

    bench.turn(60 * MINUTE_MS);
    assert_eq!(left(&mut bench), (0, 0, 0));
    assert_eq!(bench.keys(Tree::Quarantine).len(), 1, "of the first only the row of its body was put aside");
    assert_eq!(bench.scrub(), [""; 0]);
}

#[test]
fn the_body_of_an_event_that_cannot_be_read_goes_after_a_start() {
    let mut bench = bench();
    let id = publish(&mut bench, long(None));
    bench.damage(Tree::Events, &layout::event(1, id));
    bench.rest();
    assert_eq!(bench.store.event(1, id).unwrap(), None);
    bench.committer.let_go();
    for _ in 0..100 {
        bench.turn(100);
    }
    assert_eq!((bench.keys(Tree::Bodies).len(), bench.keys(Tree::Chunks).len()), (0, 0));
}

#[test]
fn each_step_has_as_many_pieces_as_fit_and_pieces_are_cut_where_they_end() {
    let bounds = Bounds { publish_bytes: 0, event_bytes: 0, step_bytes: 100, piece_bytes: 30 };
    let cut = |bodies: &[(usize, usize)]| {
        let of = |step: Vec<Stretch>| step.into_iter().map(|one| (one.index, one.bytes)).collect::<Vec<_>>();
        steps(bodies, bounds).into_iter().map(of).collect::<Vec<_>>()
    };
    assert!(cut(&[]).is_empty() && cut(&[(4, 0)]).is_empty());
    assert_eq!(cut(&[(4, 100)]), [vec![(4, 0..100)]]);
    assert_eq!(cut(&[(0, 200)]), [vec![(0, 0..90)], vec![(0, 90..180)], vec![(0, 180..200)]]);
    assert_eq!(cut(&[(0, 20), (1, 70), (2, 31)]), [vec![(0, 0..20), (1, 0..70)], vec![(2, 0..31)]]);

    let body = ("0123456789".into(), Some("abc".into()), Some("XYZ".into()));
    let texts = |bytes: Range<usize>| {
        pieces_of(&body, bytes, 4).into_iter().map(|piece| String::from_utf8(piece).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(texts(0..16), ["0123", "4567", "89ab", "cXYZ"]);
    assert_eq!(texts(8..14), ["89ab", "cX"]);
    assert_eq!(texts(16..16), [""; 0]);
    assert_eq!((length(&body), length(&("".into(), None, None))), (16, 0));
}
