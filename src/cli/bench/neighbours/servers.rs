//! Servers that the rows and the hour are measured on, and what this process needs for the neighbours' endpoints.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli::bench::args::BenchArgs;
use crate::cli::bench::own::OwnServer;
use crate::cli::error::CliError;

/// A post of the healthy account that waits for so long ends what is measured.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Calls are not bounded, since they are all made with one key.
const NO_CALL_LIMIT: (&str, &str) = ("HOOKWHEEL__SERVER__CALLS_PER_MINUTE", "0");
/// Webhooks of an account, without a limit.
const NO_WEBHOOK_LIMIT: (&str, &str) = ("HOOKWHEEL__LIMITS__WEBHOOKS_MAX", "0");

/// A server with these settings.
pub async fn start(args: &BenchArgs, settings: &[(&str, &str)]) -> Result<OwnServer, CliError> {
    OwnServer::start(args, &[&[NO_CALL_LIMIT], settings].concat()).await
}

/// A server that bounds no account's webhooks.
pub async fn start_without_limit(args: &BenchArgs) -> Result<OwnServer, CliError> {
    match start(args, &[NO_WEBHOOK_LIMIT]).await {
        // One from before there was this limit does not know it.
        Err(_) if args.server_binary.is_some() => start(args, &[]).await,
        started => started,
    }
}

/// As many descriptors as this process may have: endpoints hold thousands of connections.
pub fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    // What cannot be raised stays as it is: connections then wait.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
