//! `hookwheel health`: whether a server takes events and delivers them, for those who look at a container or a service. What
//! stays true: it needs no key, and always ends within its time.

use std::time::Duration;

use awc::http::Method;
use clap::{Args, value_parser};

use super::error::CliError;
use super::server::ServerArgs;
use super::terminal::print;
use crate::client::Call;

const READY_PATH: &str = "/health/ready";

/// How to ask.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// How long to wait for the answer; none in time is as bad as a no
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = value_parser!(u64).range(1..=60))]
    timeout: u64,
}

/// Prints `ready`, or fails with what the server says.
pub async fn run(args: HealthArgs, server: &ServerArgs) -> Result<(), CliError> {
    let api = server.client()?;
    let call = Call { method: Method::GET, path: READY_PATH, headers: Vec::new(), body: None };
    let answer = actix_rt::time::timeout(Duration::from_secs(args.timeout), api.call(&call)).await;
    let late = |_| CliError::Failed(format!("{} did not answer within {} s", server.url, args.timeout));
    answer.map_err(late)??;
    print("ready\n")
}
