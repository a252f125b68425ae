//! The API over real sockets: every promise of the reference is asked for here as a client would.

mod access;
mod audience;
mod audit;
#[path = "../support/contract.rs"]
mod contract;
mod dead_letters;
mod endpoint_auth;
mod event_types;
mod events;
mod faces;
mod health;
mod history;
mod leaving;
mod lists;
mod loading;
mod many;
mod masking;
mod notices;
mod outgoing;
mod own_words;
mod portal;
mod pull;
mod quotas;
mod scopes;
mod server;
mod shape;
mod stats;
mod stream;
mod tenants;
mod users;
mod webhooks;
