//! One's second factor, as the page of oneself shows it. What stays true: what is shared with the app is shown until it is confirmed,
//! and never after.

use maud::{Markup, html};
use qrcodegen::{QrCode, QrCodeEcc};

use super::fields::{code, password_once_more};
use crate::api::Problem;
use crate::api::people::codes::{self, SetUp};
use crate::dashboard::frame::token;
use crate::dashboard::parts::copy;
use crate::dashboard::seat::Seat;
use crate::domain::user::User;

/// Light around a code, in modules: scanners need it.
const QUIET: i32 = 4;

/// What the page of oneself says of it.
pub fn part(seat: &Seat, user: &User, problem: Option<&Problem>) -> Markup {
    let factor = user.second_factor.as_ref().filter(|factor| factor.confirmed_at.is_some());
    html! {
        @if let Some(factor) = factor {
            p { "Set up: a code of your app is asked for after the password. " (factor.recovery_left()) " recovery codes are left." }
            form method="post" action="/dashboard/you/codes/renew" {
                (token(seat))
                (code("A code of the app, to make new recovery codes").line(problem))
                div.submit {
                    button type="submit" { "Make new recovery codes" }
                    a.button.quiet href="/dashboard/you/codes/give-up" { "Give it up" }
                }
            }
        } @else if let Some(set_up) = codes::set_up(user) {
            (confirm_form(seat, &set_up, problem))
        } @else {
            p { "A code that an app on your phone shows is asked for after the password: who learns your password alone does not get in." }
            form method="post" action="/dashboard/you/codes" { (token(seat)) button type="submit" { "Set it up" } }
        }
    }
}

fn confirm_form(seat: &Seat, set_up: &SetUp, problem: Option<&Problem>) -> Markup {
    html! {
        p { "Scan this with an app for such codes, or type what stands below it. Then send the code that the app shows, and your password once more." }
        (qr(set_up.url.reveal()))
        p { (copy::text(set_up.shared.reveal())) }
        form method="post" action="/dashboard/you/codes/confirm" {
            (token(seat))
            (code("The code that the app shows").line(problem))
            (password_once_more(seat, problem))
            div.submit { button.main type="submit" { "Confirm" } }
        }
        form method="post" action="/dashboard/you/codes" {
            (token(seat)) button.quiet type="submit" { "Begin again with another" }
        }
    }
}

/// A text as a picture that phones read: dark on light, whatever the page's colours are.
fn qr(text: &str) -> Markup {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return html! {} };
    let (size, whole) = (code.size(), code.size() + 2 * QUIET);
    let dark = (0..size).flat_map(|y| (0..size).map(move |x| (x, y))).filter(|(x, y)| code.get_module(*x, *y));
    let path: String = dark.map(|(x, y)| format!("M{} {}h1v1h-1z", x + QUIET, y + QUIET)).collect();
    html! {
        svg.qr role="img" aria-label="A code to scan with the app" viewBox={ "0 0 " (whole) " " (whole) } width="200" height="200" shape-rendering="crispEdges" {
            rect width=(whole) height=(whole) fill="#ffffff" {}
            path d=(path) fill="#000000" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_its_three_corners_and_light_around_them() {
        let shown = qr("otpauth://totp/x?secret=AAAA").into_string();
        assert!(shown.contains("d=\"M4 4h1v1h-1zM5 4h1v1h-1z") && !shown.contains("M3 4h") && !shown.contains("M4 3h"));
        assert!(!shown.contains("style="), "the policy of the pages allows none");
    }
}
