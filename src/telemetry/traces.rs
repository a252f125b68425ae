//! Spans on their way to the operator's collector. What stays true: whoever has one to tell puts it into a bounded queue and goes
//! on; where that is full the span is dropped and counted, so a collector that is slow or away delays nothing. Where no collector
//! is named nothing is made at all.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::otlp;
use super::page::Page;
use super::span::Span;
use crate::domain::id::EventId;
use crate::domain::trace_context::{TraceContext, is_of_share};

/// Spans that may wait: some megabytes.
const QUEUE_MAX: usize = 8192;
/// Spans that are handed over at once.
const BATCH_MAX: usize = 512;
/// How long the first of a batch waits for others.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between tries to hand over a batch while the collector is away. After the last one more, and the batch is given up.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// Takes spans; cheap to clone. The default takes none.
#[derive(Debug, Clone, Default)]
pub struct Traces(Option<Arc<Taking>>);

#[derive(Debug)]
struct Taking {
    ratio: f64,
    queue: mpsc::Sender<Span>,
    closing: watch::Sender<bool>,
    exported: AtomicU64,
    dropped: AtomicU64,
}

/// The other end: what waits to be handed over.
#[derive(Debug)]
pub struct Exporter {
    spans: mpsc::Receiver<Span>,
    of: Arc<Taking>,
    service: String,
}

/// What became of a batch that was not taken.
#[derive(Debug)]
pub struct Untaken {
    /// In words.
    pub why: String,
    /// Whether it is worth another try.
    pub again: bool,
}

impl Traces {
    /// Takes the spans of this share of all traces, 0 to 1, and those of traces whose producer says so. The exporter hands them
    /// over under the name of `service`.
    pub fn new(ratio: f64, service: String) -> (Self, Exporter) {
        let (queue, spans) = mpsc::channel(QUEUE_MAX);
        let (exported, dropped) = Default::default();
        let of = Arc::new(Taking { ratio, queue, closing: watch::Sender::new(false), exported, dropped });
        (Self(Some(of.clone())), Exporter { spans, of, service })
    }

    /// Whether any are taken.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether those of this event are; `named`: what its producer said of its trace. The same at each attempt, as long as the
    /// ratio is.
    pub fn wants(&self, event: EventId, named: Option<TraceContext>) -> bool {
        let Some(taking) = &self.0 else { return false };
        named.map_or_else(|| is_of_share(event.0, taking.ratio), |named| named.sampled)
    }

    /// Takes a span, or drops it.
    pub fn put(&self, span: Span) {
        let Some(taking) = &self.0 else { return };
        if taking.queue.try_send(span).is_err() {
            taking.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What waits is handed over now, once; then the exporter ends.
    pub fn close(&self) {
        if let Some(taking) = &self.0 {
            taking.closing.send_replace(true);
        }
    }

    /// Puts what became of spans onto the page; nothing where none are taken.
    pub fn show(&self, page: &mut Page) {
        let Some(taking) = &self.0 else { return };
        let (exported, dropped) = (&taking.exported, &taking.dropped);
        let help = "Spans that the collector has taken.";
        page.counter("hookwheel_spans_exported_total", help).one(exported.load(Ordering::Relaxed));
        let help = "Spans that were dropped: the queue was full, or the collector did not take them.";
        page.counter("hookwheel_spans_dropped_total", help).one(dropped.load(Ordering::Relaxed));
        let waiting = taking.queue.max_capacity() - taking.queue.capacity();
        page.gauge("hookwheel_spans_waiting", "Spans that wait to be handed over.").one(waiting);
    }
}

impl Exporter {
    /// Hands batches over by `post` until the traces are closed.
    pub async fn run<F: Future<Output = Result<(), Untaken>>>(mut self, post: impl Fn(Vec<u8>) -> F) {
        let (mut batch, mut closing, mut is_away) = (Vec::new(), self.of.closing.subscribe(), false);
        loop {
            let is_closing = self.fill(&mut batch, &mut closing).await;
            if !batch.is_empty() {
                let posted = self.hand_over(&batch, &post, &mut closing).await;
                let (count, counter) = match &posted {
                    Ok(()) => (batch.len(), &self.of.exported),
                    Err(_) => (batch.len(), &self.of.dropped),
                };
                counter.fetch_add(count as u64, Ordering::Relaxed);
                tell(&posted, &mut is_away);
                batch.clear();
            }
            if is_closing && self.spans.is_empty() {
                return;
            }
        }
    }

    /// The next batch: what comes within a moment of its first. Says whether the traces are closed.
    async fn fill(&mut self, batch: &mut Vec<Span>, closing: &mut watch::Receiver<bool>) -> bool {
        let spans = &mut self.spans;
        let filled = async {
            spans.recv_many(batch, BATCH_MAX).await;
            // An error means that the time is over.
            let _ = timeout(PATIENCE, async {
                while batch.len() < BATCH_MAX && spans.recv_many(batch, BATCH_MAX - batch.len()).await > 0 {}
            })
            .await;
        };
        let is_closing = unless_closed(closing, filled).await.is_none();
        while is_closing && batch.len() < BATCH_MAX {
            let Ok(span) = self.spans.try_recv() else { break };
            batch.push(span);
        }
        is_closing
    }

    async fn hand_over<F: Future<Output = Result<(), Untaken>>>(
        &self,
        batch: &[Span],
        post: &impl Fn(Vec<u8>) -> F,
        closing: &mut watch::Receiver<bool>,
    ) -> Result<(), Untaken> {
        let bytes = otlp::encoded(batch, &self.service);
        for pause in PAUSES {
            let posted = post(bytes.clone()).await;
            let again = posted.as_ref().is_err_and(|untaken| untaken.again);
            if !again || unless_closed(closing, sleep(pause)).await.is_none() {
                return posted;
            }
        }
        post(bytes).await
    }
}

/// What comes of `work`; `None` if the traces are closed before it is done.
async fn unless_closed<T>(closing: &mut watch::Receiver<bool>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        // An error means that nobody can close them any more.
        _ = closing.wait_for(|closing| *closing) => None,
        done = pin!(work) => Some(done),
    }
}

/// Says once that the collector is away, and once that it is back.
fn tell(posted: &Result<(), Untaken>, is_away: &mut bool) {
    match posted {
        Err(untaken) if !*is_away => {
            tracing::warn!(why = untaken.why, "the collector does not take spans; they are dropped while it does not");
        }
        Ok(()) if *is_away => tracing::warn!("the collector takes spans again"),
        _ => {}
    }
    *is_away = posted.is_err();
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;

    use super::*;
    use crate::telemetry::page::Format;
    use crate::telemetry::span::SpanKind;

    fn span(n: u64) -> Span {
        let (attributes, failure) = Default::default();
        let (kind, start_us, took_us) = (SpanKind::Internal, 5, 7);
        Span { trace_id: 1, span_id: n, parent: None, name: "a", kind, start_us, took_us, attributes, failure }
    }

    fn ids(bytes: &[u8]) -> Vec<u64> {
        let request = ExportTraceServiceRequest::decode(bytes).expect("it is one");
        let spans = &request.resource_spans[0].scope_spans[0].spans;
        spans.iter().map(|span| u64::from_be_bytes(span.span_id[..].try_into().expect("8 bytes"))).collect()
    }

    fn shown(traces: &Traces) -> String {
        let mut page = Page::default();
        traces.show(&mut page);
        page.written(Format::Classic)
    }

    #[tokio::test]
    async fn what_waits_is_handed_over_when_it_ends_and_what_is_too_much_is_counted() {
        let (traces, exporter) = Traces::new(1.0, "x".into());
        (1..=QUEUE_MAX as u64 + 3).for_each(|n| traces.put(span(n)));
        assert!(shown(&traces).contains("hookwheel_spans_dropped_total 3\n"), "{}", shown(&traces));
        traces.close();
        let got = Rc::new(RefCell::new(Vec::new()));
        let taken = got.clone();
        exporter
            .run(move |bytes| {
                taken.borrow_mut().extend(ids(&bytes));
                async { Ok(()) }
            })
            .await;
        assert_eq!(*got.borrow(), (1..=QUEUE_MAX as u64).collect::<Vec<_>>());
        let text = shown(&traces);
        assert!(text.contains(&format!("hookwheel_spans_exported_total {QUEUE_MAX}\n")), "{text}");
        assert!(text.contains("hookwheel_spans_waiting 0\n"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_is_away_for_a_moment_gets_them_and_one_that_refuses_is_not_asked_again() {
        for (again, tries) in [(true, 1 + PAUSES.len()), (false, 1)] {
            let (traces, exporter) = Traces::new(1.0, "x".into());
            traces.put(span(1));
            let asked = Rc::new(RefCell::new(0));
            let (count, closer) = (asked.clone(), traces.clone());
            exporter
                .run(move |_| {
                    *count.borrow_mut() += 1;
                    if *count.borrow() == tries {
                        closer.close();
                    }
                    async move { Err(Untaken { why: "it is away".into(), again }) }
                })
                .await;
            assert_eq!(*asked.borrow(), tries);
            assert!(shown(&traces).contains("hookwheel_spans_dropped_total 1\n"));
        }
    }

    #[test]
    fn a_producer_that_names_a_trace_decides_and_else_the_ratio_does() {
        let (none, _one) = Traces::new(0.0, String::new());
        let (all, _other) = Traces::new(1.0, String::new());
        let named = |sampled| Some(TraceContext { trace_id: 1, span_id: 1, sampled });
        for traces in [&none, &all] {
            assert!(traces.wants(EventId(1), named(true)) && !traces.wants(EventId(1), named(false)));
        }
        assert!(all.wants(EventId(1), None) && !none.wants(EventId(1), None));
        let off = Traces::default();
        assert!(!off.wants(EventId(1), named(true)) && !off.is_on());
        off.put(span(1));
        assert_eq!(shown(&off), "");
    }
}
