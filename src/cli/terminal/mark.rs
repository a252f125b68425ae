//! The four meanings: well, waiting, trouble, dead. Each is a shape, a word and a colour, never a colour alone.

use anstyle::{AnsiColor, Style};

/// The word with the shape of what it means before it, in its colour; words without a meaning as they are.
pub fn marked(word: &str) -> String {
    let (shape, colour) = match word {
        "active" | "succeeded" | "done" | "ready" | "ok" | "true" => ('●', AnsiColor::Green),
        "pending" | "scheduled" | "held" | "running" | "unverified" | "paused" | "invited" => ('◐', AnsiColor::Blue),
        "failing" | "failed" | "false" | "gap" | "locked" => ('▲', AnsiColor::Yellow),
        "dead" | "disabled" => ('■', AnsiColor::Red),
        _ => return word.to_owned(),
    };
    let style = Style::new().fg_color(Some(colour.into()));
    format!("{style}{shape} {word}{style:#}")
}
