//! What a row of the table of tools says: a noun's verb is an operation of the API, with what the command line takes for it
//! and what it shows of the answer.

use crate::cli::terminal::grid::Head;

/// A noun of the command line, such as `webhooks`.
#[derive(Debug)]
pub struct Noun {
    /// Its word.
    pub name: &'static str,
    /// One of them, for sentences.
    pub one: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Two commands that work.
    pub examples: &'static str,
    /// What can be done.
    pub verbs: &'static [Verb],
}

/// What can be done with a noun.
#[derive(Debug)]
pub struct Verb {
    /// Its word.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// The operation of the API.
    pub operation: &'static str,
    /// How it goes.
    pub kind: Kind,
    /// What the operation takes.
    pub flags: &'static [Flag],
    /// What a table shows of a row; where there is none, each field is shown.
    pub columns: &'static [Column],
    /// A list inside of the answer that has a table of its own.
    pub inner: Option<(&'static str, &'static [Column])>,
}

/// How a verb goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Rows, page by page; its flags are filters.
    Rows,
    /// One thing is shown.
    One,
    /// Something is done, with fields that may be said.
    Act,
    /// Something is made or changed, with fields that have to be said.
    Write,
    /// Each of the ids is deleted, after a question.
    Gone,
    /// All of the ids, or all that a filter selects, after a count and a question. Its flags are filters.
    Many,
}

/// What the command line takes for a field of the operation.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// The field.
    pub key: &'static str,
    /// Its word on the command line; it stands alone if it is in capitals.
    pub word: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// What it means.
    pub help: &'static str,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A text.
    Text,
    /// Several texts, each said by itself.
    Texts,
    /// A whole number.
    Number,
    /// Yes, if it is said.
    Yes,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Where it is in a row: keys, with `/` between them.
    pub at: &'static str,
    /// How it is shown.
    pub shows: Shows,
    /// Its head.
    pub head: Head,
}

/// How a field is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// As it is.
    Plain,
    /// As a moment.
    When,
    /// As one of the four meanings.
    State,
    /// As a part of a hundred.
    Share,
}

impl Flag {
    /// Whether it stands alone, without dashes.
    pub fn is_alone(&self) -> bool {
        self.word.starts_with(|first: char| first.is_ascii_uppercase())
    }
}

pub const fn flag(key: &'static str, word: &'static str, holds: Holds, help: &'static str) -> Flag {
    Flag { key, word, holds, help }
}

pub const fn text(key: &'static str, word: &'static str, help: &'static str) -> Flag {
    flag(key, word, Holds::Text, help)
}

const fn column(title: &'static str, at: &'static str, shows: Shows, rank: u8) -> Column {
    Column { at, shows, head: Head { title, rank, is_long: false, is_number: false } }
}

/// A short text, or an id: shown whole.
pub const fn plain(title: &'static str, at: &'static str, rank: u8) -> Column {
    column(title, at, Shows::Plain, rank)
}

/// A text that may be shortened.
pub const fn long(title: &'static str, at: &'static str, rank: u8) -> Column {
    Column { at, shows: Shows::Plain, head: Head { title, rank, is_long: true, is_number: false } }
}

pub const fn number(title: &'static str, at: &'static str, rank: u8) -> Column {
    Column { at, shows: Shows::Plain, head: Head { title, rank, is_long: false, is_number: true } }
}

pub const fn share(title: &'static str, at: &'static str, rank: u8) -> Column {
    Column { at, shows: Shows::Share, head: Head { title, rank, is_long: false, is_number: true } }
}

pub const fn when(title: &'static str, at: &'static str, rank: u8) -> Column {
    column(title, at, Shows::When, rank)
}

pub const fn state(title: &'static str, at: &'static str) -> Column {
    column(title, at, Shows::State, 0)
}

/// A verb with nothing of its own but its operation.
pub const fn verb(name: &'static str, kind: Kind, operation: &'static str, about: &'static str) -> Verb {
    Verb { name, about, operation, kind, flags: &[], columns: &[], inner: None }
}

impl Verb {
    /// With these flags.
    pub const fn taking(self, flags: &'static [Flag]) -> Self {
        Self { flags, ..self }
    }

    /// With these columns.
    pub const fn showing(self, columns: &'static [Column]) -> Self {
        Self { columns, ..self }
    }

    /// With a table of a list inside of the answer.
    pub const fn with_inner(self, key: &'static str, columns: &'static [Column]) -> Self {
        Self { inner: Some((key, columns)), ..self }
    }
}
