//! What is told of an import: a line for each thing, what is not carried over, and the sum. What stays true: what went wrong stands
//! where it stood in the file, what is not carried over is named once more at the end, and the exit code says whether all is there.

use std::collections::BTreeMap;

use serde_json::json;

use super::entry::What;
use crate::cli::error::CliError;
use crate::cli::shown::printable;
use crate::cli::terminal::{note, print};

/// So many things that are not carried over are named at the end; the others are counted.
const LEFT_MAX: usize = 1000;

/// What became of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was not there.
    Made,
    /// It was there, and was another.
    Changed,
    /// It is there as it is said.
    Same,
    /// Nothing was to be done about it.
    Skipped,
    /// It cannot be taken.
    Refused,
}

impl Outcome {
    fn word(self, is_dry: bool) -> &'static str {
        match (self, is_dry) {
            (Self::Made, false) => "made",
            (Self::Made, true) => "would be made",
            (Self::Changed, false) => "changed",
            (Self::Changed, true) => "would be changed",
            (Self::Same, _) => "the same",
            (Self::Skipped, _) => "skipped",
            (Self::Refused, _) => "refused",
        }
    }
}

/// What became of a thing, and what there is to know about it.
#[derive(Debug)]
pub struct Done {
    /// What became of it.
    pub outcome: Outcome,
    /// Sentences about it.
    pub notes: Vec<String>,
    /// Whether somebody must do something before it works.
    pub is_unfinished: bool,
}

impl Done {
    /// Nothing but the outcome.
    pub fn of(outcome: Outcome) -> Self {
        Self { outcome, notes: Vec::new(), is_unfinished: false }
    }

    /// With a sentence.
    pub fn with(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// It cannot be taken, and why.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::of(Outcome::Refused).with(why)
    }
}

/// The telling of an import.
#[derive(Debug)]
pub struct Told {
    is_json: bool,
    is_dry: bool,
    counts: BTreeMap<(&'static str, Outcome), u64>,
    unfinished: u64,
    left: Vec<String>,
    left_more: u64,
    history: BTreeMap<String, u64>,
}

impl Told {
    /// One that tells a person, or a program.
    pub fn new(is_json: bool, is_dry: bool) -> Self {
        let (counts, history) = (BTreeMap::new(), BTreeMap::new());
        Self { is_json, is_dry, counts, unfinished: 0, left: Vec::new(), left_more: 0, history }
    }

    /// Whether nothing is done, only said.
    pub fn is_dry(&self) -> bool {
        self.is_dry
    }

    /// Tells of one thing. Events that went well are counted only: there may be millions.
    pub fn one(&mut self, place: &str, kind: &'static str, name: &str, done: &Done) -> Result<(), CliError> {
        *self.counts.entry((kind, done.outcome)).or_default() += 1;
        self.unfinished += u64::from(done.is_unfinished);
        let is_many = kind == What::Events.kind() && done.outcome != Outcome::Refused;
        if is_many && !self.is_json {
            return Ok(());
        }
        let word = done.outcome.word(self.is_dry);
        let text = if self.is_json {
            let row = json!({
                "place": place, "kind": kind, "name": name, "outcome": word, "notes": done.notes,
                "unfinished": done.is_unfinished,
            });
            format!("{row}\n")
        } else {
            let notes = done.notes.iter().map(|note| format!("  {note}\n"));
            let what = if name.is_empty() { String::new() } else { format!("{} {name}: ", kind.replace('_', " ")) };
            // Names come from anywhere.
            printable(&format!("{place}: {what}{word}\n{}", notes.collect::<String>()))
        };
        print(&text)
    }

    /// Notes what is not carried over.
    pub fn left(&mut self, place: &str, what: &str) {
        if self.left.len() < LEFT_MAX {
            self.left.push(format!("{place}: {what}"));
        } else {
            self.left_more += 1;
        }
    }

    /// Notes a line of history, which stays where it is.
    pub fn history(&mut self, kind: String) {
        *self.history.entry(kind).or_default() += 1;
    }

    /// Tells the sum; an error, if something is not there or needs a hand.
    pub fn end(self) -> Result<(), CliError> {
        if !self.left.is_empty() {
            note("not carried over:");
            self.left.iter().for_each(|left| note(format_args!("  {}", printable(left))));
        }
        if self.left_more > 0 {
            note(format_args!("  and {} more, which stand above where they were met", self.left_more));
        }
        for (kind, count) in &self.history {
            note(format_args!("{count} lines of the kind {kind} are history, and stay where they happened"));
        }
        note(format_args!("{}", self.sum()));
        let refused: u64 =
            self.counts.iter().filter(|((_, outcome), _)| *outcome == Outcome::Refused).map(|(_, n)| n).sum();
        let unfinished = self.unfinished;
        match (refused, unfinished) {
            (0, 0) => Ok(()),
            (0, _) => Err(CliError::Failed(format!(
                "{unfinished} are held until somebody completes them; above it says what they lack"
            ))),
            (_, 0) => Err(CliError::Failed(format!(
                "{refused} were refused; import again once that is mended: nothing is made twice"
            ))),
            _ => Err(CliError::Failed(format!(
                "{refused} were refused, and {unfinished} are held until somebody completes them; import again once that is \
                 mended: nothing is made twice"
            ))),
        }
    }

    /// `account: 2 made; webhook: 3 made, 1 the same`.
    fn sum(&self) -> String {
        let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((kind, outcome), count) in &self.counts {
            kinds.entry(kind).or_default().push(format!("{count} {}", outcome.word(self.is_dry)));
        }
        let words: Vec<String> = kinds
            .into_iter()
            .map(|(kind, counts)| format!("{}: {}", kind.replace('_', " "), counts.join(", ")))
            .collect();
        if words.is_empty() { "there was nothing to import".into() } else { words.join("; ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_says_whether_all_is_there() {
        let told = |outcome, is_unfinished| {
            let mut told = Told::new(false, false);
            told.one("line 1", "webhook", "a", &Done { is_unfinished, ..Done::of(outcome) }).expect("written");
            told
        };
        assert!(told(Outcome::Made, false).end().is_ok() && told(Outcome::Skipped, false).end().is_ok());
        for (outcome, is_unfinished, why) in
            [(Outcome::Refused, false, "1 were refused"), (Outcome::Made, true, "held until")]
        {
            let error = told(outcome, is_unfinished).end().expect_err(why);
            assert!(error.code() == 1 && error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn the_sum_counts_by_kind_and_outcome() {
        let mut told = Told::new(false, true);
        for outcome in [Outcome::Made, Outcome::Made, Outcome::Same] {
            told.one("line 1", "event_type", "a", &Done::of(outcome)).expect("written");
        }
        assert_eq!(told.sum(), "event type: 2 would be made, 1 the same");
        (0..=LEFT_MAX).for_each(|n| told.left("app a", &n.to_string()));
        assert_eq!((told.left.len(), told.left_more), (LEFT_MAX, 1));
    }
}
