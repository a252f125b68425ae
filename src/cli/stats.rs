//! `hookwheel stats`: what events and deliveries came to over time, in small charts.

use clap::Args;
use serde_json::Value;

use super::error::CliError;
use super::server::ServerArgs;
use super::terminal::chart::{bar, spark};
use super::terminal::{Screen, print};

/// Signs of a line over time, where there is room.
const SPARK_WIDTH: usize = 60;
/// Signs of a bar, where there is room.
const BAR_WIDTH: usize = 30;
/// Signs of a name, a number and the gaps before a chart.
const BEFORE_WIDTH: usize = 29;

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
    if args.json { print(&format!("{stats}\n")) } else { print(&charts(&stats, Screen::of_process().width)) }
}

/// The charts: a line over time for each count, and a bar for each kind of failure. `width`: a terminal's.
fn charts(stats: &Value, width: Option<usize>) -> String {
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(BEFORE_WIDTH));
    let word = |name: &str| stats[name].as_str().unwrap_or_default();
    let mut text = format!("{} to {}, by the {}\n\n", word("from"), word("to"), word("step"));
    for name in ["accepted", "deliveries", "attempts", "succeeded", "failed", "retried"] {
        text += &format!(
            "{name:11}  {:>9}  {}\n",
            stats["total"][name].as_u64().unwrap_or(0),
            over_time(stats, name, room)
        );
    }
    let failed = stats["total"]["failed"].as_u64().unwrap_or(0);
    let kinds = stats["total"]["failed_by_kind"].as_object();
    if let Some(kinds) = kinds.filter(|kinds| !kinds.is_empty()) {
        text += "\nwhy attempts failed\n";
        for (kind, count) in kinds {
            let count = count.as_u64().unwrap_or(0);
            text += &format!("{kind:15}  {count:>9}  {}\n", bar(count, failed, BAR_WIDTH.min(room)));
        }
    }
    if let Some(times) = stats["total"]["response_time_ms"].as_object() {
        let told: Vec<_> = times.iter().map(|(name, ms)| format!("{name} {ms} ms")).collect();
        text += &format!("\nanswers took  {}\n", told.join(", "));
    }
    text
}

/// A count of each point as a line, where there is room for so many signs.
pub fn over_time(stats: &Value, name: &str, room: usize) -> String {
    spark(&counts(stats, name), SPARK_WIDTH.min(room))
}

/// A count of each point, the oldest first.
pub fn counts(stats: &Value, name: &str) -> Vec<u64> {
    let points = stats["points"].as_array().into_iter().flatten();
    points.map(|point| point[name].as_u64().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use console::measure_text_width;
    use serde_json::json;

    #[test]
    fn charts_fit_a_narrow_terminal() {
        let points: Vec<_> = (0..60).map(|n| json!({"accepted": n, "failed": n})).collect();
        let total = json!({"accepted": 1_000_000, "failed": 7, "failed_by_kind": {"shape_too_costly": 7}});
        let stats = json!({"from": "a", "to": "b", "step": "minute", "points": points, "total": total});
        let narrow = charts(&stats, Some(40));
        assert!(narrow.lines().all(|line| measure_text_width(line) <= 40) && narrow.contains('█'), "{narrow}");
        let wide = charts(&stats, None);
        assert!(wide.lines().any(|line| measure_text_width(line) > 80), "nothing gives way off a terminal: {wide}");
    }
}
