//! Deliveries to all webhooks of an account, narrowed by what the API's list can be asked. Those that are ticked can be replayed.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, web};
use maud::{Markup, html};

use super::explained::outcome_word;
use super::rows::{self, Columns};
use super::{all, choosing};
use crate::api::access::auth::Read;
use crate::api::deliveries::filter::DeliveriesFilter;
use crate::api::deliveries::operations::listed;
use crate::api::deliveries::view::DeliveryView;
use crate::api::docs::site::asked_at;
use crate::api::http::page::PageReply;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::may::may_replay;
use crate::dashboard::parts::asked::Asked;
use crate::dashboard::parts::filter::{self, Filter};
use crate::dashboard::parts::rows::{counted, pages};
use crate::dashboard::parts::{command, empty};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::delivery::{Cause, FAILURE_KINDS, SHOWN_STATES};

/// The names that only this page knows.
const OWN: [&str; 1] = [choosing::FIND];

/// The list.
#[get("/deliveries")]
pub async fn list(seat: Looks<Read>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let asked = Asked::of(&seat);
    let found = found(&api, &seat, &asked).await;
    let problem = found.as_ref().err().filter(|problem| !choosing::is_needed(problem));
    let status = problem.map_or(StatusCode::OK, ResponseError::status_code);
    let rows = match &found {
        Ok(page) => shown(&api, &seat, &asked, page, &asked_at(&request)),
        Err(needed) if choosing::is_needed(needed) => choosing::ask(&api, &seat, &asked, &needed.to_string()).await?,
        Err(_) => html! {},
    };
    let fields = fields(&api, &seat, &asked, problem);
    let body = html! { (filter::form(&fields, &seat.at("deliveries"), problem)) (rows) };
    Ok(Page::new("Deliveries", Part::Deliveries).show_with(status, &seat, &body))
}

async fn found(api: &web::Data<Api>, seat: &Seat, asked: &Asked) -> Result<PageReply<DeliveryView>, Problem> {
    let query = asked.list::<DeliveriesFilter>(&OWN)?;
    listed(api, seat.tenant(), query.filter)?.reply(query.part).await
}

fn fields(api: &Api, seat: &Seat, asked: &Asked, problem: Option<&Problem>) -> Markup {
    let field = |name, label, example| Filter { name, label, value: asked.text(name), example, list: "" };
    let words = |words: &[&'static str]| words.iter().map(|word| (*word, *word)).collect::<Vec<_>>();
    let outcomes = FAILURE_KINDS.map(|kind| (kind, outcome_word(kind)));
    html! {
        (choosing::field(api, seat, asked.text("webhook"), problem))
        (field("state", "State", "").choice(&words(&SHOWN_STATES)))
        (field("event_type", "Event type", "task.*").text(problem))
        (field("status_code", "Status", "5xx").text(problem))
        (field("outcome", "Outcome", "").choice(&outcomes))
        (field("cause", "Because", "").choice(&words(Cause::WORDS)))
        (field("order_key", "Order key", "").text(problem))
        (field("from", "From, UTC", "").time(problem))
        (field("to", "Until, UTC", "").time(problem))
    }
}

fn shown(api: &Api, seat: &Seat, asked: &Asked, page: &PageReply<DeliveryView>, origin: &str) -> Markup {
    if page.data.is_empty() && page.next_cursor.is_none() {
        return nothing(seat, asked, origin);
    }
    let now = api.clock.wall();
    let (may, columns) = (may_replay(seat), if may_replay(seat) { Columns::Ticks } else { Columns::Plain });
    html! {
        form method="get" action=(seat.at("deliveries/replay")) {
            p.bar {
                (counted(asked, page, "delivery", "deliveries"))
                @if may { span.acts { button type="submit" { "Replay ticked…" } (all::ways(seat, asked)) } }
            }
            (rows::table(api, seat, &page.data, columns, now))
        }
        (pages(asked, page))
    }
}

fn nothing(seat: &Seat, asked: &Asked, origin: &str) -> Markup {
    if asked.is_filtered() {
        return empty::empty("No delivery is as asked for. Widen the filter, or look further back in time.", None);
    }
    let publish = command::publish(seat, origin);
    empty::empty(
        "There are no deliveries yet: one is made for each webhook that wants an event. Make a webhook, then publish an event.",
        (!seat.is_portal()).then_some(&publish),
    )
}
