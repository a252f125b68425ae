//! Event types: those that an account's contract documents and those that the account has written down itself, as one
//! catalogue. What stays true: what the account says of a type goes before what a contract says of it.

pub mod catalogue;
mod input;
pub mod loading;
pub mod offered;
pub mod routes;
pub mod view;
mod writing;
