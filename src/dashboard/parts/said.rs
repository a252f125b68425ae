//! What was done, told on the page that one is sent to after it. The address holds a code for fixed words, so nobody can make the
//! page say what they like.

use maud::{Markup, html};

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
    let code = asked.split(['?', '&']).find_map(|one| one.strip_prefix("said="));
    let words = code.and_then(|code| SAID.iter().find(|(known, _)| *known == code)).map(|(_, words)| *words);
    html! { @if let Some(words) = words { p.said role="status" { (words) } } }
}
