//! Accounts and their keys, who asks, and what an account has used of what it may have.

pub mod export;
pub mod filter;
pub mod input;
pub mod operations;
pub mod routes;
pub mod usage;
pub mod view;
pub mod whoami;
