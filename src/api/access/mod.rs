//! Who asks: keys, what they may do, how often, and when they were last used.

pub mod asked;
pub mod auth;
pub mod failures;
pub mod limits;
pub mod uses;
