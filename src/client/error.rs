//! Why a call failed.

use std::time::Duration;

use awc::http::StatusCode;
use thiserror::Error;

/// Why a call failed.
#[derive(Debug, Error)]
pub enum Error {
    /// The address is none of a server.
    #[error("the server's address must start with http:// or https://, but is {0}")]
    Address(String),
    /// The certificates of the authorities that are to be trusted cannot be read.
    #[error("the authorities to trust cannot be read: {0}")]
    Authority(String),
    /// No answer.
    #[error("{url} cannot be reached: {why}")]
    Unreachable {
        /// What was called.
        url: String,
        /// What the system said.
        why: String,
    },
    /// An answer that is an error.
    #[error("the server refused ({}): {}{message}", .status.as_u16(), place(.field))]
    Refused {
        /// The status.
        status: StatusCode,
        /// What went wrong, in one word; the document lists them as `ErrorCode`.
        code: String,
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

impl Error {
    /// How long to wait before the same call may succeed; `None` if it will not. `pause` is our own back-off.
    pub fn pause(&self, pause: Duration) -> Option<Duration> {
        let later = |status: &StatusCode| {
            matches!(
                *status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            )
        };
        match self {
            Self::Address(_) | Self::Authority(_) => None,
            Self::Unreachable { .. } => Some(pause),
            Self::Refused { status, retry_after, .. } => later(status).then(|| retry_after.unwrap_or(pause)),
            Self::Strange { status, .. } => later(status).then_some(pause),
        }
    }
}

fn place(field: &Option<String>) -> String {
    field.as_ref().map_or(String::new(), |field| format!("{field}: "))
}
