//! Bulk jobs.

pub mod input;
pub mod routes;
pub mod start;
pub mod view;
