//! From a dialect to a document.

mod asyncapi;
mod left;
mod openapi;
mod outline;
mod payload;

use serde_json::Value;

use super::format::Format;
use crate::dialect::Dialect;

pub use left::left_out;

/// The document of a contract; what is wrong where there can be none.
pub fn export(dialect: &Dialect, format: Format) -> Result<Value, String> {
    if dialect.catalogue.is_empty() {
        return Err(format!(
            "{} documents no event, and a document is made of events: write [[event]] for each",
            dialect.name
        ));
    }
    let sheet = outline::of(dialect, format);
    let words = outline::words(dialect);
    Ok(match format {
        Format::OpenApi => openapi::write(&sheet, &words),
        Format::AsyncApi => asyncapi::write(&sheet, &words),
    })
}
