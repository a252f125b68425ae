//! Deliveries, and what happened to them.

pub mod history;
pub mod routes;
pub mod view;
