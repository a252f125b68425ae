//! Spans in the protobuf of OTLP, as collectors take it at `/v1/traces`.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as wire, ResourceSpans, ScopeSpans, Status, status::StatusCode};
use prost::Message;

use super::span::{Said, Span, SpanKind};

/// The media type of such a request.
pub const CONTENT_TYPE: &str = "application/x-protobuf";

/// A request that hands these over, as made by `service`.
pub fn encoded(spans: &[Span], service: &str) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let attributes = vec![text("service.name", service), text("service.version", version)];
    let resource = Some(Resource { attributes, ..Resource::default() });
    let scope = InstrumentationScope { name: "hookwheel".into(), version: version.into(), ..Default::default() };
    let spans = spans.iter().map(span).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn span(span: &Span) -> wire::Span {
    let kind = match span.kind {
        SpanKind::Server => wire::span::SpanKind::Server,
        SpanKind::Client => wire::span::SpanKind::Client,
        SpanKind::Internal => wire::span::SpanKind::Internal,
    };
    let failed = |message: &String| Status { message: message.clone(), code: StatusCode::Error as i32 };
    wire::Span {
        trace_id: span.trace_id.to_be_bytes().to_vec(),
        span_id: span.span_id.to_be_bytes().to_vec(),
        parent_span_id: span.parent.map_or(Vec::new(), |parent| parent.to_be_bytes().to_vec()),
        name: span.name.into(),
        kind: kind as i32,
        start_time_unix_nano: span.start_us * 1000,
        end_time_unix_nano: (span.start_us + span.took_us) * 1000,
        attributes: span.attributes.iter().map(|(key, said)| attribute(key, said)).collect(),
        status: span.failure.as_ref().map(failed),
        ..wire::Span::default()
    }
}

fn attribute(key: &str, said: &Said) -> KeyValue {
    let value = match said {
        Said::Text(text) => Value::StringValue(text.clone()),
        Said::Whole(number) => Value::IntValue(*number),
        Said::Real(number) => Value::DoubleValue(*number),
    };
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, text: &str) -> KeyValue {
    attribute(key, &Said::Text(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_as_it_was_meant() {
        let sent = Span {
            trace_id: 0xab,
            span_id: 7,
            parent: Some(6),
            name: "attempt",
            kind: SpanKind::Client,
            start_us: 1_700_000_000_000_000,
            took_us: 1_500,
            attributes: vec![("a", Said::Text("b".into())), ("c", Said::Whole(-3)), ("d", Said::Real(0.5))],
            failure: Some("no connection".into()),
        };
        let root = Span { parent: None, failure: None, ..sent.clone() };
        let read = ExportTraceServiceRequest::decode(&encoded(&[sent, root], "hooks")[..]).expect("it is one");
        let of = &read.resource_spans[0];
        assert!(of.resource.as_ref().is_some_and(|of| of.attributes.contains(&text("service.name", "hooks"))));
        let [sent, root] = &of.scope_spans[0].spans[..] else { panic!("there are two: {read:?}") };
        assert_eq!(
            (sent.trace_id[15], sent.span_id[7], &sent.parent_span_id[..]),
            (0xab, 7, &[0, 0, 0, 0, 0, 0, 0, 6][..])
        );
        assert_eq!((sent.trace_id.len(), root.parent_span_id.len(), &root.status), (16, 0, &None));
        assert_eq!(sent.end_time_unix_nano - sent.start_time_unix_nano, 1_500_000);
        assert_eq!((sent.kind, sent.attributes.len()), (wire::span::SpanKind::Client as i32, 3));
        let status = sent.status.as_ref().expect("it failed");
        assert_eq!((status.code, status.message.as_str()), (StatusCode::Error as i32, "no connection"));
    }
}
