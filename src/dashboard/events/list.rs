//! The list of an account's events. What stays true: the address is the state, and the rows are the API's.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, web};
use maud::{Markup, html};

use crate::api::access::auth::Read;
use crate::api::docs::site::asked_at;
use crate::api::events::filter::EventsFilter;
use crate::api::events::routes::page;
use crate::api::events::view::EventView;
use crate::api::http::page::{LIMIT_DEFAULT, Listed, Window};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links::{part, with_query};
use crate::dashboard::parts::filter::{Filter, form, moment};
use crate::dashboard::parts::{command, copy, empty, pager, time};
use crate::dashboard::posted::Fields;
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::ability::Ability;

#[get("/events")]
pub async fn show(seat: Looks<Read>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let asked = Fields::asked(seat.asked());
    let (listed, problem) = match rows(&api, &seat, &asked).await {
        Ok(listed) => (listed, None),
        Err(problem) if problem.field().is_some() => (Listed { rows: Vec::new(), next: None }, Some(problem)),
        Err(problem) => return Err(problem.into()),
    };
    let status = problem.as_ref().map_or(StatusCode::OK, ResponseError::status_code);
    let is_filtered = NAMES.iter().any(|name| asked.text(name).is_some());
    let (now, cursor) = (api.clock.wall(), listed.cursor());
    let body = html! {
        (filters(&seat, &asked, problem.as_ref()))
        @if problem.is_none() {
            @if listed.rows.is_empty() { (nothing(&seat, is_filtered, &request, cursor.is_some())) } @else { (table(&seat, &listed.rows, now)) }
            (pager::pager(seat.asked(), cursor.as_deref()))
        }
    };
    let acts = html! {
        @if seat.can(Ability::Publish) { a.button.main href=(seat.at("publish")) { "Publish an event" } }
    };
    Ok(Page { acts, ..Page::new("Events", Part::Events) }.show_with(status, &seat, &body))
}

/// What can filter.
const NAMES: [&str; 6] = ["type", "id", "channel", "filter", "from", "to"];

async fn rows(api: &web::Data<Api>, seat: &Seat, asked: &Fields) -> Result<Listed<EventView<'static>>, Problem> {
    let text = |name: &str| asked.text(name).map(str::to_owned);
    let filter = EventsFilter {
        id: text("id"),
        r#type: text("type"),
        from: asked.text("from").map(moment),
        to: asked.text("to").map(moment),
        channel: text("channel"),
        filter: text("filter"),
    };
    let (sought, account) = (filter.read()?, seat.account().number);
    let window = Window::read(LIMIT_DEFAULT, None, asked.text("cursor"))?;
    let reader = api.clone();
    api.read(account, move || page(&reader, account, &sought, window)).await?
}

fn filters(seat: &Seat, asked: &Fields, problem: Option<&Problem>) -> Markup {
    let field = |name, label, example| Filter {
        name,
        label,
        example,
        value: asked.text(name).unwrap_or_default(),
        ..Filter::default()
    };
    let fields = html! {
        (field("type", "Type", "task.*").text(problem))
        (field("id", "Id", "").text(problem))
        (field("channel", "Channel", "").text(problem))
        (field("filter", "Holds", "@.metadata.team == \"a\"").text(problem))
        (field("from", "From (UTC)", "").time(problem))
        (field("to", "Before (UTC)", "").time(problem))
    };
    form(&fields, &seat.at("events"), problem)
}

fn nothing(seat: &Seat, is_filtered: bool, request: &HttpRequest, goes_on: bool) -> Markup {
    if goes_on {
        return empty::empty("None among the newest that were looked at. Go on with the older ones.", None);
    }
    if is_filtered {
        return empty::empty("No event is like that.", None);
    }
    if seat.is_portal() {
        return empty::empty("There are no events yet. They come from the product whose webhooks these are.", None);
    }
    let command = command::publish(seat, &asked_at(request));
    empty::empty("There are no events yet. Publish one here, or from anywhere:", Some(&command))
}

fn table(seat: &Seat, rows: &[EventView<'static>], now: u64) -> Markup {
    html! {
        div.table tabindex="0" {
            table {
                thead { tr { th scope="col" { "Type" } th scope="col" { "Event" } th scope="col" { "Channels" } th.number scope="col" { "Webhooks" } th scope="col" { "Accepted" } } }
                tbody {
                    @for event in rows {
                        @let at = seat.at(&format!("events/{}", part(&event.id)));
                        tr data-href=(at) {
                            td { a href=(with_query(&seat.at("events"), [("type", Some(event.r#type.as_str()))])) { (event.r#type) } @if event.test { " " span.tag { "test" } } }
                            td.wide { (copy::linked_id(&at, &event.id)) @if event.purged_at.is_some() { " " span.tag { "purged" } } }
                            td.wide { @for channel in &event.channels { span.tag { (channel) } " " } }
                            td.number { (event.webhooks) }
                            td { (time::text(Some(&event.accepted_at), now)) }
                        }
                    }
                }
            }
        }
    }
}
