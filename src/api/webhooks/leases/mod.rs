//! Deliveries that are pulled, each with a lease.

mod input;
pub mod routes;
mod view;
