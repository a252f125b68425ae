//! What the bench prints: a table for people, one line of JSON for programs, from the same figures.

use serde::Serialize;
use serde_json::Value;

use super::args::BenchArgs;
use super::latency::Latency;
use super::process::Used;
use super::produce::Posted;
use super::receive::Received;
use super::webhooks::Webhooks;
use crate::cli::error::CliError;
use crate::cli::terminal;

/// The figures.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Bytes of one request's body.
    pub bytes: u32,
    /// Connections that posted.
    pub producers: u32,
    /// Whether it was a relay that posted on to one endpoint, instead of a server.
    pub relay: bool,
    /// Webhooks.
    pub webhooks: u32,
    /// Of those, how many had an endpoint that hung.
    pub hanging: u32,
    /// Of those, how many had an endpoint that answered 500.
    pub failing: u32,
    /// Whether each event went to one webhook, by turns, instead of to all.
    pub spread: bool,
    /// Their dialect.
    pub dialect: String,
    /// Events a second that were asked for.
    pub rate: Option<u32>,
    /// Events that were accepted.
    pub events: u64,
    /// Posts that were not accepted.
    pub refused: u64,
    /// Of those, by status.
    pub refused_by_status: Vec<(u16, u64)>,
    /// Deliveries that arrived where all was well, as in all that follows.
    pub deliveries: u64,
    /// Deliveries that did not arrive in time.
    pub missing: u64,
    /// Deliveries that arrived again.
    pub repeated: u64,
    /// Attempts that endpoints left without an answer.
    pub hung: u64,
    /// Attempts that endpoints answered with 500.
    pub failed: u64,
    /// Accepted events a second.
    pub accepted_per_second: f64,
    /// Deliveries a second, up to the last one that arrived.
    pub delivered_per_second: f64,
    /// From post to answer.
    pub accept_ms: Latency,
    /// From post to arrival at the endpoint.
    pub end_to_end_ms: Latency,
    /// CPU time of the server, by accepted event.
    pub cpu_us_per_event: Option<f64>,
    /// CPU time of the server, by delivery that arrived where all was well.
    pub cpu_us_per_delivery: Option<f64>,
    /// Memory of the server before anything was posted.
    pub memory_mib_idle: Option<f64>,
    /// Memory of the server at the end.
    pub memory_mib: Option<f64>,
    /// The most memory of the server.
    pub memory_mib_max: Option<f64>,
    /// What the data grew by on the disk, by accepted event.
    pub disk_bytes_per_event: Option<f64>,
    /// From the server's start to its first "ready".
    pub ready_ms: Option<f64>,
}

impl Report {
    /// The figures of one measured stretch.
    pub fn new(
        args: &BenchArgs,
        webhooks: Webhooks,
        posted: Posted,
        received: Received,
        idle_bytes: Option<u64>,
        used: Option<Used>,
    ) -> Self {
        let delivering = received.last_us.saturating_sub(posted.begun_us) as f64 / 1e6;
        let cpu_by = |count: u64| used.map(|used| used.cpu.as_secs_f64() * 1e6 / count.max(1) as f64);
        Self {
            bytes: args.bytes,
            producers: args.producers,
            relay: args.relay,
            webhooks: webhooks.count,
            hanging: webhooks.hanging,
            failing: webhooks.failing,
            spread: webhooks.spread,
            dialect: args.dialect.clone(),
            rate: args.rate,
            events: posted.accepted,
            refused: posted.refused.values().sum(),
            refused_by_status: posted.refused.into_iter().collect(),
            deliveries: received.deliveries,
            missing: posted.wanted.saturating_sub(received.deliveries),
            repeated: received.repeated,
            hung: received.hung,
            failed: received.failed,
            accepted_per_second: posted.accepted as f64 / posted.time.as_secs_f64(),
            delivered_per_second: if delivering > 0.0 { received.deliveries as f64 / delivering } else { 0.0 },
            accept_ms: Latency::of(&posted.latency_us),
            end_to_end_ms: Latency::of(&received.latency_us),
            cpu_us_per_event: cpu_by(posted.accepted),
            cpu_us_per_delivery: cpu_by(received.deliveries),
            memory_mib_idle: idle_bytes.map(mib),
            memory_mib: used.map(|used| mib(used.memory_bytes)),
            memory_mib_max: used.map(|used| mib(used.memory_bytes_max)),
            disk_bytes_per_event: None,
            ready_ms: None,
        }
    }

    /// Prints the figures.
    ///
    /// # Errors
    /// Deliveries are missing, or nothing could be printed.
    pub fn print(&self, json: bool) -> Result<(), CliError> {
        print(&self.text(json)?)?;
        match self.missing {
            0 => Ok(()),
            missing => Err(CliError::Failed(format!("{missing} deliveries did not arrive"))),
        }
    }

    /// The figures as they are printed.
    pub fn text(&self, json: bool) -> Result<String, CliError> {
        text(self, self.rows(), json)
    }

    fn rows(&self) -> Vec<Row> {
        let rate = self.rate.map_or("as fast as accepted".into(), |rate| format!("{rate} events/s"));
        let mut rows = vec![
            ("load", format!("{} events of {} bytes, {} producers, {rate}", self.events, self.bytes, self.producers)),
            ("webhooks", self.webhooks()),
            ("accepted", format!("{:.0} events/s", self.accepted_per_second)),
            ("delivered", format!("{:.0} deliveries/s", self.delivered_per_second)),
            ("accept latency", latency(&self.accept_ms)),
            ("end to end", latency(&self.end_to_end_ms)),
        ];
        let mut add = |name, value: Option<String>| rows.extend(value.map(|value| (name, value)));
        add(
            "server CPU",
            self.cpu().map(|(event, delivery)| format!("{event:.0} µs an event, {delivery:.0} a delivery")),
        );
        let memory = self.memory_mib_idle.zip(self.memory_mib).zip(self.memory_mib_max);
        add(
            "server memory",
            memory.map(|((idle, end), max)| format!("{idle:.1} MiB idle, {end:.1} at the end, {max:.1} at most")),
        );
        add("on disk", self.disk_bytes_per_event.map(|bytes| format!("{bytes:.0} bytes an event")));
        add("start to ready", self.ready_ms.map(|ms| format!("{ms:.0} ms")));
        add("refused", (self.refused > 0).then(|| format!("{} posts {:?}", self.refused, self.refused_by_status)));
        add("repeated", (self.repeated > 0).then(|| format!("{} deliveries", self.repeated)));
        add("missing", (self.missing > 0).then(|| format!("{} deliveries", self.missing)));
        let sick = format!("{} attempts left without an answer, {} answered 500", self.hung, self.failed);
        add("where sick", (self.hung + self.failed > 0).then_some(sick));
        rows
    }

    fn webhooks(&self) -> String {
        if self.relay {
            return "none: a relay that posts on to one endpoint".into();
        }
        let mut text = format!("{}, dialect {}", self.webhooks, self.dialect);
        if self.spread {
            text += ", one an event";
        }
        if self.hanging + self.failing > 0 {
            text += &format!("; {} hang, {} answer 500", self.hanging, self.failing);
        }
        text
    }

    fn cpu(&self) -> Option<(f64, f64)> {
        self.cpu_us_per_event.zip(self.cpu_us_per_delivery)
    }
}

/// A name and what it is, for people.
pub type Row = (&'static str, String);

/// `rows` as a table, or `figures` as a line of JSON.
pub fn text(figures: &impl Serialize, rows: Vec<Row>, json: bool) -> Result<String, CliError> {
    if !json {
        return Ok(rows.iter().map(|(name, value)| format!("{name:<16}{value}")).collect::<Vec<_>>().join("\n"));
    }
    let mut value = serde_json::to_value(figures).map_err(|error| CliError::Failed(error.to_string()))?;
    round(&mut value);
    Ok(value.to_string())
}

/// Prints what was measured.
pub fn print(text: &str) -> Result<(), CliError> {
    terminal::print(&format!("{text}\n"))
}

/// Bytes in MiB.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn latency(ms: &Latency) -> String {
    let [p50, p90, p99, p999, max] = ms.quantiles();
    format!("p50 {p50:.1} ms, p90 {p90:.1}, p99 {p99:.1}, p99.9 {p999:.1}, max {max:.1}")
}

/// Leaves three digits after the point.
fn round(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            *value = ((number.as_f64().unwrap_or_default() * 1e3).round() / 1e3).into();
        }
        Value::Array(items) => items.iter_mut().for_each(round),
        Value::Object(fields) => fields.values_mut().for_each(round),
        _ => {}
    }
}
