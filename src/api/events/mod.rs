//! Events: taking them, and looking them up.

pub mod audience;
pub mod filter;
pub mod input;
pub mod leaving;
pub mod numbers;
pub mod payloads;
pub mod publish;
pub mod replaying;
pub mod routes;
pub mod too_large;
pub mod traced;
pub mod types;
pub mod view;
