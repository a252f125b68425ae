//! From a document to a first dialect. What stays true: what stands in the document is taken from there; what does not is
//! guessed or left, and each guess and each loss is told.

mod asyncapi;
mod dialect;
mod document;
mod file;
mod guess;
mod openapi;
mod payload;
mod sample;
mod standalone;
mod types;

use serde_json::Value;

use crate::dialect::Dialect;
use document::Document;

pub use types::{DescribedType, event_types};

/// A first dialect.
#[derive(Debug)]
pub struct Imported {
    /// The text of its file.
    pub text: String,
    /// What was made up: it may be wrong.
    pub guessed: Vec<String>,
    /// What the document says and the dialect does not.
    pub lost: Vec<String>,
    /// Why the server would not take the text as it is.
    pub broken: Option<String>,
}

/// Reads a document; an error where it is none of ours to read, or has no event.
pub fn import(text: &str) -> Result<Imported, String> {
    let root: Value = serde_json::from_str(text).map_err(|error| {
        format!("is not JSON: {error}; a document in YAML can be turned into JSON, such as by yq -o json")
    })?;
    let document = Document::of(root);
    let sheet = match (document.version("openapi"), document.version("asyncapi")) {
        (Some(version), _) if version.starts_with('3') => openapi::read(&document),
        (_, Some(version)) if version.starts_with(['2', '3']) => asyncapi::read(&document),
        (Some(version), _) => return Err(format!("is OpenAPI {version}; 3.0 and 3.1 are read")),
        (_, Some(version)) => return Err(format!("is AsyncAPI {version}; 2 and 3 are read")),
        (None, None) => return Err("says neither openapi nor asyncapi, so it is no document of these".into()),
    };
    if sheet.messages.is_empty() {
        return Err("has no event: OpenAPI has them in webhooks, AsyncAPI in the messages of its channels".into());
    }
    let (text, guessed, lost) = dialect::of(&document, sheet);
    let broken = Dialect::parse("imported.toml", &text).err().map(|error| error.to_string());
    Ok(Imported { text, guessed, lost, broken })
}
