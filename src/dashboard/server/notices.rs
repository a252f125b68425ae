//! Notices: who is told when something is wrong with an account's webhooks, how often, and what was told lately.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, get, web};
use maud::{Markup, html};

use crate::api::Api;
use crate::api::access::auth::{Read, Tenant};
use crate::api::deliveries::history::{History, Row};
use crate::api::docs::site::asked_at;
use crate::api::http::page::Window;
use crate::api::http::problem::Problem;
use crate::api::masking::own_url;
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links::{of_account, part, with_query};
use crate::dashboard::parts::state::{Meaning, of_delivery, state};
use crate::dashboard::parts::{command, copy, time};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::ability::Ability;
use crate::domain::account::{OPERATOR_ACCOUNT, Scope};
use crate::domain::notice::{self, HEARERS_MAX, kind_of};
use crate::domain::time::UnixMs;
use crate::domain::webhook::Webhook;

/// Of each webhook that hears notices so many are shown.
const TOLD_OF_EACH: usize = 8;
/// In all so many.
const TOLD_MAX: usize = 40;

/// Its route.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(show);
}

#[get("/notices")]
async fn show(seat: Looks<Read>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let (at, tenant) = (api.clone(), seat.tenant().clone());
    let hearers = api.read(seat.account().number, move || hearers(&at, &tenant)).await??;
    let (now, is_operators) = (api.clock.now(), seat.account().id == OPERATOR_ACCOUNT);
    let body = html! {
        p { @if is_operators {
            "The webhooks of this account are told of all accounts and of the server itself: when an endpoint keeps failing, a webhook is \
             disabled, a delivery is dead, space is low, a record cannot be read."
        } @else {
            "A webhook that hears notices is told when something is wrong with the others of this account: an endpoint that keeps \
             failing, a webhook that is disabled, a delivery that is dead, a quota that is reached."
        } }
        @if seat.is_operator() && !is_operators {
            p { "What the server tells you yourself: " a href=(of_account(OPERATOR_ACCOUNT, "notices")) { "the operator's notices" } "." }
        }
        @if hearers.is_empty() { (nobody(&seat, &asked_at(&request))) } @else {
            (table(&seat, &hearers))
            (told(&seat, &hearers, now))
        }
        (kinds())
    };
    let new = with_query(&seat.at("webhooks/new"), [("notices.on", (!is_operators).then_some("on"))]);
    let acts = html! { @if seat.can(Ability::Manage) { a.button.main href=(new) { "New webhook" } } };
    Ok(Page { acts, ..Page::new("Notices", Part::Notices) }.show(&seat, &body))
}

/// A webhook that hears notices, and what it was told lately.
struct Hearer {
    webhook: Arc<Webhook>,
    url: Option<String>,
    told: Vec<Row>,
}

fn hearers(api: &Api, tenant: &Tenant) -> Result<Vec<Hearer>, Problem> {
    let account = tenant.account();
    // What is an event there is a notice.
    let hears = |webhook: &Arc<Webhook>| webhook.notices.is_some() || account.id == OPERATOR_ACCOUNT;
    let found: Vec<_> = {
        let registry = api.store.registry();
        let is_operator = account.id == OPERATOR_ACCOUNT;
        let most = if is_operator { HEARERS_MAX } else { registry.count_of_hearers(account.number).min(HEARERS_MAX) };
        registry.webhooks_of(account.number).filter(hears).take(most).collect()
    };
    let (dialects, may_manage) = (api.dialects.now(), tenant.may(Scope::Manage));
    let hearer = |webhook: Arc<Webhook>| {
        let told = History::of(api, webhook.clone())?.deliveries(Window::newest(TOLD_OF_EACH), |_| true)?.rows;
        let url = webhook.shown_url().map(|url| own_url(&webhook, url, &dialects, may_manage));
        Ok(Hearer { webhook, url, told })
    };
    found.into_iter().map(hearer).collect()
}

fn nobody(seat: &Seat, origin: &str) -> Markup {
    let body = r#"{"url":"https://example.com/notices","events":["*"],"notices":{"quiet_seconds":300}}"#;
    let command = command::post(seat, origin, "webhooks", body);
    html! {
        div.empty {
            p { "Nobody is told: what goes wrong is only a line in the server's log. Make a webhook that hears notices, in a chat, at a \
                 pager or by mail." }
            (copy::command(&command))
        }
    }
}

fn table(seat: &Seat, hearers: &[Hearer]) -> Markup {
    html! {
        h2 { "Who is told" }
        div.table tabindex="0" { table {
            thead { tr { th scope="col" { "Webhook" } th scope="col" { "Where" } th scope="col" { "Which notices" } th scope="col" { "Quiet time" } th scope="col" { "Status" } } }
            tbody { @for Hearer { webhook, url, .. } in hearers {
                @let page = seat.at(&format!("webhooks/{}", part(&webhook.id.to_string())));
                tr data-href=(page) {
                    td dir="auto" { a href=(page) { (webhook.label()) } }
                    td.url { @if let Some(url) = url { (url) } @else { span.none { "pulled" } } }
                    td { (webhook.events.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
                    td { (quiet(webhook)) }
                    td { @if webhook.is_active() { (state(Meaning::Well, "active")) } @else { (state(Meaning::Trouble, webhook.status_word())) } }
                }
            } }
        } }
        p.hint { "After a notice further ones of its kind are counted for the quiet time, and told as one at its end." }
    }
}

fn quiet(webhook: &Webhook) -> String {
    match webhook.notices.map(|notices| notices.quiet_seconds) {
        None | Some(0) => "each is told".into(),
        Some(seconds) => time::span(u64::from(seconds) * 1000),
    }
}

fn told(seat: &Seat, hearers: &[Hearer], now: UnixMs) -> Markup {
    let mut all: Vec<(&Row, &Hearer)> =
        hearers.iter().flat_map(|one| one.told.iter().map(move |row| (row, one))).collect();
    all.sort_by(|(one, _), (other, _)| other.created_at.cmp(&one.created_at));
    all.truncate(TOLD_MAX);
    html! {
        h2 { "Told lately" }
        @if all.is_empty() { p { "Nothing yet, which is good news." } } @else {
            div.table tabindex="0" { table {
                thead { tr { th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "To whom" } th scope="col" { "Delivery" } } }
                tbody { @for (row, hearer) in all {
                    @let page = seat.at(&format!("deliveries/{}", part(&row.id)));
                    tr data-href=(page) {
                        td { (time::text(Some(&row.created_at), now)) }
                        td { a href=(page) { @if let Some(kind) = &row.event_type { (kind_of(kind).title) } @else { "a notice that is gone" } } }
                        td dir="auto" { (hearer.webhook.label()) }
                        td { (state(of_delivery(row.state), row.state)) }
                    }
                } }
            } }
        }
    }
}

/// Which notices there are.
fn kinds() -> Markup {
    html! {
        h2 { "Which there are" }
        div.table tabindex="0" { table {
            thead { tr { th scope="col" { "Notice" } th scope="col" { "What happened" } th scope="col" { "What to do" } } }
            tbody { @for word in notice::words() {
                @let kind = kind_of(word);
                tr { td { code { (kind.word) } } td { (kind.title) } td.wide { (kind.remedy) } }
            } }
        } }
    }
}
