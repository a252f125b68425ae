//! What was done, told on the page that one is sent to after it. The address holds a code for fixed words, so nobody can make the
//! page say what they like.

use actix_web::HttpResponse;
use maud::{Markup, html};

use crate::dashboard::links::{see_other, value, with_query};

/// Codes and their words.
const SAID: &[(&str, &str)] = &[
    ("saved", "Saved."),
    ("created", "Created."),
    ("deleted", "Deleted."),
    ("paused", "Paused. What is due waits until it goes on."),
    ("resumed", "Resumed."),
    ("enabled", "Enabled. What was held goes out now."),
    ("disabled", "Disabled. What is due is held."),
    ("replayed", "Sent again, as a new delivery."),
    ("replayed-many", "Sent again, as new deliveries."),
    ("started", "Started. It goes on if you leave this page."),
    ("cancelled", "Stopped where it was."),
    ("revoked", "Revoked."),
    ("published", "Published."),
    ("purged", "Purged. That it was, and how it was delivered, stays."),
    ("none-chosen", "Nothing was chosen, so nothing was done."),
    ("asked", "Its endpoint was asked: below stands what came of it."),
    ("done-ticked", "Done with all that were ticked."),
    ("read-again", "Read again. What others have sealed is being sealed again with the first."),
    ("logged-out", "Logged out."),
    ("renamed", "Your name was changed."),
    ("password", "Your password was changed. All other sessions have ended."),
    ("sessions", "Ended."),
    ("no-codes", "The second factor is gone: a password is enough again."),
    ("role", "Changed. All sessions of this user have ended."),
    ("removed", "Removed, with all sessions."),
];

/// What the address says was done.
pub fn told(asked: &str) -> Markup {
    let words = value(asked, "said").and_then(|code| words(&code));
    html! { @if let Some(words) = words { p.said role="status" { (words) } } }
}

/// Sends on to a page of ours, which tells that.
pub fn on_to(address: &str, code: &str) -> HttpResponse {
    debug_assert!(words(code).is_some(), "{code} has no words");
    see_other(&with_query(address, [("said", Some(code))]))
}

fn words(code: &str) -> Option<&'static str> {
    SAID.iter().find(|(known, _)| *known == code).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_told() {
        assert!(told("/x?a=1&said=saved").into_string().contains("Saved."));
        for asked in ["/x", "/x?said=", "/x?said=%3Cb%3E", "/x?unsaid=saved"] {
            assert!(told(asked).into_string().is_empty(), "{asked}");
        }
    }
}
