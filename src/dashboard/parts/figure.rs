//! A figure: a number, what it is of, and the way to what it counts.

use maud::{Markup, html};

/// One of several figures beside each other.
#[derive(Debug)]
pub struct Figure<'a> {
    /// What is counted: "Events a minute".
    pub label: &'a str,
    /// The number, with its unit.
    pub is: Markup,
    /// What to know of it: "1,204 in all".
    pub of: String,
    /// Where what it counts is listed.
    pub href: String,
}

/// Some of them.
pub fn figures(all: &[Figure<'_>]) -> Markup {
    html! {
        div.figures {
            @for one in all {
                a.figure href=(one.href) {
                    span.label { (one.label) }
                    span.is { (one.is) }
                    @if !one.of.is_empty() { span.of { (one.of) } }
                }
            }
        }
    }
}
