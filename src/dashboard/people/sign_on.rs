//! Logging in by the operator's identity provider: on the way there, and back. What stays true: whoever comes back without what the
//! way there left in the browser, or with what belongs to another, is not let in.

use actix_web::{HttpRequest, HttpResponse, ResponseError, get, web};
use maud::{Markup, html};

use super::entering::begin;
use crate::api::access::seats::{begun_of, set_begun};
use crate::api::people::browser::Browser;
use crate::api::people::sign_on;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::cookie::keep;
use crate::dashboard::links::{own_path, see_other, with_query};
use crate::dashboard::posted::Fields;
use crate::dashboard::sheet::plain;

/// Where one wants to go then, in bytes: a longer one would not fit into the cookie that it is kept in, and nobody could come in.
const NEXT_BYTES_MAX: usize = 2_000;

/// The button that leads there, if there is a provider.
pub fn button(api: &Api, next: Option<&str>) -> Markup {
    let label = api.provider.as_ref().map(|provider| provider.settings.label.as_str());
    html! {
        @if let Some(label) = label {
            p.sign-on { a.button href=(with_query("/dashboard/sign-on", [("next", next)])) { (label) } }
        }
    }
}

/// Sends a browser there.
#[get("/dashboard/sign-on")]
pub async fn there(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let browser = Browser::of(&request)?;
    let asked = Fields::read(request.query_string().as_bytes());
    let next = asked.text("next").and_then(own_path).filter(|next| next.len() <= NEXT_BYTES_MAX).unwrap_or_default();
    let (begun, address) = sign_on::begin(&api, &browser, next).await?;
    let mut reply = see_other(&address);
    keep(&mut reply, &set_begun(browser.way, Some(&begun)));
    Ok(reply)
}

/// Takes who comes back.
#[get("/dashboard/sign-on/back")]
pub async fn back(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let browser = Browser::of(&request)?;
    let came = came(&api, &request, &browser).await;
    let mut reply = came.unwrap_or_else(|problem| refused(&problem));
    // It is good once.
    keep(&mut reply, &set_begun(browser.way, None));
    Ok(reply)
}

async fn came(api: &Api, request: &HttpRequest, browser: &Browser) -> Result<HttpResponse, Problem> {
    let said = Fields::read(request.query_string().as_bytes());
    let asked = begun_of(request, api.clock.now()).ok_or_else(|| {
        Problem::forbidden("this log-in was begun in another browser, was ended before, or took longer than ten minutes; begin it anew")
    })?;
    if !said.raw("state").is_some_and(|state| asked.is_state(state)) {
        return Err(Problem::forbidden("what came back belongs to another log-in (state); begin it anew"));
    }
    if let Some(error) = said.raw("error") {
        let told = said.raw("error_description").unwrap_or(error);
        let told: String = told.chars().filter(|one| !one.is_control()).take(200).collect();
        return Err(Problem::forbidden(format!("the identity provider did not let you in: {told}")));
    }
    let code = said.raw("code").ok_or_else(|| Problem::forbidden("nothing came back to log in with; begin it anew"))?;
    let begun = sign_on::end(api, browser, &asked, code, said.raw("iss")).await?;
    Ok(begin(browser, &begun, Some(asked.next())))
}

fn refused(problem: &Problem) -> HttpResponse {
    let body = html! {
        p role="alert" { (problem.to_string()) }
        div.submit { a.button href="/dashboard/log-in" { "Log in anew" } }
    };
    plain(problem.status_code(), "You are not logged in", &body)
}
