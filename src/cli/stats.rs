//! `hookwheel stats`: what events and deliveries came to over time, in small charts.

use clap::Args;
use serde_json::Value;

use super::error::CliError;
use super::server::ServerArgs;
use super::terminal::chart::{bar, spark};
use super::terminal::print;

/// Signs of a line over time.
const SPARK_WIDTH: usize = 60;
/// Signs of a bar.
const BAR_WIDTH: usize = 30;

/// The arguments of `hookwheel stats`.
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// Of this webhook [default: of the account]
    #[arg(long, value_name = "ID")]
    webhook: Option<String>,
    /// From this time on (RFC 3339) [default: as many steps ago as the server likes]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this time (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// How long a point is: minute, hour or day
    #[arg(long)]
    step: Option<String>,
    /// Act for this account; for an admin key
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Print JSON, as the API has it
    #[arg(long)]
    json: bool,
}

/// Shows them.
pub async fn run(args: StatsArgs, server: &ServerArgs) -> Result<(), CliError> {
    let client = server.prompt_client(args.account.as_deref())?;
    let said = [("from", &args.from), ("to", &args.to), ("step", &args.step)];
    let query: Vec<_> = said.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let stats = match &args.webhook {
        Some(id) => client.webhooks_stats().get(id, &query).await?,
        None => client.stats().get(&query).await?,
    };
    if args.json { print(&format!("{stats}\n")) } else { print(&charts(&stats)) }
}

/// The charts: a line over time for each count, and a bar for each kind of failure.
pub fn charts(stats: &Value) -> String {
    let word = |name: &str| stats[name].as_str().unwrap_or_default();
    let mut text = format!("{} to {}, by the {}\n\n", word("from"), word("to"), word("step"));
    for name in ["accepted", "deliveries", "attempts", "succeeded", "failed", "retried"] {
        text += &format!("{name:11}  {:>9}  {}\n", stats["total"][name].as_u64().unwrap_or(0), over_time(stats, name));
    }
    let failed = stats["total"]["failed"].as_u64().unwrap_or(0);
    let kinds = stats["total"]["failed_by_kind"].as_object();
    if let Some(kinds) = kinds.filter(|kinds| !kinds.is_empty()) {
        text += "\nwhy attempts failed\n";
        for (kind, count) in kinds {
            let count = count.as_u64().unwrap_or(0);
            text += &format!("{kind:15}  {count:>9}  {}\n", bar(count, failed, BAR_WIDTH));
        }
    }
    if let Some(times) = stats["total"]["response_time_ms"].as_object() {
        let told: Vec<_> = times.iter().map(|(name, ms)| format!("{name} {ms} ms")).collect();
        text += &format!("\nanswers took  {}\n", told.join(", "));
    }
    text
}

/// A count of each point as a line.
pub fn over_time(stats: &Value, name: &str) -> String {
    spark(&counts(stats, name), SPARK_WIDTH)
}

/// A count of each point, the oldest first.
pub fn counts(stats: &Value, name: &str) -> Vec<u64> {
    let points = stats["points"].as_array().into_iter().flatten();
    points.map(|point| point[name].as_u64().unwrap_or(0)).collect()
}
