//! The first user: whoever started the server, and so has the admin key.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, post, web};
use maud::html;
use zeroize::Zeroizing;

use super::entering::begin;
use super::fields::{address, first_password};
use super::sign_on::button;
use crate::api::people::browser::Browser;
use crate::api::people::first::{self, First};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::plain;
use crate::dashboard::links::see_other;
use crate::dashboard::parts::field::{Field, wrong};
use crate::dashboard::posted::{Fields, Sent};

const AT: &str = "/dashboard/first";

/// The page, while there is nobody.
#[get("/dashboard/first")]
pub async fn show(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    Browser::of(&request)?;
    if !first::is_awaited(&api) {
        return Ok(see_other("/dashboard/log-in"));
    }
    Ok(page(&api, StatusCode::OK, &Fields::default(), None))
}

fn page(api: &Api, status: StatusCode, said: &Fields, problem: Option<&Problem>) -> HttpResponse {
    let said = |name| said.text(name).unwrap_or_default();
    let key = Field {
        name: "admin_key",
        label: "Admin key",
        kind: "password",
        hint: "The first start has printed it; or it is what HOOKWHEEL__AUTH__ADMIN_KEY says.",
        required: true,
        ..Field::default()
    };
    let email = address(said("email"));
    let name = Field {
        name: "name",
        label: "Name",
        value: said("name"),
        autocomplete: "name",
        required: true,
        ..Field::default()
    };
    let password = first_password();
    let body = html! {
        p { "Nobody can log in yet. Whoever has the admin key becomes the first user, an owner who may do everything and invites the others." }
        (wrong(problem, &["admin_key", "email", "name", "password"]))
        form method="post" action=(AT) {
            (key.line(problem))
            (email.line(problem))
            (name.line(problem))
            (password.line(problem))
            div.submit { button.main type="submit" { "Begin" } }
        }
        (button(api, None))
    };
    plain(status, "Welcome", &body)
}

/// Makes the first user.
#[post("/dashboard/first")]
pub async fn post(sent: Sent, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let Sent { browser, fields } = sent;
    let text = |name| fields.text(name).unwrap_or_default().to_owned();
    let secret = |name| Zeroizing::new(fields.raw(name).unwrap_or_default().to_owned());
    let user = First {
        admin_key: secret("admin_key"),
        email: text("email"),
        name: text("name"),
        password: secret("password"),
    };
    match first::make(&api, &browser, user).await {
        Ok(begun) => Ok(begin(&browser, &begun, None)),
        Err(problem) => Ok(page(&api, problem.status_code(), &fields, Some(&problem))),
    }
}
