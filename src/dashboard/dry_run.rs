//! How many rows a bulk call would be about, before somebody says yes. What stays true: a page is not kept waiting by a count of
//! many; and who wants to know them all can ask for that.

use maud::{Markup, html};

use super::links::changed;
use super::parts::amount;
use super::posted::Fields;
use super::seat::Seat;
use crate::api::jobs::start::{count, glance};
use crate::api::jobs::view::CountView;
use crate::api::{Api, Problem};
use crate::domain::job::Bulk;

/// The name in an address that asks for all of them, with any value.
const ALL: &str = "count";

/// As many as a glance finds; all, if the address asks for that.
pub async fn dry_run(api: &Api, seat: &Seat, call: Bulk) -> Result<CountView, Problem> {
    match Fields::asked(seat.asked()).is_on(ALL) {
        true => count(api, seat.tenant(), call, 0).await,
        false => glance(api, seat.tenant(), call, 0).await,
    }
}

/// In words: "at least 2,000 dead letters".
pub fn many(count: &CountView, one: &str, more: &str) -> String {
    let many = amount::of(count.count, one, more);
    if count.complete { many } else { format!("at least {many}") }
}

/// The way to know how many there are, where that was not told.
pub fn further(seat: &Seat, count: &CountView) -> Markup {
    let is_asked = Fields::asked(seat.asked()).is_on(ALL);
    html! {
        @if !count.complete && !is_asked {
            p { a href=(changed(seat.asked(), &[(ALL, Some("all"))])) { "Count all of them" } ": that can take some seconds." }
        }
    }
}
