//! Webhooks: making, changing and looking at them, holding their deliveries, their secrets, and asking their endpoints.

pub mod bulk;
mod create;
mod filter;
mod input;
pub mod later;
pub mod leases;
pub mod meant;
pub mod operations;
mod order;
mod outgoing;
pub mod probing;
pub mod reach;
pub mod routes;
pub mod secrets;
pub mod sending;
pub mod steering;
pub mod view;
