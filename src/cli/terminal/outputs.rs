//! The two outputs of a command. What stays true: one that nobody reads any more, or that takes nothing more, is an error or is
//! passed over, and never a panic, as the macros of the standard library make of it.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr, stdout};

use super::letters;
use crate::cli::error::CliError;

/// Writes to standard output, in colour where a person sees it, and in signs that the terminal knows.
///
/// # Errors
/// Nobody reads it any more, which ends a command in silence (`CliError::is_nobody_reading`), or it takes nothing more. Whoever
/// has a verdict besides gives that first: it counts even where nobody reads why.
pub fn print(text: &str) -> Result<(), CliError> {
    let told = (stdout().is_terminal() && letters::are_ascii()).then(|| letters::in_ascii(text));
    let text = told.as_deref().unwrap_or(text);
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::io("standard output"))
}

/// Says a line on standard error, beside what a command is for.
pub fn note(line: impl Display) {
    // Nobody may be there to read it: what is being done goes on.
    let _ = writeln!(stderr(), "{line}");
}

/// Asks on standard error for what is typed behind it.
pub fn prompt(question: impl Display) {
    // As above: the answer may come all the same.
    let _ = write!(stderr(), "{question}");
}
