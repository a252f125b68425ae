//! Accounts and their keys.

pub mod input;
pub mod routes;
pub mod view;
