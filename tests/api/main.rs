//! The API over real sockets: every promise of the reference is asked for here as a client would.

mod access;
mod audit;
#[path = "../support/contract.rs"]
mod contract;
mod dead_letters;
mod events;
mod faces;
mod health;
mod history;
mod leaving;
mod lists;
mod masking;
mod outgoing;
mod own_words;
mod pull;
mod quotas;
mod scopes;
mod server;
mod stats;
mod tenants;
mod webhooks;
