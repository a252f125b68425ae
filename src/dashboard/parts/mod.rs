//! What pages are made of, each kind in a file of its own.

pub mod amount;
pub mod asked;
pub mod chart;
pub mod command;
pub mod confirm;
pub mod copy;
pub mod download;
pub mod empty;
pub mod field;
pub mod figure;
pub mod filter;
pub mod gauge;
pub mod json;
pub mod pager;
pub mod progress;
pub mod range;
pub mod rows;
pub mod said;
pub mod state;
pub mod tick;
pub mod time;

use maud::{Markup, PreEscaped};

/// The mark: a wheel with a hook, in the colour of the text.
pub fn mark() -> Markup {
    PreEscaped(
        "<svg class=\"mark\" viewBox=\"0 0 24 24\" width=\"24\" height=\"24\" aria-hidden=\"true\" fill=\"none\" \
         stroke=\"currentColor\" stroke-width=\"2\" stroke-linecap=\"round\"><circle cx=\"12\" cy=\"12\" r=\"9\"/>\
         <path d=\"M12 3v7a3 3 0 1 0 3 3\"/><path d=\"M21 12h-3M3 12h3\"/></svg>"
            .into(),
    )
}
