//! The server that commands talk to, as the command line, the environment or a profile names it. What stays true: what is
//! said goes before a profile, and a profile's key goes to the profile's own address only.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::error::CliError;
use crate::client::Client;
use crate::profile;

/// Where a server listens that nobody has told where to.
pub const DEFAULT_URL: &str = "http://127.0.0.1:7080";

/// Which server the other commands talk to, as it is said.
#[derive(Debug, Clone, Default, Args)]
pub struct ServerFlags {
    /// The server that the other commands talk to [default: the profile's, else http://127.0.0.1:7080]
    #[arg(long, global = true, env = "HOOKWHEEL_URL", help_heading = "Global options")]
    pub url: Option<String>,
    /// The API key to talk to it with [default: the profile's]
    #[arg(long, global = true, env = "HOOKWHEEL_KEY", hide_env_values = true, help_heading = "Global options")]
    pub key: Option<String>,
    /// The profile of `hookwheel login` that says server and key [default: the last one that was logged in]
    #[arg(long, global = true, env = "HOOKWHEEL_PROFILE", value_name = "NAME", help_heading = "Global options")]
    pub profile: Option<String>,
    /// Trust the certificates of these authorities (PEM) and no others, for a server behind a private one
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub ca: Option<PathBuf>,
}

impl ServerFlags {
    /// The server that is meant.
    pub fn server(&self) -> Result<ServerArgs, CliError> {
        // A profile that nobody needs may be broken.
        let needs_profile = self.profile.is_some() || self.url.is_none() || self.key.is_none();
        let profile = if needs_profile { profile::chosen(self.profile.as_deref())? } else { None };
        let plain = |url: &str| url.trim_end_matches('/').to_owned();
        let profile = profile.filter(|one| self.url.as_deref().is_none_or(|url| plain(url) == plain(&one.url)));
        let (url, key, ca) = profile.map_or((None, None, None), |one| (Some(one.url), Some(one.key), one.ca));
        Ok(ServerArgs {
            url: self.url.clone().or(url).unwrap_or_else(|| DEFAULT_URL.into()),
            key: self.key.clone().or(key),
            ca: self.ca.clone().or(ca),
        })
    }

    /// Whether a server is named, and not only the one of the last login.
    pub fn is_said(&self) -> bool {
        self.url.is_some() || self.profile.is_some()
    }
}

/// Which server the other commands talk to.
#[derive(Debug, Clone)]
pub struct ServerArgs {
    /// Where it is.
    pub url: String,
    /// The key to talk to it with.
    pub key: Option<String>,
    /// The authorities that its certificate may be of; `None`: the public ones.
    pub ca: Option<PathBuf>,
}

impl ServerArgs {
    /// One at an address that has a public certificate, or none.
    pub fn at(url: impl Into<String>, key: Option<String>) -> Self {
        Self { url: url.into(), key, ca: None }
    }

    /// A client of it.
    pub fn client(&self) -> Result<Client, CliError> {
        let key = self.key.as_deref();
        let Some(path) = &self.ca else { return Ok(Client::new(&self.url, key)?) };
        let pem = std::fs::read(path).map_err(CliError::io(path.display().to_string()))?;
        Ok(Client::trusting(&self.url, key, &pem)?)
    }

    /// A client for who waits before a terminal: it tells at once what it is told.
    pub fn prompt_client(&self, account: Option<&str>) -> Result<Client, CliError> {
        let client = self.client()?.with_patience(Duration::ZERO);
        Ok(account.map_or_else(|| client.clone(), |account| client.acting_for(account)))
    }
}
