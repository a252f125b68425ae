//! Dialects.

pub mod routes;
pub mod view;
