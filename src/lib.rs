//! Hookwheel: a webhook delivery server in one binary.

pub mod api;
pub mod clock;
pub mod config;
pub mod dialect;
pub mod domain;
pub mod store;
