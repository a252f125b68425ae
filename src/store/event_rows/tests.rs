//! The bytes of an event's record, of before and as they are written, and what lies in several pieces.

use super::*;
use crate::domain::delivery::Cause;
use crate::store::bench::{Bench, event};
use crate::store::layout::VALUE_BYTES_MAX;
use crate::store::publish::Wanting;

const OF_BEFORE: &str = "01fe000000002301ef8dbc7a1a7c6e5b93010101016e03612e62fbe80300010300027b7d0000";
const HERE: &str = "02fe000000002301ef8dbc7a1a7c6e5b93010101016e03612e62fbe8030001060000027b7d0000";
const AHEAD: &str = "02fe000000002301ef8dbc7a1a7c6e5b93010101016e03612e62fbe80300010600010704020000";

const GONE: &str = "42fe000000002301ef8dbc7a1a7c6e5b93010101016e03612e62fbe80300010600fbe803";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn head() -> EventHead {
    EventHead {
        id: EventId(0x0193_5b6e_7c1a_7abc_8def_0123_0000_0000),
        account: 1,
        name: Some("n".into()),
        event_type: "a.b".into(),
        created_at: 1000,
        test: false,
        webhooks: vec![3],
        channels: Vec::new(),
        fingerprint: None,
        body: None,
        purged_at: None,
        rows_are_late: false,
        notice: false,
        trace: None,
    }
}

#[test]
fn a_notice_is_told_from_an_event_by_one_bit() {
    let whole: Parts = ("{}".into(), None, None);
    for head in [head(), EventHead { channels: vec!["a".into()], ..head() }] {
        let (event, notice) = (encode(&head, &whole), encode(&EventHead { notice: true, ..head.clone() }, &whole));
        assert_eq!(event.len(), notice.len());
        assert_eq!((event[2] ^ notice[2], &event[3..]), (0x20, &notice[3..]));
        assert_eq!(decode_head(&notice[2..]).map(|(read, _)| read), Ok(EventHead { notice: true, ..head }));
    }
}

#[test]
fn a_trace_is_written_where_the_producer_named_one() {
    let whole: Parts = ("{}".into(), None, None);
    let trace = TraceContext { trace_id: 0xab, span_id: 0xcd, sampled: true };
    for head in [head(), EventHead { channels: vec!["a".into()], ..head() }, EventHead { purged_at: Some(5), ..head() }]
    {
        let traced = EventHead { trace: Some(trace), ..head.clone() };
        let (without, with) = (encode(&head, &whole), encode(&traced, &whole));
        assert_eq!((without[2] ^ with[2], with.len() - without.len()), (0x10, 3));
        assert_eq!(decode_head(&with[2..]).map(|(read, _)| read), Ok(traced.clone()));
        assert_eq!(again(&with[2..]).as_deref(), Ok(&with[2..]));
        let read = whole_event(&nothing, &[1; 20], &with).unwrap();
        assert_eq!(read.and_then(|event| event.trace), traced.trace.filter(|_| head.purged_at.is_none()));
    }
}

fn nothing(_: Tree, _: &[u8]) -> Result<Option<IVec>, StoreError> {
    Ok(None)
}

#[test]
fn stored_bytes_stay_as_they_are_and_those_of_before_are_read() {
    let body: Parts = ("{}".into(), None, None);
    let whole = head().with(body.clone());
    let read = |text: &str| whole_event(&nothing, &[1; 20], &[&[0, 0], &unhex(text)[..]].concat());
    assert_eq!(hex(&encode(&head(), &body)), format!("0000{HERE}"));
    assert_eq!(read(HERE), Ok(Some(whole.clone())));
    assert_eq!(read(OF_BEFORE), Ok(Some(whole)));
    assert_eq!(again(&unhex(OF_BEFORE)).map(|bytes| hex(&bytes)), Ok(HERE.into()));

    let ahead = EventHead { body: Some(BodyAt::of(BodyId(7), 4, &body)), ..head() };
    assert_eq!(hex(&encode(&ahead, &body)), format!("0000{AHEAD}"));
    assert_eq!(decode_head(&unhex(AHEAD)), Ok((ahead, &[][..])));
    assert!(read(AHEAD).is_err(), "its pieces are not there");
    assert!(read("03").is_err() && read("").is_err());

    let purged = EventHead { purged_at: Some(1000), ..head() };
    assert_eq!(hex(&encode(&purged, &body)), format!("0000{GONE}"));
    assert_eq!(decode_head(&unhex(GONE)), Ok((purged, &[][..])));
    assert_eq!(read(GONE), Ok(None), "there is no whole event any more");
    assert_eq!(again(&unhex(GONE)).map(|bytes| hex(&bytes)), Ok(GONE.into()));
}

#[test]
fn channels_are_written_where_there_are_any() {
    let body: Parts = ("{}".into(), None, None);
    let with = EventHead { channels: vec!["a".into(), "b/c".into()], ..head() };
    let written = encode(&with, &body);
    let channels = hex(b"\x02\x01a\x03b/c");
    let (version, start) = (&HERE[..2], &HERE[2..HERE.len() - 18]);
    assert_eq!((version, hex(&written)), ("02", format!("000082{start}{channels}{}", &HERE[HERE.len() - 18..])));
    assert_eq!(decode_head(&written[2..]).map(|(head, _)| head), Ok(with.clone()));
    assert_eq!(whole_event(&nothing, &[1; 20], &written), Ok(Some(with.clone().with(body))));
    assert_eq!(again(&written[2..]), Ok(written[2..].to_vec()));

    let purged = EventHead { purged_at: Some(1000), ..with };
    let written = encode(&purged, &Parts::default());
    assert_eq!(written[2], VERSION | PURGED | WITH_CHANNELS);
    assert_eq!(decode_head(&written[2..]), Ok((purged, &[][..])));
}

#[test]
fn the_numbers_of_a_thousand_webhooks_cost_an_event_next_to_nothing() {
    let of = |webhooks: Vec<WebhookNumber>| encode(&EventHead { webhooks, ..head() }, &Parts::default()).len();
    let none = of(Vec::new());
    assert!(of((1..=1_000).collect()) <= none + 3);
    assert!(of((1..=1_000).map(|n| n * 7).collect()) <= none + 1_010);
}

#[test]
fn a_head_that_goes_on_in_further_pieces_is_read_from_all_of_them() {
    let mut bench = Bench::new();
    // Two bytes each.
    let webhooks: Vec<WebhookNumber> = (1_000..31_000).map(|n| n * 100).collect();
    let wanted = Wanting { webhooks: webhooks.clone(), ..Wanting::default() };
    let id = bench.now(|staging| Ok(staging.put_event(1, event(), wanted, Cause::Accept)?.id));
    assert_eq!(bench.keys(Tree::Chunks).len(), 60_000 / VALUE_BYTES_MAX);
    let head = bench.store.event_head(1, id).unwrap().unwrap();
    assert_eq!(head.webhooks, webhooks);
    bench.put(Tree::Events, layout::event(1, id), vec![0, 0, 9]);
    assert!(bench.store.event_head(1, id).is_err(), "one that has no further piece");
}
