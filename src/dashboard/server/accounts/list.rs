//! All accounts, each with what there is of it.

use actix_web::{HttpResponse, get, web};
use maud::{Markup, html};

use crate::api::Api;
use crate::api::access::auth::Oversees;
use crate::api::accounts::filter::AccountsFilter;
use crate::api::across::{AccountSummary, Everything, everything, summaries};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links::{self, of_account, part, with_query};
use crate::dashboard::parts::{amount, empty, pager, time};
use crate::dashboard::reading::{read, window};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::account::Scope;
use crate::domain::time::UnixMs;

#[get("/dashboard/server/accounts")]
pub async fn show(seat: Looks<Oversees>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let asked = |name| links::value(seat.asked(), name);
    let (tag, text) = (asked("tag"), asked("text"));
    let filter = AccountsFilter { tag: tag.clone(), text: text.clone() };
    let rows = move |api: &Api, window| summaries(api, &filter, window);
    let listed = read(&api, seat.account().number, window(seat.asked())?, rows).await?;
    let body = html! {
        (sums(&everything(&api)))
        (filters(&seat, text.as_deref(), tag.as_deref()))
        @if listed.rows.is_empty() {
            (empty::empty("No account is like this. Look for another id, name or tag, or make an account.", None))
        } @else {
            (table(&seat, &listed.rows, api.clock.now()))
        }
        (pager::pager(seat.asked(), listed.cursor().as_deref()))
    };
    let acts = html! {
        @if seat.may(Scope::Admin) { a.button.main href=(seat.at_server("accounts/new")) { "New account" } }
    };
    Ok(Page { acts, ..Page::new("Accounts", Part::Accounts) }.show(&seat, &body))
}

fn sums(all: &Everything) -> Markup {
    let webhooks: usize = all.webhooks.iter().map(|(_, count)| count).sum();
    let parts = all.webhooks.iter().filter(|(_, count)| *count > 0);
    let parts: Vec<String> =
        parts.map(|(status, count)| format!("{} {status}", amount::count(*count as u64))).collect();
    html! {
        p {
            (amount::of(all.accounts as u64, "account", "accounts")) " with " (amount::of(webhooks as u64, "webhook", "webhooks"))
            @if !parts.is_empty() { " (" (parts.join(", ")) ")" } "; "
            (amount::of(all.totals.open(), "delivery", "deliveries")) " open, " (amount::bytes(all.kept_bytes)) " kept."
        }
    }
}

fn filters(seat: &Seat, text: Option<&str>, tag: Option<&str>) -> Markup {
    html! {
        form.filters method="get" action=(seat.at_server("accounts")) {
            label { "Id or name" input type="search" name="text" value=[text] maxlength="200" spellcheck="false"; }
            label { "Tag" input type="text" name="tag" value=[tag] maxlength="64" spellcheck="false"; }
            button type="submit" { "Filter" }
            @if text.is_some() || tag.is_some() { a.button.quiet href=(seat.at_server("accounts")) { "All" } }
        }
    }
}

fn table(seat: &Seat, rows: &[AccountSummary], now: UnixMs) -> Markup {
    html! {
        div.table tabindex="0" { table {
            thead { tr {
                th scope="col" { "Account" } th scope="col" { "Name" } th.number scope="col" { "Webhooks" } th.number scope="col" { "Keys" } th.number scope="col" { "Events today" }
                th.number scope="col" { "Kept" } th scope="col" { "Contract" } th scope="col" { "Tags" } th scope="col" { "Made" }
            } }
            tbody { @for row in rows { (line(seat, row, now)) } }
        } }
    }
}

fn line(seat: &Seat, row: &AccountSummary, now: UnixMs) -> Markup {
    let account = &row.account;
    let page = seat.at_server(&format!("accounts/{}", part(&account.id)));
    html! {
        tr data-href=(page) {
            td { a href=(page) { (account.id) } }
            td.wide dir="auto" { (account.name) }
            td.number { a href=(of_account(&account.id, "webhooks")) { (amount::count(row.webhooks as u64)) } }
            td.number { a href=(of_account(&account.id, "keys")) { (amount::count(row.keys as u64)) } }
            td.number { (known(row.events_today.map(amount::count))) }
            td.number { (known(row.kept_bytes.map(amount::bytes))) }
            td { (account.dialect) }
            td { @for tag in &account.tags {
                a.tag href=(with_query(&seat.at_server("accounts"), [("tag", Some(tag.as_str()))])) { (tag) } " "
            } }
            td { (time::at(account.created_at, now)) }
        }
    }
}

fn known(amount: Option<String>) -> Markup {
    html! {
        @if let Some(amount) = amount { (amount) }
        @else { span.none title="It has very many webhooks: see its own page" { "–" } }
    }
}
