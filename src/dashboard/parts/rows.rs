//! How many rows a list has: said where it is known, and counted only if somebody asks, since that looks at many.

use maud::{Markup, html};

use super::asked::Asked;
use super::{amount, pager};
use crate::api::http::page::PageReply;

/// How many rows of this kind there are, or the way to know.
pub fn counted<T>(asked: &Asked, page: &PageReply<T>, one: &str, many: &str) -> Markup {
    let all = page.data.len() as u64;
    html! {
        span.counted {
            @match &page.count {
                Some(count) if count.exact => (amount::of(count.at_least as u64, one, many)),
                Some(count) => { (amount::of(count.at_least as u64, one, many)) " or more" }
                None if asked.is_first() && page.next_cursor.is_none() => (amount::of(all, one, many)),
                None => a href=(asked.first_page(true)) { "Count them" },
            }
        }
    }
}

/// The ways to other pages of the list.
pub fn pages<T>(asked: &Asked, page: &PageReply<T>) -> Markup {
    html! {
        @if page.data.is_empty() && page.next_cursor.is_some() {
            p.hint { "Nothing of what is asked for is among the rows that were looked at. Look on among older ones." }
        }
        (pager::pager(&asked.uncounted(), page.next_cursor.as_deref()))
    }
}
