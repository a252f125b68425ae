//! Contracts as documents of other formats: OpenAPI 3.1 (`webhooks`) and AsyncAPI 3, out and in. What stays true: whatever
//! the format has a field for stands in that field and nowhere else, and is read from there; `x-hookwheel` stands beside a
//! field and says only what no field can, such as which fact fills a header. So a document that somebody has changed gives
//! the contract that it says, and never the one that it was made of.

mod format;
mod read;
mod sheet;
mod write;

#[cfg(test)]
mod tests;

pub use format::Format;
pub use read::{DescribedType, Imported, event_types, import};
pub use write::{export, left_out};
