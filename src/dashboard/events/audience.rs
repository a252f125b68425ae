//! Which webhooks did not get an event, and why, in words.

use maud::{Markup, html};

use crate::api::events::audience::HearerView;
use crate::api::http::page::Listed;
use crate::dashboard::links::{changed, part};
use crate::dashboard::parts::copy;
use crate::dashboard::seat::Seat;

/// The table; nothing where all got it. `asked` is the page's own path and query.
pub fn table(seat: &Seat, listed: &Listed<HearerView>, is_first: bool) -> Markup {
    if listed.rows.is_empty() && listed.next.is_none() && is_first {
        return html! {};
    }
    let cursor = listed.cursor();
    html! {
        h2 #others { "Webhooks that did not get it" }
        @if listed.rows.is_empty() { p.hint { "None among these." } } @else {
            div.table tabindex="0" {
                table {
                    thead { tr { th scope="col" { "Webhook" } th scope="col" { "Why not" } } }
                    tbody {
                        @for one in &listed.rows {
                            tr data-href=(seat.at(&format!("webhooks/{}", part(&one.webhook_id)))) {
                                td { a href=(seat.at(&format!("webhooks/{}", part(&one.webhook_id)))) {
                                    @match &one.name { Some(name) => (name), None => (copy::short(&one.webhook_id)) }
                                } }
                                td.wide { (why(one)) }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(cursor) = cursor {
            nav.pager aria-label="Further webhooks" { a href={ (changed(seat.asked(), &[("others", Some(&cursor))])) "#others" } { "Further webhooks →" } }
        }
    }
}

/// Why one did not get it, in a sentence; of its filter, what is to blame.
fn why(one: &HearerView) -> Markup {
    let said = match one.why.unwrap_or_default() {
        "made_later" => "It was made after the event was accepted. Replay the event to send it there.",
        "type" => "It does not want events of this type.",
        "channels" => "It is for other channels.",
        "filter" => "Its filter does not hold for this event:",
        "filter_too_costly" => "To ask its filter about this event takes longer than it may.",
        "test_mode" => "It is in test mode: it gets test events only.",
        "test_event" => "This is a test event, and it is not in test mode.",
        "notices" => "It hears the server's notices, and no events.",
        "notice_event" => "This is a notice of the server's, which it does not hear.",
        "unverified" => "Its endpoint has not passed the ownership check yet.",
        "purged" => "That cannot be told any more: its filter decided, and the event's payload is gone.",
        "quiet" => "It was left in peace for a while: it is told how many such notices there were.",
        "changed" => {
            "It would get it now: it was changed after the event was accepted. Replay the event to send it there."
        }
        _ => "It was deleted.",
    };
    html! {
        (said)
        @for blamed in &one.comparisons {
            " " code { (blamed.comparison) }
            @match (&blamed.left, blamed.holds) {
                (_, true) => " holds, and must not.",
                (Some(left), false) => { ": it is " code { (left) } "." }
                (None, false) => ": there is no such field.",
            }
        }
    }
}
