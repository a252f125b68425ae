//! Why a command failed.

use std::time::Duration;

use awc::http::StatusCode;
use thiserror::Error;

use crate::config::ConfigError;

/// Why a command failed, for the person who gave it.
#[derive(Debug, Error)]
pub enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Call(#[from] CallError),
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

/// Why a call failed.
#[derive(Debug, Error)]
pub enum CallError {
    /// No answer.
    #[error("{url} cannot be reached: {why}; is the server running there? (--url or HOOKWHEEL_URL says where)")]
    Unreachable {
        /// What was called.
        url: String,
        /// What the system said.
        why: String,
    },
    /// An answer that is an error.
    #[error("{}", refused(.status, .field, .message))]
    Refused {
        /// The status.
        status: StatusCode,
        /// What it is about.
        field: Option<String>,
        /// The server's sentence.
        message: String,
        /// When to try again, if the server says so.
        retry_after: Option<Duration>,
    },
    /// An answer that is not Hookwheel's.
    #[error("{url} answered {status} with something that is not Hookwheel's: {why}")]
    Strange {
        /// What was called.
        url: String,
        /// The status.
        status: StatusCode,
        /// What is strange.
        why: String,
    },
}

fn refused(status: &StatusCode, field: &Option<String>, message: &str) -> String {
    let hint = match *status {
        StatusCode::UNAUTHORIZED => "; give a key with --key or HOOKWHEEL_KEY",
        _ => "",
    };
    let field = field.as_ref().map_or(String::new(), |field| format!("{field}: "));
    format!("the server refused ({}): {field}{message}{hint}", status.as_u16())
}
