//! What one event costs on its way, without sockets and without waiting for a disk: the body and headers of a delivery
//! in each dialect, what it costs that contracts are data (the same bytes made by hand stand beside it), and a group of
//! 64 events accepted and settled in the store; and the first page of a long list. `cargo bench`; for the whole server
//! see `hookwheel bench`.

use std::hint::black_box;

use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use hookwheel::clock::{Clock, Dice, Stopwatch};
use hookwheel::deliver::meters::Meters;
use hookwheel::dialect::{AttemptFacts, Dialect, Dialects, Numbers, Prepared, SigningKey, canonical};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Cause, Delivery, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::event::Event;
use hookwheel::domain::id::{DeliveryId, EventId, WebhookId};
use hookwheel::domain::retry::Next;
use hookwheel::domain::time::{self, TimeForm};
use hookwheel::domain::trace::{Phases, SentBody, Trace};
use hookwheel::domain::walk::Walk;
use hookwheel::domain::webhook::{EventFilter, Webhook};
use hookwheel::store::{self, Committer, NewEvent, Settings, Settlement, Staging, Store};
use hookwheel::telemetry::histogram::SHORT;
use hookwheel::telemetry::{Format, Histogram, Page};
use sha2::Sha256;

const GROUP: usize = 64;
/// Those of an account that has many.
const WEBHOOKS: usize = 10_000;
/// What a contract that is data may cost a delivery more than one that is code.
const EXTRA_NS_MAX: u128 = 5_000;

criterion_group!(benches, dialects, layer, groups, lists, metrics);
criterion_main!(benches);

/// What is counted of one event that succeeds at its first attempt, on all of its way: four histograms of which one keeps an
/// example, and the counters of the attempt; and a whole page, for whoever asks.
fn metrics(to: &mut Criterion) {
    let mut group = to.benchmark_group("metrics");
    let histogram = Histogram::new(&SHORT);
    let mut value = 0;
    group.bench_function("record", |b| {
        b.iter(|| {
            value = (value + 7_919) % 3_000_000;
            histogram.record(black_box(value));
        })
    });
    let (meters, event) = (Meters::default(), event());
    let delivery = Delivery::fresh(event.id.delivery_to(1), event.id, Cause::Accept);
    let attempt = success(delivery.id).attempt;
    group.bench_function("an attempt", |b| {
        b.iter(|| meters.count_for((1, &delivery), (black_box(&attempt), Next::Succeeded), None))
    });
    group.bench_function("the page", |b| {
        b.iter(|| {
            let mut page = Page::default();
            meters.show(&mut page);
            page.written(Format::OpenMetrics)
        })
    });
    group.finish();
}

fn dialects(to: &mut Criterion) {
    let mut group = to.benchmark_group("delivery");
    for dialect in Dialects::shipped().iter() {
        let (event, webhook) = (event(), webhook(&dialect.name));
        let secret = dialect.generate_secret(&[7; 32]).expect("it can be generated");
        let keys = [dialect.signing_key(&secret).unwrap()];
        let facts = AttemptFacts {
            event: &event,
            webhook: &webhook,
            account_id: "default",
            delivery: event.id.delivery_to(1),
            attempt: 1,
            now: 1_800_000_000_000,
        };
        group.bench_function(format!("{}: prepare a 1 KiB body", dialect.name), |b| {
            b.iter(|| dialect.prepare(&event, "default"))
        });
        let prepared = dialect.prepare(&event, "default");
        group.bench_function(format!("{}: headers and signature", dialect.name), |b| {
            b.iter(|| {
                let body = dialect.body(&prepared, &facts, &keys);
                let mut headers = Vec::with_capacity(8);
                dialect.headers(&facts, &body, &keys, &mut headers);
                headers
            })
        });
    }
}

/// One delivery by a dialect and by hand. The body is made once an event, so it is measured apart: its normal form, and
/// the envelope around it.
fn layer(to: &mut Criterion) {
    let dialects = Dialects::shipped();
    let dialect = dialects.get("taskflow").unwrap();
    let (event, webhook) = (event(), webhook("taskflow"));
    let secret = dialect.generate_secret(&[7; 32]).expect("it can be generated");
    let (keys, mac) =
        ([dialect.signing_key(&secret).unwrap()], Hmac::new_from_slice(secret.reveal().as_bytes()).unwrap());
    let delivery = event.id.delivery_to(1);
    let now = 1_800_000_000_000;
    let facts = AttemptFacts { event: &event, webhook: &webhook, account_id: "default", delivery, attempt: 1, now };
    let prepared = dialect.prepare(&event, "default");
    let body = dialect.body(&prepared, &facts, &keys);
    let normal = normalised(&event.data);
    assert_eq!(body_by_hand(&facts, &normal), body, "the same bytes");
    assert_eq!(delivery_by_hand(&facts, &body, &mac), delivery_by_dialect(dialect, &facts, &prepared, &keys));

    let mut group = to.benchmark_group("layer");
    group.bench_function("a delivery by its dialect", |b| {
        b.iter(|| delivery_by_dialect(dialect, black_box(&facts), &prepared, &keys))
    });
    group.bench_function("a delivery by hand", |b| b.iter(|| delivery_by_hand(black_box(&facts), &body, &mac)));
    group.bench_function("once an event: a body by its dialect", |b| b.iter(|| dialect.prepare(&event, "default")));
    group.bench_function("once an event: the normal form of 1 KiB", |b| b.iter(|| normalised(&event.data)));
    group
        .bench_function("once an event: the envelope by hand", |b| b.iter(|| body_by_hand(black_box(&facts), &normal)));
    group.finish();

    let by_dialect = typical_ns(|| drop(black_box(delivery_by_dialect(dialect, &facts, &prepared, &keys))));
    let by_hand = typical_ns(|| drop(black_box(delivery_by_hand(&facts, &body, &mac))));
    let extra = by_dialect.saturating_sub(by_hand);
    println!("layer: {by_dialect} ns by its dialect, {by_hand} ns by hand: {extra} ns more a delivery");
    assert!(extra < EXTRA_NS_MAX, "a delivery costs {extra} ns more than by hand");
}

type Headers = Vec<(HeaderName, HeaderValue)>;

fn delivery_by_dialect(
    dialect: &Dialect,
    facts: &AttemptFacts<'_>,
    prepared: &Prepared,
    keys: &[SigningKey],
) -> (Bytes, Headers) {
    let body = dialect.body(prepared, facts, keys);
    let mut headers = Vec::with_capacity(8);
    dialect.headers(facts, &body, keys, &mut headers);
    (body, headers)
}

fn delivery_by_hand(facts: &AttemptFacts<'_>, body: &Bytes, mac: &Hmac<Sha256>) -> (Bytes, Headers) {
    let name = HeaderName::from_static;
    let value = |text: &str| HeaderValue::from_str(text).unwrap();
    let mut mac = mac.clone();
    mac.update(body);
    let mut signature = String::with_capacity(71);
    signature.push_str("sha256=");
    for byte in mac.finalize().into_bytes() {
        for digit in [byte >> 4, byte & 15] {
            signature.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    let headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (USER_AGENT, HeaderValue::from_static(concat!("Hookwheel/", env!("CARGO_PKG_VERSION")))),
        (name("x-taskflow-event"), value(&facts.event.event_type)),
        (name("x-taskflow-delivery-id"), value(&format!("del_{}_{}", facts.delivery.uuid().simple(), facts.attempt))),
        (name("x-taskflow-signature"), value(&signature)),
    ];
    (body.clone(), headers)
}

fn body_by_hand(facts: &AttemptFacts<'_>, data: &str) -> String {
    let event = facts.event;
    format!(
        r#"{{"id":"evt_{}","type":"{}","timestamp":"{}","data":{data},"metadata":{{"account_id":"{}","triggered_by":null}}}}"#,
        event.id.uuid().simple(),
        event.event_type,
        time::write(event.created_at, TimeForm::Seconds),
        facts.account_id,
    )
}

fn normalised(json: &[u8]) -> String {
    let mut out = Vec::with_capacity(json.len());
    canonical(json, Numbers::Exact, &mut out);
    String::from_utf8(out).unwrap()
}

/// The median of many short runs, in nanoseconds each.
fn typical_ns(mut run: impl FnMut()) -> u128 {
    let mut sample = || {
        let watch = Stopwatch::start();
        (0..100).for_each(|_| run());
        watch.elapsed().as_nanos() / 100
    };
    let mut samples: Vec<u128> = (0..301).map(|_| sample()).collect();
    samples.sort_unstable();
    samples[samples.len() / 2]
}

fn groups(to: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut committer) = founded(dir.path());
    let mut group = to.benchmark_group("store");
    group.throughput(Throughput::Elements(GROUP as u64));
    group.bench_function("accept and settle a group of 64", |b| {
        b.iter_batched(
            || vec![new_event(); GROUP],
            |events| accept_and_settle(&store, &mut committer, events),
            BatchSize::SmallInput,
        )
    });
}

/// The first page of an account's deliveries, which begins with a look at each of its webhooks.
fn lists(to: &mut Criterion) {
    const AT_ONCE: usize = 500;
    let dir = tempfile::tempdir().unwrap();
    let (store, mut committer) = founded(dir.path());
    let mut webhooks = Vec::with_capacity(WEBHOOKS);
    while webhooks.len() < WEBHOOKS {
        let make = |staging: &mut Staging<'_>| {
            (0..AT_ONCE).map(|_| Ok(staging.create_webhook(webhook("standard"), None)?.number())).collect()
        };
        let mut made = store.submit::<Vec<_>>(make).unwrap();
        while committer.step() {}
        webhooks.extend(made.try_recv().unwrap().unwrap());
    }
    drop(store.accept(1, vec![new_event()], None).unwrap());
    while committer.step() {}
    let mut group = to.benchmark_group("lists");
    group.sample_size(10);
    group.bench_function("the newest 50 deliveries of 10,000 webhooks", |b| {
        b.iter(|| {
            let page = store.deliveries(&webhooks, Walk::newest(50), None, |_| true).unwrap();
            assert_eq!(page.rows.len(), 50);
        })
    });
}

fn accept_and_settle(store: &Store, committer: &mut Committer, events: Vec<NewEvent>) {
    let answers: Vec<_> = events.into_iter().map(|event| store.accept(1, vec![event], None).unwrap()).collect();
    while committer.step() {}
    for mut answer in answers {
        let accepted = answer.try_recv().unwrap().unwrap();
        store.settle(success(accepted[0].id.delivery_to(1)));
    }
    while committer.step() {}
}

fn success(delivery: DeliveryId) -> Settlement {
    let summary = AttemptSummary { number: 1, started_at: 1, duration_ms: 1, outcome: Outcome::Status(200) };
    let headers = (0..6).map(|n| (format!("a-header-{n}"), "v".repeat(40))).collect();
    let trace = Trace {
        response_headers: (0..6).map(|n| (format!("a-header-{n}"), "v".repeat(30))).collect(),
        phases: Phases { first_byte_us: Some(900), ..Phases::default() },
        body: Some(SentBody::of(b"{}", 1)),
        ..Trace::default()
    };
    let attempt = Attempt {
        summary,
        url: "https://example.com/webhooks".into(),
        request_headers: headers,
        response_body: b"ok".to_vec(),
        resent: false,
        trace,
    };
    Settlement {
        delivery,
        attempt,
        next: Next::Succeeded,
        disable: DisableRule::default(),
        strain: Strain::Well,
        dice: 0.0,
        rate_limited: false,
    }
}

fn founded(path: &std::path::Path) -> (Store, Committer) {
    let settings = Settings { queue_events_max: 10_000, durable: false, ..Settings::at(path) };
    let (store, mut committer) = store::open(settings, Clock::standing_at(1_800_000_000_000), Dice::seeded(1)).unwrap();
    let webhook = webhook("standard");
    let made = store.submit(|staging| {
        staging.create_account(Store::default_account("standard"))?;
        staging.create_webhook(webhook, None)
    });
    committer.step();
    made.unwrap().try_recv().unwrap().unwrap();
    (store, committer)
}

fn data() -> Bytes {
    format!(r#"{{"id":"task_abc123","title":"{}","done":false,"n":1.5}}"#, "x".repeat(960)).into()
}

fn new_event() -> NewEvent {
    NewEvent {
        name: None,
        event_type: "task.created".into(),
        created_at: None,
        data: data(),
        actor: None,
        metadata: None,
        test: false,
        channels: Vec::new(),
        fingerprint: None,
        trace: None,
    }
}

fn event() -> Event {
    Event {
        id: EventId(0x0193_5b6e_7c1a_7abc_8def_0123_0000_0000),
        account: 1,
        name: None,
        event_type: "task.created".into(),
        created_at: 1_800_000_000_000,
        test: false,
        webhooks: vec![1],
        channels: Vec::new(),
        fingerprint: None,
        trace: None,
        data: data(),
        actor: None,
        metadata: None,
    }
}

fn webhook(dialect: &str) -> Webhook {
    let url = EndpointUrl::parse("https://example.com/webhooks", false).unwrap();
    Webhook { id: WebhookId(1), ..Webhook::new(1, dialect, url, vec![EventFilter::All]) }
}
