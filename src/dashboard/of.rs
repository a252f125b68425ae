//! What the path of a page names. By name and not by place: the same pages are mounted below an account's id and without one.

use serde::Deserialize;

/// A thing.
#[derive(Debug, Deserialize)]
pub struct Of {
    /// Its id, ours or its account's own.
    pub id: String,
}
