//! Nobody waits for a stranger: a webhook that is well, while its neighbours do their worst. What stays true: each row has
//! a fresh server; what is measured is what the healthy account's producer and endpoint see; and a row that fails says so
//! in its place.

mod acts;
mod beside;
mod healthy;
mod hour;
mod plot;
mod raw;
mod rows;
mod sample;
mod servers;
mod table;

use std::future::pending;
use std::time::Duration;

use actix_rt::time::sleep;
use tokio::sync::oneshot;

use super::args::BenchArgs;
use super::latency::{Latency, latencies};
use super::process::Watched;
use super::produce::Bounds;
use super::receive::Receiver;
use crate::cli::error::CliError;
use crate::cli::terminal::note;
use crate::clock::Stopwatch;
use acts::{Made, Place};
use beside::Beside;
use healthy::{ACCOUNT, Healthy, RATE};
use rows::{Accounts, Look, ROWS, Row};
use servers::PATIENCE;
use table::{Figures, Looked, Table};

/// What a row takes where nobody says, in seconds.
const SECONDS: u64 = 30;
/// Between looks at the process and at what endpoints hold.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// Checks of the healthy webhook before its neighbours begin.
const CHECKS_ALONE: u32 = 20;

pub use hour::run as run_hour;

/// Measures the rows that are asked for, and prints them.
pub async fn run(args: &BenchArgs, clock: Stopwatch) -> Result<(), CliError> {
    servers::raise_descriptors();
    let seconds = args.seconds.unwrap_or(SECONDS);
    let mut table = Table::new(seconds);
    for row in asked_for(&args.row)? {
        note(format_args!("hookwheel: {}, {seconds} s", row.name));
        table.add(row.name, measure(args, row, Duration::from_secs(seconds), clock).await);
        note(format_args!("hookwheel: {}", table.last()));
    }
    table.print(args.json)
}

/// Measures one row on a server of its own.
async fn measure(args: &BenchArgs, row: &Row, time: Duration, clock: Stopwatch) -> Result<Figures, CliError> {
    let own = servers::start_without_limit(args).await?;
    let admin = own.server.client()?;
    let mut healthy = Healthy::start(&own, clock).await?;
    let sick = Receiver::start(clock)?;
    let accounts = accounts(row.accounts);
    if !matches!(row.accounts, Accounts::Same) {
        acts::accounts(&admin, &accounts).await?;
    }
    let alone = match row.look {
        Look::Check => healthy::checks(&healthy.api, &healthy.webhook, CHECKS_ALONE).await?,
        _ => latencies(),
    };
    let place = Place { server: own.server.clone(), port: sick.port(), accounts, pause: Duration::ZERO };
    let (beside, made) = begin(row, place).await?;

    let (process, mut looks, mut checks) = (Watched::new(own.pid()), Looks::default(), latencies());
    let checking = async {
        match row.look {
            Look::Check => healthy::check_on_and_on(&healthy.api, &healthy.webhook, &mut checks).await,
            _ => pending().await,
        }
    };
    let posted = tokio::select! {
        posted = healthy.load.post(Bounds::time(time), Some(RATE)) => posted?,
        () = sleep(time + PATIENCE) => {
            let seconds = PATIENCE.as_secs();
            return Err(CliError::Failed(format!("a post of the healthy account had no answer for {seconds} s")));
        }
        error = checking => return Err(error),
        error = looks.go_on(&process, &sick) => return Err(error),
    };
    let looked = match row.look {
        Look::Nothing => None,
        Look::Check => Some(Looked::Check { alone: Latency::of(&alone), beside: Latency::of(&checks) }),
        Look::Share(places) => Some(Looked::share(&looks.held, places, LOOK_PAUSE)),
        Look::Behind(open) => Some(Looked::behind(&acts::open(&admin, &made).await?, open)),
    };
    healthy.wait_for(posted.wanted).await;
    beside.end()?;
    let memory_bytes_max = process.memory_bytes_max()?;
    Ok(Figures::new(posted, healthy.receiver.received(), memory_bytes_max, looks.descriptors_max, looked))
}

/// Has the neighbours begin, and says what they have made.
async fn begin(row: &Row, place: Place) -> Result<(Beside, Vec<Made>), CliError> {
    let ((ready, is_ready), act) = (oneshot::channel(), row.act);
    let beside = Beside::start(move || async move {
        let made = act.prepare(&place).await?;
        // Nobody hears of it if the row was given up.
        let _ = ready.send(made.clone());
        act.go_on(&place, &made).await
    })?;
    match is_ready.await {
        Ok(made) => Ok((beside, made)),
        Err(_) => {
            beside.end()?;
            Err(CliError::Failed("the neighbours did not begin".into()))
        }
    }
}

/// The rows of these names, or all if there are none.
fn asked_for(names: &[String]) -> Result<Vec<&'static Row>, CliError> {
    if let Some(unknown) = names.iter().find(|name| ROWS.iter().all(|row| row.name != **name)) {
        let known: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        return Err(CliError::Failed(format!("no row is called {unknown}; there are {}", known.join(", "))));
    }
    Ok(ROWS.iter().filter(|row| names.is_empty() || names.iter().any(|name| name == row.name)).collect())
}

fn accounts(accounts: Accounts) -> Vec<String> {
    match accounts {
        Accounts::Same => vec![ACCOUNT.into()],
        Accounts::One => vec!["neighbour".into()],
        Accounts::Many(count) => (0..count).map(|number| format!("neighbour-{number}")).collect(),
    }
}

/// What was seen while it went on.
#[derive(Default)]
struct Looks {
    descriptors_max: u64,
    /// What endpoints held at each look.
    held: Vec<u32>,
}

impl Looks {
    /// Looks until this is dropped, or says why it cannot.
    async fn go_on(&mut self, process: &Watched, receiver: &Receiver) -> CliError {
        loop {
            match process.descriptors() {
                Ok(open) => self.descriptors_max = self.descriptors_max.max(open),
                Err(error) => return error,
            }
            self.held.push(receiver.held());
            sleep(LOOK_PAUSE).await;
        }
    }
}
