//! Deliveries that are pulled, each with a lease.

mod input;
mod kept;
pub mod routes;
mod view;
