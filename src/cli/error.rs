//! Why a command failed.

use awc::http::StatusCode;
use thiserror::Error;

use crate::client;
use crate::config::ConfigError;

/// Why a command failed, for the person who gave it.
#[derive(Debug, Error)]
pub enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{}{}", .0, hint(.0))]
    Call(#[from] client::Error),
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    #[error("{0}")]
    Failed(String),
    /// What was looked at is not as it should be.
    #[error("{0}")]
    Verdict(String),
    /// Nothing could be looked at.
    #[error(transparent)]
    NotRun(Box<CliError>),
}

impl CliError {
    /// The exit code: 1, or 2 where there is no verdict, so that scripts can tell.
    pub fn code(&self) -> u8 {
        if matches!(self, Self::NotRun(_)) { 2 } else { 1 }
    }

    /// The same of a command that judges: whatever is no verdict kept it from that.
    pub fn unless_verdict(self) -> Self {
        if matches!(self, Self::Verdict(_)) { self } else { Self::NotRun(Box::new(self)) }
    }

    /// An error of the system about `what`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io(what, error)
    }
}

/// What helps against it, in the words of the command line.
fn hint(error: &client::Error) -> &'static str {
    match error {
        client::Error::Unreachable { .. } => "; is the server running there? (--url or HOOKWHEEL_URL says where)",
        client::Error::Refused { status: StatusCode::UNAUTHORIZED, .. } => "; give a key with --key or HOOKWHEEL_KEY",
        _ => "",
    }
}
