//! The document of the native API, complete enough to generate clients from. A route states its operation id, its scope, its
//! bodies and what is particular about it; what all have in common is added here, from one place each.

mod bounds;
mod common;
pub mod described;
mod examples;
mod operations;
pub mod routes;
mod schemas;
mod tags;
pub mod taking;
#[cfg(test)]
mod tests;
pub mod words;
