//! What an examination finds: what is wrong, how bad that is, where, and what to do about it. One form for a store, a machine, a
//! configuration and a server that runs, so one table shows them all.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Places that are named of one finding; of the others it says how many there are.
pub const PLACES_MAX: usize = 3;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody chose it; good to know.
    Note,
    /// It goes on, and somebody should look at it.
    Warning,
    /// Something is lost, wrong or about to fail.
    Error,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at, in a word: `rows`, `indexes`, `counters`, `clock`, `space`, …
    pub check: String,
    /// What was found, in a sentence without its place.
    pub what: String,
    /// How often; 1 where there is no number to it.
    pub count: u64,
    /// Where: the first [`PLACES_MAX`] places.
    #[serde(default)]
    pub places: Vec<String>,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// Of one thing that has no place.
    pub fn new(severity: Severity, check: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity, check: check.into(), what: what.into(), count: 1, places: Vec::new(), remedy: remedy.into() }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.places.push(place.into());
        self
    }

    /// Whether somebody has to look at it: notes are told and count for nothing.
    pub fn counts(&self) -> bool {
        self.severity > Severity::Note
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// The worst comes first; what is equally bad stays in the order in which it was looked at.
pub fn worst_first(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_notes_count_for_nothing() {
        let of = |severity, what: &str| Finding::new(severity, "clock", what, "set it");
        let mut all = vec![of(Severity::Note, "a"), of(Severity::Error, "b"), of(Severity::Warning, "c")];
        all.push(of(Severity::Error, "d"));
        worst_first(&mut all);
        assert_eq!(all.iter().map(|one| one.what.as_str()).collect::<Vec<_>>(), ["b", "d", "c", "a"]);
        assert_eq!(all.iter().map(Finding::counts).collect::<Vec<_>>(), [true, true, true, false]);
    }
}
