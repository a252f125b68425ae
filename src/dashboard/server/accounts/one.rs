//! One account: what it is, what it has used of what it may have, and what can be done with it.

use actix_web::{HttpResponse, get, web};
use maud::{Markup, html};

use crate::api::Api;
use crate::api::access::auth::Oversees;
use crate::api::accounts::operations::existing;
use crate::api::accounts::usage::{UsageView, Used, usage};
use crate::api::accounts::view::{AccountView, account_view};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::links::{docs_of, of_account, part, with_query};
use crate::dashboard::parts::gauge::gauge;
use crate::dashboard::parts::{amount, copy, time};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::account::{DEFAULT_ACCOUNT, OPERATOR_ACCOUNT, Scope};
use crate::domain::time::UnixMs;

#[get("/dashboard/server/accounts/{id}")]
pub async fn show(seat: Looks<Oversees>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Away> {
    let account = existing(&api, &id)?;
    let (view, now) = (account_view(&account), api.clock.now());
    let used = usage(&api, account).await?;
    let body = html! { (facts(&seat, &view, now)) (usage_table(&view, &used, now)) (export(&seat, &view)) };
    Ok(Page { acts: acts(&seat, &view), ..Page::new(&view.id, Part::Accounts) }.show(&seat, &body))
}

/// Whether it is there from the start, and cannot be deleted.
pub fn is_lasting(id: &str) -> bool {
    id == DEFAULT_ACCOUNT || id == OPERATOR_ACCOUNT
}

fn acts(seat: &Seat, view: &AccountView) -> Markup {
    let here = |page: &str| seat.at_server(&format!("accounts/{}{page}", part(&view.id)));
    html! {
        a.button.main href=(of_account(&view.id, "")) { "Look at its pages" }
        a.button href=(of_account(&view.id, "keys")) { "Keys" }
        @if seat.may(Scope::Admin) {
            a.button href=(here("/edit")) { "Change" }
            @if !is_lasting(&view.id) { a.button.danger href=(here("/delete")) { "Delete" } }
        }
    }
}

fn facts(seat: &Seat, view: &AccountView, now: UnixMs) -> Markup {
    html! {
        dl.facts {
            dt { "Id" } dd { (copy::text(&view.id)) }
            dt { "Name" } dd dir="auto" { (view.name) }
            dt { "Contract" } dd { a href=(docs_of(&view.dialect)) { (view.dialect) }
                ": what its webhooks speak where they do not say" }
            dt { "Validation" } dd { (view.validation.word()) ": what is done with data that does not fit its type's schema" }
            dt { "Tags" } dd {
                @if view.tags.is_empty() { span.none { "none" } }
                @for tag in &view.tags { a.tag href=(with_query(&seat.at_server("accounts"), [("tag", Some(tag.as_str()))])) { (tag) } " " }
            }
            dt { "Made" } dd { (time::text(Some(&view.created_at), now)) }
        }
    }
}

/// A quota: what is used of it.
struct Quota<'a> {
    name: &'a str,
    used: &'a Used,
    shown: fn(u64) -> String,
    is_own: bool,
    at: Option<&'a str>,
}

fn usage_table(view: &AccountView, used: &UsageView, now: UnixMs) -> Markup {
    let (limits, count) = (&view.limits, amount::count as fn(u64) -> String);
    let row = |name, used, shown, is_own, at| Quota { name, used, shown, is_own, at };
    let days: fn(u64) -> String = |days| amount::of(days, "day", "days");
    let rows = [
        row("Events in this second", &used.events_per_second, count, limits.events_per_second.is_some(), None),
        row("New events today", &used.events_per_day, count, limits.events_per_day.is_some(), Some("events")),
        row("Webhooks", &used.webhooks, count, limits.webhooks_max.is_some(), Some("webhooks")),
        row("Keys", &used.keys, count, limits.keys_max.is_some(), Some("keys")),
        row("Event types of its own", &used.event_types, count, limits.event_types_max.is_some(), None),
        row("Bytes of event types", &used.event_type_bytes, amount::bytes, false, None),
        row("Bytes kept", &used.kept_bytes, amount::bytes, limits.kept_bytes_max.is_some(), None),
        row("Days kept", &used.kept_days, days, limits.kept_days_max.is_some(), None),
    ];
    html! {
        h2 { "What it has used" }
        div.table tabindex="0" { table {
            thead { tr { th scope="col" { "Of" } th.number scope="col" { "Used" } th.number scope="col" { "Limit" } th scope="col" { span.visually-hidden { "Share" } } th scope="col" { "Set by" } } }
            tbody { @for row in &rows { (quota(view, row)) } }
        } }
        p.hint { "The day ends " (time::text(Some(&used.day_ends_at), now)) ", UTC. Of what is kept beyond its limits the oldest goes; \
            anything else beyond them is refused." }
    }
}

fn quota(view: &AccountView, row: &Quota<'_>) -> Markup {
    let shown = |amount: Option<u64>| amount.map(row.shown);
    html! {
        tr {
            td { @if let Some(at) = row.at { a href=(of_account(&view.id, at)) { (row.name) } } @else { (row.name) } }
            td.number { (shown(row.used.used).unwrap_or_else(|| "not counted".into())) }
            td.number { (shown(row.used.limit).unwrap_or_else(|| "any".into())) }
            td { @if let (Some(used), Some(limit)) = (row.used.used, row.used.limit) {
                (gauge(used, limit, &format!("{} of {}", (row.shown)(used), (row.shown)(limit))))
            } }
            td { @if row.is_own { "this account" } @else { span.none { "the server" } } }
        }
    }
}

fn export(seat: &Seat, view: &AccountView) -> Markup {
    html! {
        h2 { "Export" }
        p { "Everything of it as NDJSON, one object a line: webhooks without their secrets, events with their data, deliveries with all \
             attempts, the audit log." }
        form method="post" data-file action=(of_account(&view.id, "export")) { (token(seat)) button type="submit" { "Export" } }
    }
}
