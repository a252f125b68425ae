//! The reference of the API, a page for each operation, read from the document that the server gives of itself. What stays true: what
//! stands here is what `/openapi.json` says, so it is what the routes do.

mod code;
mod document;
mod operation;
mod pages;
mod schema;

pub use document::Reference;
pub(super) use pages::{page, pages};
