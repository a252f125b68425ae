//! Whether the server lives and takes work, and its counters.

pub mod prometheus;
pub mod readiness;
pub mod routes;
pub mod served;
