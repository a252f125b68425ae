//! Where there is nothing yet: what that means, and what to do next.

use maud::{Markup, html};

use super::copy;

/// One sentence and, perhaps, a command to copy.
pub fn empty(words: &str, command: Option<&str>) -> Markup {
    html! {
        div.empty {
            p { (words) }
            @if let Some(command) = command { (copy::command(command)) }
        }
    }
}
