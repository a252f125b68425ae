//! PostgreSQL, or what speaks its protocol: how it is connected to, and what it is asked.

mod asking;
mod link;
mod looking;
mod sql;
mod target;

pub use link::Link;
pub use looking::look;
pub use sql::SCHEMA;
pub use target::Target;
