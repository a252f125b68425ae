//! Where pages are, for those that lead to each other.

/// The reference of the API.
pub(super) const API: &str = "/docs/api";
/// The front page.
pub(super) const FRONT: &str = "/docs";
/// The contracts that are served.
pub(super) const CONTRACTS: &str = "/docs/webhooks";
/// Every key of dialect files.
pub(super) const DIALECTS: &str = "/docs/dialects";
/// The JSON Schema of dialect files.
pub(super) const SCHEMA: &str = "/docs/dialects/schema.json";
/// How a dialect file is written.
pub(super) const TUTORIAL: &str = "/docs/dialects/tutorial";
/// What other servers can do.
pub(super) const PEERS: &str = "/docs/peers";
/// What a search finds.
pub(super) const SEARCH: &str = "/docs/search";
/// What scripts search in.
pub(super) const SEARCH_INDEX: &str = "/docs/search.json";
