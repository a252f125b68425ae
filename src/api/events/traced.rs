//! A publish as it is traced, logged and timed. What stays true: where spans are not taken and such lines are not asked for,
//! nothing is made of them.

use std::time::Duration;

use actix_web::HttpRequest;

use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::clock::{Clock, Stopwatch};
use crate::domain::time::UnixMs;
use crate::domain::trace_context::{SpanOf, TRACEPARENT, TraceContext, spelt};
use crate::store::Accepted;
use crate::telemetry::{Said, Span, SpanKind};

/// A publish that is under way.
pub struct Publishing {
    /// By the wall clock.
    at: UnixMs,
    watch: Stopwatch,
    /// The trace that the request named.
    pub named: Option<TraceContext>,
    commit: Option<(Duration, Duration)>,
}

/// The trace that a request names, to be continued. One that names two names none.
pub fn named(request: &HttpRequest) -> Option<TraceContext> {
    let mut all = request.headers().get_all(TRACEPARENT);
    let first = all.next()?;
    if all.next().is_some() { None } else { first.to_str().ok().and_then(TraceContext::parse) }
}

impl Publishing {
    /// It begins: its body is there.
    pub fn begin(clock: &Clock, request: &HttpRequest) -> Self {
        Self { at: clock.wall(), watch: Stopwatch::start(), named: named(request), commit: None }
    }

    /// Waits for the commit.
    pub async fn committed<T>(&mut self, commit: impl Future<Output = T>) -> T {
        let begun = self.watch.elapsed();
        let done = commit.await;
        self.commit = Some((begun, self.watch.elapsed()));
        done
    }

    /// These were accepted: counts them, and tells of each.
    pub fn accepted(&self, api: &Api, tenant: &Tenant, accepted: &[Accepted]) {
        let (took, account) = (self.watch.elapsed(), tenant.account());
        let new = api.served.count_accepted(accepted);
        api.served.accept_times.record_time(took);
        let telemetry = &api.settings().telemetry;
        telemetry.accounts.accepted(account.number, new);
        for one in accepted {
            self.log(&account.id, one, took);
            if !one.duplicate && telemetry.traces.wants(one.id, self.named) {
                self.spans(&account.id, one, took).into_iter().for_each(|span| telemetry.traces.put(span));
            }
        }
    }

    /// One wide line, where events are to be logged.
    fn log(&self, account: &str, one: &Accepted, took: Duration) {
        tracing::info!(
            target: "hookwheel::access",
            account,
            event = %one.id,
            name = one.name,
            "type" = one.event_type,
            deliveries = one.deliveries,
            duplicate = one.duplicate,
            took_ms = ms(took),
            trace_id = spelt(TraceContext::trace_of(one.id, self.named)),
            "accepted"
        );
    }

    /// The publish, and within it the commit.
    fn spans(&self, account: &str, one: &Accepted, took: Duration) -> Vec<Span> {
        let publish = SpanOf::Publish(one.id).id();
        let start_us = self.at * 1000;
        let span = |span_id, parent, name, kind, (begun, ended): (Duration, Duration), attributes| Span {
            trace_id: TraceContext::trace_of(one.id, self.named),
            span_id,
            parent,
            name,
            kind,
            start_us: start_us + begun.as_micros() as u64,
            took_us: ended.saturating_sub(begun).as_micros() as u64,
            attributes,
            failure: None,
        };
        let attributes = vec![
            ("hookwheel.account", Said::Text(account.to_string())),
            ("hookwheel.event", Said::Text(one.id.to_string())),
            ("hookwheel.event.type", Said::Text(one.event_type.clone())),
            ("hookwheel.deliveries", Said::Whole(one.deliveries as i64)),
        ];
        let parent = self.named.map(|named| named.span_id);
        let whole = (Duration::ZERO, took);
        let mut spans = vec![span(publish, parent, "publish", SpanKind::Server, whole, attributes)];
        let commit = SpanOf::Commit(one.id).id();
        let of_commit = |times| span(commit, Some(publish), "commit", SpanKind::Internal, times, Vec::new());
        spans.extend(self.commit.map(of_commit));
        spans
    }
}

fn ms(took: Duration) -> f64 {
    took.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_request_names_one_trace_or_none() {
        let with = |values: &[&str]| {
            let of = |request: TestRequest, value: &&str| request.append_header((TRACEPARENT, *value));
            named(&values.iter().fold(TestRequest::default(), of).to_http_request())
        };
        assert_eq!(with(&[PARENT]), TraceContext::parse(PARENT));
        assert!(with(&[PARENT]).is_some());
        assert_eq!([with(&[]), with(&[PARENT, PARENT]), with(&["00-0"])], [None; 3]);
    }

    #[test]
    fn the_commit_lies_within_the_publish_which_continues_the_trace_that_was_named() {
        let (named, ms) = (TraceContext::parse(PARENT), Duration::from_millis);
        let publishing = Publishing { at: 1_000, watch: Stopwatch::start(), named, commit: Some((ms(2), ms(7))) };
        let one = Accepted {
            id: crate::domain::id::EventId(1 << 80),
            name: None,
            event_type: "a.b".into(),
            created_at: 0,
            deliveries: 3,
            duplicate: false,
        };
        let [publish, commit] = &publishing.spans("acc", &one, ms(9))[..] else { panic!("there are two") };
        assert_eq!((publish.start_us, publish.took_us), (1_000_000, 9_000));
        assert_eq!((commit.start_us, commit.took_us), (1_002_000, 5_000));
        assert_eq!((publish.parent, commit.parent), (named.map(|named| named.span_id), Some(publish.span_id)));
        assert!([publish, commit].iter().all(|span| Some(span.trace_id) == named.map(|named| named.trace_id)));
    }
}
