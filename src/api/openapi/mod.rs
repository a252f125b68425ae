//! The document of the native API.

pub mod described;
pub mod routes;
