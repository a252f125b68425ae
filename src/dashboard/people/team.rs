//! The users of an account, for its owners: who they are, invite, change, send a link, remove.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, post, web};
use maud::{Markup, html};

use crate::api::access::auth::Peoples;
use crate::api::docs::site::asked_at;
use crate::api::people::acts;
use crate::api::people::input::{UserChange, UserInput};
use crate::api::people::view::{LinkView, UserState, UserView, user_view};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::links;
use crate::dashboard::of::Of;
use crate::dashboard::parts::confirm::Confirm;
use crate::dashboard::parts::copy;
use crate::dashboard::parts::field::{Field, wrong};
use crate::dashboard::parts::said::on_to;
use crate::dashboard::parts::state::{Meaning, state};
use crate::dashboard::parts::time;
use crate::dashboard::posted::{Fields, Posted};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::Invalid;
use crate::domain::user::Role;

/// The roles, as one chooses them.
const ROLES: [(&str, &str); 3] = [
    ("viewer", "viewer: sees all, changes nothing"),
    ("operator", "operator: tests, replays, publishes, pauses"),
    ("owner", "owner: everything, users included"),
];

/// Its routes, below an account's address.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(list).service(invite);
    to.service(show).service(change).service(reset).service(end_sessions);
    to.service(remove_page).service(remove);
}

/// The users.
#[get("/people")]
async fn list(seat: Looks<Peoples>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    list_page(&api, &seat, StatusCode::OK, &Fields::default(), None)
}

fn list_page(
    api: &Api,
    seat: &Seat,
    status: StatusCode,
    said: &Fields,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Away> {
    let (users, now) = (acts::users(api, seat.tenant())?, api.clock.now());
    let body = html! {
        div.table tabindex="0" {
            table {
                thead { tr { th scope="col" { "Name" } th scope="col" { "Mail address" } th scope="col" { "Role" } th scope="col" { "State" } th scope="col" { "Second factor" } th scope="col" { "Logged in" } } }
                tbody {
                    @for user in users.iter().map(|user| user_view(user, None)) {
                        @let at = seat.at(&format!("people/{}", links::part(&user.id)));
                        tr data-href=(at) {
                            td { a href=(at) { (user.name) } }
                            td.wide { (user.email) }
                            td { (user.role.word()) }
                            td { (state_of(&user)) }
                            td { @if user.second_factor { "yes" } @else { span.none { "no" } } }
                            td { (time::text(user.logged_in_at.as_deref(), now)) }
                        }
                    }
                }
            }
        }
        h2 #invite { "Invite somebody" }
        (invite_form(seat, said, problem))
    };
    Ok(Page::new("People", Part::People).show_with(status, seat, &body))
}

fn invite_form(seat: &Seat, said: &Fields, problem: Option<&Problem>) -> Markup {
    let value = |name| said.text(name).unwrap_or_default();
    let email = Field {
        name: "email",
        label: "Mail address",
        value: value("email"),
        kind: "email",
        required: true,
        hint: "What the user logs in with. No mail is sent: you get a link to hand over.",
        ..Field::default()
    };
    let name = Field { name: "name", label: "Name", value: value("name"), ..Field::default() };
    let role = Field { name: "role", label: "Role", value: value("role"), required: true, ..Field::default() };
    html! {
        (wrong(problem, &["email", "name", "role"]))
        form method="post" action=(seat.at("people")) {
            (token(seat))
            div.field-row { (email.line(problem)) (name.line(problem)) (role.choice(&ROLES, problem)) }
            div.submit { button.main type="submit" { "Invite" } }
        }
    }
}

fn state_of(user: &UserView) -> Markup {
    match user.state {
        UserState::Invited => state(Meaning::Waiting, "invited"),
        UserState::Active => state(Meaning::Well, "active"),
        UserState::Disabled => state(Meaning::Off, "disabled"),
    }
}

/// Invites; shows the link.
#[post("/people")]
async fn invite(posted: Posted<Peoples>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let Posted { seat, fields, .. } = &posted;
    let invited = async {
        let input = UserInput {
            email: fields.text("email").unwrap_or_default().to_owned(),
            name: fields.text("name").map(str::to_owned),
            role: fields.text("role").map(role).transpose()?,
        };
        acts::invite(&api, seat.tenant(), input, &asked_at(&request)).await
    };
    match invited.await {
        Ok(user) => Ok(link_page(seat, &user, "Invited")),
        Err(problem) => list_page(&api, seat, problem.status_code(), fields, Some(&problem)),
    }
}

fn role(word: &str) -> Result<Role, Problem> {
    Ok(Role::of(word).ok_or_else(|| Invalid::new("role", "must be viewer, operator or owner"))?)
}

/// The one page that shows a link.
fn link_page(seat: &Seat, user: &UserView, title: &str) -> HttpResponse {
    let body = html! {
        @if let Some(LinkView { url, ends_at }) = &user.link {
            p { "Hand this link to " strong { (user.name) } " over a way that you trust: whoever has it logs in as " (user.email) "." }
            (copy::command(url))
            p.note { "It is shown this once, and good for one use until " time datetime=(ends_at) { (ends_at) } ". Links of before are good no more." }
        }
        p { a.button href=(seat.at("people")) { "Back to the people" } }
    };
    Page::new(title, Part::People).show(seat, &body)
}

/// One user.
#[get("/people/{id}")]
async fn show(seat: Looks<Peoples>, api: web::Data<Api>, path: web::Path<Of>) -> Result<HttpResponse, Away> {
    user_page(&api, &seat, &path.id, StatusCode::OK, None)
}

fn user_page(
    api: &Api,
    seat: &Seat,
    id: &str,
    status: StatusCode,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Away> {
    let (user, now) = (user_view(&*acts::user_of(api, seat.tenant(), id)?, None), api.clock.now());
    let sessions = acts::sessions(api, seat.tenant(), id)?;
    let at = |act: &str| seat.at(&format!("people/{}{act}", links::part(&user.id)));
    let is_oneself = seat.seated().user.as_ref().is_some_and(|own| own.id.to_string() == user.id);
    let body = html! {
        dl.facts {
            dt { "Mail address" } dd { (user.email) }
            dt { "State" } dd { (state_of(&user)) }
            dt { "Invited" } dd { (time::text(Some(&user.created_at), now)) }
            dt { "Logged in" } dd { (time::text(user.logged_in_at.as_deref(), now)) }
            dt { "Sessions" } dd { (sessions.len()) }
            dt { "Second factor" } dd { @if user.second_factor { "set up" } @else { "none" } }
            @if let Some(provider) = &user.identity_provider { dt { "Logs in by" } dd { (provider) } }
        }
        @if is_oneself {
            (wrong(problem, &[]))
            p { "This is you: " a href="/dashboard/you" { "name, password, second factor" } ". Your role can only be changed by another owner." }
        } @else {
            (change_form(seat, &user, &at(""), problem))
            h2 { "Let back in" }
            form method="post" action=(at("/reset")) {
                (token(seat))
                p { "A link to hand over, with which the user sets " @if user.state == UserState::Invited { "the first" } @else { "another" } " password." }
                button type="submit" { "Make a link" }
            }
            @if !sessions.is_empty() {
                form method="post" action=(at("/end-sessions")) { (token(seat)) p { button type="submit" { "End all sessions" } } }
            }
            p { a.button.danger href=(at("/remove")) { "Remove…" } }
        }
    };
    Ok(Page::new(&user.name, Part::People).show_with(status, seat, &body))
}

fn change_form(seat: &Seat, user: &UserView, at: &str, problem: Option<&Problem>) -> Markup {
    let name = Field { name: "name", label: "Name", value: &user.name, required: true, ..Field::default() };
    let role = Field { name: "role", label: "Role", value: user.role.word(), required: true, ..Field::default() };
    let disabled = Field {
        name: "disabled",
        label: "May not log in",
        hint: "All sessions end; nothing else is lost.",
        ..Field::default()
    };
    let factor = Field {
        name: "no_second_factor",
        label: "Take the second factor away",
        hint: "For somebody who has lost app and recovery codes.",
        ..Field::default()
    };
    html! {
        (wrong(problem, &["name", "role", "disabled"]))
        form method="post" action=(at) {
            (token(seat))
            (name.line(problem))
            (role.choice(&ROLES, problem))
            (disabled.tick(user.state == UserState::Disabled))
            @if user.second_factor { (factor.tick(false)) }
            div.submit { button.main type="submit" { "Change" } }
        }
    }
}

/// Changes a user.
#[post("/people/{id}")]
async fn change(posted: Posted<Peoples>, api: web::Data<Api>, path: web::Path<Of>) -> Result<HttpResponse, Away> {
    let Posted { seat, fields, .. } = &posted;
    let before = acts::user_of(&api, seat.tenant(), &path.id)?;
    let changed = async {
        let (role, disabled) = (fields.text("role").map(role).transpose()?, fields.is_on("disabled"));
        let input = UserChange {
            name: Some(fields.text("name").unwrap_or_default().to_owned()),
            role: role.filter(|role| *role != before.role),
            disabled: (disabled != before.disabled_at.is_some()).then_some(disabled),
            second_factor: fields.is_on("no_second_factor").then_some(false),
        };
        acts::change(&api, seat.tenant(), &path.id, input).await
    };
    match changed.await {
        Ok(user) => {
            let said = if user.role == before.role { "saved" } else { "role" };
            Ok(on_to(&seat.at(&format!("people/{}", links::part(&user.id))), said))
        }
        Err(problem) => user_page(&api, seat, &path.id, problem.status_code(), Some(&problem)),
    }
}

/// Makes a link; shows it.
#[post("/people/{id}/reset")]
async fn reset(
    posted: Posted<Peoples>,
    api: web::Data<Api>,
    path: web::Path<Of>,
    request: HttpRequest,
) -> Result<HttpResponse, Away> {
    let user = acts::link(&api, posted.seat.tenant(), &path.id, &asked_at(&request)).await?;
    Ok(link_page(&posted.seat, &user, "A link to set a password"))
}

/// Ends all sessions of a user.
#[post("/people/{id}/end-sessions")]
async fn end_sessions(posted: Posted<Peoples>, api: web::Data<Api>, path: web::Path<Of>) -> Result<HttpResponse, Away> {
    acts::end_sessions(&api, posted.seat.tenant(), &path.id, None).await?;
    Ok(on_to(&posted.seat.at(&format!("people/{}", links::part(&path.id))), "sessions"))
}

/// Asks before a user is removed.
#[get("/people/{id}/remove")]
async fn remove_page(seat: Looks<Peoples>, api: web::Data<Api>, path: web::Path<Of>) -> Result<HttpResponse, Away> {
    let user = acts::user_of(&api, seat.tenant(), &path.id)?;
    let sessions = acts::sessions(&api, seat.tenant(), &path.id)?.len();
    let at = |act: &str| seat.at(&format!("people/{}{act}", links::part(&path.id)));
    let confirm = Confirm {
        words: &html! {
            p { strong { (user.name) } " (" (user.email) ") cannot log in any more; " (sessions) @if sessions == 1 { " session ends." } @else { " sessions end." } }
            p { "What the user did stays in the audit log. Whoever is to come back is invited anew." }
        },
        action: &at("/remove"),
        button: "Remove the user",
        back: &at(""),
        fields: &[],
    };
    Ok(Page::new("Remove a user", Part::People).show(&seat, &confirm.show(&seat)))
}

/// Removes a user.
#[post("/people/{id}/remove")]
async fn remove(posted: Posted<Peoples>, api: web::Data<Api>, path: web::Path<Of>) -> Result<HttpResponse, Away> {
    acts::remove(&api, posted.seat.tenant(), &path.id).await?;
    Ok(on_to(&posted.seat.at("people"), "removed"))
}
