//! A large backlog: deliveries that failed once and wait for a retry a day away, and what they cost: memory, a restart, and
//! whether a retry that is due after the restart is on time. What stays true: every delivery of the backlog has had a
//! real attempt, and after the restart the server still counts each of them as open.

use std::time::Duration;

use awc::http::Method;
use futures_util::future::try_join_all;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::BenchArgs;
use super::own::{OwnServer, Restarted};
use super::process::{Used, Watched};
use super::produce::{Bounds, Load};
use super::receive::Receiver;
use super::report::{self, Row, mib};
use super::webhooks::{self, Manner, Webhooks};
use crate::cli::error::CliError;
use crate::client::{Call, Client};
use crate::clock::{Clock, Stopwatch};
use crate::domain::time::{self, UnixMs};

/// Webhooks that share the backlog, where nobody says.
const WEBHOOKS: u32 = 1000;
/// An event makes up to a thousand deliveries, so a few at once keep the server busy.
const PRODUCERS: u32 = 4;
/// The delays of the backlog's retries, a day each: none comes due while it is measured.
const DELAY_SECONDS: [u32; 3] = [24 * 60 * 60; 3];
/// The witnesses: webhooks that fail once, each with another delay, so that the retry of one is the first that comes due
/// after the restart, however long that takes.
const WITNESS_DELAY_SECONDS: [u32; 8] = [2, 4, 8, 16, 32, 64, 128, 256];
/// What the witnesses want.
const WITNESS_TYPE: &str = "bench.witness";
/// Between looks whether a first attempt is recorded: all witnesses together stay below what a key may ask.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// The figures.
#[derive(Debug, Serialize)]
pub struct BacklogReport {
    /// Webhooks that share the backlog.
    webhooks: u32,
    /// Events that made it.
    events: u64,
    /// Deliveries that wait for their retry.
    backlog: u64,
    /// From the first post to the last first attempt, in seconds.
    made_seconds: f64,
    /// First attempts a second while it was made.
    attempts_per_second: f64,
    /// CPU time of the server by delivery, from accept to recorded failure.
    cpu_us_per_delivery: f64,
    /// Memory of the server with an empty store.
    memory_mib_empty: f64,
    /// Memory once the backlog was there.
    memory_mib_backlog: f64,
    /// The most memory until then.
    memory_mib_max: f64,
    /// Memory of the restarted server, once it had made the first attempt that came due.
    memory_mib_restarted: f64,
    /// What the data grew by on the disk, by delivery.
    disk_bytes_per_delivery: f64,
    /// From the server's start to its first "ready", with an empty store.
    ready_ms: f64,
    /// From the word to stop to the end of the process.
    stop_ms: f64,
    /// From the start with the backlog to its first "ready".
    restart_ready_ms: f64,
    /// How long after the restart was ready the first attempt came due.
    due_after_ready_ms: u64,
    /// How late that attempt arrived at its endpoint; less than nothing would be early.
    due_late_ms: f64,
    /// Deliveries of the backlog that the restarted server counts as open.
    open: u64,
    /// Attempts that were made again although they were recorded.
    repeated: u64,
}

/// Makes a backlog of at least `deliveries` on a server of the bench's own, and restarts it.
pub async fn measure(
    args: &BenchArgs,
    deliveries: u64,
    mut own: OwnServer,
    clock: Stopwatch,
    receiver: &Receiver,
) -> Result<BacklogReport, CliError> {
    let (api, patience) = (own.server.client()?, Duration::from_secs(args.patience_seconds));
    let webhooks = Webhooks::all_failing(args.webhooks.unwrap_or(WEBHOOKS));
    let events = deliveries.div_ceil(webhooks.count.into());
    let mut process = Watched::new(own.pid());
    let empty_bytes = process.memory_bytes()?;

    let retry = json!({"delays": DELAY_SECONDS, "jitter_percent": 10});
    let ids = webhooks.create(args, &api, receiver.port(), Some(&retry)).await?;
    process.begin()?;
    let mut load = Load::new(&own.server, clock, webhooks, PRODUCERS, args.bytes)?;
    let posted = load.post(Bounds::events(events), None).await?;
    drop(load);
    let backlog = posted.accepted * u64::from(webhooks.count);
    receiver.wait_until(patience, |received| received.failed >= backlog).await;
    let made = clock.elapsed() - Duration::from_micros(posted.begun_us);
    let attempts = receiver.look(|received| received.failed);
    if attempts != backlog {
        return Err(CliError::Failed(format!("{attempts} of {backlog} deliveries had an attempt")));
    }
    let witnesses = Witness::all(args, &api, receiver, patience).await?;
    let used = process.end()?;
    let disk_bytes = own.data_bytes_written()?;

    let restarted = own.restart().await?;
    let wall = Clock::real();
    let ready_at = wall.now();
    let process = Watched::new(own.pid());
    let first = witnesses.iter().filter(|witness| witness.due > ready_at).min_by_key(|witness| witness.due);
    let first = first.ok_or_else(|| CliError::Failed("every witness came due before the restart was over".into()))?;
    let due_after_ready_ms = first.due - ready_at;
    let due_late_ms = first.late_ms(receiver, &wall, clock, patience).await?;
    let memory_restarted = process.memory_bytes()?;
    let open = webhooks::open_deliveries(&api, &ids).await?;
    let repeated = receiver.look(|received| received.failed) - backlog;

    let Restarted { stop, ready: restart_ready } = restarted;
    let Used { cpu, memory_bytes, memory_bytes_max } = used;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let report = BacklogReport {
        webhooks: webhooks.count,
        events: posted.accepted,
        backlog,
        made_seconds: made.as_secs_f64(),
        attempts_per_second: backlog as f64 / made.as_secs_f64(),
        cpu_us_per_delivery: cpu.as_secs_f64() * 1e6 / backlog.max(1) as f64,
        memory_mib_empty: mib(empty_bytes),
        memory_mib_backlog: mib(memory_bytes),
        memory_mib_max: mib(memory_bytes_max),
        memory_mib_restarted: mib(memory_restarted),
        disk_bytes_per_delivery: disk_bytes as f64 / backlog.max(1) as f64,
        ready_ms: ms(own.ready),
        stop_ms: ms(stop),
        restart_ready_ms: ms(restart_ready),
        due_after_ready_ms,
        due_late_ms,
        open,
        repeated,
    };
    own.stop()?;
    Ok(report)
}

/// A delivery that failed once, and when its retry is due.
struct Witness {
    number: u32,
    due: UnixMs,
}

impl Witness {
    /// Makes one with each delay, and waits until their first attempts are recorded.
    async fn all(
        args: &BenchArgs,
        api: &Client,
        receiver: &Receiver,
        patience: Duration,
    ) -> Result<Vec<Self>, CliError> {
        let ids = try_join_all(WITNESS_DELAY_SECONDS.iter().zip(0..).map(|(delay, number)| {
            let webhook = json!({
                "url": Manner::FailsOnce.url(receiver.port(), number),
                "events": [WITNESS_TYPE],
                "dialect": args.dialect,
                "retry": {"delays": [delay], "jitter_percent": 0},
            });
            webhooks::create(api, webhook)
        }));
        let ids = ids.await?;
        let event = json!({"type": WITNESS_TYPE, "data": {}}).to_string();
        let body = Some(("application/json", event.into()));
        let _: Value =
            api.call(&Call { method: Method::POST, path: "/api/v1/events", headers: Vec::new(), body }).await?;
        receiver.wait_until(patience, |received| received.fails_once_us.len() == ids.len()).await;
        let dues = try_join_all(ids.iter().map(|id| due(api, id, patience))).await?;
        Ok(dues.into_iter().zip(0..).map(|(due, number)| Self { number, due }).collect())
    }

    /// Waits for its retry, and says how late it arrived.
    async fn late_ms(
        &self,
        receiver: &Receiver,
        wall: &Clock,
        clock: Stopwatch,
        patience: Duration,
    ) -> Result<f64, CliError> {
        let patience = patience + Duration::from_millis(self.due.saturating_sub(wall.now()));
        let retried = |times: Option<&Vec<u64>>| times.and_then(|times| times.get(1).copied());
        receiver.wait_until(patience, |received| retried(received.fails_once_us.get(&self.number)).is_some()).await;
        let arrived_us = receiver.look(|received| retried(received.fails_once_us.get(&self.number)));
        let arrived_us = arrived_us.ok_or_else(|| CliError::Failed("the retry that was due did not arrive".into()))?;
        let ago_ms = (clock.elapsed().as_micros() as u64).saturating_sub(arrived_us) as f64 / 1e3;
        Ok(wall.now() as f64 - ago_ms - self.due as f64)
    }
}

/// When the retry of a webhook's only delivery is due, once its first attempt is recorded.
async fn due(api: &Client, webhook: &str, patience: Duration) -> Result<UnixMs, CliError> {
    let path = format!("/api/v1/webhooks/{webhook}/deliveries?state=scheduled");
    let begun = Stopwatch::start();
    while begun.elapsed() < patience {
        let call = Call { method: Method::GET, path: &path, headers: Vec::new(), body: None };
        let reply = api.call(&call).await?;
        if let Some(due) = reply["data"][0]["next_attempt_at"].as_str().and_then(time::parse) {
            return Ok(due);
        }
        actix_rt::time::sleep(LOOK_PAUSE).await;
    }
    Err(CliError::Failed("a first attempt was not recorded".into()))
}

impl BacklogReport {
    /// Prints the figures.
    ///
    /// # Errors
    /// Deliveries are missing after the restart, or nothing could be printed.
    pub fn print(&self, json: bool) -> Result<(), CliError> {
        report::print(&report::text(self, self.rows(), json)?)?;
        match self.backlog.checked_sub(self.open) {
            Some(0) => Ok(()),
            _ => Err(CliError::Failed(format!("{} of {} deliveries are open", self.open, self.backlog))),
        }
    }

    fn rows(&self) -> Vec<Row> {
        let made = format!("{} deliveries of {} events to {} webhooks", self.backlog, self.events, self.webhooks);
        let (empty, full) = (self.memory_mib_empty, self.memory_mib_backlog);
        let memory = format!("{empty:.1} MiB empty, {full:.1} with it ({:.1} more)", full - empty);
        let ready = format!("{:.0} ms with it, {:.0} with an empty store", self.restart_ready_ms, self.ready_ms);
        let due = format!("{} ms after ready, {:.1} ms late", self.due_after_ready_ms, self.due_late_ms);
        vec![
            ("backlog", made),
            ("made in", format!("{:.1} s, {:.0} attempts/s", self.made_seconds, self.attempts_per_second)),
            ("server CPU", format!("{:.0} µs a delivery", self.cpu_us_per_delivery)),
            ("server memory", format!("{memory}, {:.1} at most", self.memory_mib_max)),
            ("on disk", format!("{:.0} bytes a delivery", self.disk_bytes_per_delivery)),
            ("stop", format!("{:.0} ms", self.stop_ms)),
            ("start to ready", ready),
            ("memory then", format!("{:.1} MiB", self.memory_mib_restarted)),
            ("first due", due),
            ("open then", format!("{} deliveries, {} attempts repeated", self.open, self.repeated)),
        ]
    }
}
