//! Accounts, their keys and portals, who asks, and what an account has used of what it may have.

pub mod export;
pub mod filter;
pub mod input;
pub mod look;
pub mod operations;
pub mod portal;
pub mod routes;
pub mod usage;
pub mod view;
pub mod whoami;
