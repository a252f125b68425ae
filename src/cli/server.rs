//! The server that commands talk to, as the command line names it.

use clap::Args;

/// Which server the other commands talk to.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// The server that the other commands talk to
    #[arg(long, global = true, env = "HOOKWHEEL_URL", default_value = "http://127.0.0.1:7080")]
    pub url: String,
    /// The API key to talk to it with
    #[arg(long, global = true, env = "HOOKWHEEL_KEY", hide_env_values = true)]
    pub key: Option<String>,
}
