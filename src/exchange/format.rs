//! The formats, and the one word that is ours in them.

/// A format of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenAPI 3.1: a `webhooks` entry for each event.
    OpenApi,
    /// AsyncAPI 3: a message for each event.
    AsyncApi,
}

/// The extension: in a schema, the template that fills it (or, of an object, what is spread among its fields); in a
/// security scheme, how the signature is made; in a response, that it is a success; at the root, keys of the dialect file
/// that no field of the format has a place for.
pub(super) const MARK: &str = "x-hookwheel";

/// In the extension at the root, where no body shows an event's data: by the event's type its `sample`, and its `schema` if it is
/// stated.
pub(super) const DATA_OF_EVENTS: &str = "data";
