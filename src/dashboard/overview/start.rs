//! First steps: what to do while an account has no webhook or no event yet, with the commands to copy.

use maud::{Markup, html};

use crate::dashboard::links::part;
use crate::dashboard::parts::copy;
use crate::dashboard::parts::state::{Meaning, state};
use crate::dashboard::seat::Seat;
use crate::domain::account::{ACCOUNT_HEADER, DEFAULT_ACCOUNT, Scope};

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
        let contract = format!("/docs/webhooks/{}", part(&seat.account().dialect));
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
                        @if seat.is_portal() { "their contract says." } @else { a href=(contract) { "their contract" } " says." }
                    } }
                }
            }
        }
    }

    fn make(&self, seat: &Seat) -> Markup {
        html! {
            @if seat.may(Scope::Manage) { p { a.button.main href=(seat.at("webhooks/new")) { "New webhook" } } }
            @if !seat.is_portal() {
                (copy::command(&self.command(seat, "webhooks", r#"{"url":"https://example.com/webhooks","events":["*"]}"#)))
            }
        }
    }

    fn publish(&self, seat: &Seat) -> Markup {
        html! {
            @if seat.is_portal() {
                p { "Events come from the product whose webhooks these are; a test goes out from the page of a webhook." }
            } @else {
                (copy::command(&self.command(seat, "events", r#"{"type":"task.created","data":{"id":1}}"#)))
            }
        }
    }

    /// A call of the API to copy: the key stands in the environment, so that it gets into no page.
    fn command(&self, seat: &Seat, path: &str, body: &str) -> String {
        let id = &seat.account().id;
        let is_other = seat.is_operator() && id != DEFAULT_ACCOUNT;
        let account = if is_other { format!(" -H \"{ACCOUNT_HEADER}: {id}\"") } else { String::new() };
        let origin = self.origin;
        format!(
            "curl -sS {origin}/api/v1/{path} -H \"Authorization: Bearer $HOOKWHEEL_KEY\"{account} \\\n  \
             -H \"Content-Type: application/json\" -d '{body}'"
        )
    }
}

fn done(is_done: bool) -> Markup {
    if is_done { state(Meaning::Well, "done") } else { state(Meaning::Off, "to do") }
}
