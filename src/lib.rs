//! Hookwheel: a webhook delivery server in one binary.

pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod store;
