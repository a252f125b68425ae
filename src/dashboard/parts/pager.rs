//! The way on in a list: the address is the state, so back and reload give the same rows.

use maud::{Markup, html};

use crate::dashboard::links;

/// Links to the newest rows and to the next ones; `asked` is the page's own path and query.
pub fn pager(asked: &str, next_cursor: Option<&str>) -> Markup {
    let is_first = !asked.split(['?', '&']).any(|one| one.starts_with("cursor="));
    html! {
        @if next_cursor.is_some() || !is_first {
            nav.pager aria-label="Pages of the list" {
                @if !is_first { a href=(links::changed(asked, &[("cursor", None)])) { "← Newest" } }
                @if let Some(cursor) = next_cursor {
                    a rel="next" href=(links::changed(asked, &[("cursor", Some(cursor))])) { "Older →" }
                }
            }
        }
    }
}
