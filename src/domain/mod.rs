//! The nouns and the rules of Hookwheel: pure and synchronous. Nothing here reads a clock, throws dice or does I/O,
//! so every rule can be tested by calling it.

pub mod ability;
pub mod account;
pub mod audience;
pub mod audit;
pub mod backoff;
pub mod blocks;
pub mod byte_budget;
pub mod colour;
pub mod condition;
pub mod delivery;
pub mod disable;
pub mod endpoint;
pub mod endpoint_auth;
pub mod event;
pub mod event_type;
pub mod explain;
pub mod finding;
pub mod guard;
pub mod happening;
pub mod id;
pub mod job;
pub mod json;
pub mod labels;
pub mod lane;
pub mod latency;
pub mod mail;
pub mod names;
pub mod notice;
pub mod oauth2;
pub mod order;
pub mod pace;
pub mod password;
pub mod portal;
pub mod probe;
pub mod proxy;
pub mod pull;
pub mod quiet;
pub mod rate_limit;
pub mod retry;
pub mod schema;
pub mod second_factor;
pub mod secret;
pub mod selection;
pub mod sent_headers;
pub mod session;
pub mod shape;
pub mod sign_on;
pub mod stats;
pub mod tally;
pub mod ticket;
pub mod time;
pub mod tls;
pub mod trace;
pub mod trace_context;
pub mod user;
pub mod walk;
pub mod webhook;
pub mod words;
pub mod workload;

use thiserror::Error;

/// A field of a request that cannot be taken, and what would be right. `api` turns it into a 400 (or 422) reply.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// The field's name as the caller wrote it, with its path (`events[2]`).
    pub field: String,
    /// What is wrong and what to do about it, one sentence.
    pub message: String,
}

impl Invalid {
    /// An error about `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}
