//! The page of all metrics, as Prometheus reads it: rooms put their families onto it, and it is written in the text format of
//! OpenMetrics or in the classic one by a crate that knows both. What stays true: a family has one name, one help and one kind, and
//! stands there once.

use std::fmt;
use std::fmt::Write;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::histogram::{Example, Histogram, Recorded};
use crate::domain::trace_context::spelt;

/// What the name of each counter ends with.
const TOTAL: &str = "_total";

/// How the page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As Prometheus has always read it.
    Classic,
    /// OpenMetrics 1.0, which has examples.
    OpenMetrics,
}

impl Format {
    /// The one that whoever sends this `Accept` likes better: OpenMetrics where that is named with no smaller weight than what
    /// there is besides.
    pub fn accepted(accept: &str) -> Self {
        let weight = |range: &str| {
            let weight = range.split(';').find_map(|part| part.trim().strip_prefix("q="));
            weight.map_or(1.0, |text| text.trim().parse::<f64>().unwrap_or(0.0))
        };
        let of = |name: &str| {
            let named = accept.split(',').filter(|range| range.trim().split(';').next().map(str::trim) == Some(name));
            named.map(weight).fold(0.0, f64::max)
        };
        let open = of("application/openmetrics-text");
        if open > 0.0 && open >= of("text/plain") { Self::OpenMetrics } else { Self::Classic }
    }

    /// What a reply in it says of itself.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All families, in the order in which they are put there.
#[derive(Debug, Default)]
pub struct Page {
    families: Vec<Family>,
}

/// A family: what is measured, and its samples.
#[derive(Debug)]
pub struct Family {
    /// As it is shown, a counter's with `_total`.
    name: &'static str,
    help: &'static str,
    kind: Kind,
    samples: Vec<(Labels, Value)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

type Labels = Vec<(&'static str, String)>;

/// What a sample says.
#[derive(Debug)]
pub enum Value {
    /// A number of things.
    Whole(u64),
    /// Such as a difference.
    Signed(i64),
    /// Such as seconds.
    Real(f64),
    /// What a histogram has recorded.
    Histogram(Recorded),
}

macro_rules! from {
    ($($of:ty => $kind:ident),*) => { $(
        impl From<$of> for Value {
            fn from(value: $of) -> Self { Self::$kind(value.into()) }
        }
    )* };
}
from!(u64 => Whole, u32 => Whole, bool => Whole, i64 => Signed, f64 => Real, Recorded => Histogram);

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl Page {
    /// A family of counters: its name ends in `_total`.
    pub fn counter(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        assert!(name.ends_with(TOTAL), "a counter says that it is one: {name}");
        self.family(name, help, Kind::Counter)
    }

    /// A family of gauges.
    pub fn gauge(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        self.family(name, help, Kind::Gauge)
    }

    /// A histogram.
    pub fn histogram(&mut self, name: &'static str, help: &'static str, of: &Histogram) {
        self.histograms(name, help).one(of.recorded());
    }

    /// A family of histograms.
    pub fn histograms(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        self.family(name, help, Kind::Histogram)
    }

    fn family(&mut self, name: &'static str, help: &'static str, kind: Kind) -> &mut Family {
        debug_assert!(self.families.iter().all(|other| other.name != name), "{name} is there twice");
        self.families.push(Family { name, help, kind, samples: Vec::new() });
        self.families.last_mut().expect("just pushed")
    }

    /// The whole page.
    pub fn written(self, format: Format) -> String {
        let examples = match format {
            Format::Classic => Vec::new(),
            Format::OpenMetrics => self.examples(),
        };
        let (mut registry, mut out) = (Registry::default(), String::with_capacity(32 * 1024));
        registry.register_collector(Box::new(self));
        let written = match format {
            Format::Classic => prometheus_text::encode(&mut out, &registry),
            Format::OpenMetrics => text::encode(&mut out, &registry),
        };
        written.expect("writing to memory cannot fail");
        if examples.is_empty() { out } else { with_examples(&out, &examples) }
    }

    /// How each bucket's line begins of which there is an example, and what is to stand behind it.
    fn examples(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for family in &self.families {
            for (labels, value) in &family.samples {
                let Value::Histogram(recorded) = value else { continue };
                // The crate gives the examples of its own histograms only, which lock and allocate for each that they count.
                assert!(labels.is_empty() || recorded.examples.is_empty(), "examples have no labels of a family");
                for (bucket, example, shown) in &recorded.examples {
                    let end = recorded.buckets[*bucket].0;
                    let end = if end.is_infinite() { "+Inf".into() } else { in_short(end) };
                    all.push((format!("{}_bucket{{le=\"{end}\"}} ", family.name), behind(example, *shown)));
                }
            }
        }
        all
    }
}

/// A number as the crate writes it.
fn in_short(number: f64) -> String {
    let text = format!("{number:?}");
    if text.contains('e') { format!("{number}") } else { text }
}

fn behind(Example { event, trace_id, at, .. }: &Example, shown: f64) -> String {
    let at = *at as f64 / 1000.0;
    format!(" # {{trace_id=\"{}\",event_id=\"{event}\"}} {} {at:.3}", spelt(*trace_id), in_short(shown))
}

fn with_examples(page: &str, examples: &[(String, String)]) -> String {
    let mut out = String::with_capacity(page.len() + examples.len() * 160);
    for line in page.lines() {
        let example = examples.iter().find(|(start, _)| line.starts_with(start)).map_or("", |(_, behind)| behind);
        writeln!(out, "{line}{example}").expect("writing to memory cannot fail");
    }
    out
}

impl Family {
    /// Its only sample.
    pub fn one(&mut self, value: impl Into<Value>) {
        self.with(&[], value);
    }

    /// A sample with labels.
    pub fn with(&mut self, labels: &[(&'static str, &str)], value: impl Into<Value>) -> &mut Self {
        let labels = labels.iter().map(|(name, value)| (*name, value.to_string())).collect();
        self.samples.push((labels, value.into()));
        self
    }

    /// Its name without what only the samples of a counter have.
    fn bare_name(&self) -> &'static str {
        self.name.strip_suffix(TOTAL).unwrap_or(self.name)
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for family in &self.families {
            let (name, kind) = match family.kind {
                Kind::Counter => (family.bare_name(), MetricType::Counter),
                Kind::Gauge => (family.name, MetricType::Gauge),
                Kind::Histogram => (family.name, MetricType::Histogram),
            };
            let mut encoder = encoder.encode_descriptor(name, family.help, None, kind)?;
            for (labels, value) in &family.samples {
                match labels.is_empty() {
                    true => value.encode(family.kind, &mut encoder)?,
                    false => value.encode(family.kind, &mut encoder.encode_family(labels)?)?,
                }
            }
        }
        Ok(())
    }
}

impl Value {
    fn encode(&self, kind: Kind, to: &mut MetricEncoder) -> fmt::Result {
        match (self, kind) {
            (Self::Whole(value), Kind::Counter) => to.encode_counter::<NoLabelSet, u64, f64>(value, None),
            (Self::Real(value), Kind::Counter) => to.encode_counter::<NoLabelSet, f64, f64>(value, None),
            (Self::Whole(value), Kind::Gauge) => to.encode_gauge(value),
            (Self::Signed(value), Kind::Gauge) => to.encode_gauge(value),
            (Self::Real(value), Kind::Gauge) => to.encode_gauge(value),
            (Self::Histogram(recorded), Kind::Histogram) => {
                to.encode_histogram::<NoLabelSet>(recorded.sum, recorded.count(), &recorded.buckets, None)
            }
            _ => unreachable!("a family has samples of its kind"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::EventId;
    use crate::telemetry::histogram::{COUNT, LONG};

    fn page() -> Page {
        let mut page = Page::default();
        page.counter("a_total", "Things.").with(&[("kind", "x\"y\\\n")], 3_u64).with(&[("kind", "z")], 4_usize);
        page.gauge("b", "Whether.").one(true);
        page.gauge("c_seconds", "A difference.").one(-5_i64);
        page.gauge("d", "Without a sample.");
        let of = Histogram::new(&LONG);
        of.record(4);
        let event = EventId(0x0193_5b6e_7c1a_7abc_8def_0123_0000_0000);
        of.record_example(Example { event, trace_id: 0xab, value: 100, at: 1_700_000_000_250 });
        of.record_example(Example { event, trace_id: 0xab, value: 200_000_000, at: 1_700_000_000_250 });
        page.histogram("e_seconds", "Times.", &of);
        page
    }

    #[test]
    fn the_classic_format_is_what_it_always_was() {
        let text = page().written(Format::Classic);
        for line in [
            "# HELP a_total Things.",
            "# TYPE a_total counter",
            "a_total{kind=\"x\\\"y\\\\\\n\"} 3",
            "a_total{kind=\"z\"} 4",
            "# TYPE b gauge",
            "b 1",
            "c_seconds -5",
            "# TYPE e_seconds histogram",
            "e_seconds_count 3",
            "e_seconds_bucket{le=\"+Inf\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(!text.contains("EOF") && !text.contains("trace_id"), "{text}");
    }

    #[test]
    fn open_metrics_ends_where_it_ends_and_has_examples() {
        let text = page().written(Format::OpenMetrics);
        let example =
            "{trace_id=\"000000000000000000000000000000ab\",event_id=\"01935b6e-7c1a-7abc-8def-012300000000\"}";
        for line in [
            "# TYPE a counter".to_string(),
            "a_total{kind=\"z\"} 4".into(),
            "e_seconds_bucket{le=\"0.05\"} 1".into(),
            format!("e_seconds_bucket{{le=\"0.1\"}} 2 # {example} 0.1 1700000000.250"),
            format!("e_seconds_bucket{{le=\"+Inf\"}} 3 # {example} 200000.0 1700000000.250"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n"), "{text}");
    }

    #[test]
    fn every_bound_is_spelt_as_the_crate_spells_it() {
        use crate::telemetry::histogram::{REMOTE, SHORT};
        for scale in [&SHORT, &REMOTE, &LONG, &COUNT] {
            let of = Histogram::new(scale);
            let event = EventId(1 << 80);
            let bounds = scale.bounds.iter().copied().chain([u64::MAX / 4]);
            bounds.for_each(|value| of.record_example(Example { event, trace_id: 1, value, at: 0 }));
            let mut page = Page::default();
            page.histogram("f", "All.", &of);
            let text = page.written(Format::OpenMetrics);
            assert_eq!(text.matches(" # {trace_id").count(), scale.bounds.len() + 1, "{text}");
        }
    }

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let open =
            [prometheus, "application/openmetrics-text", "text/plain, application/openmetrics-text; version=1.0.0"];
        let classic = ["", "*/*", "text/plain", "text/html", "application/openmetrics-text;q=0.1,text/plain;q=0.9"];
        assert!(open.iter().all(|accept| Format::accepted(accept) == Format::OpenMetrics));
        assert!(classic.iter().all(|accept| Format::accepted(accept) == Format::Classic));
        assert_eq!(Format::accepted("application/openmetrics-text;q=0"), Format::Classic);
    }
}
