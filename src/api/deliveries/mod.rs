//! Deliveries, and what happened to them.

pub mod filter;
pub mod history;
pub mod operations;
mod rendered;
pub mod routes;
pub mod view;
