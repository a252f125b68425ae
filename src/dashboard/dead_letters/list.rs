//! Dead letters that nobody has handled, over all webhooks of an account.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError, get, web};
use maud::{Markup, html};

use super::bulk::TICKED;
use crate::api::access::auth::Read;
use crate::api::dead_letters::input::DeadLettersFilter;
use crate::api::dead_letters::routes::listed;
use crate::api::deliveries::view::DeliveryView;
use crate::api::http::page::PageReply;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::deliveries::choosing;
use crate::dashboard::deliveries::rows::{self, Columns};
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links;
use crate::dashboard::may::may_replay;
use crate::dashboard::parts::asked::Asked;
use crate::dashboard::parts::empty;
use crate::dashboard::parts::filter::{self, Filter};
use crate::dashboard::parts::rows::{counted, pages};
use crate::dashboard::seat::{Looks, Seat};

/// The list.
#[get("/dead-letters")]
pub async fn list(seat: Looks<Read>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let asked = Asked::of(&seat);
    let found = found(&api, &seat, &asked).await;
    let problem = found.as_ref().err();
    let status = problem.map_or(StatusCode::OK, ResponseError::status_code);
    let field = |name, label, example| Filter { name, label, value: asked.text(name), example, list: "" };
    let fields = html! {
        (choosing::field(&api, &seat, asked.text("webhook"), problem))
        (field("event_type", "Event type", "task.*").text(problem))
        (field("from", "From, UTC", "").time(problem))
        (field("to", "Until, UTC", "").time(problem))
    };
    let body = html! {
        (filter::form(&fields, &seat.at("dead-letters"), problem))
        @if let Ok(page) = &found { (shown(&api, &seat, &asked, page)) }
    };
    Ok(Page::new("Dead letters", Part::DeadLetters).show_with(status, &seat, &body))
}

async fn found(api: &web::Data<Api>, seat: &Seat, asked: &Asked) -> Result<PageReply<DeliveryView>, Problem> {
    let query = asked.list::<DeadLettersFilter>(&[])?;
    listed(api, seat.tenant(), &query.filter)?.reply(query.part).await
}

fn shown(api: &Api, seat: &Seat, asked: &Asked, page: &PageReply<DeliveryView>) -> Markup {
    if page.data.is_empty() && page.next_cursor.is_none() {
        return empty::empty(nothing(asked), None);
    }
    let now = api.clock.wall();
    let may = may_replay(seat);
    html! {
        form method="get" action=(seat.at("dead-letters/replay")) {
            input type="hidden" name=(TICKED) value="yes";
            div.bar {
                (counted(asked, page, "dead letter", "dead letters"))
                @if may {
                    span.acts {
                        button type="submit" { "Replay ticked…" }
                        button type="submit" formaction=(seat.at("dead-letters/discard")) { "Discard ticked…" }
                        a.button href=(all(seat, asked, "replay")) { "Replay all that match…" }
                        a.button.danger href=(all(seat, asked, "discard")) { "Discard all that match…" }
                    }
                }
            }
            (rows::table(api, seat, &page.data, if may { Columns::Ticks } else { Columns::Plain }, now))
        }
        (pages(asked, page))
    }
}

fn nothing(asked: &Asked) -> &'static str {
    if asked.is_filtered() {
        "No dead letter is as asked for. Widen the filter, or look further back in time."
    } else {
        "There are no dead letters. A delivery that uses up its retries is one: it waits here until somebody replays or discards it."
    }
}

/// The page that asks whether to do this with all that the filter lets through.
fn all(seat: &Seat, asked: &Asked, verb: &str) -> String {
    let page = seat.at(&format!("dead-letters/{verb}"));
    links::with_query(&page, asked.filters(&[]).map(|(name, value)| (name, Some(value))))
}
