//! The audit log of an account: who did what, when, and from where.

use actix_web::{HttpResponse, get, web};
use maud::{Markup, html};

use crate::api::Api;
use crate::api::access::auth::Manage;
use crate::api::audit::{AuditBy, AuditFilter, AuditView, entries};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links::{changed, part, value};
use crate::dashboard::parts::{copy, empty, pager, time};
use crate::dashboard::reading::{read, window};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::time::UnixMs;

/// Its route.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(list);
}

#[get("/audit")]
async fn list(seat: Looks<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let asked = |name| value(seat.asked(), name);
    let (action, target, from, to) = (asked("action"), asked("target"), asked("from"), asked("to"));
    let filter = AuditFilter { action: action.clone(), target: target.clone(), from: from.clone(), to: to.clone() };
    let rows = entries(&api, seat.tenant(), filter)?;
    let listed = read(&api, seat.account().number, window(seat.asked())?, rows).await?;
    let is_filtered = action.is_some() || target.is_some() || from.is_some() || to.is_some();
    let body = html! {
        form.filters method="get" action=(seat.at("audit")) {
            label { "What was done" input type="text" name="action" value=[action] placeholder="webhook.changed" spellcheck="false"; }
            label { "To the thing of this id" input type="text" name="target" value=[target] spellcheck="false"; }
            label { "From" input type="text" name="from" value=[from] placeholder="2026-01-15T09:30:00Z" spellcheck="false"; }
            label { "Before" input type="text" name="to" value=[to] placeholder="2026-01-16T00:00:00Z" spellcheck="false"; }
            button type="submit" { "Filter" }
            @if is_filtered { a.button.quiet href=(seat.at("audit")) { "All" } }
        }
        @if listed.rows.is_empty() {
            (empty::empty(if is_filtered { "Nothing was done that is like this." } else { "Nothing was done yet." }, None))
        } @else { (table(&seat, &listed.rows, api.clock.now())) }
        (pager::pager(seat.asked(), listed.cursor().as_deref()))
    };
    Ok(Page::new("Audit", Part::Audit).show(&seat, &body))
}

fn table(seat: &Seat, rows: &[AuditView], now: UnixMs) -> Markup {
    html! {
        div.table { table {
            thead { tr { th { "When" } th { "What was done" } th { "To" } th { "Settings" } th { "By" } th { "From" } } }
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
        @if let Some(page) = page { a href=(page) title=(row.target) { (copy::short(&row.target)) } (copy::button(&row.target)) }
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
