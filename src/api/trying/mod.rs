//! Trying a shape or a filter on an event, before a webhook or a dialect has it. What stays true: nothing is stored and nothing is
//! sent, nothing is signed, and what it takes is bounded and taken in the account's turn. The operations are called `preview`, since
//! `try` is no name in many languages that clients are generated for.

pub mod filter;
mod input;
pub mod shape;
