//! Hookwheel: a webhook delivery server in one binary.

pub mod clock;
pub mod dialect;
pub mod domain;
