//! Whether the server lives and takes work, and what is measured of it.

pub mod metrics;
pub mod readiness;
pub mod routes;
pub mod served;
