//! What requests and replies have in common: bodies, queries, pages, errors.

pub mod allowance;
pub mod body;
pub mod code;
pub mod page;
pub mod plainly;
pub mod problem;
pub mod reply;
pub mod request;
pub mod setting;
