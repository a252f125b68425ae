//! Why a request was not verified.

use thiserror::Error;

use crate::domain::Invalid;

/// Why a request was not verified.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// The dialect has no signature.
    #[error("this dialect signs nothing, so nothing can be verified")]
    Unsigned,
    /// The URL is signed, and nobody said which it is.
    #[error("the URL is signed, so it must be given, as the webhook has it")]
    NoUrl,
    /// A field of the body that the contract promises is not there.
    #[error("the body has no {0}")]
    MissingField(String),
    /// A header that the contract promises is not there.
    #[error("the header {0} is missing")]
    MissingHeader(String),
    /// A header, or a field of the body, does not look as the contract says.
    #[error("{header} does not look like {expected}")]
    WrongForm {
        /// Which.
        header: String,
        /// The contract's template.
        expected: String,
    },
    /// The attempt's time is too far from now: perhaps somebody sends an old request again.
    #[error("the timestamp is {seconds} seconds {side} the clock here; {allowed} are allowed", side = side(*.late))]
    WrongTime {
        /// How far.
        seconds: u64,
        /// Whether it lies in the past.
        late: bool,
        /// The tolerance, in seconds.
        allowed: u64,
    },
    /// No secret gives this signature.
    #[error(
        "the signature in {0} does not match: the body is not the exact bytes that were sent, or the secret is another"
    )]
    Mismatch(String),
    /// A secret is not of the dialect's form.
    #[error("{0}")]
    Secret(Invalid),
}

fn side(late: bool) -> &'static str {
    if late { "behind" } else { "ahead of" }
}
