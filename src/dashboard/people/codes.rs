//! One's second factor: confirmed, given up, and its recovery codes, which only the reply shows that makes them.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, post, web};
use maud::html;
use zeroize::Zeroizing;

use super::fields::{code, password_once_more};
use super::you;
use crate::api::access::auth::Any;
use crate::api::people::browser::Browser;
use crate::api::people::codes;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::links::see_other;
use crate::dashboard::parts::copy;
use crate::dashboard::parts::field::wrong;
use crate::dashboard::parts::said::on_to;
use crate::dashboard::posted::Posted;
use crate::dashboard::seat::{Looks, Seat};

/// Begins to set one up.
#[post("/dashboard/you/codes")]
pub async fn begin(posted: Posted<Any>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    codes::begin(&api, posted.seat.seated()).await?;
    Ok(see_other("/dashboard/you#codes"))
}

/// Confirms it, and shows the recovery codes.
#[post("/dashboard/you/codes/confirm")]
pub async fn confirm(posted: Posted<Any>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let (by, password, code) = (Browser::of_form(&request)?, password(&posted), posted.fields.text("code"));
    match codes::confirm(&api, (posted.seat.seated(), &by), password, code.unwrap_or_default()).await {
        Ok(codes) => Ok(recovery(&posted.seat, &codes)),
        Err(problem) => you::page(&api, &posted.seat, problem.status_code(), Some(&problem)),
    }
}

/// The password, where it is said once more.
fn password(posted: &Posted<Any>) -> Zeroizing<String> {
    Zeroizing::new(posted.fields.raw(codes::PASSWORD).unwrap_or_default().to_owned())
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
            (wrong(problem, &[codes::PASSWORD, "code"]))
            form method="post" action="/dashboard/you/codes/give-up" {
                (token(seat))
                (password_once_more(seat, problem))
                (code("A code of the app, or a recovery code").line(problem))
                button.danger type="submit" { "Give up the second factor" }
                " " a.button.quiet href="/dashboard/you" { "Not now" }
            }
        }
    };
    Page::new("Give up the second factor", Part::You).show_with(status, seat, &body)
}

/// Gives it up.
#[post("/dashboard/you/codes/give-up")]
pub async fn give_up(posted: Posted<Any>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let (by, password, code) = (Browser::of_form(&request)?, password(&posted), posted.fields.text("code"));
    match codes::give_up(&api, (posted.seat.seated(), &by), password, code.unwrap_or_default()).await {
        Ok(()) => Ok(on_to("/dashboard/you", "no-codes")),
        Err(problem) => Ok(ask(&posted.seat, problem.status_code(), Some(&problem))),
    }
}
