//! The audit log of an account: who did what, when, and from where.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError, get, web};
use maud::{Markup, html};

use crate::api::access::auth::Manage;
use crate::api::audit::{AuditBy, AuditFilter, AuditView, entries};
use crate::api::http::list::page_of;
use crate::api::http::page::PageReply;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links::{changed, part};
use crate::dashboard::parts::asked::Asked;
use crate::dashboard::parts::filter::{self, Filter};
use crate::dashboard::parts::rows::pages;
use crate::dashboard::parts::{copy, empty, time};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::time::UnixMs;

/// Its route.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(list);
}

#[get("/audit")]
async fn list(seat: Looks<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let asked = Asked::of(&seat);
    let found = found(&api, &seat, &asked).await;
    let problem = found.as_ref().err();
    let status = problem.map_or(StatusCode::OK, ResponseError::status_code);
    let field = |name, label, example| Filter { name, label, value: asked.text(name), example, list: "" };
    let fields = html! {
        (field("action", "What was done", "webhook.changed").text(problem))
        (field("target", "To the thing of this id", "").text(problem))
        (field("from", "From, UTC", "").time(problem))
        (field("to", "Until, UTC", "").time(problem))
    };
    let nothing = if asked.is_filtered() { "Nothing was done that is like this." } else { "Nothing was done yet." };
    let body = html! {
        (filter::form(&fields, &seat.at("audit"), problem))
        @if let Ok(page) = &found {
            @if page.data.is_empty() && page.next_cursor.is_none() { (empty::empty(nothing, None)) }
            @else { (table(&seat, &page.data, api.clock.now())) }
            (pages(&asked, page))
        }
    };
    Ok(Page::new("Audit", Part::Audit).show_with(status, &seat, &body))
}

async fn found(api: &web::Data<Api>, seat: &Seat, asked: &Asked) -> Result<PageReply<AuditView>, Problem> {
    let query = asked.list::<AuditFilter>(&[])?;
    let rows = entries(api, seat.tenant(), query.filter)?;
    page_of(api, seat.account().number, query.part, rows).await
}

fn table(seat: &Seat, rows: &[AuditView], now: UnixMs) -> Markup {
    html! {
        div.table tabindex="0" { table {
            thead { tr { th scope="col" { "When" } th scope="col" { "What was done" } th scope="col" { "To" } th scope="col" { "Settings" } th scope="col" { "By" } th scope="col" { "From" } } }
            tbody { @for row in rows { tr data-row {
                td { (time::text(Some(&row.at), now)) }
                td { a href=(changed(seat.asked(), &[("action", Some(row.action.as_str())), ("cursor", None)])) { (row.action) } }
                td { (target(seat, row)) }
                td.wide { (row.fields.join(", ")) }
                td.wide dir="auto" { (by(row)) }
                td { @if let Some(address) = row.address { (address) } @else { span.none { "–" } } }
            } } }
        } }
    }
}

/// What it was done to, with the way there where there is a page of it.
fn target(seat: &Seat, row: &AuditView) -> Markup {
    let page = match row.action.split('.').next() {
        Some("webhook") if row.action != "webhook.deleted" => Some(seat.at(&format!("webhooks/{}", part(&row.target)))),
        Some("delivery") => Some(seat.at(&format!("deliveries/{}", part(&row.target)))),
        Some("event") => Some(seat.at(&format!("events/{}", part(&row.target)))),
        _ => None,
    };
    html! {
        @if let Some(page) = page { (copy::linked_id(&page, &row.target)) }
        @else { (copy::id(&row.target)) }
    }
}

fn by(row: &AuditView) -> Markup {
    let kind = match row.by {
        AuditBy::Key => "key",
        AuditBy::User => "user",
        AuditBy::Guest => "guest of the portal",
        AuditBy::Operator => "operator",
        AuditBy::Server => "the server itself",
    };
    html! {
        (kind)
        @if let Some(name) = row.user_name.as_deref().or(row.key_name.as_deref()).or(row.key_id.as_deref()) { " " span.none { (name) } }
    }
}
