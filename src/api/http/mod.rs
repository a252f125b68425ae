//! What requests and replies have in common: bodies, queries, lists, errors.

pub mod allowance;
pub mod batch;
pub mod body;
pub mod code;
pub mod form;
pub mod idempotency;
pub mod list;
pub mod page;
pub mod plainly;
pub mod problem;
pub mod reply;
pub mod request;
pub mod setting;
pub mod table;
