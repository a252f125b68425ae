//! First steps: what to do while an account has no webhook or no event yet, with the commands to copy.

use maud::{Markup, html};

use crate::dashboard::parts::state::{Meaning, state};
use crate::dashboard::parts::{command, copy};
use crate::dashboard::seat::Seat;
use crate::domain::ability::Ability;

/// How far one is.
pub struct Start<'a> {
    /// Whether there is a webhook.
    pub has_webhook: bool,
    /// Whether an event was published.
    pub has_event: bool,
    /// Where the server was asked.
    pub origin: &'a str,
}

impl Start<'_> {
    /// The steps; nothing once they are done.
    pub fn show(&self, seat: &Seat) -> Markup {
        if self.has_webhook && self.has_event {
            return html! {};
        }
        let contract = seat.docs_of(&seat.account().dialect);
        html! {
            div.empty.start {
                h2 { "First steps" }
                ol {
                    li {
                        p { (done(self.has_webhook)) " " b { "Make a webhook" } ": where events go, and which." }
                        @if !self.has_webhook { (self.make(seat)) }
                    }
                    li {
                        p { (done(self.has_event)) " " b { "Publish an event" } ": each webhook that wants it gets a delivery." }
                        @if !self.has_event { (self.publish(seat)) }
                    }
                    li { p {
                        (done(false)) " " b { "See it arrive" } ": " a href=(seat.at("deliveries")) { "Deliveries" }
                        " shows what was sent and what came back. Receivers check signatures as "
                        a href=(contract) { "their contract" } " says."
                    } }
                }
            }
        }
    }

    fn make(&self, seat: &Seat) -> Markup {
        html! {
            @if seat.can(Ability::Manage) { p { a.button.main href=(seat.at("webhooks/new")) { "New webhook" } } }
            @if !seat.is_portal() {
                (copy::command(&command::webhook(seat, self.origin)))
            }
        }
    }

    fn publish(&self, seat: &Seat) -> Markup {
        html! {
            @if seat.is_portal() {
                p { "Events come from the product whose webhooks these are; a test goes out from the page of a webhook." }
            } @else {
                @if seat.can(Ability::Publish) { p { a.button href=(seat.at("publish")) { "Publish an event" } } }
                (copy::command(&command::publish(seat, self.origin)))
            }
        }
    }
}

fn done(is_done: bool) -> Markup {
    if is_done { state(Meaning::Well, "done") } else { state(Meaning::Off, "to do") }
}
