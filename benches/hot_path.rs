//! What one event costs on its way, without sockets and without waiting for a disk: the body and headers of a delivery
//! in each dialect, and a group of 64 events accepted and settled in the store. `cargo bench`; for the whole server see
//! `hookwheel bench`.

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hookwheel::clock::{Clock, Dice};
use hookwheel::dialect::{AttemptFacts, Dialects};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Outcome};
use hookwheel::domain::event::Event;
use hookwheel::domain::id::{DeliveryId, EventId, WebhookId};
use hookwheel::domain::retry::Next;
use hookwheel::domain::webhook::{EndpointUrl, EventFilter, Webhook};
use hookwheel::store::{self, Committer, Disable, NewEvent, Settings, Settlement, Store};

const GROUP: usize = 64;

criterion_group!(benches, dialects, groups);
criterion_main!(benches);

fn dialects(to: &mut Criterion) {
    let mut group = to.benchmark_group("delivery");
    for dialect in Dialects::shipped().iter() {
        let (event, webhook) = (event(), webhook(&dialect.name));
        let secret = dialect.generate_secret(&[7; 32]);
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
                let body = dialect.body(&prepared, &webhook);
                let mut headers = Vec::with_capacity(8);
                dialect.headers(&facts, &body, &keys, &mut headers);
                headers
            })
        });
    }
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
    let attempt = Attempt {
        summary,
        url: "https://example.com/webhooks".into(),
        request_headers: headers,
        response_body: b"ok".to_vec(),
    };
    Settlement { delivery, attempt, next: Next::Succeeded, disable: Disable::Never, strain: Strain::Well, dice: 0.0 }
}

fn founded(path: &std::path::Path) -> (Store, Committer) {
    let settings = Settings {
        path: path.into(),
        cache_bytes: 64 << 20,
        free_bytes_min: 0,
        queue_events_max: 10_000,
        queue_bytes_max: 64 << 20,
        group_events_max: 512,
        group_bytes_max: 8 << 20,
        durable: false,
    };
    let (store, mut committer) = store::open(settings, Clock::standing_at(1_800_000_000_000), Dice::seeded(1)).unwrap();
    let webhook = webhook("standard");
    let made = store.submit(0, |staging| {
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
        fingerprint: None,
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
        fingerprint: None,
        data: data(),
        actor: None,
        metadata: None,
    }
}

fn webhook(dialect: &str) -> Webhook {
    let url = EndpointUrl::parse("https://example.com/webhooks", false).unwrap();
    Webhook { id: WebhookId(1), ..Webhook::new(1, dialect, url, vec![EventFilter::All]) }
}
