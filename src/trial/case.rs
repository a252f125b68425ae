//! A case: what a receiver is asked, and whether a contract has room for it.

use super::kind::Kind;

/// One thing that a receiver is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What it is.
    pub kind: Kind,
    /// In one word, for machines: `no_signature`, `event:task.created`.
    pub name: String,
    /// In a few words, for people.
    pub title: String,
    /// Why the contract has no such case, if it has none.
    pub not_applicable: Option<String>,
    /// Its place, which gives it an event of its own.
    pub(super) place: usize,
}
