//! The list of webhooks: how each stands, and what its last 24 hours came to. What stays true: what filters is the API's own, and the
//! address says all of it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, web};
use maud::{Markup, html};

use super::rows::{Row, rows};
use super::standing;
use super::ways;
use crate::api::access::auth::Read;
use crate::api::docs::site::asked_at;
use crate::api::http::page::{RowCount, Window};
use crate::api::webhooks::filter::WebhooksFilter;
use crate::api::webhooks::listing;
use crate::api::webhooks::sick::EXAMINED_MAX;
use crate::api::webhooks::view::WebhookView;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::deliveries::explained::outcome_word;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::links;
use crate::dashboard::parts::filter::Filter;
use crate::dashboard::parts::state::{of_status, state};
use crate::dashboard::parts::{amount, chart, command, empty, pager, tick, time};
use crate::dashboard::posted::Fields;
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::ability::Ability;
use crate::domain::time::UnixMs;

/// Webhooks of one page: each has a chart, and a page is light.
const ROWS: usize = 25;
/// Types of one webhook that a row shows.
const TYPES_SHOWN: usize = 3;
/// States by the API's names, and what they are called.
const STATES: [(&str, &str); 4] =
    [("active", "enabled"), ("paused", "paused"), ("disabled", "disabled"), ("unverified", "not verified")];
/// What filters.
const FILTERS: [&str; 7] = ["text", "status", "event_type", "dialect", "tag", "uid", "channel"];

/// The rows of a page, and what there is beside them.
struct Listed {
    rows: Vec<WebhookView>,
    next: Option<String>,
    count: RowCount,
    /// Of a list that begins with the sick ones: whether there are more than were looked at.
    is_cut: bool,
}

#[get("/webhooks")]
pub async fn show(seat: Looks<Read>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let asked = Fields::asked(seat.asked());
    let (listed, problem) = match listed(&seat, &api, &asked).await {
        Ok(listed) => (listed, None),
        Err(problem) => {
            let (_, problem) = ways::of_form(problem)?;
            let count = RowCount { at_least: 0, exact: true };
            (Listed { rows: Vec::new(), next: None, count, is_cut: false }, Some(problem))
        }
    };
    let rows = rows(&api, seat.account().number, listed.rows).await?;
    let now = api.clock.wall();
    let body = html! {
        (filters(&seat, &api, &asked, problem.as_ref()))
        @if listed.is_cut {
            p.note { "The sick ones of the " (amount::count(EXAMINED_MAX as u64)) " newest come first here: filter to look among others." }
        }
        @if rows.is_empty() { @if problem.is_none() { (nothing(&seat, &asked, &asked_at(&request))) } }
        @else { (table(&seat, &rows, now)) }
        (pager::pager(seat.asked(), listed.next.as_deref()))
    };
    let status = problem.as_ref().map_or(StatusCode::OK, ResponseError::status_code);
    let title = match problem {
        Some(_) => "Webhooks".to_owned(),
        None => format!(
            "Webhooks · {}{}",
            amount::count(listed.count.at_least as u64),
            if listed.count.exact { "" } else { "+" }
        ),
    };
    let acts = html! {
        @if seat.can(Ability::Manage) { a.button.main href=(seat.at("webhooks/new")) { "New webhook" } }
    };
    Ok(Page { acts, ..Page::new(&title, Part::Webhooks) }.show_with(status, &seat, &body))
}

async fn listed(seat: &Seat, api: &web::Data<Api>, asked: &Fields) -> Result<Listed, Problem> {
    let text = |name: &str| asked.text(name).map(String::from);
    let filter = WebhooksFilter {
        text: text("text"),
        url: None,
        name: None,
        event_type: text("event_type"),
        status: text("status"),
        dialect: text("dialect"),
        uid: text("uid"),
        tag: text("tag"),
        channel: text("channel"),
    };
    let sought = filter.read()?;
    let window = Window::read(ROWS, None, asked.text("cursor"))?;
    let (is_sick_first, account) = (asked.text("first") == Some("sick"), seat.account().number);
    let (reader, tenant) = (api.clone(), seat.tenant().clone());
    let read = move || -> Result<Listed, Problem> {
        let count = listing::count(&reader, &tenant, &sought);
        Ok(match is_sick_first {
            true => {
                let (rows, is_cut) = listing::sickest(&reader, &tenant, &sought, ROWS)?;
                Listed { rows, next: None, count, is_cut }
            }
            false => {
                let page = listing::page(&reader, &tenant, &sought, window)?;
                Listed { next: page.cursor(), rows: page.rows, count, is_cut: false }
            }
        })
    };
    api.read(account, read).await?
}

fn filters(seat: &Seat, api: &Api, asked: &Fields, problem: Option<&Problem>) -> Markup {
    let field = |name, label, example| Filter {
        name,
        label,
        example,
        value: asked.text(name).unwrap_or_default(),
        ..Filter::default()
    };
    let dialects: Vec<String> = {
        let registry = api.store.registry();
        registry.dialects_of(seat.account().number).map(String::from).collect()
    };
    let contracts: Vec<(&str, &str)> = dialects.iter().map(|name| (name.as_str(), name.as_str())).collect();
    let is_filtered = FILTERS.iter().any(|name| asked.text(name).is_some());
    let first = |word: Option<&str>| links::changed(seat.asked(), &[("first", word), ("cursor", None), ("said", None)]);
    let is_sick_first = asked.text("first") == Some("sick");
    html! {
        form.filters method="get" action=(seat.at("webhooks")) {
            @if is_sick_first { input type="hidden" name="first" value="sick"; }
            (field("text", "Name, URL, id", "").text(problem))
            (field("status", "State", "").choice(&STATES))
            (field("event_type", "Wants the type", "task.created").text(problem))
            @if dialects.len() > 1 || asked.text("dialect").is_some() { (field("dialect", "Contract", "").choice(&contracts)) }
            (field("tag", "Tag", "").text(problem))
            (field("channel", "Channel", "").text(problem))
            (field("uid", "Your own id", "").text(problem))
            button type="submit" { "Filter" }
            @if is_filtered { a.button.quiet href=(seat.at("webhooks")) { "Clear" } }
        }
        @if let Some(problem) = problem { p.problem role="alert" { (problem.to_string()) } }
        p.order {
            @if is_sick_first { a href=(first(None)) { "The newest first" } " · The sick ones first" }
            @else { "The newest first · " a href=(first(Some("sick"))) { "The sick ones first" } }
        }
    }
}

fn nothing(seat: &Seat, asked: &Fields, base: &str) -> Markup {
    if FILTERS.iter().any(|name| asked.text(name).is_some()) {
        return empty::empty("No webhook is like that. Clear the filter to see all.", None);
    }
    let words = "No webhook yet. A webhook is a URL that is told what happens: make one, and send it a test event.";
    let command = command::webhook(seat, base);
    empty::empty(words, (!seat.is_portal()).then_some(&command))
}

fn table(seat: &Seat, rows: &[Row], now: UnixMs) -> Markup {
    let may_steer = seat.can(Ability::Steer);
    html! {
        @if may_steer {
            form.ticked #ticked method="post" action=(seat.at("webhooks/many")) {
                (token(seat))
                span.hint { "With those that are ticked:" }
                button type="submit" name="act" value="pause" { "Pause" }
                button type="submit" name="act" value="resume" { "Resume" }
                @if seat.can(Ability::Manage) { button.danger type="submit" name="act" value="delete" { "Delete" } }
            }
        }
        div.table tabindex="0" {
            table {
                thead { tr {
                    @if may_steer { (tick::all()) }
                    th scope="col" { "State" }
                    th scope="col" { "Webhook" }
                    th scope="col" { "Event types" }
                    th scope="col" { "Contract" }
                    th scope="col" { "24 hours" }
                    th.number scope="col" { "Success" }
                    th scope="col" { "Last attempt" }
                } }
                tbody { @for row in rows { (line(seat, row, may_steer, now)) } }
            }
        }
    }
}

fn line(seat: &Seat, row: &Row, may_steer: bool, now: UnixMs) -> Markup {
    let webhook = &row.webhook;
    let at = ways::of(seat, &webhook.id);
    let (meaning, word) = standing::word(webhook, now);
    let label = webhook.name.as_deref().or(webhook.url.as_deref()).unwrap_or(&webhook.id);
    let (succeeded, attempts) = row.well;
    let words = format!("{attempts} attempts in 24 hours, {} of them no success", attempts - succeeded);
    html! {
        tr data-href=(at) {
            @if may_steer {
                td { input type="checkbox" form="ticked" name="id" value=(webhook.id) aria-label={ "Tick " (label) }; }
            }
            td {
                (state(meaning, &word))
                @if let Some(reason) = &webhook.status_reason { div.hint { (reason) } }
            }
            td.url {
                a href=(at) { (label) }
                @if webhook.name.is_some() { div.hint { (webhook.url.as_deref().unwrap_or("pulled by consumers")) } }
                @for tag in &webhook.tags { " " span.tag { (tag) } }
            }
            td.wide { (types(webhook)) }
            td { (webhook.dialect) }
            td { (chart::spark(&row.steps, &words)) }
            td.number { (amount::share(succeeded, attempts)) }
            td {
                @match &row.latest {
                    Some(latest) => {
                        @let status = latest.attempt.outcome.status();
                        @let meaning = if latest.success { of_status(Some(200)) } else { of_status(status) };
                        (state(meaning, &status.map_or_else(|| outcome_word(latest.attempt.outcome.kind()).to_owned(), |status| status.to_string())))
                        " "
                    }
                    None => {}
                }
                (time::text(webhook.last_attempt_at.as_deref(), now))
            }
        }
    }
}

fn types(webhook: &WebhookView) -> Markup {
    let all = &webhook.events;
    html! {
        @for one in all.iter().take(TYPES_SHOWN) { code { (one) } " " }
        @if all.len() > TYPES_SHOWN { span.hint title=(all.join(", ")) { "and " (all.len() - TYPES_SHOWN) " more" } }
    }
}
