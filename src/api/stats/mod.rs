//! Numbers over time.

pub mod input;
pub mod routes;
pub mod view;
