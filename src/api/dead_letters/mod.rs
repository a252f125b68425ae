//! Dead letters: deliveries that used up their retries, until somebody handles them.

pub mod input;
pub mod routes;
