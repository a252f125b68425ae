//! What comes of the rows: one table for people, one line of JSON for programs.

use std::time::Duration;

use serde::Serialize;

use crate::cli::bench::latency::Latency;
use crate::cli::bench::produce::Posted;
use crate::cli::bench::receive::Received;
use crate::cli::bench::report::{self, mib};
use crate::cli::error::CliError;

/// The rows so far.
#[derive(Debug, Serialize)]
pub struct Table {
    /// How long each was measured.
    seconds: u64,
    rows: Vec<Measured>,
}

#[derive(Debug, Serialize)]
struct Measured {
    name: &'static str,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
    #[serde(flatten)]
    figures: Option<Figures>,
}

/// The figures of one row.
#[derive(Debug, Serialize)]
pub struct Figures {
    /// From post to answer, of the healthy account.
    publish_ms: Latency,
    /// From post to arrival, of what arrived.
    delivery_ms: Latency,
    /// Events of the healthy account that were accepted.
    sent: u64,
    /// Of those, how many had not arrived in the end.
    undelivered: u64,
    /// Posts of the healthy account that were not accepted.
    refused: u64,
    /// The most memory of the server.
    memory_mib_max: f64,
    /// The most descriptors of the server.
    descriptors_max: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    looked: Option<Looked>,
}

/// What was looked at besides.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Looked {
    /// How long a check of the healthy webhook took, in milliseconds.
    Check { alone: Latency, beside: Latency },
    /// Per cent of its places that a slow endpoint held: in all, and since it first held nearly all.
    Share { whole_percent: f64, grown_percent: Option<f64>, grown_after_seconds: Option<f64> },
    /// Of so many webhooks, how many had more open than they should, and the most that one had open.
    Behind { webhooks: usize, behind: usize, open_max: u64 },
}

impl Figures {
    /// Of what was posted and what arrived.
    pub fn new(
        posted: Posted,
        received: Received,
        memory_bytes_max: u64,
        descriptors_max: u64,
        looked: Option<Looked>,
    ) -> Self {
        Self {
            publish_ms: Latency::of(&posted.latency_us),
            delivery_ms: Latency::of(&received.latency_us),
            sent: posted.accepted,
            undelivered: posted.wanted.saturating_sub(received.deliveries),
            refused: posted.refused.values().sum(),
            memory_mib_max: mib(memory_bytes_max),
            descriptors_max,
            looked,
        }
    }

    fn text(&self) -> String {
        let (publish, delivery) = (&self.publish_ms, &self.delivery_ms);
        let undelivered = format!("{} of {}", self.undelivered, self.sent);
        let mut text = format!(
            "{:>8.1} {:>8.1} {:>8.1} {:>8.1}  {undelivered:>14} {:>8.0} {:>7}",
            publish.p50, publish.p99, delivery.p50, delivery.p99, self.memory_mib_max, self.descriptors_max
        );
        if self.refused > 0 {
            text += &format!("  {} posts refused", self.refused);
        }
        if let Some(looked) = &self.looked {
            text += &format!("  {}", looked.text());
        }
        text
    }
}

impl Looked {
    /// The share of `places` that was held, as looks at this distance show it.
    pub fn share(held: &[u32], places: u32, distance: Duration) -> Self {
        let percent = |held: &[u32]| {
            let sum: u64 = held.iter().map(|held| u64::from(*held)).sum();
            100.0 * sum as f64 / (held.len().max(1) as f64 * f64::from(places))
        };
        let grown = held.iter().position(|held| held * 10 >= places * 9);
        Self::Share {
            whole_percent: percent(held),
            grown_percent: grown.map(|at| percent(&held[at..])),
            grown_after_seconds: grown.map(|at| at as f64 * distance.as_secs_f64()),
        }
    }

    /// Of webhooks with so many open deliveries, those with more than `most`.
    pub fn behind(open: &[u64], most: u64) -> Self {
        let behind = open.iter().filter(|open| **open > most).count();
        Self::Behind { webhooks: open.len(), behind, open_max: open.iter().copied().max().unwrap_or(0) }
    }

    fn text(&self) -> String {
        match self {
            Self::Check { alone, beside } => format!(
                "own check p50 {:.1} ms, p99 {:.1}; alone {:.1}, {:.1}",
                beside.p50, beside.p99, alone.p50, alone.p99
            ),
            Self::Share { whole_percent, grown_percent, grown_after_seconds } => {
                match (grown_percent, grown_after_seconds) {
                    (Some(grown), Some(after)) => {
                        format!("{whole_percent:.0} % of its places in use, {grown:.1} % from {after:.0} s on")
                    }
                    _ => format!("{whole_percent:.0} % of its places in use, never nearly all"),
                }
            }
            Self::Behind { webhooks, behind, open_max } => {
                format!("{behind} of {webhooks} fall behind, at most {open_max} open")
            }
        }
    }
}

impl Table {
    /// An empty one.
    pub fn new(seconds: u64) -> Self {
        Self { seconds, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn add(&mut self, name: &'static str, measured: Result<Figures, CliError>) {
        let (failed, figures) = match measured {
            Ok(figures) => (None, Some(figures)),
            Err(error) => (Some(error.to_string()), None),
        };
        self.rows.push(Measured { name, failed, figures });
    }

    /// The last row as it is printed.
    pub fn last(&self) -> String {
        self.rows.last().map(Measured::text).unwrap_or_default()
    }

    /// Prints all rows.
    ///
    /// # Errors
    /// A row failed, or nothing could be printed.
    pub fn print(&self, json: bool) -> Result<(), CliError> {
        let head = [
            format!("{:>17} {:>17}", "publish ms", "delivery ms"),
            format!(
                "{:>8} {:>8} {:>8} {:>8}  {:>14} {:>8} {:>7}",
                "p50", "p99", "p50", "p99", "undelivered", "RSS MiB", "files"
            ),
        ];
        let rows = head.into_iter().map(|text| ("", text));
        let rows = rows.chain(self.rows.iter().map(|row| (row.name, row.text())));
        report::print(&report::text(self, rows.collect(), json)?)?;
        match self.rows.iter().filter(|row| row.failed.is_some()).count() {
            0 => Ok(()),
            failed => Err(CliError::Failed(format!("{failed} of {} rows have no figures", self.rows.len()))),
        }
    }
}

impl Measured {
    fn text(&self) -> String {
        match (&self.figures, &self.failed) {
            (Some(figures), _) => figures.text(),
            (None, failed) => format!("failed: {}", failed.as_deref().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_told_whole_and_from_when_it_had_grown() {
        let held = [&[0; 10][..], &[32; 10], &[58; 10], &[64; 10]].concat();
        let Looked::Share { whole_percent, grown_percent, grown_after_seconds } =
            Looked::share(&held, 64, Duration::from_millis(100))
        else {
            panic!("a share")
        };
        assert!((whole_percent - 100.0 * 154.0 / 256.0).abs() < 1e-9, "{whole_percent}");
        assert!((grown_percent.expect("it grows") - 100.0 * 122.0 / 128.0).abs() < 1e-9, "{grown_percent:?}");
        assert_eq!(grown_after_seconds, Some(2.0));
        assert!(matches!(Looked::share(&[57; 5], 64, Duration::ZERO), Looked::Share { grown_percent: None, .. }));
    }

    #[test]
    fn a_row_that_failed_says_so_in_its_place() {
        let mut table = Table::new(1);
        table.add("none", Err(CliError::Failed("no port".into())));
        assert_eq!(table.last(), "failed: no port");
        assert_eq!(
            serde_json::to_value(&table).expect("is JSON"),
            serde_json::json!({"seconds": 1, "rows": [{"name": "none", "failed": "no port"}]})
        );
        assert!(table.print(true).is_err());
    }
}
