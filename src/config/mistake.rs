//! What is wrong with a configuration, in words for the person who wrote it.

use thiserror::Error;

/// Why a configuration was refused. The texts are for the person who wrote it.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file is not there or may not be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML. What stands in that line is not shown: it may be a secret.
    #[error("{path}:{line}: is not TOML: {message}")]
    Malformed {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What the reader says of it.
        message: String,
    },
    /// A source could not be read at all.
    #[error("cannot read the configuration: {0}")]
    Unread(#[from] config::ConfigError),
    /// A key that no knob has.
    #[error("{origin}: unknown key `{key}`; did you mean `{nearest}`?")]
    UnknownKey {
        /// The file and the line, or "the environment".
        origin: String,
        /// The key as it is written there.
        key: String,
        /// The nearest known one, written the same way.
        nearest: String,
    },
    /// A value that the knob does not take.
    #[error("{origin}: `{key}` must be {takes}, but is {found}")]
    Unfit {
        /// The file and the line, or "the environment".
        origin: String,
        /// The key as it is written there.
        key: String,
        /// What the knob takes.
        takes: String,
        /// What was found.
        found: String,
    },
    /// Two values that do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
    /// All of several.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<ConfigError>),
}

impl ConfigError {
    /// Nothing if there is no mistake; one as itself, several as one.
    pub(super) fn of(mut mistakes: Vec<Self>) -> Result<(), Self> {
        match mistakes.len() {
            0 => Ok(()),
            1 => Err(mistakes.remove(0)),
            _ => Err(Self::Several(mistakes)),
        }
    }

    /// Each mistake by itself.
    pub fn each(&self) -> Vec<&Self> {
        match self {
            Self::Several(mistakes) => mistakes.iter().collect(),
            one => vec![one],
        }
    }
}
