//! What operators watch, as they see it from outside: metrics that move with what happens, boards and alerts that name only
//! what there is, traces that a collector can put together, and lines of the log that can be searched.

mod families;
mod logs;
mod shipped;
#[path = "../support/mod.rs"]
mod support;
mod traces;

use std::collections::BTreeMap;

use hookwheel::clock::Stopwatch;
use support::{Client, DEADLINE};

/// All samples of a page by their names and labels, and the kind of each family.
pub struct Metrics {
    pub text: String,
    pub kinds: BTreeMap<String, String>,
}

impl Metrics {
    /// As they are now.
    pub fn of(client: &mut Client) -> Self {
        let reply = client.get("/metrics");
        assert_eq!(reply.status, 200);
        let text = String::from_utf8(reply.message.body).expect("it is text");
        let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let kinds = kinds.map(|(name, kind)| (name.to_string(), kind.to_string())).collect();
        Self { text, kinds }
    }

    /// What this sample says, such as `hookwheel_places{pool="slow"}`.
    pub fn get(&self, sample: &str) -> Option<f64> {
        let said = self.text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        said.map(|value| value.parse().expect("a number"))
    }

    #[track_caller]
    pub fn of_sample(&self, sample: &str) -> f64 {
        self.get(sample).unwrap_or_else(|| panic!("no {sample} in\n{}", self.text))
    }
}

/// Asks for the metrics until they are as wanted.
#[track_caller]
pub fn until(client: &mut Client, what: &str, wanted: impl Fn(&Metrics) -> bool) -> Metrics {
    let watch = Stopwatch::start();
    loop {
        let metrics = Metrics::of(client);
        if wanted(&metrics) {
            return metrics;
        }
        assert!(watch.elapsed() < DEADLINE, "{what} does not come:\n{}", metrics.text);
        std::thread::yield_now();
    }
}
