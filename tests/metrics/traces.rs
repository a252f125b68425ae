//! Traces, as a collector puts them together and as endpoints and people hear of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Said;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};

use crate::support::{Answer, Receiver, Server, Stage};
use crate::{Metrics, until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// A collector that takes everything.
struct Collector {
    at: Receiver,
    got: Vec<Span>,
}

impl Collector {
    fn start() -> Self {
        Self { at: Receiver::start(|_, _| Answer::Status(200)), got: Vec::new() }
    }

    fn url(&self) -> String {
        self.at.url("")
    }

    /// Everything that came, once all of these names have come as often as here.
    #[track_caller]
    fn spans(&mut self, wanted: &[(&str, usize)]) -> &[Span] {
        let count = |got: &[Span], name: &str| got.iter().filter(|span| span.name == name).count();
        while wanted.iter().any(|(name, times)| count(&self.got, name) < *times) {
            let arrived = self.at.next();
            assert_eq!(arrived.path, "/v1/traces");
            assert_eq!(arrived.header("content-type"), Some("application/x-protobuf"));
            assert_eq!(arrived.header("x-scope"), Some("hooks"), "what is sent along");
            let request = ExportTraceServiceRequest::decode(&arrived.message.body[..]).expect("it is a request");
            for of in request.resource_spans {
                let resource = of.resource.expect("it says who made them");
                let name = resource.attributes.iter().find(|one| one.key == "service.name");
                assert_eq!(
                    name.map(|one| texts(one.value.as_ref().and_then(|v| v.value.clone()))),
                    Some("hooks".into())
                );
                self.got.extend(of.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        &self.got
    }
}

fn texts(said: Option<Said>) -> String {
    match said {
        Some(Said::StringValue(text)) => text,
        Some(Said::IntValue(number)) => number.to_string(),
        Some(Said::DoubleValue(number)) => number.to_string(),
        other => panic!("it says {other:?}"),
    }
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let text = |one: &opentelemetry_proto::tonic::common::v1::KeyValue| texts(one.value.clone().and_then(|v| v.value));
    span.attributes.iter().map(|one| (one.key.as_str(), text(one))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    let mut all: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    all.sort_by_key(|span| span.start_time_unix_nano);
    all
}

/// A server that hands spans to `collector`, with these settings too.
fn stage(collector: &Collector, env: &[(&str, &str)]) -> Stage {
    let url = collector.url();
    let base = [
        ("HOOKWHEEL__TRACES__ENDPOINT", url.as_str()),
        ("HOOKWHEEL__TRACES__HEADERS", "X-Scope=hooks"),
        ("HOOKWHEEL__TRACES__SERVICE_NAME", "hooks"),
    ];
    Stage::start(&[&base, env].concat())
}

/// An endpoint that fails so many times.
fn failing(times: usize) -> Receiver {
    let left = Arc::new(AtomicUsize::new(times));
    Receiver::start(move |_, _| {
        let failed = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        Answer::Status(if failed.is_ok() { 500 } else { 200 })
    })
}

fn at_once() -> Value {
    json!({"retry": {"delays": [0], "jitter_percent": 0}})
}

#[test]
fn publish_commit_and_attempts_are_one_trace_that_the_producer_began_and_the_endpoint_can_join() {
    let (mut collector, receiver) = (Collector::start(), failing(1));
    let template = "https://traces.example.com/trace/{trace_id}";
    let mut stage =
        stage(&collector, &[("HOOKWHEEL__TRACES__PROPAGATE", "true"), ("HOOKWHEEL__TRACES__URL_TEMPLATE", template)]);
    let webhook = stage.webhook(&receiver.url("/hook?token=hush"), at_once());
    let mut producer = stage.server.client().with_header("traceparent", &traceparent("01"));
    producer.post("/api/v1/events", &json!({"type": "task.created", "id": "e", "data": {"secret": "hush"}})).data(202);
    let delivery = stage.ended(&webhook, "e");
    let spans = collector.spans(&[("publish", 1), ("commit", 1), ("attempt", 2)]);
    assert_eq!(spans.len(), 4, "{spans:?}");
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE), "{spans:?}");
    let (publish, commit, attempts) = (named(spans, "publish")[0], named(spans, "commit")[0], named(spans, "attempt"));
    assert_eq!((hex(&publish.parent_span_id), hex(&commit.parent_span_id)), (PARENT.into(), hex(&publish.span_id)));
    assert!(attempts.iter().all(|attempt| attempt.parent_span_id == publish.span_id), "{spans:?}");
    let (begin, end) = (publish.start_time_unix_nano, publish.end_time_unix_nano);
    assert!(begin <= commit.start_time_unix_nano && commit.end_time_unix_nano <= end, "{publish:?} {commit:?}");
    let said: Vec<_> = attempts.iter().map(|attempt| attributes(attempt)).collect();
    for (at, (status, next, failed)) in [("500", "retry", true), ("200", "succeeded", false)].into_iter().enumerate() {
        let of = |name: &str| said[at].get(name).map(String::as_str);
        assert_eq!((of("http.response.status_code"), of("hookwheel.next")), (Some(status), Some(next)));
        assert_eq!((of("hookwheel.attempt"), of("hookwheel.account")), (Some(&*(at + 1).to_string()), Some("default")));
        assert_eq!(of("hookwheel.delivery"), delivery["id"].as_str());
        assert_eq!((of("error.type").is_some(), attempts[at].status.is_some()), (failed, failed));
        assert!(of("hookwheel.wait_ms").is_some());
    }
    assert!(!format!("{spans:?}").contains("hush"), "no payload and no query: {spans:?}");
    for attempt in attempts {
        let heard = receiver.next();
        assert_eq!(heard.header("traceparent"), Some(&*format!("00-{TRACE}-{}-01", hex(&attempt.span_id))));
    }
    let shown = stage.client.get("/api/v1/events/e").data(200);
    assert_eq!(
        (&shown["trace_id"], &shown["trace_url"]),
        (&json!(TRACE), &json!(template.replace("{trace_id}", TRACE)))
    );
}

#[test]
fn an_attempt_after_a_restart_joins_the_trace_and_an_event_without_one_has_its_own() {
    let (mut collector, receiver) = (Collector::start(), failing(1));
    let mut stage = stage(&collector, &[]);
    let retry = json!({"retry": {"delays": [2], "jitter_percent": 0}});
    let webhook = stage.webhook(&receiver.url("/"), retry);
    let event = json!({"type": "task.created", "data": {}});
    let id = stage.client.post("/api/v1/events", &event).data(202)["id"].as_str().expect("an id").to_string();
    assert_eq!(receiver.next().header("traceparent"), None, "nobody asked for it");
    collector.spans(&[("publish", 1), ("attempt", 1)]);
    let (url, dir) = (collector.url(), stage.dir);
    assert!(stage.server.terminate().success());
    let server = Server::start(
        dir.path(),
        &[
            ("HOOKWHEEL__TRACES__ENDPOINT", &url),
            ("HOOKWHEEL__TRACES__HEADERS", "X-Scope=hooks"),
            ("HOOKWHEEL__TRACES__SERVICE_NAME", "hooks"),
        ],
    );
    receiver.next();
    let spans = collector.spans(&[("publish", 1), ("commit", 1), ("attempt", 2)]);
    let trace = id.replace('-', "");
    assert!(spans.iter().all(|span| hex(&span.trace_id) == trace), "{trace}: {spans:?}");
    let publish = named(spans, "publish")[0];
    assert!(publish.parent_span_id.is_empty(), "it is the root");
    assert!(named(spans, "attempt").iter().all(|attempt| attempt.parent_span_id == publish.span_id), "{spans:?}");
    let shown = server.client().get(&format!("/api/v1/events/{id}")).data(200);
    assert_eq!((&shown["trace_id"], &shown["trace_url"]), (&json!(trace), &Value::Null));
    assert_eq!(shown["deliveries"][0]["webhook_id"], json!(webhook));
}

#[test]
fn what_a_producer_decided_is_kept_to_and_else_the_ratio_decides() {
    let (mut collector, receiver) = (Collector::start(), failing(0));
    let mut stage = stage(&collector, &[("HOOKWHEEL__TRACES__SAMPLE_RATIO", "0")]);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    stage.publish("undecided");
    stage.ended(&webhook, "undecided");
    let mut not = stage.server.client().with_header("traceparent", &traceparent("00"));
    not.post("/api/v1/events", &json!({"type": "a", "id": "not", "data": 1})).data(202);
    stage.ended(&webhook, "not");
    let mut sampled = stage.server.client().with_header("traceparent", &traceparent("01"));
    sampled
        .post("/api/v1/events", &json!([{"type": "a", "id": "x", "data": 1}, {"type": "a", "id": "y", "data": 1}]))
        .data(202);
    let spans = collector.spans(&[("publish", 2), ("commit", 2), ("attempt", 2)]);
    assert_eq!((spans.len(), spans.iter().all(|span| hex(&span.trace_id) == TRACE)), (6, true), "{spans:?}");
    let ids: std::collections::BTreeSet<_> = spans.iter().map(|span| &span.span_id).collect();
    assert_eq!(ids.len(), 6, "each has an id of its own, in one trace too");
}

#[test]
fn a_collector_that_hangs_or_refuses_delays_no_delivery_and_what_is_dropped_is_counted() {
    for (answer, dropped) in [(Answer::Hang, 0.0), (Answer::Status(400), 3.0)] {
        let (collector, receiver) = (Receiver::start(move |_, _| answer), failing(0));
        let url = collector.url("/v1/traces");
        let mut stage = Stage::start(&[("HOOKWHEEL__TRACES__ENDPOINT", &url)]);
        let webhook = stage.webhook(&receiver.url("/"), json!({}));
        stage.publish("e");
        assert_eq!(stage.ended(&webhook, "e")["state"], "succeeded");
        assert_eq!(collector.next().path, "/v1/traces");
        (0..20).for_each(|n| stage.publish(&format!("e{n}")));
        (0..20).for_each(|n| drop(stage.ended(&webhook, &format!("e{n}"))));
        let counted = until(&mut stage.client, "those that were refused", |now| {
            now.of_sample("hookwheel_spans_dropped_total") >= dropped
        });
        assert_eq!(counted.of_sample("hookwheel_spans_exported_total"), 0.0);
        let metrics = Metrics::of(&mut stage.client);
        let all = metrics.of_sample("hookwheel_spans_waiting") + metrics.of_sample("hookwheel_spans_dropped_total");
        assert!(all <= 21.0 * 3.0, "{}", metrics.text);
    }
}
