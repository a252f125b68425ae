//! One's second factor: scanned, confirmed, given up, and its recovery codes. What stays true: what is shared with the app is shown
//! until it is confirmed, and recovery codes in the reply that makes them.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError, get, post, web};
use maud::{Markup, html};
use qrcodegen::{QrCode, QrCodeEcc};

use super::{see_other, you};
use crate::api::access::auth::Any;
use crate::api::people::codes::{self, SetUp};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::parts::copy;
use crate::dashboard::parts::field::{Field, wrong};
use crate::dashboard::posted::Posted;
use crate::dashboard::seat::{Looks, Seat};
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
                (code_field("A code of the app, to make new recovery codes").line(problem))
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

fn code_field(label: &str) -> Field<'_> {
    Field { name: "code", label, autocomplete: "one-time-code", required: true, ..Field::default() }
}

fn confirm_form(seat: &Seat, set_up: &SetUp, problem: Option<&Problem>) -> Markup {
    html! {
        p { "Scan this with an app for such codes, or type what stands below it. Then send the code that the app shows." }
        (qr(set_up.url.reveal()))
        p { (copy::text(set_up.shared.reveal())) }
        form method="post" action="/dashboard/you/codes/confirm" {
            (token(seat))
            (code_field("The code that the app shows").line(problem))
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

/// Begins to set one up.
#[post("/dashboard/you/codes")]
pub async fn begin(posted: Posted<Any>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    codes::begin(&api, posted.seat.seated()).await?;
    Ok(see_other("/dashboard/you#codes"))
}

/// Confirms it, and shows the recovery codes.
#[post("/dashboard/you/codes/confirm")]
pub async fn confirm(posted: Posted<Any>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let code = posted.fields.text("code").unwrap_or_default();
    match codes::confirm(&api, posted.seat.seated(), code).await {
        Ok(codes) => Ok(recovery(&posted.seat, &codes)),
        Err(problem) => you::page(&api, &posted.seat, problem.status_code(), Some(&problem)),
    }
}

/// Makes new recovery codes, and shows them.
#[post("/dashboard/you/codes/renew")]
pub async fn renew(posted: Posted<Any>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let code = posted.fields.text("code").unwrap_or_default();
    match codes::renew_recovery(&api, posted.seat.seated(), code).await {
        Ok(codes) => Ok(recovery(&posted.seat, &codes)),
        Err(problem) => you::page(&api, &posted.seat, problem.status_code(), Some(&problem)),
    }
}

fn recovery(seat: &Seat, codes: &[String]) -> HttpResponse {
    let body = html! {
        p.note { "Keep these where your phone is not: each lets you in once if the app is lost. They are shown this once." }
        (copy::command(&codes.join("\n")))
        p { a.button href="/dashboard/you" { "I have kept them" } }
    };
    Page::new("Recovery codes", Part::You).show(seat, &body)
}

/// Asks before it is given up.
#[get("/dashboard/you/codes/give-up")]
pub async fn give_up_page(seat: Looks<Any>) -> HttpResponse {
    ask(&seat, StatusCode::OK, None)
}

fn ask(seat: &Seat, status: StatusCode, problem: Option<&Problem>) -> HttpResponse {
    let body = html! {
        div.confirm {
            p { "The password alone will be enough to log in. The recovery codes go, and all other sessions end." }
            (wrong(problem, &["code"]))
            form method="post" action="/dashboard/you/codes/give-up" {
                (token(seat))
                (code_field("A code of the app, or a recovery code").line(problem))
                button.danger type="submit" { "Give up the second factor" }
                " " a.button.quiet href="/dashboard/you" { "Not now" }
            }
        }
    };
    Page::new("Give up the second factor", Part::You).show_with(status, seat, &body)
}

/// Gives it up.
#[post("/dashboard/you/codes/give-up")]
pub async fn give_up(posted: Posted<Any>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    match codes::give_up(&api, posted.seat.seated(), posted.fields.text("code").unwrap_or_default()).await {
        Ok(()) => Ok(see_other("/dashboard/you?said=no-codes")),
        Err(problem) => Ok(ask(&posted.seat, problem.status_code(), Some(&problem))),
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
