//! The keys of an account: who may call the API in its name. What stays true: the text of a key is on the page that its making
//! answers with, and nowhere else.

use actix_web::{HttpRequest, HttpResponse, ResponseError, get, post, web};
use maud::{Markup, html};

use crate::api::access::auth::{Admin, Oversees};
use crate::api::accounts::input::KeyInput;
use crate::api::accounts::operations::{self, key, keys};
use crate::api::accounts::view::KeyView;
use crate::api::docs::site::asked_at;
use crate::api::http::request::read_map;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::links::part;
use crate::dashboard::parts::confirm::Confirm;
use crate::dashboard::parts::field::{Field, wrong};
use crate::dashboard::parts::said::on_to;
use crate::dashboard::parts::{copy, empty, pager, time};
use crate::dashboard::posted::{Fields, Posted};
use crate::dashboard::reading::{read, window};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::account::Scope;
use crate::domain::time::{DAY_MS, UnixMs, rfc3339};

/// After how many days a new key may expire, and what that is called.
const ENDS: [(&str, &str); 5] =
    [("", "never"), ("7", "in 7 days"), ("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year")];
/// What a key may do, in words.
const SCOPES: [(Scope, &str); 5] = [
    (Scope::Publish, "Publish events."),
    (Scope::Read, "See webhooks, events and deliveries."),
    (Scope::Manage, "Create, change, test and replay webhooks; read and consume as well."),
    (Scope::Consume, "Pull deliveries, and say what became of them; nothing else."),
    (Scope::Admin, "Everything, for every account: for the operator's own tools."),
];

/// Their routes. What is fixed comes before what is an id.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(list).service(ask).service(create).service(ask_revoke).service(revoke);
}

#[get("/keys")]
async fn list(seat: Looks<Oversees>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let account = seat.account().clone();
    let rows = move |api: &Api, window| Ok(keys(api, &account, window));
    let listed = read(&api, seat.account().number, window(seat.asked())?, rows).await?;
    let body = html! {
        p { "A key calls the API in the name of this account. People log in instead: nobody needs a key to look." }
        @if listed.rows.is_empty() {
            (empty::empty("There is no key yet. Make one for your backend, with the scope publish.", None))
        } @else { (table(&seat, &listed.rows, api.clock.now())) }
        (pager::pager(seat.asked(), listed.cursor().as_deref()))
    };
    let acts = html! { @if seat.may(Scope::Admin) { a.button.main href=(seat.at("keys/new")) { "New key" } } };
    Ok(Page { acts, ..Page::new("Keys", Part::Keys) }.show(&seat, &body))
}

fn table(seat: &Seat, rows: &[KeyView], now: UnixMs) -> Markup {
    html! {
        div.table tabindex="0" { table {
            thead { tr { th scope="col" { "Name" } th scope="col" { "Id" } th scope="col" { "Scopes" } th scope="col" { "Made" } th scope="col" { "Last used" } th scope="col" { "Expires" } th scope="col" { span.visually-hidden { "What can be done" } } } }
            tbody { @for row in rows { tr data-row {
                td.wide dir="auto" { @if let Some(name) = &row.name { (name) } @else { span.none { "without a name" } } }
                td { (copy::id(&row.id)) }
                td { (scopes(row)) }
                td { (time::text(Some(&row.created_at), now)) }
                td { @if row.last_used_at.is_some() { (time::text(row.last_used_at.as_deref(), now)) } @else { span.none { "never" } } }
                td { @if row.expires_at.is_some() { (time::text(row.expires_at.as_deref(), now)) } @else { span.none { "never" } } }
                td { @if seat.may(Scope::Admin) { a href=(seat.at(&format!("keys/{}/revoke", part(&row.id)))) { "Revoke" } } }
            } } }
        } }
    }
}

fn scopes(row: &KeyView) -> Markup {
    html! { @for scope in &row.scopes { span.tag { (scope.word()) } " " } }
}

#[get("/keys/new")]
async fn ask(seat: Looks<Admin>) -> Result<HttpResponse, Away> {
    Ok(Page::new("New key", Part::Keys).show(&seat, &form(&seat, &Fields::default(), None)))
}

#[post("/keys")]
async fn create(posted: Posted<Admin>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let Posted { seat, fields, .. } = posted;
    let made = match read_map::<KeyInput>(told(&fields, api.clock.wall())) {
        Ok(input) => operations::create_key(&api, seat.tenant(), &seat.account().id, input).await,
        Err(problem) => Err(problem),
    };
    match made {
        Ok(key) => Ok(Page::new("Key made", Part::Keys).show(&seat, &shown_once(&seat, &key, &asked_at(&request)))),
        Err(problem) if problem.status_code().is_client_error() => {
            let form = form(&seat, &fields, Some(&problem));
            Ok(Page::new("New key", Part::Keys).show_with(problem.status_code(), &seat, &form))
        }
        Err(problem) => Err(problem.into()),
    }
}

/// What the form says, with the API's names.
fn told(fields: &Fields, now: UnixMs) -> serde_json::Map<String, serde_json::Value> {
    let mut told = serde_json::Map::new();
    told.insert("scopes".into(), fields.all("scopes").collect::<Vec<_>>().into());
    told.extend(fields.text("name").map(|name| ("name".into(), name.into())));
    let days = fields.text("expires_at").map(|text| text.parse::<u64>().ok().filter(|days| *days <= 36_500));
    told.extend(days.map(|days| {
        let at = days.map_or_else(|| "never".to_owned(), |days| rfc3339(now + days * DAY_MS));
        ("expires_at".into(), at.into())
    }));
    told
}

fn form(seat: &Seat, fields: &Fields, problem: Option<&Problem>) -> Markup {
    let value = |name| fields.raw(name).unwrap_or_default();
    let ticked = |scope: Scope| match problem {
        Some(_) => fields.all("scopes").any(|one| one == scope.word()),
        None => scope == Scope::Publish,
    };
    html! {
        (wrong(problem, &["name", "expires_at"]))
        form method="post" action=(seat.at("keys")) {
            (token(seat))
            (Field { name: "name", label: "Name", value: value("name"), hint: "For people: who uses it, and where.", ..Field::default() }
                .line(problem))
            fieldset.field {
                legend { "What it may do" }
                @for (scope, words) in SCOPES {
                    label.scope {
                        input type="checkbox" name="scopes" value=(scope.word()) checked[ticked(scope)];
                        span { b { (scope.word()) } " " (words) }
                    }
                }
            }
            (Field { name: "expires_at", label: "Expires", value: value("expires_at"), ..Field::default() }.choice(&ENDS, problem))
            p.submit { button.main type="submit" { "Make the key" } a.button.quiet href=(seat.at("keys")) { "Not now" } }
        }
    }
}

fn shown_once(seat: &Seat, key: &KeyView, origin: &str) -> Markup {
    let text = key.key.as_deref().unwrap_or_default();
    html! {
        p.note { "This is the only time that the key is shown. Keep it where your backend reads its secrets." }
        (copy::command(text))
        dl.facts {
            dt { "Name" } dd dir="auto" { (key.name.as_deref().unwrap_or("without a name")) }
            dt { "Scopes" } dd { (scopes(key)) }
            dt { "Id" } dd { (copy::text(&key.id)) }
        }
        h2 { "Try it" }
        (copy::command(&format!("curl -sS {origin}/api/v1/whoami -H \"Authorization: Bearer {text}\"")))
        p { a.button href=(seat.at("keys")) { "I have it" } }
    }
}

#[get("/keys/{key}/revoke")]
async fn ask_revoke(
    seat: Looks<Admin>,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Away> {
    let key = key(&api, seat.account(), &path.1)?;
    let now = api.clock.now();
    let words = html! {
        p { "The key " b { (key.name.as_deref().unwrap_or(&key.id)) } " is refused from then on, wherever it is in use. It was last used "
            @if key.last_used_at.is_some() { (time::text(key.last_used_at.as_deref(), now)) } @else { "never" } "." }
        p { "A key that was revoked cannot come back; you can make another." }
    };
    let action = seat.at(&format!("keys/{}/revoke", part(&key.id)));
    let back = seat.at("keys");
    let confirm = Confirm { words: &words, action: &action, button: "Revoke the key", back: &back, fields: &[] };
    Ok(Page::new("Revoke this key?", Part::Keys).show(&seat, &confirm.show(&seat)))
}

#[post("/keys/{key}/revoke")]
async fn revoke(
    posted: Posted<Admin>,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Away> {
    let seat = posted.seat;
    operations::revoke_key(&api, seat.tenant(), seat.account().number, &path.1).await?;
    Ok(on_to(&seat.at("keys"), "revoked"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_expires_so_many_days_from_now() {
        let of = |body: &[u8]| serde_json::Value::Object(told(&Fields::read(body), DAY_MS));
        let all = of(b"name=+ci+&scopes=publish&scopes=read&expires_at=7");
        assert_eq!(all, json!({"scopes": ["publish", "read"], "name": "ci", "expires_at": "1970-01-09T00:00:00.000Z"}));
        assert_eq!(of(b"name=&expires_at="), json!({"scopes": []}));
        assert_eq!(of(b"expires_at=soon")["expires_at"], "never", "which the API refuses, and names");
    }
}
