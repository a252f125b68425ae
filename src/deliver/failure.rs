//! What a failed request was, as an outcome. What stays true: who is to blame (DNS, the guard, the network, TLS, the
//! endpoint's HTTP) is told apart wherever it can be; and what is our own want is no outcome.

use std::io;

use super::dial::DialError;
use super::http::Failure;
use super::tls;
use crate::domain::delivery::Outcome;

/// Nothing is said of the endpoint.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ours {
    /// This server lacks something that a connection needs.
    #[error("{0}")]
    Lacks(String),
    /// The node that was to make the request is gone: nobody knows whether it did.
    #[error("the node that was to send it is gone")]
    CarrierGone,
}

/// The outcome of a request that was not answered.
pub fn outcome_of(failure: Failure) -> Result<Outcome, Ours> {
    Ok(match failure {
        Failure::Dial(DialError::Ours(why)) => return Err(Ours::Lacks(why)),
        Failure::Dial(DialError::Refused(why)) => Outcome::Refused(why),
        Failure::Dial(DialError::Dns(why)) => Outcome::Dns(why),
        Failure::Dial(DialError::Connect(why)) => Outcome::Connect(why),
        Failure::TimedOut => Outcome::TimedOut,
        Failure::Tls(error) => Outcome::Tls(tls::reason(&error)),
        Failure::Io(error) => after_connect(&error),
        Failure::Broken(why) => Outcome::Broken(why),
        Failure::H2(error) => Outcome::Broken(error.to_string()),
    })
}

/// An error of a connection that was there. An endpoint may judge our certificate that late.
fn after_connect(error: &io::Error) -> Outcome {
    match tls::tls_error(error) {
        Some(error) => Outcome::Tls(tls::in_words(error)),
        None => Outcome::Broken(error.to_string()),
    }
}
