//! What a person sees in a terminal: tables that fit, times as "3 min ago", the four meanings as shape, word and colour.
//! What stays true: where standard output is no terminal, nothing is shortened, left out, coloured or told relative to now.

pub mod ask;
pub mod chart;
pub mod grid;
pub mod letters;
pub mod mark;
mod outputs;
mod when;

use std::io::{IsTerminal, stdout};

use console::Term;

use crate::clock::Clock;
use crate::domain::time::UnixMs;
pub use outputs::{note, print, prompt};

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
