//! What a failed request was: awc's errors, and ours that come through it, as outcomes. What stays true: who is to blame
//! (DNS, the guard, the network, TLS, the endpoint's HTTP) is told apart wherever it can be.

use std::error::Error;
use std::io;

use awc::error::{ConnectError, SendRequestError};

use super::dial::DialError;
use super::tls;
use crate::domain::delivery::Outcome;

/// The outcome of a request that was not answered.
pub fn outcome_of(error: SendRequestError) -> Outcome {
    match error {
        SendRequestError::Timeout | SendRequestError::Connect(ConnectError::Timeout) => Outcome::TimedOut,
        SendRequestError::Connect(ConnectError::Resolver(error)) => match error.downcast::<DialError>() {
            Ok(error) => match *error {
                DialError::Refused(why) => Outcome::Refused(why),
                DialError::Dns(why) => Outcome::Dns(why),
                DialError::Connect(why) => Outcome::Connect(why),
            },
            Err(error) => Outcome::Connect(error.to_string()),
        },
        // Said of a connection that was there, and ended before its answer began.
        SendRequestError::Connect(ConnectError::Disconnected) => {
            Outcome::Broken("the connection was closed without an answer".into())
        }
        // What fails to connect comes as a `DialError`: what is left is TLS.
        SendRequestError::Connect(ConnectError::Io(error)) => Outcome::Tls(tls::reason(&error)),
        SendRequestError::Connect(error) => Outcome::Connect(error.to_string()),
        SendRequestError::Send(error) => after_connect(&error, || error.to_string()),
        SendRequestError::Response(error) => broken(&error),
        error => broken(&error),
    }
}

/// The outcome of an answer that broke off.
pub fn broken(error: &(dyn Error + 'static)) -> Outcome {
    let mut inner = Some(error);
    while let Some(cause) = inner {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return after_connect(error, || cause.to_string());
        }
        inner = cause.source();
    }
    Outcome::Broken(error.to_string())
}

/// An error of a connection that was there. An endpoint may judge our certificate that late.
fn after_connect(error: &io::Error, text: impl FnOnce() -> String) -> Outcome {
    match tls::tls_error(error) {
        Some(error) => Outcome::Tls(tls::in_words(error)),
        None => Outcome::Broken(text()),
    }
}
