//! Logging in and out.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, post, web};
use maud::html;
use zeroize::Zeroizing;

use super::entering::{ask_code, begin, entered, next_field};
use super::fields::{address, password};
use super::sign_on::button;
use crate::api::access::auth::Any;
use crate::api::access::seats::{Jar, seat_of};
use crate::api::access::way::Way;
use crate::api::people::browser::Browser;
use crate::api::people::{entering, first};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::cookie::keep;
use crate::dashboard::frame::plain;
use crate::dashboard::links;
use crate::dashboard::links::see_other;
use crate::dashboard::parts::field::wrong;
use crate::dashboard::parts::said;
use crate::dashboard::posted::{Fields, Posted, Sent};

const AT: &str = "/dashboard/log-in";

/// The page. Who is logged in already goes on; while there is nobody, the first user is made.
#[get("/dashboard/log-in")]
pub async fn show(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    Browser::of(&request)?;
    let asked = Fields::read(request.query_string().as_bytes());
    let next = asked.text("next").and_then(links::own_path);
    if seat_of(&api, &request, Jar::Dashboard)?.is_some() {
        return Ok(see_other(next.unwrap_or("/dashboard")));
    }
    if first::is_awaited(&api) {
        return Ok(see_other("/dashboard/first"));
    }
    let told = request.uri().path_and_query().map_or("", |asked| asked.as_str());
    Ok(page(&api, StatusCode::OK, told, "", next, None))
}

fn page(
    api: &Api,
    status: StatusCode,
    told: &str,
    email: &str,
    next: Option<&str>,
    problem: Option<&Problem>,
) -> HttpResponse {
    let body = html! {
        (said::told(told))
        (wrong(problem, &["email", "password"]))
        form method="post" action=(AT) {
            (next_field(next))
            (address(email).line(problem))
            (password("password", "Password").line(problem))
            div.submit { button.main type="submit" { "Log in" } }
        }
        (button(api, next))
        p.hint { "No account, or the password is lost? An owner of your account can send you a link." }
    };
    plain(status, "Log in", &body)
}

/// Takes address and password.
#[post("/dashboard/log-in")]
pub async fn post(sent: Sent, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let Sent { browser, fields } = sent;
    let (email, next) = (fields.text("email").unwrap_or_default(), fields.text("next"));
    let password = Zeroizing::new(fields.raw("password").unwrap_or_default().to_owned());
    match entering::log_in(&api, &browser, email, password).await {
        Ok(came) => Ok(entered(&browser, came, next)),
        Err(problem) => Ok(again(&problem, page(&api, problem.status_code(), "", email, next, Some(&problem)))),
    }
}

/// Takes a code.
#[post("/dashboard/log-in/code")]
pub async fn code(sent: Sent, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let Sent { browser, fields } = sent;
    let (proof, next) = (fields.text("proof").unwrap_or_default(), fields.text("next"));
    match entering::send_code(&api, &browser, proof, fields.text("code").unwrap_or_default()).await {
        Ok(begun) => Ok(begin(&browser, &begun, next)),
        Err(problem) if problem.status_code() == StatusCode::UNAUTHORIZED => {
            Ok(page(&api, StatusCode::UNAUTHORIZED, "", "", next, Some(&problem)))
        }
        Err(problem) => Ok(again(&problem, ask_code(problem.status_code(), proof, next, Some(&problem)))),
    }
}

/// The page again, which says when to come back.
fn again(problem: &Problem, mut page: HttpResponse) -> HttpResponse {
    let told = problem.error_response();
    if let Some(when) = told.headers().get(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, when.clone());
    }
    page
}

/// Logs out.
#[post("/dashboard/log-out")]
pub async fn out(posted: Posted<Any>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    entering::log_out(&api, posted.seat.seated(), posted.seat.tenant()).await?;
    let mut reply = said::on_to("/dashboard/log-in", "logged-out");
    keep(&mut reply, &Jar::Dashboard.set(Way::of(&request), None));
    Ok(reply)
}
