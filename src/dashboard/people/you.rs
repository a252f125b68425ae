//! What one changes of oneself: name, password, second factor, sessions.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, post, web};
use maud::{Markup, html};
use zeroize::Zeroizing;

use super::entering::begin;
use super::{codes_shown, fields};
use crate::api::access::auth::Any;
use crate::api::people::browser::Browser;
use crate::api::people::view::SessionView;
use crate::api::people::{codes, own};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::parts::field::{Field, wrong};
use crate::dashboard::parts::said::on_to;
use crate::dashboard::parts::time;
use crate::dashboard::posted::Posted;
use crate::dashboard::seat::{Looks, Seat};

/// The page.
#[get("/dashboard/you")]
pub async fn show(seat: Looks<Any>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    page(&api, &seat, StatusCode::OK, None)
}

/// The page, with what is wrong with one of its forms.
pub fn page(api: &Api, seat: &Seat, status: StatusCode, problem: Option<&Problem>) -> Result<HttpResponse, Away> {
    let user = own::user_of(seat.seated())?;
    let sessions = own::sessions(api, seat.seated())?;
    let name = Field {
        name: "name",
        label: "Name",
        value: &user.name,
        autocomplete: "name",
        required: true,
        ..Field::default()
    };
    let body = html! {
        (wrong(problem, &["name", "current", "password", codes::PASSWORD, "code"]))
        dl.facts {
            dt { "Mail address" } dd { (user.email) }
            dt { "Role" } dd { (user.role.word()) " of " (seat.seated().home.id) }
        }
        form method="post" action="/dashboard/you/name" {
            (token(seat))
            (name.line(problem))
            div.submit { button type="submit" { "Change the name" } }
        }
        @if let Some(external) = &user.external {
            p { "You log in by " code { (external.issuer) } ": a password and a second factor are set up there." }
        } @else {
            h2 { "Password" }
            (password_form(seat, user.password.is_some(), problem))
            h2 #codes { "Second factor" }
            (codes_shown::part(seat, user, problem))
        }
        h2 { "Sessions" }
        (sessions_table(seat, &sessions, api.clock.now()))
    };
    Ok(Page::new("You", Part::You).show_with(status, seat, &body))
}

fn password_form(seat: &Seat, has_one: bool, problem: Option<&Problem>) -> Markup {
    let current = fields::password("current", "The one of now");
    let new = fields::new_password("The new one", "At least 10 characters. All other sessions end.");
    html! {
        form method="post" action="/dashboard/you/password" {
            (token(seat))
            @if has_one { (current.line(problem)) }
            (new.line(problem))
            div.submit { button type="submit" { @if has_one { "Change the password" } @else { "Set a password" } } }
        }
    }
}

fn sessions_table(seat: &Seat, sessions: &[SessionView], now: u64) -> Markup {
    let this = seat.seated().session.id;
    html! {
        div.table tabindex="0" {
            table {
                thead { tr { th scope="col" { "Browser" } th scope="col" { "From" } th scope="col" { "Began" } th scope="col" { "Used" } th scope="col" { span.visually-hidden { "End" } } } }
                tbody {
                    @for session in sessions.iter().rev() {
                        tr {
                            td.wide { (browser_of(&session.user_agent)) @if session.session == this { " " span.tag { "this one" } } }
                            td { @if let Some(address) = session.address { code { (address) } } }
                            td { (time::text(Some(&session.created_at), now)) }
                            td { (time::text(Some(&session.last_used_at), now)) }
                            td {
                                @if session.session != this {
                                    form method="post" action={ "/dashboard/you/sessions/" (session.id) "/end" } {
                                        (token(seat))
                                        button.quiet type="submit" aria-label={ "End the session that began " (session.created_at) } { "End" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if sessions.len() > 1 {
            form method="post" action="/dashboard/you/sessions/end-others" {
                (token(seat))
                button type="submit" { "End all others" }
            }
        }
    }
}

/// What it is, as far as one word of it tells.
fn browser_of(user_agent: &str) -> &str {
    let known = ["Edg/", "OPR/", "Firefox/", "Chrome/", "Safari/", "curl/"];
    let names = ["Edge", "Opera", "Firefox", "Chrome", "Safari", "curl"];
    let found = known.iter().position(|word| user_agent.contains(word)).map(|at| names[at]);
    found.unwrap_or(if user_agent.is_empty() { "unknown" } else { user_agent })
}

/// Takes another name.
#[post("/dashboard/you/name")]
pub async fn rename(posted: Posted<Any>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let name = posted.fields.text("name").unwrap_or_default();
    match own::rename(&api, posted.seat.seated(), name).await {
        Ok(()) => Ok(on_to("/dashboard/you", "renamed")),
        Err(problem) => page(&api, &posted.seat, problem.status_code(), Some(&problem)),
    }
}

/// Sets another password; this session goes on with a new token.
#[post("/dashboard/you/password")]
pub async fn password(posted: Posted<Any>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let browser = Browser::of_form(&request)?;
    let said = |name| Zeroizing::new(posted.fields.raw(name).unwrap_or_default().to_owned());
    let set = own::set_password(&api, (posted.seat.seated(), &browser), said("current"), said("password"));
    match set.await {
        Ok(begun) => Ok(begin(&browser, &begun, Some("/dashboard/you?said=password"))),
        Err(problem) => page(&api, &posted.seat, problem.status_code(), Some(&problem)),
    }
}

/// Ends one of one's sessions.
#[post("/dashboard/you/sessions/{id}/end")]
pub async fn end(posted: Posted<Any>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Away> {
    own::end_sessions(&api, posted.seat.seated(), Some(&id)).await?;
    Ok(on_to("/dashboard/you", "sessions"))
}

/// Ends all but this one.
#[post("/dashboard/you/sessions/end-others")]
pub async fn end_others(posted: Posted<Any>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    own::end_sessions(&api, posted.seat.seated(), None).await?;
    Ok(on_to("/dashboard/you", "sessions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_named_by_the_word_that_tells_it() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
        assert_eq!(browser_of(chrome), "Chrome");
        assert_eq!(browser_of(&format!("{chrome} Edg/131.0")), "Edge");
        assert_eq!((browser_of("own-client 1"), browser_of("")), ("own-client 1", "unknown"));
    }
}
