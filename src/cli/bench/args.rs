//! What `hookwheel bench` is asked for.

use std::path::PathBuf;

use clap::Args;

/// The arguments of `hookwheel bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Post this many events [default: 20000]
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub events: Option<u64>,
    /// Post for this long
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: Option<u64>,
    /// Connections that post, each one event at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub producers: u32,
    /// The size of one request's body
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(128..=10_000_000))]
    pub bytes: u32,
    /// Events a second over all producers [default: as many as are accepted]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: Option<u32>,
    /// Webhooks that want every event [default: 1; 1000 with --backlog]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub webhooks: Option<u32>,
    /// Post each event to one webhook, by turns, instead of to all
    #[arg(long)]
    pub spread: bool,
    /// Per cent of the webhooks whose endpoint hangs until the time-out; they are not measured
    #[arg(long, value_name = "P", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..100))]
    pub hanging: u32,
    /// Per cent of the webhooks whose endpoint answers 500; they are not measured
    #[arg(long, value_name = "P", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..100))]
    pub failing: u32,
    /// The dialect of the webhooks
    #[arg(long, default_value = "standard")]
    pub dialect: String,
    /// Deliveries of one webhook in flight at once [default: the dialect's]
    #[arg(long, value_name = "N")]
    pub max_in_flight: Option<u32>,
    /// Give up when nothing has arrived for this long
    #[arg(long, value_name = "S", default_value_t = 30)]
    pub patience_seconds: u64,
    /// Start a server of its own, with an empty store
    #[arg(long, group = "own_server")]
    pub own: bool,
    /// Where its own server keeps its data [default: a new directory among the temporary files]
    #[arg(long, value_name = "DIR", requires = "own_server")]
    pub data: Option<PathBuf>,
    /// The binary that its own server is started from, such as an older one [default: this one]
    #[arg(long, value_name = "PATH", requires = "own_server")]
    pub server_binary: Option<PathBuf>,
    /// Start a relay of the same crates instead of a server: no store, no signature, no retry
    #[arg(long, conflicts_with_all = ["own", "pid", "webhooks", "spread", "hanging", "failing", "dialect", "max_in_flight"])]
    pub relay: bool,
    /// Measure its own server with this many deliveries that wait for a retry, over a restart
    #[arg(long, value_name = "N", requires = "own", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    #[arg(conflicts_with_all = ["events", "seconds", "rate", "producers", "spread", "hanging", "failing", "relay"])]
    pub backlog: Option<u64>,
    /// Measure the pages of its own server's dashboard with this many deliveries in the store
    #[arg(long, value_name = "N", requires = "own", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    #[arg(conflicts_with_all = ["events", "seconds", "rate", "spread", "hanging", "failing", "relay", "backlog"])]
    pub pages: Option<u64>,
    /// Measure a webhook at 20 events/s while its neighbours do their worst: row by row, each on a server of its own
    #[arg(long, group = "own_server")]
    #[arg(conflicts_with_all = ["events", "rate", "producers", "bytes", "webhooks", "spread", "hanging", "failing", "dialect"])]
    #[arg(conflicts_with_all = ["max_in_flight", "patience_seconds", "relay", "pid"])]
    pub neighbours: bool,
    /// Only this row of --neighbours; may be given again [default: all rows]
    #[arg(long, value_name = "NAME", requires = "neighbours")]
    pub row: Vec<String>,
    /// The same for an hour (or --seconds) in which five accounts do all rows at once, changing every minute
    #[arg(long, group = "own_server")]
    #[arg(conflicts_with_all = ["events", "rate", "producers", "bytes", "webhooks", "spread", "hanging", "failing", "dialect"])]
    #[arg(conflicts_with_all = ["max_in_flight", "patience_seconds", "relay", "pid", "json"])]
    pub hostile_hour: bool,
    /// What the dice of --hostile-hour begin with [default: by chance; it is printed]
    #[arg(long, value_name = "N", requires = "hostile_hour")]
    pub seed: Option<u64>,
    /// Where --hostile-hour writes a line of figures a second
    #[arg(long, value_name = "FILE", requires = "hostile_hour")]
    pub csv: Option<PathBuf>,
    /// Where --hostile-hour draws them in the end, as SVG
    #[arg(long, value_name = "FILE", requires = "hostile_hour")]
    pub plot: Option<PathBuf>,
    /// The server's process, to measure what it uses; known for its own
    #[arg(long, conflicts_with = "own")]
    pub pid: Option<i32>,
    /// Print one line of JSON instead of a table
    #[arg(long)]
    pub json: bool,
}
