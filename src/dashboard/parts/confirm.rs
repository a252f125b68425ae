//! A page that asks once before something is destroyed: what will happen, how many, and the way back.

use maud::{Markup, html};

use crate::dashboard::frame::token;
use crate::dashboard::seat::Seat;

/// What is asked.
#[derive(Debug)]
pub struct Confirm<'a> {
    /// What will happen, with its size: "4 open deliveries are cancelled.".
    pub words: &'a Markup,
    /// Where the form goes.
    pub action: &'a str,
    /// What the button says: a verb and its object, such as "Delete the webhook".
    pub button: &'a str,
    /// Where one goes instead.
    pub back: &'a str,
    /// Fields beside the token: names and values.
    pub fields: &'a [(&'a str, &'a str)],
}

impl Confirm<'_> {
    /// The body of the page.
    pub fn show(&self, seat: &Seat) -> Markup {
        html! {
            div.confirm {
                (self.words)
                form method="post" action=(self.action) {
                    (token(seat))
                    @for (name, value) in self.fields { input type="hidden" name=(name) value=(value); }
                    button.danger type="submit" { (self.button) }
                    " " a.button.quiet href=(self.back) { "Not now" }
                }
            }
        }
    }
}
