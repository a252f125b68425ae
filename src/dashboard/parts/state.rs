//! How something stands: one of four meanings, each with a colour, a shape and a word.

use maud::{Markup, html};

/// What a state means to who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// All is well: green, ●.
    Well,
    /// It waits, as it should: blue, ◐.
    Waiting,
    /// Somebody should look: amber, ▲.
    Trouble,
    /// It is over, or does nothing any more: red, ■.
    Dead,
    /// Nothing to say of it: grey, ○.
    Off,
}

impl Meaning {
    fn class(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Waiting => "waiting",
            Self::Trouble => "trouble",
            Self::Dead => "dead",
            Self::Off => "off",
        }
    }

    fn shape(self) -> &'static str {
        match self {
            Self::Well => "●",
            Self::Waiting => "◐",
            Self::Trouble => "▲",
            Self::Dead => "■",
            Self::Off => "○",
        }
    }
}

/// A state in a word.
pub fn state(meaning: Meaning, word: &str) -> Markup {
    html! { (shape(meaning, &html! { " " (word) })) }
}

/// A state before words that say it.
pub fn mark(meaning: Meaning) -> Markup {
    shape(meaning, &html! {})
}

fn shape(meaning: Meaning, word: &Markup) -> Markup {
    html! { span.state.(meaning.class()) { span.shape aria-hidden="true" { (meaning.shape()) } (word) } }
}

/// What a delivery's state, as the API names it, means.
pub fn of_delivery(state: &str) -> Meaning {
    match state {
        "succeeded" => Meaning::Well,
        "pending" | "scheduled" | "held" => Meaning::Waiting,
        "dead" => Meaning::Dead,
        _ => Meaning::Off,
    }
}

/// What an answer's status means; none: no answer came.
pub fn of_status(status: Option<u16>) -> Meaning {
    match status {
        Some(200..300) => Meaning::Well,
        Some(_) => Meaning::Trouble,
        None => Meaning::Dead,
    }
}
