//! Deliveries, and what happened to them.

pub mod filter;
pub mod history;
mod rendered;
pub mod routes;
pub mod view;
