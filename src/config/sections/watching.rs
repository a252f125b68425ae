//! The knobs of what is said and measured: the log, the metrics and the traces.

use serde::{Deserialize, Serialize};

use crate::config::knobs::sent_headers;
use crate::domain::secret::Secret;

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,hookwheel::store=debug`.
    pub level: String,
    /// Whether there is a line for each event, each attempt and each call, and not only for what fails.
    pub access: Access,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".into(), access: Access::Auto }
    }
}

/// Whether there is a line for each event, each attempt and each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Where lines are JSON, and `log.level` shows as much as `info`.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON else.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[metrics]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricsConfig {
    /// Accounts that have counters of their own on `/metrics`; those that come later share theirs. 0: none has.
    pub accounts_max: usize,
}

/// `[traces]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TracesConfig {
    /// Where spans are handed over, as OTLP over HTTP; without a path at `/v1/traces`. Without it none are made. It is the
    /// operator's own, so no guard stands before it, and no proxy.
    pub endpoint: Option<String>,
    /// The share of traces whose spans are handed over, 0 to 1, where the producer does not say.
    pub sample_ratio: f64,
    /// What is sent along, such as `Authorization=Bearer …`, several with commas; for the environment.
    pub headers: Option<Secret>,
    /// Under which name.
    pub service_name: String,
    /// Whether deliveries carry `traceparent`.
    pub propagate: bool,
    /// Where people look at a trace, with `{trace_id}` in it.
    pub url_template: Option<String>,
}

impl TracesConfig {
    /// What is sent along, read.
    pub fn sent_headers(&self) -> Vec<(String, String)> {
        let read = |text: &Secret| sent_headers(text.reveal()).expect("it was checked when it was read");
        self.headers.as_ref().map(read).unwrap_or_default()
    }
}

// The ratio was read as a number from 0 to 1.
impl Eq for TracesConfig {}

impl Default for TracesConfig {
    fn default() -> Self {
        let (endpoint, headers, url_template) = Default::default();
        let service_name = "hookwheel".into();
        Self { endpoint, sample_ratio: 1.0, headers, service_name, propagate: false, url_template }
    }
}
