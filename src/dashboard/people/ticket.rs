//! Links that are used once: to set a password, and into a development server. What stays true: to look at one uses nothing but
//! where there is nothing to set and nobody but the one who started the server has seen it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, post, web};
use maud::html;
use zeroize::Zeroizing;

use super::entering::entered;
use super::fields::first_password;
use crate::api::people::browser::Browser;
use crate::api::people::links::{self, Shown};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::plain;
use crate::dashboard::links::part;
use crate::dashboard::parts::field::wrong;
use crate::dashboard::posted::Sent;
use crate::domain::ticket::Errand;

/// The page of a link.
#[get("/dashboard/ticket/{link}")]
pub async fn show(request: HttpRequest, api: web::Data<Api>, link: web::Path<String>) -> Result<HttpResponse, Away> {
    let browser = Browser::of(&request)?;
    let shown = links::look(&api, &link)?;
    match shown.errand {
        Errand::Dev(_) => Ok(entered(&browser, links::come_in(&api, &browser, &link).await?, None)),
        Errand::Invite(_) | Errand::Reset(_) => Ok(page(StatusCode::OK, &link, &shown, None)),
        Errand::Portal(_) => Err(Problem::not_found("link").into()),
    }
}

fn page(status: StatusCode, link: &str, shown: &Shown, problem: Option<&Problem>) -> HttpResponse {
    let (email, name) = shown.user.as_ref().map_or(("", ""), |user| (user.email.as_str(), user.name.as_str()));
    let is_new = matches!(shown.errand, Errand::Invite(_));
    let body = html! {
        @if is_new {
            p { "You were invited, " (name) ". Choose a password; from then on you log in with it and " strong { (email) } "." }
        } @else {
            p { "Choose another password for " strong { (email) } ". All of your sessions end." }
        }
        (wrong(problem, &["password"]))
        form method="post" action={ "/dashboard/ticket/" (part(link)) } {
            // For password managers.
            input type="hidden" name="email" value=(email) autocomplete="username";
            (first_password().line(problem))
            div.submit { button.main type="submit" { @if is_new { "Set it and log in" } @else { "Set it" } } }
        }
    };
    plain(status, if is_new { "Welcome" } else { "Another password" }, &body)
}

/// Sets the password.
#[post("/dashboard/ticket/{link}")]
pub async fn post(sent: Sent, api: web::Data<Api>, link: web::Path<String>) -> Result<HttpResponse, Away> {
    let Sent { browser, fields } = sent;
    let password = Zeroizing::new(fields.raw("password").unwrap_or_default().to_owned());
    match links::set_password(&api, &browser, &link, password).await {
        Ok(came) => Ok(entered(&browser, came, None)),
        Err(problem) if problem.is_of_field() => {
            let shown = links::look(&api, &link)?;
            Ok(page(problem.status_code(), &link, &shown, Some(&problem)))
        }
        Err(problem) => Err(problem.into()),
    }
}
