//! Webhooks: making, changing and looking at them, holding their deliveries, their secrets, and asking their endpoints.

pub mod batch;
pub mod bulk;
mod create;
mod endpoint_auth;
pub mod filter;
pub mod input;
pub mod later;
pub mod leases;
pub mod leaving;
pub mod listing;
pub mod meant;
mod noticing;
pub mod operations;
mod order;
mod outgoing;
pub mod probing;
pub mod reach;
pub mod routes;
pub mod secrets;
pub mod sending;
pub mod sick;
pub mod steering;
pub mod view;
