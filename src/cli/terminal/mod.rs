//! What a person sees in a terminal: tables that fit, times as "3 min ago", the four meanings as shape, word and colour.
//! What stays true: where standard output is no terminal, nothing is shortened, left out, coloured or told relative to now.

pub mod ask;
pub mod chart;
pub mod grid;
pub mod letters;
pub mod mark;
mod when;

use std::io::{IsTerminal, Write, stdout};

use console::Term;

use super::error::CliError;
use crate::clock::Clock;
use crate::domain::time::UnixMs;

/// Narrower than this nothing fits.
const WIDTH_MIN: usize = 40;

/// Where it is shown, and when.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// How many columns it has, if it is a terminal.
    pub width: Option<usize>,
    now: UnixMs,
}

impl Screen {
    /// Standard output.
    pub fn of_process() -> Self {
        let width = stdout().is_terminal().then(|| usize::from(Term::stdout().size().1).max(WIDTH_MIN));
        Self { width, now: Clock::real().wall() }
    }

    /// A moment, as the API writes it.
    pub fn when(&self, text: &str) -> String {
        if self.width.is_some() { when::relative(text, self.now) } else { text.to_owned() }
    }

    /// A state, as the API names it.
    pub fn state(&self, word: &str) -> String {
        if self.width.is_some() { mark::marked(word) } else { word.to_owned() }
    }
}

/// Writes to standard output, in colour where a person sees it, and in signs that the terminal knows.
pub fn print(text: &str) -> Result<(), CliError> {
    let told = (stdout().is_terminal() && letters::are_ascii()).then(|| letters::in_ascii(text));
    let text = told.as_deref().unwrap_or(text);
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::io("standard output"))
}
