//! Boxes that tick rows. The one in the head, which ticks all of them, is there only where scripts are.

use maud::{Markup, html};

/// The head of a column of boxes.
pub fn all() -> Markup {
    html! { th scope="col" { input type="checkbox" data-scripted hidden aria-label="Tick all"; } }
}
