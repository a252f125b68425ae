//! The four meanings: well, waiting, trouble, dead. Each is a shape, a word and a colour, never a colour alone.

use anstyle::{AnsiColor, Style};

/// The shape and the colour of what a word means; words without a meaning have none.
pub fn meaning(word: &str) -> Option<(char, AnsiColor)> {
    Some(match word {
        "active" | "succeeded" | "done" | "ready" | "ok" | "true" => ('●', AnsiColor::Green),
        "pending" | "scheduled" | "held" | "running" | "unverified" | "paused" | "invited" => ('◐', AnsiColor::Blue),
        "failing" | "failed" | "false" | "gap" | "locked" => ('▲', AnsiColor::Yellow),
        "dead" | "disabled" => ('■', AnsiColor::Red),
        _ => return None,
    })
}

/// The word with its shape before it, in its colour.
pub fn marked(word: &str) -> String {
    let Some((shape, colour)) = meaning(word) else { return word.to_owned() };
    let style = Style::new().fg_color(Some(colour.into()));
    format!("{style}{shape} {word}{style:#}")
}
