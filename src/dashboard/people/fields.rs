//! Fields that more than one of these pages asks for.

use maud::{Markup, html};

use crate::api::Problem;
use crate::api::people::codes::PASSWORD;
use crate::dashboard::parts::field::Field;
use crate::dashboard::seat::Seat;

/// What somebody logs in with.
pub fn address(value: &str) -> Field<'_> {
    Field {
        name: "email",
        label: "Mail address",
        value,
        kind: "email",
        autocomplete: "username",
        required: true,
        ..Field::default()
    }
}

/// The password that one has.
pub fn password<'a>(name: &'a str, label: &'a str) -> Field<'a> {
    Field { name, label, kind: "password", autocomplete: "current-password", required: true, ..Field::default() }
}

/// The password of who looks, before what would shut out its user; nobody is asked who has none.
pub fn password_once_more(seat: &Seat, problem: Option<&Problem>) -> Markup {
    let has_one = seat.seated().user.as_ref().is_some_and(|user| user.password.is_some());
    html! { @if has_one { (password(PASSWORD, "Your password").line(problem)) } }
}

/// A password that one chooses.
pub fn new_password<'a>(label: &'a str, hint: &'a str) -> Field<'a> {
    Field { autocomplete: "new-password", hint, ..password("password", label) }
}

/// The same, of somebody who has had none here.
pub fn first_password() -> Field<'static> {
    new_password("Password", "At least 10 characters; a few words are easy to remember.")
}

/// A code of a second factor.
pub fn code(label: &str) -> Field<'_> {
    Field { name: "code", label, autocomplete: "one-time-code", required: true, ..Field::default() }
}
