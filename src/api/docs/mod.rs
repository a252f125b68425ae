//! The documentation that dialects write of themselves, as pages.

pub mod routes;
pub mod site;
