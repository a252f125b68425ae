//! What happens, as it happens, in one account or, for the server's own people, in all of them. What stays true: it is the API's own
//! stream, read in the name of who looks; and without scripts the page of an account shows what happened last.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, web};
use maud::{Markup, html};

use crate::api::access::auth::{Oversees, Read};
use crate::api::deliveries::view::DeliveryView;
use crate::api::events::view::EventView;
use crate::api::stream::recent::{Recent, recent};
use crate::api::stream::routes::connection;
use crate::api::stream::{Asked, LetIn, StreamQuery, begin, beginning};
use crate::api::{Api, Problem};
use crate::dashboard::assets::LIVE_AT;
use crate::dashboard::away::Away;
use crate::dashboard::deliveries::explained::{outcome_word, short};
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links::{part, with_query};
use crate::dashboard::parts::filter::{Filter, form};
use crate::dashboard::parts::state::{Meaning, of_status, state};
use crate::dashboard::parts::{copy, time};
use crate::dashboard::posted::Fields;
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::Invalid;
use crate::domain::delivery::FAILURE_KINDS;
use crate::domain::happening::What;

/// Rows that the page begins with.
const FIRST: usize = 50;
/// Rows that it keeps.
const MOST: usize = 200;
/// What can filter, named as the API does.
const NAMES: [&str; 5] = ["kind", "event_type", "webhook", "outcome", "status_code"];

/// Its routes.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(show).service(tell_one);
}

/// Those of all accounts.
pub fn routes_of_all(to: &mut web::ServiceConfig) {
    to.service(show_all).service(tell_all);
}

/// In which accounts it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    /// In the one whose page it is.
    One,
    /// In all of them.
    All,
}

#[get("/live")]
async fn show(seat: Looks<Read>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    page(&seat, &api, In::One).await
}

#[get("/dashboard/server/live")]
async fn show_all(seat: Looks<Oversees>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    page(&seat, &api, In::All).await
}

async fn page(seat: &Seat, api: &web::Data<Api>, happens_in: In) -> Result<HttpResponse, Away> {
    let asked = Fields::asked(seat.asked());
    // Before what there is is read, so that nothing is missed in between.
    let since = format!("{:x}", beginning(api));
    let (rows, problem) = match first(api, seat, &asked, happens_in).await {
        Ok(rows) => (rows, None),
        Err(problem) if problem.field().is_some() => (Vec::new(), Some(problem)),
        Err(problem) => return Err(problem.into()),
    };
    let status = problem.as_ref().map_or(StatusCode::OK, ResponseError::status_code);
    let shown = NAMES.iter().map(|name| (*name, asked.text(name)));
    let here = match happens_in {
        In::One => seat.at("live"),
        In::All => seat.at_server("live"),
    };
    let stream = with_query(&format!("{here}/stream"), shown.chain([("since", Some(since.as_str()))]));
    let now = api.clock.wall();
    let body = html! {
        (filters(&here, &asked, problem.as_ref(), happens_in))
        noscript { p.note { "Without scripts this page shows what happened last. " a href=(seat.asked()) { "Load it again" } " to see what is new." } }
        @if problem.is_none() {
            div.live #live data-stream=(stream) data-here=(seat.at("")) data-in=[(happens_in == In::All).then_some("all")] data-most=(MOST) data-outcomes=(outcomes()) {
                p.live-bar {
                    span #live-state role="status" { }
                    button #live-pause type="button" hidden aria-pressed="false" { "Pause" }
                    button.main #live-new type="button" hidden { }
                }
                (table(seat, &rows, happens_in, now))
                p.hint #live-empty hidden[!rows.is_empty()] { "Nothing has happened yet. What does is shown here at once." }
            }
        }
    };
    let (title, part) = match happens_in {
        In::One => ("Live", Part::Live),
        In::All => ("Live in all accounts", Part::LiveOfAll),
    };
    Ok(Page { scripts: &[LIVE_AT.as_str()], ..Page::new(title, part) }.show_with(status, seat, &body))
}

/// What happens, for the page's script.
#[get("/live/stream")]
async fn tell_one(seat: Looks<Read>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    tell(&seat, &api, &request, In::One)
}

#[get("/dashboard/server/live/stream")]
async fn tell_all(seat: Looks<Oversees>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    tell(&seat, &api, &request, In::All)
}

fn tell(seat: &Seat, api: &web::Data<Api>, request: &HttpRequest, happens_in: In) -> Result<HttpResponse, Problem> {
    let asked = Fields::asked(seat.asked());
    let since = asked.text("since").map(|since| u128::from_str_radix(since, 16));
    let since = since.transpose().map_err(|_| Invalid::new("since", "is not of a page of this server"))?;
    let follow = asked.text("follow").map(str::to_owned);
    let last = request.headers().get("Last-Event-ID").map(|id| id.to_str().unwrap_or_default());
    let asked = StreamQuery { follow, ..query(&asked, happens_in) }.read(api, seat.tenant(), last)?;
    let asked = Asked { since, ..asked };
    begin(api, seat.tenant(), asked, connection(request), let_in(seat))
}

/// Until when it is read.
fn let_in(seat: &Seat) -> LetIn {
    let (seated, account) = (seat.seated().clone(), seat.account().number);
    Box::new(move |api| seated.is_still_let_in(api) && api.store.registry().is_served(account))
}

/// What happened last; of all accounts nothing: it stands in the lists of each.
async fn first(api: &web::Data<Api>, seat: &Seat, asked: &Fields, happens_in: In) -> Result<Vec<Recent>, Problem> {
    let Asked { sought, .. } = query(asked, happens_in).read(api, seat.tenant(), None)?;
    if happens_in == In::All {
        return Ok(Vec::new());
    }
    let (reader, account) = (api.clone(), seat.account().clone());
    api.read(account.number, move || recent(&reader, &account, &sought, FIRST)).await?
}

/// What filters.
fn query(asked: &Fields, happens_in: In) -> StreamQuery {
    let text = |name: &str| asked.text(name).map(str::to_owned);
    StreamQuery {
        webhook: text("webhook"),
        accounts: (happens_in == In::All).then(|| "all".to_owned()),
        event_type: text("event_type"),
        kind: text("kind"),
        outcome: text("outcome"),
        status_code: text("status_code"),
        ..StreamQuery::default()
    }
}

/// What outcomes are called, for the page's script: JSON.
fn outcomes() -> String {
    let words: serde_json::Map<_, _> =
        FAILURE_KINDS.iter().map(|kind| ((*kind).to_owned(), outcome_word(kind).into())).collect();
    serde_json::Value::Object(words).to_string()
}

fn filters(here: &str, asked: &Fields, problem: Option<&Problem>, happens_in: In) -> Markup {
    let field = |name, label, example| Filter {
        name,
        label,
        example,
        value: asked.text(name).unwrap_or_default(),
        ..Filter::default()
    };
    let kinds: Vec<(&str, &str)> =
        What::WORDS.iter().zip(["events", "attempts", "dead letters"]).map(|(word, called)| (*word, called)).collect();
    let outcomes = FAILURE_KINDS.map(|word| (word, outcome_word(word)));
    let fields = html! {
        (field("kind", "Show", "").choice(&kinds))
        (field("event_type", "Type", "task.*").text(problem))
        @if happens_in == In::One { (field("webhook", "Webhook", "").text(problem)) }
        (field("outcome", "Outcome", "").choice(&outcomes))
        (field("status_code", "Answer", "5xx").text(problem))
    };
    form(&fields, here, problem)
}

fn table(seat: &Seat, rows: &[Recent], happens_in: In, now: u64) -> Markup {
    html! {
        div.table tabindex="0" {
            table {
                thead { tr { th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "Type" } th scope="col" { "Which" } th scope="col" { "What came of it" } th scope="col" { "Webhook" } @if happens_in == In::All { th scope="col" { "Account" } } } }
                tbody #live-rows {
                    @for row in rows {
                        @match row { Recent::Event(event) => (event_row(seat, event, now)), Recent::Attempt(one) => (attempt_row(seat, one, now)) }
                    }
                }
            }
        }
    }
}

fn event_row(seat: &Seat, event: &EventView<'_>, now: u64) -> Markup {
    html! {
        tr data-row data-keys={ "event " (event.id) } {
            td { (time::text(Some(&event.accepted_at), now)) }
            td { (state(Meaning::Off, "event")) }
            td { (event.r#type) }
            td { a href=(seat.at(&format!("events/{}", part(&event.id)))) { code { (copy::short(&event.id)) } } }
            td { @if event.webhooks == 1 { "to 1 webhook" } @else { "to " (event.webhooks) " webhooks" } }
            td { }
        }
    }
}

fn attempt_row(seat: &Seat, one: &DeliveryView, now: u64) -> Markup {
    let is_well = one.success == Some(true);
    let meaning = match (is_well, one.state) {
        (true, _) => Meaning::Well,
        (false, "dead") => Meaning::Dead,
        (false, _) => one.status_code.map_or(Meaning::Trouble, |status| of_status(Some(status))),
    };
    html! {
        tr data-row data-keys={ "attempt " (one.id) " " (one.attempt_count) @if one.state == "dead" { ",dead " (one.id) } } {
            td { (time::text(one.attempted_at.as_deref(), now)) }
            td { (state(meaning, if !is_well && one.state == "dead" { "dead" } else { "attempt" })) }
            td { (one.event_type.as_deref().unwrap_or("–")) }
            td { a href=(seat.at(&format!("deliveries/{}", part(&one.id)))) { code { (copy::short(&one.id)) } } }
            td.wide {
                "attempt " (one.attempt_count) ": "
                (short(one.outcome, one.status_code))
                @if let Some(ms) = one.response_time_ms { ", " (ms) " ms" }
            }
            td { a href=(seat.at(&format!("webhooks/{}", part(&one.webhook_id)))) { code { (copy::short(&one.webhook_id)) } } }
        }
    }
}
