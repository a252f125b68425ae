//! Dialects and their event types.

pub mod routes;
pub mod view;
