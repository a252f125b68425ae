//! How far something is that takes a while.

use maud::{Markup, html};

/// A bar: so much of a whole; without a whole, that something goes on. `words` say the same.
pub fn bar(done: u64, whole: Option<u64>, words: &str) -> Markup {
    html! {
        p.progress {
            @match whole {
                // A bar of nothing is full.
                Some(whole) => progress value=(done.min(whole).max(u64::from(whole == 0))) max=(whole.max(1)) aria-label=(words) {},
                None => progress aria-label=(words) {},
            }
            " " span { (words) }
        }
    }
}
