//! The server that commands talk to, as the command line names it.

use clap::Args;

use super::error::CliError;
use crate::client::Client;

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

impl ServerArgs {
    /// A client of it.
    pub fn client(&self) -> Result<Client, CliError> {
        Client::new(&self.url, self.key.as_deref()).map_err(CliError::from)
    }
}
