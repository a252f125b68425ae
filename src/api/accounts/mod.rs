//! Accounts and their keys.

pub mod export;
pub mod input;
pub mod routes;
pub mod view;
