//! The documentation, as pages.

pub mod routes;
pub mod site;
