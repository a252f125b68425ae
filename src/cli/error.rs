//! Why a command failed.

use awc::http::StatusCode;
use thiserror::Error;

use crate::client;
use crate::config::ConfigError;
use crate::profile::ProfileError;

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
    /// The command line asks for what makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A person ended the command, and the server goes on.
    #[error("{0}")]
    Interrupted(String),
    /// What was looked at is not as it should be.
    #[error("{0}")]
    Verdict(String),
    /// Nothing could be looked at.
    #[error(transparent)]
    NotRun(Box<CliError>),
}

impl From<ProfileError> for CliError {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Io(what, error) => Self::Io(what, error),
            ProfileError::Unfit(_) => Self::Failed(error.to_string()),
            ProfileError::Absent(_) => Self::Usage(error.to_string()),
        }
    }
}

impl CliError {
    /// The exit code, so that scripts can tell: 1 if it was refused, failed or judged bad, 2 if it was asked wrongly or there
    /// is no verdict, 3 if the server cannot be reached, 130 if
    /// Ctrl-C ended it.
    pub fn code(&self) -> u8 {
        match self {
            Self::NotRun(_) | Self::Usage(_) => 2,
            Self::Call(client::Error::Unreachable { .. }) => 3,
            Self::Interrupted(_) => 130,
            _ => 1,
        }
    }

    /// Whether it is only that nobody reads on, as behind `| head`.
    pub fn is_nobody_reading(&self) -> bool {
        match self {
            Self::Io(_, error) => error.kind() == std::io::ErrorKind::BrokenPipe,
            Self::NotRun(why) => why.is_nobody_reading(),
            _ => false,
        }
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
        client::Error::Unreachable { why, .. } if why.contains("certificate") => {
            "; --ca FILE says which authority to trust, if it is a private one"
        }
        client::Error::Unreachable { .. } => "; is the server running there? (--url or HOOKWHEEL_URL says where)",
        client::Error::Refused { status: StatusCode::UNAUTHORIZED, .. } => {
            "; give a key with --key or HOOKWHEEL_KEY, or log in"
        }
        _ => "",
    }
}
