//! The server that a document is for.

/// What a document says of the server that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Where its API is, such as `https://api.example.com`.
    pub base_url: String,
    /// The networks that requests come from, as they are published.
    pub egress: Vec<String>,
    /// Whether `http://` endpoints are refused.
    pub https_only: bool,
}
